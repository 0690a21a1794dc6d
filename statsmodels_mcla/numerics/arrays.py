"""Types of what the kernels take and give."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

Array = NDArray[Any]
Number = Array | float
