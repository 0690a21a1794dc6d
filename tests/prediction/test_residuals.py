"""Fitted values and residuals: against quadrature, GLM's definitions, and their law under the model."""

from __future__ import annotations

import pickle
import warnings
from typing import Any

import numpy as np
import oracle
import pandas as pd
import pytest
import statsmodels.api as sm
from helpers import KIND_IDS, KINDS, assert_monte_carlo, fit_of, laplace_of, small
from scipy import stats

from statsmodels_mcla import MCLAMixedGLM
from statsmodels_mcla.families import StudentT

F = sm.families


def test_fitted_values_are_conditional_means() -> None:
    problem = oracle.problem("epil")
    fit = fit_of("epil")
    truth = oracle.quadrature_mle(**problem.arguments)
    beta, sd = truth.beta, np.sqrt(truth.cov_re[0, 0])
    nodes = np.linspace(-6, 6, 2001)
    prior = stats.norm.logpdf(nodes)
    expected = np.empty(len(problem.y))
    for g in np.unique(problem.group):
        rows = problem.group == g
        mu = np.exp((problem.X[rows] @ beta)[:, None] + sd * nodes)
        log_w = prior + stats.poisson.logpmf(problem.y[rows, None], mu).sum(axis=0)
        w = np.exp(log_w - log_w.max())
        expected[rows] = mu @ w / w.sum()
    assert_monte_carlo(fit.fittedvalues, fit.fittedvalues_mcse, expected, small=0.02 * expected, within=4.5)
    np.testing.assert_allclose(fit.resid_response, problem.y - fit.fittedvalues)


@pytest.mark.parametrize("kind", KINDS, ids=KIND_IDS)
def test_definitions_are_those_of_glm(kind: Any) -> None:
    case = small(kind, "intercept")
    rng = np.random.default_rng(0)
    weights = {} if case.counts else {"var_weights": rng.choice([0.5, 1.0, 2.0], len(case.data))}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = case.model(**weights).fit_laplace()
        family = kind.family
        if hasattr(family, "alpha"):
            family = F.NegativeBinomial(alpha=fit.params["alpha"])
        y = case.data["y"].to_numpy(float)
        endog = np.column_stack([y, case.trials - y]) if case.counts else y
        glm = sm.GLM(endog, np.ones(len(y)), family=family, **weights)
        residuals = glm.fit(maxiter=1)
    residuals._data_attr_model = None
    mu = np.asarray(fit.fittedvalues)
    proportion = y / case.trials
    np.testing.assert_allclose(fit.resid_response, proportion - mu)
    v = np.sqrt(np.asarray(weights.get("var_weights", 1.0)) * case.trials)
    np.testing.assert_allclose(fit.resid_pearson, v * (proportion - mu) / np.sqrt(family.variance(mu)))
    family.n = case.trials
    deviance = family.resid_dev(proportion if case.counts else y, mu, weights.get("var_weights", 1.0))
    np.testing.assert_allclose(fit.resid_deviance, deviance, rtol=1e-6, atol=1e-7)


def test_labels_and_pickles() -> None:
    fit = fit_of("cbpp")
    for name in ("fittedvalues", "fittedvalues_mcse", "resid_response", "resid_pearson", "resid_deviance"):
        values = getattr(fit, name)
        assert isinstance(values, pd.Series)
        assert values.index.equals(fit.model.inputs.endog.index)
        np.testing.assert_allclose(getattr(pickle.loads(pickle.dumps(fit)), name), values)
    assert isinstance(fit.resid_quantile(rng=1), pd.Series)


# Quantile residuals -----------------------------------------------------------------------------------


def many_groups(seed: int, alpha: float, groups: int = 400) -> pd.DataFrame:
    """Counts of groups of two rows, overdispersed by alpha beyond a Poisson mixed model."""
    rng = np.random.default_rng(seed)
    data = pd.DataFrame({"g": np.repeat(np.arange(groups), 2), "x": rng.normal(size=2 * groups)})
    mu = np.exp(1.0 + 0.3 * data["x"] + 0.5 * rng.normal(size=groups)[data["g"]])
    if alpha:
        mu *= rng.gamma(1 / alpha, alpha, len(mu))
    data["y"] = rng.poisson(mu)
    return data


