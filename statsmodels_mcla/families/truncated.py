"""Counts of which zeros are not seen: zero-truncated Poisson and negative binomial, log link."""

# Implementations of the interface that base.py documents: it also says what each argument is for.
# ruff: noqa: D102

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from statsmodels_mcla.families.base import ConditionalFamily
from statsmodels_mcla.families.jets import Jet, exp, log1mexp, log1p, log_rising, reciprocal
from statsmodels_mcla.families.links import LOG, MeanLink
from statsmodels_mcla.families.negative_binomial import POISSON, NegativeBinomialLog
from statsmodels_mcla.families.poisson import PoissonLog
from statsmodels_mcla.families.response_checks import refuse
from statsmodels_mcla.families.row_terms import DispersionTerms, RowData, RowTerms
from statsmodels_mcla.families.smooth_density import FAR, SmoothDensity, floored
from statsmodels_mcla.families.zero_part import WithoutZeros
from statsmodels_mcla.numerics import Array, Number

SMALL = 1e-4  # mean before truncation below which its expansion is exact enough
NEWTON = 60


@dataclass(frozen=True)
class TruncatedMean(MeanLink):
    """Mean of a count given that it is not zero, as a function of the log of its mean before truncation.

    Parameters
    ----------
    alpha : float
        Of the negative binomial; zero for Poisson.
    """

    alpha: float

    name: ClassVar[str] = "log"
    strip: ClassVar[float] = 0.5 * np.pi

    def _parts(self, eta: Array) -> tuple[Array, Array, Array]:
        """Return the mean before truncation, P(not zero), and the derivative of P(zero) in it."""
        m = np.exp(np.clip(eta, -FAR, FAR))
        log_zero = -np.log1p(self.alpha * m) / self.alpha if self.alpha else -m
        return m, -np.expm1(log_zero), -np.exp(log_zero) / (1.0 + self.alpha * m)

    def mean(self, eta: Array) -> Array:
        m, seen, _ = self._parts(eta)
        return np.where(m < SMALL, 1.0 + 0.5 * (1.0 + self.alpha) * m, m / seen)

    def mean_deriv(self, eta: Array) -> Array:
        m, seen, slope = self._parts(eta)
        return np.where(m < SMALL, 0.5 * (1.0 + self.alpha) * m, m * (1.0 + m * slope / seen) / seen)

    def eta(self, mu: Array) -> Array:
        out = np.log(np.maximum(mu - 1.0, 1e-12) * 2.0 / (1.0 + self.alpha))
        out = np.minimum(out, np.log(np.maximum(mu, 1e-300)))
        for _ in range(NEWTON):
            out = out + np.clip((mu - self.mean(out)) / np.maximum(self.mean_deriv(out), 1e-300), -1.0, 1.0)
        return np.clip(out, -FAR, FAR)


def _weighed(f: RowTerms, w: Array, eta: Array) -> RowTerms:
    """Terms of rows of weight w, from those of weight one."""
    return RowTerms(np.where(np.isnan(eta), np.nan, w * f.logf), w * f.d1, w * f.d2)


class ZeroTruncated(SmoothDensity):
    """What truncated counts share; mu is the mean before truncation.

    With P(0) that of the whole family, the probability of k > 0 is P(k) / (1 - P(0)).
    """

    discrete: ClassVar[bool] = True
    simple_mean: ClassVar[bool] = False
    multimodal: ClassVar[bool] = False  # rows fall to both sides, or to one

    @property
    def link_function(self) -> MeanLink:
        return LOG

    def _whole(self, phi: Any) -> Any:
        """Return the family before truncation, with its dispersion."""
        raise NotImplementedError

    @property
    def _calculus(self) -> WithoutZeros:
        return WithoutZeros(self._whole(1.0))

    def constant(self, endog: Array, n_trials: Number, freq_weights: Number, var_weights: Number) -> float:
        # log y! is left out of the rows as in the whole family: log densities are then as large as their rounding
        # errors say, which is what searches measure these by
        return float(self._whole(1.0).constant(endog, n_trials, freq_weights, var_weights))

    def rows(self, y: Array, w: Array, v: Number, eta: Array, phi: Any = 1.0) -> RowTerms:
        with np.errstate(all="ignore"):
            return _weighed(self._calculus.rows(y, v, np.clip(eta, -FAR, FAR), phi), w, eta)

    def third(self, y: Array, w: Array, v: Number, eta: Array, phi: Any = 1.0) -> Array:
        with np.errstate(all="ignore"):
            return w * self._calculus.third(y, v, np.clip(eta, -FAR, FAR), phi)

    def parameter_rows(self, y: Array, w: Array, v: Number, eta: Array, phi: Any) -> DispersionTerms:
        return self.complete_rows(y, w, v, eta, phi)[1]

    def complete_rows(
        self, y: Array, w: Array, v: Number, eta: Array, phi: Any
    ) -> tuple[RowTerms, DispersionTerms]:
        with np.errstate(all="ignore"):
            rows, own = self._calculus.complete_rows(y, v, np.clip(eta, -FAR, FAR), phi)
            return _weighed(rows, w, eta), DispersionTerms(*(w * part for part in own))

    def d2_parameters(self, y: Array, w: Array, v: Number, eta: Array, phi: Any) -> Array:
        with np.errstate(all="ignore"):
            return w * self._calculus.d2_parameters(y, v, np.clip(eta, -FAR, FAR), phi)

    def mean_curve(self, phi: Any) -> MeanLink:
        return TruncatedMean(float(phi) if self.parameters else 0.0)

    def _check_support(self, y: Array) -> None:
        refuse(y < 1, y, self.name, "positive integers")

    def start_mean(self, y: Array, w: Array, v: Number = 1.0) -> Array:
        return np.maximum(super().start_mean(y, w, v) - 0.5, 0.1)

    def open_direction(self, y: Array, w: Array) -> Array | None:
        return np.where(y == 1.0, -1.0, 0.0)

    def variance(self, mu: Array, phi: Any = 1.0, n_trials: Number = 1.0) -> Array:
        mean = self.mean_curve(phi).mean(np.log(mu))
        whole = self._whole(phi).variance(mu, phi)
        return np.maximum(mean * (whole / mu + mu - mean), 0.0)

    def sample(
        self,
        rng: np.random.Generator,
        mu: Array,
        phi: Any = 1.0,
        n_trials: Number = 1.0,
        var_weights: Number = 1.0,
    ) -> Array:
        # a Poisson count is not zero if its first event comes in time: that, and the events after it
        rate = self._rates(rng, np.asarray(mu, float), phi)
        first = -np.log1p(rng.random(rate.shape) * np.expm1(-rate))
        return np.asarray(1.0 + rng.poisson(np.maximum(rate - first, 0.0)))

    def _rates(self, rng: np.random.Generator, mu: Array, phi: Any) -> Array:
        """Return Poisson rates given that the count is not zero."""
        return mu

    def cdf(
        self,
        endog: Array,
        mu: Array,
        phi: Any = 1.0,
        n_trials: Number = 1.0,
        var_weights: Number = 1.0,
    ) -> Array:
        whole = self._whole(phi)
        zero = whole.cdf(np.zeros(()), mu, phi)
        return np.clip((whole.cdf(endog, mu, phi) - zero) / (1.0 - zero), 0.0, 1.0)


