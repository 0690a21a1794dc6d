"""A Gaussian closer to the conditional law of the effects than the one at the mode."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from statsmodels_mcla.design import Bucket
from statsmodels_mcla.likelihood.laplace.modes import Modes
from statsmodels_mcla.numerics import Array, inverse_root, transpose

_NODES, _NODE_WEIGHTS = np.polynomial.hermite_e.hermegauss(7)
_NODE_WEIGHTS = _NODE_WEIGHTS / _NODE_WEIGHTS.sum()


class Gaussian(NamedTuple):
    """Normal law of the standard effects of each block of a bucket, and the rows' derivatives that it rests on.

    Attributes
    ----------
    mean : ndarray (B, q)
    root : ndarray (B, q, q)
        Upper triangular root of the covariance.
    d1, W, third : ndarray (B, n)
        First derivative, curvature and third derivative of the log density of the rows in eta.
    """

    mean: Array
    root: Array
    d1: Array
    W: Array
    third: Array


def gaussian_at_mode(bucket: Bucket, modes: Modes, phi: float) -> Gaussian:
    """Laplace's: mode and curvature there."""
    y, w, v = bucket.y[..., None], bucket.w[..., None], bucket.v[..., None]
    third = bucket.family.third(y, w, v, modes.eta[..., None], phi)[..., 0]
    return Gaussian(modes.b, modes.root, modes.d1, modes.W, third)


def gaussian_fit(bucket: Bucket, modes: Modes, phi: float) -> Gaussian:
    """Gaussian that is close to the conditional law of b.

    From the mode, the mean moves by the skewness term of Laplace's expansion; there, the derivatives of the
    log density of each row are averaged over the law of its eta, which gives one Newton step to the mean and
    the curvature of the Gaussian variational approximation.
    """
    first = gaussian_at_mode(bucket, modes, phi)
    y, w, v = bucket.y[..., None], bucket.w[..., None], bucket.v[..., None]
    leverage = np.empty_like(modes.eta)
    for some, JR in modes.J.rooted(modes.root):
        leverage[:, some] = (JR * JR).sum(axis=-1)
    whitened = _at_most_one(0.5 * _whitened(modes.root, modes.J.back(first.third * leverage)))
    shift = (modes.root @ whitened[..., None])[..., 0]
    eta = modes.eta + modes.J.times(shift)
    nodes = eta[..., None] + np.sqrt(leverage)[..., None] * _NODES
    terms = bucket.family.rows(y, w, v, nodes, phi)
    W = np.maximum(-terms.d2 @ _NODE_WEIGHTS, 0.0)
    d1 = terms.d1 @ _NODE_WEIGHTS
    third = bucket.family.third(y, w, v, nodes, phi) @ _NODE_WEIGHTS
    b = modes.b + shift
    if not all(np.all(np.isfinite(x)) for x in (W, d1, third)):
        return first._replace(mean=b)
    root, _ = inverse_root(modes.J.gram(W) + np.eye(b.shape[1]))
    whitened = _at_most_one(_whitened(root, modes.J.back(d1) - b))
    return Gaussian(b + (root @ whitened[..., None])[..., 0], root, d1, W, third)


def _whitened(root: Array, gradient: Array) -> Array:
    return np.asarray((transpose(root) @ gradient[..., None])[..., 0])


def _at_most_one(whitened: Array) -> Array:
    """Shorten steps that are longer than one conditional standard deviation."""
    length = np.sqrt((whitened * whitened).sum(axis=-1, keepdims=True))
    return np.asarray(whitened / np.maximum(1.0, length))
