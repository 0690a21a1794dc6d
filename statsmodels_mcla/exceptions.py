"""Warnings that say what went wrong with a fit and what to do about it, and how errors name a row."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

import numpy as np
from statsmodels.tools.sm_exceptions import ConvergenceWarning, ModelWarning

__all__ = [
    "ConvergenceWarning",
    "ImportanceWeightWarning",
    "MCLAWarning",
    "PrecisionWarning",
    "SeparationWarning",
    "SingularFitWarning",
    "warn_user",
]


T = TypeVar("T")


class MCLAWarning(ModelWarning):
    """Parent of every warning of this package.

    Examples
    --------
    >>> import warnings
    >>> from statsmodels_mcla.exceptions import MCLAWarning
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("error", MCLAWarning)  # a doubtful fit becomes an error
    ...     results = model.fit(rng=1)
    """


class SingularFitWarning(MCLAWarning):
    """The maximum lies on the boundary: a variance of zero or a correlation of one."""


class ImportanceWeightWarning(MCLAWarning):
    """A few draws carry most of the weight, so Monte Carlo errors may be understated."""


class PrecisionWarning(MCLAWarning):
    """The draws ran out before the Monte Carlo errors were as small as asked for."""


class SeparationWarning(MCLAWarning):
    """A covariate predicts the response perfectly: its coefficient has no finite maximum."""


def row_name(row: int, rows: Any = None, column: str = "") -> str:
    """How errors name a row of the data: by its number, or by its label in their index.

    Parameters
    ----------
    row : int
        Number among the rows that were looked at.
    rows : ndarray or Index, optional
        Numbers or labels of these rows in the data.
    column : str, optional
        What to say of the column.
    """
    if rows is None or isinstance(rows, np.ndarray):
        return f"row {row if rows is None else rows[row]}{column} (counting from 0)"
    label = rows[row]
    return f"row {label.item() if isinstance(label, np.generic) else label!r}{column} (label of the index)"


PACKAGE = str(Path(__file__).parent)


def is_inside(frame: FrameType) -> bool:
    """Whether a frame is of this package."""
    return frame.f_code.co_filename.startswith(PACKAGE)


def told_of(model: str, fit: Callable[[], T]) -> T:
    """What a fit on the way to a table gives, its warnings naming the model, whose fit nobody sees."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        found = fit()
    for each in told:
        if issubclass(each.category, ModelWarning):
            warn_user(f"{model}: {each.message}", each.category)
        else:
            warnings.warn_explicit(each.message, each.category, each.filename, each.lineno)
    return found


def warn_user(message: str, category: type[Warning] = MCLAWarning) -> None:
    """Warn at the first line outside this package: that of the user who called it."""
    level, frame = 1, sys._getframe()  # noqa: SLF001 - as CPython has it, and `warnings` itself
    while frame.f_back is not None and is_inside(frame):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)
