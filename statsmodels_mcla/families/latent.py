"""Latent distributions of ordered categories: the log probability of an interval, and its derivatives.

A row is between two thresholds with probability F(a) - F(b), where a and b are these less the row's location eta.
"""

# Implementations of the abstract methods: these say what each returns.
# ruff: noqa: D102

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from scipy import special

from statsmodels_mcla.families.links import CLOGLOG, LOGIT, PROBIT, MeanLink
from statsmodels_mcla.numerics import LOG_2PI, Array, log1mexp


class Ends(NamedTuple):
    """Derivatives of the log probability by the ends: first and second ones, and those of its slope in eta."""

    da: Array
    db: Array
    daa: Array
    dab: Array
    dbb: Array
    d1a: Array
    d1b: Array


class Interval(ABC):
    """log(F(a) - F(b)) at arrays a > b, one of which may be infinite: its ``value``, and derivatives."""

    value: Array

    @abstractmethod
    def slopes(self) -> tuple[Array, Array]:
        """Return the first two derivatives in eta."""

    @abstractmethod
    def ends(self) -> Ends:
        """Return the derivatives by the ends."""

    @abstractmethod
    def bends(self) -> tuple[Array, Array]:
        """Return the derivatives by a and by b of the second derivative in eta."""


class Latent(ABC):
    """A latent distribution."""

    link: MeanLink

    @abstractmethod
    def between(self, upper: Array, lower: Array, eta: Array) -> Interval:
        """Return the interval between two thresholds at locations eta."""


@dataclass(frozen=True)
class Logistic(Latent):
    """The logistic distribution."""

    link: MeanLink = LOGIT

    def between(self, upper: Array, lower: Array, eta: Array) -> Interval:
        return LogisticInterval(upper - eta, lower - eta, upper - lower)


class LogisticInterval(Interval):
    """F(a) - F(b) = F(a) (1 - F(b)) (1 - e^(b - a)), of which the last factor does not depend on eta."""

    def __init__(self, a: Array, b: Array, width: Array) -> None:
        ea, eb = np.exp(-np.abs(a)), np.exp(-np.abs(b))
        sa, sb = 1.0 + ea, 1.0 + eb
        self._width = width
        self._A, self._B = np.where(a < 0.0, ea, 1.0) / sa, np.where(b < 0.0, eb, 1.0) / sb
        self._fa, self._fb = ea / (sa * sa), eb / (sb * sb)
        self.value = np.minimum(a, 0.0) - np.maximum(b, 0.0) - np.log(sa * sb)
        self.value = self.value + log1mexp(np.maximum(width, 0.0))

    def slopes(self) -> tuple[Array, Array]:
        return self._A + self._B - 1.0, -self._fa - self._fb

    def ends(self) -> Ends:
        fa, fb = self._fa, self._fb
        c = 1.0 / np.expm1(self._width)
        bend = c * (1.0 + c)
        return Ends(1.0 - self._A + c, -self._B - c, -bend - fa, bend, -bend - fb, fa, fb)

    def bends(self) -> tuple[Array, Array]:
        return self._fa * (2.0 * self._A - 1.0), self._fb * (2.0 * self._B - 1.0)


@dataclass(frozen=True)
class Tails(Latent):
    """A distribution by the logs of its function, of one minus it and of its density f, and by f' / f and f'' / f."""

    link: MeanLink
    log_cdf: Callable[[Array], Array]
    log_sf: Callable[[Array], Array]
    log_pdf: Callable[[Array], Array]
    slope: Callable[[Array], Array]
    bend: Callable[[Array], Array]

    def between(self, upper: Array, lower: Array, eta: Array) -> Interval:
        return TailsInterval(self, upper - eta, lower - eta)


class TailsInterval(Interval):
    """From the tail that is nearer."""

    def __init__(self, law: Tails, a: Array, b: Array) -> None:
        self._law, high, low = law, np.isfinite(a), np.isfinite(b)
        self._a, self._b, self._high, self._low = np.where(high, a, 0.0), np.where(low, b, 0.0), high, low
        below = np.where(high, law.log_cdf(self._a), 0.0), np.where(low, law.log_cdf(self._b), -np.inf)
        above = np.where(low, law.log_sf(self._b), 0.0), np.where(high, law.log_sf(self._a), -np.inf)
        left = np.where(low & high, self._a + self._b < 0.0, high)
        more, less = (np.where(left, x, z) for x, z in zip(below, above, strict=True))
        self.value = np.where(a > b, more + log1mexp(np.maximum(more - less, 0.0)), -np.inf)

    @cached_property
    def _densities(self) -> tuple[Array, Array]:
        """f(x) / (F(a) - F(b)) at both ends."""
        return (
            np.where(self._high, np.exp(self._law.log_pdf(self._a) - self.value), 0.0),
            np.where(self._low, np.exp(self._law.log_pdf(self._b) - self.value), 0.0),
        )

    @cached_property
    def _slopes(self) -> tuple[Array, Array]:
        return self._law.slope(self._a), self._law.slope(self._b)

    @cached_property
    def _sums(self) -> tuple[Array, Array]:
        """Differences of f and of f', relative to the probability."""
        (pa, pb), (sa, sb) = self._densities, self._slopes
        return pa - pb, pa * sa - pb * sb

    def slopes(self) -> tuple[Array, Array]:
        g, h = self._sums
        return -g, h - g * g

    def ends(self) -> Ends:
        (pa, pb), (sa, sb), (g, _) = self._densities, self._slopes, self._sums
        return Ends(pa, -pb, pa * (sa - pa), pa * pb, -pb * (sb + pb), -pa * (sa - g), pb * (sb - g))

    def bends(self) -> tuple[Array, Array]:
        (pa, pb), (sa, sb), (g, h) = self._densities, self._slopes, self._sums
        ta, tb = self._law.bend(self._a) - h, self._law.bend(self._b) - h
        return pa * (ta - 2.0 * g * (sa - g)), -pb * (tb - 2.0 * g * (sb - g))


LATENT: dict[str, Latent] = {
    "logit": Logistic(),
    "probit": Tails(
        PROBIT,
        special.log_ndtr,
        lambda x: special.log_ndtr(-x),
        lambda x: -0.5 * (x * x + LOG_2PI),
        lambda x: -x,
        lambda x: x * x - 1.0,
    ),
    "cloglog": Tails(
        CLOGLOG,
        lambda x: log1mexp(np.exp(x)),
        lambda x: -np.exp(x),
        lambda x: x - np.exp(x),
        lambda x: 1.0 - np.exp(x),
        lambda x: 1.0 + np.exp(x) * (np.exp(x) - 3.0),
    ),
}
