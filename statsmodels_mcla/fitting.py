"""The fit: Laplace start, climb on frozen draws, refinement until the Monte Carlo errors are small.

Draws that are frozen while the estimate moves go stale, and a maximiser then climbs its own noise.  So no step
trusts draws whose effective sample size has halved, draws are rebuilt from the same base numbers wherever the
estimate arrives, and the end is a fixed point: the maximum of the likelihood over the draws made at that very
maximum.

1. `fit_laplace`: maximise the Laplace approximation.
2. `climb`: maximise over frozen draws with a statsmodels optimiser, rebuild, repeat.
3. `polish`: Newton steps, the draws rebuilt at each, until the score is zero.
4. `refine`: more draws where the error comes from, and polish again, until the errors are below the tolerance.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from statsmodels.base.model import LikelihoodModel

from statsmodels_mcla.design import MixedDesign
from statsmodels_mcla.laplace import LaplaceEvaluation, evaluate_laplace
from statsmodels_mcla.likelihood import Evaluation, evaluate
from statsmodels_mcla.linalg import Array
from statsmodels_mcla.mcse import Precision
from statsmodels_mcla.sampler import Position, Sampler
from statsmodels_mcla.scale import SearchScale

__all__ = ["FitSettings", "LaplaceFit", "MonteCarloFit", "Round", "fit_laplace", "fit_monte_carlo", "laplace_covariance"]


@dataclass(frozen=True)
class FitSettings:
    """How to search and when to stop.

    Attributes
    ----------
    mcse_tol : float or None
        Largest Monte Carlo error wanted, in units of the standard error; None keeps the draws as they are.
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

    mcse_tol: float | None = 0.01
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
class LaplaceFit:
    """Maximum of the Laplace approximation.

    Attributes
    ----------
    scale : SearchScale
    x : ndarray (P,)
        Maximum in search coordinates.
    params : ndarray (P,)
        In natural parameters.
    semi_natural : ndarray (P,)
        Fixed effects, Cholesky entries, dispersion.
    evaluation : LaplaceEvaluation
    mle_retvals, mle_settings : dict
    """

    scale: SearchScale
    x: Array
    params: Array
    semi_natural: Array
    evaluation: LaplaceEvaluation
    mle_retvals: dict[str, Any]
    mle_settings: dict[str, Any]

    @property
    def converged(self) -> bool:
        """Whether the optimiser said so."""
        return bool(self.mle_retvals["converged"])


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


class _SearchModel(LikelihoodModel):
    """A function of the search coordinates, as the model that statsmodels' optimisers maximise."""

    def __init__(self, function: Callable[[Array], tuple[float, Array, Array | None]]) -> None:
        super().__init__(np.zeros(1))
        self.function = function
        self._last: tuple[bytes, tuple[float, Array, Array | None]] | None = None

    def _at(self, x: Array) -> tuple[float, Array, Array | None]:
        key = np.asarray(x, float).tobytes()
        if self._last is None or self._last[0] != key:
            self._last = (key, self.function(np.asarray(x, float)))
        return self._last[1]

    def loglike(self, params: Array) -> float:
        """Value."""
        return self._at(params)[0]

    def score(self, params: Array) -> Array:
        """Gradient."""
        return self._at(params)[1]

    def hessian(self, params: Array) -> Array:
        """Hessian."""
        hessian = self._at(params)[2]
        return np.full((len(params), len(params)), np.nan) if hessian is None else hessian


def _nothing(x: Array) -> tuple[float, Array, Array]:
    """Value and derivatives where the likelihood does not exist: worse than anywhere else."""
    return -np.inf, np.zeros(len(x)), -np.eye(len(x))


def fit_laplace(
    design: MixedDesign, scale: SearchScale, x: Array, *, gtol: float = 1e-5, maxiter: int = 200, disp: bool = False
) -> LaplaceFit:
    """Maximise the Laplace approximation by BFGS with its exact gradient.

    Parameters
    ----------
    design : MixedDesign
    scale : SearchScale
    x : ndarray (P,)
        Where to start, in search coordinates.
    gtol : float
        Largest gradient, in search coordinates (about one standard error each), at the end.
    """
    last: LaplaceEvaluation | None = None

    def function(x: Array) -> tuple[float, Array, None]:
        nonlocal last
        try:
            near = None if last is None else last.modes
            with np.errstate(all="ignore"):
                found = evaluate_laplace(design, scale.semi_natural(x), near)
        except (FloatingPointError, np.linalg.LinAlgError):
            return -np.inf, np.zeros(len(x)), None
        if not np.isfinite(found.value):
            return -np.inf, np.zeros(len(x)), None
        last = found
        return found.value, scale.gradient_of_semi_natural(x, found.gradient), None

    search = _SearchModel(function)
    fitted = search.fit(x, method="bfgs", gtol=gtol, maxiter=maxiter, disp=disp, skip_hessian=True, warn_convergence=False)
    at = np.asarray(fitted.params)
    function(at)
    if last is None:
        raise FloatingPointError("the log-likelihood is not finite at the starting values")
    retvals = dict(fitted.mle_retvals)
    # a line search stops at round-off, which is no failure if the gradient is flat by then
    retvals["converged"] = bool(np.abs(search.score(at)).max(initial=0.0) < max(10 * gtol, 1e-3))
    return LaplaceFit(scale, at, scale.natural(at), scale.semi_natural(at), last, retvals, fitted.mle_settings)


