"""Functions with two exact derivatives: forward differentiation of second order, on arrays.

A `Jet` is a value with its gradient and Hessian in a few variables (linear predictor, parameters of a family).  Written
with jets, a log density is one expression, and its derivatives follow by the chain rule (Griewank and Walther, 2008,
Evaluating Derivatives, ch. 13).  Parts that do not depend on a variable are absent, so that what depends on the data or
on one parameter alone is computed on small arrays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from scipy import special

from statsmodels_mcla.families.stirling import HALF_LOG_2PI, remainder, remainder_d1, remainder_d2, trigamma
from statsmodels_mcla.numerics import Array, Number
from statsmodels_mcla.numerics import log1mexp as _log1mexp

Pair = tuple[int, int]


def _sum(a: dict, b: Mapping, factor: Number = 1.0) -> dict:  # type: ignore[type-arg]
    """Add parts, those that are absent being zero."""
    out = dict(a)
    for key, part in b.items():
        term = part * factor
        out[key] = out[key] + term if key in out else term
    return out


@dataclass(frozen=True)
class Jet:
    """A value and its first two derivatives.

    Attributes
    ----------
    value : ndarray
    d : dict
        First derivatives by number of the variable.
    h : dict
        Second derivatives by pair of variables (i, j), i <= j.
    """

    value: Array
    d: dict[int, Array] = field(default_factory=dict)
    h: dict[Pair, Array] = field(default_factory=dict)

    __array_ufunc__: ClassVar[None] = None  # arrays leave arithmetic to it

    @classmethod
    def variable(cls, value: Number, number: int) -> Jet:
        """Return the variable of this number."""
        return cls(np.asarray(value, float), {number: np.ones(())})

    @classmethod
    def constant(cls, value: Number) -> Jet:
        """Return a value that depends on no variable."""
        return cls(np.asarray(value, float))

    def through(self, value: Array, d1: Array, d2: Array) -> Jet:
        """Return f(self), from f and its derivatives at ``self.value``."""
        if not self.d:
            return Jet(value)
        h = {pair: d1 * part for pair, part in self.h.items()}
        squares = {(i, j): d2 * (a * b) for i, a in self.d.items() for j, b in self.d.items() if i <= j}
        return Jet(value, {i: d1 * a for i, a in self.d.items()}, _sum(h, squares))

    @classmethod
    def of_two(cls, x: Jet, z: Jet, value: Array, first: Sequence[Array], second: Sequence[Array]) -> Jet:
        """Return f(x, z), from f, its first derivatives and those by (x, x), (x, z), (z, x) and (z, z)."""
        d = _sum({i: first[0] * part for i, part in x.d.items()}, z.d, first[1])
        h = _sum({pair: first[0] * part for pair, part in x.h.items()}, z.h, first[1])
        for factor, left, right in zip(second, (x, x, z, z), (x, z, x, z), strict=True):
            pairs = {(i, j): a * b for i, a in left.d.items() for j, b in right.d.items() if i <= j}
            h = _sum(h, pairs, factor)
        return cls(value, d, h)

    def __add__(self, other: Jet | Number) -> Jet:
        """Sum."""
        if not isinstance(other, Jet):
            return Jet(self.value + other, self.d, self.h)
        return Jet(self.value + other.value, _sum(self.d, other.d), _sum(self.h, other.h))

    def __mul__(self, other: Jet | Number) -> Jet:
        """Product."""
        if not isinstance(other, Jet):
            return Jet(self.value * other, _sum({}, self.d, other), _sum({}, self.h, other))
        d = _sum(_sum({}, self.d, other.value), other.d, self.value)
        h = _sum(_sum({}, self.h, other.value), other.h, self.value)
        for i, a in self.d.items():
            for j, b in other.d.items():
                h = _sum(h, {(min(i, j), max(i, j)): a * b}, 2.0 if i == j else 1.0)
        return Jet(self.value * other.value, d, h)

    def __neg__(self) -> Jet:
        """Minus it."""
        return self * -1.0

    def __sub__(self, other: Jet | Number) -> Jet:
        """Difference."""
        return self + (-other)

    def __truediv__(self, other: Jet | Number) -> Jet:
        """Quotient."""
        return self * (reciprocal(other) if isinstance(other, Jet) else 1.0 / np.asarray(other))

    __radd__, __rmul__ = __add__, __mul__

    def __rsub__(self, other: Number) -> Jet:
        """Difference from a number."""
        return -self + other

    def __rtruediv__(self, other: Number) -> Jet:
        """Quotient of a number."""
        return reciprocal(self) * other


def reciprocal(x: Jet) -> Jet:
    """Return 1 / x."""
    r = 1.0 / x.value
    return x.through(r, -r * r, 2.0 * r * r * r)


def exp(x: Jet) -> Jet:
    """Return e^x."""
    e = np.exp(x.value)
    return x.through(e, e, e)


def expm1(x: Jet) -> Jet:
    """Return e^x - 1."""
    e = np.exp(x.value)
    return x.through(np.expm1(x.value), e, e)


def log(x: Jet) -> Jet:
    """Return the logarithm."""
    r = 1.0 / x.value
    return x.through(np.log(x.value), r, -r * r)


def log1p(x: Jet) -> Jet:
    """Return log(1 + x)."""
    r = 1.0 / (1.0 + x.value)
    return x.through(np.log1p(x.value), r, -r * r)


def softplus(x: Jet) -> Jet:
    """Return log(1 + e^x)."""
    p = special.expit(x.value)
    return x.through(np.logaddexp(0.0, x.value), p, p * special.expit(-x.value))


def expit(x: Jet) -> Jet:
    """Return 1 / (1 + e^-x)."""
    p, q = special.expit(x.value), special.expit(-x.value)
    return x.through(p, p * q, p * q * (q - p))


def log_add(a: Jet, b: Jet) -> Jet:
    """Return log(e^a + e^b)."""
    return a + softplus(b - a)


def log1mexp(x: Jet) -> Jet:
    """Return log(1 - e^-x) at x > 0."""
    d1 = 1.0 / np.expm1(np.minimum(x.value, 700.0))
    return x.through(_log1mexp(x.value), d1, -d1 * (1.0 + d1))


def gammaln(x: Jet) -> Jet:
    """Return log Gamma(x) at x > 0."""
    if not x.d:
        return Jet(special.gammaln(x.value))
    return x.through(special.gammaln(x.value), special.digamma(x.value), trigamma(x.value))


def stirling(x: Jet) -> Jet:
    """Return what Stirling's formula leaves of log Gamma(x), half a logarithm of 2 pi included, at x > 0."""
    return x.through(remainder(x.value) + HALF_LOG_2PI, remainder_d1(x.value), remainder_d2(x.value))


