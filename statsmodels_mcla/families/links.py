"""Links: the mean as a function of the linear predictor.

A `MeanLink` knows the mean, its derivative and its inverse. A `BinomialLink` also knows the
logarithms of both tails, P(success) and P(failure), with derivatives: taken on the log scale, so
that no linear predictor, however extreme, gives log 0 or 0/0.
"""

# The methods of a link are documented once, on the abstract classes.
# ruff: noqa: D102

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from scipy import special

from statsmodels_mcla.families.normal_means import NormalMean, trapezoid_mean
from statsmodels_mcla.numerics import Array

_LARGEST = 709.0  # exp of more overflows
_GONE = 700.0  # exp(-rate) is as good as zero beyond
_SQRT_2PI = np.sqrt(2 * np.pi)


class Tail(NamedTuple):
    """Log probability of a tail at ``eta`` and its first two derivatives."""

    value: Array
    d1: Array
    d2: Array


@dataclass(frozen=True)
class MeanLink(ABC):
    """Mean as a function of the linear predictor.

    Attributes
    ----------
    name : str
    strip : float
        Distance of the nearest singularity of the mean, as a function of complex eta, from the real line.
    latent_variance : float or None
        Variance of the latent variable of which a binary response tells whether it is positive; None if there is none.
    ratio : str or None
        What the exponential of a difference of linear predictors is called, where it has a name.
    """

    name: ClassVar[str]
    strip: ClassVar[float] = 1.0
    latent_variance: ClassVar[float | None] = None
    ratio: ClassVar[str | None] = None

    @abstractmethod
    def mean(self, eta: Array) -> Array:
        """Return the mean at ``eta``."""

    @abstractmethod
    def mean_deriv(self, eta: Array) -> Array:
        """Return d mean/d eta."""

    @abstractmethod
    def eta(self, mu: Array) -> Array:
        """Return the linear predictor whose mean is ``mu``."""

    def normal_mean(self, eta: Array, var: Array) -> NormalMean:
        """Return the mean over a normal linear predictor with this mean and variance, and its derivatives."""
        return trapezoid_mean(self.mean, self.mean_deriv, self.strip, eta, var)

    def interval(self, lower: Array, upper: Array) -> tuple[Array, Array]:
        """Return the range of the mean over an interval of the linear predictor."""
        ends = self.mean(lower), self.mean(upper)
        return np.minimum(*ends), np.maximum(*ends)


@dataclass(frozen=True)
class Identity(MeanLink):
    """Mean = eta."""

    name: ClassVar[str] = "identity"

    def mean(self, eta: Array) -> Array:
        return eta.copy()

    def mean_deriv(self, eta: Array) -> Array:
        return np.ones_like(eta)

    def eta(self, mu: Array) -> Array:
        return mu.copy()

    def normal_mean(self, eta: Array, var: Array) -> NormalMean:
        eta, var = np.broadcast_arrays(eta, var)
        return NormalMean(eta.copy(), np.ones_like(eta), np.zeros_like(eta), eta**2 + var)


@dataclass(frozen=True)
class Log(MeanLink):
    """Mean = exp(eta), capped at the largest finite number."""

    name: ClassVar[str] = "log"
    ratio: ClassVar[str | None] = "ratio"

    def mean(self, eta: Array) -> Array:
        return np.exp(np.minimum(eta, _LARGEST))

    def mean_deriv(self, eta: Array) -> Array:
        return self.mean(eta)

    def eta(self, mu: Array) -> Array:
        return np.log(mu)

    def normal_mean(self, eta: Array, var: Array) -> NormalMean:
        mean = self.mean(eta + 0.5 * var)
        return NormalMean(mean, mean, 0.5 * mean, self.mean(2.0 * (eta + var)))


