"""Terms under one label: one covariance matrix over several linear predictors, as in brms."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from statsmodels_mcla import MCLAMixedGLM
from statsmodels_mcla.exceptions import SingularFitWarning
from statsmodels_mcla.formula import FormulaError

POISSON = sm.families.Poisson()


def data() -> pd.DataFrame:
    rng = np.random.default_rng(4)
    g, h = (np.repeat(np.arange(8), 6), np.tile(np.arange(4), 12))
    x = rng.normal(size=48)
    return pd.DataFrame({"y": rng.poisson(1.0, 48), "x": x, "g": g, "h": h})


def model(formula: str, **options: Any) -> MCLAMixedGLM:
    return MCLAMixedGLM.from_formula(formula, data=data(), family=POISSON, **options)


def test_one_term_with_the_effects_of_both_predictors() -> None:
    (term,) = model("y ~ x + (1 + x | p | g)", ziformula="~ 1 + (1 | p | g)").random_terms
    assert term.columns == ("Intercept", "x", "zi: Intercept")
    assert term.predictors == (0, 0, 1)
    rows, g = data(), data()["g"].to_numpy()
    wanted = np.zeros((48, 24))
    for k, column in enumerate((np.ones(48), rows["x"], np.ones(48))):
        wanted[np.arange(48), 3 * g + k] = column
    np.testing.assert_array_equal(term.Z.toarray(), wanted)
    new = term.design.rebuild(rows.iloc[:3].assign(g=[7, 99, 0]))
    assert new.unknown.tolist() == [False, True, False]
    np.testing.assert_array_equal(new.Z.toarray()[0, 21:], [1.0, rows["x"][0], 1.0])
    assert not new.Z[[1]].nnz


def test_rows_of_the_design_are_those_of_terms_apart() -> None:
    one = model("y ~ x + (1 | p | g)", ziformula="~ 1 + (1 | p | g)")
    two = model("y ~ x + (1 | g)", ziformula="~ 1 + (1 | g)")
    together = one.design.Z.toarray()
    np.testing.assert_array_equal(np.hstack([together[:, ::2], together[:, 1::2]]), two.design.Z.toarray())
    assert one.data.vc_names == ["g Var", "g x zi: g Cov", "zi: g Var"]
    assert two.data.vc_names == ["g Var", "zi: g Var"]


def test_names_say_which_predictor_an_effect_is_of() -> None:
    """Slopes, too: a variance of the zero part is not taken for one of the mean."""
    of_zeros = ["zi: g Var", "zi: x Var"]
    assert model("y ~ x", ziformula="~ x + (x || g)").data.vc_names == of_zeros
    assert model("y ~ x + (x || g)", ziformula="~ x + (x || g)").data.vc_names == [
        "g Var",
        "x Var",
        *of_zeros,
    ]
    pair = model("y ~ x", ziformula="~ x + (x | g)").data.vc_names
    assert pair == ["zi: g Var", "zi: g x zi: x Cov", "zi: x Var"]


def test_within_one_formula_too() -> None:
    (term,) = model("y ~ x + (1 | p | g) + (0 + x | p | g)").random_terms
    assert term.columns == ("Intercept", "x")
    assert (
        model("y ~ x + (1 + x | g)").data.vc_names
        == model("y ~ x + (1 | p | g) + (0 + x | p | g)").data.vc_names
    )


@pytest.mark.parametrize(
    ("formula", "zi", "message"),
    [
        ("y ~ x + (1 | p | g)", "~ 1", "the label 'p' stands in one term only"),
        ("y ~ x + (1 | p | g)", "~ 1 + (1 | p | h)", "'p' is used for the grouping factors 'g' and 'h'"),
        ("y ~ x + (x || p | g)", "~ 1", "inside another"),
        ("y ~ x + (x | p || g)", "~ 1 + (1 | p | g)", "independent, and a label that they are not"),
    ],
)
def test_labels_that_cannot_be_meant(formula: str, zi: str, message: str) -> None:
    with pytest.raises(FormulaError, match=message):
        model(formula, ziformula=zi)


@pytest.mark.parametrize(
    ("mean", "zero", "advice"),
    [
        (
            "(1 | p | g)",
            "(1 | p | g)",
            r"terms without the label, \(... \| g\), fit those of different predictors",
        ),
        ("(1 + x | g)", "(1 | g)", r"\(x \|\| g\) fits the effects without correlations"),
    ],
)
def test_advice_for_perfect_correlations_fits_the_term(mean: str, zero: str, advice: str) -> None:
    rng = np.random.default_rng(1)
    g, x, u = np.repeat(np.arange(25), 8), rng.normal(size=200), rng.normal(size=25)
    zeros = rng.random(200) < 1 / (1 + np.exp(0.8 - 0.9 * u[g]))
    eta = 1 + 0.3 * x + 0.5 * u[g] * (1 + 0.6 * x * ("x" in mean))
    data = pd.DataFrame({"y": np.where(zeros, 0, rng.poisson(np.exp(eta))), "x": x, "g": g})
    with pytest.warns(SingularFitWarning, match=advice):
        MCLAMixedGLM.from_formula(
            f"y ~ x + {mean}", data, family=sm.families.Poisson(), ziformula=f"~ 1 + {zero}"
        ).fit_laplace()
