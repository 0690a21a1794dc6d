"""Profile likelihoods as tables, and the limits of their intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats
from scipy.interpolate import CubicHermiteSpline

from statsmodels_mcla.data import check_alpha, checked_numbers
from statsmodels_mcla.estimation.constrained import ObjectiveMaximum
from statsmodels_mcla.exceptions import warn_user
from statsmodels_mcla.interface import WithoutInternals
from statsmodels_mcla.numerics import Array
from statsmodels_mcla.profile.profiler import Limit, Profiler
from statsmodels_mcla.profile.quantities import End
from statsmodels_mcla.profile.quantity_lookup import quantity_of
from statsmodels_mcla.profile.scales import OuterScale

FARTHEST = float(stats.norm.isf(0.005))  # of zeta in a table: enough for 99 % intervals


@dataclass(frozen=True)
class ProfileLikelihood(WithoutInternals):
    """Profile likelihood of one quantity.

    Attributes
    ----------
    name : str
    estimate : float
    llf : float
        Log-likelihood at the maximum.
    table : DataFrame
        By value of the quantity: ``llf``, the profile log-likelihood; ``mcse``, the Monte Carlo error of its
        difference from the maximum; ``zeta``, the signed root of twice that difference, which is standard normal
        in large samples.

    Examples
    --------
    >>> profile = results.profile_likelihood("week", grid=[-0.25, -0.2, -0.1, -0.05])
    >>> profile.table["zeta"].round(2)
    value
    -0.250000   -1.94
    -0.200000   -1.04
    -0.145535    0.00
    -0.100000    0.90
    -0.050000    1.92
    Name: zeta, dtype: float64
    >>> profile([-0.15, -0.12]).round(2)
    array([-0.09,  0.5 ])
    """

    name: str
    estimate: float
    llf: float
    table: pd.DataFrame
    _inner: Array = field(repr=False)
    _slope: Array = field(repr=False)
    _estimate: float = field(repr=False)
    _scale: OuterScale = field(repr=False)
    _ends: tuple[End, End] = field(repr=False)

    def __repr__(self) -> str:
        shown = f"{self.name}, {len(self.table)} points about {self.estimate:.6g}"
        return f"<{type(self).__name__}: {shown}; table has them>"

    def _repr_html_(self) -> str:
        return str(self.table.to_html())

    def __str__(self) -> str:
        return f"Profile likelihood of {self.name}: estimate {self.estimate:.6g}, llf {self.llf:.4f}\n{self.table}"

    def conf_int(self, alpha: float = 0.05) -> pd.Series:
        """Limits of the interval, and their Monte Carlo errors, interpolated between the points of the profile.

        Parameters
        ----------
        alpha : float
            One minus the confidence level.

        Returns
        -------
        Series
            ``lower``, ``upper``, ``lower mcse``, ``upper mcse``.

        Raises
        ------
        ValueError
            If the points do not reach that far.

        Examples
        --------
        >>> results.profile_likelihood("week").conf_int().round(3)
        lower        -0.251
        upper        -0.048
        lower mcse    0.000
        upper mcse    0.000
        Name: week, dtype: float64
        """
        check_alpha(alpha)
        target = float(stats.norm.isf(0.5 * alpha))
        lower, upper = self._limit(-target), self._limit(target)
        return pd.Series(
            {"lower": lower.value, "upper": upper.value, "lower mcse": lower.mcse, "upper mcse": upper.mcse},
            name=self.name,
        )

    def __call__(self, values: Any) -> Array:
        """Signed root zeta at any values between the points, by cubic interpolation."""
        return np.asarray(self._spline()(self._scale.inner(np.asarray(values, float))))

    def _spline(self) -> CubicHermiteSpline:
        return CubicHermiteSpline(self._inner, self.table["zeta"].to_numpy(), self._slope, extrapolate=False)

    def _limit(self, target: float) -> Limit:
        side = int(target > 0)
        end = self._ends[side]
        zeta = self.table["zeta"].to_numpy()
        if abs(zeta[-side]) < abs(target):
            if self._inner[-side] == end.inner:
                return Limit(end.outer, 0.0)
            raise ValueError(
                f"alpha: the points of the profile of {self.name} reach only to zeta = {zeta[-side]:.2f}, and the "
                f"limit is at {target:.2f}; use a wider grid"
            )
        spline = self._spline()
        roots = spline.solve(target)
        inner = np.asarray(roots[np.argmin(np.abs(roots - self._estimate))])
        mcse = np.interp(inner, self._inner, self.table["mcse"].to_numpy())
        slope = abs(target) * float(spline.derivative()(inner))
        return Limit(float(self._scale.outer(inner)), float(mcse / slope * np.abs(self._scale.slope(inner))))


def profile(maximum: ObjectiveMaximum, name: Any, names: list[str], grid: Any = None) -> ProfileLikelihood:
    """Profile likelihood of a named quantity.

    Parameters
    ----------
    maximum : ObjectiveMaximum
    name, grid
        As in `ProfileResults.profile_likelihood`.
    names : list of str
        Names of the parameters.
    """
    quantity = quantity_of(name, maximum, names)
    if quantity.flat:
        raise ValueError(
            f"name: the log-likelihood is the same for all values of {name!r}, since the probability of the zero part "
            "is zero at the maximum; there is nothing to profile"
        )
    profiler = Profiler.of(maximum, quantity)
    scale, ends = profiler.quantity.scale, profiler.quantity.ends(profiler.estimate)
    asked: dict[float, float] = {}
    if grid is None:
        profiler.walk(FARTHEST)
    else:
        asked = _fill(profiler, np.unique(checked_numbers(grid, "grid")), scale, ends)
    points = profiler.points()
    ends = (profiler.plateau(-1.0) or ends[0], profiler.plateau(1.0) or ends[1])
    inner = np.array([p.inner for p in points])
    asked |= {end.inner: end.outer for end in ends if np.isfinite(end.outer)}
    values = [asked.get(c, float(scale.outer(np.asarray(c)))) for c in inner]
    columns = {c: [getattr(p, c) for p in points] for c in ("llf", "mcse", "zeta")}
    return ProfileLikelihood(
        name if isinstance(name, str) else getattr(name, "__name__", "function"),
        asked.get(profiler.estimate, float(scale.outer(np.asarray(profiler.estimate)))),
        maximum.top.value,
        pd.DataFrame(columns, index=pd.Index(values, name="value")),
        inner,
        np.array([p.slope for p in points]),
        profiler.estimate,
        scale,
        ends,
    )


def _fill(profiler: Profiler, grid: Array, scale: OuterScale, ends: tuple[End, End]) -> dict[float, float]:
    """Find the points of a grid, those near the maximum first; values by inner values."""
    asked = {}
    zeros = {end.outer: end for end in ends if end.zero}
    estimate = float(scale.outer(np.asarray(profiler.estimate)))
    for value in sorted(grid[grid != estimate], key=lambda v: abs(v - estimate)):
        if value in zeros:
            point = profiler.at_end(zeros[value])
        elif scale.low <= value <= scale.high and ends[0].outer < value < ends[1].outer:
            point = profiler.at(float(scale.inner(np.asarray(value))))
        else:
            raise ValueError(
                f"grid holds {value:g}, outside the range of the quantity, {ends[0].outer:g} to {ends[1].outer:g}"
            )
        asked[point.inner] = float(value)
    return asked


def profile_limits(
    maximum: ObjectiveMaximum, index: Sequence[int], names: list[str], alpha: float
) -> tuple[Array, Array]:
    """Profile-likelihood limits of some of the parameters and their Monte Carlo errors, both (k, 2).

    NaN for covariances of effects without variance, and with a warning for limits that are not found.
    """
    check_alpha(alpha)
    target = float(stats.norm.isf(0.5 * alpha))
    limits, mcse = np.full((2, len(index), 2), np.nan)
    for row, j in enumerate(index):
        quantity = quantity_of(names[j], maximum, names)
        if quantity.flat:
            limits[row], mcse[row] = [end.outer for end in quantity.ends(0.0)], 0.0
        elif maximum.reduction.keep[j] or quantity.ends(0.0)[0].zero:
            profiler = Profiler.of(maximum, quantity)
            for side, at in enumerate((-target, target)):
                limits[row, side], mcse[row, side] = _limit_or_nan(profiler, at, names[j])
    return limits, mcse


def _limit_or_nan(profiler: Profiler, target: float, name: str) -> Limit:
    """Limit of a profile, with a warning where it is infinite, because of a plateau, or NaN, because none is found."""
    side = "lower" if target < 0 else "upper"
    try:
        limit = profiler.limit(target)
    except (RuntimeError, FloatingPointError, np.linalg.LinAlgError) as error:
        limit, meaning = Limit(np.nan, np.nan), str(error)
    else:
        if np.isfinite(limit.value) or profiler.plateau(target) is None:
            return limit
        loss = profiler.maximum.top.value - profiler.points()[0 if target < 0 else -1].llf
        meaning = f"however far it goes there, the log-likelihood falls by {loss:.3g} at most, too little to reject it"
    warn_user(f"the {side} profile limit of {name} is {str(limit.value).replace('nan', 'NaN')}: {meaning}")
    return limit
