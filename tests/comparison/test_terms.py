"""Joint tests of terms against R's car and lme4, statsmodels, and each other; fits like another fit."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
import r_terms
import statsmodels.api as sm
from helpers import REFERENCE, F, data_of, fit_of, no_warnings
from scipy import stats

from statsmodels_mcla import MCLAMixedGLM
from statsmodels_mcla.exceptions import MCLAWarning, SingularFitWarning
from statsmodels_mcla.families import Multinomial
from statsmodels_mcla.inference.power import pvalue_of

TERMS = r_terms.FOUND["terms"]
NAMES = {
    "counts": {
        "trt": "C(trt, Treatment('placebo'))",
        "phase": "C(period)",
        "lbase:trt": "lbase:C(trt, Treatment('placebo'))",
    },
    "summed": {
        "(Intercept)": "Intercept",
        "trt": "C(trt, Sum)",
        "stage": "C(stage, Sum)",
        "trt:stage": "C(trt, Sum):C(stage, Sum)",
    },
    "factors": {"(Intercept)": "Intercept"},
}


def truth_of(name: str, table: str) -> pd.DataFrame:
    """R's table with patsy's names of the terms."""
    found = pd.DataFrame(TERMS[name][table]).replace("NA", np.nan).set_index("term")
    return found.rename(index=NAMES.get(name, {})).astype(float)


@pytest.mark.parametrize("name", ["factors", "additive", "counts"])
def test_type_two_is_that_of_car(name: str) -> None:
    found, truth = r_terms.at_estimates(name, "terms").anova(), truth_of(name, "wald2")
    assert sorted(found.index) == sorted(truth.index)
    truth = truth.loc[found.index]
    np.testing.assert_allclose(found["Chisq"], truth["Chisq"], rtol=1e-8)
    assert list(found["Df"]) == list(truth["Df"])
    np.testing.assert_allclose(found["Pr(>Chisq)"], truth["p"], rtol=1e-6)


@pytest.mark.parametrize("name", ["factors", "summed"])
def test_type_three_is_that_of_car(name: str) -> None:
    result, truth = r_terms.at_estimates(name, "terms"), truth_of(name, "wald3")
    if name == "factors":
        with pytest.warns(
            MCLAWarning, match=r"trt where stage = 'early'; stage where trt = 'drug'.*C\(x, Sum\)"
        ):
            found = result.anova(type=3)
    else:
        with no_warnings():
            found = result.anova(type=3)
    np.testing.assert_allclose(found["Chisq"], truth.loc[found.index, "Chisq"], rtol=1e-8)
    np.testing.assert_allclose(found["Pr(>Chisq)"], truth.loc[found.index, "p"], rtol=1e-6)


@pytest.mark.parametrize("name", ["factors", "additive", "counts"])
def test_dropping_terms_is_that_of_lme4(name: str) -> None:
    """Both fit Laplace's approximation to about 1e-7 in the log-likelihood."""
    found, truth = r_terms.fit(name).drop1(), truth_of(name, "drop1")
    assert sorted(found.index) == sorted(truth.index)
    truth = truth.loc[found.index]
    np.testing.assert_allclose(found["AIC"], truth["AIC"], atol=1e-5)
    np.testing.assert_allclose(found["Chisq"], truth["LRT"], atol=1e-5)
    np.testing.assert_allclose(found["Pr(>Chisq)"], truth["p"], rtol=1e-5)
    assert list(found["Df"][1:]) == list(truth["npar"][1:])


def test_likelihood_ratios_of_type_two_are_those_of_the_smaller_models() -> None:
    """Main effects in the model without the interaction: R's drop1 of that; type III by columns of this."""
    result = r_terms.fit("factors")
    found, additive, whole = (
        result.anova(test="LR"),
        truth_of("additive", "drop1"),
        truth_of("factors", "drop1"),
    )
    for name in ("trt", "stage"):
        assert found.loc[name, "Chisq"] == pytest.approx(additive.loc[name, "LRT"], abs=1e-5)
    assert found.loc["trt:stage", "Chisq"] == pytest.approx(whole.loc["trt:stage", "LRT"], abs=1e-5)
    with pytest.warns(MCLAWarning, match="type=3"):
        three = result.anova(3, "LR")
    assert three.loc["trt:stage", "Chisq"] == pytest.approx(found.loc["trt:stage", "Chisq"], abs=1e-6)
    columns = [name for name in result.fe_params.index if not name.startswith("trt[") or ":" in name]
    smaller = result.model.with_fixed(columns).fit_laplace(gtol=1e-7)
    assert three.loc["trt", "Chisq"] == pytest.approx(2 * (result.llf - smaller.llf), abs=1e-5)


