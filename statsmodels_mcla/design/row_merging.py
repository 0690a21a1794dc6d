"""Rows that are alike, in all but the response if that adds up, made into one."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from statsmodels_mcla.design.blocks import Index
from statsmodels_mcla.design.mixed_design import MixedDesign
from statsmodels_mcla.numerics import Array, unique_rows


def merge_identical_rows(design: MixedDesign) -> MixedDesign:
    """Add up rows with the same covariates, random effects and offset, and of most families the same response.

    Binomial and Poisson likelihoods depend on such rows only through their totals (`families`), so
    2 000 answers with few distinct covariate patterns cost what the patterns cost.  Rows of other families are
    merged where their responses are the same too, as small counts often are: the weight says how many.

    Returns
    -------
    MixedDesign
        The design itself where merging saves less than two rows in five: 0/1 responses have a faster
        kernel than counts.
    """
    if design.n_rows < 2:
        return design
    code, table = _hashed(design)
    return merged_rows(design, _grouped(code, table)) if saves(_distinct(code), len(code)) else design


def saves(distinct: int, rows: int) -> bool:
    """Whether so many distinct rows are few enough to be worth it."""
    return distinct <= 0.6 * rows


class RowGroups(NamedTuple):
    """Group of each row of the data, and the first row of each group."""

    group: Index
    first: Index


def merged_rows(design: MixedDesign, groups: RowGroups) -> MixedDesign:
    """Add up the rows of each group."""
    group, first = groups
    family, D = design.family, len(design.family.directions)
    rows = (D * first[:, None] + np.arange(D)).ravel()
    terms = tuple(replace(t, Z=sp.csr_array(t.Z[rows])) for t in design.terms)

    def total(values: Array) -> Array:
        return np.repeat(np.bincount(group, values[::D], len(first)), D)

    return replace(
        design,
        y=total(design.y) if family.mergeable else design.y[rows],
        w=total(design.w),
        v=design.v[rows],
        offset=design.offset[rows],
        X=np.ascontiguousarray(design.X[rows]),
        terms=terms,
    )


def row_groups(design: MixedDesign) -> RowGroups:
    """Rows that are alike: rows of the data, D rows of the design each."""
    return _grouped(*_hashed(design))


def distinct_rows(design: MixedDesign) -> int:
    """How many rows of the data there are that are not alike."""
    return _distinct(_hashed(design)[0])


def _distinct(code: Index) -> int:
    return len(np.unique(code))  # two that share an integer by chance do not matter


def _hashed(design: MixedDesign) -> tuple[Index, Array]:
    """One integer a row, the same for rows that are alike, and what they are alike in: sorting rows is far dearer."""
    D = len(design.family.directions)
    Z = design.Z.sorted_indices()
    widest = int(np.diff(Z.indptr).max(initial=0))
    columns: list[np.ndarray] = [design.X, design.offset[:, None]]
    if not design.family.mergeable:
        columns += [design.y[:, None], design.v[:, None]]
    place = np.arange(Z.nnz) - np.repeat(Z.indptr[:-1], np.diff(Z.indptr))
    row = np.repeat(np.arange(design.n_rows), np.diff(Z.indptr))
    index, value = np.full((design.n_rows, widest), -1.0), np.zeros((design.n_rows, widest))
    index[row, place], value[row, place] = Z.indices, Z.data
    table = np.ascontiguousarray(np.hstack([*columns, index, value])) + 0.0  # -0.0 becomes 0.0
    table = table.reshape(design.n_rows // D, -1)
    code = np.zeros(len(table), np.uint64)
    for column in table.view(np.uint64).T:
        code = (code ^ column) * np.uint64(0x9E3779B97F4A7C15)
        code ^= code >> np.uint64(29)
    return code, table


def _grouped(code: Index, table: Array) -> RowGroups:
    _, first, group = np.unique(code, return_index=True, return_inverse=True)
    if not np.array_equal(table[first][group], table):  # two rows share a hash
        _, first, group, _ = unique_rows(table)
    order = np.argsort(first)  # in the order of the rows, so that blocks are numbered alike, merged or not
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return RowGroups(rank[group], first[order])
