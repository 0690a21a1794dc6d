"""How many draws each block gets next."""

from __future__ import annotations

import numpy as np

from statsmodels_mcla.estimation.search.settings import FitSettings
from statsmodels_mcla.likelihood.monte_carlo import SE_TOL, Evaluation, Precision
from statsmodels_mcla.likelihood.sampling import Sampler


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
    # first the estimates; what is left to do for their standard errors shows when they are precise
    if not precision.surely_meets(tol):
        shares = (blocks.score_var / precision.se**2).sum(axis=1)
        needed = max(precision.excess(0.95 * tol), 4.0 if precision.worst_bias > 0.5 else 1.2)
    elif precision.has_steady_se(tol):
        shares = blocks.loglik_var
        needed = max((precision.llf_mcse / (0.9 * settings.llf_tol)) ** 2, 1.2)
    else:
        shares = (blocks.curvature_var / precision.se**4).sum(axis=1)
        needed = max((float(precision.se_error.max()) / (0.9 * max(tol, SE_TOL))) ** 2, 1.2)
    shares = np.maximum(shares, 1e-300)
    grid = [sampler.quasi and bucket.n_drawn == 1 for bucket in sampler.buckets]
    rates = [4.0 if g else (1.4 if sampler.quasi else 1.0) for g in grid]
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
