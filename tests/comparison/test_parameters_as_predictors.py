"""Likelihood ratios of a dispersion or thresholds that depend on covariates against those that do not."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
import statsmodels.api as sm
from responses import SEVERAL_PREDICTORS
from scipy import stats

from statsmodels_mcla import MCLAMixedGLM, anova, families

MODELS = {m.name: m for m in SEVERAL_PREDICTORS}


@functools.cache
def full_fit(name: str) -> Any:
    return MODELS[name].model(MODELS[name].data()).fit(rng=1)


@functools.cache
def constant_fit(name: str, formula: str = "y ~ x + (1 | g)", **further: str) -> Any:
    model = MODELS[name]
    return MCLAMixedGLM.from_formula(formula, data=model.data(), family=model.family, **further).fit(rng=1)


# parameters of the whole at those of the smaller fit
EMBEDDED = {
    "nb, dispersed": lambda p: [*p[:2], np.log(p[3]), 0.0, p[2]],
    "gaussian, dispersed": lambda p: [*p[:2], np.log(p[3]), 0.0, p[2]],
    "partial proportional odds": lambda p: [p[0], p[2], 0.0, p[3], 0.0, p[4], 0.0, p[1]],
}


@pytest.mark.parametrize("name", EMBEDDED)
def test_statistic_is_that_of_quadrature(name: str) -> None:
    model, full, small = MODELS[name], full_fit(name), constant_fit(name)
    data = model.data()
    at = np.array(EMBEDDED[name](small.params.to_numpy()))
    truth = 2 * (model.loglike(data, full.params.to_numpy()) - model.loglike(data, at))
    test = full.compare_lr_test(small)
    df = len(full.params) - len(small.params)
    assert test.df == df
    assert str(test.distribution) == f"chi2({df})"
    assert test.statistic == pytest.approx(truth, abs=4 * test.mcse + 2e-3)
    assert test.pvalue == pytest.approx(stats.chi2.sf(test.statistic, df))
    assert anova(small, full)["Chisq"].iloc[1] == pytest.approx(test.statistic)


def test_proportional_odds_of_the_same_covariate() -> None:
    """The location's effect is one that all thresholds have alike."""
    name = "partial proportional odds"
    test = full_fit(name).compare_lr_test(constant_fit(name, "y ~ x + z + (1 | g)"))
    assert test.df == 2
    assert test.statistic < full_fit(name).compare_lr_test(constant_fit(name)).statistic
    with pytest.raises(ValueError, match="no linear combinations of those here"):
        full_fit(name).compare_lr_test(constant_fit(name, "y ~ x * z + (1 | g)"))


def test_two_parameters_at_their_ends_are_compared_step_by_step() -> None:
    data = MODELS["zero-inflated nb, dispersed"].data()
    poisson = MCLAMixedGLM.from_formula("y ~ x + (1 | g)", data, family=sm.families.Poisson()).fit_laplace()
    nb = sm.families.NegativeBinomial(alpha=1.0)
    both = MCLAMixedGLM.from_formula("y ~ x + (1 | g)", data, family=nb, ziformula="~ 1").fit_laplace()
    with pytest.raises(
        ValueError, match=r"step by step: Poisson in (NegativeBinomial|ZeroInflatedPoisson), and that in Zero"
    ):
        both.compare_lr_test(poisson)


def test_other_thresholds_are_no_special_case() -> None:
    model = MODELS["partial proportional odds"]
    even = MCLAMixedGLM.from_formula(
        "y ~ x + (1 | g)", model.data(), family=families.Cumulative(threshold="equidistant")
    ).fit_laplace()
    full = model.model(model.data()).fit_laplace()
    with pytest.raises(ValueError, match="another family or link"):
        full.compare_lr_test(even)
