"""Smooth functions of the parameters that profiles are taken of, each on the scale where it is least curved.

A quantity has an *inner* scale, on which it is held at a value and on which the search for limits moves: the
root of a variance, the logarithm of a dispersion, the inverse hyperbolic tangent of a correlation; everything
else is its own.  Profile likelihoods do not depend on the scale, so that values and limits are simply taken
back to the *outer* one, which users see.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, Protocol

import numpy as np

from statsmodels_mcla.estimation.constrained import Inner
from statsmodels_mcla.numerics import Array
from statsmodels_mcla.profile.scales import FISHER_Z, LOGARITHM, NEAR_ONE, PLAIN, POSITIVE, SQUARE, OuterScale

FAR_LOG = 16.0  # distance of a log dispersion from its estimate that is as good as infinite


Pivots = tuple[tuple[int, ...], ...]


class End(NamedTuple):
    """End of a quantity's range.

    Attributes
    ----------
    inner, outer : float
        Where it is; ``inner`` may be a finite stand-in for infinity.
    zero : tuple of int
        Covariance parameters that are zero there: the profile ends at the model without them.
    """

    inner: float
    outer: float
    zero: tuple[int, ...] = ()


class Quantity(Protocol):
    """What a profile is taken of; by default its own scale, a range without ends that are reached, no dispersion.

    Attributes
    ----------
    dispersed : bool
        Whether it needs a dispersion that is not zero.
    flat : bool
        Whether the likelihood is the same for all its values.
    """

    dispersed: ClassVar[bool] = False
    flat: ClassVar[bool] = False

    @property
    def scale(self) -> OuterScale:
        """How users see it."""
        return PLAIN

    def at(self, params: Array) -> Inner:
        """Value and derivatives at natural parameters of the whole model (P,)."""

    def ends(self, estimate: float) -> tuple[End, End]:
        """Lower and upper end of the range, seen from the (inner) estimate."""

    def pivots(self, at_end: Pivots) -> Pivots:
        """Coordinates of every term that a model needs in which the quantity is not at an end of its range."""
        return at_end

    def inward(self, params: Array, t: float) -> Array:
        """Natural parameters inside the range, further from those at an end of it the larger t > 0 is."""
        return params


def _unit(index: int, size: int, value: float = 1.0) -> Array:
    out = np.zeros(size)
    out[index] = value
    return out


LOWEST, HIGHEST = End(-np.inf, -np.inf), End(np.inf, np.inf)


@dataclass(frozen=True)
class Coordinate(Quantity):
    """A parameter itself: a fixed effect or a covariance."""

    index: int

    def at(self, params: Array) -> Inner:
        """See `Quantity`."""
        P = len(params)
        return Inner(float(params[self.index]), _unit(self.index, P), np.zeros((P, P)))

    def ends(self, estimate: float) -> tuple[End, End]:
        """See `Quantity`."""
        return LOWEST, HIGHEST


@dataclass(frozen=True)
class OfNothing(Coordinate):
    """A parameter of a zero part whose probability is zero at the maximum, whatever that parameter is.

    Attributes
    ----------
    lowest : float
        Of its range, which is also its interval.
    """

    flat: ClassVar[bool] = True

    lowest: float = -np.inf

    def ends(self, estimate: float) -> tuple[End, End]:
        """See `Quantity`."""
        return End(estimate, self.lowest), End(estimate, np.inf)


@dataclass(frozen=True)
class VanishedZeroPart(Coordinate):
    """Effect in a zero part whose probability is zero at the maximum: the estimate is an infinite end.

    Attributes
    ----------
    side : int
        Of that end.
    columns, one : ndarray (k,)
        Effects of the zero part, and what they are where its linear predictor is one.
    """

    side: int
    columns: np.ndarray
    one: Array

    def ends(self, estimate: float) -> tuple[End, End]:
        """See `Quantity`."""
        if self.side > 0:
            return LOWEST, End(estimate, np.inf)
        return End(estimate, -np.inf), HIGHEST

    def inward(self, params: Array, t: float) -> Array:
        """See `Quantity`; t squared is the odds."""
        out = params.copy()
        out[self.columns] = 2.0 * np.log(t) * self.one
        return out


@dataclass(frozen=True)
class Variance(Quantity):
    """A variance, or a standard deviation, held by its root.

    Attributes
    ----------
    term, column : int
        Whose it is.
    index : int
        Of the variance in ``params``.
    zero : tuple of int
        The variance and the covariances that are zero with it.
    power : int
        2 for the variance, 1 for the standard deviation.
    """

    term: int
    column: int
    index: int
    zero: tuple[int, ...]
    power: int = 2

    @property
    def scale(self) -> OuterScale:
        """See `Quantity`."""
        return SQUARE if self.power == 2 else POSITIVE

    def at(self, params: Array) -> Inner:
        """See `Quantity`; at zero there are no derivatives, and none are asked for."""
        P, root = len(params), float(np.sqrt(params[self.index]))
        if root == 0:
            return Inner(0.0, np.full(P, np.nan), np.full((P, P), np.nan))
        hessian = np.zeros((P, P))
        hessian[self.index, self.index] = -0.25 / root**3
        return Inner(root, _unit(self.index, P, 0.5 / root), hessian)

    def ends(self, estimate: float) -> tuple[End, End]:
        """See `Quantity`."""
        return End(0.0, 0.0, self.zero), HIGHEST

    def pivots(self, at_end: Pivots) -> Pivots:
        """See `Quantity`; the effect itself, if its term has none."""
        own = at_end[self.term] or (self.column,)
        return (*at_end[: self.term], own, *at_end[self.term + 1 :])

    def inward(self, params: Array, t: float) -> Array:
        """See `Quantity`; t is the standard deviation."""
        out = params.copy()
        out[self.index] = t * t
        return out


@dataclass(frozen=True)
class Dispersion(Quantity):
    """A dispersion, held by its logarithm; a limit too far away to be told from zero is zero."""

    scale: ClassVar[OuterScale] = LOGARITHM

    index: int

    def at(self, params: Array) -> Inner:
        """See `Quantity`."""
        P, value = len(params), float(params[self.index])
        hessian = np.zeros((P, P))
        hessian[self.index, self.index] = -1.0 / value**2
        return Inner(float(np.log(value)), _unit(self.index, P, 1.0 / value), hessian)

    def ends(self, estimate: float) -> tuple[End, End]:
        """See `Quantity`."""
        return End(estimate - FAR_LOG, 0.0), End(estimate + FAR_LOG, np.inf)


@dataclass(frozen=True)
class BoundedDispersion(Variance):
    """A dispersion that may be zero, held by its root as a variance is; of no term."""

    dispersed: ClassVar[bool] = True

    def pivots(self, at_end: Pivots) -> Pivots:
        """See `Quantity`."""
        return at_end


@dataclass(frozen=True)
class Correlation(Quantity):
    """Correlation of two effects of a level, held by its inverse hyperbolic tangent.

    Attributes
    ----------
    term : int
    dim : int
        Number of effects of the term.
    first, second, cov : int
        Of the two variances and of the covariance in ``params``.
    """

    scale: ClassVar[OuterScale] = FISHER_Z

    term: int
    dim: int
    first: int
    second: int
    cov: int

    def at(self, params: Array) -> Inner:
        """See `Quantity`."""
        P = len(params)
        i, j, k = self.first, self.second, self.cov
        size = float(np.sqrt(params[i] * params[j]))
        r = float(np.clip(params[k] / size, FISHER_Z.low, FISHER_Z.high))
        g = np.zeros(P)
        g[[i, j, k]] = -0.5 * r / params[i], -0.5 * r / params[j], 1.0 / size
        H = np.zeros((P, P))
        H[i, i], H[j, j] = 0.75 * r / params[i] ** 2, 0.75 * r / params[j] ** 2
        H[i, j] = H[j, i] = 0.25 * r / (params[i] * params[j])
        H[i, k] = H[k, i] = -0.5 / (size * params[i])
        H[j, k] = H[k, j] = -0.5 / (size * params[j])
        rest = 1.0 - r * r
        value = float(np.clip(np.arctanh(r), -NEAR_ONE, NEAR_ONE))
        return Inner(value, g / rest, H / rest + 2.0 * r / rest**2 * np.outer(g, g))

    def ends(self, estimate: float) -> tuple[End, End]:
        """See `Quantity`."""
        return End(-NEAR_ONE, -1.0), End(NEAR_ONE, 1.0)

    def pivots(self, at_end: Pivots) -> Pivots:
        """See `Quantity`; all effects of the term."""
        return (*at_end[: self.term], tuple(range(self.dim)), *at_end[self.term + 1 :])

    def inward(self, params: Array, t: float) -> Array:
        """See `Quantity`; correlations of the term shrink by exp(-t)."""
        out = params.copy()
        out[self.cov] *= np.exp(-t)
        return out


@dataclass(frozen=True)
class SmoothFunction(Quantity):
    """A function of the natural parameters, with derivatives by differences.

    Attributes
    ----------
    function : callable
        Of an ndarray (P,), smooth.
    step : ndarray (P,)
        Steps for the differences, small against the standard errors.
    lower, upper : End
        Where the function takes its smallest and largest value, if that is known.
    needed : tuple
        An effect of every term that has none at the maximum, if the function is at an end of its range there.
    variances : tuple of int
        Of these effects in ``params``.
    """

    function: Callable[[Array], float]
    step: Array
    lower: End = LOWEST
    upper: End = HIGHEST
    needed: Pivots = ()
    variances: tuple[int, ...] = ()

    def at(self, params: Array) -> Inner:
        """See `Quantity`; no step takes a parameter more than halfway to zero."""
        P, value = len(params), float(self.function(params))
        h = np.where(params == 0, self.step, np.minimum(self.step, 0.5 * np.abs(params) + 1e-3 * self.step))
        E = np.diag(h)
        up = np.array([self.function(params + e) for e in E], float)
        down = np.array([self.function(params - e) for e in E], float)
        hessian = np.diag((up - 2.0 * value + down) / h**2)
        used = np.flatnonzero(up != down)
        for a, j in enumerate(used):
            for k in used[:a]:
                both = self.function(params + E[j] + E[k]) + self.function(params - E[j] - E[k])
                mixed = (both - up[j] - down[j] - up[k] - down[k] + 2.0 * value) / (2.0 * h[j] * h[k])
                hessian[j, k] = hessian[k, j] = mixed
        return Inner(value, (up - down) / (2.0 * h), hessian.reshape(P, P))

    def ends(self, estimate: float) -> tuple[End, End]:
        """See `Quantity`."""
        return self.lower, self.upper

    def pivots(self, at_end: Pivots) -> Pivots:
        """See `Quantity`; one effect of every term that it needs."""
        return tuple(own or needed for own, needed in zip(at_end, self.needed, strict=True))

    def inward(self, params: Array, t: float) -> Array:
        """See `Quantity`; t is the standard deviation of the effects that it needs."""
        out = params.copy()
        out[list(self.variances)] = t * t
        return out
