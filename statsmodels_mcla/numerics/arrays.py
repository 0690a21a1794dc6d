"""Types of what the kernels take and give."""

from __future__ import annotations

import math
from typing import Any

from numpy.typing import NDArray

Array = NDArray[Any]
Number = Array | float

LOG_2PI = math.log(2.0 * math.pi)
