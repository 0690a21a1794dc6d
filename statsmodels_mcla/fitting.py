"""The fit: Laplace start, climb on frozen draws, refinement until the Monte Carlo errors are small.

Draws that are frozen while the estimate moves go stale, and a maximiser then climbs its own noise.  So no step
trusts draws whose effective sample size has halved, draws are rebuilt from the same base numbers wherever the
estimate arrives, and the end is a fixed point: the maximum of the likelihood over the draws made at that very
maximum.

1. `climb`: from the Laplace fit, maximise over frozen draws with a statsmodels optimiser, rebuild, repeat.
2. `polish`: Newton steps, the draws rebuilt at each, until the score is zero.
3. `plan` more draws where the error comes from, and polish again, until the errors are below the tolerance.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from statsmodels_mcla.likelihood import Evaluation, evaluate
from statsmodels_mcla.linalg import Array
from statsmodels_mcla.mcse import SE_TOL, Precision
from statsmodels_mcla.sampler import Position, Sampler
from statsmodels_mcla.scale import SearchScale
from statsmodels_mcla.search import SearchModel

SE_DRAWS = 2**15  # draws a block beyond which standard errors alone ask for no more
ROUGH, EXACT = 0.05, 1e-7  # distances to the maximum, in standard errors

__all__ = ["FitSettings", "MonteCarloFit", "Round", "fit_monte_carlo"]


@dataclass(frozen=True)
class FitSettings:
    """How to search and when to stop.

    Attributes
    ----------
    mcse_tol : float
        Largest Monte Carlo error wanted, in units of the standard error.
    nsample : int or None
        Draws for each block in the end, whatever their error; None lets the errors decide.
    max_draws : int
        Most draws a block may get.
    max_seconds : float
        No new round starts after this time.
    method, maxiter, options
        Of the statsmodels optimiser that climbs.
    n_jobs : int
        Threads.
    report : callable
        Called with each `Round` as it ends.
    """

    mcse_tol: float = 0.01
    nsample: int | None = None
    max_draws: int = 2**18
    max_seconds: float = np.inf
    method: str = "minimize"
    maxiter: int = 100
    options: dict[str, Any] = field(default_factory=dict)
    n_jobs: int = 1
    report: Callable[[Round], None] = lambda _: None


class Round(NamedTuple):
    """One round of the fit."""

    stage: str
    draws: int  # largest number a block
    total_draws: int
    llf: float
    mcse_over_se: float
    bias_over_mcse: float
    min_ess: float
    seconds: float


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
        The Monte Carlo errors are as small as asked for.
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


class Climbed(NamedTuple):
    """Outcome of `climb`."""

    position: Position
    metric: Array  # covariance of the estimates, roughly
    mle_retvals: dict[str, Any]
    mle_settings: dict[str, Any]


def climb(
    scale: SearchScale, sampler: Sampler, position: Position, settings: FitSettings, rounds: int = 25
) -> Climbed:
    """Maximise over frozen draws, as far as they can be trusted, and rebuild them there, until neither moves."""
    options: dict[str, Any] = {"disp": False, **settings.options}
    if settings.method == "minimize" and options.setdefault("min_method", "trust-exact") == "trust-exact":
        options.setdefault("gtol", 1e-4)
    x = scale.from_natural(position.params)
    for _ in range(rounds):
        # 1. maximise the likelihood of these draws
        frozen = _Frozen(scale, sampler, position, settings.n_jobs)
        search = SearchModel(frozen.search)
        with np.errstate(invalid="ignore", over="ignore"):
            fitted = search.fit(
                x,
                method=settings.method,
                maxiter=settings.maxiter,
                skip_hessian=True,
                warn_convergence=False,
                **options,
            )
        # 2. go no further than the draws carry: half the effective sample size of where they were made
        step = np.asarray(fitted.params) - x
        step = step if np.all(np.isfinite(step)) else np.zeros_like(step)
        fraction = frozen.trusted(x, step)
        # 3. draw again from there
        x = x + fraction * step
        position = sampler.at(scale.natural(x), position)
        if fraction == 1.0 and step @ step < 0.04:
            break
    end = frozen.at(x)
    metric = np.eye(len(x)) if end is None else _inverse_information(end.hessian)
    return Climbed(position, metric, dict(fitted.mle_retvals), dict(fitted.mle_settings))


class _Frozen:
    """Likelihood over the draws of one position, in search coordinates; remembers what it has evaluated."""

    def __init__(self, scale: SearchScale, sampler: Sampler, position: Position, n_jobs: int) -> None:
        self.scale, self.design, self.draws, self.n_jobs = scale, sampler.design, position.draws, n_jobs
        self.known: dict[bytes, Evaluation | None] = {}

    def at(self, x: Array) -> Evaluation | None:
        """Evaluation at x, None where the likelihood does not exist."""
        key = x.tobytes()
        if key not in self.known:
            try:
                found = evaluate(self.design, self.scale.natural(x), self.draws, n_jobs=self.n_jobs)
            except (FloatingPointError, np.linalg.LinAlgError):
                self.known[key] = None
            else:
                self.known[key] = found if np.isfinite(found.value) else None
        return self.known[key]

    def search(self, x: Array) -> tuple[float, Array, Array]:
        """Value, gradient and Hessian; worse than anywhere else where the likelihood does not exist."""
        found = self.at(x)
        if found is None:
            return -np.inf, np.zeros(len(x)), -np.eye(len(x))
        return found.value, *self.scale.derivatives(x, found.score, found.hessian)

    def trusted(self, x: Array, step: Array) -> float:
        """Fraction of a step at whose end the effective sample size is at least half of that at its start."""
        start = self.at(x)
        least = 0.0 if start is None else 0.5 * start.blocks.ess.sum()
        fraction = 1.0
        while fraction > 0.01:
            found = self.at(x + fraction * step)
            if found is not None and found.blocks.ess.sum() >= least:
                break
            fraction *= 0.5
        return fraction


class Polished(NamedTuple):
    """Outcome of `polish`."""

    position: Position
    evaluation: Evaluation
    decrement: float  # distance to the maximum in standard errors; inf where there is none


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
        Distance to the maximum, in standard errors, to stop at.
    metric : ndarray (P, P)
        Covariance of the estimates, roughly: what the blocks contribute to its Monte Carlo part is reported.
    known : Evaluation, optional
        Evaluation at ``position``.
    """
    best: Polished | None = None
    slope = last = None  # derivative of the score in x, and where and what the score was before
    for _ in range(maxiter):
        found = known or evaluate(
            sampler.design,
            position.params,
            position.draws,
            metric=metric,
            tails=tol == EXACT,
            n_jobs=settings.n_jobs,
        )
        known = None
        x = scale.from_natural(position.params)
        g, H = scale.derivatives(x, found.score, found.hessian)
        try:
            np.linalg.cholesky(-H)
        except np.linalg.LinAlgError:
            return Polished(position, found, np.inf) if best is None else best
        decrement = float(np.sqrt(max(float(g @ np.linalg.solve(-H, g)), 0.0)))
        if best is not None and decrement > 0.9 * best.decrement and best.decrement < 1e-6:
            break  # round-off: no further step helps
        if best is None or decrement < best.decrement:
            best = Polished(position, found, decrement)
        if decrement < tol:
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
        position = sampler.at(scale.natural(x + step * min(1.0, 0.5 / length)), position)
        metric = _inverse_information(found.hessian)
    assert best is not None  # noqa: S101 - the loop runs at least once
    return best


