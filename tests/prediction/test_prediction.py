"""Predictions against quadrature, closed forms and refits, with their errors and intervals."""

from __future__ import annotations

import pickle
import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import oracle
import pandas as pd
import pytest
import statsmodels.api as sm
from helpers import KIND, F, assert_monte_carlo, data_of, differences, fit_of, laplace_of, small
from scipy import stats

from statsmodels_mcla import MCLAMixedGLM
from statsmodels_mcla.exceptions import MCLAWarning
from statsmodels_mcla.formula.terms import FormulaError
from statsmodels_mcla.prediction.conditional_moments import LINEAR, MomentFunction, moments
from statsmodels_mcla.prediction.linear_predictors import Placed
from statsmodels_mcla.prediction.new_rows import fixed_rows, prediction_rows

GROUP = {"bacteria": "ID", "toenail": "patientID", "epil_slopes": "subject"}


def fixed_part(result: Any) -> np.ndarray:
    return result.model.inputs.exog.to_numpy() @ np.asarray(result.fe_params)


@pytest.mark.parametrize("name", list(GROUP))
def test_population_average_is_that_of_quadrature(name: str) -> None:
    """To 1e-10 relative; the variance of toenail is 16."""
    result, problem = fit_of(name), oracle.problem(name)
    (G,) = result.cov_re.values()
    Z = np.ones((len(problem.y), 1)) if problem.Zg is None else problem.Zg
    sd = np.sqrt(np.einsum("ni,ij,nj->n", Z, G.to_numpy(), Z))
    truth = oracle.marginal_mean(fixed_part(result), sd, problem.link)
    np.testing.assert_allclose(result.predict(random="marginal"), truth, rtol=1e-10)


@pytest.mark.parametrize("name", list(GROUP))
def test_new_table_agrees_with_rows_of_the_model(name: str) -> None:
    result = fit_of(name)
    data = data_of(name).iloc[[5, 1, 20]]
    for random in ("none", "conditional", "marginal"):
        own = result.get_prediction(random=random).summary_frame().loc[data.index]
        new = result.get_prediction(data, random=random).summary_frame()
        pd.testing.assert_frame_equal(own, new)


def test_new_and_missing_levels_have_their_prior_law() -> None:
    result = fit_of("toenail")
    data = data_of("toenail").iloc[:3]
    average = result.predict(data, random="marginal")
    unknown = data.assign(patientID="new").astype({"patientID": object})
    np.testing.assert_allclose(result.predict(unknown, random="conditional"), average)
    unknown["patientID"] = None
    np.testing.assert_allclose(result.predict(unknown, random="conditional"), average)
    # the population average needs no levels at all
    np.testing.assert_allclose(result.predict(data.drop(columns="patientID"), random="marginal"), average)
    with pytest.raises(FormulaError, match="patientID"):
        result.predict(data.drop(columns="patientID"), random="conditional")


def test_missing_values_give_missing_predictions() -> None:
    result = fit_of("toenail")
    data = data_of("toenail").iloc[:3].copy()
    data.loc[data.index[1], "time"] = np.nan
    for random in ("none", "conditional", "marginal"):
        found = result.get_prediction(data, random=random)
        assert np.isnan(found.predicted_mean).tolist() == [False, True, False]
        assert found.summary_frame().isna().all(axis=1).tolist() == [False, True, False]


def test_comparisons_of_missing_values_are_missing() -> None:
    """Python has them as False; in the grouping, of no known level."""
    rng = np.random.default_rng(5)
    data = pd.DataFrame({"x": rng.normal(size=120), "z": rng.normal(size=120), "g": rng.integers(0, 12, 120)})
    effects = 0.8 * rng.normal(size=(2, 12))
    data["y"] = rng.poisson(np.exp(0.5 + effects[0, data["g"]] + (data["z"] > 0) * effects[1, data["g"]]))
    new = data.head(3).copy()
    new.loc[0, "x"], new.loc[1, "z"] = np.nan, np.nan
    fit = MCLAMixedGLM.from_formula(
        "y ~ I(x > 0) + (1 + I(z > 0) | g)", data=data, family=sm.families.Poisson()
    ).fit_laplace()
    for random, lost in {"none": [0], "conditional": [0, 1], "marginal": [0, 1]}.items():
        assert np.flatnonzero(fit.predict(new, random=random).isna()).tolist() == lost
    data["y"] = rng.poisson(np.exp(0.8 * rng.normal(size=24)[data["g"] + 12 * (data["x"] > 0)]))
    fit = MCLAMixedGLM.from_formula(
        "y ~ 1 + (1 | g:I(x > 0))", data=data, family=sm.families.Poisson()
    ).fit_laplace()
    found, other = (
        fit.get_prediction(each, random="conditional", which="linear")
        for each in (new, data.head(3).assign(x=3.0))
    )
    assert found.se[0] > other.se[0]


