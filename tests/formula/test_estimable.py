"""Cells that do not occur: the model of the cells that do."""

import pickle

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from statsmodels_mcla import MCLAMixedGLM
from statsmodels_mcla.formula import FormulaWarning


def data_without(*cells):
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(
        {
            "f": rng.choice(["a", "b", "c"], 300),
            "s": rng.choice(["u", "v", "w"], 300),
            "x": rng.normal(size=300),
            "z": rng.normal(size=300),
            "g": np.repeat(np.arange(30), 10),
        }
    )
    frame = frame[~(frame["f"] + frame["s"]).isin(cells)]
    eta = frame["x"] + (frame["f"] == "b") + 2 * rng.normal(size=30)[frame["g"]]
    return frame.assign(y=rng.poisson(np.exp(0.3 * eta)), k=frame["f"] + frame["s"])


def fit_of(formula, data, **kwargs):
    return MCLAMixedGLM.from_formula(formula, data=data, family=sm.families.Poisson(), **kwargs).fit_laplace()


@pytest.mark.parametrize(
    ("formula", "cells"),
    [
        ("f * s", "k"),
        ("f * s + x", "k + x"),
        ("f * s * x", "k * x"),
        ("f * s * bs(x, 3)", "k * bs(x, 3)"),
        ("0 + f:s + x", "k + x"),
    ],
)
@pytest.mark.parametrize("empty", [["cv"], ["au"], ["au", "cw", "bv"]], ids=str)
def test_the_rest_is_fitted(formula, cells, empty):
    data = data_without(*empty)
    right = fit_of(f"y ~ {cells} + (1 | g)", data)
    with pytest.warns(FormulaWarning, match="left out of the model"):
        fit = fit_of(f"y ~ {formula} + (1 | g)", data)
    assert fit.llf == pytest.approx(right.llf, abs=1e-5)
    assert len(fit.params) == len(right.params)
    np.testing.assert_allclose(fit.predict(), right.predict(), rtol=1e-3)
    new = data.groupby("k").head(1)
    np.testing.assert_allclose(fit.predict(new), right.predict(new), rtol=1e-3)
    np.testing.assert_allclose(pickle.loads(pickle.dumps(fit)).predict(new), fit.predict(new))
    assert len(fit.wald_test_terms(scalar=True).table) > 1


def test_columns_are_those_of_r():
    """R keeps what comes first: of f * s without (c, v), the interaction of both has no coefficient."""
    with pytest.warns(FormulaWarning, match=r"effects f\[T.c\]:s\[T.v\] cannot"):
        fit = fit_of("y ~ f * s + (1 | g)", data_without("cv"))
    assert fit.model.exog_names[5:] == ["f[T.b]:s[T.v]", "f[T.b]:s[T.w]", "f[T.c]:s[T.w]"]


def test_cells_of_weight_zero_do_not_occur():
    data = data_without()
    weights = (data["k"] != "cv").astype(float)
    right = fit_of("y ~ k + (1 | g)", data_of_cells := data[weights > 0])
    with pytest.warns(FormulaWarning, match="left out"):
        fit = fit_of("y ~ f * s + (1 | g)", data, freq_weights=weights)
    assert fit.llf == pytest.approx(right.llf, abs=1e-5)
    np.testing.assert_allclose(fit.predict(data_of_cells), right.predict(), rtol=1e-3)


def test_numbers_that_repeat_each_other_are_refused():
    data = data_without().assign(twice=lambda d: 2 * d["x"])
    with pytest.raises(ValueError, match="rank deficient"):
        fit_of("y ~ f + x + twice + (1 | g)", data)
    with pytest.raises(ValueError, match="zero in every row"):
        fit_of("y ~ f + nil + (1 | g)", data.assign(nil=0.0))


def test_no_two_parameters_have_one_name():
    data = data_without().assign(dose=lambda d: d["g"] % 12, scale=lambda d: d["x"], alpha=lambda d: d["x"])
    formulas = {
        "y ~ dose + (dose | dose)": sm.families.Poisson(),
        "y ~ scale + (1 | g)": sm.families.Gaussian(),
        "y ~ alpha + (1 | g)": sm.families.NegativeBinomial(alpha=1.0),
        "y ~ x + (x | g) + (x | dose)": sm.families.Poisson(),
    }
    for formula, family in formulas.items():
        names = MCLAMixedGLM.from_formula(formula, data=data, family=family).data.param_names
        assert len(set(names)) == len(names), names
    (model,) = [
        MCLAMixedGLM.from_formula("y ~ dose + (dose | dose)", data=data, family=sm.families.Poisson())
    ]
    assert model.data.param_names[2:] == ["dose: Intercept Var", "dose: Intercept x dose Cov", "dose Var"]
    both = MCLAMixedGLM.from_formula(
        "y ~ x + (1 | g)", {"g": "0 + C(dose)"}, data, sm.families.Poisson()
    ).data.param_names
    assert len(set(both)) == len(both), both


@pytest.mark.parametrize("fixed", ["np.log(w)", "f + np.log(w)", "f * np.log(w)"])
def test_infinite_values_are_refused_before_columns_are_looked_at(fixed):
    data = data_without().assign(w=lambda d: np.arange(len(d)) % 5)
    with np.errstate(divide="ignore", invalid="ignore"):
        with pytest.raises(ValueError, match=r"exog has infinite values.*np.log\(w\)"):
            MCLAMixedGLM.from_formula(f"y ~ {fixed} + (1 | g)", data=data, family=sm.families.Poisson())
        result = MCLAMixedGLM.from_formula(
            "y ~ f + (1 | g)", data=data, family=sm.families.Poisson()
        ).fit_laplace()
        with pytest.raises(ValueError, match=r"term has infinite values.*np.log\(w\)"):
            result.score_test("np.log(w)")


@pytest.mark.parametrize("spline", ["cr(x, df=4)", "cc(x, df=4)", "bs(x, df=5, include_intercept=True)"])
def test_splines_with_the_constant_in_them_show_the_way(spline: str) -> None:
    rng = np.random.default_rng(1)
    data = pd.DataFrame({"x": rng.normal(size=60), "g": np.arange(60) % 6, "y": rng.poisson(2, 60)})
    with pytest.raises(ValueError, match="add up to a constant: write constraints='center'"):
        MCLAMixedGLM.from_formula(f"y ~ {spline} + (1 | g)", data=data, family="poisson")
    centred = "cr(x, df=4, constraints='center')"
    model = MCLAMixedGLM.from_formula(f"y ~ {centred} + (1 | g)", data=data, family="poisson")
    assert model.exog.shape == (60, 5)


def test_a_spline_beside_its_own_covariate_is_another_matter() -> None:
    rng = np.random.default_rng(1)
    data = pd.DataFrame({"x": rng.normal(size=60), "g": np.arange(60) % 6, "y": rng.poisson(2, 60)})
    with pytest.raises(ValueError, match="drop dependent columns"):
        MCLAMixedGLM.from_formula("y ~ x + bs(x, df=4) + (1 | g)", data=data, family="poisson")
