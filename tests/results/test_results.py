"""What a fit says: labels, tests, tables, copies."""

from __future__ import annotations

import pickle
import warnings
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from helpers import (
    CALLS,
    MLE,
    F,
    assert_monte_carlo,
    data_of,
    fit_of,
    laplace_of,
    model_of,
    no_warnings,
    truth_of,
)
from scipy import stats

from statsmodels_mcla import MCLAMixedGLM
from statsmodels_mcla.exceptions import MCLAWarning

SALAMANDER = ["Cross[R/R]", "Cross[R/W]", "Cross[W/R]", "Cross[W/W]", "F Var", "M Var"]


@pytest.fixture(scope="module")
def result() -> Any:
    return fit_of("salamander")


# Labelled numbers -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["params", "bse", "tvalues", "pvalues", "mcse"])
def test_vectors_are_labelled(result: Any, name: str) -> None:
    values = getattr(result, name)
    assert isinstance(values, pd.Series)
    assert values.index.tolist() == SALAMANDER


@pytest.mark.parametrize("name", ["cov_params", "cov_mcse"])
def test_matrices_are_labelled(result: Any, name: str) -> None:
    values = getattr(result, name)()
    assert isinstance(values, pd.DataFrame)
    assert values.index.tolist() == values.columns.tolist() == SALAMANDER
    np.testing.assert_allclose(values, values.T)
    diagonal = result.bse if name == "cov_params" else result.mcse
    np.testing.assert_allclose(np.sqrt(np.diag(values)), diagonal)


def test_parts_are_labelled(result: Any) -> None:
    assert result.fe_params.index.tolist() == SALAMANDER[:4]
    assert result.bse_fe.index.tolist() == SALAMANDER[:4]
    assert result.vc_params.index.tolist() == SALAMANDER[4:]
    np.testing.assert_array_equal(np.concatenate([result.fe_params, result.vc_params]), result.params)


def test_names_of_covariances_are_those_of_mixedlm() -> None:
    names = fit_of("epil_slopes").vc_params.index.tolist()
    assert names == ["subject Var", "subject x visit Cov", "visit Var"]
    assert fit_of("epil_nb").params.index[-1] == "alpha"
    assert fit_of("sleepstudy_gamma").params.index[-1] == "scale"


def test_dispersion_is_neither_fixed_effect_nor_variance() -> None:
    found = fit_of("epil_nb")
    assert len(found.fe_params) == 6
    assert len(found.vc_params) == 1
    assert len(found.params) == 8


def test_names_stay_apart_when_terms_share_a_coordinate() -> None:
    data = data_of("epil").assign(half=lambda d: d["subject"] % 7)
    model = MCLAMixedGLM.from_formula(
        "y ~ 1 + (visit | subject) + (visit | half)",
        data=data.assign(visit=data["period"] / 4),
        family=sm.families.Poisson(),
    )
    assert len(set(model.data.param_names)) == len(model.data.param_names)


def test_values_and_probabilities(result: Any) -> None:
    np.testing.assert_allclose(result.tvalues, result.params / result.bse)
    np.testing.assert_allclose(result.pvalues, 2 * stats.norm.sf(np.abs(result.tvalues)))


def test_probabilities_do_not_underflow_to_zero() -> None:
    pvalues = fit_of("epil_nb").pvalues
    assert np.all(pvalues > 0)


@pytest.mark.parametrize("alpha", [0.05, 0.1])
def test_intervals(result: Any, alpha: float) -> None:
    limits = result.conf_int(alpha)
    assert isinstance(limits, pd.DataFrame)
    assert limits.index.tolist() == SALAMANDER
    half = stats.norm.isf(alpha / 2) * result.bse
    np.testing.assert_allclose(limits[0].iloc[:4], (result.params - half).iloc[:4])
    np.testing.assert_allclose(limits[1], result.params + half)
    assert np.all(limits[0].iloc[4:] >= 0)


