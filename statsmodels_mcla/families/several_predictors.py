"""Families whose rows have several linear predictors, as one expression in `jets`; rows come in directions."""

# Implementations of the interface that base.py documents: it also says what each argument is for.
# ruff: noqa: D102

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from statsmodels_mcla.families.by_jets import ByJets
from statsmodels_mcla.families.jets import Jet
from statsmodels_mcla.families.row_terms import DispersionTerms, RowTerms, within_reach
from statsmodels_mcla.families.smooth_density import SmoothDensity
from statsmodels_mcla.families.zero_part import ZeroPart
from statsmodels_mcla.numerics import Array, Number


class SeveralPredictors(SmoothDensity):
    """A family given by its log density in several arguments; mu is the array (K, ...) of all linear predictors.

    `log_density` takes the arguments that `directions` has axes for, which are the predictors unless `ways` says
    otherwise, and then the parameters.
    """

    simple_mean: ClassVar[bool] = False

    @property
    def _calculus(self) -> ZeroPart | ByJets:
        """Derivatives of the log density of rows of weight one."""
        return ByJets(self)

    def extent(self, etas: Array) -> Array:
        """Predictors (K, n) as ends of their range are looked for: each from where it stands for nothing extreme."""
        return etas

    def rows(self, y: Array, w: Array, v: Number, eta: Array, phi: Any = 1.0) -> RowTerms:
        step, etas = len(self.directions), self.directions.apart(eta)
        with np.errstate(all="ignore"):
            found = self._calculus.second(first_direction(y, step), first_direction(v, step), etas, phi)
            return self._row_terms(found, first_direction(w, step), eta)

    def parameter_rows(self, y: Array, w: Array, v: Number, eta: Array, phi: Any) -> DispersionTerms:
        step, etas = len(self.directions), self.directions.apart(eta)
        with np.errstate(all="ignore"):
            found = self._calculus.complete(first_direction(y, step), first_direction(v, step), etas, phi)
            return self._parameter_terms(found, first_direction(w, step), eta)

    def complete_rows(
        self, y: Array, w: Array, v: Number, eta: Array, phi: Any
    ) -> tuple[RowTerms, DispersionTerms]:
        step, etas = len(self.directions), self.directions.apart(eta)
        w = first_direction(w, step)
        with np.errstate(all="ignore"):
            found = self._calculus.complete(first_direction(y, step), first_direction(v, step), etas, phi)
            return self._row_terms(found, w, eta), self._parameter_terms(found, w, eta)

    def _row_terms(self, found: Jet, w: Array, eta: Array) -> RowTerms:
        """Terms of rows in directions, from those of rows of weight one."""
        ways, K = self.directions, self.directions.count
        etas = ways.apart(eta)
        logf = np.where(np.isnan(found.value), -np.inf, found.value)
        logf = np.where(np.isnan(sum(etas)), np.nan, logf)
        d1 = ways.together([within_reach(w * found.d[k]) for k in range(K)], eta)
        d2 = ways.hessian(
            {pair: within_reach(w * part) for pair, part in found.h.items() if pair[1] < K}, eta
        )
        return RowTerms(ways.together([w * logf], eta), d1, d2)

    def _parameter_terms(self, found: Jet, w: Array, eta: Array) -> DispersionTerms:
        ways, K = self.directions, self.directions.count
        own = range(K, K + len(self.parameters))

        def rows(*parts: Array | float) -> Array:
            return ways.together([within_reach(w * part) for part in parts], eta)

        one = [rows(found.d[i]) for i in own]
        two = [[rows(found.h[min(i, j), max(i, j)]) for j in own] for i in own]
        mixed = [rows(*(found.h.get((k, i), 0.0) for k in range(K))) for i in own]
        return DispersionTerms(*(np.array(part) for part in (one, two, mixed)))

    def third(self, y: Array, w: Array, v: Number, eta: Array, phi: Any = 1.0) -> Array:
        ways = self.directions
        y, w, v = (first_direction(part, len(ways)) for part in (y, w, v))
        with np.errstate(all="ignore"):
            cubes = self._calculus.cubes(y, v, ways.apart(eta), phi, ways.points)
        return within_reach(ways.cubic([w * part for part in cubes], eta))

    def d2_parameters(self, y: Array, w: Array, v: Number, eta: Array, phi: Any) -> Array:
        ways = self.directions
        y, w, v = (first_direction(part, len(ways)) for part in (y, w, v))
        etas = ways.apart(eta)
        with np.errstate(all="ignore"):
            at = self._calculus.second(y, v, etas, phi).h
            bends = self._calculus.bends(y, v, etas, phi)
        slopes = [ways.hessian({pair: w * part for pair, part in bend.items()}, eta, at) for bend in bends]
        return within_reach(np.array(slopes))

    def mean(self, eta: Array) -> Array:
        return eta


def first_direction(part: Any, step: int, axis: int = -2) -> Any:
    """Numbers of rows, from those of their directions."""
    if np.ndim(part) < -axis or np.shape(part)[axis] == 1:
        return part
    return part[..., ::step, :] if axis == -2 else part[..., ::step]
