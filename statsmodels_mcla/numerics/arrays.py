"""Types of what the kernels take and give, and where parts of a vector lie."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import accumulate, pairwise
from typing import Any

from numpy.typing import NDArray

Array = NDArray[Any]
Number = Array | float

LOG_2PI = math.log(2.0 * math.pi)


def consecutive_slices(sizes: Iterable[int]) -> tuple[slice, ...]:
    """Where parts of these sizes lie, one after another."""
    return tuple(slice(a, b) for a, b in pairwise(accumulate(sizes, initial=0)))
