"""From the scales on which profiles are straight to those that users see, and back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from statsmodels_mcla.numerics import Array

NEAR_ONE = float(np.arctanh(1.0 - 1e-4))  # a correlation that is as good as one, transformed


@dataclass(frozen=True)
class OuterScale:
    """From inner to outer values and back.

    Attributes
    ----------
    outer, slope : callable
        Outer values of inner ones, and their derivative.
    inner : callable
        Inverse of ``outer``, for values between ``low`` and ``high``.
    low, high : float
        Smallest and largest outer values that ``inner`` takes.
    stride : float
        Longest step on the inner scale from one point of a profile to the next.
    """

    outer: Callable[[Array], Array] = np.positive
    slope: Callable[[Array], Array] = np.ones_like
    inner: Callable[[Array], Array] = np.positive
    low: float = -np.inf
    high: float = np.inf
    stride: float = np.inf


def _slope_of_tanh(inner: Array) -> Array:
    return np.asarray(1.0 / np.cosh(inner) ** 2)


PLAIN = OuterScale()
POSITIVE = OuterScale(low=0.0)
SQUARE = OuterScale(np.square, partial(np.multiply, 2.0), np.sqrt, low=0.0)
LOGARITHM = OuterScale(np.exp, np.exp, np.log, low=float(np.finfo(float).tiny), stride=1.0)
FISHER_Z = OuterScale(
    np.tanh, _slope_of_tanh, np.arctanh, -float(np.tanh(NEAR_ONE)), float(np.tanh(NEAR_ONE)), stride=0.7
)
