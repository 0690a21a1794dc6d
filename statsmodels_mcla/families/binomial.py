"""Binomial: successes out of trials, with logit (hand-written kernels) and any two-tailed link.

Data numbers: ``y`` = weighted successes, ``w`` = weighted trials; they are sufficient, so rows with
equal linear predictor merge by addition.
"""

# Implementations of the interface that base.py documents: it also says what each argument is for.
# ruff: noqa: D102

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from scipy import special

from statsmodels_mcla.families.base import ConditionalFamily
from statsmodels_mcla.families.links import LOGIT, PROBIT, BinomialLink, MeanLink
from statsmodels_mcla.families.response_checks import integer_response, nearest_integers, refuse
from statsmodels_mcla.families.row_terms import Response, RowData, RowTerms, Workspace
from statsmodels_mcla.numerics import Array, Number

SLIP = 1e-9  # of a share that was computed
_GROUP = 64  # rows multiplied before one log is taken


class Binomial(ConditionalFamily):
    """What all binomial families share: everything but the log density in ``eta``."""

    name: ClassVar[str] = "Binomial"
    mergeable: ClassVar[bool] = True
    discrete: ClassVar[bool] = True

    def row_data(self, endog: Array, n_trials: Number, freq_weights: Number, var_weights: Number) -> RowData:
        ones = super().row_data(np.ones(endog.shape), 1.0, freq_weights, var_weights)
        return RowData(ones.w * endog, ones.w * n_trials, ones.v)

    def constant(self, endog: Array, n_trials: Number, freq_weights: Number, var_weights: Number) -> float:
        log_choose = (
            special.gammaln(np.asarray(n_trials) + 1.0)
            - special.gammaln(endog + 1.0)
            - special.gammaln(n_trials - endog + 1.0)
        )
        return float(np.sum(freq_weights * var_weights * log_choose))

    def check_response(self, endog: Any, n_trials: Any = None) -> Response:
        needs = "0 or 1 (counts: two columns, successes and failures)"
        integers = (
            "integers (0/1, or two columns: successes and failures, `s + f ~` in a formula; proportions need their "
            "numbers of trials as var_weights)"
        )
        y = integer_response(endog, self.name, needs=integers)
        if y.ndim == 2:
            if y.shape[1] != 2 or n_trials is not None:
                raise ValueError(
                    "endog must be one column, or two (successes, failures) and no n_trials, for"
                    f" family {self.name}; got shape {y.shape}"
                )
            refuse(y < 0, y, self.name, "non-negative counts")
            if not y.any():
                raise ValueError(f"endog: family {self.name} needs at least one trial in some row")
            return Response(y[:, 0].copy(), y.sum(axis=1))
        if n_trials is None:
            refuse((y != 0) & (y != 1), y, self.name, needs)
            return Response(y, np.ones(y.shape))
        given = np.broadcast_to(np.asarray(n_trials, dtype=float), y.shape)
        trials = nearest_integers(given)
        refuse(~(np.isfinite(given) & (trials >= 0)), given, self.name, "integer numbers of trials")
        refuse((y < 0) | (y > trials), y, self.name, "successes between 0 and the number of trials")
        return Response(y, trials)

    def read_response(self, endog: Any, var_weights: Array) -> tuple[Response, Array]:
        values = np.asarray(endog)
        if values.dtype.kind in "fiub" and np.squeeze(values).ndim == 1:
            y = np.squeeze(values).astype(float)
            trials, successes = nearest_integers(var_weights), nearest_integers(y * var_weights)
            shares = np.all(np.abs(y - 0.5) <= 0.5 + SLIP)  # whether or not one is neither zero nor one
            if shares and not np.isnan(trials + successes).any() and np.any(trials != 1):
                return self.check_response(successes, trials), np.ones(y.shape)
        return super().read_response(endog, var_weights)

    def start_mean(self, y: Array, w: Array, v: Number = 1.0) -> Array:
        return np.clip(super().start_mean(y, w, v), 0.01, 0.99)

    def open_direction(self, y: Array, w: Array) -> Array | None:
        return np.where(y == w, 1.0, np.where(y == 0.0, -1.0, 0.0))

    def variance(self, mu: Array, phi: float = 1.0, n_trials: Number = 1.0) -> Array:
        return mu * (1.0 - mu)

    def unit_deviance(self, endog: Array, mu: Array, phi: float = 1.0, n_trials: Number = 1.0) -> Array:
        failures, some = n_trials - endog, np.maximum(n_trials, 1.0)
        return np.asarray(
            2.0
            * (
                special.xlogy(endog, endog / some)
                - special.xlogy(endog, mu)
                + special.xlogy(failures, failures / some)
                - special.xlog1py(failures, -mu)
            )
        )

    def sample(
        self,
        rng: np.random.Generator,
        mu: Array,
        phi: float = 1.0,
        n_trials: Number = 1.0,
        var_weights: Number = 1.0,
    ) -> Array:
        return np.asarray(rng.binomial(np.asarray(n_trials, dtype=np.int64), mu), dtype=float)

    def cdf(
        self,
        endog: Array,
        mu: Array,
        phi: float = 1.0,
        n_trials: Number = 1.0,
        var_weights: Number = 1.0,
    ) -> Array:
        k = np.floor(endog)
        inside = (k >= 0) & (k < n_trials)
        kept = np.where(inside, k, 0.0)
        below = special.betainc(np.maximum(n_trials - kept, 1.0), kept + 1.0, 1.0 - mu)
        return np.where(inside, below, np.where(k < 0, 0.0, 1.0))