def test_all_three_without_random_effects_are_those_of_a_glm() -> None:
    """A variance of zero: Wald, likelihood-ratio and Rao tests of statsmodels' GLM."""
    rng = np.random.default_rng(2)
    n = 300
    data = pd.DataFrame({"x": rng.normal(size=n), "a": rng.choice(list("uvw"), n), "g": np.arange(n) % 30})
    data["y"] = rng.binomial(1, 1 / (1 + np.exp(-(0.2 + 0.4 * data["x"] + 0.3 * (data["a"] == "u")))))
    with pytest.warns(SingularFitWarning):
        mixed = MCLAMixedGLM.from_formula("y ~ x + a + (1 | g)", data=data, family=F.Binomial()).fit_laplace(
            gtol=1e-8
        )
    glm = sm.GLM.from_formula("y ~ x + a", data, family=F.Binomial()).fit()
    without = {
        "x": sm.GLM.from_formula("y ~ a", data, family=F.Binomial()).fit(),
        "a": sm.GLM.from_formula("y ~ x", data, family=F.Binomial()).fit(),
    }
    extra = {"x": data[["x"]].to_numpy(), "a": pd.get_dummies(data["a"]).to_numpy(float)[:, 1:]}
    contrasts = {"x": "x = 0", "a": "a[T.v] = 0, a[T.w] = 0"}
    with pytest.warns(SingularFitWarning):
        found = {test: mixed.anova(test=test) for test in ("Wald", "LR", "score")}
    for name, small in without.items():
        truth = {
            "Wald": float(glm.wald_test(contrasts[name], scalar=True).statistic),
            "LR": 2 * (glm.llf - small.llf),
            "score": float(np.squeeze(small.score_test(exog_extra=extra[name])[0])),
        }
        for test, value in truth.items():
            assert found[test].loc[name, "Chisq"] == pytest.approx(value, rel=1e-4), (name, test)
            p = stats.chi2.sf(value, found[test].loc[name, "Df"])
            assert found[test].loc[name, "Pr(>Chisq)"] == pytest.approx(p, rel=1e-3)


def test_monte_carlo_errors_of_wald_tests_are_those_of_wald_test() -> None:
    """Where no term contains another, types II and III are the joint tests of the coefficients."""
    result = fit_of("bacteria")
    found, names = result.anova(mcse=True), list(result.params.index)
    pd.testing.assert_frame_equal(result.anova(), found[["Chisq", "Df", "Pr(>Chisq)"]])
    for term in found.index:
        rows = np.eye(len(names))[[j for j, name in enumerate(names) if name.startswith(term)]]
        truth = result.wald_test(rows)
        assert found.loc[term, "Chisq"] == pytest.approx(float(truth.statistic))
        assert found.loc[term, "MCSE"] == pytest.approx(truth.statistic_mcse, rel=1e-6)
        assert found.loc[term, "MCSE Pr"] == pytest.approx(truth.pvalue_mcse, rel=1e-6)
        assert 0 < found.loc[term, "MCSE"] < 0.1


def test_fits_like_another_have_its_draws_and_settings() -> None:
    result = fit_of("cbpp")
    again = result.update()
    np.testing.assert_array_equal(again.params, result.params)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(result)).update().params, result.params)
    none = result.update(". ~ . - C(period)")
    direct = MCLAMixedGLM.from_formula(
        "incidence + I(size - incidence) ~ 1 + (1 | herd)", data=data_of("cbpp"), family=F.Binomial()
    ).fit(rng=1)
    np.testing.assert_array_equal(none.params, direct.params)
    assert none.model.full_formula == "incidence + I(size - incidence) ~ 1 + (1 | herd)"
    dropped = result.drop1()
    assert dropped.loc["C(period)", "Chisq"] == pytest.approx(result.compare_lr_test(none).statistic)
    assert dropped.loc["<none>", "AIC"] == pytest.approx(result.aic)
    back = none.add1("C(period)")
    np.testing.assert_allclose(back.loc["C(period)", "Chisq"], dropped.loc["C(period)", "Chisq"], rtol=1e-8)
    score = none.add1("C(period)", test="score")
    assert score.loc["C(period)", "Chisq"] == pytest.approx(none.score_test("C(period)").statistic)
    assert "AIC" not in score
    coarse = result.update(nsample=64, cov_type="robust")
    assert coarse.cov_type == "robust"
    assert coarse.update().cov_type == "robust"
    assert coarse.estimates.request["nsample"] == 64


