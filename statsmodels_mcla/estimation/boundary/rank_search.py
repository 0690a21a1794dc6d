"""Maxima at the boundary: which covariance matrices are singular, judged by Laplace's approximation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from statsmodels_mcla.covariance import ReducedTerm
from statsmodels_mcla.design import DesignFacts
from statsmodels_mcla.estimation.boundary.reduction import Reduction
from statsmodels_mcla.likelihood.laplace import evaluate_laplace
from statsmodels_mcla.numerics import Array

ROUND_OFF = 1e-10  # of correlations
SMALL_SD = 0.25  # of where the search starts: standard deviations, in any direction, that may be zero
NO_LOSS = 1e-3  # of log-likelihood
LIMIT = 1e-6  # of log-likelihood: a dispersion that is smaller than any error of it


def reduction_without_loss(design: DesignFacts, params: Array, size: float) -> tuple[Reduction, Array]:
    """Lowest ranks of the covariance matrices that lose no (Laplace) likelihood.

    Parameters
    ----------
    design : DesignFacts
        Of the whole model.
    params : ndarray (P,)
        Natural parameters; covariance matrices may be singular.
    size : float
        Standard deviation along the axes of the terms where a search starts: what others are measured by.

    Returns
    -------
    Reduction
    params : ndarray (P,)
        With the covariance matrices of the ranks found.
    """
    covariance, at = design.covariance, design.layout.covariance
    matrices = covariance.matrices(params[at])
    floor = None
    ranks = []
    for k, term in enumerate(design.loadings.terms):
        spread = np.linalg.eigvalsh(term.inner(matrices[k]))
        rank = term.whole.dim
        for lower in range(int((spread > (SMALL_SD * size) ** 2).sum()), rank):
            if floor is None:
                floor = _height(design, params, matrices) - NO_LOSS
            trial = [*matrices[:k], truncated(term, matrices[k], lower), *matrices[k + 1 :]]
            if _height(design, params, trial) > floor:
                matrices, rank = trial, lower
                break
        ranks.append(rank)
    out = params.copy()
    out[at] = covariance.pack(matrices)
    reduction = with_ranks(design, out, ranks)
    at_limit = dispersion_without_loss(design, out)
    if at_limit:
        out[design.layout.family] = 0.0
    return replace(reduction, at_limit=at_limit), out


def reduction_to(design: DesignFacts, params: Array, ranks: Sequence[int]) -> tuple[Reduction, Array]:
    """Give covariance matrices the nearest values of given ranks; arguments as in `reduction_without_loss`."""
    covariance, at = design.covariance, design.layout.covariance
    parts = zip(design.loadings.terms, covariance.matrices(params[at]), ranks, strict=True)
    out = params.copy()
    out[at] = covariance.pack([truncated(*part) for part in parts])
    return with_ranks(design, out, ranks), out


def reduction_at(design: DesignFacts, params: Array) -> tuple[Reduction, Array]:
    """Ranks that covariance matrices have but for round-off, which is left out of them, and a dispersion of zero."""
    matrices = design.covariance.matrices(params[design.layout.covariance])
    ranks = [_rank(term.inner(G)) for term, G in zip(design.loadings.terms, matrices, strict=True)]
    at_limit = design.has_limit and not np.any(params[design.layout.family])
    if all(rank == len(G) for rank, G in zip(ranks, matrices, strict=True)):
        return replace(Reduction.of(design), at_limit=at_limit), params
    reduction, params = reduction_to(design, params, ranks)
    return replace(reduction, at_limit=at_limit), params


def _rank(inner: Array) -> int:
    size = _sizes(inner)
    return int((np.linalg.eigvalsh(inner / np.outer(size, size)) > ROUND_OFF).sum())


def _sizes(inner: Array) -> Array:
    """Standard deviations, 1 for those that are zero."""
    return np.sqrt(np.where(np.diag(inner) > 0, np.diag(inner), 1.0))


def dispersion_without_loss(design: DesignFacts, params: Array) -> bool:
    """Whether a dispersion of zero loses no (Laplace) likelihood, where the family exists there."""
    if not design.has_limit:
        return False
    zero = params.copy()
    zero[design.layout.family] = 0.0
    matrices = design.covariance.matrices(design.layout.split(params).covariance)
    gained = np.array_equal(zero, params)
    return gained or _height(design, zero, matrices) > _height(design, params, matrices) - LIMIT


def _height(design: DesignFacts, params: Array, matrices: list[Array]) -> float:
    return evaluate_laplace(design, singular_working(design, params, matrices)).value


def truncated(term: ReducedTerm, G: Array, rank: int) -> Array:
    """Nearest matrix of the given rank, along the axes of the term."""
    values, vectors = np.linalg.eigh(term.inner(G))
    root = (vectors * np.sqrt(np.maximum(values, 0.0)))[:, len(values) - rank :]
    return term.outer(root @ root.T)


def with_ranks(design: DesignFacts, params: Array, ranks: Sequence[int]) -> Reduction:
    """Reduction of given ranks, with pivots that suit given parameters.

    The pivots of a singular matrix are taken in the order of pivoted elimination, the largest variance left first.

    Parameters
    ----------
    params : ndarray (P,)
        Natural parameters, with covariance matrices of the given ranks.
    """
    matrices = design.covariance.matrices(params[design.layout.covariance])
    parts = zip(design.loadings.terms, matrices, ranks, strict=True)
    return Reduction.of(
        design, [range(r) if r == len(G) else _elimination(term.inner(G), r) for term, G, r in parts]
    )


def pivots_of(term: ReducedTerm, G: Array, rank: int) -> tuple[int, ...]:
    """Coordinates along the axes that the others are combinations of, ascending."""
    return tuple(sorted(_elimination(term.inner(G), rank)))


def _elimination(left: Array, rank: int) -> list[int]:
    """Coordinates, the largest variance left first."""
    order = []
    for _ in range(rank):
        k = int(np.argmax(np.diag(left)))
        order.append(k)
        left = left - np.outer(left[:, k], left[k]) / left[k, k]
        left[k] = left[:, k] = 0.0
    return order


def singular_working(design: DesignFacts, params: Array, matrices: list[Array] | None = None) -> Array:
    """Fixed effects, loadings at full rank and dispersion of natural parameters whose matrices may be singular.

    The factor of a matrix of rank r is lower triangular, with zeros right of column r.
    """
    covariance, at = design.covariance, design.layout.covariance
    out = params.copy()
    factors = []
    matrices = covariance.matrices(params[at]) if matrices is None else matrices
    for term, G in zip(design.loadings.terms, matrices, strict=True):
        inner = term.inner(G)
        size = _sizes(inner)
        values, vectors = np.linalg.eigh(inner / np.outer(size, size))
        values = np.where(values > 1e-12, values, 0.0)
        root = (vectors * np.sqrt(values))[:, ::-1] * size[:, None]
        factors.append(np.linalg.qr(root.T)[1].T)
    out[at] = covariance.pack(factors)
    return out
