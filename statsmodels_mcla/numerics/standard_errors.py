"""Standard deviations of a covariance matrix, and the delta method."""

from __future__ import annotations

import numpy as np

from statsmodels_mcla.numerics.linalg import Array


def standard_deviations(cov: Array) -> Array:
    """Square roots of the diagonal; a Monte Carlo variance of zero may come out as minus round-off."""
    return np.asarray(np.sqrt(np.maximum(np.diag(cov), 0.0)))


def delta_method(gradient: Array, cov: Array) -> Array:
    """Standard deviation of functions of the estimates, from their gradients (k, P) and a covariance."""
    gradient = np.atleast_2d(gradient)
    return np.asarray(np.sqrt(np.maximum(np.einsum("kp,pq,kq->k", gradient, cov, gradient), 0.0)))