@dataclass(frozen=True)
class TruncatedPoisson(ZeroTruncated):
    """Poisson counts without zeros.

    Examples
    --------
    >>> from statsmodels_mcla.families import TruncatedPoisson
    >>> epil = datasets.epil.load_pandas().data
    >>> some = epil[epil["y"] > 0]
    >>> smf.mcla_mixedglm("y ~ lbase + (1 | subject)", data=some, family=TruncatedPoisson()).fit(rng=1).params.round(2)
    Intercept      1.72
    lbase          0.96
    subject Var    0.23
    dtype: float64
    """

    name: ClassVar[str] = "TruncatedPoisson"

    @property
    def log_concave(self) -> bool:
        return True

    def _whole(self, phi: Any) -> Any:
        return PoissonLog()

    def log_density(self, y: Array, v: Number, eta: Jet, *psi: Jet) -> Jet:
        mu = exp(eta)
        return eta * y - mu - log1mexp(mu)


@dataclass(frozen=True)
class TruncatedNegativeBinomial(ZeroTruncated):
    """Negative binomial counts (NB2, variance mu + alpha mu^2) without zeros.

    Examples
    --------
    >>> from statsmodels_mcla.families import TruncatedNegativeBinomial
    >>> epil = datasets.epil.load_pandas().data
    >>> some = epil[epil["y"] > 0]
    >>> counts = smf.mcla_mixedglm("y ~ lbase + (1 | subject)", data=some, family=TruncatedNegativeBinomial())
    >>> counts.fit(rng=1).params.round(2)
    Intercept      1.72
    lbase          0.98
    subject Var    0.20
    alpha          0.11
    dtype: float64
    """

    name: ClassVar[str] = "TruncatedNegativeBinomial"
    dispersion: ClassVar[str | None] = "alpha"

    def _whole(self, phi: Any) -> Any:
        return NegativeBinomialLog()

    def log_density(self, y: Array, v: Number, eta: Jet, *psi: Jet) -> Jet:
        alpha = floored(psi[0])
        size = reciprocal(alpha)
        none = size * log1p(exp(eta) * alpha)  # -log P(0)
        joint = eta * y - none - log1p(exp(eta) * alpha) * y + log_rising(y, size)
        return joint - log1mexp(none)

    def limit(self, y: Array, w: Array, v: Array) -> tuple[ConditionalFamily, RowData]:
        return TruncatedPoisson(), RowData(y, w, v)

    def start_phi(
        self,
        endog: Array,
        mu: Array,
        n_trials: Number = 1.0,
        freq_weights: Number = 1.0,
        var_weights: Number = 1.0,
    ) -> float:
        return 0.5

    def _rates(self, rng: np.random.Generator, mu: Array, phi: Any) -> Array:
        # gamma rates given a count above zero, by rejection: of density times (1 - e^-r), or of r times density
        alpha = np.broadcast_to(np.maximum(phi, POISSON), mu.shape)
        low = mu < 1.0
        rate, open_ = np.empty(mu.shape), np.ones(mu.shape, bool)
        while open_.any():
            tilt = low[open_]
            r = rng.gamma(1.0 / alpha[open_] + tilt, alpha[open_] * mu[open_])
            rate[open_] = r
            kept = -np.expm1(-r) / np.where(tilt, np.maximum(r, 1e-300), 1.0)
            open_[open_] = rng.random(len(r)) >= kept
        return np.asarray(rate)
