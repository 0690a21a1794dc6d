"""Models at the boundary: terms of reduced rank, in parameters that are free there.

A covariance matrix G of d effects whose maximum has rank r < d is singular, and the density of the effects
degenerates.  With r of the coordinates, the *pivots*, whose own covariance G_1 is regular, the others are
combinations of them: u_2 = A u_1.  The reduced model draws u_1 ~ N(0, G_1) alone; its parameters are the
variances and covariances in G_1 and the *loadings* A, which act on eta through (Z_1 + Z_2 A) u_1.  All are
interior, and as many as a matrix of rank r has: standard errors are as usual, and

    G = C G_1 C',   C = [I; A] in the order of the coordinates,

carries them over to the variances and covariances of the model.  r = 0 is a variance of zero: a term that vanishes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import scipy.sparse as sp

from statsmodels_mcla.covariance import CovarianceTerm
from statsmodels_mcla.design import MixedDesign
from statsmodels_mcla.formula.terms import RandomTerm
from statsmodels_mcla.linalg import Array

__all__ = ["ReducedTerm", "Reduction"]


@dataclass(frozen=True)
class ReducedTerm:
    """One term with the coordinates that its effects are combinations of.

    Attributes
    ----------
    whole : CovarianceTerm
        As in the model.
    levels : int
    pivots : tuple of int
        Coordinates that are drawn, ascending; all of them where nothing is reduced.
    """

    whole: CovarianceTerm
    levels: int
    pivots: tuple[int, ...]

    @cached_property
    def others(self) -> tuple[int, ...]:
        """Coordinates that are combinations of the pivots; none where the term vanishes."""
        return tuple(i for i in range(self.whole.dim) if i not in self.pivots) if self.pivots else ()

    @property
    def rank(self) -> int:
        """Rank of G."""
        return len(self.pivots)

    @property
    def singular(self) -> bool:
        """Whether G is singular."""
        return self.rank < self.whole.dim

    @cached_property
    def part(self) -> CovarianceTerm:
        """Covariance of the pivots."""
        return CovarianceTerm(self.whole.name, tuple(self.whole.columns[k] for k in self.pivots))

    @property
    def n_loadings(self) -> int:
        """Number of entries of A."""
        return len(self.others) * self.rank

    def combination(self, loadings: Array) -> Array:
        """C (d, r), from the rows of A one after another."""
        C = np.zeros((self.whole.dim, self.rank))
        C[list(self.pivots)] = np.eye(self.rank)
        if self.others:
            C[list(self.others)] = loadings.reshape(len(self.others), self.rank)
        return C

    def restrict(self, G: Array) -> tuple[Array, Array]:
        """Covariance parameters of the pivots, and loadings, of a given G."""
        pivots = list(self.pivots)
        G1 = G[np.ix_(pivots, pivots)]
        A = np.linalg.solve(G1, G[np.ix_(pivots, list(self.others))]).T if self.others else np.zeros(0)
        return self.part.pack(G1), A.ravel()

    def extend(self, theta: Array, loadings: Array) -> Array:
        """G, from the covariance parameters of the pivots and the loadings."""
        C = self.combination(loadings)
        return np.asarray(C @ self.part.matrix(theta) @ C.T)

    def jacobian(self, theta: Array, loadings: Array) -> tuple[Array, Array]:
        """Derivatives of the parameters of G in those of G_1, (size, r (r + 1) / 2), and in A, (size, a)."""
        C, G1 = self.combination(loadings), self.part.matrix(theta)
        inner = [self.whole.pack(C @ E @ C.T) for E in self.part.basis]
        outer = []
        for i in self.others:
            for k in range(self.rank):
                change = np.zeros((self.whole.dim, self.whole.dim))
                change[i] = G1[k] @ C.T
                outer.append(self.whole.pack(change + change.T))
        shape = (0, self.whole.size)
        return np.array(inner).reshape(-1, shape[1]).T, np.array(outer).reshape(-1, shape[1]).T


@dataclass(frozen=True)
class Reduction:
    """From the parameters of a model to those that are free at its maximum, and back.

    Parameters of the model are (beta, variances and covariances, dispersion); *fitted* parameters, those of the
    reduced design, are (beta, variances and covariances of the pivots, loadings, dispersion).  Where nothing is
    reduced, they are the same.

    Attributes
    ----------
    terms : tuple of ReducedTerm
    n_fixed, n_dispersion : int
    """

    terms: tuple[ReducedTerm, ...]
    n_fixed: int
    n_dispersion: int

    @classmethod
    def of(cls, design: MixedDesign, pivots: Sequence[tuple[int, ...]] | None = None) -> Reduction:
        """Reduce the terms of a model's design to the given pivots; by default, reduce nothing."""
        covariance = design.covariance.terms
        if pivots is None:
            pivots = [tuple(range(t.dim)) for t in covariance]
        terms = tuple(
            ReducedTerm(c, len(t.levels), tuple(sorted(p)))
            for c, t, p in zip(covariance, design.terms, pivots, strict=True)
        )
        return cls(terms, design.n_fixed, design.n_dispersion)

    @property
    def pivots(self) -> tuple[tuple[int, ...], ...]:
        """Coordinates of each term that are drawn."""
        return tuple(t.pivots for t in self.terms)

    @property
    def ranks(self) -> tuple[int, ...]:
        """Rank of the covariance matrix of each term."""
        return tuple(t.rank for t in self.terms)

    @property
    def singular(self) -> tuple[int, ...]:
        """Terms whose covariance matrix is singular."""
        return tuple(k for k, t in enumerate(self.terms) if t.singular)

    @property
    def vanished(self) -> tuple[int, ...]:
        """Terms whose variances are all zero."""
        return tuple(k for k, t in enumerate(self.terms) if not t.rank)

    @cached_property
    def keep(self) -> np.ndarray:
        """Parameters of the model that are not zero by reduction, (P,) bool: those that have standard errors."""
        inside = [np.full(t.whole.size, t.rank > 0) for t in self.terms]
        return np.concatenate([np.ones(self.n_fixed, bool), *inside, np.ones(self.n_dispersion, bool)])

    @cached_property
    def free_working(self) -> np.ndarray:
        """Which of (fixed effects, Cholesky entries, dispersion) are free, (P,) bool.

        The factor of a matrix of rank r has r columns; the others are zero.
        """
        inside = [t.whole.lower[1] < t.rank for t in self.terms]
        return np.concatenate([np.ones(self.n_fixed, bool), *inside, np.ones(self.n_dispersion, bool)])

    @cached_property
    def place(self) -> np.ndarray:
        """Fitted parameter that each parameter of the model is, (P,) int; -1 in singular terms."""
        place, start = [np.arange(self.n_fixed)], self.n_fixed
        for t in self.terms:
            place.append(np.full(t.whole.size, -1) if t.singular else start + np.arange(t.part.size))
            start += t.part.size
        start += sum(t.n_loadings for t in self.terms)
        return np.concatenate([*place, start + np.arange(self.n_dispersion)])

    def reduce(self, design: MixedDesign) -> MixedDesign:
        """Design of the pivots, with the other coordinates tied to them by loadings."""
        if not self.singular:
            return design
        terms, tied = [], []
        width = sum(t.levels * t.rank for t in self.terms)
        start = 0
        for term, t in zip(design.terms, self.terms, strict=True):
            first = np.arange(t.levels)[:, None] * t.whole.dim

            def columns(k: int, Z: sp.csr_array = term.Z, first: np.ndarray = first) -> sp.csr_array:
                return Z[:, (first + k).ravel()]

            if t.rank:
                own = term.Z[:, (first + np.array(t.pivots)).ravel()]
                terms.append(RandomTerm(term.name, t.part.columns, term.levels, sp.csr_array(own), term.text))
            for i in t.others:
                entries = columns(i).tocoo()
                for k in range(t.rank):
                    place = start + entries.coords[1] * t.rank + k
                    tied.append(
                        sp.csr_array((entries.data, (entries.coords[0], place)), shape=(design.n_rows, width))
                    )
            start += t.levels * t.rank
        return replace(design, terms=tuple(terms), ties=tuple(tied))

    def _split(self, fitted: Array) -> tuple[Array, list[Array], list[Array], Array]:
        """Beta, covariance parameters and loadings of each term, dispersion."""
        sizes = [
            self.n_fixed,
            *(t.part.size for t in self.terms),
            *(t.n_loadings for t in self.terms),
            self.n_dispersion,
        ]
        beta, *inner, phi = np.split(fitted, np.cumsum(sizes)[:-1])
        return beta, inner[: len(self.terms)], inner[len(self.terms) :], phi

    def restrict(self, params: Array) -> Array:
        """Fitted parameters of given parameters of the model; what singular terms have beyond their rank is lost."""
        start = self.n_fixed
        theta, loadings = [], []
        for t in self.terms:
            own, A = t.restrict(t.whole.matrix(params[start : start + t.whole.size]))
            theta.append(own)
            loadings.append(A)
            start += t.whole.size
        return np.concatenate([params[: self.n_fixed], *theta, *loadings, params[start:]])

    def extend(self, fitted: Array) -> Array:
        """Parameters of the model: natural scale, zero for vanished terms."""
        beta, theta, loadings, phi = self._split(fitted)
        parts = [
            t.whole.pack(t.extend(own, A)) for t, own, A in zip(self.terms, theta, loadings, strict=True)
        ]
        return np.concatenate([beta, *parts, phi])

    def jacobian(self, fitted: Array) -> Array:
        """Derivative of the model's parameters in the fitted ones, (P, P fitted): the identity if nothing is reduced.

        Rows of vanished terms are zero.  A covariance matrix or a score of the fitted parameters becomes one of
        the model's by it: J V J', where ``keep`` says which rows mean anything.
        """
        J = np.zeros((len(self.keep), len(fitted)))
        _, theta, loadings, _ = self._split(fitted)
        J[: self.n_fixed, : self.n_fixed] = np.eye(self.n_fixed)
        row = column = self.n_fixed
        tied = column + sum(t.part.size for t in self.terms)
        for t, own, A in zip(self.terms, theta, loadings, strict=True):
            rows = slice(row, row + t.whole.size)
            J[rows, column : column + t.part.size], J[rows, tied : tied + t.n_loadings] = t.jacobian(own, A)
            row, column, tied = rows.stop, column + t.part.size, tied + t.n_loadings
        J[row:, tied:] = np.eye(self.n_dispersion)
        return J

    def carry(self, fitted: Array, values: Array) -> Array:
        """Carry an error of the fitted parameters (P fitted,), or a covariance, over to the model's.

        NaN for vanished terms.
        """
        J = self.jacobian(fitted)
        out = J @ values if values.ndim == 1 else J @ values @ J.T
        for axis in range(values.ndim):
            np.moveaxis(out, axis, 0)[~self.keep] = np.nan
        return np.asarray(out)

    def effects(self, fitted: Array) -> sp.csr_array:
        """Matrix (Q, Q fitted) that turns drawn effects of the reduced design into the effects of the model.

        Columns are in the order of the columns of Z of the reduced design, rows in that of the model's: M u holds
        zeros for vanished terms and u_1, A u_1 for terms of reduced rank.
        """
        _, _, loadings, _ = self._split(fitted)
        parts = [
            sp.kron(sp.eye_array(t.levels), t.combination(A)) if t.rank else _no_columns(t)
            for t, A in zip(self.terms, loadings, strict=True)
        ]
        return sp.csr_array(sp.block_diag(parts)) if parts else sp.csr_array((0, 0))


def _no_columns(term: ReducedTerm) -> sp.csr_array:
    return sp.csr_array((term.levels * term.whole.dim, 0))
