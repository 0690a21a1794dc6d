"""Draws at a place of the search, and a place to start from that is not too far out."""

from __future__ import annotations

import numpy as np

from statsmodels_mcla.design import SearchScale
from statsmodels_mcla.estimation.search.settings import FitSettings
from statsmodels_mcla.execution import OutOfTime
from statsmodels_mcla.likelihood.monte_carlo import Evaluation, evaluate
from statsmodels_mcla.likelihood.sampling import Position, Sampler
from statsmodels_mcla.numerics import Array, is_positive_definite

FAR = 3.0  # distance in standard errors of a start that is looked at twice, if it is more
PART = 0.1  # than this part of the way from the model without random effects,
NEARER = 0.7, 0.5, 0.35, 0.25, 0.15  # and which parts of the way to it are tried


def redrawn(scale: SearchScale, sampler: Sampler, x: Array, near: Position | None = None) -> Position | None:
    """Make the draws at x, or nothing where the likelihood has no conditional modes to make them around."""
    try:
        with np.errstate(all="ignore"):
            return sampler.at(scale.fitted(x), near)
    except (FloatingPointError, np.linalg.LinAlgError):
        return None


def distance(gradient: Array, hessian: Array) -> float:
    """Length of the Newton step in standard errors; inf where the Hessian is not negative definite."""
    if not is_positive_definite(-hessian):
        return np.inf
    try:
        step = np.linalg.solve(-hessian, gradient)
    except np.linalg.LinAlgError:  # to round-off
        return np.inf
    return float(np.sqrt(max(float(gradient @ step), 0.0)))


def on_the_way(
    scale: SearchScale, sampler: Sampler, position: Position, settings: FitSettings
) -> tuple[Position, Evaluation | None]:
    """Start, or where the likelihood is higher on the way from there to the model without random effects.

    Laplace's approximation overstates variances without bounds where levels have one or two binary responses each.
    """
    x = scale.from_fitted(position.params)
    best, known = position, _evaluated(sampler, position, settings)
    if known is None:
        return best, known
    gradient, hessian = scale.derivatives(x, known.score, known.hessian)
    way = np.sqrt(max(float(-x @ hessian @ x), 0.0))
    if distance(gradient, hessian) < max(FAR, PART * way):
        return best, known
    for part in NEARER:
        there = redrawn(scale, sampler, part * x, best)
        found = None if there is None else _evaluated(sampler, there, settings)
        if there is None or found is None or not found.value > known.value:
            break
        best, known = there, found
    return best, known


def _evaluated(sampler: Sampler, position: Position, settings: FitSettings) -> Evaluation | None:
    """Likelihood over the draws of a position, None where it does not exist or for want of time."""
    try:
        found = evaluate(sampler.design, position.params, position.draws, executor=settings.in_time)
    except (FloatingPointError, np.linalg.LinAlgError, OutOfTime):
        return None
    return found if np.isfinite(found.value) else None
