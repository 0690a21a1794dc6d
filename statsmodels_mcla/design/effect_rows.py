"""The rows of Z, or of J = Z Lambda, block by block: dense, or sparse where blocks are large.

Both kinds offer the products that modes, densities, paths and draws are made of, in which no array of rows x effects
need exist.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Protocol

import numpy as np
import scipy.sparse as sp

from statsmodels_mcla.numerics import Array, inner_products, multiply_draws, transpose

PIECE = 2**20  # numbers of a piece of J R
WORTH_PAIRS = (
    9  # pairs of effects, over directions, up to which all pairs cost less than the linear predictors
)


class EffectRows(Protocol):
    """Rows (n) of the effects (e) of each block of a bucket."""

    @property
    def n_effects(self) -> int:
        """Effects a block."""

    def take(self, index: np.ndarray | slice) -> EffectRows:
        """Rows of some of the blocks."""

    def scaled(self, factors: Sequence[Array], levels: Sequence[int]) -> EffectRows:
        """Z Lambda, from the factors D (d, r) of all terms and their numbers of levels."""

    def times(self, b: Array) -> Array:
        """Products (B, n), from b (B, e)."""

    def back(self, d: Array) -> Array:
        """Products of the transpose (B, e), from d (B, n); (B, e, k) from (B, n, k)."""

    def gram(self, w: Array, left: EffectRows | None = None) -> Array:
        """J' diag(w) J (B, e, e), or with other rows of the same kind on the left."""

    def quadratic(self, A: Array, left: EffectRows | None = None) -> Array:
        """Row by row j' A j (B, n), from A (B, e, e), or with other rows of the same kind on the left."""

    def rooted(self, root: Array) -> Iterator[tuple[slice, Array]]:
        """J R (B, n, e), some rows at a time."""

    def single(self, index: np.ndarray) -> tuple[np.ndarray, Array] | None:
        """Place (B, n) among some effects of the one that a row has, and its entry; None where a row has several."""

    def predictors(self, u: Array, out: Array) -> Array:
        """Products (B, n, m) with draws u (B, e, m), into ``out``."""

    def gradients(self, d: Array) -> Array:
        """Products (B, e, m) of the transpose with numbers d (B, n, m) of rows and draws."""

    def along(self, d: Array, u: Array, weights: Array) -> tuple[Array, Array, Array]:
        """Weighted sums over draws of d (B, n), of d eta_j (B, s, n) and of eta_i' d eta_j (B, s, s).

        Here eta_j (B, n, m) are the products with draws u (B, s, e, m), d (B, n, m) is diagonal, and weights (B, m).
        """