@pytest.mark.parametrize(
    ("term", "told"),
    [
        ("I(x - x.mean())", True),
        ("x.rank()", True),
        ("center(x)", False),
        ("np.log(x**2)", False),
        ("C(f)", False),
        ("f", False),
        ("I(x > 2)", False),
    ],
)
def test_functions_of_other_rows_are_told(term: str, told: bool) -> None:
    """They are other functions of new rows; those that remember are not."""
    rng = np.random.default_rng(5)
    data = pd.DataFrame({"x": rng.normal(2.0, size=120), "g": rng.integers(0, 12, 120)})
    data["f"] = np.array(["a", "b", "c"])[rng.integers(0, 3, 120)]
    data["y"] = rng.poisson(np.exp(0.5 * rng.normal(size=12)[data["g"]]))
    fit = MCLAMixedGLM.from_formula(
        f"y ~ {term} + (1 | g)", data=data, family=sm.families.Poisson()
    ).fit_laplace()
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        fit.predict()
        assert not found  # of rows that the fit had
        fit.predict(data.head(3))
    assert [f"`{term}` of a row depends on other rows" in str(w.message) for w in found] == [True] * told


def test_prediction_of_arrays_and_errors() -> None:
    data = data_of("bacteria")
    X = np.column_stack([np.ones(len(data)), data["week"] > 2])
    Z = pd.get_dummies(data["ID"]).to_numpy(float)
    y = (data["y"] == "y").to_numpy(float)
    result = MCLAMixedGLM(y, X, Z, np.zeros(Z.shape[1], int), family=F.Binomial()).fit_laplace()
    own = result.predict(random="conditional")
    new = result.predict(X[:3], random="conditional", exog_vc=Z[:3])
    assert isinstance(new, np.ndarray)
    np.testing.assert_allclose(new, own[:3])
    np.testing.assert_allclose(result.predict(X[0]), result.predict()[:1])
    np.testing.assert_allclose(result.model.predict(result.params, X), result.predict())
    np.testing.assert_allclose(
        result.model.predict(result.params, which="linear"), result.predict(which="linear")
    )
    for arguments, message in [
        ({"exog": X[:3], "random": "conditional"}, "exog_vc is missing"),
        ({"exog": X[:3], "random": "marginal", "exog_vc": Z[:2]}, "exog_vc has shape"),
        ({"exog": X[:3, :1]}, "exog has 1 columns"),
        ({"random": "both"}, "random must be one of"),
        ({"which": "median"}, "which must be"),
        ({"offset": "x"}, "not a column"),
        ({"exposure": np.ones(len(y))}, "exposure needs a log link"),
    ]:
        with pytest.raises(ValueError, match=message):
            result.predict(**arguments)


def test_offset_and_exposure() -> None:
    data = data_of("epil").assign(days=np.linspace(10, 20, len(data_of("epil"))))
    model = MCLAMixedGLM.from_formula(
        "y ~ lbase + (1 | subject)", data=data, family=F.Poisson(), exposure="days"
    )
    result = model.fit_laplace()
    own = result.predict(random="conditional")
    np.testing.assert_allclose(result.predict(data, random="conditional", exposure="days"), own)
    np.testing.assert_allclose(result.predict(data, random="conditional"), own)
    np.testing.assert_allclose(result.predict(data, random="conditional", offset=0.0), own / data["days"])
    np.testing.assert_allclose(
        result.predict(data, offset=np.log(data["days"]), which="linear"), result.predict(which="linear")
    )


def test_one_row_as_a_series() -> None:
    data = data_of("epil")
    fit = MCLAMixedGLM.from_formula(
        "y ~ lbase * trt + (1 | subject)", data=data, family=F.Poisson()
    ).fit_laplace()
    np.testing.assert_allclose(fit.predict(data.iloc[3]), fit.predict(data.iloc[[3]]))


def test_offsets_of_new_rows_are_those_of_the_fit_or_asked_for() -> None:
    data = data_of("epil").assign(days=np.linspace(10, 20, len(data_of("epil"))))
    data["log"] = np.log(data["days"])
    formula, new = "y ~ lbase + (1 | subject)", data.head(4)
    named = MCLAMixedGLM.from_formula(formula, data=data, family=F.Poisson(), offset="log").fit_laplace()
    array = MCLAMixedGLM.from_formula(
        formula, data=data, family=F.Poisson(), offset=data["log"].to_numpy()
    ).fit_laplace()
    own = named.predict().head(4)
    np.testing.assert_allclose(named.predict(new), own)
    with pytest.raises(ValueError, match="the fit has offset='log', and the rows to predict for have none"):
        named.predict(new.drop(columns="log"))
    np.testing.assert_allclose(named.predict(new.drop(columns="log"), offset=0.0), own / new["days"])
    with pytest.warns(MCLAWarning, match="the fit has offset, and the rows"):
        found = array.predict(new)
    np.testing.assert_allclose(found, own / new["days"], rtol=1e-5)
    with pytest.warns(MCLAWarning, match="the fit has offset='log'"):
        designed = named.model.predict(named.params, named.model.exog[:4])
    np.testing.assert_allclose(designed, own / new["days"])
    exposed = MCLAMixedGLM.from_formula(formula, data=data, family=F.Poisson(), exposure="days")
    with pytest.warns(MCLAWarning, match="the fit has exposure='days'"):
        exposed.predict(named.params, exposed.exog)