@dataclass(frozen=True)
class BinomialLogit(Binomial):
    """Binomial counts with the logit link."""

    canonical: ClassVar[bool] = True
    slope_shift: ClassVar[float] = 0.5

    @property
    def link_function(self) -> MeanLink:
        return LOGIT

    @property
    def log_concave(self) -> bool:
        return True

    def rows(self, y: Array, w: Array, v: Number, eta: Array, phi: float = 1.0) -> RowTerms:
        small = np.exp(-np.abs(eta))
        whole = 1.0 + small
        p = np.where(eta >= 0, 1.0, small) / whole
        return RowTerms(_log_density(y, w, eta, small), y - w * p, -w * (small / (whole * whole)))

    def cumulants(self, w: Array, eta: Array, work: Workspace) -> Array:
        logs = work.array("logs", eta.shape)
        np.exp(eta, out=eta)
        np.add(eta, 1.0, out=eta)
        np.log(eta, out=logs)
        np.multiply(logs, w, out=logs)
        _probabilities(eta)
        return np.asarray(np.add.reduce(logs, axis=-2))

    def bends(self, slopes: Array) -> None:
        np.multiply(slopes, slopes, out=slopes)
        np.subtract(slopes, 0.25, out=slopes)  # p (1 - p) = 1/4 - (p - 1/2)^2

    def third(self, y: Array, w: Array, v: Number, eta: Array, phi: float = 1.0) -> Array:
        small = np.exp(-np.abs(eta))
        slope = np.sign(eta) * (1.0 - small) / (1.0 + small)  # P(success) - P(failure)
        return np.asarray(w * (small / (1.0 + small) ** 2) * slope)

    def blank_row(self) -> tuple[float, float, float]:
        return (0.0, 1.0, -1000.0)  # a certain failure: exp(-1000) is zero, and 0/1 data stay 0/1

    def specialise(self, y: Array, w: Array) -> ConditionalFamily:
        unit = bool(np.all(w == 1.0) and np.all((y == 0.0) | (y == 1.0)))
        return BernoulliLogit() if unit else self


@dataclass(frozen=True)
class BernoulliLogit(BinomialLogit):
    """The logit link where every response is 0 or 1 and every weight one.

    Then the log density of a block needs only the log of a product of 1 + exp(eta) over its rows:
    one log for up to 64 rows.
    """

    def cumulants(self, w: Array, eta: Array, work: Workspace) -> Array:
        np.exp(eta, out=eta)
        np.add(eta, 1.0, out=eta)
        total = _log_product_rows(eta)
        _probabilities(eta)
        return total


def _probabilities(whole: Array) -> None:
    """Turn 1 + exp(eta) into P(success) - 1/2."""
    np.divide(1.0, whole, out=whole)  # zero where exp overflowed, which is right
    np.subtract(0.5, whole, out=whole)


def _log_product_rows(factors: Array) -> Array:
    """Return the log of the product of ``factors`` >= 1 over axis -2; inf where it overflows."""
    n, m = factors.shape[-2:]
    groups = n // _GROUP
    rest: Array = np.multiply.reduce(factors[..., groups * _GROUP :, :], axis=-2)
    np.log(rest, out=rest)
    if groups:
        split = factors[..., : groups * _GROUP, :].reshape(*factors.shape[:-2], groups, _GROUP, m)
        products = np.multiply.reduce(split, axis=-2)
        rest += np.log(products, out=products).sum(axis=-2)
    return rest


def _log_density(y: Array, w: Array, eta: Array, small: Array) -> Array:
    """Return y log p + (w - y) log(1 - p), given small = exp(-|eta|); every term is non-positive."""
    return np.asarray(y * np.minimum(eta, 0.0) - (w - y) * np.maximum(eta, 0.0) - w * np.log1p(small))


@dataclass(frozen=True)
class BinomialTails(Binomial):
    """Binomial counts with any link that knows the logs of both tails.

    Parameters
    ----------
    tails : BinomialLink
        The link.
    """

    tails: BinomialLink = PROBIT

    @property
    def link_function(self) -> MeanLink:
        return self.tails

    @property
    def log_concave(self) -> bool:
        return self.tails.log_concave

    def rows(self, y: Array, w: Array, v: Number, eta: Array, phi: float = 1.0) -> RowTerms:
        success, failure = self.tails.log_tails(eta)
        z = w - y
        with np.errstate(over="ignore"):
            return RowTerms(
                y * success.value + z * failure.value,
                y * success.d1 + z * failure.d1,
                y * success.d2 + z * failure.d2,
            )

    def third(self, y: Array, w: Array, v: Number, eta: Array, phi: float = 1.0) -> Array:
        success, failure = self.tails.log_tails_third(eta)
        return np.asarray(y * success + (w - y) * failure)