def test_information_criteria(result: Any) -> None:
    assert result.nobs == 360
    assert result.df_resid == 354
    assert result.aic == pytest.approx(-2 * result.llf + 12)
    assert result.bic == pytest.approx(-2 * result.llf + 6 * np.log(360))


def test_effective_sample_sizes(result: Any) -> None:
    ess = result.ess
    assert isinstance(ess, pd.Series)
    assert len(ess) == 6
    assert np.all(ess > 0.4 * result.monte_carlo.draws)
    assert np.all(ess <= result.monte_carlo.draws)
    labels = fit_of("cbpp").ess.index
    assert len(labels) == 15
    assert all(str(k) in " ".join(labels) for k in range(1, 16))


def test_numbers_are_honest_floats(result: Any) -> None:
    for name in ("llf", "llf_mcse", "aic", "bic", "nobs", "df_resid"):
        assert isinstance(float(getattr(result, name)), float)
    assert result.converged is True or bool(result.converged)


def test_array_models_are_labelled() -> None:
    data = data_of("cbpp")
    Z = pd.get_dummies(data["herd"]).to_numpy(float)
    endog = np.column_stack([data["incidence"], data["size"] - data["incidence"]])
    found = MCLAMixedGLM(endog, model_of("cbpp").exog, Z, np.zeros(15, int)).fit(rng=1, nsample=128)
    assert isinstance(found.params, pd.Series)
    assert found.summary() is not None
    np.testing.assert_allclose(found.t_test(np.eye(5)).effect, found.params)


# Tests of hypotheses ----------------------------------------------------------------------------------


def z_of(p: float) -> float:
    return stats.norm.isf(p / 2)


def test_pairwise_tests_are_the_published_ones(result: Any) -> None:
    """Six pairs of crosses: the p-values of the paper's last table, to 3 % in z."""
    frame = result.t_test_pairwise("Cross").result_frame
    assert len(frame) == 6
    for a, b in combinations(["R/R", "R/W", "W/R", "W/W"], 2):
        rows = [name for name in frame.index if a in name and b in name]
        assert len(rows) == 1
        column = next(c for c in frame.columns if c.startswith("P>"))
        truth = MLE["salamander"]["pairwise_p"][f"{a}-{b}"]
        assert z_of(frame.loc[rows[0], column]) == pytest.approx(z_of(truth), rel=0.03, abs=0.02)


def test_contrasts_by_name_and_by_array(result: Any) -> None:
    by_name = result.t_test("Cross[R/R] = Cross[W/W]")
    short = result.t_test([1, 0, 0, -1])
    full = result.t_test([1, 0, 0, -1, 0, 0])
    for other in (short, full, result.t_test(np.array([[1.0, 0, 0, -1]]))):
        assert by_name.effect == pytest.approx(other.effect)
        assert by_name.sd == pytest.approx(other.sd)
        assert by_name.pvalue == pytest.approx(other.pvalue)
    params, cov = result.params.to_numpy(), result.cov_params().to_numpy()
    c = np.array([1, 0, 0, -1, 0, 0])
    assert float(short.effect.item()) == pytest.approx(c @ params)
    assert float(np.asarray(short.sd).item()) == pytest.approx(np.sqrt(c @ cov @ c))
    assert float(short.pvalue) == pytest.approx(2 * stats.norm.sf(abs(c @ params) / np.sqrt(c @ cov @ c)))
    assert z_of(float(short.pvalue)) == pytest.approx(z_of(0.9697), abs=0.02)


def test_hypotheses_about_values(result: Any) -> None:
    with_value = result.t_test("Cross[R/R] = 1")
    by_array = result.t_test(([1, 0, 0, 0], 1.0))
    assert with_value.pvalue == pytest.approx(by_array.pvalue)
    several = result.t_test(["Cross[R/R] = 0", "Cross[W/W] - Cross[R/W] = 0.5"])
    assert several.effect.shape == (2,)
    by_string = result.t_test("Cross[R/R] = 0, Cross[W/W] - Cross[R/W] = 0.5")
    np.testing.assert_allclose(several.pvalue, by_string.pvalue)