@dataclass(frozen=True)
class Sqrt(MeanLink):
    """Mean = eta^2, for either sign of eta as in statsmodels."""

    name: ClassVar[str] = "sqrt"

    def mean(self, eta: Array) -> Array:
        return eta**2

    def mean_deriv(self, eta: Array) -> Array:
        return 2 * eta

    def eta(self, mu: Array) -> Array:
        return np.sqrt(mu)

    def normal_mean(self, eta: Array, var: Array) -> NormalMean:
        eta, var = np.broadcast_arrays(eta, var)
        square = eta**4 + 6.0 * eta**2 * var + 3.0 * var**2
        return NormalMean(eta**2 + var, 2.0 * eta, np.ones_like(eta), square)

    def interval(self, lower: Array, upper: Array) -> tuple[Array, Array]:
        low, high = super().interval(lower, upper)
        return np.where((lower < 0) & (upper > 0), 0.0, low), high


@dataclass(frozen=True)
class Inverse(MeanLink):
    """Mean = 1/eta; a mean only where eta > 0."""

    name: ClassVar[str] = "inverse"

    def mean(self, eta: Array) -> Array:
        return 1.0 / eta

    def mean_deriv(self, eta: Array) -> Array:
        return -1.0 / eta**2

    def eta(self, mu: Array) -> Array:
        return 1.0 / mu

    def normal_mean(self, eta: Array, var: Array) -> NormalMean:
        eta, var = np.broadcast_arrays(eta, var)
        if np.any(var > 0):
            raise ValueError(
                "1 / eta has no mean over normal random effects, which reach eta = 0: predict with random='none', "
                "random='conditional' for levels with data, or which='linear'"
            )
        return NormalMean(1.0 / eta, -1.0 / eta**2, 1.0 / eta**3, 1.0 / eta**2)

    def interval(self, lower: Array, upper: Array) -> tuple[Array, Array]:
        with np.errstate(divide="ignore"):  # a linear predictor that reaches zero has no largest mean
            return 1.0 / np.maximum(upper, 0.0), 1.0 / np.maximum(lower, 0.0)


class BinomialLink(MeanLink):
    """A link of a probability, with both tails on the log scale."""

    log_concave: ClassVar[bool] = False  # whether both tails are known to be

    @abstractmethod
    def log_tails(self, eta: Array) -> tuple[Tail, Tail]:
        """Return log P(success) and log P(failure) with two derivatives in ``eta``."""

    @abstractmethod
    def log_tails_third(self, eta: Array) -> tuple[Array, Array]:
        """Return the third derivatives of log P(success) and log P(failure)."""


@dataclass(frozen=True)
class Logit(MeanLink):
    """P(success) = 1/(1 + exp(-eta))."""

    name: ClassVar[str] = "logit"
    ratio: ClassVar[str | None] = "odds ratio"
    latent_variance: ClassVar[float | None] = np.pi**2 / 3.0
    strip: ClassVar[float] = np.pi

    def mean(self, eta: Array) -> Array:
        return np.asarray(special.expit(eta))

    def mean_deriv(self, eta: Array) -> Array:
        small = np.exp(-np.abs(eta))
        return np.asarray(small / (1.0 + small) ** 2)

    def eta(self, mu: Array) -> Array:
        return np.asarray(special.logit(mu))


