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

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components

from statsmodels_mcla.covariance import Covariance, CovarianceTerm
from statsmodels_mcla.families import ConditionalFamily
from statsmodels_mcla.formula.terms import RandomTerm
from statsmodels_mcla.linalg import Array, multiply_draws

__all__ = ["Bucket", "MixedDesign", "merge_identical_rows"]

Index = np.ndarray

_BY_BLOCK = ("blocks", "rows", "effects", "y", "w", "v", "offset", "X", "Z")
PADDING = 1.25  # blocks share a bucket if filling them up to equal length costs no more rows than this


@dataclass(frozen=True)
class Bucket:
    """Blocks of the same shape, stacked.

    Attributes
    ----------
    blocks : ndarray (B,)
        Numbers of the blocks in the design.
    rows : ndarray (B, n)
        Rows of the design; -1 for padding, a row that adds nothing to any likelihood.
    effects : ndarray (B, q)
        Columns of Z of each block's effects, ordered by term, level and coordinate.
    levels : tuple of int
        Number of levels of each term in a block.
    y, w, v, offset : ndarray (B, n)
        Response, weight, dispersion weight and offset (see `families` for what y and w hold).
    X : ndarray (B, n, p)
    Z : ndarray (B, n, q)
    family : ConditionalFamily
        Specialised to the rows of the bucket.
    """

    blocks: Index
    rows: Index
    effects: Index
    levels: tuple[int, ...]
    y: Array
    w: Array
    v: Array
    offset: Array
    X: Array
    Z: Array
    family: ConditionalFamily

    @property
    def n_blocks(self) -> int:
        """Number of blocks, B."""
        return len(self.blocks)

    @property
    def n_rows(self) -> int:
        """Rows a block, n."""
        return self.y.shape[1]

    @property
    def n_effects(self) -> int:
        """Effects a block, q."""
        return self.effects.shape[1]

    @cached_property
    def sparse_rows(self) -> tuple[list[Index], list[Array | None]] | None:
        """Effects of each row and their entries in Z, one of each at a time; None if all of Z is cheaper.

        Effects are numbered through the bucket, block after block.  Entries that are all one are None.
        """
        nonzero = self.Z != 0
        widest = int(nonzero.sum(axis=2).max(initial=0))
        if widest == 0 or 4 * widest > self.n_effects:
            return None
        order = np.argsort(~nonzero, axis=2, kind="stable")[..., :widest]
        entries = np.take_along_axis(self.Z, order, axis=2).reshape(-1, widest)
        order = (order + self.n_effects * np.arange(self.n_blocks)[:, None, None]).reshape(-1, widest)
        columns = [None if np.all(e == 1.0) else np.ascontiguousarray(e[:, None]) for e in entries.T]
        return [np.ascontiguousarray(k) for k in order.T], columns

    def write_effects(self, u: Array, cut: slice, eta: Array, scratch: Array) -> None:
        """Write Z u for some of the draws of u (B, q, m) into ``eta``, (B, n, draws of the cut).

        ``scratch`` has the shape of eta.
        """
        if self.sparse_rows is None:
            multiply_draws(self.Z, u[..., cut], eta)
            return
        index, entries = self.sparse_rows
        flat = u.reshape(-1, u.shape[2])[:, cut]
        out, other = eta.reshape(-1, eta.shape[2]), scratch.reshape(-1, eta.shape[2])
        for k, (rows, column) in enumerate(zip(index, entries, strict=True)):
            target = other if k else out
            np.take(flat, rows, axis=0, out=target, mode="clip")
            if column is not None:
                target *= column
            if k:
                out += other

    @cached_property
    def _pieces(self) -> dict[int, tuple[tuple[slice, Bucket], ...]]:
        return {}

    def pieces(self, size: int) -> tuple[tuple[slice, Bucket], ...]:
        """Cut the bucket into buckets of at most ``size`` blocks, the same ones at every call."""
        if size not in self._pieces:
            cuts = [slice(a, min(a + size, self.n_blocks)) for a in range(0, self.n_blocks, size)]
            self._pieces[size] = tuple((c, self if len(cuts) == 1 else self.take(c)) for c in cuts)
        return self._pieces[size]

    def take(self, index: Index | slice) -> Bucket:
        """Bucket of some of the blocks."""
        parts = {k: getattr(self, k)[index] for k in _BY_BLOCK}
        return replace(self, **parts)


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
    """

    y: Array
    w: Array
    v: Array
    offset: Array
    X: Array
    terms: tuple[RandomTerm, ...]
    family: ConditionalFamily
    constant: float

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
        """Length of params: fixed effects, covariance parameters, dispersion."""
        return self.n_fixed + self.covariance.size + self.n_dispersion

    @cached_property
    def covariance(self) -> Covariance:
        """Structure of the covariance of the effects."""
        return Covariance(tuple(CovarianceTerm(t.name, t.columns) for t in self.terms))

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
        phi = float(params[p + k]) if self.n_dispersion else 1.0
        return params[:p], params[p : p + k], phi

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
            shown = [self.unit_labels[u] for u in pairs[a : min(b, a + 2), 1]]
            more = f", ... ({b - a} levels)" if b - a > 2 else ""
            out.append(", ".join(shown) + more if shown else "rows without random effects")
        return out


@dataclass(frozen=True)
class BlockGraph:
    """Number of the block of each row and of each effect (-1: an effect that no row depends on)."""

    of_row: Index
    of_effect: Index
    n_blocks: int


def _block_graph(design: MixedDesign) -> BlockGraph:
    Z = design.Z
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

    entries = design.Z.tocoo()
    entry_bucket = bucket_of_block[graph.of_row[entries.coords[0]]]
    by_bucket = np.argsort(entry_bucket, kind="stable")
    first_entry = np.searchsorted(entry_bucket[by_bucket], np.arange(len(distinct) + 1))
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
        Z = np.zeros((len(blocks), n, q))
        which = by_bucket[first_entry[k] : first_entry[k + 1]]
        i, j, value = entries.coords[0][which], entries.coords[1][which], entries.data[which]
        stored = value != 0
        i, j, value = i[stored], j[stored], value[stored]
        np.add.at(Z, (place_in_bucket[graph.of_row[i]], row_place[i], effect_place[j]), value)
        blank = design.family.blank_row()
        y, w, offset = (
            np.where(inside, column[r], value)
            for column, value in zip((design.y, design.w, design.offset), blank, strict=True)
        )
        X = np.where(inside[..., None], design.X[r], 0.0)
        family = design.family.specialise(y, w)
        levels_k = tuple(int(c) for c in shape[1:])
        out.append(
            Bucket(blocks, r, e, levels_k, y, w, np.where(inside, design.v[r], 1.0), offset, X, Z, family)
        )
    return tuple(out)


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
