"""Counts with more variance than Poisson ones, proportional to the mean: NB1 and generalised Poisson, log link."""

# Implementations of the interface that base.py documents: it also says what each argument is for.
# ruff: noqa: D102

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy import special

from statsmodels_mcla.families.base import ConditionalFamily
from statsmodels_mcla.families.jets import Jet, exp, log, log1p, log_rising, reciprocal
from statsmodels_mcla.families.links import LOG, MeanLink
from statsmodels_mcla.families.poisson import Poisson, PoissonLog
from statsmodels_mcla.families.row_terms import RowData
from statsmodels_mcla.families.smooth_density import LEAST, SmoothDensity, floored
from statsmodels_mcla.numerics import Array, Number

MOST = 10_000  # a count up to which a distribution function is summed


class LinearVarianceCounts(SmoothDensity):
    """What both share: a variance that is a multiple of the mean, and the Poisson family as alpha goes to zero."""

    dispersion: ClassVar[str | None] = "alpha"
    discrete: ClassVar[bool] = True

    @property
    def link_function(self) -> MeanLink:
        return LOG

    def constant(self, endog: Array, n_trials: Number, freq_weights: Number, var_weights: Number) -> float:
        return Poisson.constant(PoissonLog(), endog, n_trials, freq_weights, var_weights)

    def limit(self, y: Array, w: Array, v: Array) -> tuple[ConditionalFamily, RowData]:
        return PoissonLog(), RowData(w * y, w, v)

    def open_direction(self, y: Array, w: Array) -> Array | None:
        return np.where(y == 0.0, -1.0, 0.0)

    def start_mean(self, y: Array, w: Array, v: Number = 1.0) -> Array:
        return np.maximum(super().start_mean(y, w, v), 0.1)

    def start_phi(
        self,
        endog: Array,
        mu: Array,
        n_trials: Number = 1.0,
        freq_weights: Number = 1.0,
        var_weights: Number = 1.0,
    ) -> float:
        # in the units of the counts: of counts of millions it may be up to millions, where no search goes by itself
        weight = np.broadcast_to(np.asarray(freq_weights, dtype=float), endog.shape)
        ratio = np.average((endog - mu) ** 2, weights=weight) / np.average(mu, weights=weight)
        return max(self._alpha_of(float(ratio)), 0.5) if np.isfinite(ratio) else 0.5

    def _alpha_of(self, ratio: float) -> float:
        """Return alpha from the ratio of variance and mean."""
        raise NotImplementedError


@dataclass(frozen=True)
class NegativeBinomial1(LinearVarianceCounts):
    """Negative binomial counts with variance mu (1 + alpha): sizes mu / alpha (NB1; Cameron and Trivedi, 1998).

    Examples
    --------
    >>> from statsmodels_mcla.families import NegativeBinomial1
    >>> epil = datasets.epil.load_pandas().data
    >>> counts = smf.mcla_mixedglm("y ~ lbase + trt + (1 | subject)", data=epil, family=NegativeBinomial1())
    >>> counts.fit(rng=1).params.round(2)
    Intercept           1.83
    trt[T.progabide]   -0.29
    lbase               0.97
    subject Var         0.22
    alpha               1.23
    dtype: float64
    """

    name: ClassVar[str] = "NegativeBinomial1"

    def log_density(self, y: Array, v: Number, eta: Jet, *psi: Jet) -> Jet:
        alpha = floored(psi[0])
        size = exp(eta) * reciprocal(alpha)
        return eta * y + log_rising(y, size) - (size + y) * log1p(alpha)

    def _alpha_of(self, ratio: float) -> float:
        return ratio - 1.0

    def variance(self, mu: Array, phi: float = 1.0, n_trials: Number = 1.0) -> Array:
        return mu * (1.0 + phi)

    def sample(
        self,
        rng: np.random.Generator,
        mu: Array,
        phi: float = 1.0,
        n_trials: Number = 1.0,
        var_weights: Number = 1.0,
    ) -> Array:
        alpha = np.maximum(phi, LEAST)
        return np.asarray(rng.poisson(rng.gamma(mu / alpha, alpha)), dtype=float)

    def cdf(
        self,
        endog: Array,
        mu: Array,
        phi: float = 1.0,
        n_trials: Number = 1.0,
        var_weights: Number = 1.0,
    ) -> Array:
        k = np.floor(endog)
        whole, alpha = np.maximum(k, 0.0), np.maximum(phi, LEAST)
        found = special.betainc(mu / alpha, whole + 1.0, 1.0 / (1.0 + alpha))
        found = np.where(alpha > LEAST, found, special.pdtr(whole, mu))
        return np.where(k < 0, 0.0, found)


@dataclass(frozen=True)
class GeneralizedPoisson(LinearVarianceCounts):
    """Generalised Poisson counts with mean mu and variance mu (1 + alpha)^2 (Consul and Famoye, 1992).

    Examples
    --------
    >>> from statsmodels_mcla.families import GeneralizedPoisson
    >>> epil = datasets.epil.load_pandas().data
    >>> counts = smf.mcla_mixedglm("y ~ lbase + trt + (1 | subject)", data=epil, family=GeneralizedPoisson())
    >>> counts.fit(rng=1).params.round(2)
    Intercept           1.83
    trt[T.progabide]   -0.29
    lbase               0.97
    subject Var         0.21
    alpha               0.52
    dtype: float64
    """

    name: ClassVar[str] = "GeneralizedPoisson"

    def log_density(self, y: Array, v: Number, eta: Jet, *psi: Jet) -> Jet:
        alpha = psi[0]
        mu = exp(eta)
        rate = mu + alpha * y
        return eta + log(rate) * (y - 1.0) - log1p(alpha) * y - rate * reciprocal(alpha + 1.0)

    def _alpha_of(self, ratio: float) -> float:
        return float(np.sqrt(ratio)) - 1.0

    def variance(self, mu: Array, phi: float = 1.0, n_trials: Number = 1.0) -> Array:
        return mu * (1.0 + phi) ** 2

    def sample(
        self,
        rng: np.random.Generator,
        mu: Array,
        phi: float = 1.0,
        n_trials: Number = 1.0,
        var_weights: Number = 1.0,
    ) -> Array:
        # all descendants of a Poisson number of ancestors, each with Poisson(alpha / (1 + alpha)) children
        born = rng.poisson(np.asarray(mu) / (1.0 + phi))
        total = np.array(born, dtype=float)
        while born.any():
            born = rng.poisson(born * (phi / (1.0 + phi)))
            total += born
        return total

    def cdf(
        self,
        endog: Array,
        mu: Array,
        phi: float = 1.0,
        n_trials: Number = 1.0,
        var_weights: Number = 1.0,
    ) -> Array:
        k, rate = np.broadcast_arrays(np.floor(endog), np.asarray(mu, float))
        out, log_mu = np.zeros(k.shape), np.log(rate)
        for j in range(int(min(np.max(k, initial=-1.0), MOST)) + 1):
            at = rate + phi * j
            log_p = (
                log_mu
                + (j - 1.0) * np.log(at)
                - j * np.log1p(phi)
                - at / (1.0 + phi)
                - special.gammaln(j + 1.0)
            )
            out += np.where(j <= k, np.exp(log_p), 0.0)
        return np.where(k > MOST, 1.0, np.minimum(out, 1.0))
