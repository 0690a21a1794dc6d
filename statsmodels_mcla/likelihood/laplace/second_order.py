"""A Gaussian closer to the conditional law of the effects than the one at the mode."""

from __future__ import annotations

import numpy as np

from statsmodels_mcla.design import Bucket
from statsmodels_mcla.likelihood.laplace.modes import Modes
from statsmodels_mcla.numerics import Array, inverse_root, transpose

# Gauss-Hermite nodes of a standard normal: averages of log densities over the law of a row's eta
_NODES, _NODE_WEIGHTS = np.polynomial.hermite_e.hermegauss(7)
_NODE_WEIGHTS = _NODE_WEIGHTS / _NODE_WEIGHTS.sum()


def gaussian_fit(bucket: Bucket, modes: Modes, phi: float) -> tuple[Array, Array]:
    """Gaussian that is close to the conditional law of b: its mean (B, q) and a root of its covariance.

    From the mode, the mean moves by the skewness term of Laplace's expansion; there, the derivatives of the
    log density of each row are averaged over the law of its eta, which gives one Newton step to the mean and
    the curvature of the Gaussian variational approximation.
    """
    y, w, v = bucket.y[..., None], bucket.w[..., None], bucket.v[..., None]
    third = bucket.family.third(y, w, v, modes.eta[..., None], phi)[..., 0]
    Zr = modes.Z @ modes.root
    leverage = (Zr * Zr).sum(axis=-1)
    first = _at_most_one(0.5 * (transpose(Zr) @ (third * leverage)[..., None])[..., 0])
    shift = (modes.root @ first[..., None])[..., 0]
    eta = (modes.eta + (modes.Z @ shift[..., None])[..., 0])[..., None] + np.sqrt(leverage)[
        ..., None
    ] * _NODES
    terms = bucket.family.rows(y, w, v, eta, phi)
    W = np.maximum(-terms.d2 @ _NODE_WEIGHTS, 0.0)
    d1 = terms.d1 @ _NODE_WEIGHTS
    b = modes.b + shift
    if not (np.all(np.isfinite(W)) and np.all(np.isfinite(d1))):
        return b, modes.root
    root, _ = inverse_root(transpose(modes.Z) @ (modes.Z * W[..., None]) + np.eye(bucket.n_effects))
    gradient = (transpose(modes.Z) @ d1[..., None])[..., 0] - b
    second = _at_most_one((transpose(root) @ gradient[..., None])[..., 0])
    return b + (root @ second[..., None])[..., 0], root


def _at_most_one(whitened: Array) -> Array:
    """Shorten steps that are longer than one conditional standard deviation."""
    length = np.sqrt((whitened * whitened).sum(axis=-1, keepdims=True))
    return np.asarray(whitened / np.maximum(1.0, length))
