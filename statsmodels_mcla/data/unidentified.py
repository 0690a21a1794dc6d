"""Covariance matrices of random effects of which no data of this design could tell an entry."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from statsmodels_mcla.design import RandomTerm
from statsmodels_mcla.numerics import Array

NONE = 1e-9  # of a level's rows along an axis, or of all levels' along a covariance matrix: round-off


def refuse_unidentified_covariances(terms: Sequence[RandomTerm]) -> None:
    r"""Refuse effects of which some change of their covariance matrix G changes no level's distribution.

    Raises
    ------
    ValueError

    Notes
    -----
    A level with design :math:`Z_g` sees :math:`Z_g G Z_g'` alone.  G is identified if no symmetric N but zero has
    :math:`Z_g N Z_g' = 0` in every level: if the products :math:`v v'` of vectors in the levels' row spaces span all
    symmetric matrices.  One level that has rows for all effects is enough.
    """
    for term in terms:
        if unidentified_direction(_grams(term)) is not None:
            raise ValueError(
                f"`{term.text or term.name}`: no data of this design can tell all variances and covariances of "
                f"{', '.join(term.columns)} apart, because no level of {term.name} has rows for all of these effects "
                "(a covariate that does not vary within levels, or categories that no level has together). Keep what "
                f"varies within levels: (1 | {term.name}), and (1 | {term.name}:f) where levels have several "
                "categories of a factor f"
            )


def unidentified_direction(grams: Array) -> Array | None:
    """Symmetric matrix N (d, d) that no level sees, or None, from Z_g' Z_g of every level (L, d, d)."""
    d = grams.shape[-1]
    values, vectors = np.linalg.eigh(grams)
    rank = (values > NONE * np.maximum(values[:, -1:], np.finfo(float).tiny)).sum(axis=1)
    if d < 2 or np.any(rank == d):
        return None
    i, j = np.triu_indices(d)
    seen = np.zeros((len(i), len(i)))
    for r in np.unique(rank[rank > 0]).tolist():
        basis = vectors[rank == r][:, :, d - r :]
        for a in range(r):
            for b in range(a, r):
                product = basis[:, i, a] * basis[:, j, b] + basis[:, j, a] * basis[:, i, b]
                seen += product.T @ product
    twice = np.where(i == j, 1.0, 2.0)  # tr(N v v') from the upper triangle of N
    values, vectors = np.linalg.eigh(seen * np.outer(twice, twice))
    if values[0] > NONE * values[-1]:
        return None
    free = np.zeros((d, d))
    free[i, j] = free[j, i] = vectors[:, 0]
    return free


def _grams(term: RandomTerm) -> Array:
    """Z_g' Z_g of every level, along the term's axes (L, d, d)."""
    d, n = term.dim, term.Z.shape[0]
    out = np.zeros((term.n_levels, d, d))
    if d < 2:
        return out
    for i in range(d):
        own = np.flatnonzero(np.equal(term.predictors, term.predictors[i]))
        for j in own.tolist():  # others have rows of their own
            products = term.Z[:, i::d].multiply(term.Z[:, j::d])
            out[:, i, j] = np.asarray(products.sum(axis=0)).ravel()
    return np.asarray(term.axes.T @ out @ term.axes) / max(n, 1)
