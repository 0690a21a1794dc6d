"""Shares of variance, population-averaged coefficients and marginal means of models with several linear predictors."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pandas as pd
import pytest
from responses import SEVERAL_PREDICTORS, ResponseModel
from scipy import special

from statsmodels_mcla import MCLAMixedGLM


def model_named(name: str) -> ResponseModel:
    return next(m for m in SEVERAL_PREDICTORS if m.name == name)


@functools.cache
def fit_of(name: str) -> Any:
    model = model_named(name)
    return model.model(model.data()).fit(rng=1)


def shares(fixed: float, random: float, observation: float) -> list[float]:
    total = fixed + random + observation
    return [fixed / total, (fixed + random) / total]


def parts(fit: Any, data: pd.DataFrame) -> tuple[Any, float, float]:
    """Linear predictor of the mean, its variance over rows, and the variance of the random intercept."""
    eta = fit.params["Intercept"] + fit.params["x"] * data["x"].to_numpy()
    return eta, float(np.var(eta, ddof=1)), float(fit.params["g Var"])


def test_shares_are_those_of_the_mean() -> None:
    data = model_named("zero-inflated poisson").data()
    fit = fit_of("zero-inflated poisson")
    eta, fixed, random = parts(fit, data)
    mu = np.mean(np.exp(eta + 0.5 * random))
    np.testing.assert_allclose(fit.r2()["estimate"], shares(fixed, random, np.log1p(1 / mu)))
    np.testing.assert_allclose(
        fit.r2("trigamma")["estimate"], shares(fixed, random, special.polygamma(1, mu))
    )
    assert fit.icc().loc["g", "estimate"] == pytest.approx(random / (random + np.log1p(1 / mu)))
    assert (fit.r2()[["std err", "mcse"]] > 0).all(axis=None)


def test_random_effects_of_the_zero_part_have_no_share() -> None:
    data = model_named("zero-inflated poisson, both random").data()
    fit = fit_of("zero-inflated poisson, both random")
    _, _, random = parts(fit, data)
    icc = fit.icc()
    assert list(icc.index) == ["g", "total"]
    eta, _, _ = parts(fit, data)
    s = np.log1p(1 / np.mean(np.exp(eta + 0.5 * random)))
    np.testing.assert_allclose(icc["estimate"], random / (random + s))


@pytest.mark.parametrize("name", ["nb, dispersed", "gaussian, dispersed", "hurdle gamma"])
def test_shares_average_the_dispersion_over_rows(name: str) -> None:
    data, fit = model_named(name).data(), fit_of(name)
    eta, fixed, random = parts(fit, data)
    mu = np.mean(np.exp(eta + 0.5 * random))
    if name == "hurdle gamma":
        s = np.log1p(fit.params["scale"])
    else:
        phi = np.exp(fit.params["disp: Intercept"] + fit.params["disp: x"] * data["x"])
        s = np.mean(phi if name.startswith("gauss") else np.log1p(1 / mu + phi))
    np.testing.assert_allclose(fit.r2()["estimate"], shares(fixed, random, s), rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("hurdle poisson, both random", "its mean is not that of the linear predictor alone"),
        ("multinomial", r"var_corr\(\) has the standard deviations"),
        ("partial proportional odds", "all its categories or thresholds"),
    ],
)
def test_families_without_shares(name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fit_of(name).r2()


# Population averages ----------------------------------------------------------------------------------


def test_population_average_counts_the_zero_part() -> None:
    """In closed form: a random intercept of the counts, none of the zero part."""
    data, fit = model_named("zero-inflated poisson").data(), fit_of("zero-inflated poisson")
    X = np.column_stack([np.ones(len(data)), data["x"]])
    names = ["Intercept", "x", "zi: Intercept", "zi: x", "g Var"]
    assert list(fit.params.index) == names

    def coefficients(p: np.ndarray) -> np.ndarray:
        mean = np.exp(X @ p[:2] + 0.5 * p[4]) * special.expit(-X @ p[2:4])
        return np.linalg.lstsq(X, np.log(mean), rcond=None)[0]

    params, found = fit.params.to_numpy(), fit.population_averaged()
    assert list(found.params.index) == ["Intercept", "x"]
    np.testing.assert_allclose(found.params, coefficients(params), rtol=1e-8)
    slope = np.array(
        [(coefficients(params + e) - coefficients(params - e)) / 2e-5 for e in 1e-5 * np.eye(5)]
    ).T
    np.testing.assert_allclose(
        found.cov_params(), slope @ fit.cov_params().to_numpy() @ slope.T, rtol=1e-5, atol=1e-9
    )
    np.testing.assert_allclose(
        found.mcse, np.sqrt(np.diag(slope @ fit.cov_mcse().to_numpy() @ slope.T)), rtol=1e-4
    )


def test_population_average_over_correlated_effects_and_more_covariates() -> None:
    """Least squares of the logarithms of means by simulation; a covariate of the zero part has a coefficient."""
    model = model_named("hurdle poisson, both random")
    data = model.data()
    fit = MCLAMixedGLM.from_formula(
        "y ~ x + (1 | p | g)", data=data, family=model.family, ziformula="~ z + (1 | p | g)"
    ).fit_laplace()
    found = fit.population_averaged()
    assert list(found.params.index) == ["Intercept", "x", "zi: z"]
    p, n = fit.params, np.ones(len(data))
    G = fit.cov_re["g"].to_numpy()
    u = np.random.default_rng(1).multivariate_normal(np.zeros(2), G, 200_000).T
    x, z = data["x"].to_numpy(), data["z"].to_numpy()
    mean = np.zeros(len(data))
    for i in range(len(data)):
        lam = np.exp(p["Intercept"] + p["x"] * x[i] + u[0])
        zero = special.expit(p["zi: Intercept"] + p["zi: z"] * z[i] + u[1])
        mean[i] = np.mean((1 - zero) * lam / -np.expm1(-lam))
    truth = np.linalg.lstsq(np.column_stack([n, x, z]), np.log(mean), rcond=None)[0]
    np.testing.assert_allclose(found.params, truth, atol=0.01)


@pytest.mark.parametrize("name", ["multinomial", "partial proportional odds"])
def test_categories_have_no_population_average(name: str) -> None:
    with pytest.raises(ValueError, match="several linear predictors; compare predictions"):
        fit_of(name).population_averaged()


# Marginal means ---------------------------------------------------------------------------------------


def test_marginal_means_are_those_of_the_conditional_part() -> None:
    model = model_named("zero-inflated poisson")
    data = model.data()
    data["f"] = np.where(np.arange(len(data)) % 3 == 0, "a", "b")
    fit = MCLAMixedGLM.from_formula(
        "y ~ f + x + (1 | g)", data=data, family=model.family, ziformula="~ z"
    ).fit(rng=1)
    W = np.zeros((2, len(fit.params)))
    W[:, 0], W[1, 1], W[:, 2] = 1.0, 1.0, data["x"].mean()
    found, cov = fit.emmeans("f"), fit.cov_params().to_numpy()
    np.testing.assert_allclose(found.estimate, W @ fit.params, rtol=1e-9)
    np.testing.assert_allclose(found.se, np.sqrt(np.diag(W @ cov @ W.T)), rtol=1e-9)
    np.testing.assert_allclose(found.contrasts().estimate, -fit.params["f[T.b]"], rtol=1e-9)
    table = fit.emmeans("f", type="response", random="marginal").summary_frame()
    np.testing.assert_allclose(table["mean"], np.exp(W @ fit.params + 0.5 * fit.params["g Var"]), rtol=1e-8)
    assert fit.emtrends("f", "x").estimate == pytest.approx([fit.params["x"]] * 2)
    with pytest.raises(
        ValueError, match="'z' is no column that the fixed effects depend on; these are: f, x"
    ):
        fit.emmeans("z")
