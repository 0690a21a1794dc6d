r"""The root of one large block whose effects are crossed.

Given the others, the levels of its largest term are independent, so that these are eliminated and only the Schur
complement of the rest is dense,

    A = [ D  B ]     R = [ Ld^-T  -D^-1 B Ls^-T ]     D = Ld Ld',  S = E - B' D^-1 B = Ls Ls',
        [ B' E ],        [ 0       Ls^-T        ],

with D block-diagonal and B sparse.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from scipy.linalg import solve_triangular

from statsmodels_mcla.design import EffectRows, SparseRows
from statsmodels_mcla.likelihood.laplace.maps import Map
from statsmodels_mcla.numerics import Array, inverse_root, transpose

PIECE = 2**21  # numbers of a piece of rows x rest


class _Entries(NamedTuple):
    """Entries of sparse rows, filled up to equal numbers with zeros: places and values (n, widest)."""

    place: np.ndarray
    value: Array

    @classmethod
    def of(cls, rows: sp.csr_array) -> _Entries:
        """Entries of a matrix."""
        counts = np.diff(rows.indptr)
        row = np.repeat(np.arange(len(counts)), counts)
        place = np.arange(rows.nnz) - np.repeat(rows.indptr[:-1], counts)
        shape = len(counts), int(counts.max(initial=0))
        index, value = np.zeros(shape, int), np.zeros(shape)
        index[row, place], value[row, place] = rows.indices, rows.data
        return cls(index, value)


def _split(rows: EffectRows, eliminated: slice, rest: np.ndarray) -> tuple[_Entries, _Entries]:
    """Entries of the rows of the one block in the effects that are eliminated, and in the rest."""
    assert isinstance(rows, SparseRows)  # noqa: S101 - the root was made from such rows
    J = rows.blocks[0]
    return _Entries.of(sp.csr_array(J[:, eliminated])), _Entries.of(sp.csr_array(J[:, rest]))


class _Rooted(NamedTuple):
    """Some rows of J R: the eliminated part, sparse, and the rest."""

    rows: slice
    first: sp.csr_array
    rest: Array


class _Columns(NamedTuple):
    """Places of columns of `_Rooted`, one or several each, and whether they are among the eliminated."""

    inside: np.ndarray
    own: list[np.ndarray]
    others: list[np.ndarray]

    def sums(self, weight: Array, *parts: _Rooted) -> Array:
        """Sum over rows of weight times the product of the columns, each of its own part."""
        out = np.empty(len(self.inside))
        first, rest = parts[0].first[:, self.own[0]], parts[0].rest[:, self.others[0]]
        for part, own, others in zip(parts[1:], self.own[1:], self.others[1:], strict=True):
            first, rest = first.multiply(part.first[:, own]), rest * part.rest[:, others]
        out[self.inside], out[~self.inside] = first.T @ weight, weight @ rest
        return out


@dataclass(frozen=True)
class EliminatedRoot:
    """R of one block, with the levels of one term eliminated.

    Of turns it takes the bands (1, k, q) that lie within the levels of each term, entries (j, j), (j, j + 1), ...: the
    others leave little of the error.

    Attributes
    ----------
    eliminated : slice
        Places of that term's standard effects.
    rest : ndarray of int
        The others' places.
    upper : ndarray (L, r, r)
        Ld^-T, level by level.
    pull : scipy.sparse.csr_array (L r, rest)
        D^-1 B.
    inverse_lower : ndarray (rest, rest)
        Ls^-1.
    following : ndarray of int (q,)
        How many effects of the same level come after each.
    factor : float
        All of R is times this.
    """

    eliminated: slice
    rest: np.ndarray
    upper: Array
    pull: sp.csr_array
    inverse_lower: Array
    following: np.ndarray
    factor: float = 1.0

    @classmethod
    def of_rows(cls, J: SparseRows, W: Array, segment: tuple[int, int, int]) -> EliminatedRoot:
        """Root of the inverse of J' W J + I; the segment (start, levels, rank) is eliminated.

        Raises
        ------
        numpy.linalg.LinAlgError
            If that is not positive definite.
        """
        start, levels, rank = segment
        stop = start + levels * rank
        rest = np.r_[0:start, stop : J.n_effects]
        rows = J.blocks[0]
        weighted = sp.csr_array(sp.diags_array(W[0]) @ rows)
        own, others = rows[:, start:stop], rows[:, rest]
        inner = sp.coo_array(own.T @ weighted[:, start:stop])
        D = np.zeros((levels, rank, rank))
        i, j = inner.coords
        np.add.at(D, (i // rank, i % rank, j % rank), inner.data)
        upper, _ = inverse_root(D + np.eye(rank))
        B = sp.csr_array(own.T @ weighted[:, rest])
        pull = sp.csr_array(sp.block_diag(list(upper @ transpose(upper)), format="csr") @ B)
        S = (others.T @ weighted[:, rest]).toarray() - (B.T @ pull).toarray() + np.eye(len(rest))
        lower = np.linalg.cholesky(S)
        inverse = solve_triangular(lower, np.eye(len(rest)), lower=True, check_finite=False)
        following = np.concatenate([np.tile(np.arange(size)[::-1], count) for count, size in J.sizes])
        return cls(slice(start, stop), rest, upper, pull, inverse, following)

    @property
    def still(self) -> Array:
        """See `Root`."""
        bands = np.zeros((1, self.following.max(initial=0) + 1, len(self.following)))
        bands[:, 0] = 1.0
        return bands

    def diagonal(self, turns: Array) -> Array:
        """See `Root`."""
        return turns[..., 0, :]

    @cached_property
    def log_det(self) -> Array:
        """See `Root`."""
        q = self.upper.shape[0] * self.upper.shape[1] + len(self.rest)
        parts = np.diagonal(self.upper, axis1=1, axis2=2), np.diag(self.inverse_lower)
        return np.array([sum(float(np.log(part).sum()) for part in parts) + q * np.log(self.factor)])

    def take(self, index: np.ndarray | slice) -> EliminatedRoot:
        """See `Root`."""
        return self

    def inflated(self, factor: float) -> EliminatedRoot:
        """See `Root`."""
        return replace(self, factor=factor * self.factor)

    def _levels(self, matrices: Array, x: Array) -> Array:
        """Products of one matrix a level with the eliminated part (L r, k)."""
        L, r, _ = matrices.shape
        return (matrices @ x.reshape(L, r, -1)).reshape(x.shape)

    def apply(self, t: Array) -> Array:
        """See `Map`."""
        out = np.empty(t.shape)
        rest = self.factor * (self.inverse_lower.T @ t[0, self.rest])
        out[0, self.rest] = rest
        out[0, self.eliminated] = self.factor * self._levels(self.upper, t[0, self.eliminated])
        out[0, self.eliminated] -= self.pull @ rest
        return out

    def of(self, x: Array) -> Array:
        """See `Root`."""
        return self.apply(x[..., None])[..., 0] if x.ndim == 2 else self.apply(x)

    def back(self, g: Array) -> Array:
        """See `Root`."""
        if g.ndim == 2:
            return self.back(g[..., None])[..., 0]
        out, own = np.empty(g.shape), g[0, self.eliminated]
        out[0, self.eliminated] = self.factor * self._levels(transpose(self.upper), own)
        out[0, self.rest] = self.factor * (self.inverse_lower @ (g[0, self.rest] - self.pull.T @ own))
        return out

    def inverse(self, b: Array) -> Array:
        """See `Root`."""
        out = np.empty(b.shape)
        rest, own = b[0, self.rest], b[0, self.eliminated] + self.pull @ b[0, self.rest]
        out[0, self.rest] = solve_triangular(self.inverse_lower.T, rest) / self.factor
        out[0, self.eliminated] = self._levels(np.linalg.inv(self.upper), own[:, None])[:, 0] / self.factor
        return out

    def composed(self, turn: Array) -> Map:
        """See `Root`."""
        return _Turned(self, turn)

    @cached_property
    def _corner(self) -> Array:
        """D^-1 B Ls^-T, (L r, rest)."""
        return np.asarray(self.pull @ self.inverse_lower.T)

    @cached_property
    def _upper(self) -> sp.csr_array:
        return sp.csr_array(sp.block_diag(list(self.upper), format="csr"))

    def _rooted(self, rows: EffectRows) -> Iterator[_Rooted]:
        """J R, some rows at a time."""
        assert isinstance(rows, SparseRows)  # noqa: S101 - it was made from such rows
        J = rows.blocks[0]
        own, others = J[:, self.eliminated], J[:, self.rest]
        first = sp.csr_array(own @ self._upper)
        step = max(1, PIECE // max(1, len(self.rest)))
        for start in range(0, J.shape[0], step):
            some = slice(start, min(start + step, J.shape[0]))
            rest = others[some] @ self.inverse_lower.T
            rest -= own[some] @ self._corner
            yield _Rooted(some, self.factor * first[some], self.factor * rest)

    @cached_property
    def _covariances(self) -> tuple[Array, Array, Array]:
        """R R': within each eliminated level (L, r, r), of these with the rest, and of the rest."""
        r = self.upper.shape[1]
        rest = self.inverse_lower.T @ self.inverse_lower
        crossed = np.asarray(self.pull @ rest)
        own = self.upper @ transpose(self.upper)
        for i in range(r):
            for j in range(r):
                own[:, i, j] += np.asarray(self.pull[i::r].multiply(crossed[j::r]).sum(axis=1)).ravel()
        return tuple(self.factor**2 * part for part in (own, -crossed, rest))  # type: ignore[return-value]

    def _forms(self, left: EffectRows, right: EffectRows) -> Array:
        """Covariance of left b and right b, row by row (n,)."""
        own, crossed, rest = self._covariances
        r = own.shape[1]
        (a, x), (b, y) = (_split(rows, self.eliminated, self.rest) for rows in (left, right))
        out = np.zeros(len(a.place))
        for k in range(a.place.shape[1]):
            for m in range(b.place.shape[1]):
                cov = own[a.place[:, k] // r, a.place[:, k] % r, b.place[:, m] % r]
                out += a.value[:, k] * b.value[:, m] * cov
            for m in range(y.place.shape[1]):
                out += a.value[:, k] * y.value[:, m] * crossed[a.place[:, k], y.place[:, m]]
        for k in range(x.place.shape[1]):
            for m in range(b.place.shape[1]):
                out += x.value[:, k] * b.value[:, m] * crossed[b.place[:, m], x.place[:, k]]
            for m in range(y.place.shape[1]):
                out += x.value[:, k] * y.value[:, m] * rest[x.place[:, k], y.place[:, m]]
        return out

    def local(self, places: np.ndarray) -> Array | None:
        """See `Root`."""
        own = np.arange(self.eliminated.start, self.eliminated.stop).reshape(len(self.upper), -1)
        return self.factor * self.upper[None] if np.array_equal(own, places.T) else None

    def leverage(self, J: EffectRows) -> Array:
        """See `Root`."""
        return self._forms(J, J)[None]

    def trace(self, J: EffectRows, left: EffectRows, w: Array) -> float:
        """See `Root`."""
        return float(w[0] @ self._forms(left, J))

    def _columns(self, *places: np.ndarray) -> _Columns:
        inside = (places[0] >= self.eliminated.start) & (places[0] < self.eliminated.stop)
        own = [each[inside] - self.eliminated.start for each in places]
        return _Columns(inside, own, [np.searchsorted(self.rest, each[~inside]) for each in places])

    def thirds(self, J: EffectRows, third: Array, *columns: np.ndarray) -> Array:
        """See `Root`."""
        chosen = self._columns(*columns)
        out = np.zeros((1, len(columns[0])))
        for part in self._rooted(J):
            out += chosen.sums(third[0, part.rows], part, part, part)
        return out

    def turn(self, J: EffectRows, dW: Array, left: EffectRows | None = None, W: Array | None = None) -> Array:
        """See `Root`."""
        bands = np.zeros_like(self.still)
        places = [np.flatnonzero(self.following >= k) for k in range(bands.shape[1])]
        columns = [self._columns(each, each + k) for k, each in enumerate(places)]
        rooted = [self._rooted(J)] if left is None else [self._rooted(J), self._rooted(left)]
        for parts in zip(*rooted, strict=True):
            rows = parts[0].rows
            for k, (each, chosen) in enumerate(zip(places, columns, strict=True)):
                bands[0, k, each] -= chosen.sums(dW[0, rows], parts[0], parts[0])
                if W is not None:
                    bands[0, k, each] -= chosen.sums(W[0, rows], parts[-1], parts[0])
                    bands[0, k, each] -= chosen.sums(W[0, rows], parts[0], parts[-1])
        bands[:, 0] *= 0.5
        return bands


@dataclass(frozen=True)
class _Turned:
    """A root after a turn, (1, k, q)."""

    root: EliminatedRoot
    bands: Array

    def apply(self, t: Array) -> Array:
        """See `Map`."""
        turned = self.bands[:, 0, :, None] * t
        for k in range(1, self.bands.shape[1]):
            turned[:, :-k] += self.bands[:, k, :-k, None] * t[:, k:]
        return self.root.apply(turned)

    def take(self, index: np.ndarray | slice) -> _Turned:
        """See `Map`."""
        return self
