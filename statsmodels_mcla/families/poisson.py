"""Poisson counts with log (hand-written kernel) and square-root links.

Data numbers: ``y`` = weighted sum of counts, ``w`` = sum of weights; they are sufficient, so rows
with equal linear predictor merge by addition.
"""

# Implementations of the interface that base.py documents: it also says what each argument is for.
# ruff: noqa: D102

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy import special

from statsmodels_mcla.families.base import ConditionalFamily
from statsmodels_mcla.families.links import LOG, SQRT, MeanLink
from statsmodels_mcla.families.row_terms import RowData, RowTerms, Workspace
from statsmodels_mcla.numerics import Array, Number


class Poisson(ConditionalFamily):
    """What all Poisson families share: everything but the log density in ``eta``."""

    name: ClassVar[str] = "Poisson"
    mergeable: ClassVar[bool] = True
    discrete: ClassVar[bool] = True

    def row_data(self, endog: Array, n_trials: Number, freq_weights: Number, var_weights: Number) -> RowData:
        y, w, v = super().row_data(endog, n_trials, freq_weights, var_weights)
        return RowData(w * y, w, v)

    def constant(self, endog: Array, n_trials: Number, freq_weights: Number, var_weights: Number) -> float:
        return float(-np.sum(freq_weights * var_weights * special.gammaln(endog + 1.0)))

    def start_mean(self, y: Array, w: Array, v: Number = 1.0) -> Array:
        return np.maximum(super().start_mean(y, w, v), 0.1)

    def variance(self, mu: Array, phi: float = 1.0, n_trials: Number = 1.0) -> Array:
        return mu.copy()

    def unit_deviance(self, endog: Array, mu: Array, phi: float = 1.0, n_trials: Number = 1.0) -> Array:
        return np.asarray(2.0 * special.kl_div(endog, mu))

    def sample(
        self,
        rng: np.random.Generator,
        mu: Array,
        phi: float = 1.0,
        n_trials: Number = 1.0,
        var_weights: Number = 1.0,
    ) -> Array:
        return np.asarray(rng.poisson(mu), dtype=float)

    def cdf(
        self,
        endog: Array,
        mu: Array,
        phi: float = 1.0,
        n_trials: Number = 1.0,
        var_weights: Number = 1.0,
    ) -> Array:
        k = np.floor(endog)
        return np.where(k < 0, 0.0, special.pdtr(np.maximum(k, 0.0), mu))


@dataclass(frozen=True)
class PoissonLog(Poisson):
    """Poisson counts with the log link."""

    canonical: ClassVar[bool] = True

    @property
    def link_function(self) -> MeanLink:
        return LOG

    @property
    def log_concave(self) -> bool:
        return True

    def open_direction(self, y: Array, w: Array) -> Array | None:
        return np.where(y == 0.0, -1.0, 0.0)

    def rows(self, y: Array, w: Array, v: Number, eta: Array, phi: float = 1.0) -> RowTerms:
        with np.errstate(over="ignore"):
            d2 = -w * np.exp(eta)
            return RowTerms(y * eta + d2, y + d2, d2)

    def cumulants(self, w: Array, eta: Array, work: Workspace) -> Array:
        np.exp(eta, out=eta)
        weighted = np.multiply(eta, w, out=work.array("weighted", eta.shape))
        return np.asarray(np.add.reduce(weighted, axis=-2))

    def bends(self, slopes: Array) -> None:
        np.negative(slopes, out=slopes)  # exp is its own derivative

    def third(self, y: Array, w: Array, v: Number, eta: Array, phi: float = 1.0) -> Array:
        with np.errstate(over="ignore"):
            return np.asarray(-w * np.exp(eta))


@dataclass(frozen=True)
class PoissonSqrt(Poisson):
    """Poisson counts with mean eta^2.

    A positive count is impossible where eta = 0: the log density is -inf there.
    """

    @property
    def link_function(self) -> MeanLink:
        return SQRT

    def rows(self, y: Array, w: Array, v: Number, eta: Array, phi: float = 1.0) -> RowTerms:
        slope = _ratio(2.0 * y, eta)
        return RowTerms(
            2.0 * special.xlogy(y, np.abs(eta)) - w * eta**2,
            slope - 2.0 * w * eta,
            -_ratio(slope, eta) - 2.0 * w,
        )

    def third(self, y: Array, w: Array, v: Number, eta: Array, phi: float = 1.0) -> Array:
        return 2.0 * _ratio(_ratio(_ratio(2.0 * y, eta), eta), eta)


def _ratio(top: Array, eta: Array) -> Array:
    """Return top/eta, with 0/0 = 0: a zero count has no pole."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(top == 0.0, 0.0, top / eta)
