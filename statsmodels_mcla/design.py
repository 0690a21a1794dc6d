"""The data of a mixed model as the likelihood needs them: frozen, numeric, split into blocks.

Rows and random effects form a bipartite graph; its connected components, the *blocks*, are
independent given the parameters, so the likelihood is a product of one integral a block
(Sung and Geyer, 2007, sec. 1).  Blocks with the same number of rows and of levels of each term are
stacked into one *bucket*, and all numerical work is done on buckets: arrays (B, n, ...) of B blocks
with n rows each, never in a Python loop over blocks.
"""

from __future__ import annotations

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
    def unit_of_effect(self) -> Index:
        """Number of the level (counted over all terms) that each effect belongs to."""
        return np.repeat(np.arange(len(self.term_of_unit)), self.dim_of_unit)

    @cached_property
    def term_of_unit(self) -> Index:
        """Term of each level."""
        return np.repeat(np.arange(len(self.terms)), [len(t.levels) for t in self.terms])

    @cached_property
    def dim_of_unit(self) -> Index:
        """Coordinates of each level."""
        return np.repeat([len(t.columns) for t in self.terms], [len(t.levels) for t in self.terms]).astype(
            int
        )

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
        return _block_graph(self)

    @property
    def n_blocks(self) -> int:
        """Number of blocks."""
        return self.graph.n_blocks

    @cached_property
    def buckets(self) -> tuple[Bucket, ...]:
        """Blocks stacked by shape: the factorised form of the likelihood."""
        return _buckets(self, self.graph)

    @cached_property
    def joint(self) -> tuple[Bucket, ...]:
        """Return all rows and effects as one block, as a joint importance density needs them."""
        one = np.zeros(self.n_rows, int), np.zeros(self.Z.shape[1], int)
        return _buckets(self, BlockGraph(*one, 1))

    @cached_property
    def block_labels(self) -> list[str]:
        """Name of each block: its levels, the first few of them."""
        effects = np.flatnonzero(self.graph.of_effect >= 0)
        pairs = np.unique(np.column_stack([self.graph.of_effect, self.unit_of_effect])[effects], axis=0)
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


def _block_graph(design: MixedDesign) -> BlockGraph:
    Z = sum((abs(tie) for tie in design.ties), abs(design.Z)) if design.ties else design.Z
    n, Q = Z.shape
    units = design.unit_of_effect
    n_units = len(design.term_of_unit)
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


def _buckets(design: MixedDesign, graph: BlockGraph) -> tuple[Bucket, ...]:
    used = np.flatnonzero(graph.of_effect >= 0)
    effects = used[np.argsort(graph.of_effect[used], kind="stable")]
    rows = np.argsort(graph.of_row, kind="stable")
    first_row = np.searchsorted(graph.of_row[rows], np.arange(graph.n_blocks + 1))
    first_effect = np.searchsorted(graph.of_effect[effects], np.arange(graph.n_blocks + 1))
    row_place = _inverse(rows) - first_row[graph.of_row]
    effect_place = np.full(len(graph.of_effect), -1)
    effect_place[effects] = np.arange(len(effects)) - first_effect[graph.of_effect[effects]]

    n_terms = len(design.terms)
    term_of_effect = design.term_of_unit[design.unit_of_effect[effects]]
    counts = np.bincount(
        graph.of_effect[effects] * n_terms + term_of_effect, minlength=graph.n_blocks * n_terms
    )
    dims = np.array([len(t.columns) for t in design.terms], int)
    levels = counts.reshape(graph.n_blocks, n_terms) // np.maximum(dims, 1)
    lengths = _padded_lengths(np.diff(first_row), levels)
    distinct, bucket_of_block = np.unique(np.column_stack([lengths, levels]), axis=0, return_inverse=True)
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
        for matrix in (design.Z, *design.ties)
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
        blank = design.family.blank_row()
        y, w, offset = (
            np.where(inside, column[r], value)
            for column, value in zip((design.y, design.w, design.offset), blank, strict=True)
        )
        X = np.where(inside[..., None], design.X[r], 0.0)
        family = design.family.specialise(y, w)
        levels_k = tuple(int(c) for c in shape[1:])
        out.append(
            Bucket(
                blocks, r, e, levels_k, y, w, np.where(inside, design.v[r], 1.0), offset, X, Z, family, ties
            )
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
