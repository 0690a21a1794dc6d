"""Types of what the kernels take and give, and where parts of a vector lie."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

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


def numeric_array(value: Any) -> Array:
    """Floats, without taking dates for numbers of nanoseconds as numpy does.

    Raises
    ------
    TypeError, ValueError
        If a value is no number.
    """
    out = np.asarray(value)
    if out.dtype.kind in "mM":
        raise TypeError("dates and times are no numbers")
    return out.astype(float, order="C")
