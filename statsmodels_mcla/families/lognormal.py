"""Positive responses whose logarithm is normal."""

# Implementations of the interface that base.py documents: it also says what each argument is for.
# ruff: noqa: D102

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from statsmodels_mcla.families.gaussian import GaussianIdentity
from statsmodels_mcla.families.links import LOG, MeanLink
from statsmodels_mcla.families.normal_means import NormalMean
from statsmodels_mcla.families.response_checks import refuse
from statsmodels_mcla.families.row_terms import Response, RowData
from statsmodels_mcla.numerics import Array, Number


@dataclass(frozen=True)
class ScaledExp(MeanLink):
    """Mean = factor * exp(eta)."""

    factor: float

    name: ClassVar[str] = "log"

    def mean(self, eta: Array) -> Array:
        return self.factor * LOG.mean(eta)

    def mean_deriv(self, eta: Array) -> Array:
        return self.mean(eta)

    def eta(self, mu: Array) -> Array:
        return np.log(mu / self.factor)

    def normal_mean(self, eta: Array, var: Array) -> NormalMean:
        found = LOG.normal_mean(eta, var)
        mean, d_eta, d_var = (self.factor * part for part in found[:3])
        return NormalMean(mean, d_eta, d_var, self.factor**2 * found.square)


@dataclass(frozen=True)
class LogNormal(GaussianIdentity):
    """Responses with log y ~ N(eta, scale); the mean is exp(eta + scale / 2).

    A Gaussian model of log y, with the log-likelihood, means and predictions of y itself.

    Examples
    --------
    >>> from statsmodels_mcla.families import LogNormal
    >>> sleep = datasets.sleepstudy.load_pandas().data
    >>> seconds = smf.mcla_mixedglm("I(Reaction / 1000) ~ Days + (1 | Subject)", data=sleep, family=LogNormal())
    >>> seconds.fit(rng=1).params.round(3)
    Intercept     -1.378
    Days           0.034
    Subject Var    0.015
    scale          0.009
    dtype: float64
    """

    name: ClassVar[str] = "LogNormal"
    exponential: ClassVar[bool] = False
    simple_mean: ClassVar[bool] = False

    def concentrated_at(self, y: Array) -> Array:
        return np.log(y)

    def mean_curve(self, phi: Any) -> MeanLink:
        return ScaledExp(float(np.exp(0.5 * phi)))

    def read_response(self, endog: Any, var_weights: Array) -> tuple[Response, Array]:
        if np.any((var_weights != 1.0) & (var_weights != 0.0)):
            raise ValueError(
                "var_weights: means of log-normal responses depend on the variance of their logarithm, so that rows of "
                "other weights have other means at the same effects. Fit np.log(y) with family='gaussian' and these "
                "weights, or pass freq_weights"
            )
        return super().read_response(endog, var_weights)

    def _check_support(self, y: Array) -> None:
        refuse(y <= 0, y, self.name, "positive numbers")

    def row_data(self, endog: Array, n_trials: Number, freq_weights: Number, var_weights: Number) -> RowData:
        return super().row_data(np.log(endog), n_trials, freq_weights, var_weights)

    def start_phi(
        self,
        endog: Array,
        mu: Array,
        n_trials: Number = 1.0,
        freq_weights: Number = 1.0,
        var_weights: Number = 1.0,
    ) -> float:
        return GaussianIdentity().start_phi(endog, mu, n_trials, freq_weights, var_weights)

    def constant(self, endog: Array, n_trials: Number, freq_weights: Number, var_weights: Number) -> float:
        normal = super().constant(endog, n_trials, freq_weights, var_weights)
        return normal - float(np.sum(freq_weights * np.log(endog)))

    def unit_deviance(self, endog: Array, mu: Array, phi: Any = 1.0, n_trials: Number = 1.0) -> Array:
        return super().unit_deviance(np.log(endog), mu, phi, n_trials)

    def variance(self, mu: Array, phi: Any = 1.0, n_trials: Number = 1.0) -> Array:
        return np.exp(2.0 * mu + phi) * np.expm1(phi)

    def sample(
        self,
        rng: np.random.Generator,
        mu: Array,
        phi: Any = 1.0,
        n_trials: Number = 1.0,
        var_weights: Number = 1.0,
    ) -> Array:
        return np.exp(super().sample(rng, mu, phi, n_trials, var_weights))

    def cdf(
        self,
        endog: Array,
        mu: Array,
        phi: Any = 1.0,
        n_trials: Number = 1.0,
        var_weights: Number = 1.0,
    ) -> Array:
        positive = np.asarray(endog) > 0
        at = np.log(np.where(positive, endog, 1.0))
        return np.where(positive, super().cdf(at, mu, phi, n_trials, var_weights), 0.0)
