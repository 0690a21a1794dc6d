"""The data of a mixed model as the likelihood needs them: frozen, numeric, split into blocks.

Rows and random effects form a bipartite graph; its connected components, the *blocks*, are
independent given the parameters, so the likelihood is a product of one integral a block
(Sung and Geyer, 2007, sec. 1).  Blocks with about the same numbers of rows and of levels of each term are
stacked into one *bucket*, filled up with rows and levels that tell nothing, and all numerical work is done on
buckets: arrays (B, n, ...) of B blocks with n rows each, never in a Python loop over blocks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components

from statsmodels_mcla.design.buckets import Bucket
from statsmodels_mcla.design.effect_rows import DenseRows, EffectRows, SparseRows
from statsmodels_mcla.design.random_terms import RandomTerm
from statsmodels_mcla.families import ConditionalFamily
from statsmodels_mcla.numerics import Array, thrifty, unique_rows

Index = np.ndarray
LARGE = 64  # effects a block beyond which products of sparse matrices are cheaper,
SPARSE = 10  # where no more than one in so many of their entries is not zero
PADDING = 1.25  # blocks share a bucket if filling them up to equal length costs no more rows than this
CHUNK = 2**14  # rows that are looked up at a time
SPARE = 1024  # or no more rows than so many, which take less time than another bucket
FEW = 4  # effects that have laws or tails of their own, and are not filled up with others
SPARE_ENTRIES = 2048  # rows x effects that blocks with more may be filled up by


@dataclass(frozen=True)
class Stacking:
    """Which bucket the blocks of each shape belong to, and where those of one part of the data have their place in it.

    Random numbers go by bucket and place: parts that know the shapes of the whole have the draws of the whole.

    Attributes
    ----------
    shapes : ndarray of int (S, 1 + terms)
        Rows, and levels of each term, of a block; distinct, in lexicographic order.
    padded : ndarray of int (S, 1 + terms)
        Shapes that they are filled up to.
    bucket : ndarray of int (S,)
    first : ndarray of int (buckets,)
        Blocks of each bucket in the parts before this one,
    blocks : ndarray of int (buckets,)
        and in all parts.
    """

    shapes: Index
    padded: Index
    bucket: Index
    first: Index
    blocks: Index

    @classmethod
    def of(cls, shapes: Index, counts: Index, dims: Index) -> Stacking:
        """From distinct shapes, the number of blocks of each, and effects a level of each term."""
        padded = _padded_shapes(shapes, counts, dims)
        stacked, _, bucket, _ = unique_rows(padded)
        blocks = np.bincount(bucket, counts, len(stacked)).astype(int)
        return cls(shapes, padded, bucket, np.zeros(len(stacked), int), blocks)

    @classmethod
    def of_parts(cls, parts: Sequence[tuple[Index, Index]], dims: Index) -> list[Stacking]:
        """Stacking of each of several parts, whose distinct shapes and numbers of blocks are given."""
        every, _, place, _ = unique_rows(np.concatenate([shapes for shapes, _ in parts]))
        cuts = np.cumsum([len(shapes) for shapes, _ in parts])[:-1]
        counts = np.zeros((len(parts), len(every)), int)
        for own, where, (_, count) in zip(counts, np.split(place, cuts), parts, strict=True):
            own[where] = count
        whole = cls.of(every, counts.sum(axis=0), dims)
        of_bucket = np.zeros((len(parts), len(whole.first)), int)
        for k, bucket in enumerate(whole.bucket):
            of_bucket[:, bucket] += counts[:, k]
        return [replace(whole, first=first) for first in np.cumsum(of_bucket, axis=0) - of_bucket]

    def find(self, shapes: Index) -> Index:
        """Places of blocks' shapes among the distinct ones."""
        known = {tuple(shape): k for k, shape in enumerate(self.shapes.tolist())}
        distinct = unique_rows(shapes)
        return np.array([known[tuple(shape)] for shape in distinct.rows.tolist()], int)[distinct.inverse]


