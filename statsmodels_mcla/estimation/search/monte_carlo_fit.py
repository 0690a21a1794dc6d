"""The fit: from a Laplace fit to the maximum of a Monte Carlo likelihood, with as many draws as it takes.

The likelihood over draws that move with the parameters is one smooth function (see `moving_draws`), made at an anchor
and exact wherever it is evaluated.  Near the anchor it is also precise, so that the anchor goes along:

1. `maximum_of_paths`: maximise over the paths of few draws by a statsmodels optimiser, make the draws again there from
   the same base numbers, and so on until the maximum is where the draws were made;
2. `plan` more draws where the error comes from, and go on from there, until the errors are surely below the tolerance.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from statsmodels_mcla.design import SearchScale
from statsmodels_mcla.estimation.search.draw_allocation import larger_sampler, with_better_paths
from statsmodels_mcla.estimation.search.metrics import (
    LAST,
    alike,
    bend_between,
    blur,
    inverse_information,
    last_distance,
    metric_of,
    precision_of,
)
from statsmodels_mcla.estimation.search.nearer_start import distance, on_the_way, redrawn
from statsmodels_mcla.estimation.search.optimizers import SearchModel
from statsmodels_mcla.estimation.search.settings import FitSettings, Round
from statsmodels_mcla.execution import OutOfTime
from statsmodels_mcla.likelihood.monte_carlo import Evaluation, Precision, evaluate
from statsmodels_mcla.likelihood.sampling import Position, Sampler
from statsmodels_mcla.numerics import Array

# rows x draws beyond which standard errors, and the log-likelihood, ask for no more
SE_WORK, LLF_WORK = 2**27, 2**26
NEAR = 0.5  # distance to the maximum, in standard errors, from which one Newton step leads there
ROUGH, EXACT = 0.05, 1e-7  # distances to stop at, before there are enough draws and then
CONVERGED = 1e-3  # distance that counts as converged
PATIENCE = 4  # anchors that are no nearer to the maximum, after which the draws are too few to lead there
PART_OF_MCSE = 0.1  # what of the way to the maximum is nothing, as a part of the Monte Carlo error


@dataclass(frozen=True)
class MonteCarloFit:
    """Maximum of the Monte Carlo likelihood over draws made at the maximum.

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
        Of the last call of the optimiser.
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


class Top(NamedTuple):
    """Where `maximum_of_paths` ended."""

    position: Position
    evaluation: Evaluation
    decrement: float  # distance to the maximum in standard errors; inf where there is none
    metric: Array | None  # of the evaluation
    bend: float  # how much the curvature changes on the way of a standard error, as a part of it
    mle_retvals: dict[str, Any]
    mle_settings: dict[str, Any]


class _Paths:
    """Likelihood over the paths of one position, in search coordinates; remembers what it evaluated last."""

    def __init__(
        self,
        scale: SearchScale,
        sampler: Sampler,
        position: Position,
        settings: FitSettings,
        metric: Array | None,
        known: tuple[Array, Evaluation | None],
    ) -> None:
        self.scale, self.design, self.draws = scale, sampler.design, position.draws
        self.settings, self.metric = settings, metric
        x, found = known
        self.last: tuple[bytes, Evaluation | None] = (b"" if found is None else x.tobytes(), found)
        self.best: tuple[float, Array | None] = (-np.inf, None)

    def at(self, x: Array, tails: bool = False, late: bool = False) -> Evaluation | None:
        """Evaluation at x, None where the likelihood does not exist or the draws do not reach.

        Raises
        ------
        OutOfTime
            After the deadline, unless it may be late.
        """
        if self.last[0] != x.tobytes() or tails:
            try:
                found = evaluate(
                    self.design,
                    self.scale.fitted(x),
                    self.draws,
                    metric=self.metric,
                    tails=tails,
                    executor=self.settings.executor if late else self.settings.in_time,
                )
            except (FloatingPointError, np.linalg.LinAlgError):
                found = None
            self.last = x.tobytes(), found if found is not None and np.isfinite(found.value) else None
        return self.last[1]

    def at_anchor(self, x: Array, tails: bool, late: bool) -> Evaluation | None:
        """Return the same, and None for want of time."""
        try:
            return self.at(x, tails, late)
        except OutOfTime:
            return None

    def search(self, x: Array) -> tuple[float, Array, Array]:
        """Value, gradient and Hessian; worse than anywhere else where the likelihood does not exist."""
        found = self.at(x)
        if found is not None:
            gradient, hessian = self.scale.derivatives(x, found.score, found.hessian)
            if np.all(np.isfinite(gradient)) and np.all(np.isfinite(hessian)):
                self.best = max(self.best, (found.value, x.copy()), key=lambda each: each[0])
                return found.value, gradient, hessian
        return -np.inf, np.zeros(len(x)), -np.eye(len(x))


