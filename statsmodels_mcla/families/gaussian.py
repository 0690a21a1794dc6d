"""Gaussian responses, with the variance as scale parameter; identity and log links."""

# Implementations of the interface that base.py documents: it also says what each argument is for.
# ruff: noqa: D102

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy import special

from statsmodels_mcla.families.base import ConditionalFamily
from statsmodels_mcla.families.change_of_link import ChangeOfLink, Curve
from statsmodels_mcla.families.links import IDENTITY, LOG, MeanLink
from statsmodels_mcla.families.row_terms import DispersionTerms, RowTerms, without_lost_rows
from statsmodels_mcla.numerics import Array, Number


class Gaussian(ConditionalFamily):
    """What all Gaussian families share: everything but the log density in ``eta``."""

    name: ClassVar[str] = "Gaussian"
    dispersion: ClassVar[str | None] = "scale"

    def constant(self, endog: Array, n_trials: Number, freq_weights: Number, var_weights: Number) -> float:
        each = np.broadcast_to(-0.5 * np.log(2 * np.pi / np.asarray(var_weights)), endog.shape)
        return float(np.sum(freq_weights * each))

    def variance(self, mu: Array, phi: float = 1.0, n_trials: Number = 1.0) -> Array:
        return np.full_like(mu, phi)

    def unit_deviance(self, endog: Array, mu: Array, phi: float = 1.0, n_trials: Number = 1.0) -> Array:
        return (endog - mu) ** 2

    def sample(
        self,
        rng: np.random.Generator,
        mu: Array,
        phi: float = 1.0,
        n_trials: Number = 1.0,
        var_weights: Number = 1.0,
    ) -> Array:
        return np.asarray(rng.normal(mu, np.sqrt(phi / np.asarray(var_weights))))

    def cdf(
        self,
        endog: Array,
        mu: Array,
        phi: float = 1.0,
        n_trials: Number = 1.0,
        var_weights: Number = 1.0,
    ) -> Array:
        return np.asarray(special.ndtr((endog - mu) * np.sqrt(np.asarray(var_weights) / phi)))


@dataclass(frozen=True)
class GaussianIdentity(Gaussian):
    """Gaussian responses with the identity link."""

    quadratic: ClassVar[bool] = True

    @property
    def link_function(self) -> MeanLink:
        return IDENTITY

    def rows(self, y: Array, w: Array, v: Number, eta: Array, phi: float = 1.0) -> RowTerms:
        precision = w * v / phi
        miss = y - eta
        with np.errstate(over="ignore"):
            d1 = precision * miss
            logf = -0.5 * (d1 * miss + w * np.log(phi))
        return RowTerms(logf, d1, np.broadcast_to(-precision, eta.shape).copy())

    def third(self, y: Array, w: Array, v: Number, eta: Array, phi: float = 1.0) -> Array:
        return np.zeros_like(eta)

    def dispersion_rows(self, y: Array, w: Array, v: Number, eta: Array, phi: float) -> DispersionTerms:
        miss = y - eta
        with np.errstate(over="ignore"):
            d1 = w * v * miss / phi
            loss = d1 * miss / phi
        return without_lost_rows(0.5 * (loss - w / phi), 0.5 * w / phi**2 - loss / phi, -d1 / phi)

    def d2_dispersion(self, y: Array, w: Array, v: Number, eta: Array, phi: float) -> Array:
        return np.broadcast_to(w * v / phi**2, eta.shape).copy()


@dataclass(frozen=True)
class GaussianLog(ChangeOfLink, Gaussian):
    """Gaussian responses with mean exp(eta)."""

    home: ClassVar[ConditionalFamily] = GaussianIdentity()

    @property
    def link_function(self) -> MeanLink:
        return LOG

    def start_mean(self, y: Array, w: Array, v: Number = 1.0) -> Array:
        return np.maximum(super().start_mean(y, w, v), max(0.1 * float(np.mean(np.abs(y))), 1e-300))

    def curve(self, eta: Array) -> Curve:
        mu = LOG.mean(eta)
        return Curve(mu, mu, mu, mu)
