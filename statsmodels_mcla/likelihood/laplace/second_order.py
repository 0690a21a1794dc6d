"""A Gaussian closer to the conditional law of the effects than the one at the mode."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from statsmodels_mcla.design import Bucket
from statsmodels_mcla.likelihood.laplace.maps import Root
from statsmodels_mcla.likelihood.laplace.modes import Modes
from statsmodels_mcla.likelihood.laplace.roots import conditional_root
from statsmodels_mcla.numerics import Array

MOST_STEPS = 8
PIECE = 2**13  # rows whose values at the nodes fit the cache
SHORT = 0.3  # of steps, in conditional standard deviations, after which little is left
_NODES, _NODE_WEIGHTS = np.polynomial.hermite_e.hermegauss(7)
_NODE_WEIGHTS = _NODE_WEIGHTS / _NODE_WEIGHTS.sum()


class Gaussian(NamedTuple):
    """Normal law of the standard effects of each block of a bucket, and the rows' derivatives that it rests on.

    Attributes
    ----------
    mean : ndarray (B, q)
    root : Root
        Of the covariance.
    d1, W, third : ndarray (B, n)
        First derivative, curvature and third derivative of the log density of the rows in eta.
    """

    mean: Array
    root: Root
    d1: Array
    W: Array
    third: Array

    def take(self, index: np.ndarray) -> Gaussian:
        """Of some of the blocks."""
        rows = (part[index] for part in (self.d1, self.W, self.third))
        return Gaussian(self.mean[index], self.root.take(index), *rows)


def gaussian_at_mode(bucket: Bucket, modes: Modes, phi: float) -> Gaussian:
    """Laplace's: mode and curvature there."""
    y, w, v = bucket.y[..., None], bucket.w[..., None], bucket.v[..., None]
    third = bucket.family.third(y, w, v, modes.eta[..., None], phi)[..., 0]
    return Gaussian(modes.b, modes.root, modes.d1, modes.W, third)


def gaussian_fit(bucket: Bucket, modes: Modes, phi: float) -> Gaussian:
    """Gaussian that is close to the conditional law of b.

    From the mode, the mean moves by the skewness term of Laplace's expansion; there, the derivatives of the
    log density of each row are averaged over the law of its eta, which gives a Newton step to the mean and
    the curvature of the Gaussian variational approximation; further steps follow while they are long.  In hundreds of
    dimensions a small error in each is a large one in all: crossed binary data with few failures a level have an
    effective sample size of 4 % after one step, and 87 % at the end of them.
    """
    first = gaussian_at_mode(bucket, modes, phi)
    leverage = modes.root.leverage(modes.J)
    shift = modes.root.of(_at_most_one(0.5 * modes.root.back(modes.J.back(first.third * leverage))))
    b, found = modes.b + shift, first._replace(mean=modes.b + shift)
    if len(bucket.family.directions) > 1:  # whose laws depend on each other
        return found
    for _ in range(MOST_STEPS):
        eta = modes.eta + modes.J.times(b - modes.b)
        d1, W, third = _averaged(bucket, eta, np.sqrt(leverage), phi)
        if not all(np.all(np.isfinite(x)) for x in (W, d1, third)):
            break
        root = conditional_root(modes.J, W)
        whitened = root.back(modes.J.back(d1) - b)
        b = b + root.of(_at_most_one(whitened))
        found = Gaussian(b, root, d1, W, third)
        if np.sqrt((whitened * whitened).sum(axis=-1)).max(initial=0.0) < SHORT:
            break
        leverage = root.leverage(modes.J)
    return found


def _averaged(bucket: Bucket, eta: Array, sd: Array, phi: float) -> Array:
    """First derivative, curvature and third derivative (3, B, n), averaged over normal laws of eta (B, n).

    A piece of the rows at a time: for all of them, the values at the nodes would be the most that a fit holds.
    """
    given = (bucket.y, bucket.w, bucket.v, eta, sd)
    flat = [np.broadcast_to(part, eta.shape).reshape(-1, 1) for part in given]
    out = np.empty((3, eta.size))
    for start in range(0, eta.size, PIECE):
        piece = slice(start, start + PIECE)
        y, w, v, centre, spread = (part[piece] for part in flat)
        nodes = centre + spread * _NODES
        terms = bucket.family.rows(y, w, v, nodes, phi)
        out[0, piece] = terms.d1 @ _NODE_WEIGHTS
        out[1, piece] = np.maximum(-terms.d2 @ _NODE_WEIGHTS, 0.0)
        out[2, piece] = bucket.family.third(y, w, v, nodes, phi) @ _NODE_WEIGHTS
    return out.reshape(3, *eta.shape)


def _at_most_one(whitened: Array) -> Array:
    """Shorten steps that are longer than one conditional standard deviation in a coordinate."""
    length = np.abs(whitened).max(axis=-1, keepdims=True, initial=0.0)
    return np.asarray(whitened / np.maximum(1.0, length))
