"""How many draws each block gets next."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import numpy as np

from statsmodels_mcla.design import MixedDesign
from statsmodels_mcla.estimation.search.settings import FitSettings
from statsmodels_mcla.likelihood.monte_carlo import SE_TOL, Evaluated, Evaluation, Precision
from statsmodels_mcla.likelihood.sampling import DrawRule, Sampler
from statsmodels_mcla.numerics import Array

DOUBT = 0.5  # of the errors of standard errors that may be: they are estimates from few groups of draws
MAX_FAILURES = 4  # times that the draws are doubled because no maximum was found

Counts = tuple[np.ndarray, ...]  # a number for each block, one array a bucket


def larger_sampler(
    sampler: Sampler,
    evaluation: Evaluation,
    precision: Precision | None,
    settings: FitSettings,
    failures: int,
) -> Sampler:
    """More draws, where there is a maximum to tell where they are needed, or for a few more tries to find one.

    Where the curvature is what is not known, better paths for the same draws come first.
    """
    better = with_better_paths(sampler, precision, settings)
    if better is not sampler:
        return better
    if precision is not None:
        return plan(sampler, evaluation, precision, settings)
    return doubled(sampler, settings) if failures <= MAX_FAILURES else sampler


def with_better_paths(sampler: Sampler, precision: Precision | None, settings: FitSettings) -> Sampler:
    """Sampler with accelerated paths, where the curvature is not known for sure; otherwise itself."""
    if precision is not None and precision.has_steady_se(settings.mcse_tol, DOUBT):
        return sampler
    return sampler.accelerated()


def doubled(sampler: Sampler, settings: FitSettings) -> Sampler:
    """Twice the draws for every block, up to the most that are allowed."""
    return sampler.grown(sampler.design.keep(partial(_doubled, settings.max_draws), sampler.sizes))


def _doubled(most: int, design: MixedDesign, sizes: Counts) -> Counts:
    return tuple(np.minimum(2 * n, np.maximum(most, n)) for n in sizes)


class _Shares(NamedTuple):
    """What each block contributes to an error: a statistic of it, over squared standard errors."""

    statistic: str
    unit: Array | float

    def of(self, found: Evaluated) -> Array:
        """Contributions (B,)."""
        parts = getattr(found.blocks, self.statistic) / self.unit
        return np.maximum(parts if parts.ndim == 1 else parts.sum(axis=1), 1e-300)


def plan(sampler: Sampler, evaluation: Evaluation, precision: Precision, settings: FitSettings) -> Sampler:
    """Give more draws to the blocks that the Monte Carlo errors come from.

    If a block's contribution e_b falls like draws^-a and a draw costs c_b, the cheapest way to a given total
    is draws_b proportional to (e_b / c_b)^(1 / (1 + a)).
    """
    tol = settings.mcse_tol
    # first the estimates; what is left to do for their standard errors shows when they are precise
    if not precision.surely_meets(tol):
        shares = _Shares("score_var", precision.unit**2)
        needed = max(precision.excess(0.95 * tol), 4.0 if precision.worst_bias > 0.5 else 1.2)
    elif precision.has_steady_se(tol):
        shares = _Shares("loglik_var", 1.0)
        needed = max((precision.llf_mcse / (0.9 * settings.llf_tol)) ** 2, 1.2)
    else:
        shares = _Shares("curvature_var", precision.unit**4)
        needed = max((float(precision.se_error.max()) / (0.9 * max(tol, SE_TOL))) ** 2, 1.2)
    design = sampler.design
    offers = design.keep(
        partial(_offers, sampler.rule, shares, settings.max_draws), evaluation.kept, sampler.sizes
    )
    # raise the level of all blocks together until the predicted total is low enough
    levels, errors = zip(*design.map(_first_level, offers), strict=True)
    level, target = min(levels), sum(errors) / needed
    while True:
        left, full = zip(*design.map(partial(_left, level), offers), strict=True)
        if sum(left) <= target or all(full):
            return sampler.grown(design.keep(partial(_wanted, level), offers))
        level *= 1.2


class _Offer(NamedTuple):
    """What draws would do for the blocks of a bucket."""

    now: np.ndarray
    most: np.ndarray
    errors: Array
    shape: Array  # of the cheapest numbers of draws, up to a level
    rate: float  # errors fall like draws to this power
    step: float  # factor by which draws grow; 1 for any

    def wanted(self, level: float) -> Array:
        """Draws at a level."""
        out = np.clip(level * self.shape, self.now, self.most)
        if self.step > 1:
            steps = np.round(np.log(out / self.now) / np.log(self.step))
            out = np.minimum(self.step**steps * self.now, self.most)
        return np.asarray(out)


def _offers(
    rule: DrawRule,
    shares: _Shares,
    max_draws: int,
    design: MixedDesign,
    found: Evaluated,
    sizes: Counts,
) -> tuple[_Offer, ...]:
    every, out = shares.of(found), []
    for now, bucket in zip(sizes, rule.buckets(design), strict=True):
        rate, step = rule.rate(bucket), rule.step(bucket)
        farthest = max(4, step) if rule.converges_fast(bucket) else 32
        most = np.minimum(now * farthest, np.maximum(max_draws, now))
        errors = every[bucket.blocks]
        shape = (errors * now**rate / bucket.n_rows) ** (1.0 / (1.0 + rate))
        out.append(_Offer(now, most, errors, shape, rate, step))
    return tuple(out)


def _first_level(design: MixedDesign, offers: tuple[_Offer, ...]) -> tuple[float, float]:
    """Level at which the first block would get more draws, and the sum of all errors."""
    level = min(float(np.min(offer.now / offer.shape)) for offer in offers)
    return level, sum(float(offer.errors.sum()) for offer in offers)


def _left(level: float, design: MixedDesign, offers: tuple[_Offer, ...]) -> tuple[float, bool]:
    """Sum of the errors at a level, and whether all blocks have as many draws as they may."""
    wanted = [offer.wanted(level) for offer in offers]
    left = sum(
        float((offer.errors * (w / offer.now) ** -offer.rate).sum())
        for offer, w in zip(offers, wanted, strict=True)
    )
    return left, all(np.array_equal(w, offer.most) for offer, w in zip(offers, wanted, strict=True))


def _wanted(level: float, design: MixedDesign, offers: tuple[_Offer, ...]) -> Counts:
    return tuple(np.ceil(offer.wanted(level)).astype(int) for offer in offers)
