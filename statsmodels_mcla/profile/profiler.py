r"""Profile likelihood of a quantity: its points, its signed root, and confidence limits.

The signed root zeta(c) = sign(c - estimate) sqrt(2 (l_max - l_p(c))) is nearly straight (Bates and Watts, 1988,
sec. 6.1), and its slope, -lambda / zeta, comes with every constrained maximum for nothing: limits are found by
Newton's method on it, and between points it is interpolated by cubics.

A profile may end in a plateau, as where a coefficient of a zero part goes to where there are no zeros of it: the limit
is infinite if the plateau is above the target.  On the way there the likelihood falls by less and less, in a geometric
series of which the rest is known.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from statsmodels_mcla.estimation.constrained import (
    ConstrainedMaximum,
    Held,
    Objective,
    ObjectiveMaximum,
    difference_error,
    maximise,
    newton_step,
    with_what_returns,
)
from statsmodels_mcla.numerics import Array
from statsmodels_mcla.profile.quantities import End, Quantity

NEAR_TARGET = 0.03  # distance of zeta from its target at which the last Newton step is taken on trust
SPACING = 0.5  # of zeta between the points of a table
MAX_POINTS = 25
MAX_FAILURES = 6  # times that the way to a point is halved, because the likelihood does not exist at its end
FAR_LOSS = 2.0  # of log-likelihood, where the profile of an estimate at an end of its range begins
NEARLY_FLAT = 1e-3  # of log-likelihood, that the rest of the way to infinity is worth
PATH = 0.02 * 1.4 ** np.arange(40)


class ProfilePoint(NamedTuple):
    """One point of a profile.

    Attributes
    ----------
    inner : float
        Value of the quantity on its inner scale.
    llf : float
        Profile log-likelihood.
    mcse : float
        Monte Carlo error of its difference from the maximum.
    zeta : float
        Signed root of twice the difference.
    slope : float
        Derivative of zeta in ``inner``.
    found : ConstrainedMaximum
    """

    inner: float
    llf: float
    mcse: float
    zeta: float
    slope: float
    found: ConstrainedMaximum


class Limit(NamedTuple):
    """Limit of an interval, and its Monte Carlo error, on the outer scale."""

    value: float
    mcse: float


@dataclass(frozen=True)
class Profiler:
    """Profile likelihood of a quantity, point by point.

    Attributes
    ----------
    maximum : ObjectiveMaximum
    objective : Objective
        With the random effects that the quantity needs.
    quantity : Quantity
    estimate : float
        Inner value there.
    start : ConstrainedMaximum
        Where the search for the first points begins: the maximum, or a place inside the range if the estimate
        is at an end of it.
    known : list of ProfilePoint
        What has been found; filled as it goes.
    """

    maximum: ObjectiveMaximum
    objective: Objective
    quantity: Quantity
    estimate: float
    start: ConstrainedMaximum
    known: list[ProfilePoint] = field(default_factory=list)

    @classmethod
    def of(cls, maximum: ObjectiveMaximum, quantity: Quantity) -> Profiler:
        """Profiler of a quantity at a maximum, which may be at an end of its range."""
        objective, top = maximum.objective, maximum.top
        estimate = quantity.at(top.params).value
        away = [end for end in quantity.ends(estimate) if end.inner == estimate]
        if away:
            objective, x = _off_the_end(maximum, quantity)
            top = objective.at(x)
        inner = quantity.at(top.params).value
        step = newton_step(objective, top, Held(quantity, inner))
        start = ConstrainedMaximum(objective, top, top.value, 0.0, step.direction, top.x, not away)
        return cls(maximum, objective, quantity, estimate, start)

    @property
    def se(self) -> float:
        """Standard error on the inner scale, from the curvature at the start."""
        information = self.start.direction @ -self.start.point.hessian @ self.start.direction
        if information > 0:
            return float(1.0 / np.sqrt(information))
        return abs(self._value(self.start) - self.estimate) or 1.0

    def at(self, inner: float) -> ProfilePoint:
        """Find the point at an inner value, from the nearest place that is known, by shorter ways where it must be."""
        stride, failures = self.quantity.scale.stride, 0
        while True:
            places = [self.start, *(p.found for p in self.known if p.found.objective is self.objective)]
            values = [self._value(place) for place in places]
            k = int(np.argmin([abs(value - inner) for value in values]))
            move = float(np.clip(inner - values[k], -stride, stride))
            held = Held(self.quantity, inner if abs(move) < stride else values[k] + move)
            x = places[k].x + places[k].direction * move
            try:
                found = maximise(self.objective, x, held, places[k].point.state)
            except (FloatingPointError, np.linalg.LinAlgError):  # as where thresholds cross on the way
                stride, failures = 0.5 * abs(move), failures + 1
                if failures > MAX_FAILURES:
                    raise
                continue
            point = self._record(held.value, with_what_returns(found, held))
            if held.value == inner or found.objective is not self.objective:
                break
        return point if held.value == inner else self._directly(inner, places[k])

    def _directly(self, inner: float, place: ConstrainedMaximum) -> ProfilePoint:
        """Find the point at an inner value although models of full rank lead nowhere near it."""
        held = Held(self.quantity, inner)
        found = maximise(self.objective, place.x, held, place.point.state)
        return self._record(inner, with_what_returns(found, held))

    def _value(self, found: ConstrainedMaximum) -> float:
        return self.quantity.at(self.objective.natural(found.x)).value

    def at_end(self, end: End) -> ProfilePoint:
        """Find the point at an end of the range: the model without what is zero there, if anything is."""
        known = [p for p in self.known if p.inner == end.inner]
        if known or not end.zero:
            return known[0] if known else self.at(end.inner)
        smaller = self.objective.on(self.objective.submodel.without(end.zero))
        return self._record(end.inner, maximise(smaller, smaller.locate(self.start.point.params)))

    def _record(self, inner: float, found: ConstrainedMaximum) -> ProfilePoint:
        side = np.sign(inner - self.estimate)
        zeta = float(side * np.sqrt(2.0 * max(self.maximum.top.value - found.value, 0.0)))
        slope = -found.slope / zeta if zeta else 1.0 / self.se
        mcse = difference_error(self.maximum.top, found.point)
        self.known.append(ProfilePoint(inner, found.value, mcse, zeta, slope, found))
        return self.known[-1]

    def points(self) -> list[ProfilePoint]:
        """What is known, in order, the maximum among it; searches that did not end are no points of a profile."""
        slope = 1.0 / self.se if self.start.converged else 0.0
        top = ProfilePoint(self.estimate, self.maximum.top.value, 0.0, 0.0, slope, self.start)
        return sorted([*(p for p in self.known if p.found.converged), top], key=lambda p: p.inner)

    def limit(self, target: float) -> Limit:
        """Find where zeta takes a value; the end of the range where it never does.

        Parameters
        ----------
        target : float
            Negative below the estimate, positive above.

        Raises
        ------
        RuntimeError
            If the profile is too rough to find it.
        """
        side = np.sign(target)
        end = self.quantity.ends(self.estimate)[int(side > 0)]
        if end.inner == self.estimate:
            return Limit(end.outer, 0.0)
        inside, outside = self.estimate, end.inner
        guess = self._first_guess(target)
        for _ in range(MAX_POINTS):
            if side * guess >= side * end.inner:
                if abs(self.at_end(end).zeta) <= abs(target):
                    return Limit(end.outer, 0.0)
                guess = 0.5 * (inside + end.inner)
            point = self.at(guess)
            if abs(point.zeta - target) < NEAR_TARGET:
                return self._read_off(point, target)
            beyond = abs(point.zeta) > abs(target)
            if not beyond and self.plateau(side) is not None:
                return Limit(end.outer, 0.0)
            inside, outside = (inside, point.inner) if beyond else (point.inner, outside)
            guess = point.inner + (target - point.zeta) / point.slope if point.slope > 0 else np.inf * side
            too_far = side * guess >= side * outside and outside != end.inner
            if too_far or side * guess <= side * inside:
                guess = 0.5 * (inside + outside) if np.isfinite(outside) else inside + 2.0 * target * self.se
            if outside == end.inner:  # nothing is known out there
                reach = min(3.0 * abs(target) * self.se, 2.0 * self.quantity.scale.stride)
                guess = side * min(side * guess, side * inside + reach)
        raise RuntimeError("no limit of the profile was found: fit with more draws (a smaller mcse_tol)")

    def plateau(self, side: float) -> End | None:
        """Stand-in for an infinite end of the range, where the profile has become flat on the way to it."""
        end = self.quantity.ends(self.estimate)[int(side > 0)]
        last = [p for p in self.points() if side * (p.inner - self.estimate) >= 0][:: int(side)][-3:]
        if np.isfinite(end.inner) or len(last) < 3:
            return None
        inner, llf = (np.array([getattr(p, name) for p in last]) for name in ("inner", "llf"))
        step = np.abs(np.diff(inner))
        first, second = -np.diff(llf) / step
        if not (first > 0 and -NEARLY_FLAT < second * step[1] < first * step[1]):
            return None
        rate = np.log(first / max(second, 1e-12 * first)) / step.mean()
        rest = max(second, 0.0) * np.exp(-0.5 * rate * step[1]) / rate
        return End(last[-1].inner, end.outer) if rest < NEARLY_FLAT else None

    def _first_guess(self, target: float) -> float:
        """Value of the quantity a Wald distance away in the working parameters."""
        if not self.start.converged:
            return self._value(self.start)
        x = self.start.x + self.start.direction * target * self.se
        low, high = sorted([self.estimate, self.estimate + 3.0 * target * self.se])
        guess = self.quantity.at(self.objective.natural(x)).value
        return guess if low < guess < high else self.estimate + target * self.se

    def _read_off(self, point: ProfilePoint, target: float) -> Limit:
        inner = point.inner + (target - point.zeta) / point.slope
        scale = self.quantity.scale
        error = point.mcse / max(abs(point.found.slope), np.finfo(float).tiny)
        return Limit(
            float(scale.outer(np.asarray(inner))), float(error * abs(scale.slope(np.asarray(inner))))
        )

    def walk(self, farthest: float) -> None:
        """Find points on both sides, evenly spaced in zeta, until it has passed ``farthest``."""
        for side, end in zip((-1.0, 1.0), self.quantity.ends(self.estimate), strict=True):
            inner, zeta, slope = self.estimate, 0.0, 1.0 / self.se
            first = self._value(self.start)
            for _ in range(MAX_POINTS):
                if inner == end.inner or abs(zeta) >= farthest:
                    break
                step = min(SPACING / max(slope, 1e-3 / self.se), 2.0 * self.se, self.quantity.scale.stride)
                beyond = side * inner + step if self.start.converged or self.known else side * first
                inner = side * min(beyond, side * end.inner)
                point = self.at_end(end) if inner == end.inner else self.at(inner)
                zeta, slope = point.zeta, point.slope
                if self.plateau(side) is not None:
                    break
        for _ in range(MAX_POINTS):  # where zeta has jumped
            points = self.points()
            jumps = [abs(b.zeta - a.zeta) for a, b in pairwise(points)]
            k = int(np.argmax(jumps)) if jumps else 0
            if not jumps or jumps[k] < 2.5 * SPACING:
                break
            if not self.at(0.5 * (points[k].inner + points[k + 1].inner)).found.converged:
                break


def _off_the_end(maximum: ObjectiveMaximum, quantity: Quantity) -> tuple[Objective, Array]:
    """Likelihood of the model that the quantity needs, and where its other limit may be.

    Laplace's approximation says where about two units of log-likelihood are lost, the other parameters left alone.
    """
    submodel = maximum.objective.submodel
    pivots = quantity.pivots(submodel.reduction.pivots)
    at_limit = submodel.reduction.at_limit and not quantity.dispersed
    objective = maximum.objective
    if (pivots, at_limit) != (submodel.reduction.pivots, submodel.reduction.at_limit):
        objective = objective.on(submodel.with_pivots(pivots, at_limit))
    height = objective.submodel.laplace_height
    floor = height(maximum.params) - FAR_LOSS
    for t in PATH:
        params = quantity.inward(maximum.params, t)
        if height(params) < floor:
            break
    return objective, objective.locate(params)
