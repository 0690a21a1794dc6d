"""Families and links with scipy's laws, and rows of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats
from statsmodels.genmod.families import links

from statsmodels_mcla.families.registry import conditional_family

N_ROWS = 40


def assert_complete(family: Any, *arguments: Any) -> None:
    """What a pass over draws takes of a family together is what it gives one by one."""
    parts = family.rows(*arguments), family.parameter_rows(*arguments)
    for together, part in zip(family.complete_rows(*arguments), parts, strict=True):
        for ours, theirs in zip(together, part, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-14)


@dataclass(frozen=True)
class Case:
    """A family instance of statsmodels, with the law that scipy.stats has for it."""

    name: str
    sm_family: Any
    law: Callable[[Any, Any, Any, Any], Any]  # (mu, phi, n_trials, var_weights) -> frozen distribution
    multiplies: bool  # whether variance weights multiply the log density instead of dividing a scale
    phi: float = 1.0
    low: float = -2.5
    high: float = 2.5

    @property
    def ours(self) -> Any:
        return conditional_family(self.sm_family)

    def log_density(self, y: Any, mu: Any, phi: float, n: Any, v: Any) -> Any:
        if self.multiplies:
            law = self.law(mu, phi, n, 1.0)
            return v * law.logpmf(y)
        return self.law(mu, phi, n, v).logpdf(y)


def _binomial(mu: Any, phi: Any, n: Any, v: Any) -> Any:
    return stats.binom(np.asarray(n, dtype=int), mu)


def _poisson(mu: Any, phi: Any, n: Any, v: Any) -> Any:
    return stats.poisson(mu)


def _nb2(mu: Any, phi: Any, n: Any, v: Any) -> Any:
    return stats.nbinom(1 / phi, 1 / (1 + phi * mu))


def _gamma(mu: Any, phi: Any, n: Any, v: Any) -> Any:
    return stats.gamma(v / phi, scale=mu * phi / v)


def _gaussian(mu: Any, phi: Any, n: Any, v: Any) -> Any:
    return stats.norm(mu, np.sqrt(phi / v))


def _inverse_gaussian(mu: Any, phi: Any, n: Any, v: Any) -> Any:
    return stats.invgauss(mu * phi / v, scale=v / phi)


F = sm.families
CASES = [
    Case("binomial-logit", F.Binomial(), _binomial, True),
    Case("binomial-probit", F.Binomial(links.Probit()), _binomial, True),
    Case("binomial-cloglog", F.Binomial(links.CLogLog()), _binomial, True, low=-4, high=1.5),
    Case("binomial-cauchy", F.Binomial(links.Cauchy()), _binomial, True, low=-20, high=20),
    Case("poisson-log", F.Poisson(), _poisson, True),
    Case("poisson-sqrt", F.Poisson(links.Sqrt()), _poisson, True, low=0.3, high=4),
    Case("nb-log", F.NegativeBinomial(links.Log(), alpha=0.7), _nb2, True, phi=0.7),
    Case("gamma-log", F.Gamma(links.Log()), _gamma, False, phi=0.4),
    Case("gamma-inverse", F.Gamma(links.InversePower()), _gamma, False, phi=0.4, low=0.2, high=4),
    Case("gaussian-identity", F.Gaussian(), _gaussian, False, phi=1.7),
    Case("gaussian-log", F.Gaussian(links.Log()), _gaussian, False, phi=1.7),
    Case("inverse-gaussian-log", F.InverseGaussian(links.Log()), _inverse_gaussian, False, phi=0.3),
]
IDS = [case.name for case in CASES]
every = pytest.mark.parametrize("case", CASES, ids=IDS)
with_dispersion = pytest.mark.parametrize(
    "case", [c for c in CASES if c.ours.dispersion], ids=[c.name for c in CASES if c.ours.dispersion]
)


@dataclass(frozen=True)
class Sample:
    """Data of a case: response, trials, weights, and linear predictors of several draws."""

    endog: Any
    n_trials: Any
    freq: Any
    var: Any
    eta: Any

    def data(self, family: Any) -> tuple[Any, Any, Any]:
        y, w, v = family.row_data(self.endog, self.n_trials, self.freq, self.var)
        return y[:, None], w[:, None], v[:, None]


def make(case: Case, *, weighted: bool = True, draws: int = 3, seed: int = 0) -> Sample:
    rng = np.random.default_rng([seed, *case.name.encode()])
    eta = rng.uniform(case.low, case.high, (N_ROWS, draws))
    n = rng.integers(1, 9, N_ROWS).astype(float) if case.name.startswith("binomial") else np.ones(N_ROWS)
    freq = rng.integers(1, 4, N_ROWS).astype(float) if weighted else np.ones(N_ROWS)
    var = rng.uniform(0.5, 2.0, N_ROWS) if weighted else np.ones(N_ROWS)
    mu = case.sm_family.link.inverse(eta[:, 0])
    endog = np.asarray(case.law(mu, case.phi, n, 1.0).rvs(size=N_ROWS, random_state=rng), dtype=float)
    return Sample(endog, n, freq, var, eta)


def close(actual: Any, wanted: Any, rtol: float, atol: float = 0.0) -> None:
    np.testing.assert_allclose(actual, wanted, rtol=rtol, atol=atol)


def central(f: Callable[[Any], Any], x: Any, step: Any) -> Any:
    """Fourth-order central difference."""
    return (8 * (f(x + step) - f(x - step)) - (f(x + 2 * step) - f(x - 2 * step))) / (12 * step)


def one_row(case: Case, y: float, w: float, eta: float) -> Any:
    terms = case.ours.rows(*(np.array([[a]]) for a in (y, w, 1.0, eta)), case.phi)
    return [float(a[0, 0]) for a in terms]