@pytest.mark.parametrize("nsim", [20, 250])
def test_uniform_under_the_model(nsim: int) -> None:
    for seed in range(3):
        data = many_groups(seed, 0.0)
        fit = MCLAMixedGLM.from_formula("y ~ x + (1 | g)", data=data, family=F.Poisson()).fit_laplace()
        u = np.asarray(fit.resid_quantile(nsim=nsim, rng=seed))
        assert stats.kstest(u[::2], "uniform").pvalue > 0.01  # one row a group: independent
        assert stats.kstest(u[1::2], "uniform").pvalue > 0.01


def test_normal_scale_and_reproducible() -> None:
    fit = laplace_of("cbpp")
    u, z = fit.resid_quantile(rng=2), fit.resid_quantile(rng=2, scale="normal")
    np.testing.assert_allclose(stats.norm.cdf(z), u)
    np.testing.assert_array_equal(u, fit.resid_quantile(rng=2))
    assert np.all((u > 0) & (u < 1))


def test_another_law_is_seen() -> None:
    """Counts with many zeros and a long tail, fitted as Poisson with the group's own rows only: not uniform."""
    data = many_groups(1, 0.0)
    rng = np.random.default_rng(1)
    data["y"] = np.where(rng.random(len(data)) < 0.35, 0, data["y"] * 2)
    fit = MCLAMixedGLM.from_formula("y ~ x + (1 | g)", data=data, family=F.Poisson()).fit_laplace()
    assert stats.kstest(np.asarray(fit.resid_quantile(rng=1))[::2], "uniform").pvalue < 1e-4


def test_simulations_of_many_rows_come_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    fit = laplace_of("cbpp")
    monkeypatch.setattr("statsmodels_mcla.results.methods.residuals.AT_A_TIME", 56 * 7)
    u = np.asarray(fit.resid_quantile(nsim=200, rng=1))
    monkeypatch.undo()
    other = np.asarray(fit.resid_quantile(nsim=200, rng=5))
    assert np.corrcoef(u, other)[0, 1] > 0.7


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"nsim": 0}, "nsim must be"), ({"scale": "z"}, "scale must be"), ({"rng": "a"}, "rng must be")],
)
def test_bad_arguments(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fit_of("cbpp").resid_quantile(**arguments)


def test_variance_weights_divide_what_is_not_the_zero_part() -> None:
    """A hurdle of Gamma responses of two weights: each kind has residuals of variance one."""
    rng = np.random.default_rng(1)
    data = pd.DataFrame({"g": np.repeat(np.arange(100), 20), "x": rng.normal(size=2000)})
    data["w"] = np.where(np.arange(2000) % 2, 4.0, 0.25)
    mu, phi = np.exp(0.3 * data["x"] + 0.3 * rng.normal(size=100)[data["g"]]), 0.5 / data["w"]
    data["y"] = np.where(rng.uniform(size=2000) < 0.3, 0.0, rng.gamma(1 / phi, mu * phi))
    fit = MCLAMixedGLM.from_formula(
        "y ~ x + (1 | g)", data=data, family=F.Gamma(F.links.Log()), ziformula="~ 1", var_weights="w"
    ).fit_laplace()
    spread = fit.resid_pearson.groupby(data["w"]).var()
    np.testing.assert_allclose(spread, 1.0, atol=0.12)


def test_residuals_without_a_variance_are_missing() -> None:
    rng = np.random.default_rng(2)
    data = pd.DataFrame(
        {"y": rng.standard_t(4, size=60) + 2.0 * (np.arange(60) % 12), "g": np.arange(60) % 12}
    )
    fit = MCLAMixedGLM.from_formula("y ~ 1 + (1 | g)", data=data, family=StudentT(df=1)).fit_laplace()
    assert np.isnan(fit.resid_pearson).all()
    assert fit.r2()["estimate"].isna().all()
