"""What turns errors of the score into errors of what users read, and how far the curvature says that a step leads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from statsmodels_mcla.design import SearchScale
from statsmodels_mcla.likelihood.monte_carlo import Evaluation, Precision
from statsmodels_mcla.likelihood.sampling import Position, Sampler
from statsmodels_mcla.numerics import Array, is_positive_definite

LAST = (
    2e-3  # distance to the maximum, in standard errors, of a last step after which nothing is evaluated again
)
BENT = 1e-4  # part by which the curvature may change on it
FELT = 0.003  # distance between anchors from which on its change is no noise
FLAT = 1e-6  # curvature along search coordinates: standard errors are a thousand times those that the search began with
LEAST_BEND = 1e-12  # that is no rounding
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


def bend_between(before: tuple[Array, Array] | None, x: Array, H: Array, known: float) -> float:
    """How much the curvature changes on the way of a standard error, from that of the anchor before."""
    if before is None:
        return known
    step = x - before[0]
    length = float(np.sqrt(max(-step @ H @ step, 0.0)))
    if not length > FELT:
        return known
    return float(np.abs(np.linalg.eigvals(-inverse_information(H) @ before[1]) - 1.0).max()) / length


def last_distance(scale: SearchScale, x: Array, found: Evaluation, bend: float) -> float:
    """Distance to the maximum, in standard errors, of which a Newton step leaves nothing that matters.

    It leaves some square of the distance, little beside the Monte Carlo error if that is as large as the distance, and
    the curvature hardly changes on the way.
    """
    return min(LAST, BENT / bend, blur(scale, x, found))


def blur(scale: SearchScale, x: Array, found: Evaluation) -> float:
    """Monte Carlo error of the search coordinate that is known worst, in standard errors."""
    _, hessian = scale.derivatives(x, found.score, found.hessian)
    moves = scale.slopes(x) @ scale.stretch
    covariance = inverse_information(hessian)
    errors = covariance @ (moves.T @ found.score_var @ moves) @ covariance
    return float(np.sqrt(np.max(np.diag(errors) / np.diag(covariance))))


def precision_of(
    scale: SearchScale, position: Position, found: Evaluation, sampler: Sampler, idle: Sequence[int] = ()
) -> Precision | None:
    """Monte Carlo errors, None where there is no maximum.

    Parameters at the end of their range need no precision, nor do those along which the likelihood has become flat:
    a dispersion of one group that runs to zero has no standard error to be known.  Nor do those that are held, and what
    the others are known by are then the errors given these.
    """
    J = sampler.design.jacobian(position.params)
    hessian, ends = scale.settled(position.params, found.score, found.hessian)
    held = np.flatnonzero(~scale.stretch.any(axis=1))
    try:
        hessian, plain = _without_flat(scale, position.params, J, _without_held(hessian, held))
        return Precision.of(replace(found, hessian=hessian), J, [*idle, *held, *ends, *plain])
    except np.linalg.LinAlgError:
        return None


def _without_held(hessian: Array, held: np.ndarray) -> Array:
    """Hessian without what is between held parameters and others: flat where they are, it may bend upwards."""
    out, block = hessian.copy(), np.ix_(held, held)
    bend, along = np.linalg.eigh(-hessian[block])
    out[held] = out[:, held] = 0.0
    out[block] = -(along * np.maximum(np.abs(bend), LEAST_BEND)) @ along.T
    return out


def _without_flat(scale: SearchScale, params: Array, J: Array, hessian: Array) -> tuple[Array, np.ndarray]:
    """Hessian that is negative where it is zero but for rounding, and parameters whose errors lie along there."""
    root = scale.slopes(scale.from_fitted(params)) @ scale.stretch
    bend, along = np.linalg.eigh(-(root.T @ hessian @ root))
    flat = np.abs(bend) < FLAT
    if not flat.any():
        return hessian, np.zeros(0, int)
    raised = np.where(flat, np.maximum(bend, LEAST_BEND), bend)
    size = np.linalg.norm(root, axis=1) + (~root.any(axis=1))  # a dispersion has units
    back = np.linalg.pinv(root / size[:, None]) / size
    share = (J @ root @ along) ** 2 / np.where(raised > 0, raised, np.inf)
    plain = share[:, flat].sum(axis=1) > 0.5 * share.sum(axis=1)
    return hessian - back.T @ (along * (raised - bend)) @ along.T @ back, np.flatnonzero(plain)
