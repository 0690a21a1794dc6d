r"""The root of one large block whose effects are crossed.

Given the others, the levels of its largest term are independent, so that these are eliminated and only the Schur
complement of the rest is dense,

    A = [ D  B ]     R = [ Ld^-T  -D^-1 B Ls^-T ]     D = Ld Ld',  S = E - B' D^-1 B = Ls Ls',
        [ B' E ],        [ 0       Ls^-T        ],

with D block-diagonal and B sparse.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from scipy.linalg import solve_triangular

from statsmodels_mcla.design import EffectRows, SparseRows, SplitRows
from statsmodels_mcla.likelihood.laplace.maps import Map
from statsmodels_mcla.numerics import Array, inverse_of_lower, inverse_root, transpose

PIECE = 2**21  # numbers of a piece of rows x rest
MOST_FILLED = 2**18  # entries between eliminated effects and the rest, of which most may be zero


def _split(rows: EffectRows, eliminated: slice) -> SplitRows:
    """Rows of the one block in the effects that are eliminated, and in the rest."""
    assert isinstance(rows, SparseRows)  # noqa: S101 - the root was made from such rows
    return rows.split(eliminated)


class _Rooted(NamedTuple):
    """Some rows of J R: the eliminated part, sparse, and the rest."""

    rows: slice
    first: sp.csr_array
    rest: Array


class _Columns(NamedTuple):
    """Places of columns of `_Rooted`, one or several each, and whether they are among the eliminated."""

    inside: np.ndarray
    own: list[Any]
    others: list[Any]

    def sums(self, weight: Array, *parts: _Rooted) -> Array:
        """Sum over rows of weight times the product of the columns, each of its own part."""
        out = np.empty(len(self.inside))
        first, rest = parts[0].first[:, self.own[0]], parts[0].rest[:, self.others[0]]
        for part, own, others in zip(parts[1:], self.own[1:], self.others[1:], strict=True):
            first, rest = first.multiply(part.first[:, own]), rest * part.rest[:, others]
        out[self.inside], out[~self.inside] = first.T @ weight, weight @ rest
        return out


def _consecutive(places: np.ndarray) -> Any:
    """Places as a slice where they are one, which copies nothing."""
    some = slice(int(places[0]), int(places[-1]) + 1) if len(places) else slice(0)
    return some if np.array_equal(places, np.arange(some.start or 0, some.stop)) else places


def _block_diagonal(blocks: Array) -> sp.csr_array:
    """Sparse matrix (L r, L r) of blocks (L, r, r)."""
    places = np.arange(len(blocks) + 1)
    return sp.csr_array(sp.bsr_array((blocks, places[:-1], places)).tocsr())


@dataclass(frozen=True)
class EliminatedRoot:
    """R of one block, with the levels of one term eliminated.

    A turn F of its coordinates is block triangular, too, and one row of numbers (see `Turn`).

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
        own, B, E = J.split(slice(start, stop)).gram(W[0])
        upper, _ = inverse_root(_level_blocks(own, levels, rank) + np.eye(rank))
        pull = sp.csr_array(_block_diagonal(upper @ transpose(upper)) @ B)
        S = E - (B.T @ pull).toarray() + np.eye(len(rest))
        inverse = inverse_of_lower(np.linalg.cholesky(S)[None])[0]
        return cls(slice(start, stop), rest, upper, pull, inverse)

    @property
    def still(self) -> Array:
        """See `Root`."""
        L, r, _ = self.upper.shape
        return Turn(np.tile(np.eye(r), (L, 1, 1)), np.zeros(self.pull.nnz), np.eye(len(self.rest))).numbers

    def parts(self, turn: Array) -> Turn:
        """Parts of a turn, from its numbers (1, k)."""
        size = len(self.rest)
        own, between, others = np.split(turn[0], np.cumsum([self.upper.size, self.pull.nnz]))
        return Turn(own.reshape(self.upper.shape), between, others.reshape(size, size))

    def diagonal(self, turns: Array) -> Array:
        """See `Root`."""
        if turns.ndim == 3:
            return np.stack([self.diagonal(each) for each in np.moveaxis(turns, 1, 0)], axis=1)
        turn, out = (
            self.parts(turns),
            np.empty((1, self.upper.shape[0] * self.upper.shape[1] + len(self.rest))),
        )
        out[:, self.eliminated] = np.diagonal(turn.own, axis1=1, axis2=2).ravel()
        out[:, self.rest] = np.diag(turn.others)
        return out

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

    def levels_times(self, matrices: Array, x: Array) -> Array:
        """Products of one matrix a level with the eliminated part (L r, k)."""
        L, r, _ = matrices.shape
        return (matrices @ x.reshape(L, r, -1)).reshape(x.shape)

    def apply(self, t: Array) -> Array:
        """See `Map`."""
        out = np.empty(t.shape)
        rest = self.factor * (self.inverse_lower.T @ t[0, self.rest])
        out[0, self.rest] = rest
        out[0, self.eliminated] = self.factor * self.levels_times(self.upper, t[0, self.eliminated])
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
        out[0, self.eliminated] = self.factor * self.levels_times(transpose(self.upper), own)
        out[0, self.rest] = self.factor * (self.inverse_lower @ (g[0, self.rest] - self.pull.T @ own))
        return out

    def inverse(self, b: Array) -> Array:
        """See `Root`."""
        out = np.empty(b.shape)
        rest, own = b[0, self.rest], b[0, self.eliminated] + self.pull @ b[0, self.rest]
        out[0, self.rest] = solve_triangular(self.inverse_lower.T, rest) / self.factor
        out[0, self.eliminated] = (
            self.levels_times(np.linalg.inv(self.upper), own[:, None])[:, 0] / self.factor
        )
        return out

    def composed(self, turn: Array) -> Map:
        """See `Root`."""
        return _Turned(self, self.parts(turn))

    @cached_property
    def _corner(self) -> Array:
        """D^-1 B Ls^-T, (L r, rest)."""
        return np.asarray(self.pull @ self.inverse_lower.T)

    @cached_property
    def _upper(self) -> sp.csr_array:
        return _block_diagonal(self.upper)

    def _rooted(self, rows: EffectRows) -> Iterator[_Rooted]:
        """J R, some rows at a time."""
        split = _split(rows, self.eliminated)
        own, others = split.own, split.others
        first = sp.csr_array(own @ self._upper)
        step = max(1, PIECE // max(1, len(self.rest)))
        for start in range(0, own.shape[0], step):
            some = slice(start, min(start + step, own.shape[0]))
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
        (a, x), (b, y) = (_split(rows, self.eliminated).entries for rows in (left, right))
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
        own = [_consecutive(each[inside] - self.eliminated.start) for each in places]
        others = [_consecutive(np.searchsorted(self.rest, each[~inside])) for each in places]
        return _Columns(inside, own, others)

    def thirds(self, J: EffectRows, third: Array, *columns: np.ndarray) -> Array:
        """See `Root`."""
        chosen = self._columns(*columns)
        out = np.zeros((1, len(columns[0])))
        for part in self._rooted(J):
            out += chosen.sums(third[0, part.rows], part, part, part)
        return out

    def turn(self, J: EffectRows, dW: Array, left: EffectRows | None = None, W: Array | None = None) -> Array:
        """See `Root`."""
        rows = _split(J, self.eliminated)
        changes = [rows.gram(dW[0])]
        if left is not None and W is not None:
            changes.append(rows.gram(W[0], _split(left, self.eliminated)))
        parts: Any = zip(*changes, strict=True)
        own, between, others = (self.factor**2 * sum(part[1:], part[0]) for part in parts)
        pulled = self.pull.T @ between
        between = sp.csr_array(between - own @ self.pull)
        others = others - (pulled + pulled.T - self.pull.T @ (own @ self.pull)).toarray()
        others = self.inverse_lower @ others @ self.inverse_lower.T
        levels = transpose(self.upper) @ _level_blocks(own, *self.upper.shape[:2]) @ self.upper
        return Turn(_half(-levels), -_on_pattern(between, self.pull), _half(-others)).numbers

    def filled(self) -> EliminatedRoot:
        """See `Root`: where they are few, turns have all entries between the eliminated effects and the rest."""
        if math.prod(self.pull.shape) > MOST_FILLED:
            return self
        rows, columns = self.pull.shape
        places = np.tile(np.arange(columns), rows), columns * np.arange(rows + 1)
        return replace(self, pull=sp.csr_array((self.pull.toarray().ravel(), *places), shape=self.pull.shape))

    def bend(self, J: tuple[EffectRows, EffectRows], W: Array, turns: tuple[Array, Array]) -> Array:
        """See `Root`: but for entries that a turn has none of."""
        still = self.parts(self.turn(J[1], np.zeros_like(W), J[0], W))
        parts = [self.parts(turn) for turn in turns]
        (a, N, d), (b, M, e) = ((own, self.on_levels(between), others) for own, between, others in parts)
        own = a @ b + b @ a + _half(transpose(a) @ b + transpose(b) @ a)
        up = transpose(self.upper)
        down = np.linalg.inv(up)
        between = self._beside(N, e) + self._beside(M, d)
        for left, right in ((a, M), (b, N)):
            between += (_block_diagonal(down @ (left + transpose(left)) @ up) @ right).toarray()
        across = ((_block_diagonal(up) @ N).T @ (_block_diagonal(up) @ M)).toarray()
        others = self.inverse_lower @ (across + across.T) @ self.inverse_lower.T
        others = d @ e + e @ d + _half(others + d.T @ e + e.T @ d)
        entries = between[self._levels, self.pull.indices]
        return Turn(still.own + own, still.between + entries, still.others + others).numbers

    def _beside(self, between: sp.csr_array, others: Array) -> Array:
        """N with Ld^-1 N Ls^-T the product of Ld^-1 between Ls^-T and others."""
        turned = self.inverse_lower.T @ others
        return np.asarray(between @ solve_triangular(self.inverse_lower, turned.T, lower=True).T)

    @cached_property
    def _levels(self) -> np.ndarray:
        """Rows of the entries of ``pull``."""
        return np.repeat(np.arange(self.pull.shape[0]), np.diff(self.pull.indptr))

    def products(self, g: Array, t: Array) -> Array:
        """See `Root`."""
        h = self.back(g)[0]
        L, r, _ = self.upper.shape
        first, own = h[self.eliminated], t[0, self.eliminated]
        lifted, pulled = self.levels_times(self.upper, first), self.inverse_lower.T @ t[0, self.rest]
        return Turn(
            first.reshape(L, r, -1) @ transpose(own.reshape(L, r, -1)),
            np.einsum("nc,nc->n", lifted[self._levels], pulled[self.pull.indices]),
            h[self.rest] @ t[0, self.rest].T,
        ).numbers

    def slopes_in_turns(self, products: Array) -> Array:
        """See `Root`."""
        return products

    def on_levels(self, between: Array) -> sp.csr_array:
        """A matrix (L r, rest) of entries on the pattern of ``pull``."""
        return sp.csr_array((between, self.pull.indices, self.pull.indptr), shape=self.pull.shape)


class Turn(NamedTuple):
    """A turn of an eliminated root: F = [own  Ld^-1 between Ls^-T;  0  others].

    Attributes
    ----------
    own : ndarray (L, r, r)
        Of each level that is eliminated, upper triangular.
    between : ndarray (nnz,)
        Entries on the pattern of the root's ``pull``.
    others : ndarray (rest, rest)
        Upper triangular.
    """

    own: Array
    between: Array
    others: Array

    @property
    def numbers(self) -> Array:
        """All of them in one row, (1, k)."""
        return np.concatenate([part.ravel() for part in self])[None]


def _half(matrices: Array) -> Array:
    """Upper triangles F with F + F' as given."""
    out, i = np.triu(matrices), np.arange(matrices.shape[-1])
    out[..., i, i] *= 0.5
    return out


def _on_pattern(matrix: sp.csr_array, pattern: sp.csr_array) -> Array:
    """Entries of a matrix at those of another, outside of which it has none."""
    wanted, given = sp.coo_array(pattern), sp.coo_array(matrix)
    keys, found = (
        each.coords[0].astype(np.int64) * matrix.shape[1] + each.coords[1] for each in (wanted, given)
    )
    order, out = np.argsort(keys), np.zeros(len(keys))
    place = np.minimum(np.searchsorted(keys[order], found), max(len(keys) - 1, 0))
    known = keys[order][place] == found if len(keys) else np.zeros(len(found), bool)
    out[order[place[known]]] = given.data[known]
    return out


def _level_blocks(matrix: sp.csr_array, levels: int, r: int) -> Array:
    """Blocks (L, r, r) on the diagonal of a matrix that has no other entries."""
    entries, out = sp.coo_array(matrix), np.zeros((levels, r, r))
    i, j = entries.coords
    np.add.at(out, (i // r, i % r, j % r), entries.data)
    return out


@dataclass(frozen=True)
class _Turned:
    """A root after a turn."""

    root: EliminatedRoot
    turn: Turn

    def apply(self, t: Array) -> Array:
        """See `Map`."""
        root, out = self.root, np.empty(t.shape)
        first, rest = t[0, root.eliminated], t[0, root.rest]
        moved = root.on_levels(self.turn.between) @ (root.inverse_lower.T @ rest)
        moved = root.levels_times(transpose(root.upper), moved)
        out[0, root.eliminated] = root.levels_times(self.turn.own, first) + moved
        out[0, root.rest] = self.turn.others @ rest
        return root.apply(out)

    def take(self, index: np.ndarray | slice) -> _Turned:
        """See `Map`."""
        return self
