r"""Roots of conditional covariances: R with R R' = A^-1, A = J' W J + I, and what is computed with them.

`DenseRoot` holds R as one array.  `EliminatedRoot` is for one large block whose effects are crossed: given the others,
the levels of its largest term are independent, so that these are eliminated and only the Schur complement of the rest
is dense,

    A = [ D  B ]     R = [ Ld^-T  -D^-1 B Ls^-T ]     D = Ld Ld',  S = E - B' D^-1 B = Ls Ls',
        [ B' E ],        [ 0       Ls^-T        ],

with D block-diagonal and B sparse.  Both are triangular in the order (eliminated, rest).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple, Protocol

import numpy as np
import scipy.sparse as sp
from scipy.linalg import solve_triangular

from statsmodels_mcla.design import EffectRows, SparseRows
from statsmodels_mcla.numerics import Array, inverse_root, multiply_draws, transpose

LARGE = 600  # effects of a block from which a term is eliminated
PIECE = 2**21  # numbers of a piece of rows x rest


class Map(Protocol):
    """A linear map of the draws of each block."""

    def apply(self, t: Array) -> Array:
        """Image (B, q, m) of t."""

    def take(self, index: np.ndarray | slice) -> Map:
        """Map of some of the blocks."""


class Root(Map, Protocol):
    """R of each block.  *Turns* are triangular matrices (B, q, q), or their diagonals (B, q): see `moving_draws`."""

    @property
    def log_det(self) -> Array:
        """log |R| (B,)."""

    def take(self, index: np.ndarray | slice) -> Root:
        """Root of some of the blocks."""

    def inflated(self, factor: float) -> Root:
        """R times a number."""

    def of(self, x: Array) -> Array:
        """R x (B, q)."""

    def back(self, g: Array) -> Array:
        """R' g (B, q), or (B, q, k)."""

    def inverse(self, b: Array) -> Array:
        """R^-1 b (B, q)."""

    def composed(self, turn: Array) -> Map:
        """R times a turn."""

    def local(self, places: np.ndarray) -> Array | None:
        """Entries (B, L, r, r) of R in the places (r, L) of each level, if these columns have no others."""

    def leverage(self, J: EffectRows) -> Array:
        """Conditional variance of each row's J b, (B, n)."""

    def trace(self, J: EffectRows, left: EffectRows, w: Array) -> float:
        """tr(left' diag(w) J R R'), summed over blocks."""

    def thirds(self, J: EffectRows, third: Array, *columns: np.ndarray) -> Array:
        """Sum over rows of third times the product of three columns of J R, (B, k), from three arrays of k places.

        Of two columns of different parts of the root (see `EliminatedRoot`), it is not known.
        """

    def turn(self, J: EffectRows, dW: Array, left: EffectRows | None = None, W: Array | None = None) -> Array:
        """Turn F with F + F' = -R' (left' W J + J' W left + J' dW J) R."""


def conditional_root(J: EffectRows, W: Array) -> Root:
    """Root of the inverse of J' W J + I.

    Raises
    ------
    numpy.linalg.LinAlgError
        If that is not positive definite.
    """
    if isinstance(J, SparseRows) and len(J.blocks) == 1 and J.n_effects >= LARGE:
        segment = J.eliminable()
        if segment is not None:
            return EliminatedRoot.of_rows(J, W, segment)
    P = J.gram(W) + np.eye(J.n_effects)
    degree = (P != 0.0).any(axis=0).sum(axis=0)
    if np.all(degree[1:] >= degree[:-1]):
        return DenseRoot(inverse_root(P)[0])
    order = np.argsort(degree, kind="stable")
    R = np.empty_like(P)
    R[:, order[:, None], order] = inverse_root(P[:, order[:, None], order])[0]
    return DenseRoot(R, order)


@dataclass(frozen=True)
class _DenseMap:
    """A map as one array (B, q, q)."""

    array: Array

    def apply(self, t: Array) -> Array:
        """See `Map`."""
        return multiply_draws(self.array, t, np.empty(t.shape))

    def take(self, index: np.ndarray | slice) -> _DenseMap:
        """See `Map`."""
        return _DenseMap(self.array[index])