def test_joint_tests(result: Any) -> None:
    R = np.array([[1, -1, 0, 0], [0, 1, -1, 0], [0, 0, 1, -1.0]])
    short = result.wald_test(R)
    params, cov = result.fe_params.to_numpy(), result.cov_params().to_numpy()[:4, :4]
    statistic = (R @ params) @ np.linalg.solve(R @ cov @ R.T, R @ params)
    assert short.statistic == pytest.approx(statistic)
    assert short.pvalue == pytest.approx(stats.chi2.sf(statistic, 3))
    full = result.wald_test(np.column_stack([R, np.zeros((3, 2))]))
    named = result.wald_test("Cross[R/R] = Cross[R/W], Cross[R/W] = Cross[W/R], Cross[W/R] = Cross[W/W]")
    assert short.statistic == pytest.approx(full.statistic)
    assert short.statistic == pytest.approx(named.statistic)
    f = result.f_test(R)
    assert float(f.statistic) == pytest.approx(statistic / 3)


def test_tests_of_terms(result: Any) -> None:
    assert list(result.wald_test_terms().table.columns) == ["statistic", "pvalue", "df_constraint"]
    table = result.wald_test_terms(mcse=True).table
    assert "Cross" in table.index
    params, cov = result.fe_params.to_numpy(), result.cov_params().to_numpy()[:4, :4]
    assert float(table.loc["Cross", "statistic"]) == pytest.approx(params @ np.linalg.solve(cov, params))
    epil = fit_of("epil").wald_test_terms().table
    assert epil.loc["lage", "pvalue"] == pytest.approx(fit_of("epil").pvalues["lage"], rel=1e-6)
    assert "lbase" in epil.index
    one = result.wald_test("Cross[R/R] = Cross[R/W] = Cross[W/R] = Cross[W/W] = 0")
    assert table.loc["Cross", "pvalue mcse"] == pytest.approx(float(one.pvalue_mcse))
    assert "P>chi2 mcse" in str(result.wald_test_terms(mcse=True))


@pytest.mark.parametrize("bad", [[1, 0], np.ones((2, 5)), np.ones(7)])
def test_contrasts_of_the_wrong_length(result: Any, bad: Any) -> None:
    for method in (result.t_test, result.wald_test):
        with pytest.raises(ValueError, match="r_matrix"):
            method(bad)


def test_likelihood_ratio_test_is_the_published_one(result: Any) -> None:
    truth = MLE["salamander_null"]["likelihood_ratio_against_salamander"]
    test = result.compare_lr_test(fit_of("salamander_null"))
    statistic, pvalue, df = test
    assert (statistic, pvalue, df) == (test.statistic, test.pvalue, test.df)
    assert df == 3
    assert_monte_carlo(statistic, test.mcse, truth["statistic"], small=0.05, error=truth["error"])
    assert pvalue == pytest.approx(stats.chi2.sf(statistic, 3))
    assert z_of(pvalue) == pytest.approx(z_of(truth["p"]), rel=0.01)
    # common random numbers: less than the errors of the two log-likelihoods would add up to
    assert 0 < test.mcse < 1.2 * np.hypot(result.llf_mcse, fit_of("salamander_null").llf_mcse)


def test_likelihood_ratio_of_laplace_fits() -> None:
    test = laplace_of("salamander").compare_lr_test(laplace_of("salamander_null"))
    assert test.statistic == pytest.approx(2 * (-209.276586 + 237.720326), abs=2e-3)  # lme4
    assert test.mcse == 0.0


def test_likelihood_ratio_of_a_variance() -> None:
    data = data_of("epil_slopes")
    formula, family = CALLS["epil_slopes"]
    small = MCLAMixedGLM.from_formula(formula.replace("1 + visit |", "1 |"), data=data, family=family).fit(
        rng=1
    )
    test = fit_of("epil_slopes").compare_lr_test(small)
    assert test.df == 2
    assert test.statistic > 10
    # Stram and Lee (1994): a slope with its covariance
    mixture = 0.5 * (stats.chi2.sf(test.statistic, 1) + stats.chi2.sf(test.statistic, 2))
    assert test.pvalue == pytest.approx(mixture)


