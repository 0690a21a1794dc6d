"""Gamma responses, variance scale * mu^2; log and inverse links."""

# Implementations of the interface that base.py documents: it also says what each argument is for.
# ruff: noqa: D102

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import special

from statsmodels_mcla.families.base import ConditionalFamily
from statsmodels_mcla.families.change_of_link import ChangeOfLink, Curve
from statsmodels_mcla.families.links import INVERSE, LOG, MeanLink
from statsmodels_mcla.families.response_checks import refuse
from statsmodels_mcla.families.row_terms import DispersionTerms, RowTerms, without_lost_rows
from statsmodels_mcla.families.stirling import HALF_LOG_2PI, remainder, remainder_d1, remainder_d2
from statsmodels_mcla.numerics import Array, Number


class Gamma(ConditionalFamily):
    """What all Gamma families share: everything but the log density in ``eta``."""

    name: ClassVar[str] = "Gamma"
    dispersion: ClassVar[str | None] = "scale"

    def _check_support(self, y: Array) -> None:
        refuse(y <= 0, y, self.name, "positive numbers")

    def constant(self, endog: Array, n_trials: Number, freq_weights: Number, var_weights: Number) -> float:
        return float(-np.sum(freq_weights * np.log(endog)))

    def variance(self, mu: Array, phi: float = 1.0, n_trials: Number = 1.0) -> Array:
        return phi * mu**2

    def unit_deviance(self, endog: Array, mu: Array, phi: float = 1.0, n_trials: Number = 1.0) -> Array:
        excess = (endog - mu) / mu
        return np.asarray(2.0 * (excess - np.log1p(excess)))

    def sample(
        self,
        rng: np.random.Generator,
        mu: Array,
        phi: float = 1.0,
        n_trials: Number = 1.0,
        var_weights: Number = 1.0,
    ) -> Array:
        shape = np.asarray(var_weights) / phi
        return np.asarray(rng.gamma(shape, mu / shape))

    def cdf(
        self,
        endog: Array,
        mu: Array,
        phi: float = 1.0,
        n_trials: Number = 1.0,
        var_weights: Number = 1.0,
    ) -> Array:
        shape = np.asarray(var_weights) / phi
        return np.asarray(special.gammainc(shape, shape * np.maximum(endog, 0.0) / mu))


@dataclass(frozen=True)
class GammaLog(Gamma):
    """Gamma responses with the log link.

    With shape ``k = v/phi`` and ``t = y/mu`` the log density is ``k (log t - t + 1) + s(k)``, plus
    data; ``s(k) = k log k - k - log Gamma(k)`` is taken through Stirling's remainder.
    """

    @property
    def link_function(self) -> MeanLink:
        return LOG

    @property
    def log_concave(self) -> bool:
        return True

    def rows(self, y: Array, w: Array, v: Number, eta: Array, phi: float = 1.0) -> RowTerms:
        k = np.asarray(v / phi)
        log_y = np.log(y)
        with np.errstate(over="ignore"):
            log_t = log_y - eta
            # shapes of millions multiply what rounding leaves of a difference from one
            excess = np.expm1(log_t)
            weight = w * k
            shape_part = w * (0.5 * np.log(k) - HALF_LOG_2PI - remainder(k))
            return RowTerms(weight * (log_t - excess) + shape_part, weight * excess, -weight * (1.0 + excess))

    def third(self, y: Array, w: Array, v: Number, eta: Array, phi: float = 1.0) -> Array:
        with np.errstate(over="ignore"):
            return np.asarray(w * v / phi * np.exp(np.log(y) - eta))

    def dispersion_rows(self, y: Array, w: Array, v: Number, eta: Array, phi: float) -> DispersionTerms:
        k = np.asarray(v / phi)
        with np.errstate(over="ignore"):
            log_t = np.log(y) - eta
            excess = np.expm1(log_t)
            in_k = w * (log_t - excess + 0.5 / k - remainder_d1(k))
            in_k2 = -w * (0.5 / k**2 + remainder_d2(k))
            scaled = k / phi
            return without_lost_rows(
                -scaled * in_k,
                scaled**2 * in_k2 + 2.0 * scaled * in_k / phi,
                -w * scaled * excess,
            )

    def d2_dispersion(self, y: Array, w: Array, v: Number, eta: Array, phi: float) -> Array:
        with np.errstate(over="ignore"):
            return np.asarray(w * v / phi**2 * np.exp(np.log(y) - eta))


@dataclass(frozen=True)
class GammaInverse(ChangeOfLink, Gamma):
    """Gamma responses with mean 1/eta; a draw with eta <= 0 has log density -inf."""

    home: ClassVar[ConditionalFamily] = GammaLog()

    @property
    def link_function(self) -> MeanLink:
        return INVERSE

    @property
    def log_concave(self) -> bool:
        return True

    def allowed(self, eta: Array) -> NDArray[np.bool_]:
        return eta > 0

    def curve(self, eta: Array) -> Curve:
        r = 1.0 / eta
        return Curve(-np.log(eta), -r, r**2, -2.0 * r**3)
