"""The data of a mixed model as the likelihood needs them: frozen, numeric, split into blocks.

Rows and random effects form a bipartite graph; its connected components, the *blocks*, are
independent given the parameters, so the likelihood is a product of one integral a block
(Sung and Geyer, 2007, sec. 1).  Blocks with the same number of rows and of levels of each term are
stacked into one *bucket*, and all numerical work is done on buckets: arrays (B, n, ...) of B blocks
with n rows each, never in a Python loop over blocks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components

from statsmodels_mcla.bucket import Bucket, Ties
from statsmodels_mcla.covariance import Covariance, CovarianceTerm
from statsmodels_mcla.families import ConditionalFamily
from statsmodels_mcla.formula.terms import RandomTerm
from statsmodels_mcla.linalg import Array

__all__ = ["Bucket", "MixedDesign", "merge_identical_rows"]

Index = np.ndarray

PADDING = 1.25  # blocks share a bucket if filling them up to equal length costs no more rows than this


@dataclass(frozen=True)
class MixedDesign:
    """Validated data of a generalized linear mixed model.

    Attributes
    ----------
    y, w, v, offset : ndarray (N,)
        Response, weight, dispersion weight and offset of each row.
    X : ndarray (N, p)
        Fixed-effects design.
    terms : tuple of RandomTerm
        Random-effect terms; their Z matrices side by side are the Z of the model.
    family : ConditionalFamily
        Density of the response given the linear predictor.
    constant : float
        The part of the log-likelihood that depends on the data alone.
    ties : tuple of scipy.sparse.csr_array (N, Q)
        Derivatives of Z in the loadings of terms of reduced rank (see `reduction`), each a parameter after
        the covariance parameters; ``terms`` have the Z at loadings of zero.
    standard : frozenset of int
        Terms whose effects are N(0, I): only loadings give them a part in eta.
    """

    y: Array
    w: Array
    v: Array
    offset: Array
    X: Array
    terms: tuple[RandomTerm, ...]
    family: ConditionalFamily
    constant: float
    ties: tuple[sp.csr_array, ...] = ()
    standard: frozenset[int] = frozenset()

    @property
    def n_rows(self) -> int:
        """Number of rows, N."""
        return len(self.y)

    @property
    def n_fixed(self) -> int:
        """Number of fixed effects, p."""
        return self.X.shape[1]

    @property
    def n_dispersion(self) -> int:
        """Number of dispersion parameters: 0 or 1."""
        return int(self.family.dispersion is not None)

    @property
    def n_params(self) -> int:
        """Length of params: fixed effects, covariance parameters, loadings, dispersion."""
        return self.n_fixed + self.covariance.size + len(self.ties) + self.n_dispersion

    @cached_property
    def covariance(self) -> Covariance:
        """Structure of the covariance of the effects."""
        return Covariance(
            tuple(CovarianceTerm(t.name, t.columns, k in self.standard) for k, t in enumerate(self.terms))
        )

    @cached_property
    def Z(self) -> sp.csr_array:  # noqa: N802 - the symbol of the literature
        """Random-effects design, (N, Q), the terms side by side."""
        if not self.terms:
            return sp.csr_array((self.n_rows, 0))
        return sp.csr_array(sp.hstack([t.Z for t in self.terms], format="csr"))

    @cached_property
    def levels(self) -> EffectLevels:
        """Which level and term each effect belongs to."""
        return EffectLevels.of(self.terms)

    def split(self, params: Array) -> tuple[Array, Array, float]:
        """Fixed effects, covariance parameters and dispersion (1.0 where the family has none)."""
        p, k = self.n_fixed, self.covariance.size
        phi = float(params[-1]) if self.n_dispersion else 1.0
        return params[:p], params[p : p + k], phi

    def loadings(self, params: Array) -> Array:
        """Loadings among the parameters; empty unless a term has reduced rank."""
        start = self.n_fixed + self.covariance.size
        return params[start : start + len(self.ties)]

    @cached_property
    def unit_labels(self) -> list[str]:
        """Name of each level: term and level."""
        return [
            level if level.startswith(t.name) else f"{t.name}: {level}"
            for t in self.terms
            for level in map(str, t.levels)
        ]

    @cached_property
    def graph(self) -> BlockGraph:
        """Blocks of the design: which rows and effects belong together."""
        return block_graph(self.levels, (self.Z, *self.ties))

    @property
    def n_blocks(self) -> int:
        """Number of blocks."""
        return self.graph.n_blocks

    @cached_property
    def buckets(self) -> tuple[Bucket, ...]:
        """Blocks stacked by shape: the factorised form of the likelihood."""
        return self._stacked(self.graph)

    @cached_property
    def joint(self) -> tuple[Bucket, ...]:
        """Return all rows and effects as one block, as a joint importance density needs them."""
        one = np.zeros(self.n_rows, int), np.zeros(self.Z.shape[1], int)
        return self._stacked(BlockGraph(*one, 1))

    def _stacked(self, graph: BlockGraph) -> tuple[Bucket, ...]:
        rows = RowColumns(self.y, self.w, self.v, self.offset, self.X)
        return stacked_blocks(graph, self.levels, rows, (self.Z, *self.ties), self.family)

    @cached_property
    def block_labels(self) -> list[str]:
        """Name of each block: its levels, the first few of them."""
        effects = np.flatnonzero(self.graph.of_effect >= 0)
        pairs = np.unique(np.column_stack([self.graph.of_effect, self.levels.of_effect])[effects], axis=0)
        first = np.searchsorted(pairs[:, 0], np.arange(self.n_blocks + 1))
        out = []
        for a, b in pairwise(first):
            # once each: a term may be in two parts
            levels = list(dict.fromkeys(self.unit_labels[u] for u in pairs[a:b, 1]))
            more = f", ... ({len(levels)} levels)" if len(levels) > 2 else ""
            out.append(", ".join(levels[:2]) + more if levels else "rows without random effects")
        return out


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


def block_graph(levels: EffectLevels, matrices: Sequence[sp.csr_array]) -> BlockGraph:
    """Find the connected components of rows and levels.

    Parameters
    ----------
    levels : EffectLevels
    matrices : sequence of scipy.sparse.csr_array (N, Q)
        Z, and others whose entries tie rows to effects too.
    """
    Z = sum((abs(m) for m in matrices[1:]), abs(matrices[0])) if len(matrices) > 1 else matrices[0]
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


def stacked_blocks(
    graph: BlockGraph,
    levels: EffectLevels,
    columns: RowColumns,
    matrices: Sequence[sp.csr_array],
    family: ConditionalFamily,
) -> tuple[Bucket, ...]:
    """Stack the blocks of a graph by shape; ``matrices`` as in `block_graph`."""
    used = np.flatnonzero(graph.of_effect >= 0)
    effects = used[np.argsort(graph.of_effect[used], kind="stable")]
    rows = np.argsort(graph.of_row, kind="stable")
    first_row = np.searchsorted(graph.of_row[rows], np.arange(graph.n_blocks + 1))
    first_effect = np.searchsorted(graph.of_effect[effects], np.arange(graph.n_blocks + 1))
    row_place = _inverse(rows) - first_row[graph.of_row]
    effect_place = np.full(len(graph.of_effect), -1)
    effect_place[effects] = np.arange(len(effects)) - first_effect[graph.of_effect[effects]]

    dims, n_terms = levels.dims, len(levels.dims)
    term_of_effect = levels.term[levels.of_effect[effects]]
    counts = np.bincount(
        graph.of_effect[effects] * n_terms + term_of_effect, minlength=graph.n_blocks * n_terms
    )
    counts = counts.reshape(graph.n_blocks, n_terms) // np.maximum(dims, 1)
    lengths = _padded_lengths(np.diff(first_row), counts)
    distinct, bucket_of_block = np.unique(np.column_stack([lengths, counts]), axis=0, return_inverse=True)
    bucket_of_block = bucket_of_block.ravel()
    place_in_bucket = np.empty(graph.n_blocks, int)

    def dense(shape: tuple[int, ...], k: int, entries: _Entries) -> Array:
        out = np.zeros(shape)
        which = entries.order[entries.first[k] : entries.first[k + 1]]
        i, j, value = entries.row[which], entries.column[which], entries.value[which]
        np.add.at(out, (place_in_bucket[graph.of_row[i]], row_place[i], effect_place[j]), value)
        return out

    entries, *tied = (
        _Entries.of(matrix, bucket_of_block[graph.of_row], len(distinct))
        for matrix in matrices
    )
    order = np.argsort(bucket_of_block, kind="stable")
    first_block = np.searchsorted(bucket_of_block[order], np.arange(len(distinct) + 1))

    out = []
    for k, shape in enumerate(distinct):
        blocks = order[first_block[k] : first_block[k + 1]]
        place_in_bucket[blocks] = np.arange(len(blocks))
        n, q = int(shape[0]), int((shape[1:] * dims).sum())
        place = first_row[blocks][:, None] + np.arange(n)
        inside = place < first_row[blocks + 1][:, None]
        r = np.where(inside, rows[np.where(inside, place, 0)], -1)
        e = effects[first_effect[blocks][:, None] + np.arange(q)] if q else np.zeros((len(blocks), 0), int)
        Z = dense((len(blocks), n, q), k, entries)
        ties = None
        if tied:
            ties = Ties(Z, np.stack([dense(Z.shape, k, tie) for tie in tied], axis=1))
        y, w, offset = (
            np.where(inside, column[r], value)
            for column, value in zip(
                (columns.y, columns.w, columns.offset), family.blank_row(), strict=True
            )
        )
        v, X = np.where(inside, columns.v[r], 1.0), np.where(inside[..., None], columns.X[r], 0.0)
        levels_k = tuple(int(c) for c in shape[1:])
        out.append(
            Bucket(blocks, r, e, levels_k, y, w, v, offset, X, Z, family.specialise(y, w), ties)
        )
    return tuple(out)


class _Entries(NamedTuple):
    """Entries of a sparse matrix, and which of them each bucket has."""

    row: Index
    column: Index
    value: Array
    order: Index
    first: Index

    @classmethod
    def of(cls, matrix: sp.csr_array, bucket_of_row: Index, buckets: int) -> _Entries:
        """Sort the entries other than zero by bucket."""
        coo = matrix.tocoo()
        stored = coo.data != 0
        row, column, value = coo.coords[0][stored], coo.coords[1][stored], coo.data[stored]
        order = np.argsort(bucket_of_row[row], kind="stable")
        return cls(
            row, column, value, order, np.searchsorted(bucket_of_row[row][order], np.arange(buckets + 1))
        )


def _padded_lengths(lengths: Index, levels: Index) -> Index:
    """Rows that each block is filled up to, so that few distinct shapes remain."""
    out = lengths.astype(int)
    _, kind = np.unique(levels, axis=0, return_inverse=True)
    kind = kind.ravel()
    order = np.lexsort((-lengths, kind))  # longest first within each kind
    change = np.flatnonzero(np.diff(kind[order]) | np.diff(lengths[order])) + 1
    top = filled = actual = 0
    current = -1
    for run in np.split(order, change):
        n, count, this = int(lengths[run[0]]), len(run), int(kind[run[0]])
        if this != current or filled + top * count > PADDING * (actual + n * count):
            current, top, filled, actual = this, n, 0, 0
        filled, actual = filled + top * count, actual + n * count
        out[run] = top
    return out


def _inverse(permutation: Index) -> Index:
    out = np.empty_like(permutation)
    out[permutation] = np.arange(len(permutation))
    return out


def merge_identical_rows(design: MixedDesign) -> MixedDesign:
    """Add up rows with the same covariates, random effects and offset.

    Binomial and Poisson likelihoods depend on such rows only through their totals (`families`), so
    2 000 answers with few distinct covariate patterns cost what the patterns cost.

    Returns
    -------
    MixedDesign
        The design itself where merging saves less than two rows in five: 0/1 responses have a faster
        kernel than counts.
    """
    if not design.family.mergeable or design.n_rows < 2:
        return design
    group, first = _row_groups(design)
    if len(first) > 0.6 * design.n_rows:
        return design
    terms = tuple(replace(t, Z=sp.csr_array(t.Z[first])) for t in design.terms)
    return replace(
        design,
        y=np.bincount(group, design.y, len(first)),
        w=np.bincount(group, design.w, len(first)),
        v=design.v[first],
        offset=design.offset[first],
        X=np.ascontiguousarray(design.X[first]),
        terms=terms,
    )


def _row_groups(design: MixedDesign) -> tuple[Index, Index]:
    """Group of each row and the first row of each group."""
    Z = design.Z
    Z.sort_indices()
    widest = int(np.diff(Z.indptr).max(initial=0))
    columns: list[np.ndarray] = [design.X, design.offset[:, None]]
    place = np.arange(Z.nnz) - np.repeat(Z.indptr[:-1], np.diff(Z.indptr))
    row = np.repeat(np.arange(design.n_rows), np.diff(Z.indptr))
    index, value = np.full((design.n_rows, widest), -1.0), np.zeros((design.n_rows, widest))
    index[row, place], value[row, place] = Z.indices, Z.data
    table = np.ascontiguousarray(np.hstack([*columns, index, value])) + 0.0  # -0.0 becomes 0.0
    # hash first: sorting one integer a row is far cheaper than sorting the rows
    code = np.zeros(design.n_rows, np.uint64)
    for column in table.view(np.uint64).T:
        code = (code ^ column) * np.uint64(0x9E3779B97F4A7C15)
        code ^= code >> np.uint64(29)
    _, first, group = np.unique(code, return_index=True, return_inverse=True)
    if not np.array_equal(table[first][group], table):  # two rows share a hash
        _, first, group = np.unique(table, axis=0, return_index=True, return_inverse=True)
    return group.ravel(), first
