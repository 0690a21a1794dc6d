"""Score tests of terms of models with several linear predictors, against quadrature."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers import no_warnings
from patsy import EvalEnvironment
from responses import SEVERAL_PREDICTORS, ResponseModel, newton
from scipy import stats

from statsmodels_mcla import MCLAMixedGLM
from statsmodels_mcla.comparison import MixedFit, added_by_formula, restricted_model
from statsmodels_mcla.comparison.score_tests import larger_at
from statsmodels_mcla.exceptions import MCLAWarning


def model_named(name: str) -> ResponseModel:
    return next(m for m in SEVERAL_PREDICTORS if m.name == name)


def small_model(model: ResponseModel, data: Any, formula: str, **further: str) -> Any:
    return MCLAMixedGLM.from_formula(formula, data=data, family=model.family, **further).fit(rng=1)


# a model, its formula less something, what is added where, and which parameters of the whole are zero
FIXED = [
    ("zero-inflated poisson", "y ~ x + (1 | g)", {"ziformula": "~ 1"}, "x", "zi", [3]),
    ("zero-inflated poisson", "y ~ 1 + (1 | g)", {"ziformula": "~ x"}, "x", None, [1]),
    ("nb, dispersed", "y ~ x + (1 | g)", {"dispformula": "~ z"}, "x", "disp", None),
    ("multinomial, correlated", "y ~ 1 + (1 | p | g)", {}, "x", None, [1, 3]),
    ("partial proportional odds", "y ~ 1 + (1 | g)", {"nominal": "~ z"}, "x", None, [0]),
]


@pytest.mark.parametrize(("name", "formula", "further", "term", "predictor", "zeros"), FIXED)
def test_score_test_of_fixed_effects_against_quadrature(
    name: str,
    formula: str,
    further: dict[str, str],
    term: str,
    predictor: str | None,
    zeros: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With the observed information, which quadrature has: that of fits whose responses cannot be simulated."""
    monkeypatch.setattr(MixedFit, "simulates", False)
    model = model_named(name)
    data = model.data()
    if zeros is None:  # a dispersion of z, to which x is added
        model = replace(model, fixed=({"1": 1.2, "x": -0.4}, {"1": -0.4, "z": 0.4, "x": 0.0}))
        zeros = [4]
    fit = small_model(model, data, formula, **further)
    at = np.zeros(len(fit.params) + len(zeros))
    kept = np.setdiff1d(np.arange(len(at)), zeros)
    at[kept] = fit.params
    step = np.full(len(at), 0.02)
    step[kept] = 0.1 * fit.bse
    S, H = newton(lambda p: model.loglike(data, p), at, step)
    assert np.abs(S[kept] * fit.bse).max() < 0.05  # at the maximum of the smaller model
    S[kept] = 0.0
    truth = float(S @ np.linalg.solve(-H, S))
    test = fit.score_test(term, predictor=predictor)
    assert test.df == len(zeros)
    assert test.statistic == pytest.approx(truth, abs=4 * test.mcse + 5e-3 * truth + 1e-3)
    assert test.pvalue == pytest.approx(stats.chi2.sf(test.statistic, len(zeros)))
    columns = fit.score_test(exog_extra=data[term], predictor=predictor)
    assert columns.statistic == pytest.approx(test.statistic, rel=1e-6)


