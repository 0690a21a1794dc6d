r"""The slope of the likelihood out of the boundary: whether a covariance matrix has too low a rank.

Add nu w w' to the covariance matrix G of a term, for some direction w of its d coordinates.  Every level gets an
independent effect of variance nu, and at nu = 0

    d l / d nu = 1/2 sum over levels of w' M_l w,   M_l = E[g_l g_l' + Z_l' diag(d2) Z_l | y],   g_l = Z_l' d1,

with d1, d2 the derivatives of the log density of the rows in eta (Lin, 1997, Biometrika 84(2)).  A maximum on the
boundary needs a slope of zero or less in every direction.  The expectation is over the draws of the effects that the
reduced model has; rows of a level that lie in different blocks are independent given the data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp

from statsmodels_mcla.covariance import ReducedTerm
from statsmodels_mcla.design import DesignFacts, MixedDesign, RandomTerm
from statsmodels_mcla.estimation.boundary.rank_search import truncated, with_ranks
from statsmodels_mcla.estimation.boundary.reduction import Reduction
from statsmodels_mcla.likelihood.monte_carlo import WeightedDraws, over_draws
from statsmodels_mcla.likelihood.sampling import DrawPart, Position
from statsmodels_mcla.numerics import Array, weighted_sum

NO_GAIN = (
    5e-4  # of log-likelihood, for a variance of 3 % of its standard error: Monte Carlo errors decide on less
)


def grown_reduction(
    design: DesignFacts,
    reduction: Reduction,
    reduced: DesignFacts,
    position: Position,
    size: float,
    closed: Sequence[int] = (),
) -> tuple[Reduction, Array] | None:
    """Raise ranks by one where the likelihood rises by that, and say where to go on.

    Parameters
    ----------
    design : DesignFacts
        Of the whole model.
    reduction : Reduction
    reduced : DesignFacts
    position : Position
        Maximum of the reduced design.
    size : float
        Standard deviation along the axes of the terms where a search starts.
    closed : sequence of int
        Terms that stay as they are.

    Returns
    -------
    Reduction, ndarray (P,)
        With higher ranks, and natural parameters of the model to start from; None where no slope is positive.
    """
    covariance, at = design.covariance, design.layout.covariance
    params = reduction.extend(position.params)
    matrices, ranks = covariance.matrices(params[at]), list(reduction.ranks)
    for k in sorted({*reduction.singular} - {*closed}):
        found = partial(_curvature_by_level, k, position.params)
        M = design.keep(found, reduced.keep(_itself), position.draws)
        step = _best_step(design, M, design.loadings.terms[k], matrices[k], size, reduction.ranks[k])
        if step is not None:
            ranks[k] += 1
            matrices[k] = truncated(design.loadings.terms[k], matrices[k] + step, ranks[k])
    if tuple(ranks) == reduction.ranks:
        return None
    out = params.copy()
    out[at] = covariance.pack(matrices)
    grown = with_ranks(design, out, ranks)
    return replace(grown, at_limit=reduction.at_limit), out


def _best_step(
    design: DesignFacts, M: Any, term: ReducedTerm, G: Array, size: float, rank: int
) -> Array | None:
    """What to add to G, (d, d): nu w w' with the steepest w among the directions that G lacks; None if downhill.

    The information about nu is the sum of the squared scores of the levels.
    """
    lacking = size * term.axes @ np.linalg.eigh(term.inner(G))[1][:, : len(G) - rank]
    total = np.sum(design.map(_sum_of_levels, M), axis=0)
    w = lacking @ np.linalg.eigh(lacking.T @ total @ lacking)[1][:, -1]
    slope, information = map(sum, zip(*design.map(partial(_scores_along, w), M), strict=True))
    if slope <= 0 or 0.5 * slope * slope <= NO_GAIN * information:
        return None
    return float(np.clip(slope / information, 0.01, 1.0)) * np.outer(w, w)


def _itself(design: MixedDesign) -> MixedDesign:
    return design


def _sum_of_levels(design: MixedDesign, M: Array) -> Array:
    return np.asarray(M.sum(axis=0))


def _scores_along(w: Array, design: MixedDesign, M: Array) -> tuple[float, float]:
    """Sum of the scores of the levels, and of their squares."""
    scores = 0.5 * np.einsum("i,lij,j->l", w, M, w)
    return float(scores.sum()), float((scores * scores).sum())


def flat_terms(reduction: Reduction, fitted: Array, se: Array) -> tuple[int, ...]:
    """Terms with a standard effect that adds nothing to the likelihood at a maximum.

    A variance nu has a log-likelihood of about nu nu^ / se^2 - nu^2 / (2 se^2) near zero, so that it gains
    (nu^ / se)^2 / 2; in terms of a loading lambda, nu = lambda^2, that is (lambda / se(lambda))^2 / 8.
    """
    with np.errstate(divide="ignore", invalid="ignore"):  # of what is at the end of its range
        z = fitted / se
    return tuple(k for k, own in enumerate(reduction.diagonal) if np.any(z[own] ** 2 / 8.0 < NO_GAIN))


class _LevelSums(NamedTuple):
    """Which rows of a chunk of blocks go into which coordinate of which level."""

    matrix: sp.csr_array  # (pairs * d, K * n): pairs of a block and a level of it
    block: np.ndarray  # (pairs,) within the chunk
    level: np.ndarray  # (pairs,)

    @classmethod
    def of(cls, term: RandomTerm, rows: np.ndarray) -> _LevelSums:
        inside = np.flatnonzero(rows.ravel() >= 0)
        entries = term.Z[rows.ravel()[inside]].tocoo()
        row, level = inside[entries.coords[0]], entries.coords[1] // term.dim
        pair, index = np.unique(row // rows.shape[1] * term.n_levels + level, return_inverse=True)
        place = index.ravel() * term.dim + entries.coords[1] % term.dim
        matrix = sp.csr_array((entries.data, (place, row)), shape=(len(pair) * term.dim, rows.size))
        return cls(matrix, pair // term.n_levels, pair % term.n_levels)


class _Moments(NamedTuple):
    """Conditional moments of the scores of the levels, from one chunk of blocks."""

    level: np.ndarray  # (pairs,)
    mean: Array  # (pairs, d)
    variance: Array  # (pairs, d, d)
    rows: np.ndarray  # (rows,) of the design
    bend: Array  # (rows,) E[d2]


def _moments(
    terms: Sequence[RandomTerm], reduced: MixedDesign, params: Array, draws: WeightedDraws
) -> list[_Moments]:
    beta, loadings, phi = reduced.split(params)
    bucket, v = draws.bucket, draws.v
    y, w, v_dispersion = bucket.y[..., None], bucket.w[..., None], bucket.v[..., None]
    u = bucket.effects_from(reduced.loadings.factors(loadings), draws.b)
    eta = bucket.Z.predictors(u, np.empty((*bucket.y.shape, v.shape[1])))
    eta += (bucket.offset + bucket.X @ beta)[..., None]
    found = bucket.family.blocks(y, w, v_dispersion, eta, phi)
    inside = bucket.rows >= 0
    rows, bend = bucket.rows[inside], weighted_sum(found.d2, v)[inside]
    return [_of_levels(term, bucket.rows, found.d1, v, rows, bend) for term in terms]


def _of_levels(
    term: RandomTerm, of_bucket: np.ndarray, d1: Array, v: Array, rows: np.ndarray, bend: Array
) -> _Moments:
    sums = _LevelSums.of(term, of_bucket)
    scores = (sums.matrix @ d1.reshape(-1, v.shape[1])).reshape(-1, term.dim, v.shape[1])
    weight = v[sums.block]
    mean = weighted_sum(scores, weight)
    scores = scores - mean[..., None]
    variance = np.einsum("kim,kjm,km->kij", scores, scores, weight)
    return _Moments(sums.level, mean, variance, rows, bend)


def curvatures_by_level(terms: Sequence[RandomTerm], reduced: DesignFacts, position: Position) -> list[Array]:
    """M_l of every level of each of some terms, (L, d, d), over the draws at a maximum of the reduced design."""
    return _by_level(terms, position.params, reduced.here, position.draws)


def _curvature_by_level(
    k: int, params: Array, design: MixedDesign, reduced: MixedDesign, draws: Sequence[DrawPart]
) -> Array:
    return _by_level(design.terms[k : k + 1], params, reduced, draws)[0]


def _by_level(
    terms: Sequence[RandomTerm], params: Array, reduced: MixedDesign, draws: Sequence[DrawPart]
) -> list[Array]:
    parts = list(over_draws(reduced, params, draws, partial(_moments, terms, reduced, params)))
    return [
        _added_up(term, reduced.n_rows, own)
        for term, own in zip(terms, zip(*parts, strict=True), strict=True)
    ]


def _added_up(term: RandomTerm, n_rows: int, parts: Sequence[_Moments]) -> Array:
    d, L = term.dim, term.n_levels
    mean, M, bend = np.zeros((L, d)), np.zeros((L, d, d)), np.zeros(n_rows)
    for found in parts:
        np.add.at(mean, found.level, found.mean)
        np.add.at(M, found.level, found.variance)
        bend[found.rows] = found.bend
    M += mean[:, :, None] * mean[:, None, :]
    columns = [term.Z[:, np.arange(L) * d + i] for i in range(d)]
    for i in range(d):
        for j in range(d):
            M[:, i, j] += columns[i].multiply(columns[j]).T @ bend
    return M