def test_fixed_predictions_are_those_of_glm() -> None:
    """Without random effects to speak of, predictions, errors and intervals are those of statsmodels' GLM."""
    rng = np.random.default_rng(1)
    data = pd.DataFrame({"x": rng.normal(size=400), "g": np.repeat(np.arange(20), 20)})
    data["y"] = rng.poisson(np.exp(0.3 + 0.4 * data["x"]))
    with pytest.warns(UserWarning, match="zero at the maximum"):
        result = MCLAMixedGLM.from_formula("y ~ x + (1 | g)", data=data, family=F.Poisson()).fit(rng=1)
    assert result.singular
    glm = sm.GLM.from_formula("y ~ x", data, family=F.Poisson()).fit()
    truth = glm.get_prediction(data[:5]).summary_frame()
    for random in ("none", "conditional", "marginal"):
        found = result.get_prediction(data[:5], random=random).summary_frame()
        np.testing.assert_allclose(
            found[list(truth.columns)].to_numpy(), truth.to_numpy(), rtol=1e-4, err_msg=random
        )


def test_pickled() -> None:
    result = pickle.loads(pickle.dumps(fit_of("bacteria")))
    prediction = result.get_prediction(random="conditional")
    again = pickle.loads(pickle.dumps(prediction))
    pd.testing.assert_frame_equal(again.summary_frame(), prediction.summary_frame())


def test_unpickled_terms_learn_again_from_the_data() -> None:
    """Factors and transforms left of the bar, which patsy cannot pickle."""
    data = data_of("epil")
    formula = "y ~ lbase + (0 + center(lage) | subject) + (1 | subject)"
    model = MCLAMixedGLM.from_formula(formula, data=data, family=F.Poisson())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the second variance may be zero
        result = model.fit_laplace()
    again = pickle.loads(pickle.dumps(result))
    for random in ("conditional", "marginal"):
        truth = result.predict(data[:7], random=random)
        np.testing.assert_allclose(again.predict(data[:7], random=random), truth, rtol=1e-10)
        np.testing.assert_allclose(result.predict(random=random)[:7], truth)


def test_gaussian_predictions_have_closed_form() -> None:
    """Linear mixed model: everything from the normal law of (u, y), by matrices."""
    simulated = small(KIND["gaussian-identity"], "slope", sizes=(8, 9, 10, 8, 9, 10, 7, 8))
    result = simulated.model().fit_laplace()
    data = simulated.data
    X = np.column_stack([np.ones(len(data)), data["x"]])
    groups = pd.get_dummies(data["g"]).to_numpy(float)
    Z = np.einsum("ng,nd->ngd", groups, X).reshape(len(data), -1)
    (G,) = result.cov_re.values()
    scale = result.params["scale"]
    Sigma = np.kron(np.eye(groups.shape[1]), G)
    V = Z @ Sigma @ Z.T + scale * np.eye(len(data))
    gain = Sigma @ Z.T @ np.linalg.inv(V)
    eta = X @ np.asarray(result.fe_params)
    u = gain @ (data["y"].to_numpy() - eta)
    found = result.get_prediction(random="conditional")
    np.testing.assert_allclose(found.predicted_mean, eta + Z @ u, rtol=1e-6)
    # the law of u given y depends on the fixed effects through -gain X, which draws that move know exactly
    conditional = np.diag(Z @ (Sigma - gain @ Z @ Sigma) @ Z.T)
    slope = X - Z @ gain @ X
    fitted = found.source.law.fitted
    cov = found.source.law.errors.cov_params  # of the fitted parameters
    np.testing.assert_allclose(fitted.reduction.carry(fitted.params, cov), result.cov_params())
    (linear,) = moments(fitted, found.source.law.rows, [LINEAR], found.source.law.errors)
    np.testing.assert_allclose(linear.var, conditional, rtol=1e-6)
    np.testing.assert_allclose(linear.slope[:, :2], slope, atol=1e-9)
    np.testing.assert_allclose(found.se**2, conditional + linear.estimation_var(cov))


