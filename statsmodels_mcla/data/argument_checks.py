"""Checks of single arguments, each with a message that names the argument and what it takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from statsmodels_mcla.numerics import Array


def checked_count(name: str, value: Any, least: int = 1, why: str = "") -> int:
    """Check a whole number of at least ``least``; ``why`` follows in the message."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        wanted = "a positive integer" if least == 1 else f"an integer of at least {least}"
        raise ValueError(f"{name} must be {wanted}{why}, got {value!r}")
    return int(value)


def check_alpha(alpha: Any) -> None:
    """Refuse an alpha that is no probability strictly between 0 and 1."""
    if isinstance(alpha, bool) or not isinstance(alpha, (int, float, np.number)) or not 0 < alpha < 1:
        raise ValueError(f"alpha must lie between 0 and 1, such as 0.05 for 95 % intervals; got {alpha!r}")


def checked_numbers(values: Any, name: str) -> Array:
    """Check a sequence of numbers, one at least, and return it as an array."""
    try:
        found = np.atleast_1d(np.asarray(values, dtype=float))
    except (TypeError, ValueError):
        found = np.zeros(0)
    if found.ndim != 1 or not len(found):
        raise ValueError(f"{name} must be a sequence of numbers, one at least; got {values!r}")
    return found


def check_positive(**values: Any) -> None:
    """Refuse arguments that are not positive numbers."""
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, (int, float, np.number)) or not value > 0:
            raise ValueError(f"{name} must be a positive number, got {value!r}")


def check_missing(missing: Any, kinds: Sequence[str] = ("none", "drop", "raise")) -> None:
    """Refuse what says nothing about missing values."""
    if missing not in kinds:
        shown = f"{', '.join(map(repr, kinds[:-1]))} or {kinds[-1]!r}"
        raise ValueError(f"missing must be {shown}, got {missing!r}")
