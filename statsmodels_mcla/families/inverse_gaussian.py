"""Inverse Gaussian responses, variance scale * mu^3; log link."""

# Implementations of the interface that base.py documents: it also says what each argument is for.
# ruff: noqa: D102

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy import special

from statsmodels_mcla.families.base import ConditionalFamily
from statsmodels_mcla.families.links import LOG, MeanLink
from statsmodels_mcla.families.response_checks import refuse
from statsmodels_mcla.families.row_terms import DispersionTerms, RowTerms, without_lost_rows
from statsmodels_mcla.numerics import Array, Number


@dataclass(frozen=True)
class InverseGaussianLog(ConditionalFamily):
    """Inverse Gaussian responses with the log link."""

    name: ClassVar[str] = "InverseGaussian"
    dispersion: ClassVar[str | None] = "scale"

    @property
    def link_function(self) -> MeanLink:
        return LOG

    def _check_support(self, y: Array) -> None:
        refuse(y <= 0, y, self.name, "positive numbers")

    def rows(self, y: Array, w: Array, v: Number, eta: Array, phi: float = 1.0) -> RowTerms:
        weight = w * v / (phi * y)
        with np.errstate(over="ignore"):
            t = np.exp(np.log(y) - eta)  # y/mu
            excess = t - 1.0
            return RowTerms(
                -0.5 * (weight * excess**2 + w * np.log(phi)),
                weight * (excess * t),
                -weight * (t * (2.0 * t - 1.0)),
            )

    def third(self, y: Array, w: Array, v: Number, eta: Array, phi: float = 1.0) -> Array:
        with np.errstate(over="ignore"):
            t = np.exp(np.log(y) - eta)
            return np.asarray(w * v / (phi * y) * (t * (4.0 * t - 1.0)))

    def dispersion_rows(self, y: Array, w: Array, v: Number, eta: Array, phi: float) -> DispersionTerms:
        weight = w * v / (phi * y)
        with np.errstate(over="ignore"):
            t = np.exp(np.log(y) - eta)
            excess = t - 1.0
            loss = weight * excess**2 / phi
            return without_lost_rows(
                0.5 * (loss - w / phi), 0.5 * w / phi**2 - loss / phi, -weight * (excess * t) / phi
            )

    def d2_dispersion(self, y: Array, w: Array, v: Number, eta: Array, phi: float) -> Array:
        with np.errstate(over="ignore"):
            t = np.exp(np.log(y) - eta)
            return np.asarray(w * v / (phi**2 * y) * (t * (2.0 * t - 1.0)))

    def constant(self, endog: Array, n_trials: Number, freq_weights: Number, var_weights: Number) -> float:
        each = -0.5 * (np.log(2 * np.pi / np.asarray(var_weights)) + 3.0 * np.log(endog))
        return float(np.sum(freq_weights * each))

    def variance(self, mu: Array, phi: float = 1.0, n_trials: Number = 1.0) -> Array:
        return phi * mu**3

    def unit_deviance(self, endog: Array, mu: Array, phi: float = 1.0, n_trials: Number = 1.0) -> Array:
        return (endog - mu) ** 2 / (endog * mu**2)

    def sample(
        self,
        rng: np.random.Generator,
        mu: Array,
        phi: float = 1.0,
        n_trials: Number = 1.0,
        var_weights: Number = 1.0,
    ) -> Array:
        return np.asarray(rng.wald(mu, np.asarray(var_weights) / phi))

    def cdf(
        self,
        endog: Array,
        mu: Array,
        phi: float = 1.0,
        n_trials: Number = 1.0,
        var_weights: Number = 1.0,
    ) -> Array:
        shape = np.asarray(var_weights) / phi
        y = np.where(endog > 0, endog, 1.0)
        root = np.sqrt(shape / y)
        # exp(2 shape/mu) overflows alone; its product with the tail does not.
        second = np.exp(2.0 * shape / mu + special.log_ndtr(-root * (y / mu + 1.0)))
        return np.where(endog > 0, special.ndtr(root * (y / mu - 1.0)) + second, 0.0)