@dataclass(frozen=True)
class Probit(BinomialLink):
    """P(success) = standard normal distribution function.

    Both tails come from one scaled complementary error function of |eta|: with
    ``c = erfcx(|eta|/sqrt 2)/2`` the smaller tail is ``c exp(-eta^2/2)`` and its hazard (density over
    tail) is ``1/(c sqrt(2 pi))``, neither of which underflows on the log scale.
    """

    name: ClassVar[str] = "probit"
    log_concave: ClassVar[bool] = True
    latent_variance: ClassVar[float | None] = 1.0

    def mean(self, eta: Array) -> Array:
        return np.asarray(special.ndtr(eta))

    def mean_deriv(self, eta: Array) -> Array:
        return np.asarray(np.exp(-0.5 * eta**2) / _SQRT_2PI)

    def eta(self, mu: Array) -> Array:
        return np.asarray(special.ndtri(mu))

    def normal_mean(self, eta: Array, var: Array) -> NormalMean:
        # P(e < eta + s z) for normal e and z; the square is the chance of two such events with one z (Owen, 1956)
        scale = np.sqrt(1.0 + var)
        at = eta / scale
        density = self.mean_deriv(at)
        square = self.mean(at) - 2.0 * special.owens_t(at, 1.0 / np.sqrt(1.0 + 2.0 * var))
        return NormalMean(self.mean(at), density / scale, -0.5 * density * at / scale**2, square)

    def log_tails(self, eta: Array) -> tuple[Tail, Tail]:
        a = np.abs(eta)
        scaled = 0.5 * special.erfcx(a * np.sqrt(0.5))
        half_square = 0.5 * a * a
        gauss = np.exp(-half_square)
        tail = scaled * gauss
        hazard = 1.0 / (_SQRT_2PI * scaled)  # of the smaller tail, moving outwards
        low = Tail(np.log(scaled) - half_square, -hazard, -_hazard_slope(a, hazard))
        body = gauss / (_SQRT_2PI * (1.0 - tail))
        high = Tail(np.log1p(-tail), body, -body * (a + body))
        # low and high are functions of |eta|: success is the smaller tail where eta < 0.
        negative = eta < 0
        success = Tail(
            np.where(negative, low.value, high.value),
            np.where(negative, -low.d1, high.d1),
            np.where(negative, low.d2, high.d2),
        )
        failure = Tail(
            np.where(negative, high.value, low.value),
            np.where(negative, -high.d1, low.d1),
            np.where(negative, high.d2, low.d2),
        )
        return success, failure

    def log_tails_third(self, eta: Array) -> tuple[Array, Array]:
        success, failure = self.log_tails(eta)
        return _probit_third(success.d1, eta), -_probit_third(-failure.d1, -eta)


def _hazard_slope(a: Array, hazard: Array) -> Array:
    """Return hazard * (hazard - a) of the normal tail beyond ``a >= 0``, which rises to one.

    The difference loses the digits that a^2 has, so far out its asymptotic series is used
    (Abramowitz & Stegun 1964, 26.2.12).
    """
    slope = hazard * (hazard - a)
    far = a > 50.0
    if far.any():
        r = 1.0 / np.maximum(a, 50.0) ** 2
        slope = np.where(far, 1.0 - r * (1.0 - r * (6.0 - r * (50.0 - r * 518.0))), slope)
    return slope


def _probit_third(hazard: Array, eta: Array) -> Array:
    """Return the third derivative of log Phi at ``eta``, whose first is ``hazard``."""
    spread = hazard + eta  # the second derivative is -hazard * spread
    exact = hazard * (spread * spread - 1.0 + hazard * spread)
    far = np.minimum(eta, -30.0)  # there three terms cancel, and the series of `_hazard_slope` is used
    r = 1.0 / far**2
    series = -(2.0 - r * (24.0 - r * (300.0 - r * 4144.0))) * r / far
    return np.where(eta < -30.0, series, exact)


