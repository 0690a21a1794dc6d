"""Maximising the likelihood over frozen draws, only as far as they can be trusted."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from statsmodels_mcla.design import SearchScale
from statsmodels_mcla.estimation.search.optimizers import SearchModel
from statsmodels_mcla.estimation.search.settings import FitSettings
from statsmodels_mcla.likelihood.monte_carlo import Evaluation, evaluate
from statsmodels_mcla.likelihood.sampling import Position, Sampler
from statsmodels_mcla.numerics import Array


class Polished(NamedTuple):
    """Outcome of `polish`."""

    position: Position
    evaluation: Evaluation
    decrement: float  # distance to the maximum in standard errors; inf where there is none


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
        options.setdefault("gtol", 1e-2)  # the draws will move anyway
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
        there = redrawn(scale, sampler, x + fraction * step, position)
        if there is None:
            break
        x, position = x + fraction * step, there
        if fraction == 1.0 and step @ step < 0.04:
            break
    end = frozen.at(x)
    metric = np.eye(len(x)) if end is None else inverse_information(end.hessian)
    return Climbed(position, metric, dict(fitted.mle_retvals), dict(fitted.mle_settings))


def redrawn(scale: SearchScale, sampler: Sampler, x: Array, near: Position | None = None) -> Position | None:
    """Make the draws at x, or nothing where the likelihood has no conditional modes to make them around."""
    try:
        with np.errstate(all="ignore"):
            return sampler.at(scale.natural(x), near)
    except (FloatingPointError, np.linalg.LinAlgError):
        return None


class _Frozen:
    """Likelihood over the draws of one position, in search coordinates; remembers what it has evaluated."""

    def __init__(
        self,
        scale: SearchScale,
        sampler: Sampler,
        position: Position,
        n_jobs: int,
        metric: Array | None = None,
    ) -> None:
        self.scale, self.design, self.draws, self.n_jobs = scale, sampler.design, position.draws, n_jobs
        self.metric = metric
        self.known: dict[bytes, Evaluation | None] = {}

    def at(self, x: Array) -> Evaluation | None:
        """Evaluation at x, None where the likelihood does not exist."""
        key = x.tobytes()
        if key not in self.known:
            try:
                found = evaluate(
                    self.design,
                    self.scale.natural(x),
                    self.draws,
                    metric=self.metric,
                    tails=self.metric is not None,
                    n_jobs=self.n_jobs,
                )
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
        gradient, hessian = self.scale.derivatives(x, found.score, found.hessian)
        if not (np.all(np.isfinite(gradient)) and np.all(np.isfinite(hessian))):  # a scale on its way to zero
            return -np.inf, np.zeros(len(x)), -np.eye(len(x))
        return found.value, gradient, hessian

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


def settle(
    scale: SearchScale,
    sampler: Sampler,
    position: Position,
    settings: FitSettings,
    metric: Array,
    tries: int = 5,
) -> Polished:
    """Maximise over the draws of a position without moving them, as R's glmm does.

    For joint densities, whose draws are too noisy to move with the estimate, and where `polish` has failed.
    The draws are made again only if the maximum is further than they can be trusted.
    """
    x = scale.from_natural(position.params)
    options = {"min_method": "trust-exact", "gtol": 1e-7, "disp": False}
    for _ in range(tries):
        frozen = _Frozen(scale, sampler, position, settings.n_jobs, metric)
        search = SearchModel(frozen.search)
        with np.errstate(invalid="ignore", over="ignore"):
            fitted = search.fit(
                x, method="minimize", maxiter=100, skip_hessian=True, warn_convergence=False, **options
            )
        step = np.asarray(fitted.params) - x
        fraction = frozen.trusted(x, step)
        if fraction == 1.0:
            x = x + step
            break
        there = redrawn(scale, sampler, x + fraction * step, position)
        if there is None:
            break
        x, position = x + fraction * step, there
    params = scale.natural(x)
    found = frozen.at(x) if fraction == 1.0 else None
    if found is None:
        found = evaluate(
            sampler.design, params, position.draws, metric=metric, tails=True, n_jobs=settings.n_jobs
        )
    g, H = scale.derivatives(x, found.score, found.hessian)
    decrement = np.inf
    # frozen draws always have a maximum; it means something only if they still fit there
    heavy = not sampler.sampling.joint and np.any(found.blocks.k_hat > 0.7)
    if found.blocks.ess.min() >= 5 and not heavy and np.linalg.eigvalsh(H)[-1] < 0:
        decrement = float(np.sqrt(max(float(-g @ np.linalg.solve(H, g)), 0.0)))
    return Polished(Position(params, position.modes, position.draws), found, decrement)


def inverse_information(hessian: Array) -> Array:
    """Inverse of the information, or of its diagonal where it is not positive definite."""
    try:
        np.linalg.cholesky(-hessian)
    except np.linalg.LinAlgError:
        return np.diag(1.0 / np.maximum(np.abs(np.diag(hessian)), 1e-300))
    return np.linalg.inv(-hessian)
