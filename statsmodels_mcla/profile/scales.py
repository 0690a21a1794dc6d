"""From the scales on which profiles are straight to those that users see, and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from statsmodels_mcla.numerics import Array

NEAR_ONE = float(np.arctanh(1.0 - 1e-4))  # a correlation that is as good as one, transformed


class OuterScale(Protocol):
    """From inner to outer values and back."""

    @property
    def low(self) -> float:
        """Smallest outer value that `inner` takes."""

    @property
    def high(self) -> float:
        """Largest outer value that `inner` takes."""

    @property
    def stride(self) -> float:
        """Longest step on the inner scale from one point of a profile to the next."""

    def outer(self, inner: Array) -> Array:
        """Values on the scale that users see."""

    def slope(self, inner: Array) -> Array:
        """Derivative of `outer`."""

    def inner(self, outer: Array) -> Array:
        """Inverse of `outer`, for values between ``low`` and ``high``."""


@dataclass(frozen=True)
class Plain:
    """Inner and outer values are the same."""

    low: float = -np.inf
    high: float = np.inf
    stride: float = np.inf

    def outer(self, inner: Array) -> Array:
        """See `OuterScale`."""
        return np.asarray(inner, float)

    def slope(self, inner: Array) -> Array:
        """See `OuterScale`."""
        return np.ones_like(np.asarray(inner, float))

    def inner(self, outer: Array) -> Array:
        """See `OuterScale`."""
        return np.asarray(outer, float)


@dataclass(frozen=True)
class Power:
    """Outer values are a power of the inner ones: variances of standard deviations, power 2."""

    power: int
    low: float = 0.0
    high: float = np.inf
    stride: float = np.inf

    def outer(self, inner: Array) -> Array:
        """See `OuterScale`."""
        return np.asarray(inner, float) ** self.power

    def slope(self, inner: Array) -> Array:
        """See `OuterScale`."""
        return self.power * np.asarray(inner, float) ** (self.power - 1)

    def inner(self, outer: Array) -> Array:
        """See `OuterScale`."""
        return np.asarray(outer, float) ** (1.0 / self.power)


@dataclass(frozen=True)
class Logarithm:
    """Inner values are logarithms."""

    low: float = float(np.finfo(float).tiny)
    high: float = np.inf
    stride: float = 1.0

    def outer(self, inner: Array) -> Array:
        """See `OuterScale`."""
        return np.exp(inner)

    def slope(self, inner: Array) -> Array:
        """See `OuterScale`."""
        return np.exp(inner)

    def inner(self, outer: Array) -> Array:
        """See `OuterScale`."""
        return np.log(outer)


@dataclass(frozen=True)
class FisherZ:
    """Inner values are the inverse hyperbolic tangents of correlations."""

    low: float = -float(np.tanh(NEAR_ONE))
    high: float = float(np.tanh(NEAR_ONE))
    stride: float = 0.7

    def outer(self, inner: Array) -> Array:
        """See `OuterScale`."""
        return np.tanh(inner)

    def slope(self, inner: Array) -> Array:
        """See `OuterScale`."""
        return np.asarray(1.0 / np.cosh(inner) ** 2)

    def inner(self, outer: Array) -> Array:
        """See `OuterScale`."""
        return np.arctanh(outer)
