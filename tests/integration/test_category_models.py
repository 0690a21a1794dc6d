"""Models of categories: thresholds that depend on covariates against R's ordinal, multinomial logit against MNLogit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from statsmodels_mcla import MCLAMixedGLM, families
from statsmodels_mcla.estimation.search.glm_start import fit_without_random_effects

REFERENCE = Path(__file__).parents[1] / "reference"
WINE = pd.read_csv(REFERENCE / "wine.csv")
TRUTH = json.loads((REFERENCE / "ordered_and_bounded.json").read_text())


def without_effects(model: MCLAMixedGLM) -> tuple[float, Any, Any]:
    """Log-likelihood, estimates and standard errors of the model without random effects."""
    design, start = model.design, fit_without_random_effects(model.design)
    numbers = (part[:, None] for part in (design.y, design.w, design.v))
    rows = design.family.rows(*numbers, (design.X @ start.beta + design.offset)[:, None])
    cov = np.linalg.inv(design.X.T @ (design.X * -rows.d2))
    return float(rows.logf.sum()) + design.constant, start.beta, np.sqrt(np.diag(cov))


@pytest.mark.parametrize("link", ["logit", "probit", "cloglog"])
def test_partial_odds_are_those_of_clm(link: str) -> None:
    model = MCLAMixedGLM.from_formula(
        "rating ~ temp + (1 | judge)", data=WINE, family=families.Cumulative(link), nominal="~ contact"
    )
    llf, beta, bse = without_effects(model)
    truth, params, errors = (TRUTH[f"clm_{link}"][name] for name in ("llf", "params", "se"))
    order = [8, 0, 4, 1, 5, 2, 6, 3, 7]
    assert model.data.fe_names[:3] == ["temp[T.warm]", "1|2: Intercept", "1|2: contact[T.yes]"]
    assert llf == pytest.approx(truth, abs=1e-7)
    np.testing.assert_allclose(beta, np.array(params)[order], rtol=1e-4)
    np.testing.assert_allclose(bse, np.array(errors)[order], rtol=1e-4)


def test_wine_is_that_of_quadrature_in_ordinal() -> None:
    fit = MCLAMixedGLM.from_formula(
        "rating ~ temp + contact + (1 | judge)", data=WINE, family=families.Cumulative()
    ).fit(rng=1)
    truth = TRUTH["clmm"]
    assert fit.llf == pytest.approx(truth["llf"], abs=5 * fit.llf_mcse + 1e-4)
    np.testing.assert_allclose(fit.params, truth["params"], rtol=2e-3, atol=2e-3)
    np.testing.assert_allclose(np.delete(fit.bse.to_numpy(), 2), truth["se"], rtol=0.01)


@pytest.mark.parametrize("family", [families.Cumulative(), families.Multinomial()])
def test_numbers_as_categories_are_those_of_their_names(family: Any) -> None:
    """Ordered as the categories are, which numbers alone would not say."""
    numbers, names = [20, 10, 30, 40, 50], list("badef")
    codes = WINE["rating"].to_numpy() - 1
    of_numbers, of_names = (
        WINE.assign(rating=pd.Categorical(np.array(known)[codes], known, ordered=True))
        for known in (numbers, names)
    )
    first, second = (
        MCLAMixedGLM.from_formula("rating ~ temp + (1 | judge)", data=data, family=family)
        for data in (of_numbers, of_names)
    )
    np.testing.assert_array_equal(first.inputs.endog, second.inputs.endog)
    assert first.conditional_family.labels == ("20", "10", "30", "40", "50")
    turned = of_numbers["rating"].iloc[::-1].reset_index(drop=True)
    expected = np.asarray(first.inputs.endog)[::-1]
    np.testing.assert_array_equal(first.clone_with(turned).inputs.endog, expected)
    np.testing.assert_array_equal(first.clone_with(expected).inputs.endog, expected)


def test_gasoline_is_that_of_glmmtmb() -> None:
    data = pd.read_csv(REFERENCE / "gasoline.csv")
    fit = MCLAMixedGLM.from_formula(
        "Q('yield') ~ I((temp - 300) / 100) + (1 | batch)",
        data=data,
        family=families.Beta(),
    ).fit_laplace()
    truth = TRUTH["gasoline"]
    assert fit.llf == pytest.approx(truth["llf"], abs=1e-4)
    np.testing.assert_allclose(fit.params, truth["params"], rtol=2e-3)
    np.testing.assert_allclose(fit.bse[: fit.k_fe], truth["se"], rtol=5e-3)


def test_thresholds_of_their_own_contain_proportional_odds() -> None:
    """A factor of two categories has one threshold, so that what it depends on is a location."""
    two = WINE.assign(high=(WINE["rating"] > 3).astype(int))
    call = {"data": two, "family": families.Cumulative()}
    plain = MCLAMixedGLM.from_formula("high ~ temp + contact + (1 | judge)", **call).fit_laplace()
    nominal = MCLAMixedGLM.from_formula(
        "high ~ temp + (1 | judge)", nominal="~ contact", **call
    ).fit_laplace()
    assert nominal.llf == pytest.approx(plain.llf, abs=1e-6)
    assert nominal.params["0|1: contact[T.yes]"] == pytest.approx(-plain.params["contact[T.yes]"], abs=1e-4)
    only = MCLAMixedGLM.from_formula(
        "high ~ 1 + (1 | judge)", nominal="~ contact + temp", **call
    ).fit_laplace()
    assert only.llf == pytest.approx(plain.llf, abs=1e-6)


def categories(seed: int = 3) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    g = np.repeat(np.arange(25), 10)
    x = rng.uniform(-1, 1, len(g))
    odds = np.stack(
        [0.0 * x, 0.3 - 0.5 * x + rng.normal(0, 1.0, 25)[g], -0.3 + 0.7 * x + rng.normal(0, 1.0, 25)[g]]
    )
    place = np.argmax(odds + rng.gumbel(size=odds.shape), axis=0)
    return pd.DataFrame({"y": np.array(["bus", "car", "train"])[place], "x": x, "g": g})


def test_multinomial_is_that_of_statsmodels() -> None:
    data = categories()
    model = MCLAMixedGLM.from_formula("y ~ x + (1 | g)", data=data, family=families.Multinomial())
    llf, beta, bse = without_effects(model)
    theirs = sm.MNLogit(np.unique(data["y"], return_inverse=True)[1], sm.add_constant(data["x"])).fit(disp=0)
    assert llf == pytest.approx(theirs.llf, abs=1e-7)
    np.testing.assert_allclose(beta, np.asarray(theirs.params).T.ravel(), rtol=1e-4)
    np.testing.assert_allclose(bse, np.asarray(theirs.bse).T.ravel(), rtol=1e-4)


def test_two_categories_are_a_binomial_response() -> None:
    data = categories()
    data["car"] = (data["y"] == "car").astype(int)
    ours = MCLAMixedGLM.from_formula("car ~ x + (1 | g)", data=data, family=families.Multinomial()).fit(rng=1)
    theirs = MCLAMixedGLM.from_formula("car ~ x + (1 | g)", data=data, family=sm.families.Binomial()).fit(
        rng=1
    )
    assert ours.params.index.tolist() == ["1: Intercept", "1: x", "1: g Var"]
    error = np.hypot(ours.mcse, theirs.mcse.to_numpy()).to_numpy()
    assert np.all(np.abs(ours.params.to_numpy() - theirs.params.to_numpy()) < 5.0 * error + 1e-6)
    np.testing.assert_allclose(ours.bse, theirs.bse, rtol=0.01)


def test_the_first_category_is_the_reference() -> None:
    data = categories()
    data["mode"] = pd.Categorical(data["y"], ["train", "bus", "car"])
    model = MCLAMixedGLM.from_formula("mode ~ x + (1 | g)", data=data, family=families.Multinomial())
    names = ["bus: Intercept", "bus: x", "car: Intercept", "car: x"]
    assert model.data.fe_names == names
    assert model.data.vc_names == ["bus: g Var", "car: g Var"]
    other = MCLAMixedGLM.from_formula("y ~ x + (1 | p | g)", data=data, family=families.Multinomial())
    here = MCLAMixedGLM.from_formula("mode ~ x + (1 | p | g)", data=data, family=families.Multinomial())
    assert other.data.vc_names == ["car: g Var", "car: g x train: g Cov", "train: g Var"]
    # with correlated effects the reference is a matter of names
    assert here.fit_laplace().llf == pytest.approx(other.fit_laplace().llf, abs=1e-4)


def test_predictions_are_a_table_of_probabilities() -> None:
    data = categories()
    fit = MCLAMixedGLM.from_formula("y ~ x + (1 | g)", data=data, family=families.Multinomial()).fit_laplace()
    table = fit.predict(data.iloc[:4], random="marginal")
    assert list(table.columns) == ["bus", "car", "train"]
    np.testing.assert_allclose(table.sum(axis=1), 1.0, rtol=1e-9)
    drawn = fit.simulate(3000, rng=2).iloc[:4].to_numpy()
    for k, label in enumerate(table.columns, 1):
        share = (drawn == k).mean(axis=1)
        assert np.all(np.abs(share - table[label]) < 5.0 * np.sqrt(share * (1 - share) / 3000))
    odds = fit.predict(data.iloc[:4], which="linear: car")
    chances = fit.predict(data.iloc[:4])
    np.testing.assert_allclose(odds, np.log(chances["car"] / chances["bus"]), rtol=1e-9)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ({"formula": "y ~ x + (1 | g)", "offset": "x"}, "offset is not known for family Multinomial"),
        ({"formula": "x ~ 1 + (1 | g)"}, "family Multinomial needs text, a pandas Categorical or integers"),
        (
            {"formula": "y ~ x + (1 | g)", "nominal": "~ x"},
            "nominal is not known for family Multinomial .*Cumulative",
        ),
        ({"formula": "one ~ x + (1 | g)"}, "two categories or more"),
    ],
)
def test_what_is_no_multinomial_model(call: dict[str, Any], message: str) -> None:
    data = categories().assign(one="a")
    with pytest.raises(ValueError, match=message):
        MCLAMixedGLM.from_formula(**call, data=data, family=families.Multinomial())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ({"nominal": "contact"}, "nominal must be a one-sided formula"),
        ({"nominal": "~ contact + (1 | judge)"}, "nominal takes no random effects"),
        ({"nominal": "~ contact + temp"}, "cannot stand in the formula of the location too.*temp"),
        (
            {"nominal": "~ contact", "family": sm.families.Poisson()},
            "nominal is not known for family Poisson",
        ),
        (
            {"nominal": "~ contact", "family": families.Cumulative(threshold="symmetric")},
            "thresholds that are 'flexible'",
        ),
    ],
)
def test_what_thresholds_cannot_depend_on(call: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MCLAMixedGLM.from_formula(
            **{
                "formula": "rating ~ temp + (1 | judge)",
                "data": WINE,
                "family": families.Cumulative(),
                **call,
            }
        )
