"""The fit: Laplace start, climb on frozen draws, refinement until the Monte Carlo errors are small.

Draws that are frozen while the estimate moves go stale, and a maximiser then climbs its own noise.  So no step
trusts draws whose effective sample size has halved, draws are rebuilt from the same base numbers wherever the
estimate arrives, and the end is a fixed point: the maximum of the likelihood over the draws made at that very
maximum.

1. `climb`: from the Laplace fit, maximise over frozen draws with a statsmodels optimiser, rebuild, repeat.
2. `polish`: Newton steps, the draws rebuilt at each, until the score is zero.
3. `plan` more draws where the error comes from, and polish again, until the errors are surely below the tolerance.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from statsmodels_mcla.design import SearchScale
from statsmodels_mcla.estimation.search.draw_allocation import doubled, plan
from statsmodels_mcla.estimation.search.frozen_draws import (
    Climbed,
    Polished,
    climb,
    inverse_information,
    redrawn,
    settle,
)
from statsmodels_mcla.estimation.search.settings import FitSettings, Round
from statsmodels_mcla.likelihood.monte_carlo import Evaluation, Precision, evaluate
from statsmodels_mcla.likelihood.sampling import Position, Sampler
from statsmodels_mcla.numerics import Array, standard_deviations

MAX_FAILURES = 4  # times that the draws are doubled because no maximum was found
SE_DRAWS = 2**13  # draws a block beyond which standard errors alone ask for no more
ROUGH, EXACT = 0.05, 1e-7  # distances to the maximum, in standard errors
CLOSE, CONVERGED = 3e-4, 1e-3  # and those that are close to it, and that count as converged
PART_OF_MCSE = 0.03  # what may be left of the way to the maximum, as a part of the Monte Carlo error


@dataclass(frozen=True)
class MonteCarloFit:
    """Maximum of the Monte Carlo likelihood over the draws made at the maximum.

    Attributes
    ----------
    position : Position
        Estimate and draws.
    evaluation : Evaluation
    precision : Precision or None
        None where the Hessian is not negative definite.
    converged : bool
        The score is zero and the Hessian negative definite.
    precise : bool
        The Monte Carlo errors, in units of the standard errors as they are estimated, are as small as asked for.
    history : tuple of Round
    mle_retvals, mle_settings : dict
        Of the last climb.
    """

    position: Position
    evaluation: Evaluation
    precision: Precision | None
    converged: bool
    precise: bool
    sampler: Sampler
    history: tuple[Round, ...]
    mle_retvals: dict[str, Any]
    mle_settings: dict[str, Any]


def polish(
    scale: SearchScale,
    sampler: Sampler,
    position: Position,
    settings: FitSettings,
    tol: float,
    metric: Array,
    known: Evaluation | None = None,
    maxiter: int = 15,
) -> Polished:
    """Take Newton steps, with the draws rebuilt at each, to where the score of the draws made there is zero.

    Parameters
    ----------
    tol : float
        Distance to the maximum, in standard errors, to stop at; `EXACT` stops earlier where what is left does
        not matter beside the Monte Carlo error.
    metric : ndarray (P, P)
        Covariance of the estimates, roughly: what the blocks contribute to its Monte Carlo part is reported.
    known : Evaluation, optional
        Evaluation at ``position``.
    """
    best: Polished | None = None
    slope = last = None  # derivative of the score in x, and where and what the score was before

    def look(position: Position, tails: bool) -> Evaluation:
        return evaluate(
            sampler.design,
            position.params,
            position.draws,
            metric=metric,
            tails=tails,
            n_jobs=settings.n_jobs,
        )

    has_tails = False
    for _ in range(maxiter):
        # the tails of the weights are wanted of the last evaluation: of those that may well be it
        tails = known is None and tol == EXACT and best is not None and best.decrement < 0.01
        found = known or look(position, tails)
        known = None
        x = scale.from_natural(position.params)
        g, H = scale.derivatives(x, found.score, found.hessian)
        decrement = _distance(g, H)
        if not np.isfinite(decrement):
            best = best or Polished(position, found, np.inf)
            break
        if best is not None and decrement > 0.9 * best.decrement and best.decrement < 1e-6:
            break  # round-off: no further step helps
        if best is None or decrement < best.decrement:
            best, has_tails = Polished(position, found, decrement), tails
        if decrement < tol or (tol == EXACT and decrement < CLOSE and _is_within_error(found)):
            break
        # the score changes with the draws as well as by the Hessian: Broyden's update learns by how much
        if slope is None or last is None or decrement > 0.5:
            slope = H
        else:
            dx, dg = x - last[0], g - last[1]
            slope = slope + np.outer(dg - slope @ dx, dx) / (dx @ dx)
        last = x, g
        step = -np.linalg.solve(slope, g)
        length = float(np.sqrt(max(float(step @ (-H @ step)), 0.0)))
        there = redrawn(scale, sampler, x + step * min(1.0, 0.5 / length), position)
        if there is None:
            break
        position = there
        metric = inverse_information(found.hessian)
    assert best is not None  # noqa: S101 - the loop runs at least once
    if tol == EXACT and not has_tails:
        best = best._replace(evaluation=look(best.position, True))
    return best


def _distance(gradient: Array, hessian: Array) -> float:
    """Length of the Newton step in standard errors; inf where the Hessian is not negative definite."""
    try:
        np.linalg.cholesky(-hessian)
    except np.linalg.LinAlgError:
        return np.inf
    return float(np.sqrt(max(float(gradient @ np.linalg.solve(-hessian, gradient)), 0.0)))


def _is_within_error(found: Evaluation) -> bool:
    """Whether what is left of the way to the maximum is little beside the Monte Carlo error, for every parameter."""
    inverse = inverse_information(found.hessian)
    left = np.abs(inverse @ found.score)
    return bool(np.all(left <= PART_OF_MCSE * standard_deviations(inverse @ found.score_var @ inverse)))


def _first_climb(
    scale: SearchScale, sampler: Sampler, params: Array, settings: FitSettings
) -> tuple[Climbed, Sampler]:
    """Climb, and return the sampler to go on with; joint draws are too noisy, so blocks lead the way for them."""
    x = scale.from_natural(params)

    def begin(sampler: Sampler) -> Position:
        # an approximation that ran away is no place to start from: the model without random effects always is
        return redrawn(scale, sampler, x) or sampler.at(scale.natural(np.zeros_like(x)))

    if not sampler.sampling.joint:
        return climb(scale, sampler, begin(sampler), settings), sampler
    scout = sampler.by_blocks()
    climbed = climb(scale, scout, begin(scout), settings)
    sampler = sampler if settings.nsample is None else sampler.with_size(settings.nsample)
    return climbed._replace(position=sampler.at(climbed.position.params)), sampler


def _larger(
    sampler: Sampler,
    evaluation: Evaluation,
    precision: Precision | None,
    settings: FitSettings,
    failures: int,
) -> Sampler:
    """More draws, where there is a maximum to tell where they are needed, or for a few more tries to find one."""
    if precision is not None:
        return plan(sampler, evaluation, precision, settings)
    return doubled(sampler, settings) if failures <= MAX_FAILURES else sampler


def fit_monte_carlo(
    scale: SearchScale, sampler: Sampler, params: Array, settings: FitSettings
) -> MonteCarloFit:
    """Climb from the given parameters and refine until the Monte Carlo errors are small enough.

    Parameters
    ----------
    scale : SearchScale
    sampler : Sampler
        With the draws to start with.
    params : ndarray (P,)
        Natural parameters to start from.
    settings : FitSettings
    """
    clock = time.perf_counter()
    history: list[Round] = []

    def record(stage: str, sampler: Sampler, evaluation: Evaluation, precision: Precision | None) -> None:
        history.append(
            Round(
                stage,
                int(max(s.max() for s in sampler.sizes)),
                int(sum(int(s.sum()) for s in sampler.sizes)),
                evaluation.value,
                np.nan if precision is None else precision.worst_ratio,
                np.nan if precision is None else precision.worst_bias,
                float(evaluation.blocks.ess.min()),
                time.perf_counter() - clock,
            )
        )
        settings.report(history[-1])

    # 1. climb, and see there how many draws it will take
    joint = sampler.sampling.joint
    climbed, sampler = _first_climb(scale, sampler, params, settings)
    position, metric = climbed.position, climbed.metric
    tol = EXACT if joint else ROUGH
    evaluation: Evaluation | None = None
    failures = 0
    while True:
        # 2. go to the maximum of the likelihood over the draws made at the maximum
        if joint:
            polished = settle(scale, sampler, position, settings, metric)
        else:
            polished = polish(scale, sampler, position, settings, tol, metric, evaluation)
        position, evaluation = polished.position, polished.evaluation
        metric = inverse_information(evaluation.hessian)
        converged = polished.decrement < (CONVERGED if tol == EXACT else 2 * ROUGH)
        precision = _precision(evaluation) if converged else None
        precise = precision is not None and precision.meets(settings.mcse_tol)
        # standard errors are worth more draws too, though not any number of them
        many = max(int(n.max()) for n in sampler.sizes) >= SE_DRAWS
        enough = (
            precision is not None
            and precision.surely_meets(settings.mcse_tol)
            and (many or precision.has_steady_se(settings.mcse_tol))
        )
        record("exact" if tol == EXACT else "rough", sampler, evaluation, precision)
        if tol == EXACT and enough:
            break
        # 3. more draws where the error comes from, unless they are enough or too many already
        failures += precision is None
        late = time.perf_counter() - clock >= settings.max_seconds
        larger = sampler
        if settings.nsample is not None:
            larger = sampler.with_size(settings.nsample)
        elif not (enough or late):
            larger = _larger(sampler, evaluation, precision, settings, failures)
        grows = any(np.any(a > b) for a, b in zip(larger.sizes, sampler.sizes, strict=True))
        if not grows and tol == EXACT:
            break
        tol = ROUGH if grows and settings.nsample is None and not joint else EXACT
        if grows:
            sampler, position, evaluation = larger, larger.at(position.params, position), None
    if precision is None and not joint:
        # 4. draws too few or too poor to move with the estimate: the maximum over one set of them
        polished = settle(scale, sampler, position, settings, metric)
        position, evaluation = polished.position, polished.evaluation
        converged = polished.decrement < CONVERGED
        precision = _precision(evaluation) if converged else None
        precise = precision is not None and precision.meets(settings.mcse_tol)
        record("frozen", sampler, evaluation, precision)
    return MonteCarloFit(
        position,
        evaluation,
        precision,
        converged,
        precise,
        sampler,
        tuple(history),
        climbed.mle_retvals,
        climbed.mle_settings,
    )


def _precision(evaluation: Evaluation) -> Precision | None:
    try:
        return Precision.of(evaluation)
    except np.linalg.LinAlgError:
        return None