def laplace_covariance(design: MixedDesign, fit: LaplaceFit, keep: np.ndarray) -> Array:
    """Inverse observed information of the Laplace approximation, by differences of its exact gradient.

    Parameters
    ----------
    design : MixedDesign
    fit : LaplaceFit
    keep : ndarray of bool (P,)
        Parameters that are not at the boundary; the others are held where they are.

    Returns
    -------
    ndarray (P, P)
        On the natural scale; NaN where ``keep`` is False or the information is not positive definite.
    """
    scale, at = fit.scale, fit.semi_natural
    free = np.flatnonzero(keep)
    # steps of a thousandth of a standard error or so, in the working parameters themselves
    size = 1e-3 * np.abs(np.diag(scale.stretch))[free]

    def gradient(working: Array) -> Array:
        return evaluate_laplace(design, working, fit.evaluation.modes).gradient[free]

    H = np.empty((len(free), len(free)))
    for row, (j, h) in enumerate(zip(free, size, strict=True)):
        step = np.zeros(len(at))
        step[j] = h
        H[row] = (gradient(at + step) - gradient(at - step)) / (2.0 * h)
    out = np.full((len(at), len(at)), np.nan)
    information = -0.5 * (H + H.T)
    try:
        np.linalg.cholesky(information)
    except np.linalg.LinAlgError:
        return out
    J = np.eye(len(at))
    J[scale.entries, scale.entries] = scale.covariance.working_jacobian(at[scale.entries])
    J = J[np.ix_(free, free)]
    out[np.ix_(free, free)] = J @ np.linalg.inv(information) @ J.T
    return out


def climb(
    scale: SearchScale, sampler: Sampler, position: Position, settings: FitSettings, rounds: int = 25
) -> tuple[Position, dict[str, Any], dict[str, Any]]:
    """Maximise over frozen draws, as far as they can be trusted, and rebuild them there, until neither moves.

    Returns
    -------
    tuple
        Position, and what the last optimiser run returned and used.
    """
    design = sampler.design
    options: dict[str, Any] = {"disp": False, **settings.options}
    if settings.method == "minimize":
        options = {"min_method": "trust-exact", "gtol": 1e-4, **options}
    x = scale.from_natural(position.params)
    for _ in range(rounds):
        # 1. maximise the likelihood of these draws
        draws = position.draws

        def function(x: Array, draws: Any = draws) -> tuple[float, Array, Array]:
            try:
                found = evaluate(design, scale.natural(x), draws, n_jobs=settings.n_jobs)
            except (FloatingPointError, np.linalg.LinAlgError):
                return _nothing(x)
            if not np.isfinite(found.value):
                return _nothing(x)
            return found.value, *scale.derivatives(x, found.score, found.hessian)

        search = _SearchModel(function)
        with np.errstate(invalid="ignore", over="ignore"):
            fitted = search.fit(
                x, method=settings.method, maxiter=settings.maxiter, skip_hessian=True, warn_convergence=False, **options
            )
        # 2. go no further than the draws carry: half the effective sample size of where they were made
        step = np.asarray(fitted.params) - x
        step = step if np.all(np.isfinite(step)) else np.zeros_like(step)
        least = 0.5 * evaluate(design, position.params, draws, n_jobs=settings.n_jobs).blocks.ess.sum()
        for fraction in (1.0, 0.5, 0.25, 0.125, 0.06, 0.03, 0.015):
            try:
                found = evaluate(design, scale.natural(x + fraction * step), draws, n_jobs=settings.n_jobs)
            except (FloatingPointError, np.linalg.LinAlgError):
                continue
            if found.blocks.ess.sum() >= least:
                break
        # 3. draw again from there
        x = x + fraction * step
        position = sampler.at(scale.natural(x), position)
        if fraction == 1.0 and step @ step < 0.01:
            break
    return position, dict(fitted.mle_retvals), dict(fitted.mle_settings)


