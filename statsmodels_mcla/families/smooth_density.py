"""Families whose density is one expression: derivatives follow by `jets`."""

# Implementations of the interface that base.py documents: it also says what each argument is for.
# ruff: noqa: D102

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

import numpy as np

from statsmodels_mcla.families.base import ConditionalFamily
from statsmodels_mcla.families.jets import Jet
from statsmodels_mcla.families.row_terms import (
    BEYOND,
    DispersionTerms,
    RowTerms,
    is_within_reach,
)
from statsmodels_mcla.numerics import Array, Number

FAR = 250.0  # linear predictors beyond are taken to be this: squares of exp of more overflow
LEAST = 1e-10  # of a dispersion
STEP = 1e-3  # of the five-point rule for third derivatives
FIVE_POINTS = np.array([-2.0, -1.0, 1.0, 2.0])


def five_point_slope(ends: Array) -> Array:
    """Return the derivative at zero from values (4, ...) at `FIVE_POINTS`."""
    return np.asarray((8.0 * (ends[2] - ends[1]) - (ends[3] - ends[0])) / 12.0)


class CompleteDensity(ConditionalFamily):
    """A family whose log density holds all constants, with derivatives by all parameters at once.

    Subclasses write `rows`, `parameter_rows` and `d2_parameters`.
    """

    exponential: ClassVar[bool] = False

    def dispersion_rows(self, y: Array, w: Array, v: Number, eta: Array, phi: Any) -> DispersionTerms:
        if len(self.parameters) != 1:
            return super().dispersion_rows(y, w, v, eta, phi)
        found = self.parameter_rows(y, w, v, eta, phi)
        return DispersionTerms(found.dphi[0], found.dphi2[0, 0], found.d1phi[0])

    def d2_dispersion(self, y: Array, w: Array, v: Number, eta: Array, phi: Any) -> Array:
        if len(self.parameters) != 1:
            return super().d2_dispersion(y, w, v, eta, phi)
        return np.asarray(self.d2_parameters(y, w, v, eta, phi)[0])

    def constant(self, endog: Array, n_trials: Number, freq_weights: Number, var_weights: Number) -> float:
        return 0.0  # the log density is complete

    def unit_deviance(self, endog: Array, mu: Array, phi: Any = 1.0, n_trials: Number = 1.0) -> Array:
        raise ValueError(
            f"family {self.name} has no deviance, as there is no perfect fit of a row to compare with; use "
            "resid_quantile or resid_pearson"
        )

    def blank_row(self) -> tuple[float, float, float]:
        return (1.0, 0.0, 0.0)


class SmoothDensity(CompleteDensity):
    """A family given by its log density alone.

    Subclasses write `log_density` with the functions of `jets`; it holds all constants. Exact first and second
    derivatives follow, third ones by a five-point rule on the second (error of order step^4).
    """

    far: ClassVar[float] = FAR  # where eta is cut off

    @abstractmethod
    def log_density(self, y: Array, v: Number, eta: Jet, *psi: Jet) -> Jet:
        """Return the log density of rows of weight one.

        Parameters
        ----------
        y, v : ndarray
            As in `rows`.
        eta : Jet
            Linear predictor.
        *psi : Jet
            Parameters of the family.
        """

    def rows(self, y: Array, w: Array, v: Number, eta: Array, phi: Any = 1.0) -> RowTerms:
        psi = [Jet.constant(p) for p in np.atleast_1d(phi)[: len(self.parameters)]]
        return _row_terms(self._jet(y, v, Jet.variable(self._within(eta), 0), psi), w, eta)

    def parameter_rows(self, y: Array, w: Array, v: Number, eta: Array, phi: Any) -> DispersionTerms:
        return self._parameter_terms(self._complete(y, v, eta, phi), w, eta)

    def complete_rows(
        self, y: Array, w: Array, v: Number, eta: Array, phi: Any
    ) -> tuple[RowTerms, DispersionTerms]:
        found = self._complete(y, v, eta, phi)
        return _row_terms(found, w, eta), self._parameter_terms(found, w, eta)

    def _within(self, eta: Array) -> Array:
        return eta if np.isinf(self.far) else np.clip(eta, -self.far, self.far)

    def _complete(self, y: Array, v: Number, eta: Array, phi: Any) -> Jet:
        """All derivatives; the parameters are variables 1, 2, ..."""
        psi = [Jet.variable(p, k) for k, p in enumerate(np.atleast_1d(phi)[: len(self.parameters)], 1)]
        return self._jet(y, v, Jet.variable(self._within(eta), 0), psi)

    def _parameter_terms(self, found: Jet, w: Array, eta: Array) -> DispersionTerms:
        numbers = range(1, len(self.parameters) + 1)

        def second(i: int, j: int) -> Any:
            return found.h.get((min(i, j), max(i, j)), 0.0)

        return DispersionTerms(
            np.stack([full(w * found.d.get(i, 0.0), eta) for i in numbers]),
            np.stack([np.stack([full(w * second(i, j), eta) for j in numbers]) for i in numbers]),
            np.stack([full(w * second(0, i), eta) for i in numbers]),
        )

    def third(self, y: Array, w: Array, v: Number, eta: Array, phi: Any = 1.0) -> Array:
        step = self._step_of_eta(eta, phi)
        ends = eta + FIVE_POINTS.reshape(-1, *[1] * eta.ndim) * step
        return five_point_slope(self.curvature(y, w, v, ends, phi)) / step

    def d2_parameters(self, y: Array, w: Array, v: Number, eta: Array, phi: Any) -> Array:
        psi, out = np.atleast_1d(phi)[: len(self.parameters)].astype(float), []
        etas = np.broadcast_to(eta, (len(FIVE_POINTS), *eta.shape))
        for k, at in enumerate(psi):
            step = self._step_of(k, float(at))
            ends = np.repeat(psi[:, None], len(FIVE_POINTS), axis=1)
            ends[k] += step * FIVE_POINTS
            ends = ends.reshape(*ends.shape, *[1] * eta.ndim)
            out.append(five_point_slope(self.curvature(y, w, v, etas, ends)) / step)
        return np.stack(out)

    def _step_of_eta(self, eta: Array, phi: Any) -> Array:
        return np.asarray(STEP * np.maximum(1.0, np.abs(eta)))

    def _step_of(self, k: int, at: float) -> float:
        return STEP * max(at, LEAST)

    def _jet(self, y: Array, v: Number, eta: Jet, psi: list[Jet]) -> Jet:
        with np.errstate(all="ignore"):
            return self.log_density(y, v, eta, *psi)


def floored(alpha: Jet) -> Jet:
    """Return a dispersion that is not zero: below, the family is its limit to round-off."""
    return Jet(np.maximum(alpha.value, LEAST), alpha.d, alpha.h)


def _row_terms(found: Jet, w: Array, eta: Array) -> RowTerms:
    logf = np.broadcast_to(w * np.where(np.isnan(found.value), -np.inf, found.value), eta.shape)
    d1, d2 = (full(w * part, eta) for part in (found.d.get(0, 0.0), found.h.get((0, 0), 0.0)))
    return RowTerms(np.where(np.isnan(eta), np.nan, logf), d1, d2)


def full(part: Any, like: Array) -> Array:
    """Array of the shape of eta; what is beyond floating point in either direction is cut off there."""
    whole = np.broadcast_to(part, like.shape)
    if is_within_reach(whole):
        return whole
    return np.clip(np.where(np.isnan(whole) & np.isfinite(like), 0.0, whole), -BEYOND, BEYOND)