@dataclass(frozen=True)
class DenseRows:
    """One array (B, n, e)."""

    array: Array

    @property
    def n_effects(self) -> int:
        """See `EffectRows`."""
        return self.array.shape[2]

    def take(self, index: np.ndarray | slice) -> DenseRows:
        """See `EffectRows`."""
        return DenseRows(self.array[index])

    def scaled(self, factors: Sequence[Array], levels: Sequence[int]) -> DenseRows:
        """See `EffectRows`."""
        shape = self.array.shape[:2]
        parts, start = [np.empty((*shape, 0))], 0
        for factor, count in zip(factors, levels, strict=True):
            stop = start + count * len(factor)
            part = self.array[..., start:stop].reshape(*shape, count, len(factor))
            parts.append((part @ factor).reshape(*shape, -1))
            start = stop
        return DenseRows(np.concatenate(parts, axis=-1))

    def times(self, b: Array) -> Array:
        """See `EffectRows`."""
        return (self.array @ b[..., None])[..., 0]

    def back(self, d: Array) -> Array:
        """See `EffectRows`."""
        if d.ndim == 2:
            return (transpose(self.array) @ d[..., None])[..., 0]
        return transpose(self.array) @ d

    def gram(self, w: Array, left: EffectRows | None = None) -> Array:
        """See `EffectRows`."""
        other = left.array if isinstance(left, DenseRows) else self.array
        return transpose(other) @ (self.array * w[..., None])

    def quadratic(self, A: Array, left: EffectRows | None = None) -> Array:
        """See `EffectRows`."""
        other = left.array if isinstance(left, DenseRows) else self.array
        return np.einsum("bne,bne->bn", self.array @ A, other)

    def rooted(self, root: Array) -> Iterator[tuple[slice, Array]]:
        """See `EffectRows`."""
        yield slice(None), self.array @ root

    def single(self, index: np.ndarray) -> tuple[np.ndarray, Array] | None:
        """See `EffectRows`."""
        own = self.array[..., index]
        if (own != 0.0).sum(axis=-1).max(initial=0) > 1:
            return None
        place = np.abs(own).argmax(axis=-1)
        return place, np.take_along_axis(own, place[..., None], axis=-1)[..., 0]

    def predictors(self, u: Array, out: Array) -> Array:
        """See `EffectRows`."""
        return multiply_draws(self.array, u, out)

    def gradients(self, d: Array) -> Array:
        """See `EffectRows`."""
        return multiply_draws(self._transposed, d, np.empty((len(d), self.n_effects, d.shape[2])))

    def along(self, d: Array, u: Array, weights: Array) -> tuple[Array, Array, Array]:
        """See `EffectRows`."""
        B, s, e, m = u.shape
        if e * e > WORTH_PAIRS * s:
            return _along(self, d, u, weights)
        weighted = np.empty((B, 1 + s * e, m))
        weighted[:, 0] = weights
        np.multiply(u, weights[:, None, None], out=weighted[:, 1:].reshape(u.shape))
        sums = inner_products(d, weighted)
        between = multiply_draws(self._pairs, d, np.empty((B, e * e, m))).reshape(B, e, e, m)
        bent = between * u if e == 1 else np.einsum("befm,bsfm->bsem", between, u)
        mixed = np.einsum("bne,bnse->bsn", self.array, sums[..., 1:].reshape(B, d.shape[1], s, e))
        flat = B, s, e * m
        return sums[..., 0], mixed, inner_products(weighted[:, 1:].reshape(flat), bent.reshape(flat))

    @cached_property
    def _transposed(self) -> Array:
        return np.ascontiguousarray(transpose(self.array))

    @cached_property
    def _pairs(self) -> Array:
        """Products of the entries of each pair of effects (B, e e, n)."""
        left, right = self._transposed[:, :, None], self._transposed[:, None]
        return (left * right).reshape(len(self.array), -1, self.array.shape[1])


def _along(rows: EffectRows, d: Array, u: Array, weights: Array) -> tuple[Array, Array, Array]:
    """See `EffectRows.along`: by the linear predictors themselves, where a row has few of many effects."""
    (B, n, m), s = d.shape, u.shape[1]
    mixed, curved, eta = np.empty((B, s, n)), np.empty((B, s, s)), np.empty((s, B, n, m))
    weighted = d * weights[:, None]
    for j, eta_j in enumerate(eta):
        bent = weighted * rows.predictors(u[:, j], eta_j)
        mixed[:, j] = bent.sum(axis=-1)
        for i in range(j + 1):
            curved[:, i, j] = curved[:, j, i] = np.einsum("bnm,bnm->b", bent, eta[i])
    return weighted.sum(axis=-1), mixed, curved


class RowEntries(NamedTuple):
    """Entries of sparse rows, filled up to equal numbers with zeros: places and values (n, widest)."""

    place: np.ndarray
    value: Array

    @classmethod
    def of(cls, rows: sp.csr_array) -> RowEntries:
        """Entries of a matrix."""
        counts = np.diff(rows.indptr)
        row = np.repeat(np.arange(len(counts)), counts)
        place = np.arange(rows.nnz) - np.repeat(rows.indptr[:-1], counts)
        shape = len(counts), int(counts.max(initial=0))
        index, value = np.zeros(shape, int), np.zeros(shape)
        index[row, place], value[row, place] = rows.indices, rows.data
        return cls(index, value)


