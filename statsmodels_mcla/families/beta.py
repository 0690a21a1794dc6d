"""Proportions and counts out of trials whose probability itself varies: beta and beta-binomial, logit link."""

# Implementations of the interface that base.py documents: it also says what each argument is for.
# ruff: noqa: D102

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from scipy import special

from statsmodels_mcla.families.base import ConditionalFamily
from statsmodels_mcla.families.binomial import Binomial, BinomialLogit
from statsmodels_mcla.families.jets import Jet, exp, log, log_rising, reciprocal, softplus, stirling
from statsmodels_mcla.families.links import LOGIT, MeanLink
from statsmodels_mcla.families.response_checks import refuse
from statsmodels_mcla.families.row_terms import Response, RowData
from statsmodels_mcla.families.smooth_density import SmoothDensity, floored
from statsmodels_mcla.numerics import Array, Number

TINY, LARGE = 1e-300, 1e200  # a probability that is not zero; sums that are scaled


@dataclass(frozen=True)
class Beta(SmoothDensity):
    """Proportions between 0 and 1 with mean mu and variance mu (1 - mu) / (1 + precision), logit link.

    Beta regression (Ferrari and Cribari-Neto, 2004, J. Appl. Stat. 31, 799-815).

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from statsmodels_mcla import MCLAMixedGLM
    >>> from statsmodels_mcla.families import Beta
    >>> rng = np.random.default_rng(1)
    >>> data = pd.DataFrame({"g": np.repeat(np.arange(20), 6), "x": np.tile(np.arange(6.0), 20)})
    >>> mean = 1 / (1 + np.exp(1 - 0.3 * data["x"] - rng.normal(size=20)[data["g"]]))
    >>> data["y"] = rng.beta(10 * mean, 10 * (1 - mean))
    >>> MCLAMixedGLM.from_formula("y ~ x + (1 | g)", data=data, family=Beta()).fit(rng=1).params.round(2)
    Intercept    -0.99
    x             0.31
    g Var         0.23
    precision    11.06
    dtype: float64
    """

    name: ClassVar[str] = "Beta"
    dispersion: ClassVar[str | None] = "precision"

    @property
    def link_function(self) -> MeanLink:
        return LOGIT

    def log_density(self, y: Array, v: Number, eta: Jet, *psi: Jet) -> Jet:
        (precision,) = psi
        own, rest = -softplus(-eta), -softplus(eta)  # logarithms of mu and 1 - mu
        a, b = exp(own) * precision, exp(rest) * precision
        # gamma functions by Stirling's formula, whose large terms cancel
        out = a * (np.log(y) - own) + b * (np.log1p(-y) - rest) + (own + rest + log(precision)) * 0.5
        return out + stirling(precision) - stirling(a) - stirling(b) - np.log(y) - np.log1p(-y)

    def _check_support(self, y: Array) -> None:
        needs = "proportions between 0 and 1, neither of them included (ziformula and oiformula have them)"
        refuse((y <= 0) | (y >= 1), y, self.name, needs)

    def start_mean(self, y: Array, w: Array, v: Number = 1.0) -> Array:
        return np.clip(super().start_mean(y, w, v), 0.01, 0.99)

    def start_phi(
        self,
        endog: Array,
        mu: Array,
        n_trials: Number = 1.0,
        freq_weights: Number = 1.0,
        var_weights: Number = 1.0,
    ) -> float:
        weight = np.broadcast_to(np.asarray(freq_weights, dtype=float), endog.shape)
        ratio = np.average((endog - mu) ** 2 / (mu * (1.0 - mu)), weights=weight)
        return float(np.clip(1.0 / max(ratio, 1e-6) - 1.0, 0.1, 1e6))

    def blank_row(self) -> tuple[float, float, float]:
        return (0.5, 0.0, 0.0)

    def variance(self, mu: Array, phi: float = 1.0, n_trials: Number = 1.0) -> Array:
        return mu * (1.0 - mu) / (1.0 + phi)

    def sample(
        self,
        rng: np.random.Generator,
        mu: Array,
        phi: float = 1.0,
        n_trials: Number = 1.0,
        var_weights: Number = 1.0,
    ) -> Array:
        inside = np.finfo(float).eps  # a draw that rounds to 0 or 1 is no response of the family
        return np.clip(rng.beta(mu * phi, (1.0 - mu) * phi), np.finfo(float).tiny, 1.0 - inside)

    def cdf(
        self,
        endog: Array,
        mu: Array,
        phi: float = 1.0,
        n_trials: Number = 1.0,
        var_weights: Number = 1.0,
    ) -> Array:
        return np.asarray(special.betainc(mu * phi, (1.0 - mu) * phi, np.clip(endog, 0.0, 1.0)))


