"""Negative binomial (NB2): variance mu + alpha mu^2, with alpha a parameter; log link."""

# Implementations of the interface that base.py documents: it also says what each argument is for.
# ruff: noqa: D102

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from scipy import special

from statsmodels_mcla.families.base import ConditionalFamily
from statsmodels_mcla.families.links import LOG, MeanLink
from statsmodels_mcla.families.poisson import PoissonLog
from statsmodels_mcla.families.row_terms import DispersionTerms, RowData, RowTerms, of_one_parameter
from statsmodels_mcla.families.stirling import remainder, remainder_d1, remainder_d2
from statsmodels_mcla.numerics import Array, Number, logistic

POISSON = 1e-10  # dispersions below this, and zero, are Poisson to round-off


@dataclass(frozen=True)
class NegativeBinomialLog(ConditionalFamily):
    """NB2 counts with the log link.

    With size ``r = 1/alpha`` the log density is ``y eta - (y + r) log(1 + mu/r) + g(y, r)``, where
    ``g = log Gamma(y + r) - log Gamma(r) - y log r`` is taken through Stirling's remainder, so that
    alpha -> 0 gives the Poisson density without loss of digits.

    Parameters
    ----------
    alpha : float, optional
        Starting value of the dispersion.
    """

    alpha: float = 1.0

    name: ClassVar[str] = "NegativeBinomial"
    dispersion: ClassVar[str | None] = "alpha"
    discrete: ClassVar[bool] = True

    @property
    def link_function(self) -> MeanLink:
        return LOG

    @property
    def log_concave(self) -> bool:
        return True

    def limit(self, y: Array, w: Array, v: Array) -> tuple[ConditionalFamily, RowData]:
        return PoissonLog(), RowData(w * y, w, v)

    def start_mean(self, y: Array, w: Array, v: Number = 1.0) -> Array:
        return np.maximum(super().start_mean(y, w, v), 0.1)

    def open_direction(self, y: Array, w: Array) -> Array | None:
        return np.where(y == 0.0, -1.0, 0.0)

    def rows(self, y: Array, w: Array, v: Number, eta: Array, phi: float = 1.0) -> RowTerms:
        r = 1.0 / max(phi, POISSON)
        return _rows(y, w, eta, r, _Shares.at(eta, r))

    def third(self, y: Array, w: Array, v: Number, eta: Array, phi: float = 1.0) -> Array:
        r = 1.0 / max(phi, POISSON)
        s = _Shares.at(eta, r)
        return (-w * (y + r)) * (s.mu * s.size * (s.size - s.mu))

    def dispersion_rows(self, y: Array, w: Array, v: Number, eta: Array, phi: float) -> DispersionTerms:
        r = 1.0 / max(phi, POISSON)
        s = _Shares.at(eta, r)
        return _dispersion_rows(y, w, r, s, w * y - (w * (y + r)) * s.mu)

    def complete_rows(
        self, y: Array, w: Array, v: Number, eta: Array, phi: Any
    ) -> tuple[RowTerms, DispersionTerms]:
        r = 1.0 / max(phi, POISSON)
        s = _Shares.at(eta, r)
        rows = _rows(y, w, eta, r, s)
        return rows, of_one_parameter(*_dispersion_rows(y, w, r, s, rows.d1))

    def d2_dispersion(self, y: Array, w: Array, v: Number, eta: Array, phi: float) -> Array:
        r = 1.0 / max(phi, POISSON)
        s = _Shares.at(eta, r)
        return (-w * r) * (s.mu * s.size * (y - (2.0 * (y + r)) * s.mu))

    def constant(self, endog: Array, n_trials: Number, freq_weights: Number, var_weights: Number) -> float:
        return float(-np.sum(freq_weights * var_weights * special.gammaln(endog + 1.0)))

    def start_phi(
        self,
        endog: Array,
        mu: Array,
        n_trials: Number = 1.0,
        freq_weights: Number = 1.0,
        var_weights: Number = 1.0,
    ) -> float:
        return self.alpha

    def variance(self, mu: Array, phi: float = 1.0, n_trials: Number = 1.0) -> Array:
        return mu + phi * mu**2

    def unit_deviance(self, endog: Array, mu: Array, phi: float = 1.0, n_trials: Number = 1.0) -> Array:
        excess = (endog - mu) / (mu + 1.0 / max(phi, POISSON))  # (y + r)/(mu + r) - 1
        log_ratio = np.log(np.where(endog > 0, endog, 1.0) / np.where(endog > 0, mu, 1.0))
        return np.asarray(2.0 * (endog * log_ratio - (endog + 1.0 / max(phi, POISSON)) * np.log1p(excess)))

    def sample(
        self,
        rng: np.random.Generator,
        mu: Array,
        phi: float = 1.0,
        n_trials: Number = 1.0,
        var_weights: Number = 1.0,
    ) -> Array:
        alpha = np.maximum(phi, POISSON)
        return np.asarray(rng.poisson(rng.gamma(1.0 / alpha, alpha * mu)), dtype=float)

    def cdf(
        self,
        endog: Array,
        mu: Array,
        phi: float = 1.0,
        n_trials: Number = 1.0,
        var_weights: Number = 1.0,
    ) -> Array:
        k = np.floor(endog)
        whole, alpha = np.maximum(k, 0.0), np.maximum(phi, POISSON)
        # not by `betaincc`, which takes ten times as long
        found = special.betainc(1.0 / alpha, whole + 1.0, 1.0 / (1.0 + alpha * mu))
        found = np.where(alpha > POISSON, found, special.pdtr(whole, mu))
        return np.where(k < 0, 0.0, found)