def test_models_that_are_not_nested_are_refused(result: Any) -> None:
    null = fit_of("salamander_null")
    with pytest.raises(ValueError, match="restricted"):
        null.compare_lr_test(result)
    with pytest.raises(ValueError, match="restricted"):
        result.compare_lr_test(result)
    with pytest.raises(ValueError, match="rows"):
        result.compare_lr_test(fit_of("cbpp"))
    data = data_of("epil")
    other = MCLAMixedGLM.from_formula("y ~ base + (1 | subject)", data=data, family=sm.families.Poisson())
    with pytest.raises(ValueError, match="nested"):
        fit_of("epil").compare_lr_test(other.fit(rng=1, nsample=128))


def test_laplace_and_monte_carlo_likelihoods_do_not_mix(result: Any) -> None:
    with pytest.raises(ValueError, match="restricted"):
        result.compare_lr_test(laplace_of("salamander_null"))


def test_another_family_is_not_nested(result: Any) -> None:
    data = data_of("epil")
    binary = data.assign(y=(data["y"] > 3).astype(int))
    formula = "y ~ {} + (1 | subject)"
    big = MCLAMixedGLM.from_formula(formula.format("lage"), data=binary).fit(rng=1, nsample=128)
    small = MCLAMixedGLM.from_formula(formula.format("1"), data=binary, family=sm.families.Poisson())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitted = small.fit(rng=1, nsample=128)
    with pytest.raises(ValueError, match="restricted"):
        big.compare_lr_test(fitted)


# Copies -----------------------------------------------------------------------------------------------


def assert_same(a: Any, b: Any) -> None:
    for name in ("params", "bse", "pvalues"):
        pd.testing.assert_series_equal(getattr(a, name), getattr(b, name))
    assert a.llf == b.llf
    pd.testing.assert_frame_equal(a.cov_params(), b.cov_params())
    assert a.summary().as_text() == b.summary().as_text()


@pytest.mark.parametrize("name", ["salamander", "epil_slopes"])
def test_save_and_load(name: str, tmp_path: Path) -> None:
    found = model_of(name).fit(rng=1, nsample=256)
    found.save(tmp_path / "fit.pickle")
    again = sm.load(tmp_path / "fit.pickle")
    assert_same(found, again)
    np.testing.assert_array_equal(again.mcse, found.mcse)
    assert again.t_test(np.eye(len(found.params))[0]).effect == found.params.iloc[0]
    # the loaded model can be fitted again
    repeated = again.model.fit(rng=1, nsample=256)
    assert np.array_equal(repeated.params, found.params)


def test_pickle_of_a_laplace_fit() -> None:
    found = model_of("cbpp").fit_laplace()
    again = pickle.loads(pickle.dumps(found))
    assert_same(found, again)


def test_model_pickles() -> None:
    model = model_of("salamander")
    again = pickle.loads(pickle.dumps(model))
    at = truth_of("salamander").params
    model.draw(at, nsample=128, rng=1)
    again.draw(at, nsample=128, rng=1)
    assert model.loglike(at) == again.loglike(at)


def test_remove_data() -> None:
    found = model_of("salamander").fit(rng=1, nsample=256)
    size = len(pickle.dumps(found))
    text = found.summary().as_text()
    params, pvalues = found.params.copy(), found.pvalues.copy()
    found.remove_data()
    assert len(pickle.dumps(found)) < 0.2 * size
    assert found.summary().as_text() == text
    pd.testing.assert_series_equal(found.params, params)
    pd.testing.assert_series_equal(found.pvalues, pvalues)
    assert found.conf_int().shape == (6, 2)
    assert found.model.exog is None
    again = pickle.loads(pickle.dumps(found))
    assert again.summary().as_text() == text
    for ask in (
        lambda: again.random_effects,
        lambda: again.random_effects_mode,
        again.random_effects_frame,
        again.plot_residuals,
        again.get_influence,
        again.model.fit,
        again.model.fit_laplace,
        again.model.draw,
        lambda: again.model.loglike(again.params),
        lambda: again.power("Cross[T.R/W]", {"Female": [20]}),
    ):
        with pytest.raises(ValueError, match="remove_data"):
            ask()


