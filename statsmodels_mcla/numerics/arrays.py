"""Types of what the kernels take and give, and where parts of a vector lie."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse

Array = NDArray[Any]
Number = Array | float

LOG_2PI = math.log(2.0 * math.pi)


def consecutive_slices(sizes: Iterable[int]) -> tuple[slice, ...]:
    """Where parts of these sizes lie, one after another."""
    return tuple(slice(a, b) for a, b in pairwise(accumulate(sizes, initial=0)))


def thrifty(values: Array) -> Array:
    """The same values, to be read: in next to no memory where they are all alike."""
    if values.size and np.all(values == values.flat[0]):
        return np.broadcast_to(values.flat[0], values.shape)
    return values


class UniqueRows(NamedTuple):
    """Distinct rows of a table in the order of their columns, the first first (see `unique_rows`)."""

    rows: Array
    first: NDArray[np.intp]
    """Where each occurs first."""
    inverse: NDArray[np.intp]
    """Which of them each row of the table is."""
    counts: NDArray[np.intp]


def unique_rows(table: Array) -> UniqueRows:
    """Find the distinct rows of a matrix.

    What `numpy.unique` finds along an axis by comparing records, in which an interruption becomes a TypeError.
    """
    order = np.lexsort(table.T[::-1]) if table.shape[1] else np.arange(len(table))
    ordered = table[order]
    new = np.append(True, (ordered[1:] != ordered[:-1]).any(axis=1))[: len(table)]
    first = np.flatnonzero(new)
    inverse = np.empty(len(table), np.intp)
    inverse[order] = np.cumsum(new) - 1
    return UniqueRows(ordered[first], order[first], inverse, np.diff(first, append=len(table)))


def unmasked(value: Any) -> Any:
    """The same values, those that numpy masks missing (NaN)."""
    if not isinstance(value, np.ma.MaskedArray):
        return value
    plain = np.array(value.data, float if value.dtype.kind in "biuf" else object)
    plain[np.ma.getmaskarray(value)] = np.nan
    return plain


def numeric_array(value: Any) -> Array:
    """Floats, masked values missing, without taking dates for numbers of nanoseconds as numpy does.

    Raises
    ------
    TypeError, ValueError
        If a value is no number.
    """
    if issparse(value):
        raise TypeError("a sparse matrix holds no array of numbers: pass what its toarray() gives")
    out = np.asarray(unmasked(value))
    if out.dtype.kind in "mM":
        raise TypeError("dates and times are no numbers")
    return out.astype(float, order="C")


def logistic(x: Array) -> tuple[Array, Array, Array]:
    """Return expit(x), expit(-x) and log(1 + e^x)."""
    within = np.minimum(x, 700.0)
    odds = np.exp(within)
    other = 1.0 / (1.0 + odds)
    return odds * other, other, np.log1p(odds) + (x - within)


def log1mexp(x: Array) -> Array:
    """Return log(1 - e^-x) at x >= 0, as -log(1 + 1 / (e^x - 1)): no difference of numbers that are nearly equal."""
    return -np.log1p(1.0 / np.expm1(np.minimum(x, 700.0)))
