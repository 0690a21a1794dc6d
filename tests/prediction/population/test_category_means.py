"""Marginal means of probabilities of categories against R's emmeans at the same estimates, and against quadrature."""

from __future__ import annotations

import functools
import json
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers import REFERENCE, F
from r_terms import at_values
from scipy import special

from statsmodels_mcla import MCLAMixedGLM
from statsmodels_mcla.exceptions import MCLAWarning, SingularFitWarning
from statsmodels_mcla.families import Cumulative, Multinomial
from statsmodels_mcla.formula import FormulaWarning

FOUND = json.loads((REFERENCE / "category_means.json").read_text())
MODELS = {
    "multinom": ("grade ~ temp + contact + score + (1 | judge)", Multinomial(), {}),
    "clm": ("rating ~ temp + score + (1 | judge)", Cumulative(), {"nominal": "~ contact"}),
    "clmm": ("rating ~ temp + contact + (1 | judge)", Cumulative(), {}),
}
Ask = Callable[[Any], Any]
ASKED: dict[str, Ask] = {
    "temp": lambda r: r.emmeans("temp", type="prob"),
    "proportional": lambda r: r.emmeans("temp", type="prob", weights="proportional"),
    "both": lambda r: r.emmeans(
        "temp:contact", type="prob", at={"score": 1} if "score" in r.model.data.used else None
    ),
    "pairs": lambda r: r.emmeans("temp:contact", type="prob").contrasts(),
}
SAME = {"SE": "std err", "asymp.LCL": "ci_lower", "asymp.UCL": "ci_upper", "z.ratio": "z", "p.value": "P>|z|"}


@functools.cache
def wine() -> pd.DataFrame:
    table = pd.read_csv(REFERENCE / "wine.csv")
    table["rating"] = pd.Categorical(table["rating"].astype(str), ordered=True)
    table["grade"] = pd.cut(table["rating"].astype(int), [0, 2, 3, 5], labels=["a", "b", "c"]).astype(str)
    return table.assign(score=table["judge"] / 4)


@functools.cache
def at(name: str) -> Any:
    """Results at R's estimates; those that R has no numbers of matter not with random effects of zero."""
    formula, family, options = MODELS[name]
    model = MCLAMixedGLM.from_formula(formula, data=wine(), family=family, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SingularFitWarning)  # of a variance that does not matter
        result = model.fit_laplace()._results
    found, params = FOUND[name], np.ones(len(result.params))
    cov = np.eye(len(params))
    own = np.arange(len(found["params"]))
    params[own], cov[np.ix_(own, own)] = found["params"], found["cov"]
    return at_values(result, params, cov)


@pytest.mark.parametrize("asked", ASKED)
@pytest.mark.parametrize("name", MODELS)
def test_as_in_emmeans(name: str, asked: str) -> None:
    found, truth = ASKED[asked](at(name)), FOUND[name]["means"][asked]
    table, response = found.summary_frame(), at(name).model.endog_names
    np.testing.assert_allclose(
        table[found.head], truth["estimate" if asked == "pairs" else "prob"], rtol=1e-7
    )
    for theirs, ours in SAME.items():
        if ours in table:
            np.testing.assert_allclose(table[ours], truth[theirs], rtol=2e-4, atol=1e-6, err_msg=ours)
    assert {"std err", "ci_lower", "ci_upper"} <= set(table)
    for level in {"temp", "contact", response} & set(truth):
        assert list(table[level]) == truth[level]
    if asked == "pairs":
        assert list(table["contrast"]) == truth["contrast"]
        assert f"6 comparisons within each {response}: Tukey" in found.notes[0]


@functools.cache
def grades() -> Any:
    """Fit of simulated grades of thirty judges."""
    rng, n = np.random.default_rng(1), 30 * 12
    judge, score = np.repeat(np.arange(30), 12), rng.normal(size=n)
    temp, contact = np.arange(n) % 2, np.arange(n) // 2 % 2
    u = np.column_stack([np.zeros(30), 0.8 * rng.normal(size=(30, 2))])[judge]
    eta = u + np.column_stack([0 * score, 0.3 + temp - 0.5 * score, contact + 0.5 * score - 0.2])
    table = pd.DataFrame({"judge": judge, "score": score})
    table["grade"] = [rng.choice(["a", "b", "c"], p=p) for p in special.softmax(eta, axis=1)]
    table["temp"], table["contact"] = np.array(["cold", "warm"])[temp], np.array(["no", "yes"])[contact]
    return MCLAMixedGLM.from_formula(MODELS["multinom"][0], data=table, family=Multinomial()).fit(rng=1)