def maximum_of_paths(
    scale: SearchScale,
    sampler: Sampler,
    position: Position,
    settings: FitSettings,
    tol: float,
    metric: Array | None = None,
    known: Evaluation | None = None,
    bend: float = np.inf,
    answered: bool = False,
) -> Top:
    """Go to where the score of the draws made there is zero.

    Parameters
    ----------
    position : Position
        Where to start.
    tol : float
        Distance to the maximum, in standard errors, to stop at.  `EXACT` stops where one more Newton step surely
        leads to the maximum (see `last_distance`), and takes it.
    metric : ndarray (P, P), optional
        Covariance of the estimates, roughly: what the blocks contribute to its Monte Carlo part is reported.
    known : Evaluation, optional
        At ``position``.
    bend : float, optional
        What is known of it (see `Top`).
    answered : bool, optional
        Whether there is an answer from before.

    Raises
    ------
    OutOfTime
        If the deadline passes before there is an answer, and there was one before.
    """
    best: Top | None = None
    told: tuple[dict[str, Any], dict[str, Any]] = ({}, {})
    joint, late = sampler.sampling.joint, False
    before: tuple[Array, Array] | None = None
    stale = 0
    for anchor in range(settings.climbs):
        # 1. how far the maximum is from the anchor
        x = scale.from_fitted(position.params)
        paths = _Paths(scale, sampler, position, settings, metric, (x, known))
        must = not answered and (late or best is None)  # before, there were few draws
        used = metric if known is None else None
        last = tol == EXACT or metric is not None or settings.late
        found, known = known or paths.at_anchor(x, tails=last, late=must), None
        if found is None:
            break
        g, H = scale.derivatives(x, found.score, found.hessian)
        decrement, bend, before = distance(g, H), bend_between(before, x, H, bend), (x, H)
        if best is not None and decrement > 0.9 * best.decrement and best.decrement < 1e-6:
            break  # round-off: no further step helps
        beyond = settings.beyond(position.params)
        stale += 1
        if beyond or best is None or decrement < best.decrement or not np.isfinite(best.decrement):
            best, stale = Top(position, found, decrement, used, bend, *told), 0
        first = anchor == 0 and metric is None  # the optimiser has its turn in every fit
        close = decrement < tol or (tol == EXACT and decrement < last_distance(scale, x, found, bend))
        astray = settings.nsample is None and not joint and stale >= PATIENCE
        if beyond or late or astray or (close and not first):
            break
        # 2. to the maximum over these paths: by one Newton step where it is near
        if decrement < NEAR and not joint and not first:
            step = -np.linalg.solve(H, g)
        else:
            level = not (first or np.isfinite(decrement))  # as at a saddle point, where no search may stop
            step, told = _optimised(paths, x, settings, 1e-7 if joint or level else 0.1 if first else 1e-2)
            late = settings.out_of_time
        if joint:  # draws that are too noisy to be made again
            return _at_end(paths, position, x + step, told)
        # 3. draws from there, as far as there are any
        same = settings.out_of_time and not step.any()  # draws, which would tell nothing new
        there = None if close or same else _nearest(scale, sampler, x, step, position)
        if there is None:
            break
        position, metric = there, metric_of(sampler, position, found)
    if best is None:
        raise _no_answer(settings, answered)
    best = _with_tails(best, scale, sampler, settings, tol, metric)
    return _at_maximum(best, scale, tol)._replace(mle_retvals=told[0], mle_settings=told[1])


def _no_answer(settings: FitSettings, answered: bool) -> Exception:
    if answered and settings.out_of_time:
        return OutOfTime()
    return FloatingPointError("the log-likelihood is not finite at the starting values")


def _optimised(
    paths: _Paths, x: Array, settings: FitSettings, gtol: float
) -> tuple[Array, tuple[dict[str, Any], dict[str, Any]]]:
    """Step to where statsmodels' optimiser ends over the paths or at the deadline, and what it tells."""
    options: dict[str, Any] = {"disp": False, **settings.options}
    trust = settings.method == "minimize" and options.setdefault("min_method", "trust-exact") == "trust-exact"
    if trust:
        options.setdefault("gtol", gtol)
    with np.errstate(invalid="ignore", over="ignore"):
        try:
            fitted = SearchModel(paths.search).fit(
                x,
                method=settings.method,
                maxiter=settings.maxiter,
                skip_hessian=True,
                warn_convergence=False,
                **options,
            )
        except (OutOfTime, UnboundLocalError):  # scipy's trust-exact, where it can factorise no Hessian
            reached = paths.best[1]
            return (np.zeros_like(x) if reached is None else reached - x), ({"converged": False}, {})
    step = np.nan_to_num(np.asarray(fitted.params) - x)
    return step, (dict(fitted.mle_retvals), dict(fitted.mle_settings))


