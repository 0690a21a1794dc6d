"""Bar terms as text, and what is said of those that cannot be read."""

from __future__ import annotations

from dataclasses import dataclass

from statsmodels_mcla.exceptions import MCLAWarning


class FormulaError(ValueError):
    """A formula, or the data that it names, cannot be read; the message shows the term."""


class FormulaWarning(MCLAWarning):
    """What a formula asks for cannot be had of these data: effects that cannot be told apart, rows with gaps."""


@dataclass(frozen=True)
class BarTerm:
    """One ``(inner | group)`` of a formula, as text.

    Parameters
    ----------
    text : str
        The term as it was written, with its parentheses; errors show it.
    inner : str
        Left of the bar: the design of one level's effects, as patsy reads it.
    group : str
        Right of the bar: factors joined by ``:`` or ``/``.
    correlated : bool
        False for ``||``.
    label : str
        The ``p`` of ``(1 | p | g)``: terms under one label have one covariance matrix, in whichever predictors.
    """

    text: str
    inner: str
    group: str
    correlated: bool = True
    label: str = ""
