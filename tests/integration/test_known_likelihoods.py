"""Fits whose likelihood other packages have, or a closed form."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import oracle
import pandas as pd
import pytest
import statsmodels.api as sm
from helpers import (
    KIND,
    assert_monte_carlo,
    data_of,
    no_warnings,
    small,
)
from scipy import stats
from statsmodels.genmod.families import links
from statsmodels.regression.mixed_linear_model import MixedLM

from statsmodels_mcla import BlockSampling, MCLAMixedGLM

BINOMIAL = sm.families.Binomial()


EXACT = BlockSampling(df=np.inf, inflate=1.0, centre="mode")


@pytest.mark.parametrize("slope", [False, True])
def test_gaussian_responses_are_mixedlm(slope: bool) -> None:
    """Under the exact conditional law every weight is the same, and the Laplace fit has no error at all."""
    data = data_of("sleepstudy")
    bars = "(1 + Days | Subject)" if slope else "(1 | Subject)"
    model = MCLAMixedGLM.from_formula(f"Reaction ~ Days + {bars}", data=data, family=sm.families.Gaussian())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = MixedLM.from_formula(
            "Reaction ~ Days", data, groups=data["Subject"], re_formula="~Days" if slope else None
        ).fit(reml=False, method=["bfgs", "powell", "bfgs"], gtol=1e-9)
    cov = np.asarray(theirs.cov_re)[np.tril_indices(2 if slope else 1)]
    expected = np.concatenate([theirs.fe_params, cov, [theirs.scale]])
    with no_warnings():
        laplace = model.fit_laplace(gtol=1e-8)
        result = model.fit(rng=1, nsample=4096, sampling=EXACT)
    assert laplace.llf == pytest.approx(theirs.llf, abs=1e-8 if not slope else 1e-6)
    np.testing.assert_allclose(laplace.params, expected, rtol=1e-5 if not slope else 2e-3)
    np.testing.assert_allclose(laplace.bse_fe, theirs.bse_fe, rtol=1e-2)  # theirs leave the covariances out
    np.testing.assert_allclose(result.ess, 4096, rtol=1e-9)
    # conditional moments are those of the draws exactly, so nothing is left to chance
    assert result.llf == pytest.approx(laplace.llf, abs=1e-8)
    np.testing.assert_allclose(result.params, laplace.params, rtol=1e-5)
    np.testing.assert_allclose(result.bse, laplace.bse, rtol=0.03)


def test_gaussian_default_fit_is_mixedlm() -> None:
    data = data_of("sleepstudy")
    model = MCLAMixedGLM.from_formula(
        "Reaction ~ Days + (Days | Subject)", data=data, family=sm.families.Gaussian()
    )
    result = model.fit(rng=1)
    # lme4: 251.405, 10.467; 565.5, 11.06, 32.68; 654.94; log-likelihood -875.97
    assert result.llf == pytest.approx(-875.9697, abs=0.01)
    expected = [251.405, 10.467, 565.52, 11.057, 32.68, 654.94]
    assert_monte_carlo(result.params, result.mcse, expected, small=0.02 * result.bse, error=1e-3 * result.bse)


def test_gaussian_crossed_design_is_the_closed_form() -> None:
    rng = np.random.default_rng(2)
    a, b = np.repeat(np.arange(8), 9), np.tile(np.repeat(np.arange(3), 3), 8)
    x = rng.normal(size=72)
    y = 1 + 0.5 * x + rng.normal(size=8)[a] + 0.7 * rng.normal(size=3)[b] + 0.5 * rng.normal(size=72)
    data = pd.DataFrame({"y": y, "x": x, "a": a, "b": b})
    model = MCLAMixedGLM.from_formula("y ~ x + (1 | a) + (1 | b)", data=data, family=sm.families.Gaussian())
    result = model.fit_laplace(gtol=1e-8)
    with no_warnings():
        sampled = model.fit(rng=1, nsample=2**13, sampling=EXACT)
    assert_monte_carlo(sampled.params, sampled.mcse, result.params, small=0.1 * result.bse, error=1e-6)
    X = np.column_stack([np.ones(72), x])

    def loglike(params: np.ndarray) -> float:
        V = params[2] * np.equal.outer(a, a) + params[3] * np.equal.outer(b, b) + params[4] * np.eye(72)
        return stats.multivariate_normal(X @ params[:2], V).logpdf(y)

    params = np.asarray(result.params)
    assert result.llf == pytest.approx(loglike(params), abs=1e-8)
    for j in range(5):  # nothing nearby is higher
        for sign in (-1, 1):
            moved = params.copy()
            moved[j] += sign * 0.01 * result.bse.iloc[j]
            assert loglike(moved) < result.llf


def test_probit_random_intercepts_have_normal_marginals() -> None:
    """P(y = 1) = Phi(x'beta / sqrt(1 + nu)): pairs from one group have a bivariate normal likelihood."""
    rng = np.random.default_rng(3)
    g = np.repeat(np.arange(150), 2)
    x = rng.normal(size=300)
    y = (0.4 + 0.8 * x + 1.2 * rng.normal(size=150)[g] + rng.normal(size=300) > 0).astype(int)
    data = pd.DataFrame({"y": y, "x": x, "g": g})
    model = MCLAMixedGLM.from_formula(
        "y ~ x + (1 | g)", data=data, family=sm.families.Binomial(links.Probit())
    )
    result = model.fit(rng=1)
    beta, nu = result.fe_params.to_numpy(), result.vc_params.iloc[0]
    sign = 2 * y.reshape(-1, 2) - 1
    eta = (beta[0] + beta[1] * x.reshape(-1, 2)) * sign / np.sqrt(1 + nu)
    rho = nu / (1 + nu) * sign.prod(axis=1)
    llf = sum(
        np.log(stats.multivariate_normal([0, 0], [[1, r], [r, 1]]).cdf(e))
        for e, r in zip(eta, rho, strict=True)
    )
    assert_monte_carlo(result.llf, result.llf_mcse, llf, small=0.003)


def test_observation_level_effects() -> None:
    """Overdispersed counts: as many levels as rows."""
    data = data_of("epil").iloc[::2].assign(row=np.arange(118))
    formula = "y ~ lbase + lage + (1 | row)"
    with no_warnings():
        result = MCLAMixedGLM.from_formula(formula, data=data, family=sm.families.Poisson()).fit(rng=1)
    X = np.column_stack([np.ones(118), data["lbase"], data["lage"]])
    truth = oracle.quadrature_mle(data["y"].to_numpy(float), X, None, np.arange(118), "poisson", "log")
    assert_monte_carlo(result.params, result.mcse, truth.params, small=0.05 * truth.bse, error=1e-6)
    np.testing.assert_allclose(result.bse, truth.bse, rtol=0.01)


@pytest.mark.parametrize(
    "kind", ["gamma-inverse", "gaussian-log", "inversegaussian-log", "binomial-cauchit", "poisson-sqrt"]
)
def test_fit_of_the_other_families_is_quadrature(kind: str) -> None:
    case = small(KIND[kind], "intercept", seed=4, sizes=(8, 9, 10, 10, 8, 9, 10, 8, 9, 10, 9, 8))
    with warnings.catch_warnings():
        # statsmodels' word on links that allow means outside the family
        warnings.filterwarnings("ignore", message=".*does not respect the domain")
        result = case.model().fit(rng=1)
    truth = oracle.quadrature_mle(**case.arguments(), start_params=case.params)
    assert not truth.singular
    assert_monte_carlo(
        result.params, result.mcse, truth.params, small=0.05 * truth.bse, error=1e-5 * truth.bse
    )
    np.testing.assert_allclose(result.bse, truth.bse, rtol=0.03)
    assert_monte_carlo(result.llf, result.llf_mcse, truth.llf, small=0.02, error=1e-5)


@pytest.mark.parametrize("family", [sm.families.Binomial, sm.families.Poisson])
def test_fit_with_weights_and_offset_is_quadrature(family: Any) -> None:
    name = "binomial-logit" if family is sm.families.Binomial else "poisson-log"
    case = small(KIND[name], "slope", seed=5, sizes=(9,) * 14)
    result = case.model(freq_weights="w", offset="off").fit(rng=1)
    data = case.data
    arguments = case.arguments(weights=data["w"].to_numpy(), offset=data["off"].to_numpy())
    truth = oracle.quadrature_mle(**arguments)
    assert not truth.singular
    assert_monte_carlo(
        result.params, result.mcse, truth.params, small=0.05 * truth.bse, error=1e-5 * truth.bse
    )
    np.testing.assert_allclose(result.bse, truth.bse, rtol=0.03)