def _nearest(scale: SearchScale, sampler: Sampler, x: Array, step: Array, near: Position) -> Position | None:
    """Draws made at the end of a step, or of a part of it."""
    tried = (redrawn(scale, sampler, x + part * step, near) for part in (1.0, 0.3, 0.1))
    return next(filter(None, tried), None)


def _with_tails(
    top: Top, scale: SearchScale, sampler: Sampler, settings: FitSettings, tol: float, metric: Array | None
) -> Top:
    """Outcome with the tails of the weights, where it is final and its evaluation was known without them."""
    if tol != EXACT or top.evaluation.tails:
        return top
    x = scale.from_fitted(top.position.params)
    found = _Paths(scale, sampler, top.position, settings, metric, (x, None)).at(x, tails=True, late=True)
    return top if found is None else top._replace(evaluation=found)


def _at_end(paths: _Paths, position: Position, x: Array, told: tuple[dict[str, Any], dict[str, Any]]) -> Top:
    """Outcome away from the anchor; it means something only if the draws still fit there."""
    rough = paths.at(x, late=True)
    if rough is not None:
        paths.metric = paths.design.jacobian(paths.scale.fitted(x)) @ inverse_information(rough.hessian)
    found = paths.at(x, tails=True, late=True)
    if found is None:
        raise FloatingPointError("the log-likelihood is not finite at the maximum over the draws")
    decrement = np.inf
    if found.least_ess >= 5:
        decrement = distance(*paths.scale.derivatives(x, found.score, found.hessian))
    end = Position(paths.scale.fitted(x), position.modes, position.draws)
    return Top(end, found, decrement, paths.metric, np.inf, *told)


def _at_maximum(top: Top, scale: SearchScale, tol: float) -> Top:
    """Outcome one Newton step further, by the derivatives that are known, where it ends close to the maximum."""
    if tol != EXACT or not EXACT < top.decrement < LAST:
        return top
    position, found = top.position, top.evaluation
    x = scale.from_fitted(position.params)
    if top.decrement < PART_OF_MCSE * blur(scale, x, found):
        return top  # it is there
    gradient, hessian = scale.derivatives(x, found.score, found.hessian)
    there = scale.fitted(x - np.linalg.solve(hessian, gradient))
    found = found.moved(there - position.params)
    return top._replace(
        position=replace(position, params=there), evaluation=found, decrement=top.decrement**2
    )


def _first_position(
    scale: SearchScale, sampler: Sampler, params: Array, settings: FitSettings
) -> tuple[Position, Evaluation | None, Sampler]:
    """Where to start, its evaluation, and the sampler to go on with.

    Joint draws are too noisy, so that blocks lead the way for them.
    """
    x = scale.from_fitted(params)

    def begin(sampler: Sampler) -> tuple[Position, Evaluation | None]:
        # an approximation that ran away is no place to start from: the model without random effects always is
        position = redrawn(scale, sampler, x) or sampler.at(scale.fitted(np.zeros_like(x)))
        return on_the_way(scale, sampler, position, settings)

    if not sampler.sampling.joint:
        return *begin(sampler), sampler
    scout = sampler.by_blocks()
    position, evaluation = begin(scout)
    found = maximum_of_paths(scale, scout, position, settings, ROUGH, known=evaluation)
    sampler = sampler if settings.nsample is None else sampler.with_size(settings.nsample)
    return sampler.at(found.position.params), None, sampler


def _are_enough(sampler: Sampler, precision: Precision | None, settings: FitSettings) -> bool:
    """Whether the draws are: standard errors and the log-likelihood are worth some too, though not any number."""
    if precision is None or not precision.surely_meets(settings.mcse_tol):
        return False
    work = sampler.count.work
    steady = work > SE_WORK or precision.has_steady_se(settings.mcse_tol)
    steady &= with_better_paths(sampler, precision, settings) is sampler
    return steady and (work > LLF_WORK or precision.llf_mcse <= settings.llf_tol)