def settle(
    scale: SearchScale, sampler: Sampler, position: Position, settings: FitSettings, metric: Array
) -> Polished:
    """Maximise over the draws of a position without rebuilding them, as far as they can be trusted."""
    frozen = _Frozen(scale, sampler, position, settings.n_jobs)
    x = scale.from_natural(position.params)
    search = SearchModel(frozen.search)
    options = {"min_method": "trust-exact", "gtol": 1e-8, "disp": False}
    with np.errstate(invalid="ignore", over="ignore"):
        fitted = search.fit(
            x, method="minimize", maxiter=100, skip_hessian=True, warn_convergence=False, **options
        )
    step = np.asarray(fitted.params) - x
    x = x + frozen.trusted(x, step) * step
    params = scale.natural(x)
    found = evaluate(
        sampler.design, params, position.draws, metric=metric, tails=True, n_jobs=settings.n_jobs
    )
    g, H = scale.derivatives(x, found.score, found.hessian)
    decrement = np.inf
    # frozen draws always have a maximum; it means something only if they still fit there
    reliable = found.blocks.ess.min() >= 5 and not np.any(found.blocks.k_hat > 0.7)
    if reliable and np.linalg.eigvalsh(H)[-1] < 0:
        decrement = float(np.sqrt(max(float(-g @ np.linalg.solve(H, g)), 0.0)))
    return Polished(Position(params, position.modes, position.draws), found, decrement)


def doubled(sampler: Sampler, settings: FitSettings) -> Sampler:
    """Twice the draws for every block, up to the most that are allowed."""
    return sampler.grown(tuple(np.minimum(2 * n, np.maximum(settings.max_draws, n)) for n in sampler.sizes))


