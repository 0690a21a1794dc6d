"""Variances and covariances of random effects that no data of this design could tell."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations_with_replacement
from typing import Protocol

import numpy as np
from scipy import sparse

from statsmodels_mcla.design import RandomTerm
from statsmodels_mcla.exceptions import warn_user
from statsmodels_mcla.numerics import Array, consecutive_slices

NONE = 1e-9  # of a level's rows along an axis, or of all levels' along a covariance matrix: round-off
ALIKE = (
    1e-15  # a variance, of what is left of one where the others have their share: round-off of exact numbers
)


class NamedEffects(Protocol):
    """What an error says of a term."""

    @property
    def name(self) -> str:
        """Of the grouping factor."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The effects of a level."""


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


def refuse_uncounted(name: str, columns: Sequence[str], n_rows: int) -> None:
    """Refuse effects with more variances and covariances than there are rows, before these are looked at closely."""
    count = len(columns) * (len(columns) + 1) // 2
    if len(columns) > 1 and count > n_rows:
        raise ValueError(
            f"random effects of {name}: {len(columns)} effects a level ({', '.join(columns[:3])}, ...) have {count} "
            f"variances and covariances, more than there are rows ({n_rows}). A factor of many categories makes levels "
            f"of its own: (1 | {name}) + (1 | {name}:f); a number held as text is converted with pd.to_numeric"
        )


def warn_of_row_effects(names: Sequence[str]) -> None:
    """Warn of terms with one effect for each binary response: only the shape of the link tells of their variance."""
    if names:
        warn_user(
            f"the random effects of {', '.join(map(repr, names))} have one binary response each: such responses tell "
            "next to nothing of their variance, which other effects are relative to, and a fit may take long. Leave "
            "them out; overdispersion is for counts and for successes out of several trials"
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


def refuse_unidentified_terms(terms: Sequence[NamedEffects], seen: Array) -> None:
    r"""Refuse terms of which some change of their covariance matrices together changes no row's distribution.

    Parameters
    ----------
    terms : sequence
        All of a model, by name and effects.
    seen : ndarray
        What the rows tell of the terms' covariance matrices: see `seen_together`.

    Raises
    ------
    ValueError

    Notes
    -----
    Rows see :math:`\sum_k Z_k (I \otimes G_k) Z_k'` of K terms.  The matrices G are identified if what their single
    entries add to it is linearly independent: if the inner products of these parts are a regular matrix.
    """
    size = np.sqrt(np.maximum(np.diag(seen), np.finfo(float).tiny))
    values, vectors = np.linalg.eigh(seen / np.multiply.outer(size, size))
    term = np.repeat(np.arange(len(terms)), [len(symmetric_basis(len(t.columns))) for t in terms])
    for direction in vectors[:, values <= ALIKE * len(seen)].T:
        involved = [terms[k] for k in np.unique(term[np.abs(direction) > np.sqrt(NONE)])]
        if len({t.name for t in involved}) > 1:  # of one factor, reading the formula warns
            names = " and ".join(f"({' + '.join(t.columns)} | {t.name})" for t in involved)
            raise ValueError(
                f"random effects {names}: no data of this design can tell their variances apart, because they "
                "divide the rows alike (each level of the one has its own level of the other). Keep one of them"
            )


def seen_together(terms: Sequence[RandomTerm]) -> Array:
    """Inner products of what entries of all terms' covariance matrices, along the terms' axes, add to the rows' (D, D).

    With T the products Z_g' Z_h of the rows that level g of one term and h of another have in common, those of
    symmetric matrices M and N are sums over g, h of tr(M T N T').
    """
    if len(terms) == 1:  # `seen_by_levels` tells all of it
        return np.eye(len(symmetric_basis(terms[0].dim)))
    n = max(terms[0].Z.shape[0], 1)
    of_levels = [sparse.bsr_array(t.Z, blocksize=(1, t.dim)) for t in terms]
    bases = [symmetric_basis(t.dim) for t in terms]
    cuts = consecutive_slices(map(len, bases))
    out = np.zeros((cuts[-1].stop, cuts[-1].stop))
    for a, b in combinations_with_replacement(range(len(terms)), 2):
        common = np.equal.outer(terms[a].predictors, terms[b].predictors)  # others have rows of their own
        T = terms[a].axes.T @ (common * (of_levels[a].T @ of_levels[b]).data) @ terms[b].axes
        pairs = T.reshape(len(T), terms[a].dim * terms[b].dim)
        shape = (terms[a].dim, terms[b].dim) * 2
        own = np.einsum("pij,jlim,qlm->pq", bases[a], (pairs.T @ pairs).reshape(shape) / n, bases[b])
        out[cuts[a], cuts[b]], out[cuts[b], cuts[a]] = own, own.T
    return out


def symmetric_basis(d: int) -> Array:
    """Symmetric matrices with one entry on or above the diagonal (D, d, d)."""
    i, j = np.triu_indices(d)
    out = np.zeros((len(i), d, d))
    out[np.arange(len(i)), i, j] = out[np.arange(len(i)), j, i] = 1.0
    return out


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