class _Shares(NamedTuple):
    """Shares of mu and of the size in r + mu, and log(1 + mu/r)."""

    mu: Array
    size: Array
    log_whole: Array

    @classmethod
    def at(cls, eta: Array, r: float) -> _Shares:
        return cls(*logistic(eta - np.log(r)))


# What rows alone decide is put together first: arrays of rows and draws are passed over as seldom as can be.


def _rows(y: Array, w: Array, eta: Array, r: float, s: _Shares) -> RowTerms:
    total = w * (y + r)
    return RowTerms(
        (w * y) * eta - total * s.log_whole + w * _log_rising(y, r),
        w * y - total * s.mu,
        -total * (s.mu * s.size),
    )


def _dispersion_rows(y: Array, w: Array, r: float, s: _Shares, d1: Array) -> DispersionTerms:
    """Terms from the first two derivatives of logf in r, with share = mu / (r + mu) and d1 that in eta.

    alpha = 1/r turns them into -r^2 l' and r^3 (r l'' + 2 l'), of which ``twice`` is the bracket.
    """
    rise_d1, rise_d2 = _log_rising_slopes(y, r)
    a = 1.0 + y / r
    in_r = a * s.mu - s.log_whole + rise_d1
    twice = s.mu * (a * s.mu + 2.0) - 2.0 * s.log_whole + (r * rise_d2 + 2.0 * rise_d1)
    return DispersionTerms((-w * r**2) * in_r, (w * r**3) * twice, -r * (s.mu * d1))


def _log_rising(y: Array, r: float) -> Array:
    """Return log Gamma(y + r) - log Gamma(r) - y log r."""
    size = np.asarray(r)
    return (y + r - 0.5) * np.log1p(y / r) - y + remainder(y + r) - remainder(size)


def _log_rising_slopes(y: Array, r: float) -> tuple[Array, Array]:
    """Return the first two derivatives of `_log_rising` in ``r``."""
    size, total = np.asarray(r), y + r
    d1 = np.log1p(y / r) - y / r + 0.5 * y / (r * total) + remainder_d1(total) - remainder_d1(size)
    d2 = (
        y**2 / (r**2 * total)
        + 0.5 * (1.0 / total**2 - 1.0 / size**2)
        + remainder_d2(total)
        - remainder_d2(size)
    )
    return d1, d2
