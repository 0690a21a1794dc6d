"""How much memory there is, and how much users let a fit take."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import numpy as np

UNITS = {"": 1.0, "b": 1.0, "kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12}


def resident() -> int:
    """Memory of this process in bytes; 0 where the system does not say."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def available() -> float:
    """Memory that processes could have in bytes; infinite where the system does not say."""
    try:
        found = re.search(r"MemAvailable:\s*(\d+) kB", Path("/proc/meminfo").read_text())
    except OSError:
        found = None
    return np.inf if found is None else 1024.0 * float(found.group(1))


def checked_bytes(name: str, limit: Any) -> float:
    """Number of bytes of a number, or of a text such as "4GB"; infinite for None.

    Raises
    ------
    ValueError
        If it is neither; the message has the name.
    """
    if limit is None or limit == np.inf:
        return np.inf
    text = re.fullmatch(r"\s*([0-9.]+)\s*([a-zA-Z]*)\s*", str(limit))
    unit = None if text is None else UNITS.get(text.group(2).lower().replace("ib", "b"))
    if text is None or unit is None or float(text.group(1)) <= 0:
        raise ValueError(f"{name} must be a number of bytes, or such as '4GB', got {limit!r}")
    return float(text.group(1)) * unit
