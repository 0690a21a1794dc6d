"""What turns errors of the score into errors of what users read."""

from __future__ import annotations

import numpy as np

from statsmodels_mcla.likelihood.monte_carlo import Evaluation
from statsmodels_mcla.likelihood.sampling import Position, Sampler
from statsmodels_mcla.numerics import Array, is_positive_definite

ALIKE = 0.1  # largest difference of directions of two metrics that give the same errors, about


def metric_of(sampler: Sampler, position: Position, found: Evaluation) -> Array:
    """What turns errors of the score into those of the parameters that users read."""
    return np.asarray(sampler.design.jacobian(position.params) @ inverse_information(found.hessian))


def alike(metric: Array | None, now: Array) -> bool:
    """Whether errors told by one metric are those told by another, about."""
    if metric is None:
        return False
    return bool(np.abs(np.linalg.eigvals(np.linalg.lstsq(now, metric, rcond=None)[0]) - 1.0).max() < ALIKE)


def inverse_information(hessian: Array) -> Array:
    """Inverse of the information, or of its diagonal where it is not positive definite."""
    size = np.sqrt(np.maximum(np.abs(np.diag(hessian)), 1e-300))
    scaled = -hessian / np.outer(size, size)
    if not is_positive_definite(scaled - 1e-14 * np.eye(len(size))):
        return np.diag(1.0 / size**2)
    return np.asarray(np.linalg.inv(scaled) / np.outer(size, size))