def power(base: Jet, exponent: Jet | float) -> Jet:
    """Return a power of a positive base."""
    return exp(log(base) * exponent)


def log_rising(y: Array, r: Jet) -> Jet:
    """Return log Gamma(y + r) - log Gamma(r) - y log r at r > 0: accurate as r grows, where it tends to zero."""
    size, total = r.value, y + r.value
    value = (total - 0.5) * np.log1p(y / size) - y + remainder(total) - remainder(size)
    if not r.d:
        return Jet(value)
    d1 = np.log1p(y / size) - y / size + 0.5 * y / (size * total) + remainder_d1(total) - remainder_d1(size)
    d2 = y**2 / (size**2 * total) + 0.5 * (1.0 / total**2 - 1.0 / size**2)
    d2 = d2 + remainder_d2(total) - remainder_d2(size)
    return r.through(value, d1, d2)


def select(where: Array, a: Jet, b: Jet) -> Jet:
    """Return a in some places, and b elsewhere."""

    def chosen(x: Number, z: Number) -> Array:
        return np.where(where, x, z)

    return Jet(
        chosen(a.value, b.value),
        {k: chosen(a.d.get(k, 0.0), b.d.get(k, 0.0)) for k in sorted({*a.d, *b.d})},
        {k: chosen(a.h.get(k, 0.0), b.h.get(k, 0.0)) for k in sorted({*a.h, *b.h})},
    )
