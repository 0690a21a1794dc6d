"""Warnings that say what went wrong with a fit and what to do about it."""

from __future__ import annotations

from statsmodels.tools.sm_exceptions import ConvergenceWarning, ModelWarning

__all__ = [
    "ConvergenceWarning",
    "ImportanceWeightWarning",
    "MCLAWarning",
    "PrecisionWarning",
    "SeparationWarning",
    "SingularFitWarning",
]


class MCLAWarning(ModelWarning):
    """Parent of every warning of this package."""


class SingularFitWarning(MCLAWarning):
    """The maximum lies on the boundary: a variance of zero or a correlation of one."""


class ImportanceWeightWarning(MCLAWarning):
    """A few draws carry most of the weight, so Monte Carlo errors may be understated."""


class PrecisionWarning(MCLAWarning):
    """The draws ran out before the Monte Carlo errors were as small as asked for."""


class SeparationWarning(MCLAWarning):
    """A covariate predicts the response perfectly: its coefficient has no finite maximum."""