def fit_monte_carlo(
    scale: SearchScale,
    sampler: Sampler,
    params: Array,
    settings: FitSettings,
    leave: Callable[[Array, Array], bool] = lambda *_: False,
) -> MonteCarloFit:
    """Climb from the given parameters and refine until the Monte Carlo errors are small enough.

    Parameters
    ----------
    scale, settings : SearchScale, FitSettings
    sampler, params : Sampler, ndarray (P,)
        Draws and fitted parameters to start with.
    leave : callable
        Of fitted parameters and Hessian: whether a precise maximum is worth no more draws, being left for lower ranks.
    """
    clock = time.perf_counter()
    history: list[Round] = []
    joint = sampler.sampling.joint
    position, evaluation, sampler = _first_position(scale, sampler, params, settings)
    tol = EXACT if joint else ROUGH
    metric: Array | None = None
    told: tuple[dict[str, Any], dict[str, Any]] = ({}, {})
    failures, bend = 0, np.inf
    found: MonteCarloFit | None = None
    while True:
        # 1. go to the maximum of the likelihood over the draws made at the maximum
        try:
            known = metric, evaluation, bend, found is not None
            top = maximum_of_paths(scale, sampler, position, settings, tol, *known)
        except OutOfTime:
            assert found is not None  # noqa: S101 - for type checkers: there was an answer
            return _told_of_tails(found, scale, settings, metric)
        position, evaluation, bend = top.position, top.evaluation, top.bend
        told = (top.mle_retvals, top.mle_settings) if top.mle_settings else told
        converged = top.decrement < (CONVERGED if tol == EXACT else 2 * ROUGH)
        now = metric_of(sampler, position, evaluation)
        unknown = metric is None and converged and not alike(top.metric, now)
        if unknown and sampler.converges_fast and settings.nsample is None and not settings.late:
            metric, tol = now, EXACT  # these draws are enough, as good as surely
            continue
        if unknown:  # now errors of the score have a meaning
            one: dict[str, Any] = {"metric": now, "tails": True, "executor": settings.executor}
            evaluation = evaluate(sampler.design, position.params, position.draws, **one)
        metric = now
        precision = precision_of(scale, position, evaluation, sampler, settings.idle) if converged else None
        precise = precision is not None and precision.meets(settings.mcse_tol)
        enough = _are_enough(sampler, precision, settings)
        stage = "exact" if tol == EXACT else "rough"
        history.append(Round.of(stage, sampler, evaluation, precision, time.perf_counter() - clock))
        settings.report(history[-1])
        this = position, evaluation, precision, converged, precise, sampler, tuple(history), *told
        found = _not_lost(found, MonteCarloFit(*this), scale, settings, metric)
        left = precise and settings.nsample is None and leave(position.params, evaluation.hessian)
        rushed = tol != EXACT and settings.out_of_time
        if left or rushed or (tol == EXACT and enough) or settings.beyond(position.params):
            return _told_of_tails(found, scale, settings, metric) if rushed else found
        # 2. more draws where the error comes from, unless they are enough or too many already
        failures += precision is None
        larger = sampler
        if settings.nsample is not None:
            # whatever is known of errors, which depends on the covariates' origins and units: the fit must not
            larger = sampler.with_size(settings.nsample).accelerated()
        elif not (enough or settings.late):
            larger = larger_sampler(sampler, evaluation, precision, settings, failures)
        grows = larger is not sampler
        if not grows and tol == EXACT:
            return found
        far = grows and not precise and settings.nsample is None and not joint
        tol = ROUGH if far else EXACT
        if grows:
            settings.announce(larger, history)
            sampler, position, evaluation = larger, larger.at(position.params, position), None


def _not_lost(
    last: MonteCarloFit | None,
    found: MonteCarloFit,
    scale: SearchScale,
    settings: FitSettings,
    metric: Array | None,
) -> MonteCarloFit:
    """Outcome of a round; of the one before where that had a maximum, and time ran out before this one had."""
    if last is None or last.precision is None or found.precision is not None or not settings.late:
        return found
    return _told_of_tails(replace(last, history=found.history), scale, settings, metric)


def _told_of_tails(
    found: MonteCarloFit, scale: SearchScale, settings: FitSettings, metric: Array | None
) -> MonteCarloFit:
    """Return a fit that ended with a rough round, with the tails of its weights."""
    top = Top(found.position, found.evaluation, np.inf, metric, np.inf, {}, {})
    return replace(
        found, evaluation=_with_tails(top, scale, found.sampler, settings, EXACT, metric).evaluation
    )
