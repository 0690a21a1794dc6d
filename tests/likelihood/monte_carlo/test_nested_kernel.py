"""Inner effects integrated one by one: exact derivatives, the likelihood of quadrature, and honest errors."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from helpers import assert_monte_carlo
from scipy import stats
from scipy.special import logsumexp
from statsmodels.tools.sm_exceptions import ConvergenceWarning

from statsmodels_mcla import MCLAMixedGLM
from statsmodels_mcla.families import Beta
from statsmodels_mcla.likelihood.monte_carlo import evaluate
from statsmodels_mcla.likelihood.sampling import NestedNodes

FORMULA = "y ~ x + (1 | mother) + (1 | community)"
BETA, SIGMA = np.array([0.4, -0.6]), np.array([0.9, 0.7])
FAMILIES = {
    "binomial": (sm.families.Binomial(), []),
    "cloglog": (sm.families.Binomial(link=sm.families.links.CLogLog()), []),
    "poisson": (sm.families.Poisson(), []),
    "gamma": (sm.families.Gamma(link=sm.families.links.Log()), [0.5]),
    "negative binomial": (sm.families.NegativeBinomial(alpha=1.0), [0.6]),
    "beta": (Beta(), [3.0]),
}


def families(name: str, seed: int = 1, communities: int = 6) -> pd.DataFrame:
    """Children of mothers in communities of unlike sizes, one of which has a single mother."""
    rng = np.random.default_rng(seed)
    mothers = np.array([1, *rng.integers(2, 9, communities - 1)])
    community = np.repeat(np.arange(communities), mothers)
    mother = np.repeat(np.arange(len(community)), rng.integers(1, 4, len(community)))
    x = rng.normal(size=len(mother))
    eta = BETA[0] + BETA[1] * x + rng.normal(0, 0.9, len(community))[mother]
    eta += rng.normal(0, 0.7, communities)[community[mother]]
    draw = {
        "binomial": lambda: rng.random(len(x)) < 1 / (1 + np.exp(-eta)),
        "cloglog": lambda: rng.random(len(x)) < 1 - np.exp(-np.exp(eta)),
        "poisson": lambda: rng.poisson(np.exp(eta)),
        "gamma": lambda: rng.gamma(2.0, np.exp(eta) / 2.0),
        "negative binomial": lambda: rng.poisson(np.exp(eta) * rng.gamma(1 / 0.6, 0.6, len(x))),
        "beta": lambda: np.clip(rng.beta(3 / (1 + np.exp(-eta)), 3 / (1 + np.exp(eta))), 1e-3, 1 - 1e-3),
    }[name]
    data = pd.DataFrame({"y": draw() * 1.0, "x": x, "mother": mother, "community": community[mother]})
    return data.sample(frac=1.0, random_state=seed).reset_index(drop=True)


def log_density(name: str, y: np.ndarray, eta: np.ndarray) -> np.ndarray:
    mu, p = np.exp(eta), 1 / (1 + np.exp(-eta))
    return {
        "binomial": lambda: stats.bernoulli.logpmf(y, p),
        "cloglog": lambda: np.where(y == 1, np.log(-np.expm1(-mu)), -mu),
        "poisson": lambda: stats.poisson.logpmf(y, mu),
        "gamma": lambda: stats.gamma.logpdf(y, 2.0, scale=mu / 2.0),
        "negative binomial": lambda: stats.nbinom.logpmf(y, 1 / 0.6, 1 / (1 + 0.6 * mu)),
        "beta": lambda: stats.beta.logpdf(y, 3.0 * p, 3.0 * (1 - p)),
    }[name]()


def drawn(name: str, nsample: int, data: pd.DataFrame | None = None) -> tuple[MCLAMixedGLM, np.ndarray]:
    family, dispersion = FAMILIES[name]
    model = MCLAMixedGLM.from_formula(FORMULA, data=families(name) if data is None else data, family=family)
    params = np.array([*BETA, *SIGMA**2, *dispersion])
    model.draw(params, rng=1, nsample=nsample)
    parts = model._current.position.draws
    assert sum(isinstance(part.anchor, NestedNodes) for part in parts) >= 1  # premise
    return model, params


@pytest.mark.parametrize("name", FAMILIES)
def test_derivatives_are_those_of_the_value(name: str) -> None:
    """At the parameters of the draws, and away from them."""
    model, params = drawn(name, 256)
    rng = np.random.default_rng(0)
    for at in (params, params * (1.0 + 0.1 * rng.uniform(-1, 1, len(params)))):
        steps = 1e-5 * np.eye(len(params))
        value = [(model.loglike(at + h) - model.loglike(at - h)) / 2e-5 for h in steps]
        slope = [(model.score(at + h) - model.score(at - h)) / 2e-5 for h in steps]
        np.testing.assert_allclose(model.score(at), value, rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(model.hessian(at), slope, rtol=1e-6, atol=1e-5)


@pytest.mark.parametrize("name", FAMILIES)
def test_likelihood_is_that_of_quadrature(name: str) -> None:
    model, params = drawn(name, 4096)
    found = evaluate(model.design, model._current.position.params, model._current.position.draws)
    z = np.linspace(-8, 8, 321)
    log_p, truth = stats.norm.logpdf(z) + np.log(z[1] - z[0]), 0.0
    with np.errstate(divide="ignore"):
        for _, community in families(name).groupby("community"):
            given = log_p.copy()
            for _, rows in community.groupby("mother"):
                eta = (BETA[0] + BETA[1] * rows["x"]).to_numpy()[:, None, None]
                eta = eta + SIGMA[0] * z + SIGMA[1] * z[:, None]
                each = log_density(name, rows["y"].to_numpy()[:, None, None], eta).sum(axis=0)
                given += logsumexp(each + log_p, axis=1)
            truth += float(logsumexp(given))
    print(found.value, found.value_var**0.5, truth)
    assert_monte_carlo(found.value, np.sqrt(found.value_var), truth, small=0.003, error=1e-5)
    assert model.loglike(params) == pytest.approx(found.value, abs=1e-9)


def test_errors_are_what_repeats_vary_by() -> None:
    """Of the log-likelihood, of the score and of the curvature, with few points."""
    values, scores, bends, told = [], [], [], []
    for seed in range(40):
        model, _ = drawn("binomial", 64)
        params = model._current.position.params
        model.draw(params, rng=seed, nsample=64)
        found = evaluate(model.design, params, model._current.position.draws, metric=np.eye(len(params)))
        values.append(found.value)
        scores.append(found.score)
        bends.append(np.diag(found.hessian))
        told.append((found.value_var, *np.diag(found.score_var), *found.curvature_var))
    seen = np.var(np.column_stack([values, scores, bends]), axis=0, ddof=1)
    np.testing.assert_allclose(np.sqrt(np.mean(told, axis=0) / seen), 1.0, atol=0.45)


def test_a_large_block_is_cut_into_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """The numbers do not depend on how many inner effects are worked on at a time."""
    model, params = drawn("negative binomial", 256)
    whole = model.loglike(params), model.score(params), model.hessian(params)
    monkeypatch.setattr("statsmodels_mcla.likelihood.monte_carlo.nested_kernel.STEP", 1)
    model, _ = drawn("negative binomial", 256)
    for one, other in zip(
        whole, (model.loglike(params), model.score(params), model.hessian(params)), strict=True
    ):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-9)


def normal_limit(data: pd.DataFrame, params: np.ndarray) -> float:
    """Log-likelihood of counts so large that they say what their linear predictors are: log y is normal."""
    logs = np.log(data["y"].to_numpy())
    groups = np.equal.outer(data["g"].to_numpy(), data["g"].to_numpy())
    V = params[2] * groups + np.diag(params[3] + 1.0 / data["y"])
    return float(stats.multivariate_normal(params[0] + params[1] * data["x"], V).logpdf(logs) - logs.sum())


@pytest.mark.parametrize("level", [8.0, 12.0, 15.0, 19.0])
def test_counts_too_large_for_points_that_stand_still(level: float) -> None:
    """An effect for each row is known so well that the estimates' own errors move its law away from them."""
    rng = np.random.default_rng(1)
    g, x = np.repeat(np.arange(12), 6), rng.normal(size=72)
    eta = level + 0.3 * x + rng.normal(0, 0.5, 12)[g] + rng.normal(0, 0.3, 72)
    data = pd.DataFrame({"y": rng.poisson(np.exp(eta)), "x": x, "g": g, "row": np.arange(72)})
    model = MCLAMixedGLM.from_formula("y ~ x + (1 | g) + (1 | row)", data=data, family=sm.families.Poisson())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # values of 10^9 have no more digits
        laplace = model.fit_laplace()
    at = np.asarray(laplace.params)
    assert laplace.llf == pytest.approx(normal_limit(data, at), abs=0.02)
    model.draw(at, rng=1)
    for step in (0.0, 0.05):
        there = at + step * np.asarray(laplace.bse)
        assert model.loglike(there) == pytest.approx(normal_limit(data, there), abs=0.05)
    result = model.fit(rng=1)
    assert result.converged
    assert result.llf == pytest.approx(normal_limit(data, np.asarray(result.params)), abs=0.05)
    assert result.llf > laplace.llf - 0.05