@dataclass(frozen=True)
class BlockGraph:
    """Number of the block of each row and of each effect (-1: an effect that no row depends on)."""

    of_row: Index
    of_effect: Index
    n_blocks: int


class EffectLevels(NamedTuple):
    """Which level each effect belongs to, levels counted over all terms, and which term each level."""

    of_effect: Index
    term: Index
    dims: Index
    """Effects of a level of each term."""

    @classmethod
    def of(cls, terms: Sequence[RandomTerm]) -> EffectLevels:
        """Levels of terms whose effects lie side by side."""
        dims = np.array([t.dim for t in terms], int)
        term = np.repeat(np.arange(len(terms)), [t.n_levels for t in terms])
        return cls(np.repeat(np.arange(len(term)), dims[term]), term, dims)


class RowColumns(NamedTuple):
    """What every row has: response, weights, offset and covariates of the fixed effects."""

    y: Array
    w: Array
    v: Array
    offset: Array
    X: Array


def block_graph(levels: EffectLevels, Z: sp.csr_array) -> BlockGraph:
    """Find the connected components of rows and levels."""
    n, Q = Z.shape
    units, n_units = levels.of_effect, len(levels.term)
    # coordinates of one level are dependent a priori, so levels are nodes, not effects
    entries = Z.tocoo()
    nonzero = entries.data != 0
    rows, cols = entries.coords[0][nonzero], units[entries.coords[1][nonzero]]
    adjacency = sp.coo_array(
        (np.ones(len(rows), np.int8), (rows, n + cols)), shape=(n + n_units, n + n_units)
    )
    label: Index = connected_components(adjacency.tocsr(), directed=False)[1]
    has_effect = np.zeros(n, bool)
    has_effect[rows] = True
    of_row = label[:n].copy()
    of_row[~has_effect] = -1  # all rows without random effects make one block
    _, of_row = np.unique(of_row, return_inverse=True)
    translate = np.full(label.max(initial=-1) + 1, -1)
    translate[label[:n][has_effect]] = of_row[has_effect]
    of_effect = translate[label[n:]][units] if Q else np.zeros(0, int)
    return BlockGraph(of_row, of_effect, int(of_row.max(initial=-1)) + 1)