def test_save_without_data(tmp_path: Path) -> None:
    found = model_of("cbpp").fit(rng=1, nsample=128)
    found.save(tmp_path / "small.pickle", remove_data=True)
    again = sm.load(tmp_path / "small.pickle")
    assert again.llf == found.llf


def test_results_do_not_change_with_a_later_fit() -> None:
    model = model_of("cbpp")
    first = model.fit(rng=1, nsample=64)
    kept = first.params.copy(), first.llf, first.mcse.copy()
    model.fit(rng=2, nsample=1024)
    assert np.array_equal(first.params, kept[0])
    assert first.llf == kept[1]
    assert np.array_equal(first.mcse, kept[2])


# Pairs within interactions ----------------------------------------------------------------------------


def interacting(formula: str) -> Any:
    data = data_of("bacteria")
    data["success"] = (data["y"] == "y").astype(int)
    data["stage"] = np.where(data["week"] > 2, "late", "early")
    return MCLAMixedGLM.from_formula(f"success ~ {formula} + (1 | ID)", data=data, family=F.Binomial()).fit(
        rng=1
    )


def test_pairwise_tests_say_where_they_hold() -> None:
    with pytest.warns(
        MCLAWarning, match=r"trt is part of trt:stage: .* where stage = 'early'\. emmeans\('trt'\)"
    ):
        early = interacting("trt * stage").t_test_pairwise("trt").result_frame
    with pytest.warns(MCLAWarning, match=r"where C\(stage.* = 'late'"):
        interacting("trt * C(stage, Treatment('late'))").t_test_pairwise("trt")
    with pytest.warns(MCLAWarning, match="where week = 0"):
        interacting("trt * week").t_test_pairwise("trt")
    with no_warnings():
        interacting("trt + stage").t_test_pairwise("trt")
        averaged = interacting("trt * C(stage, Sum)").t_test_pairwise("trt").result_frame
    means = interacting("trt * stage").emmeans("trt", by="stage").contrasts(adjust="none").summary_frame()
    np.testing.assert_allclose(early["coef"], -means[means["stage"] == "early"]["estimate"], rtol=1e-6)
    equal = interacting("trt * stage").emmeans("trt").contrasts(adjust="none").summary_frame()
    np.testing.assert_allclose(averaged["coef"], -equal["estimate"], atol=1e-3)


def test_pairwise_tests_of_combinations() -> None:
    result = interacting("trt * stage")
    found = result.t_test_pairwise("stage:trt", method="bonferroni", mcse=True)
    assert len(found.result_frame) == 15
    means = result.emmeans("trt:stage").contrasts(adjust="bonferroni").summary_frame(mcse=True)
    np.testing.assert_allclose(found.result_frame["coef"], -means["estimate"], rtol=1e-9)
    np.testing.assert_allclose(found.result_frame["pvalue-bonferroni"], means["P>|z|"], rtol=1e-9)
    np.testing.assert_allclose(found.result_frame["mcse"], means["mcse"], rtol=1e-6)
    assert found.result_frame.index[0] == "drug+:early-drug:early"
    labels = [f"cell {k}" for k in range(6)]
    named = result.t_test_pairwise("trt:stage", factor_labels=labels).result_frame
    assert named.index[-1] == "cell 5-cell 4"
    with pytest.raises(ValueError, match="wrong length, should be 6"):
        result.t_test_pairwise("trt:stage", factor_labels=["a"])
