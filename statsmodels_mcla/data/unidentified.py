"""Covariance matrices of random effects of which no data of this design could tell an entry."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from statsmodels_mcla.design import RandomTerm
from statsmodels_mcla.numerics import Array

NONE = 1e-9  # of a level's rows along an axis, or of all levels' along a covariance matrix: round-off


def refuse_unidentified_covariance(name: str, columns: Sequence[str], seen: Array) -> None:
    r"""Refuse effects of which some change of their covariance matrix G changes no level's distribution.

    Parameters
    ----------
    name : str
        Of the grouping factor.
    columns : sequence of str
        The d effects of a level.
    seen : ndarray
        What the levels tell of G: see `seen_by_levels`, of all of them.

    Raises
    ------
    ValueError

    Notes
    -----
    A level with design :math:`Z_g` sees :math:`Z_g G Z_g'` alone.  G is identified if no symmetric N but zero has
    :math:`Z_g N Z_g' = 0` in every level: if the products :math:`v v'` of vectors in the levels' row spaces span all
    symmetric matrices.  One level that has rows for all effects is enough.
    """
    if unseen_direction(seen) is not None:
        raise ValueError(
            f"random effects of {name}: no data of this design can tell all variances and covariances of "
            f"{', '.join(columns)} apart, because no level of {name} has rows for all of these effects (a covariate "
            "that does not vary within levels, or categories that no level has together). Keep what varies within "
            f"levels: (1 | {name}), and (1 | {name}:f) where levels have several categories of a factor f"
        )


def seen_by_levels(term: RandomTerm) -> Array:
    """Sum over levels of the products of symmetric matrices v v' in their row spaces, along the term's axes (D, D)."""
    return seen_by(_grams(term))


def seen_by(grams: Array) -> Array:
    """The same, from Z_g' Z_g of every level (L, d, d); D = d (d + 1) / 2."""
    d = grams.shape[-1]
    i, j = np.triu_indices(d)
    values, vectors = np.linalg.eigh(grams)
    rank = (values > NONE * np.maximum(values[:, -1:], np.finfo(float).tiny)).sum(axis=1)
    if np.any(rank == d):  # that level tells all
        return np.eye(len(i))
    seen = np.zeros((len(i), len(i)))
    for r in np.unique(rank[rank > 0]).tolist():
        basis = vectors[rank == r][:, :, d - r :]
        for a in range(r):
            for b in range(a, r):
                product = basis[:, i, a] * basis[:, j, b] + basis[:, j, a] * basis[:, i, b]
                seen += product.T @ product
    return seen


def unseen_direction(seen: Array) -> Array | None:
    """Symmetric matrix N (d, d) that no level sees, or None."""
    d = (int(np.sqrt(8 * len(seen) + 1)) - 1) // 2
    i, j = np.triu_indices(d)
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
        return np.ones_like(out)
    for i in range(d):
        own = np.flatnonzero(np.equal(term.predictors, term.predictors[i]))
        for j in own.tolist():  # others have rows of their own
            products = term.Z[:, i::d].multiply(term.Z[:, j::d])
            out[:, i, j] = np.asarray(products.sum(axis=0)).ravel()
    return np.asarray(term.axes.T @ out @ term.axes) / max(n, 1)