def block_shapes(graph: BlockGraph, levels: EffectLevels) -> Index:
    """Rows, and levels of each term, of every block, (B, 1 + terms)."""
    used = np.flatnonzero(graph.of_effect >= 0)
    n_terms = len(levels.dims)
    term = levels.term[levels.of_effect[used]]
    counts = np.bincount(graph.of_effect[used] * n_terms + term, minlength=graph.n_blocks * n_terms)
    rows = np.bincount(graph.of_row, minlength=graph.n_blocks)
    return np.column_stack(
        [rows, counts.reshape(graph.n_blocks, n_terms) // np.maximum(levels.dims, 1)]
    ).astype(int)


def stacked_blocks(
    graph: BlockGraph,
    levels: EffectLevels,
    ranks: Sequence[int],
    columns: RowColumns,
    Z: sp.csr_array,
    family: ConditionalFamily,
    stacking: Stacking | None = None,
) -> tuple[Bucket, ...]:
    """Stack the blocks of a graph by shape, with so many standard effects a level of each term.

    The shapes are those of these blocks, unless a stacking says that there are others elsewhere.
    """
    used = np.flatnonzero(graph.of_effect >= 0)
    effects = used[np.argsort(graph.of_effect[used], kind="stable")]
    rows = np.argsort(graph.of_row, kind="stable")
    first_row = np.searchsorted(graph.of_row[rows], np.arange(graph.n_blocks + 1))
    first_effect = np.searchsorted(graph.of_effect[effects], np.arange(graph.n_blocks + 1))
    row_place = _inverse(rows) - first_row[graph.of_row]

    dims = levels.dims
    shapes = block_shapes(graph, levels)
    if stacking is None:
        own = unique_rows(shapes)
        stacking = Stacking.of(own.rows, own.counts, dims)
    kind = stacking.find(shapes)
    padded = stacking.padded[kind]
    skipped = _before(padded[:, 1:] * dims) - _before(shapes[:, 1:] * dims)
    block = graph.of_effect[effects]
    effect_place = np.full(len(graph.of_effect), -1)
    effect_place[effects] = (
        np.arange(len(effects)) - first_effect[block] + skipped[block, levels.term[levels.of_effect[effects]]]
    )
    numbers, bucket_of_block = np.unique(stacking.bucket[kind], return_inverse=True)
    bucket_of_block = bucket_of_block.ravel()
    _, of_number = np.unique(stacking.bucket[kind], return_index=True)
    distinct = padded[of_number]
    place_in_bucket = np.empty(graph.n_blocks, int)

    def rows_of_effects(blocks: Index, n: int, sizes: tuple[tuple[int, int], ...], k: int) -> EffectRows:
        e = sum(count * dim for count, dim in sizes)
        which = entries.sorted.of_bucket(k)

        def placed(which: Index) -> tuple[tuple[Index, Index, Index], Array]:
            row = entries.row[which]
            place = place_in_bucket[graph.of_row[row]], row_place[row], effect_place[entries.column[which]]
            return place, entries.value[which]

        if e < LARGE or len(which) * SPARSE > len(blocks) * n * e:
            out = np.zeros((len(blocks), n, e))
            for chunk in _chunks(len(which), 1):
                np.add.at(out, *placed(which[chunk]))
            return DenseRows(out)
        (block, i, j), value = placed(which)
        parts = ([x[block == b] for x in (value, i, j)] for b in range(len(blocks)))
        return SparseRows.of([sp.csr_array((v, (r, c)), shape=(n, e)) for v, r, c in parts], sizes)

    entries = _Entries.of(Z, bucket_of_block[graph.of_row], len(distinct))
    of_bucket = _Sorted.of(bucket_of_block[block], len(distinct))
    first_standard = _before(np.asarray(ranks, int)[levels.term])  # standard effect of each level
    blocks_of_bucket = _Sorted.of(bucket_of_block, len(distinct))

    out = []
    for k, shape in enumerate(distinct):
        blocks = blocks_of_bucket.of_bucket(k)
        place_in_bucket[blocks] = np.arange(len(blocks))
        n, q = int(shape[0]), int((shape[1:] * dims).sum())
        r = np.empty((len(blocks), n), int)
        y, w, offset, v = (np.empty(r.shape) for _ in range(4))
        X = np.empty((*r.shape, columns.X.shape[1]))
        blank = *family.blank_row(), 1.0
        for chunk in _chunks(len(blocks), n):
            place = first_row[blocks[chunk]][:, None] + np.arange(n)
            inside = place < first_row[blocks[chunk] + 1][:, None]
            r[chunk] = np.where(inside, rows[np.where(inside, place, 0)], -1)
            for out_of, column, value in zip(
                (y, w, offset, v), (columns.y, columns.w, columns.offset, columns.v), blank, strict=True
            ):
                out_of[chunk] = np.where(inside, column[r[chunk]], value)
            X[chunk] = np.where(inside[..., None], columns.X[r[chunk]], 0.0)
        w, v, offset = thrifty(w), thrifty(v), thrifty(offset)
        mine = effects[of_bucket.of_bucket(k)]
        level = np.full((len(blocks), q), -1)
        level[place_in_bucket[graph.of_effect[mine]], effect_place[mine]] = levels.of_effect[mine]
        level = level[:, _before(np.repeat(dims, shape[1:]))]
        count = np.repeat(np.asarray(ranks, int), shape[1:])  # standard effects of each level
        inner = np.arange(count.sum()) - np.repeat(_before(count), count)
        drawn = np.where(level < 0, -1, first_standard[level]).repeat(count, axis=1)
        drawn = np.where(drawn < 0, -1, drawn + inner)
        levels_k = tuple(int(c) for c in shape[1:])
        out.append(
            Bucket(
                blocks,
                r,
                drawn,
                levels_k,
                tuple(dims.tolist()),
                tuple(ranks),
                y,
                w,
                v,
                offset,
                X,
                rows_of_effects(blocks, n, tuple(zip(levels_k, dims.tolist(), strict=True)), k),
                family.specialise(y, w),
                int(numbers[k]),
                int(stacking.first[numbers[k]]) + np.arange(len(blocks)),
                int(stacking.blocks[numbers[k]]),
            )
        )
    return tuple(out)


class _Sorted(NamedTuple):
    """What belongs to each of several buckets."""

    order: Index
    first: Index

    @classmethod
    def of(cls, bucket: Index, buckets: int) -> _Sorted:
        """From the bucket of each thing."""
        order = np.argsort(bucket, kind="stable")
        return cls(order, np.searchsorted(bucket[order], np.arange(buckets + 1)))

    def of_bucket(self, k: int) -> Index:
        """Numbers of the things in a bucket."""
        return self.order[self.first[k] : self.first[k + 1]]


class _Entries(NamedTuple):
    """Entries of a sparse matrix, and which of them each bucket has."""

    row: Index
    column: Index
    value: Array
    sorted: _Sorted

    @classmethod
    def of(cls, matrix: sp.csr_array, bucket_of_row: Index, buckets: int) -> _Entries:
        """Sort the entries other than zero by bucket."""
        coo = matrix.tocoo()
        stored = coo.data != 0
        row, column, value = coo.coords[0][stored], coo.coords[1][stored], coo.data[stored]
        return cls(row, column, value, _Sorted.of(bucket_of_row[row], buckets))


def _padded_shapes(shapes: Index, counts: Index, dims: Index) -> Index:
    """Shapes that blocks of each shape are filled up to, so that few distinct shapes remain."""
    out = shapes.copy()
    out[:, 0] = _padded_lengths(shapes, counts)
    every, _, kind, _ = unique_rows(out)
    blocks = np.bincount(kind, counts).astype(int)
    effects = every[:, 1:] @ dims
    group: list[int] = []  # of shapes that are to become one, largest first
    actual = 0
    for k in np.lexsort((every[:, 0], *every[:, :0:-1].T))[::-1].tolist():
        if effects[k] < FEW:
            continue
        size = int(blocks[k] * every[k, 0] * effects[k])
        joint = every[[*group, k]].max(axis=0)
        filled = int(blocks[[*group, k]].sum() * joint[0] * (joint[1:] @ dims))
        if filled > max(PADDING * (actual + size), actual + size + SPARE_ENTRIES):
            every[group] = every[group].max(axis=0, initial=0)
            group, actual = [], 0
        group, actual = [*group, k], actual + size
    every[group] = every[group].max(axis=0, initial=0)
    return every[kind]


def _padded_lengths(shapes: Index, counts: Index) -> Index:
    """Rows that blocks of each shape are filled up to, so that few distinct shapes remain."""
    lengths = shapes[:, 0]
    out = lengths.astype(int)
    kind = unique_rows(shapes[:, 1:]).inverse
    top = filled = actual = 0
    current = -1
    for k in np.lexsort((-lengths, kind)):  # longest first within each kind
        n, count, this = int(lengths[k]), int(counts[k]), int(kind[k])
        if this != current or filled + top * count > max(
            PADDING * (actual + n * count), actual + n * count + SPARE
        ):
            current, top, filled, actual = this, n, 0, 0
        filled, actual = filled + top * count, actual + n * count
        out[k] = top
    return out


def _chunks(count: int, size: int) -> list[slice]:
    """Some of so many things of this size at a time."""
    step = max(1, CHUNK // max(1, size))
    return [slice(start, start + step) for start in range(0, count, step)]


def _before(counts: Index) -> Index:
    """Sums of those before each, along the last axis."""
    return np.asarray(np.cumsum(counts, axis=-1) - counts)


def _inverse(permutation: Index) -> Index:
    out = np.empty_like(permutation)
    out[permutation] = np.arange(len(permutation))
    return out