def test_population_averages_by_quadrature_and_their_errors_by_differences() -> None:
    fit = grades()
    z, w = np.polynomial.hermite_e.hermegauss(40)
    w = np.outer(w, w).ravel() / w.sum() ** 2
    p = fit.params
    assert list(p.index[-2:]) == ["b: judge Var", "c: judge Var"]
    score = fit.model.data.frame["score"].mean()

    def chances(q: np.ndarray) -> np.ndarray:
        u = np.stack([np.zeros(1600), *np.sqrt(q[8:])[:, None] * np.array(np.meshgrid(z, z)).reshape(2, -1)])
        means = []
        for temp in (0, 1):
            cells = []
            for contact in (0, 1):
                eta = np.append(0.0, q[:8].reshape(2, 4) @ [1, temp, contact, score])
                cells.append(special.softmax(eta[:, None] + u, axis=0) @ w)
            means.append(np.mean(cells, axis=0))
        return np.array(means).T.ravel()

    found = fit.emmeans("temp", random="marginal")
    values = p.to_numpy()
    np.testing.assert_allclose(found.estimate, chances(values), rtol=1e-6)
    steps = 1e-4 * np.eye(len(values))
    slope = np.array([(chances(values + e) - chances(values - e)) / 2e-4 for e in steps]).T
    for errors, cov in ((found.se, fit.cov_params()), (found.mcse, fit.cov_mcse())):
        truth = np.sqrt(np.diag(slope @ np.asarray(cov) @ slope.T))
        assert (truth > 0).all()
        np.testing.assert_allclose(errors, truth, rtol=1e-4)
    assert list(found.summary_frame()) == [
        "temp", "grade", "prob", "std err", "ci_lower", "ci_upper", "mcse",
    ]  # fmt: skip
    for level in ("cold", "warm"):
        assert found.estimate[found.labels["temp"] == level].sum() == pytest.approx(1.0)
    contrasts = found.contrasts()
    np.testing.assert_allclose(contrasts.estimate, -np.diff(chances(values).reshape(3, 2))[:, 0], rtol=1e-6)
    assert contrasts.summary_frame(mcse=True).notna().all(axis=None)
    assert (contrasts.mcse > 0).all()
    assert "Probabilities: averages over the random effects." in found.notes


def test_the_response_may_be_compared_too() -> None:
    """Where ``by`` says so, contrasts are those of categories."""
    means = at("multinom").emmeans("temp")
    found = means.contrasts(by="temp", adjust="none")
    cold = means.estimate[means.labels["temp"] == "cold"]
    assert list(found.labels["contrast"][:3]) == ["a - b", "a - c", "b - c"]
    np.testing.assert_allclose(found.estimate[:3], cold[[0, 0, 1]] - cold[[1, 2, 2]])


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda: grades().emmeans("temp", type="link"), r"type='link' is not known .* use type='prob'"),
        (
            lambda: grades().emmeans("temp", type="mean"),
            "type must be one of 'link', 'response', 'prob', got 'mean'",
        ),
        (
            lambda: grades().emmeans("x"),
            "'x' is no column that the fixed effects depend on; these are: temp, contact",
        ),
        (lambda: grades().emtrends("temp", "score"), "emtrends is not known for family Multinomial"),
        (lambda: at("clmm").emmeans("temp", type="response"), "use type='prob', or type='link'"),
    ],
)
def test_what_there_is_not_is_told(ask: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ask()


def test_linear_predictors_without_thresholds_say_so() -> None:
    """R subtracts the mean of the thresholds; differences are the same."""
    means = at("clmm").emmeans("temp")
    told = "Linear predictors without the thresholds: only their differences have a meaning."
    assert told in means.notes
    assert told not in at("clmm").emmeans("temp", type="prob").notes
    fixed = dict(zip(at("clmm").model.exog_names, at("clmm").fe_params, strict=True))["temp[T.warm]"]
    np.testing.assert_allclose(np.diff(means.estimate), fixed)


def test_probabilities_are_of_categories() -> None:
    counts = grades().model.data.frame.assign(
        y=lambda d: (10 + d["judge"] * d["score"]).clip(lower=0).round()
    )
    fit = MCLAMixedGLM.from_formula("y ~ temp + (1 | judge)", counts, family=F.Poisson()).fit_laplace()
    with pytest.raises(ValueError, match="type='prob' is for categories, and family Poisson has none"):
        fit.emmeans("temp", type="prob")


def test_means_that_the_thresholds_do_not_tell_are_nan() -> None:
    """A cell of the formula of the thresholds has no rows."""
    data = wine()[lambda d: (d["temp"] == "cold") | (d["contact"] == "yes")]
    with pytest.warns(FormulaWarning, match="cannot be told from the others"):
        model = MCLAMixedGLM.from_formula(
            "rating ~ score + (1 | judge)", data, family=Cumulative(), nominal="~ temp * contact"
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MCLAWarning)  # there are few rows
        fit = model.fit_laplace()
    with pytest.warns(MCLAWarning, match="5 means are not estimable and NaN"):
        found = fit.emmeans("temp:contact")
    lost = (found.labels["temp"] == "warm") & (found.labels["contact"] == "no")
    np.testing.assert_array_equal(np.isnan(found.estimate), lost)