def _weighted(J: sp.csr_array, w: Array) -> sp.csr_array:
    """Rows (n, e) times weights (n,)."""
    return sp.csr_array((J.data * np.repeat(w, np.diff(J.indptr)), J.indices, J.indptr), J.shape)


@dataclass(frozen=True)
class SplitRows:
    """Rows of one block in the effects of a segment, and in all others.

    Attributes
    ----------
    own, others : scipy.sparse.csr_array (n, ...)
    """

    own: sp.csr_array
    others: sp.csr_array

    @cached_property
    def entries(self) -> tuple[RowEntries, RowEntries]:
        """Entries of both."""
        return RowEntries.of(self.own), RowEntries.of(self.others)

    def gram(self, w: Array, left: SplitRows | None = None) -> tuple[sp.csr_array, sp.csr_array, Array]:
        """J' diag(w) J: of the segment, of it with the others, and of these.

        With other rows on the left, the sum of left' diag(w) J and its transpose.
        """
        own, others = _weighted(self.own, w), _weighted(self.others, w)
        rows = self if left is None else left
        within, between, rest = rows.own.T @ own, rows.own.T @ others, (rows.others.T @ others).toarray()
        if left is not None:
            within, between, rest = within + within.T, between + (rows.others.T @ own).T, rest + rest.T
        return sp.csr_array(within), sp.csr_array(between), rest