@dataclass(frozen=True)
class BetaBinomial(SmoothDensity, Binomial):
    """Successes out of n trials whose probability is beta-distributed around mu, logit link.

    The beta law has parameters mu / alpha and (1 - mu) / alpha, so that two trials of a row have correlation
    alpha / (1 + alpha) and the count has variance n mu (1 - mu) (1 + (n - 1) alpha / (1 + alpha)); alpha = 0 is the
    binomial family (Williams, 1975, Biometrics 31, 949-952). Data numbers: ``v`` is the number of trials.

    Examples
    --------
    >>> from statsmodels_mcla.families import BetaBinomial
    >>> herds = datasets.cbpp.load_pandas().data
    >>> formula = "incidence + I(size - incidence) ~ 1 + (1 | period)"
    >>> overdispersed = smf.mcla_mixedglm(formula, data=herds, family=BetaBinomial())
    >>> overdispersed.fit(rng=1).params.round(2)
    Intercept    -2.18
    period Var    0.25
    alpha         0.10
    dtype: float64
    """

    name: ClassVar[str] = "BetaBinomial"
    dispersion: ClassVar[str | None] = "alpha"
    mergeable: ClassVar[bool] = False

    @property
    def link_function(self) -> MeanLink:
        return LOGIT

    def check_response(self, endog: Any, n_trials: Any = None) -> Response:
        known = super().check_response(endog, n_trials)
        if known.n_trials.max() <= 1:
            raise ValueError(
                f"endog: family {self.name} needs rows of two trials or more, as 0/1 responses of one trial each are "
                "Bernoulli whatever varies; use the Binomial family"
            )
        return known

    def row_data(self, endog: Array, n_trials: Number, freq_weights: Number, var_weights: Number) -> RowData:
        ones = Binomial.row_data(self, np.ones(endog.shape), 1.0, freq_weights, var_weights)
        return RowData(endog.astype(float), ones.w, np.broadcast_to(n_trials, endog.shape).astype(float))

    def constant(self, endog: Array, n_trials: Number, freq_weights: Number, var_weights: Number) -> float:
        return Binomial.constant(self, endog, n_trials, freq_weights, var_weights)

    def log_density(self, y: Array, v: Number, eta: Jet, *psi: Jet) -> Jet:
        size = reciprocal(floored(psi[0]))
        success, failure = -softplus(-eta), -softplus(eta)
        out = success * y + failure * (v - y) - log_rising(np.asarray(v), size)
        return out + log_rising(y, exp(success) * size) + log_rising(v - y, exp(failure) * size)

    def limit(self, y: Array, w: Array, v: Array) -> tuple[ConditionalFamily, RowData]:
        return BinomialLogit(), RowData(w * y, w * v, np.ones_like(v))

    def open_direction(self, y: Array, w: Array) -> Array | None:
        return None  # of y = 0 and y = n alike, which only the numbers of trials tell apart

    def start_mean(self, y: Array, w: Array, v: Number = 1.0) -> Array:
        own, trials = y / v, np.broadcast_to(v, y.shape) * w
        return np.clip(0.5 * (own + np.average(own, weights=trials)), 0.01, 0.99)

    def start_phi(
        self,
        endog: Array,
        mu: Array,
        n_trials: Number = 1.0,
        freq_weights: Number = 1.0,
        var_weights: Number = 1.0,
    ) -> float:
        return 0.1

    def variance(self, mu: Array, phi: float = 1.0, n_trials: Number = 1.0) -> Array:
        return mu * (1.0 - mu) * (1.0 + (np.asarray(n_trials) - 1.0) * phi / (1.0 + phi))

    def sample(
        self,
        rng: np.random.Generator,
        mu: Array,
        phi: float = 1.0,
        n_trials: Number = 1.0,
        var_weights: Number = 1.0,
    ) -> Array:
        if phi > 0:
            mu = rng.beta(np.maximum(mu, TINY) / phi, np.maximum(1.0 - mu, TINY) / phi)
        return Binomial.sample(self, rng, mu, 1.0, n_trials)

    def cdf(
        self,
        endog: Array,
        mu: Array,
        phi: float = 1.0,
        n_trials: Number = 1.0,
        var_weights: Number = 1.0,
    ) -> Array:
        if phi == 0:
            return Binomial.cdf(self, endog, mu, 1.0, n_trials)
        shape, rest = np.maximum(mu, TINY) / phi, np.maximum(1.0 - mu, TINY) / phi
        return _beta_binomial_cdf(*np.broadcast_arrays(np.floor(endog), n_trials, shape, rest))


def _beta_binomial_cdf(k: Array, n: Array, a: Array, b: Array) -> Array:
    """Distribution function of beta-binomial laws, by sums of the shorter tail; scipy's goes element by element."""
    upper = k > n - k - 1.0
    last, first, second = np.where(upper, n - k - 1.0, k), np.where(upper, b, a), np.where(upper, a, b)
    log_unit = special.betaln(first, n + second) - special.betaln(first, second)  # of none
    term, total = np.ones(k.shape), np.ones(k.shape)
    for j in range(int(np.max(last, initial=0.0))):
        more = j < last
        term = np.where(more, term * ((n - j) * (j + first)) / ((j + 1.0) * (n - j - 1.0 + second)), 0.0)
        total += term
        large = total > LARGE
        if large.any():
            term, total = np.where(large, term / LARGE, term), np.where(large, total / LARGE, total)
            log_unit = np.where(large, log_unit + np.log(LARGE), log_unit)
    tail = np.where(last < 0.0, 0.0, np.minimum(np.exp(log_unit + np.log(total)), 1.0))
    return np.where(upper, 1.0 - tail, tail)