def test_score_test_where_thresholds_cross_has_the_observed_information(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Thresholds that depend on z cross in some rows, where the model has no law to simulate from."""
    model = model_named("partial proportional odds")
    data = model.data()
    fit = small_model(model, data, "y ~ 1 + (1 | g)", nominal="~ z")
    at, slopes = fit.params.iloc[0:6:2].to_numpy(), fit.params.iloc[1:6:2].to_numpy()
    assert np.any(np.diff(at + np.outer(data["z"], slopes), axis=1) < 0)  # premise
    usual = fit.score_test("x")
    monkeypatch.setattr(MixedFit, "simulates", False)
    assert usual.statistic == fit.score_test("x").statistic


def test_what_the_model_has_in_a_predictor_is_not_added_again() -> None:
    model = model_named("zero-inflated poisson")
    fit = small_model(model, model.data(), "y ~ x + (1 | g)", ziformula="~ 1")
    with pytest.raises(ValueError, match="adds nothing"):
        fit.score_test("x")
    with pytest.raises(ValueError, match="has the effect Intercept of 'g' already"):
        fit.score_test("(1 | g)")
    with pytest.raises(
        ValueError, match="no linear predictor 'disp'; it has 'zi' beside that of the formula"
    ):
        fit.score_test("z", predictor="disp")
    with pytest.raises(ValueError, match="the label 'p' stands in one term only"):
        fit.score_test("(1 | p | g)", predictor="zi")


def test_score_of_a_variance_of_the_zero_part_against_quadrature() -> None:
    """The slope of the likelihood in a variance at zero, by quadrature; and the likelihood ratio nearby."""
    model = model_named("zero-inflated poisson, both random")
    data = model.data(groups=40)
    fit = small_model(model, data, "y ~ x + (1 | g)", ziformula="~ x")
    test = fit.score_test("(1 | g)", predictor="zi")
    added = added_by_formula(fit.model, "(1 | g)", EvalEnvironment.capture(), "zi")
    found = larger_at(MixedFit(fit.model, fit.estimates), added, np.random.SeedSequence(0)).observed_scores()

    def height(variance: float) -> float:
        return model.loglike(data, np.append(fit.params, max(variance, 1e-12)))

    h = 2e-3
    slope = (4 * height(h) - height(2 * h) - 3 * height(0.0)) / (2 * h)
    error = found.std(axis=0, ddof=1) / np.sqrt(len(found))
    assert found.mean(axis=0)[-1] == pytest.approx(slope, abs=4 * error[-1] + 1e-2 * abs(slope))
    assert str(test.distribution) == "chi-bar-square, 0.5 chi2(0) + 0.5 chi2(1)"
    assert test.pvalue == pytest.approx(0.5 * stats.chi2.sf(test.statistic, 1))
    full = small_model(model, data, "y ~ x + (1 | g)", ziformula="~ x + (1 | g)")
    ratio = full.compare_lr_test(fit)
    assert ratio.statistic > 1.0
    assert test.statistic == pytest.approx(ratio.statistic, rel=0.6)


@pytest.mark.slow  # 30 fits, of which each is followed by a test with simulated responses
@pytest.mark.filterwarnings("ignore:the p-value of the score test:statsmodels_mcla.exceptions.MCLAWarning")
def test_scores_of_variances_of_the_zero_part_have_their_null_distribution() -> None:
    """P-values of a random effect that does not exist: one half are one, the rest uniform."""
    model = model_named("zero-inflated poisson")
    pvalues = []
    for seed in range(30):
        fit = small_model(model, model.data(seed), "y ~ x + (1 | g)", ziformula="~ x")
        pvalues.append(fit.score_test("(1 | g)", predictor="zi", rng=seed).pvalue)
    assert 6 <= np.sum(np.array(pvalues) == 1.0) <= 25
    assert np.sum(np.array(pvalues) < 0.05) <= 6
    assert min(pvalues) < 0.4


def test_a_p_value_of_few_simulations_is_told_with_an_honest_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: with as many as there are by default, it is not."""
    rng = np.random.default_rng(4)
    g, x = np.repeat(np.arange(40), 6), rng.normal(size=240)
    zero = rng.random(240) < 1 / (1 + np.exp(0.3 - 0.5 * rng.normal(size=40)[g]))
    mu = np.exp(1.2 + 0.3 * x + 0.5 * rng.normal(size=40)[g])
    data = pd.DataFrame({"y": np.where(zero, 0, rng.poisson(mu)), "x": x, "g": g})
    fit = MCLAMixedGLM.from_formula("y ~ x + (1 | g)", data, family="poisson", ziformula="~ 1").fit(rng=1)
    with no_warnings():
        usual = fit.score_test("(1 | g)", predictor="zi", rng=1)
    assert 0.001 < usual.pvalue < 0.2  # premise
    monkeypatch.setattr(restricted_model, "CONTRIBUTIONS", 200)
    monkeypatch.setattr(restricted_model, "FEWEST", 5)
    found = []
    for seed in range(4):
        with pytest.warns(MCLAWarning, match=r"p-value of the score test.*Monte Carlo error"):
            found.append(fit.score_test("(1 | g)", predictor="zi", rng=seed))
    errors = np.array([(f.pvalue - usual.pvalue) / np.hypot(f.pvalue_mcse, usual.pvalue_mcse) for f in found])
    assert np.abs(errors).max() < 4
