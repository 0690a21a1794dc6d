r"""Effects of a level as combinations of standard ones: u = A D b with b ~ N(0, I), so that G = A D D' A'.

A holds the *axes*, coordinates in which a term's design is orthonormal (see `RandomTerm`): the likelihood as a
function of D knows neither units nor origins of covariates. D is d x r and lower triangular in an *order* of the
coordinates, the first r of which are its pivots. Its free entries, the *loadings*, are as many parameters as a
covariance matrix of rank r has, and all of them are interior: a variance of zero or a correlation of one is a smaller
rank, and no limit of the parameters. r = d in the order as it stands is the Cholesky factor of G; r = 0 is a term
that vanishes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from statsmodels_mcla.covariance.unstructured import CovarianceTerm
from statsmodels_mcla.numerics import Array, consecutive_slices


@dataclass(frozen=True)
class ReducedTerm:
    """One term of a model and how its effects are made of standard ones.

    Attributes
    ----------
    whole : CovarianceTerm
        As in the model.
    levels : int
    order : tuple of int
        Coordinates; D is lower triangular in this order.
    rank : int
    axes : ndarray (d, d)
    absent : tuple of int
        Coordinates without effects, as where the linear predictor that they are part of has none: rows of zeros in D,
        last in the order.  The axes of the others do not mix with theirs.
    """

    whole: CovarianceTerm
    levels: int
    order: tuple[int, ...]
    rank: int
    axes: Array = field(compare=False)
    absent: tuple[int, ...] = ()

    @classmethod
    def of(
        cls,
        whole: CovarianceTerm,
        levels: int,
        pivots: Sequence[int] | None = None,
        axes: Array | None = None,
        absent: tuple[int, ...] = (),
    ) -> ReducedTerm:
        """Term of the rank and with the pivots given, along axes; as it stands by default."""
        first = tuple(range(whole.dim) if pivots is None else pivots)
        rest = tuple(k for k in range(whole.dim) if k not in (*first, *absent))
        axes = np.eye(whole.dim) if axes is None else axes
        return cls(whole, levels, (*first, *rest, *absent), len(first), axes, absent)

    def with_pivots(self, pivots: Sequence[int]) -> ReducedTerm:
        """Return the same term at another rank, with the effects that are pivots."""
        absent = tuple(k for k in self.absent if k not in pivots)
        return ReducedTerm.of(self.whole, self.levels, pivots, self.axes, absent)

    def without(self, absent: tuple[int, ...]) -> ReducedTerm:
        """Return the term without the effects of some coordinates, at the rank that it has if the others allow it."""
        present = [k for k in self.order if k not in absent]
        return ReducedTerm.of(self.whole, self.levels, sorted(present[: self.rank]), self.axes, absent)

    @property
    def present(self) -> np.ndarray:
        """Which parameters of the covariance matrix are not zero by having no effects (size of G,), bool."""
        has = ~np.isin(np.arange(self.whole.dim), self.absent if self.rank else range(self.whole.dim))
        return np.asarray(has[self.whole.lower[0]] & has[self.whole.lower[1]])

    @property
    def correlated(self) -> bool:
        """Whether some effects are exact combinations of others."""
        return 0 < self.rank < self.whole.dim - len(self.absent)

    @property
    def singular(self) -> bool:
        """Whether G is singular."""
        return self.rank < self.whole.dim

    @property
    def plain(self) -> bool:
        """Whether D is the Cholesky factor of G as it stands."""
        return not self.singular and self.order == tuple(range(self.whole.dim))

    @property
    def leading(self) -> tuple[int, ...]:
        """Coordinates that the rest are combinations of, as many as the rank, ascending."""
        return tuple(sorted(self.order[: self.rank]))

    @cached_property
    def entries(self) -> tuple[tuple[int, int], ...]:
        """Coordinate and column of every entry of D that is free: the loadings, in their order."""
        return tuple((i, k) for row, i in enumerate(self._rows) for k in range(min(row + 1, self.rank)))

    @property
    def _rows(self) -> tuple[int, ...]:
        return self.order[: self.whole.dim - len(self.absent)]

    @property
    def size(self) -> int:
        """Number of loadings."""
        return len(self.entries)

    @cached_property
    def diagonal(self) -> np.ndarray:
        """Places of the diagonal entries of D among the loadings, column by column."""
        return np.array([self.entries.index((self.order[k], k)) for k in range(self.rank)], int)

    def matrix(self, loadings: Array) -> Array:
        """D (d, r), along the axes."""
        out = np.zeros((self.whole.dim, self.rank))
        for (i, k), value in zip(self.entries, loadings, strict=True):
            out[i, k] = value
        return out

    def inner(self, G: Array) -> Array:
        """Covariance matrix D D' along the axes, of a given G."""
        half = np.linalg.solve(self.axes, G)
        found = np.linalg.solve(self.axes, half.T)
        return np.asarray(0.5 * (found + found.T))

    def outer(self, inner: Array) -> Array:
        """Give back G from D D'."""
        return np.asarray(self.axes @ inner @ self.axes.T)

    def factor(self, loadings: Array) -> Array:
        """A D (d, r), from standard effects to those of the model."""
        return np.asarray(self.axes @ self.matrix(loadings))

    def restrict(self, G: Array) -> Array:
        """Loadings of a given G; what it has beyond the rank is lost.

        Raises
        ------
        numpy.linalg.LinAlgError
            If the rank of G is too low.
        """
        order, r = list(self.order), self.rank
        if not r:
            return np.zeros(0)
        ordered = self.inner(G)[np.ix_(order, order)]
        lower = np.linalg.cholesky(ordered[:r, :r])
        D = np.linalg.solve(lower, ordered[:r]).T
        return np.array([D[order.index(i), k] for i, k in self.entries])

    def natural(self, loadings: Array) -> Array:
        """Variances and covariances, from the loadings."""
        D = self.factor(loadings)
        return self.whole.pack(D @ D.T)

    def jacobian(self, loadings: Array) -> Array:
        """Derivative of the variances and covariances in the loadings, (size of G, size)."""
        D = self.factor(loadings)
        out = np.zeros((self.whole.size, self.size))
        for a, (i, k) in enumerate(self.entries):
            change = np.outer(self.axes[:, i], D[:, k])
            out[:, a] = self.whole.pack(change + change.T)
        return out

    def curvature(self, gradient: Array) -> Array:
        """Sum over variances and covariances of gradient times their second derivatives in the loadings."""
        S = self.whole.matrix(gradient)  # gradient @ pack(G) = sum of S * G / 2, with the diagonal twice
        S[np.diag_indices(len(S))] *= 2.0
        S = self.axes.T @ S @ self.axes
        i, k = (
            (np.array(x, int) for x in zip(*self.entries, strict=True))
            if self.size
            else (np.zeros(0, int),) * 2
        )
        return np.where(k[:, None] == k, S[np.ix_(i, i)], 0.0)


@dataclass(frozen=True)
class Loadings:
    """The loadings of all terms, one after another."""

    terms: tuple[ReducedTerm, ...]

    @cached_property
    def slices(self) -> tuple[slice, ...]:
        """Where each term's loadings lie."""
        return consecutive_slices(t.size for t in self.terms)

    @property
    def size(self) -> int:
        """Number of loadings."""
        return sum(t.size for t in self.terms)

    @property
    def ranks(self) -> tuple[int, ...]:
        """Standard effects of a level of each term."""
        return tuple(t.rank for t in self.terms)

    @cached_property
    def entries(self) -> tuple[tuple[int, int, int], ...]:
        """Term, coordinate and column of each loading."""
        return tuple((t, i, k) for t, term in enumerate(self.terms) for i, k in term.entries)

    def factors(self, loadings: Array) -> list[Array]:
        """D of every term, along its axes: what goes with the Z of `Bucket`."""
        return [t.matrix(loadings[s]) for t, s in zip(self.terms, self.slices, strict=True)]