def plan(sampler: Sampler, evaluation: Evaluation, precision: Precision, settings: FitSettings) -> Sampler:
    """Give more draws to the blocks that the Monte Carlo errors come from.

    If a block's contribution e_b falls like draws^-a and a draw costs c_b, the cheapest way to a given total
    is draws_b proportional to (e_b / c_b)^(1 / (1 + a)).
    """
    tol = settings.mcse_tol
    blocks = evaluation.blocks
    se_tol = max(tol, SE_TOL)
    shares = (blocks.score_var / (tol * precision.se) ** 2).sum(axis=1)
    shares = shares + (0.25 * blocks.curvature_var / (se_tol * precision.se**2) ** 2).sum(axis=1)
    shares = np.maximum(shares, 1e-300)
    excess = max(precision.worst_ratio / tol, float(precision.se_error.max()) / se_tol)
    needed = max((excess / 0.9) ** 2, 4.0 if precision.worst_bias > 0.5 else 1.2)
    grid = [sampler.quasi and bucket.n_effects == 1 for bucket in sampler.buckets]
    rates = [4.0 if g else (1.25 if sampler.quasi else 1.0) for g in grid]
    now = list(sampler.sizes)
    ceiling = [
        np.minimum(n * (4 if g else 32), np.maximum(settings.max_draws, n))
        for n, g in zip(now, grid, strict=True)
    ]
    e = [shares[bucket.blocks] for bucket in sampler.buckets]
    shape = [
        (e_b * n**rate / bucket.n_rows) ** (1.0 / (1.0 + rate))
        for e_b, n, rate, bucket in zip(e, now, rates, sampler.buckets, strict=True)
    ]
    # raise the level of all blocks together until the predicted total is low enough
    level = min(float(np.min(n / s)) for n, s in zip(now, shape, strict=True))
    target = sum(float(e_b.sum()) for e_b in e) / needed
    while True:
        wanted = [np.clip(level * s, n, top) for s, n, top in zip(shape, now, ceiling, strict=True)]
        if sampler.quasi:  # powers of two per replicate
            wanted = [
                np.minimum(2.0 ** np.round(np.log2(w / n)) * n, top)
                for w, n, top in zip(wanted, now, ceiling, strict=True)
            ]
        left = sum(
            float((e_b * (w / n) ** -rate).sum())
            for e_b, w, n, rate in zip(e, wanted, now, rates, strict=True)
        )
        if left <= target or all(np.array_equal(w, top) for w, top in zip(wanted, ceiling, strict=True)):
            return sampler.grown(tuple(np.ceil(w).astype(int) for w in wanted))
        level *= 1.2


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
    position, metric, retvals, used = climb(scale, sampler, sampler.at(params), settings)
    tol = ROUGH
    evaluation: Evaluation | None = None
    while True:
        # 2. go to the maximum of the likelihood over the draws made at the maximum
        polished = polish(scale, sampler, position, settings, tol, metric, evaluation)
        position, evaluation = polished.position, polished.evaluation
        metric = _inverse_information(evaluation.hessian)
        converged = polished.decrement < (1e-4 if tol == EXACT else 2 * ROUGH)
        precision = _precision(evaluation) if converged else None
        precise = precision is not None and precision.meets(settings.mcse_tol)
        # standard errors are worth more draws too, though not any number of them
        many = max(int(n.max()) for n in sampler.sizes) >= SE_DRAWS
        enough = precise and (many or (precision is not None and precision.has_steady_se(settings.mcse_tol)))
        record("exact" if tol == EXACT else "rough", sampler, evaluation, precision)
        if tol == EXACT and enough:
            break
        # 3. more draws where the error comes from, unless they are enough or too many already
        larger = sampler
        if settings.nsample is not None:
            larger = sampler.with_size(settings.nsample)
        elif not enough and time.perf_counter() - clock < settings.max_seconds:
            larger = (
                doubled(sampler, settings)
                if precision is None
                else plan(sampler, evaluation, precision, settings)
            )
        grows = any(np.any(a > b) for a, b in zip(larger.sizes, sampler.sizes, strict=True))
        if not grows and tol == EXACT:
            break
        tol = ROUGH if grows and settings.nsample is None else EXACT
        if grows:
            sampler, position, evaluation = larger, larger.at(position.params, position), None
    if precision is None:
        # 4. draws too few or too poor to move with the estimate: the maximum over one set of them
        polished = settle(scale, sampler, position, settings, metric)
        position, evaluation = polished.position, polished.evaluation
        converged = polished.decrement < 1e-4
        precision = _precision(evaluation) if converged else None
        precise = precision is not None and precision.meets(settings.mcse_tol)
        record("frozen", sampler, evaluation, precision)
    return MonteCarloFit(
        position, evaluation, precision, converged, precise, sampler, tuple(history), retvals, used
    )


def _inverse_information(hessian: Array) -> Array:
    """Inverse of the information, or of its diagonal where it is not positive definite."""
    try:
        np.linalg.cholesky(-hessian)
    except np.linalg.LinAlgError:
        return np.diag(1.0 / np.maximum(np.abs(np.diag(hessian)), 1e-300))
    return np.linalg.inv(-hessian)


def _precision(evaluation: Evaluation) -> Precision | None:
    try:
        return Precision.of(evaluation)
    except np.linalg.LinAlgError:
        return None
