"""Terms whose effects are drawn as pivots, combinations of them, and standard effects (see `estimation.boundary`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from statsmodels_mcla.covariance.unstructured import CovarianceTerm
from statsmodels_mcla.numerics import Array


class Layout(NamedTuple):
    """How the effects of a term are drawn.

    Attributes
    ----------
    pivots : tuple of int
        Coordinates that are drawn with their own covariance matrix, ascending.
    others : tuple of int
        The other coordinates; D is lower triangular in their order.
    standard : int
        Number of standard effects, at most that of the other coordinates.
    """

    pivots: tuple[int, ...]
    others: tuple[int, ...] = ()
    standard: int = 0

    @classmethod
    def of(cls, pivots: Sequence[int], dim: int) -> Layout:
        """Draw the given coordinates with their own covariance matrix, none for a term that vanishes."""
        return cls(tuple(sorted(pivots)), tuple(k for k in range(dim) if pivots and k not in pivots))

    @property
    def leading(self) -> tuple[int, ...]:
        """Coordinates that the rest are combinations of, as many as the rank, ascending."""
        return tuple(sorted((*self.pivots, *self.others[: self.standard])))


@dataclass(frozen=True)
class ReducedTerm:
    """One term of a model and how its effects are drawn.

    Attributes
    ----------
    whole : CovarianceTerm
        As in the model.
    levels : int
    layout : Layout
    """

    whole: CovarianceTerm
    levels: int
    layout: Layout

    @property
    def rank(self) -> int:
        """Rank of G."""
        return len(self.layout.pivots) + self.layout.standard

    @property
    def singular(self) -> bool:
        """Whether G is singular."""
        return self.rank < self.whole.dim

    @property
    def plain(self) -> bool:
        """Whether the effects are drawn as they stand."""
        return len(self.layout.pivots) == self.whole.dim

    @cached_property
    def part(self) -> CovarianceTerm:
        """Covariance of the pivots."""
        return CovarianceTerm(self.whole.name, tuple(self.whole.columns[k] for k in self.layout.pivots))

    @cached_property
    def free(self) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        """Coordinate and column of every entry of A and of D, in the order of the loadings."""
        pivots, others, standard = self.layout
        if not self.rank:
            return [], []
        return (
            [(i, k) for i in others for k in range(len(pivots))],
            [(i, k) for row, i in enumerate(others) for k in range(min(row + 1, standard))],
        )

    @property
    def n_loadings(self) -> int:
        """Number of entries of A and D."""
        return sum(map(len, self.free))

    def combinations(self, loadings: Array) -> tuple[Array, Array]:
        """C (d, r_1) and E (d, r_2)."""
        pivots, _, standard = self.layout
        C, E = np.zeros((self.whole.dim, len(pivots))), np.zeros((self.whole.dim, standard))
        C[list(pivots)] = np.eye(len(pivots))
        tied, scaled = self.free
        for (i, k), value in zip(tied, loadings[: len(tied)], strict=True):
            C[i, k] = value
        for (i, k), value in zip(scaled, loadings[len(tied) :], strict=True):
            E[i, k] = value
        return C, E

    def restrict(self, G: Array) -> tuple[Array, Array]:
        """Covariance parameters of the pivots, and loadings, of a given G.

        Raises
        ------
        numpy.linalg.LinAlgError
            If the rank of G is too low.
        """
        pivots, others, standard = map(list, (*self.layout[:2], range(self.layout.standard)))
        if not self.rank:
            return np.zeros(0), np.zeros(0)
        G1, cross, left = G[np.ix_(pivots, pivots)], G[np.ix_(others, pivots)], G[np.ix_(others, others)]
        A = np.linalg.solve(G1, cross.T).T
        left = left - A @ cross.T
        D = np.linalg.solve(np.linalg.cholesky(left[np.ix_(standard, standard)]), left[standard]).T
        scaled = [D[others.index(i), k] for i, k in self.free[1]]
        return self.part.pack(G1), np.concatenate([A.ravel(), scaled])

    def extend(self, theta: Array, loadings: Array) -> Array:
        """G, from the covariance parameters of the pivots and the loadings."""
        C, E = self.combinations(loadings)
        return np.asarray(C @ self.part.matrix(theta) @ C.T + E @ E.T)

    def jacobian(self, theta: Array, loadings: Array) -> tuple[Array, Array]:
        """Derivatives of the parameters of G in those of G_1, (size, r_1 (r_1 + 1) / 2), and in the loadings."""
        C, E = self.combinations(loadings)
        CG = C @ self.part.matrix(theta)
        inner = [self.whole.pack(C @ basis @ C.T) for basis in self.part.basis]
        outer = []
        for entries, columns in zip(self.free, (CG, E), strict=True):
            for i, k in entries:
                change = np.zeros((self.whole.dim, self.whole.dim))
                change[i] = columns[:, k]
                outer.append(self.whole.pack(change + change.T))
        width = self.whole.size
        return np.array(inner).reshape(-1, width).T, np.array(outer).reshape(-1, width).T

    def curvature(self, theta: Array, loadings: Array, gradient: Array) -> Array:
        """Sum over the parameters of G of gradient times their second derivatives in (theta, loadings)."""
        C, G1 = self.combinations(loadings)[0], self.part.matrix(theta)
        S = 0.5 * self.whole.matrix(gradient)  # gradient @ pack(G) = sum of S * G
        S[np.diag_indices(len(S))] *= 2.0
        tied, scaled = self.free
        n, a = self.part.size, len(tied)
        out = np.zeros((n + a + len(scaled),) * 2)
        for row, (i, k) in enumerate(tied, n):
            for column, basis in enumerate(self.part.basis):
                out[row, column] = out[column, row] = 2.0 * (basis @ C.T @ S)[k, i]
            for column, (j, m) in enumerate(tied, n):
                out[row, column] = 2.0 * S[i, j] * G1[k, m]
        for row, (i, k) in enumerate(scaled, n + a):
            for column, (j, m) in enumerate(scaled, n + a):
                out[row, column] = 2.0 * S[i, j] * (k == m)
        return out