@pytest.mark.parametrize(
    ("family", "further"),
    [("poisson", {"ziformula": "~ mined"}), ("negativebinomial", {"dispformula": "~ mined"})],
    ids=["zi", "disp"],
)
def test_further_predictors_stay(family: str, further: dict[str, str]) -> None:
    """The same as the other models by from_formula."""
    data = pd.read_csv(REFERENCE / "salamanders.csv")
    result, other = (
        MCLAMixedGLM.from_formula(
            f"count ~ {x} + (1 | site)", data=data, family=family, **further
        ).fit_laplace()
        for x in ("mined + DOY", "mined")
    )
    again = result.update(". ~ . - DOY")
    np.testing.assert_array_equal(again.params, other.params)
    assert list(again.params.index) == list(other.params.index)
    lr = 2 * (result.llf - other.llf)
    assert lr > 0.01
    assert result.drop1("DOY").loc["DOY", "Chisq"] == pytest.approx(lr, abs=1e-6)
    assert result.anova(test="LR").loc["DOY", "Chisq"] == pytest.approx(lr, abs=1e-3)
    assert list(other.power("mined", {"site": [23]}, nsim=2, rng=1).summary_frame()["failed"]) == [0]
    assert result.model.update(subset=data["spp"] == "GP").nobs == (data["spp"] == "GP").sum()
    one = result.model.with_fixed(["Intercept"]).design
    assert one.n_fixed == result.model.design.n_fixed - 2
    assert len(one.family.predictors) == 2


def test_random_effects_are_dropped_and_added() -> None:
    """With the package's own null distributions where variances are zero."""
    data = data_of("epil")
    result = MCLAMixedGLM.from_formula(
        "y ~ lbase + (1 | subject) + (0 + visit | subject)", data=data, family=F.Poisson()
    ).fit_laplace()
    less = result.update("- (0 + visit|subject)")
    test = result.compare_lr_test(less)
    found = result.drop1("(0 + visit | subject)")
    assert found.loc["(0 + visit | subject)", "Chisq"] == pytest.approx(test.statistic)
    assert found.loc["(0 + visit | subject)", "Pr(>Chisq)"] == pytest.approx(test.pvalue)
    added = less.add1("(0 + visit | subject)")
    assert added.loc["(0 + visit | subject)", "Chisq"] == pytest.approx(test.statistic, rel=1e-6)


def double(x: Any) -> Any:
    return 2 * x


def test_update_of_data_rows_and_names() -> None:
    data = data_of("epil").assign(expo=lambda d: 1.0 + d["period"], w=1.0)
    model = MCLAMixedGLM.from_formula(
        "y ~ lage + (1 | subject)", data=data, family=F.Poisson(), exposure="expo", freq_weights="w"
    )
    result = model.fit_laplace()
    late = result.update(subset=(data["period"] > 2).to_numpy())
    direct = MCLAMixedGLM.from_formula(
        "y ~ lage + (1 | subject)", data=data[data["period"] > 2], family=F.Poisson(), exposure="expo"
    ).fit_laplace()
    np.testing.assert_allclose(late.params, direct.params)
    np.testing.assert_allclose(result.update(data=data[data["period"] > 2]).params, direct.params)
    here = result.update("+ double(lbase)")  # a name of the caller
    assert "double(lbase)" in here.params.index
    assert here.nobs == result.nobs
    rng = np.random.default_rng(1)
    y = rng.poisson(np.exp(1 + data["lage"] + 0.5 * rng.normal(size=59)[data["subject"] - 1]))
    clone = model.clone_with(y).fit_laplace()
    np.testing.assert_array_equal(clone.update("+ lbase").model.endog, y)  # not the response of its data
    arrays = MCLAMixedGLM.from_formula(
        "y ~ lage + (1 | subject)", data=data, family=F.Poisson(), offset=np.log(data["expo"].to_numpy())
    ).fit_laplace()
    np.testing.assert_allclose(arrays.update(subset=(data["period"] > 2).to_numpy()).params, direct.params)
    with pytest.raises(ValueError, match="data: offset of the fit was an array"):
        arrays.update(data=data)


