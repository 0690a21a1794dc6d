"""Random effects given the data: conditional means, modes and standard deviations of every level."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from statsmodels_mcla.data import draw_effects
from statsmodels_mcla.design import Bucket, MixedDesign
from statsmodels_mcla.estimation import Fitted, ParameterErrors
from statsmodels_mcla.likelihood.laplace import modes_of_buckets
from statsmodels_mcla.likelihood.monte_carlo import WeightedDraws, over_draws
from statsmodels_mcla.numerics import Array
from statsmodels_mcla.prediction.conditional_moments import LINEAR, Moments, moments
from statsmodels_mcla.prediction.linear_predictors import LinearRows


def conditional_effects(
    design: MixedDesign,
    fitted: Fitted,
    params: Array,
    rng: np.random.Generator,
    nsim: int,
) -> Array:
    """Random effects drawn from their law given the data, (Q, nsim): the weighted draws, resampled.

    Effects that the data say nothing of come from their prior law.
    """
    u = draw_effects(design, design.covariance.matrices(design.split(params)[1]), rng, nsim)
    level = rng.random((max(fitted.design.here.n_blocks, 1), nsim))

    def of_chunk(draws: WeightedDraws) -> tuple[Bucket, Array]:
        below = np.cumsum(draws.v, axis=1)
        below /= below[:, -1:]
        wanted = level[draws.bucket.blocks]
        pick = np.stack([np.searchsorted(c, t, side="right") for c, t in zip(below, wanted, strict=True)])
        return draws.bucket, np.take_along_axis(draws.b, pick[:, None], axis=2)

    drawn = np.full((fitted.effects.shape[1], nsim), np.nan)
    for bucket, values in over_draws(
        fitted.design, fitted.params, fitted.position.draws, of_chunk, executor=fitted.executor
    ):
        bucket.spread(values, drawn)
    unknown = np.isnan(drawn[:, 0])
    prior = (abs(fitted.effects) @ unknown.astype(float)) > 0
    return np.where(prior[:, None], u, fitted.effects @ np.where(unknown[:, None], 0.0, drawn))


@dataclass(frozen=True)
class EffectMoments:
    """Random effects of a model given the data, in the order of the columns of its Z.

    Attributes
    ----------
    mean, sd : ndarray (Q,)
        Conditional means and standard deviations, the estimates taken as true.
    sd_total : ndarray (Q,)
        Standard deviations that count the sampling error of the estimates (Booth and Hobert, 1998).
    mcse, sd_mcse : ndarray (Q,)
        Monte Carlo standard errors of ``mean`` and ``sd``.
    """

    mean: Array
    sd: Array
    sd_total: Array
    mcse: Array
    sd_mcse: Array

    @classmethod
    def of(cls, found: Moments, cov_params: Array) -> EffectMoments:
        """Read off the moments of the effects."""
        sd = np.sqrt(np.maximum(found.var, 0.0))
        with np.errstate(divide="ignore", invalid="ignore"):
            sd_mcse = np.where(sd > 0, 0.5 * np.sqrt(np.maximum(found.var_mc_var, 0.0)) / sd, 0.0)
        total = np.sqrt(found.var + found.estimation_var(cov_params))
        return cls(found.mean, sd, total, found.mcse, sd_mcse)


def effect_moments(fitted: Fitted, n_effects: int, errors: ParameterErrors) -> EffectMoments:
    """Moments of all effects of a model given the data.

    An effect that no row with weight depends on has mean 0 and its prior standard deviation; one of a term whose
    variance is zero is 0.
    """
    rows = LinearRows.of(
        fitted,
        np.zeros((n_effects, fitted.design.n_fixed)),
        np.zeros(n_effects),
        sp.csr_array(sp.eye_array(n_effects)),
        np.zeros((n_effects, fitted.reduction.layout.n_covariance)),
    )
    return EffectMoments.of(moments(fitted, rows, [LINEAR], errors)[0], errors.cov_params)


def effect_covariances(fitted: Fitted, dims: Sequence[int], n_levels: int) -> Array:
    """Covariance matrices (L, d, d) of the effects of each level given the data, over terms of the same levels.

    Covariances are those of sums: 2 Cov(a, b) = Var(a + b) - Var(a) - Var(b).

    Parameters
    ----------
    fitted : Fitted
        With draws of its own (`Fitted.fresh`).
    dims : sequence of int
        Effects of a level in each term.
    n_levels : int
    """
    starts = n_levels * np.cumsum([0, *dims[:-1]])
    columns = np.concatenate(
        [
            start + dim * np.arange(n_levels)[:, None] + np.arange(dim)
            for start, dim in zip(starts, dims, strict=True)
        ],
        axis=1,
    )  # (L, d)
    d, count = columns.shape[1], n_levels * sum(dims)
    i, j = np.tril_indices(d)
    pairs = [(columns[:, a], columns[:, b]) for a, b in zip(i, j, strict=True)]
    identity = sp.csr_array(sp.eye_array(count))
    Z = sp.csr_array(sp.vstack([identity[a] + identity[b] for a, b in pairs]))
    n = Z.shape[0]
    rows = LinearRows.of(
        fitted,
        np.zeros((n, fitted.design.n_fixed)),
        np.zeros(n),
        Z,
        np.zeros((n, fitted.reduction.layout.n_covariance)),
    )
    found = moments(fitted, rows, [LINEAR], ParameterErrors(np.zeros((len(fitted.params),) * 2), None))[0]
    of_sums = np.zeros((n_levels, d, d))
    of_sums[:, i, j] = of_sums[:, j, i] = found.var.reshape(len(pairs), n_levels).T
    single = 0.25 * np.einsum("lii->li", of_sums)  # of twice the effect
    return np.asarray(0.5 * (of_sums - single[:, :, None] - single[:, None, :]))


def conditional_modes_of(fitted: Fitted) -> Array:
    """Most probable values of all effects of a model given the data, (Q,)."""
    design, sampler = fitted.design, fitted.sampler
    beta, loadings, phi = design.split(fitted.params)
    factors = design.loadings.factors(loadings)
    found = modes_of_buckets(sampler.buckets, beta, factors, phi, fitted.position.modes)
    b = np.zeros(fitted.effects.shape[1])
    for bucket, modes in zip(sampler.buckets, found, strict=True):
        bucket.spread(modes.b, b)
    return np.asarray(fitted.effects @ b)