@pytest.mark.parametrize(
    ("name", "random"),
    [
        ("bacteria", "conditional"),
        pytest.param("epil_slopes", "conditional", marks=pytest.mark.slow),
        ("epil_slopes", "marginal"),
    ],
)
def test_slopes_are_derivatives(name: str, random: str) -> None:
    """Derivatives in the parameters against differences of expectations over draws made at shifted parameters."""
    result = fit_of(name)
    law = result.get_prediction(random=random).source.law
    fixed = fixed_rows(result.model)
    curves = [LINEAR, MomentFunction(result.model.conditional_family.link_function)]

    def means(params: np.ndarray) -> np.ndarray:
        there = replace(law.fitted, position=law.fitted.sampler.at(params))
        rows = prediction_rows(result.model, there, fixed, random).rows
        return np.stack([found.mean for found in moments(there, rows, curves, law.errors)])

    slopes = np.stack([found.slope for found in moments(law.fitted, law.rows, curves, law.errors)])
    bse = np.sqrt(np.diag(law.errors.cov_params))  # of the fitted parameters
    error = np.abs(slopes - differences(means, law.fitted.params, 1e-2 * bse)) * bse
    assert error.max() < (0.01 if name == "epil_slopes" and random == "conditional" else 1e-4)
    assert np.abs(slopes * bse).max() > 0.05


def test_effects_of_several_blocks_are_independent_given_the_data() -> None:
    """A female and a male that were kept apart in the experiment: their blocks' draws are paired at random."""
    result = laplace_of("salamander")
    data = data_of("salamander")
    female = data["Female"].iloc[0]
    males = sorted(set(data["Male"]) - set(data.loc[data["Female"] == female, "Male"]))[::5]
    rows = pd.DataFrame({"Cross": "R/R", "Female": female, "Male": males})
    frame = result.random_effects_frame().set_index("level")
    levels = f"C(Female)[{female}]", [f"C(Male)[{m}]" for m in males]
    mean = result.fe_params.iloc[0] + frame.loc[levels[0], "mean"] + frame.loc[levels[1], "mean"].to_numpy()
    sd = np.hypot(frame.loc[levels[0], "sd"], frame.loc[levels[1], "sd"].to_numpy())
    linear = result.get_prediction(rows, random="conditional", which="linear")
    apart = Placed.of(linear.source.law.fitted, linear.source.law.rows).block == -2
    assert apart.sum() > 5
    assert_monte_carlo(linear.predicted_mean[apart], linear.mcse[apart], mean[apart], small=0.05, error=0.005)
    # a normal law with these moments is close to the conditional law
    probability = result.predict(rows, random="conditional").to_numpy()
    np.testing.assert_allclose(probability[apart], oracle.marginal_mean(mean, sd, "logit")[apart], atol=0.01)


def test_intervals_of_new_observations_have_closed_form() -> None:
    """Gaussian responses: everything is normal, but for the error of the scale."""
    simulated = small(KIND["gaussian-identity"], "intercept", sizes=(12,) * 12)
    result = simulated.model().fit_laplace()
    for random in ("none", "conditional", "marginal"):
        found = result.get_prediction(random=random, which="mean")
        var = found.se**2 + result.params["scale"]
        if random == "marginal":
            var = var + result.vc_params.iloc[0]
        limits = found.obs_conf_int(0.1)
        np.testing.assert_allclose(limits.mean(axis=1), found.predicted_mean, atol=0.01)
        np.testing.assert_allclose(np.diff(limits)[:, 0], 2 * 1.6448536 * np.sqrt(var), rtol=0.02)


def test_intervals_of_new_counts_hold_what_they_promise() -> None:
    """Probability of the limits under the law of a new level at the estimates, nearly, by quadrature."""
    result = laplace_of("epil")
    found = result.get_prediction(random="marginal").summary_frame(0.2).iloc[::40]
    eta = fixed_part(result)[::40]
    nodes, weights = np.polynomial.hermite_e.hermegauss(61)
    mu = np.exp(eta[:, None] + np.sqrt(result.vc_params.iloc[0]) * nodes)
    below, inside = (
        stats.poisson.cdf(found[limit].to_numpy()[:, None] + shift, mu) @ weights / weights.sum()
        for limit, shift in (("obs_ci_lower", -1), ("obs_ci_upper", 0))
    )
    # at the estimates the interval holds more, since it counts their error too
    assert np.all(below <= 0.1)
    assert np.all((inside - below > 0.8) & (inside - below < 0.92))


def test_text_where_the_data_of_the_fit_had_numbers() -> None:
    data = data_of("epil")
    model = MCLAMixedGLM.from_formula("y ~ age + (1 | subject)", data=data, family=sm.families.Poisson())
    with pytest.raises(
        ValueError, match="column 'age' holds text in the new rows and numbers in the data of the fit"
    ):
        model.fit_laplace().predict(data[:3].assign(age="old"))