@dataclass(frozen=True)
class Cauchy(BinomialLink):
    """P(success) = standard Cauchy distribution function.

    ``arctan2(1, -eta)/pi`` keeps full relative accuracy in the lower tail, where 1/2 + arctan(eta)/pi
    cancels.
    """

    name: ClassVar[str] = "cauchy"

    def mean(self, eta: Array) -> Array:
        return np.asarray(np.arctan2(1.0, -eta) / np.pi)

    def mean_deriv(self, eta: Array) -> Array:
        return np.asarray(1.0 / (np.pi * (1.0 + eta**2)))

    def eta(self, mu: Array) -> Array:
        return np.asarray(-1.0 / np.tan(np.pi * mu))

    def log_tails(self, eta: Array) -> tuple[Tail, Tail]:
        success, failure = np.arctan2(1.0, -eta), np.arctan2(1.0, eta)  # both times 1/pi
        p, q = success / np.pi, failure / np.pi
        # The larger of the two from the smaller: log(1 - q), not log of a rounded p.
        upper = eta > 0
        log_p = np.where(upper, np.log1p(-np.where(upper, q, 0.0)), np.log(p))
        log_q = np.where(upper, np.log(q), np.log1p(-np.where(upper, 0.0, p)))
        density = 1.0 / (1.0 + eta**2)
        log_density_d1 = -2.0 * eta * density
        r, s = density / success, -density / failure
        return (
            Tail(log_p, r, r * (log_density_d1 - r)),
            Tail(log_q, s, s * (log_density_d1 - s)),
        )

    def log_tails_third(self, eta: Array) -> tuple[Array, Array]:
        density = 1.0 / (1.0 + eta**2)
        g = -2.0 * eta * density
        g1 = -2.0 * (1.0 - eta**2) * density**2
        r = density / np.arctan2(1.0, -eta)
        s = -density / np.arctan2(1.0, eta)
        return (
            r * ((g - r) ** 2 + g1 - r * (g - r)),
            s * ((g - s) ** 2 + g1 - s * (g - s)),
        )


@dataclass(frozen=True)
class CLogLog(BinomialLink):
    """P(failure) = exp(-exp(eta))."""

    name: ClassVar[str] = "cloglog"
    log_concave: ClassVar[bool] = True
    latent_variance: ClassVar[float | None] = np.pi**2 / 6.0
    strip: ClassVar[float] = 0.5 * np.pi  # beyond, exp(-exp(eta)) grows without bound

    def mean(self, eta: Array) -> Array:
        return np.asarray(-np.expm1(-_rate(eta)))

    def mean_deriv(self, eta: Array) -> Array:
        rate = _rate(eta)
        return np.asarray(rate * np.exp(-rate))

    def eta(self, mu: Array) -> Array:
        return np.asarray(np.log(-np.log1p(-mu)))

    def log_tails(self, eta: Array) -> tuple[Tail, Tail]:
        rate = _rate(eta)
        p = -np.expm1(-rate)
        log_p = np.where(
            rate < 0.5,
            # -rate/2 is the next term of log((1 - exp(-rate))/rate), exact to round-off below 1e-13
            np.where(eta < -30.0, eta - 0.5 * rate, np.log(np.where(eta < -30.0, 1.0, p))),
            np.log1p(-np.exp(-np.maximum(rate, 0.5))),
        )
        r, slope = _cloglog_hazard(rate)
        return Tail(log_p, r, r * slope), Tail(-rate, -rate, -rate)

    def log_tails_third(self, eta: Array) -> tuple[Array, Array]:
        rate = _rate(eta)
        r, slope = _cloglog_hazard(rate)
        return r * (slope**2 - np.minimum(rate, _GONE) - r * slope), -rate


def _rate(eta: Array) -> Array:
    return np.exp(np.minimum(eta, _LARGEST))


def _cloglog_hazard(rate: Array) -> tuple[Array, Array]:
    """Return r = rate/(exp(rate) - 1) and 1 - rate - r, its logarithmic derivative in eta."""
    capped = np.minimum(rate, _GONE)
    growth = np.expm1(capped)
    r = np.where(capped > 0.0, capped / np.where(growth > 0.0, growth, 1.0), 1.0)
    series = -capped * (0.5 + capped * (1 / 12 - capped**2 * (1 / 720)))
    return r, np.where(capped < 0.01, series, 1.0 - capped - r)


IDENTITY = Identity()
LOG = Log()
SQRT = Sqrt()
INVERSE = Inverse()
LOGIT = Logit()
PROBIT = Probit()
CLOGLOG = CLogLog()
CAUCHY = Cauchy()