@dataclass(frozen=True)
class SparseRows:
    """One sparse matrix (n, e) a block.

    Attributes
    ----------
    blocks : tuple of scipy.sparse.csr_array
    sizes : tuple of (int, int)
        Number of levels of each term, and of effects of a level.
    separate : tuple of bool
        Whether no row has effects of two levels of a term.
    """

    blocks: tuple[sp.csr_array, ...]
    sizes: tuple[tuple[int, int], ...]
    separate: tuple[bool, ...]

    @classmethod
    def of(cls, blocks: Sequence[sp.csr_array], sizes: Sequence[tuple[int, int]]) -> SparseRows:
        """Rows of Z, whose terms are looked at."""
        separate, start = [], 0
        for levels, size in sizes:
            stop = start + levels * size
            entries = [sp.coo_array(Z[:, start:stop]).coords for Z in blocks]
            pairs = (np.unique(row * levels + column // size) // levels for row, column in entries)
            separate.append(all(len(np.unique(rows)) == len(rows) for rows in pairs))
            start = stop
        return cls(tuple(blocks), tuple(sizes), tuple(separate))

    @property
    def n_effects(self) -> int:
        """See `EffectRows`."""
        return int(self.blocks[0].shape[1])

    def take(self, index: np.ndarray | slice) -> SparseRows:
        """See `EffectRows`."""
        return SparseRows(
            tuple(self.blocks[k] for k in np.arange(len(self.blocks))[index]), self.sizes, self.separate
        )

    def scaled(self, factors: Sequence[Array], levels: Sequence[int]) -> SparseRows:
        """See `EffectRows`."""
        if all(D.shape == (1, 1) for D in factors):  # a product of sparse matrices takes ten times as long
            scale = np.repeat([D[0, 0] for D in factors], levels)
            blocks = (
                sp.csr_array((Z.data * scale[Z.indices], Z.indices, Z.indptr), Z.shape) for Z in self.blocks
            )
            return SparseRows(tuple(blocks), self.sizes, self.separate)
        each = [sp.kron(sp.eye_array(count), D) for D, count in zip(factors, levels, strict=True)]
        Lambda = sp.csr_array(sp.block_diag(each, format="csr"))
        sizes = tuple((count, D.shape[1]) for D, count in zip(factors, levels, strict=True))
        return SparseRows(tuple(sp.csr_array(Z @ Lambda) for Z in self.blocks), sizes, self.separate)

    def times(self, b: Array) -> Array:
        """See `EffectRows`."""
        return np.stack([J @ x for J, x in zip(self.blocks, b, strict=True)])

    def back(self, d: Array) -> Array:
        """See `EffectRows`."""
        return np.stack([J @ x for J, x in zip(self.transposed, d, strict=True)])

    def gram(self, w: Array, left: EffectRows | None = None) -> Array:
        """See `EffectRows`."""
        others = left.transposed if isinstance(left, SparseRows) else self.transposed
        parts = zip(others, self.blocks, w, strict=True)
        return np.stack([(L @ _weighted(J, x)).toarray() for L, J, x in parts])

    def quadratic(self, A: Array, left: EffectRows | None = None) -> Array:
        """See `EffectRows`."""
        others = left.entries if isinstance(left, SparseRows) else self.entries
        out = np.zeros((len(A), self.blocks[0].shape[0]))
        for k, (matrix, one, other) in enumerate(zip(A, self.entries, others, strict=True)):
            for place, value in zip(one.place.T, one.value.T, strict=True):
                for beside, its in zip(other.place.T, other.value.T, strict=True):
                    out[k] += value * its * matrix[place, beside]
        return out

    def rooted(self, root: Array) -> Iterator[tuple[slice, Array]]:
        """See `EffectRows`."""
        step = max(1, PIECE // max(1, root.shape[0] * root.shape[2]))
        n = self.blocks[0].shape[0]
        for start in range(0, n, step):
            rows = slice(start, min(start + step, n))
            yield rows, np.stack([J[rows] @ R for J, R in zip(self.blocks, root, strict=True)])

    def single(self, index: np.ndarray) -> tuple[np.ndarray, Array] | None:
        """See `EffectRows`."""
        places, values = [], []
        for J in self.blocks:
            own = sp.csr_array(J[:, index])
            own.eliminate_zeros()
            count = np.diff(own.indptr)
            if count.max(initial=0) > 1:
                return None
            place, value = np.zeros(len(count), int), np.zeros(len(count))
            place[count == 1], value[count == 1] = own.indices, own.data
            places.append(place)
            values.append(value)
        return np.stack(places), np.stack(values)

    def predictors(self, u: Array, out: Array) -> Array:
        """See `EffectRows`."""
        for k, Z in enumerate(self.blocks):
            out[k] = Z @ u[k]
        return out

    def gradients(self, d: Array) -> Array:
        """See `EffectRows`."""
        return self.back(d)

    def along(self, d: Array, u: Array, weights: Array) -> tuple[Array, Array, Array]:
        """See `EffectRows`."""
        return _along(self, d, u, weights)

    @cached_property
    def entries(self) -> tuple[RowEntries, ...]:
        """Entries of each block."""
        return tuple(RowEntries.of(J) for J in self.blocks)

    @cached_property
    def _splits(self) -> dict[tuple[int, int], SplitRows]:
        return {}

    def split(self, segment: slice) -> SplitRows:
        """Rows of the one block, split, the same ones at every call."""
        key = segment.start, segment.stop
        if key not in self._splits:
            rest = np.r_[0 : segment.start, segment.stop : self.n_effects]
            rows = self.blocks[0]
            self._splits[key] = SplitRows(sp.csr_array(rows[:, segment]), sp.csr_array(rows[:, rest]))
        return self._splits[key]

    @cached_property
    def transposed(self) -> tuple[sp.csr_array, ...]:
        """Transpose of each block."""
        return tuple(sp.csr_array(J.T) for J in self.blocks)

    def eliminable(self) -> tuple[int, int, int] | None:
        """Start, levels and effects a level of the largest term of which no row has two levels."""
        found, start = [], 0
        for (levels, size), separate in zip(self.sizes, self.separate, strict=True):
            if separate:
                found.append((levels * size, start, levels, size))
            start += levels * size
        return max(found)[1:] if found else None