class Polished(NamedTuple):
    """Outcome of `polish`."""

    position: Position
    evaluation: Evaluation
    decrement: float  # distance to the maximum in standard errors; inf where there is none


def polish(
    scale: SearchScale, sampler: Sampler, position: Position, settings: FitSettings, tol: float = 1e-7, maxiter: int = 15
) -> Polished:
    """Take Newton steps, with the draws rebuilt at each, to where the score of the draws made there is zero."""
    design = sampler.design
    metric = None
    best: Polished | None = None
    for _ in range(maxiter):
        found = evaluate(design, position.params, position.draws, metric=metric, n_jobs=settings.n_jobs)
        x = scale.from_natural(position.params)
        g, H = scale.derivatives(x, found.score, found.hessian)
        try:
            np.linalg.cholesky(-H)
        except np.linalg.LinAlgError:
            return Polished(position, found, np.inf) if best is None else best
        step = np.linalg.solve(-H, g)
        decrement = float(np.sqrt(max(g @ step, 0.0)))
        if best is not None and decrement > 0.9 * best.decrement and best.decrement < 1e-4:
            break  # round-off: no further step helps
        best = Polished(position, found, decrement)
        if decrement < tol:
            break
        step *= min(1.0, 0.5 / decrement)
        position = sampler.at(scale.natural(x + step), position)
        metric = np.linalg.inv(-found.hessian)
    assert best is not None  # noqa: S101 - the loop runs at least once
    return best


def plan(sampler: Sampler, evaluation: Evaluation, precision: Precision, settings: FitSettings) -> Sampler:
    """Give more draws to the blocks that the Monte Carlo errors come from.

    If a block's contribution e_b falls like draws^-a and a draw costs c_b, the cheapest way to a given total
    is draws_b proportional to (e_b / c_b)^(1 / (1 + a)).
    """
    tol = settings.mcse_tol or 0.0
    shares = np.maximum((evaluation.blocks.score_var / precision.se**2).sum(axis=1), 1e-300)
    needed = max((precision.worst_ratio / (0.85 * tol)) ** 2, 4.0 if precision.worst_bias > 0.5 else 1.2)
    grid = [sampler.quasi and bucket.n_effects == 1 for bucket in sampler.buckets]
    rates = [4.0 if g else (1.3 if sampler.quasi else 1.0) for g in grid]
    now = list(sampler.sizes)
    ceiling = [
        np.minimum(n * (4 if g else 32), np.maximum(settings.max_draws, n)) for n, g in zip(now, grid, strict=True)
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
            wanted = [np.minimum(2.0 ** np.round(np.log2(w / n)) * n, top) for w, n, top in zip(wanted, now, ceiling, strict=True)]
        left = sum(
            float((e_b * (w / n) ** -rate).sum()) for e_b, w, n, rate in zip(e, wanted, now, rates, strict=True)
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

    position, retvals, used = climb(scale, sampler, sampler.at(params), settings)
    while True:
        polished = polish(scale, sampler, position, settings)
        position, evaluation = polished.position, polished.evaluation
        converged = polished.decrement < 1e-4
        precision = _precision(evaluation) if converged else None
        record("polish", sampler, evaluation, precision)
        precise = precision is not None and (
            settings.mcse_tol is None or (precision.worst_ratio <= settings.mcse_tol and precision.worst_bias <= 0.5)
        )
        if settings.mcse_tol is None or precise or precision is None:
            break
        if time.perf_counter() - clock > settings.max_seconds:
            break
        larger = plan(sampler, with_metric(evaluation, sampler, position, precision, settings), precision, settings)
        if all(np.array_equal(a, b) for a, b in zip(larger.sizes, sampler.sizes, strict=True)):
            break
        sampler, position = larger, larger.at(position.params, position)
    return MonteCarloFit(
        position, evaluation, precision, converged, precise, sampler, tuple(history), retvals, used
    )


def with_metric(
    evaluation: Evaluation, sampler: Sampler, position: Position, precision: Precision, settings: FitSettings
) -> Evaluation:
    """Evaluation whose block contributions are those to the variance of the estimates."""
    return evaluate(
        sampler.design, position.params, position.draws, metric=precision.cov_params, n_jobs=settings.n_jobs
    )


def _precision(evaluation: Evaluation) -> Precision | None:
    try:
        return Precision.of(evaluation)
    except np.linalg.LinAlgError:
        return None