def test_update_keeps_the_other_notations() -> None:
    data = data_of("epil")
    for options in (
        {"vc_formulas": {"s": "0 + C(subject)"}},
        {"groups": "subject"},
        {"groups": data["subject"].to_numpy()},
    ):
        model = MCLAMixedGLM.from_formula("y ~ lage", data=data, family=F.Poisson(), **options)
        found = model.fit_laplace().update("+ lbase")
        direct = MCLAMixedGLM.from_formula("y ~ lage + lbase", data=data, family=F.Poisson(), **options)
        np.testing.assert_allclose(found.params, direct.fit_laplace().params)


def test_errors() -> None:
    result = r_terms.fit("additive")
    for ask, message in [
        (lambda: result.anova(type=1), "type must be 2 or 3"),
        (lambda: result.anova(test="F"), "test must be one of 'Wald', 'LR', 'score'"),
        (lambda: result.add1("week", test="Wald"), "test must be one of 'LR', 'score'"),
        (lambda: result.drop1("week"), "no term week to remove; there are: Intercept, trt, stage"),
        (
            lambda: result.update("- (1 | week)"),
            r"no random-effect term \(1 \| week\); there are: \(1 \| ID\)",
        ),
        (lambda: result.update("- (1 | ID)"), "no random effects"),
        (lambda: result.update("+ weeek"), "needs 'weeek'"),
        (lambda: result.add1("stage"), "scope: 'stage' adds nothing"),
    ]:
        with pytest.raises(ValueError, match=message):
            ask()
    X = result.model.inputs.exog.to_numpy()
    Z = pd.get_dummies(r_terms.data("additive")["ID"]).to_numpy(float)
    arrays = MCLAMixedGLM(
        result.model.endog, X, Z, np.zeros(Z.shape[1], int), family=F.Binomial()
    ).fit_laplace()
    for ask in (arrays.anova, arrays.drop1, arrays.update, lambda: arrays.add1("x")):
        with pytest.raises(ValueError, match=r"not made (from|by) a formula"):
            ask()


def test_terms_of_categories_are_in_the_predictors_of_all() -> None:
    rng = np.random.default_rng(4)
    g, a = np.repeat(np.arange(30), 10), np.tile(["u", "v", "w"], 100)
    x = rng.normal(size=300)
    eta = np.stack([0 * x, 0.9 * (a == "v") + 0.5 * rng.normal(size=30)[g], 0.8 * x - 0.7 * (a == "w")])
    y = np.argmax(eta + rng.gumbel(size=eta.shape), axis=0) + 1
    data = pd.DataFrame({"y": y, "x": x, "a": a, "g": g})
    model = MCLAMixedGLM.from_formula("y ~ a + x + (1 | g)", data, family=Multinomial())
    result = model.fit_laplace()
    found, ratios = result.anova(), result.drop1()
    assert list(found["Df"]) == [4, 2]
    for term in ("a", "x"):
        names = [n for n in result.fe_params.index if f": {term}" in n]
        whole = result.wald_test(", ".join(f"({n} = 0)" for n in names))
        assert found.loc[term, "Chisq"] == pytest.approx(float(whole.statistic), rel=1e-8)
        assert found.loc[term, "Chisq"] == pytest.approx(ratios.loc[term, "Chisq"], rel=0.25)
    with pytest.raises(ValueError, match=r"t_test_pairwise is not known.*emmeans\('a'\).contrasts"):
        result.t_test_pairwise("a")
    assert pvalue_of(result, "a") == found.loc["a", "Pr(>Chisq)"]  # of a power analysis


def test_warnings_of_the_models_of_a_table_name_the_model(recwarn):
    """A variance that is zero without a covariate only: the fit itself is not singular."""
    rng = np.random.default_rng(3)
    g, x = np.repeat(np.arange(20), 8), rng.normal(size=160)
    between, noise = 0.9 * rng.normal(size=20)[g], rng.normal(size=20)[g]
    y = rng.poisson(np.exp(0.3 * x + between)).astype(float)
    data = pd.DataFrame({"y": y, "x": x, "z": noise, "b": between, "g": g})
    fit = MCLAMixedGLM.from_formula("y ~ x + z + (1 | g)", data=data, family="poisson").fit_laplace()
    assert not recwarn
    for table, model in (
        (lambda: fit.add1("b"), "the model with b"),
        (lambda: fit.update(". ~ . + b").anova(test="LR"), "the model without z"),
        (lambda: fit.update(". ~ . + b").drop1("z"), "the model without z"),
    ):
        recwarn.clear()
        table()
        told = [w for w in recwarn if str(w.message).startswith(f"{model}: the variance of 'g' is zero")]
        assert len(told) == 1
        assert told[0].category is SingularFitWarning
        assert told[0].filename == __file__
