"""Fits under linear constraints: against the constraint built into the data, and against statsmodels' GLM."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from helpers import data_of

from statsmodels_mcla import MCLAMixedGLM, anova
from statsmodels_mcla.exceptions import MCLAWarning


def bacteria() -> MCLAMixedGLM:
    return MCLAMixedGLM.from_formula("(y == 'y') ~ trt + week + (1 | ID)", data=data_of("bacteria"))


EQUAL = "trt[T.drug+] = trt[T.placebo]"


@pytest.fixture(scope="module")
def fits() -> tuple[Any, Any]:
    """Two drugs of equal effect: by a constraint, and by one column for both."""
    data = data_of("bacteria")
    one = data["trt"].isin(["drug+", "placebo"]).astype(float)
    by_hand = MCLAMixedGLM.from_formula("(y == 'y') ~ one + week + (1 | ID)", data=data.assign(one=one))
    return bacteria().fit_constrained(EQUAL, rng=1), by_hand.fit(rng=1)


SPREAD = np.array(
    [[1, 0, 0, 0], [0, 1, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]]
)  # of the constraint


def test_estimates_and_their_covariance(fits: tuple[Any, Any]) -> None:
    found, expected = fits
    assert list(found.params.index) == list(bacteria().data.param_names)
    np.testing.assert_allclose(found.params, SPREAD @ expected.params, rtol=1e-7)
    np.testing.assert_allclose(found.cov_params(), SPREAD @ expected.cov_params() @ SPREAD.T, rtol=1e-6)
    assert np.linalg.matrix_rank(found.cov_params()) == 4 < len(found.params)
    assert found.llf == pytest.approx(expected.llf, abs=1e-9)
    for name in ("aic", "bic", "df_resid", "df_model", "caic", "effective_df"):
        assert getattr(found, name) == pytest.approx(getattr(expected, name), rel=1e-6), name
    assert found.k_constr == len(found.constraints.constants) == 1
    assert str(found.constraints) == "trt[T.drug+] - trt[T.placebo] = 0.0"
    assert found.results_constrained.params.index[0] == "Intercept"
    assert f"constraints: {found.constraints}" in str(found.summary())


def test_monte_carlo_errors(fits: tuple[Any, Any]) -> None:
    found, expected = fits
    pick = [0, 1, 1, 2, 3]
    for name in ("mcse", "bse_mcse", "tvalues_mcse", "pvalues_mcse"):
        ours, theirs = getattr(found, name).to_numpy(), getattr(expected, name).to_numpy()[pick]
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, err_msg=name)
    assert found.llf_mcse == pytest.approx(expected.llf_mcse, rel=1e-6)


def test_tests_and_what_is_said_of_rows(fits: tuple[Any, Any]) -> None:
    found, expected = fits
    ours, theirs = found.t_test("trt[T.drug+] + week = 0"), expected.t_test("one + week = 0")
    np.testing.assert_allclose(ours.effect, theirs.effect, rtol=1e-6)
    np.testing.assert_allclose(np.ravel(ours.sd), np.ravel(theirs.sd), rtol=1e-6)
    same = found.t_test(EQUAL)
    assert abs(same.effect.item()) < 1e-12
    assert same.sd.item() < 1e-6
    np.testing.assert_allclose(
        found.random_effects["ID"]["Intercept"], expected.random_effects["ID"]["Intercept"], atol=1e-6
    )
    for random in ("none", "conditional", "marginal"):
        ours, theirs = (f.get_prediction(random=random).summary_frame(mcse=True) for f in fits)
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-7)
    np.testing.assert_allclose(found.resid, expected.resid, atol=1e-6)
    np.testing.assert_allclose(found.get_hat_matrix_diag(), expected.get_hat_matrix_diag(), rtol=1e-5)
    np.testing.assert_array_equal(found.simulate(rng=2), expected.simulate(rng=2))
    means = found.emmeans("trt").summary_frame()
    assert means["emmean"].iloc[1] == pytest.approx(means["emmean"].iloc[2])


def test_terms_and_averages_count_what_is_free(fits: tuple[Any, Any]) -> None:
    found, expected = fits
    for kind in (2, 3):
        ours, theirs = (f.anova(type=kind, mcse=True) for f in fits)
        np.testing.assert_allclose(ours.loc["trt"], theirs.loc["one"], rtol=1e-4)
        np.testing.assert_allclose(ours.loc["week"], theirs.loc["week"], rtol=1e-4)
    for ask in (
        lambda f: f.get_margeff(random="marginal", dummy=True).summary_frame().iloc[[0, -1]],
        lambda f: f.r2(mcse=True),
        lambda f: f.icc(mcse=True),
        lambda f: f.var_corr(mcse=True).iloc[:, 3:],
    ):
        np.testing.assert_allclose(ask(found), ask(expected), rtol=1e-3, atol=1e-9)
    pairs = found.emmeans("trt").contrasts().summary_frame()
    assert pairs["estimate"].iloc[2] == pytest.approx(0, abs=1e-12)
    assert pairs["estimate"].iloc[0] == pytest.approx(-expected.params["one"])


@pytest.mark.parametrize("adjust", ["tukey", "mvt", "holm", "none"])
def test_known_coefficients_leave_the_others_their_errors(adjust: str) -> None:
    found = bacteria().fit_constrained({"week": -0.1}, rng=1)
    assert found.anova(type=2).loc["week"].tolist()[:2] == [0.0, 0.0]
    means = found.emmeans("trt").contrasts(adjust=adjust).summary_frame(mcse=True)
    assert np.isfinite(means.select_dtypes(float)).all(axis=None)
    assert np.isfinite(found.get_margeff(random="marginal").summary_frame()).all(axis=None)
    assert np.isfinite(found.population_averaged().summary_frame()).all(axis=None)
    assert np.isfinite(found.r2(mcse=True)).all(axis=None)
    np.testing.assert_allclose(
        found.emtrends("trt", "week").summary_frame().iloc[:, 1:3], [[-0.1, 0.0]] * 3, atol=1e-9
    )


@pytest.mark.parametrize("kind", ["robust", "cluster"])
def test_sandwiches(fits: tuple[Any, Any], kind: str) -> None:
    found, expected = fits
    groups = {"groups": "ID"} if kind == "cluster" else {}
    ours = found.with_cov_type(kind, **groups)
    groups = {"groups": data_of("bacteria")["ID"]} if groups else {}
    theirs = expected.with_cov_type(kind, **groups)
    np.testing.assert_allclose(ours.bse, theirs.bse.iloc[[0, 1, 1, 2, 3]], rtol=1e-6)
    np.testing.assert_allclose(ours.bse_mcse, theirs.bse_mcse.iloc[[0, 1, 1, 2, 3]], rtol=1e-2)
    pd.testing.assert_series_equal(ours.with_cov_type("nonrobust").bse, found.bse)


def test_known_coefficients_are_an_offset_and_tested_against() -> None:
    data = data_of("bacteria")
    full = bacteria().fit(rng=1)
    found = bacteria().fit_constrained({"week": -0.1}, rng=1)
    model = MCLAMixedGLM.from_formula("(y == 'y') ~ trt + (1 | ID)", data=data, offset=-0.1 * data["week"])
    expected = model.fit(rng=1)
    np.testing.assert_allclose(found.params.drop("week"), expected.params, rtol=1e-7)
    assert (found.params["week"], found.bse["week"]) == (-0.1, 0.0)
    np.testing.assert_array_equal(found.conf_int().loc["week"], [-0.1, -0.1])
    tests = [full.compare_lr_test(restricted) for restricted in (found, expected)]
    profile = full.profile_likelihood("week", grid=[-0.1]).table
    zeta = profile["zeta"].loc[-0.1]
    for test in tests:
        assert test.df == 1
        assert test.statistic == pytest.approx(2 * (full.llf - expected.llf), abs=1e-3)
        assert test.statistic == pytest.approx(zeta**2, rel=1e-3)


def test_offsets_that_no_coefficients_make_are_not_compared() -> None:
    data, rng = data_of("bacteria"), np.random.default_rng(0)
    full = bacteria().fit_laplace()
    other = MCLAMixedGLM.from_formula(
        "(y == 'y') ~ trt + (1 | ID)", data=data, offset=rng.normal(size=len(data))
    )
    with pytest.raises(ValueError, match="other offset"):
        full.compare_lr_test(other.fit_laplace())
    glm = sm.GLM(
        full.model.endog,
        full.model.exog[:, :3],
        family=sm.families.Binomial(),
        offset=-0.1 * data["week"].to_numpy(),
    )
    test = full.compare_lr_test(glm.fit())
    assert test.statistic == pytest.approx(2 * (full.llf - glm.fit().llf), abs=1e-3)


def test_fits_under_constraints_are_compared_as_what_they_are(fits: tuple[Any, Any]) -> None:
    """Ours as the larger model, and a GLM under the same constraint as the smaller one."""
    found, expected = fits
    data = data_of("bacteria").assign(y=lambda d: (d["y"] == "y") * 1.0)
    glm = sm.GLM.from_formula("y ~ trt + week", data, family=sm.families.Binomial())
    ours, theirs = (
        found.compare_lr_test(glm.fit_constrained(EQUAL)),
        expected.compare_lr_test(glm_by_hand(data)),
    )
    assert ours.statistic == pytest.approx(theirs.statistic, rel=1e-6)
    assert (ours.df, str(ours.distribution)) == (theirs.df, str(theirs.distribution))
    with pytest.raises(ValueError, match="not nested"):
        found.compare_lr_test(bacteria().fit_constrained({"week": -0.1}, rng=1))
    table = anova(found, bacteria().fit(rng=1))
    assert table["npar"].tolist() == [4, 5]
    assert table.index[0] == "(y == 'y') ~ trt + week + (1 | ID), trt[T.drug+] - trt[T.placebo] = 0.0"


@pytest.mark.filterwarnings("ignore:covariance of constraints:statsmodels.tools.sm_exceptions.ValueWarning")
def test_what_constraints_exclude_is_rejected_for_sure(fits: tuple[Any, Any]) -> None:
    """And what they imply is not tested, alone or within a joint hypothesis: as `tvalues` of fixed coefficients are."""
    held = bacteria().fit_constrained({"week": -0.1, "trt[T.drug+]": 0.0}, rng=1)
    single = held.t_test(["week = 0", "week = -0.1", "trt[T.placebo] = 0"])
    np.testing.assert_array_equal(single.statistic[:2], [-np.inf, np.nan])
    np.testing.assert_array_equal(single.pvalue[:2], [0.0, np.nan])
    assert single.pvalue[2] == pytest.approx(held.pvalues["trt[T.placebo]"])
    assert float(np.squeeze(held.t_test("week = 0").pvalue)) == 0.0
    with pytest.warns(MCLAWarning, match="the constraints of the fit"):
        excluded = held.wald_test("week = 0, trt[T.placebo] = 0")
    assert (excluded.statistic, excluded.pvalue) == (np.inf, 0.0)
    assert (excluded.statistic_mcse, excluded.pvalue_mcse) == (0.0, 0.0)
    with pytest.warns(MCLAWarning, match="the constraints of the fit"):
        terms = held.wald_test_terms(mcse=True).table
    assert (terms.loc["week", "pvalue"], terms.loc["week", "pvalue mcse"]) == (0.0, 0.0)
    with pytest.warns(MCLAWarning, match="the constraints of the fit"):
        assert held.f_test("week = 0").pvalue == 0.0
    alone, joint = held.wald_test("trt[T.placebo] = 0"), held.wald_test("week = -0.1, trt[T.placebo] = 0")
    assert joint.statistic == pytest.approx(alone.statistic)
    assert joint.df_denom == 1
    table = held.anova()  # of what the constraints leave
    assert table["Df"].to_dict() == {"trt": 1, "week": 0}
    assert table.loc["trt", "Chisq"] == pytest.approx(alone.statistic)
    equal = fits[0]
    assert equal.wald_test("trt[T.drug+] = 1, trt[T.placebo] = 1").statistic == pytest.approx(
        equal.wald_test("trt[T.drug+] = 1").statistic, rel=1e-6
    )
    with pytest.warns(MCLAWarning, match="the constraints of the fit"):
        assert equal.wald_test("trt[T.drug+] = 1, trt[T.placebo] = 1.1").statistic == np.inf
    with pytest.raises(ValueError, match="no fixed effects of the full model give"):
        held.compare_lr_test(bacteria().fit_constrained({"week": 0.3, "trt[T.drug+]": 0.0}, rng=1))


def glm_by_hand(data: pd.DataFrame) -> Any:
    one = data["trt"].isin(["drug+", "placebo"]).astype(float)
    return sm.GLM.from_formula("y ~ one + week", data.assign(one=one), family=sm.families.Binomial()).fit()


def counts() -> pd.DataFrame:
    """Counts without random effects in them, so that the variance is zero and the model is a GLM."""
    rng = np.random.default_rng(3)
    x, z = rng.normal(size=(2, 60))
    return pd.DataFrame({"y": rng.poisson(3, 60), "x": x, "z": 1e4 * z, "g": np.arange(60) % 12})


@pytest.mark.parametrize(
    "constraints",
    ["x = 1e3 * z", ["x + 2 * Intercept = 2", "z = 1e-5"], ([[1.0, 1, 0], [0, 1, 1e3]], [1.1, 0.01])],
)
def test_without_random_effects_they_are_those_of_statsmodels(constraints: Any) -> None:
    data = counts()
    theirs = sm.GLM.from_formula("y ~ x + z", data, family=sm.families.Poisson()).fit_constrained(constraints)
    with pytest.warns(match="singular|zero"):
        ours = MCLAMixedGLM.from_formula("y ~ x + z + (1 | g)", data=data, family="poisson").fit_constrained(
            constraints, rng=1
        )
    np.testing.assert_allclose(ours.fe_params, theirs.params, rtol=1e-6, atol=1e-10)
    np.testing.assert_allclose(ours.bse_fe, theirs.bse, rtol=1e-5, atol=1e-10)
    assert ours.llf == pytest.approx(theirs.llf)
    assert ours.k_constr == theirs.k_constr
    assert (ours.df_model, ours.df_resid) == (theirs.df_model + 1, theirs.df_resid - 1)  # the variance
    np.testing.assert_allclose(ours.constraints.constraint_matrix, theirs.constraints.constraint_matrix)
    assert str(ours.constraints) == str(theirs.constraints)


def test_laplace_start_and_pickles(tmp_path: Path) -> None:
    model = bacteria()
    found = model.fit_constrained(EQUAL, approximation="laplace")
    assert found.method == "Laplace"
    again = model.fit_constrained(EQUAL, start_params=found.params, rng=1, nsample=64)
    np.testing.assert_allclose(again.params, found.params, atol=0.2)
    for results in (found, again):
        copy = pickle.loads(pickle.dumps(results))
        np.testing.assert_array_equal(copy.params, results.params)
        np.testing.assert_array_equal(copy.results_constrained.params, results.results_constrained.params)
        expected = results.predict(data_of("bacteria").head())
        results.save(tmp_path / "fit.pickle", remove_data=True)
        small = sm.load(tmp_path / "fit.pickle")
        np.testing.assert_allclose(small.predict(data_of("bacteria").head()), expected)
        assert small.results_constrained.model.inputs is None
    free = bacteria().fit_laplace()
    assert free.constraints is free.results_constrained is None
    assert free.k_constr == 0


def test_effects_of_the_zero_part() -> None:
    rng = np.random.default_rng(5)
    n = 400
    data = pd.DataFrame({"g": np.arange(n) % 40, "a": rng.normal(size=n), "b": rng.normal(size=n)})
    mean = np.exp(1 + 0.3 * data["a"] + rng.normal(0, 0.5, 40)[data["g"]])
    data["y"] = rng.poisson(mean) * (rng.uniform(size=n) > 1 / (1 + np.exp(1 - data["a"] - data["b"])))
    family, random = "poisson", " + (1 | g)"
    model = MCLAMixedGLM.from_formula("y ~ a + b" + random, data=data, family=family, ziformula="~ a + b")
    found = model.fit_constrained(["zi: a = zi: b", "b = 0"], approximation="laplace")
    by_hand = MCLAMixedGLM.from_formula(
        "y ~ a" + random, data=data, family=family, ziformula="~ I(a + b)"
    ).fit_laplace()
    assert found.llf == pytest.approx(by_hand.llf, abs=1e-6)
    np.testing.assert_allclose(
        found.params.iloc[[0, 1, 3, 4, 5, 6]], by_hand.params.iloc[[0, 1, 2, 3, 3, 4]], rtol=1e-3
    )
    for constraints, message in (
        ("a = zi: a", "one linear predictor"),
        ("zi: a = 1", "those of the mean"),
        (["zi: a = 0", "zi: b = 0", "zi: Intercept = 0"], "no effect of a linear predictor"),
    ):
        with pytest.raises(ValueError, match=message):
            model.fit_constrained(constraints)


@pytest.mark.parametrize(
    ("constraints", "message"),
    [
        ("weeks = 0", "cannot be read .* the parameters are Intercept, "),
        ("ID Var = 0", "cannot be read"),
        (["week = 0", "2 * week = 0"], "follow from others or contradict"),
        (["week = 0", "week = 1"], "follow from others or contradict"),
        (([[0.0, 0, 0, 0]], [0.0]), "follow from others or contradict"),
        (([[1.0, 0]], [0.0]), "cannot be read"),
        ((np.eye(4), np.zeros(4)), "no effect of a linear predictor"),
        ((np.ones((5, 4)), np.zeros(5)), "follow from others or contradict"),
    ],
)
def test_equations_that_are_none(constraints: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        bacteria().fit_constrained(constraints)


def test_what_would_fit_again_says_where_to_ask() -> None:
    found = bacteria().fit_constrained(EQUAL, approximation="laplace")
    for ask in (
        lambda: found.conf_int(method="profile"),
        lambda: found.profile_likelihood("week"),
        lambda: found.bootstrap(2),
        found.get_influence,
        found.drop1,
        lambda: found.update("- week"),
        lambda: found.power("week", {"ID": [10]}),
    ):
        with pytest.raises(ValueError, match="results_constrained"):
            ask()
    free = found.results_constrained
    assert free.conf_int(cols=["week"], method="profile").shape == (1, 2)
    assert len(free.get_influence().d_params) == 50
    with pytest.raises(ValueError, match="approximation must be"):
        bacteria().fit_constrained(EQUAL, approximation="Laplace")


def test_score_tests_keep_to_the_constraints(fits: tuple[Any, Any]) -> None:
    ours, theirs = (f.score_test("hilo") for f in fits)
    assert ours.statistic == pytest.approx(theirs.statistic, rel=1e-5)
    assert ours.df == theirs.df