@dataclass(frozen=True)
class DenseRoot:
    """R as one array (B, q, q).

    It is triangular in the order of the effects' degrees, the numbers of effects that they share rows with: those that
    are independent given the others come first, and have columns of their own.
    """

    array: Array
    order: np.ndarray | None = None

    @property
    def log_det(self) -> Array:
        """See `Root`."""
        return np.log(np.abs(np.diagonal(self.array, axis1=-2, axis2=-1))).sum(axis=-1)

    def take(self, index: np.ndarray | slice) -> DenseRoot:
        """See `Root`."""
        return DenseRoot(self.array[index], self.order)

    def inflated(self, factor: float) -> DenseRoot:
        """See `Root`."""
        return DenseRoot(factor * self.array, self.order)

    def apply(self, t: Array) -> Array:
        """See `Map`."""
        return multiply_draws(self.array, t, np.empty(t.shape))

    def of(self, x: Array) -> Array:
        """See `Root`."""
        return (self.array @ x[..., None])[..., 0] if x.ndim == 2 else self.array @ x

    def back(self, g: Array) -> Array:
        """See `Root`."""
        up = transpose(self.array)
        return (up @ g[..., None])[..., 0] if g.ndim == 2 else up @ g

    def inverse(self, b: Array) -> Array:
        """See `Root`."""
        return np.asarray(np.linalg.solve(self.array, b[..., None])[..., 0])

    def composed(self, turn: Array) -> Map:
        """See `Root`."""
        return _DenseMap(self.array @ turn)

    def local(self, places: np.ndarray) -> Array | None:
        """See `Root`."""
        levels = places.T
        own = self.array[:, levels[:, :, None], levels[:, None, :]]
        return own if np.count_nonzero(self.array[:, :, places.ravel()]) == np.count_nonzero(own) else None

    def leverage(self, J: EffectRows) -> Array:
        """See `Root`."""
        return np.concatenate([(JR * JR).sum(axis=-1) for _, JR in J.rooted(self.array)], axis=1)

    def trace(self, J: EffectRows, left: EffectRows, w: Array) -> float:
        """See `Root`."""
        return float((J.gram(w, left) * (self.array @ transpose(self.array))).sum())

    def thirds(self, J: EffectRows, third: Array, *columns: np.ndarray) -> Array:
        """See `Root`."""
        out = np.zeros((len(third), len(columns[0])))
        for rows, JR in J.rooted(self.array):
            product = JR[..., columns[0]]
            for each in columns[1:]:
                product *= JR[..., each]
            out += (third[:, None, rows] @ product)[:, 0]
        return out

    def turn(self, J: EffectRows, dW: Array, left: EffectRows | None = None, W: Array | None = None) -> Array:
        """See `Root`."""
        change = J.gram(dW)
        if left is not None and W is not None:
            both = J.gram(W, left)
            change = change + both + transpose(both)
        upper = -(transpose(self.array) @ change @ self.array)
        place = np.arange(upper.shape[-1]) if self.order is None else np.argsort(self.order)
        upper *= np.where(place[:, None] < place, 1.0, np.where(place[:, None] == place, 0.5, 0.0))
        return upper


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


@dataclass(frozen=True)
class EliminatedRoot:
    """R of one block, with the levels of one term eliminated.

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
    factor : float
        All of R is times this.
    """

    eliminated: slice
    rest: np.ndarray
    upper: Array
    pull: sp.csr_array
    inverse_lower: Array
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
        return cls(slice(start, stop), rest, upper, pull, inverse)

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
        return _Stretched(self, turn)

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

    def thirds(self, J: EffectRows, third: Array, *columns: np.ndarray) -> Array:
        """See `Root`."""
        out = np.zeros((1, len(columns[0])))
        inside = (columns[0] >= self.eliminated.start) & (columns[0] < self.eliminated.stop)
        own = [each[inside] - self.eliminated.start for each in columns]
        others = [np.searchsorted(self.rest, each[~inside]) for each in columns]
        for part in self._rooted(J):
            weight = third[0, part.rows]
            first, rest = part.first[:, own[0]], part.rest[:, others[0]]
            for a, b in zip(own[1:], others[1:], strict=True):
                first, rest = first.multiply(part.first[:, a]), rest * part.rest[:, b]
            out[0, inside] += first.T @ weight
            out[0, ~inside] += weight @ rest
        return out

    def turn(self, J: EffectRows, dW: Array, left: EffectRows | None = None, W: Array | None = None) -> Array:
        """See `Root`; of the turn, the diagonal alone, which leaves little of the error."""
        out = np.zeros((1, J.n_effects))
        for part in self._rooted(J):
            weight = dW[0, part.rows]
            out[0, self.eliminated] += part.first.power(2).T @ weight
            out[0, self.rest] += weight @ (part.rest * part.rest)
        if left is not None and W is not None:
            for one, other in zip(self._rooted(left), self._rooted(J), strict=True):
                weight = 2.0 * W[0, one.rows]
                out[0, self.eliminated] += one.first.multiply(other.first).T @ weight
                out[0, self.rest] += weight @ (one.rest * other.rest)
        return -0.5 * out


@dataclass(frozen=True)
class _Stretched:
    """A root after a stretch of each coordinate, (1, q)."""

    root: EliminatedRoot
    stretch: Array

    def apply(self, t: Array) -> Array:
        """See `Map`."""
        return self.root.apply(self.stretch[..., None] * t)

    def take(self, index: np.ndarray | slice) -> _Stretched:
        """See `Map`."""
        return self
