"""Estimated marginal means against R's emmeans at the same estimates, and against closed forms."""

from __future__ import annotations

import functools
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import oracle
import pandas as pd
import pytest
import r_terms
from helpers import REFERENCE, F, differences, fit_of, no_warnings
from scipy import stats

from statsmodels_mcla import MCLAMixedGLM
from statsmodels_mcla.exceptions import MCLAWarning
from statsmodels_mcla.families import LogNormal
from statsmodels_mcla.prediction.population.multiplicity import ADJUSTMENTS, Comparisons

MEANS = r_terms.FOUND["means"]


@functools.lru_cache
def at(name: str) -> Any:
    return r_terms.at_estimates(name, "means")


Ask = Callable[[Any], Any]
PAIRS = "trt:stage"
ASKED: dict[tuple[str, str], Ask] = {
    ("zero_one", "trt"): lambda r: r.emmeans("trt"),
    ("zero_one", "response"): lambda r: r.emmeans("trt", type="response"),
    ("zero_one", "at"): lambda r: r.emmeans("trt", at={"late": 0.25}),
    ("factors", "equal"): lambda r: r.emmeans("trt"),
    ("factors", "proportional"): lambda r: r.emmeans("trt", weights="proportional"),
    ("factors", "outer"): lambda r: r.emmeans("trt", weights="outer"),
    ("factors", "cells"): lambda r: r.emmeans("trt", weights="cells"),
    ("factors", "by"): lambda r: r.emmeans("trt", by="stage", type="response"),
    ("factors", "pairwise_tukey"): lambda r: r.emmeans("trt").contrasts(),
    ("factors", "pairwise_holm"): lambda r: r.emmeans("trt").contrasts(adjust="holm"),
    ("factors", "pairwise_by"): lambda r: r.emmeans("trt", by="stage").contrasts("pairwise", "tukey"),
    ("factors", "odds_ratios"): lambda r: r.emmeans("trt", type="response").contrasts(adjust="bonferroni"),
    ("factors", "differences"): lambda r: r.emmeans("trt", type="response").contrasts(
        adjust="none", ratios=False
    ),
    ("factors", "control"): lambda r: r.emmeans("trt").contrasts("trt.vs.ctrl", "none", ref="placebo"),
    ("factors", "sidak"): lambda r: r.emmeans(PAIRS).contrasts(adjust="sidak"),
    ("factors", "six_tukey"): lambda r: r.emmeans(PAIRS).contrasts(adjust="tukey"),
    ("factors", "custom"): lambda r: r.emmeans("trt").contrasts({"drugs": [0.5, 0.5, -1]}),
    ("factors", "interaction"): lambda r: r.emmeans(PAIRS).contrasts(interaction=True),
    ("counts", "trt"): lambda r: r.emmeans("trt"),
    ("counts", "phase"): lambda r: r.emmeans("C(period)", type="response"),
    ("counts", "poly"): lambda r: r.emmeans("period", type="response").contrasts("poly"),
    ("counts", "consec"): lambda r: r.emmeans("period", type="response").contrasts("consec", "none"),
    ("counts", "eff"): lambda r: r.emmeans("period", type="response").contrasts("eff", "none"),
    ("counts", "trends"): lambda r: r.emtrends("trt", "lbase"),
    ("counts", "trend_pairs"): lambda r: r.emtrends("trt", "lbase").contrasts(),
}
SAME = {"SE": "std err", "asymp.LCL": "ci_lower", "asymp.UCL": "ci_upper", "z.ratio": "z", "p.value": "P>|z|"}
HEADS = {"emmean", "prob", "rate", "estimate", "odds.ratio", "ratio", "lbase.trend"}


@pytest.mark.parametrize(("model", "name"), ASKED, ids=lambda v: v)
def test_as_in_emmeans(model: str, name: str) -> None:
    found = ASKED[model, name](at(model))
    truth, table = MEANS[model][name], found.summary_frame()
    (head,) = HEADS & set(truth)
    np.testing.assert_allclose(table[found.head], truth[head], rtol=1e-9)
    compared = [(theirs, ours) for theirs, ours in SAME.items() if ours in table and theirs in truth]
    assert len(compared) >= 3
    for theirs, ours in compared:
        np.testing.assert_allclose(table[ours], truth[theirs], rtol=1e-6, atol=1e-7, err_msg=ours)
    for level in ("trt", "stage"):
        if level in truth and level in table:
            assert list(table[level]) == truth[level]
    if "contrast" in truth and "phase" not in truth["contrast"][0]:
        assert list(table["contrast"]) == truth["contrast"]


def test_pairs_the_other_way_round() -> None:
    """Differences change their sign, odds ratios are inverted; tests stay."""
    for kind, of in (("link", np.negative), ("response", np.reciprocal)):
        means = at("factors").emmeans("trt", type=kind)
        found, reverse = means.contrasts("pairwise"), means.contrasts("revpairwise")
        np.testing.assert_allclose(reverse.estimate, of(found.estimate), rtol=1e-12)
        np.testing.assert_allclose(reverse.pvalues, found.pvalues, rtol=1e-9)
        np.testing.assert_allclose(reverse.conf_int(), of(found.conf_int()[:, ::-1]), rtol=1e-9)
    assert list(reverse.labels["contrast"]) == ["(drug+) / drug", "placebo / drug", "placebo / (drug+)"]


def test_joint_normal_adjustment() -> None:
    """R's is random, good to about 1e-3; the two gates are those of Monte Carlo numbers."""
    table = at("factors").emmeans(PAIRS).contrasts(adjust="mvt").summary_frame()
    truth = MEANS["factors"]["mvt"]
    np.testing.assert_allclose(table["P>|z|"], truth["p.value"], atol=2e-3)
    np.testing.assert_allclose(table["ci_lower"], truth["asymp.LCL"], atol=5e-3 * table["std err"].max())


@pytest.mark.parametrize("k", [2, 3, 5])
def test_joint_normal_adjustment_of_all_pairs_is_tukeys(k: int) -> None:
    """Of independent means of one variance the two are one law; one comparison needs none."""
    pairs = np.array([np.eye(k)[i] - np.eye(k)[j] for i in range(k) for j in range(i + 1, k)])
    family = Comparisons(pairs @ pairs.T / 2.0, k)
    z = np.array([0.5, 2.0, 3.0, 5.0])
    tukey = stats.studentized_range.sf(np.sqrt(2) * z, k, np.inf)
    for value, truth in zip(z, tukey, strict=True):
        assert family.exceedance(value) == pytest.approx(truth, rel=0.02, abs=1e-3 * (value < 1))
    assert ADJUSTMENTS["mvt"].critical(0.05, family) == pytest.approx(
        ADJUSTMENTS["tukey"].critical(0.05, family), abs=5e-3
    )
    assert ADJUSTMENTS["mvt"].critical(0.05, Comparisons(np.eye(1), 0)) == pytest.approx(
        stats.norm.isf(0.025)
    )


def test_population_means_of_a_log_link_have_a_closed_form() -> None:
    """exp(eta + nu / 2); R's bias adjustment, exp(eta) (1 + nu / 2), is its first order."""
    result, nu = at("counts"), MEANS["counts"]["vc"]
    typical = result.emmeans("trt", type="response")
    average = result.emmeans("trt", type="response", random="marginal")
    np.testing.assert_allclose(average.estimate, typical.estimate * np.exp(0.5 * nu), rtol=1e-9)
    adjusted = result.emmeans("trt", type="response", bias_adjust=True)
    pd.testing.assert_frame_equal(adjusted.summary_frame(), average.summary_frame())
    np.testing.assert_allclose(typical.estimate * (1 + 0.5 * nu), MEANS["counts"]["bias"]["rate"], rtol=1e-7)


def test_means_that_the_linear_predictor_does_not_give_are_refused() -> None:
    """Of a log-normal response the mean is exp(eta + scale / 2); linear predictors have means."""
    data = pd.read_csv(REFERENCE / "responses.csv").assign(f=lambda d: np.where(d["x"] > 0, "b", "a"))
    found = MCLAMixedGLM.from_formula("gamma ~ f + (1 | g)", data=data, family=LogNormal()).fit_laplace()
    for ask in ({"type": "response"}, {"random": "marginal"}, {"bias_adjust": True}):
        with pytest.raises(ValueError, match=r"not known for family LogNormal, .*use type='link'"):
            found.emmeans("f", **ask)
    a, b = found.emmeans("f").estimate
    assert a == pytest.approx(found.fe_params["Intercept"])
    assert b - a == pytest.approx(found.fe_params["f[T.b]"])


def test_population_means_of_a_logit_link_by_quadrature() -> None:
    result, entry = at("factors"), MEANS["factors"]
    beta = np.array(entry["beta"])
    cells = np.array(
        [[1, t == 1, t == 2, s, (t == 1) * s, (t == 2) * s] for s in (0, 1) for t in (0, 1, 2)], float
    )

    def averages(params: np.ndarray) -> np.ndarray:
        mean = oracle.marginal_mean(cells @ params[:6], np.sqrt(params[6]), "logit")
        return np.log(mean / (1 - mean)).reshape(2, 3).mean(axis=0)

    params = np.append(beta, entry["vc"])
    found = result.emmeans("trt", random="marginal")
    np.testing.assert_allclose(found.estimate, averages(params), rtol=1e-8)
    slope = differences(averages, params, np.full(7, 1e-2))
    cov = slope @ result.cov_params() @ slope.T
    np.testing.assert_allclose(found.se, np.sqrt(np.diag(cov)), rtol=1e-6)


def test_monte_carlo_errors_are_those_of_contrasts() -> None:
    """A mean is a linear function of the estimates: t_test has the same errors."""
    result = fit_of("cbpp")
    found = result.emmeans("period").summary_frame(mcse=True)
    k = result.k_fe
    cells = np.column_stack([np.ones(k), np.eye(k)[:, 1:]])
    truth = result.t_test(cells).summary_frame(mcse=True)
    np.testing.assert_allclose(found["emmean"], truth["coef"], rtol=1e-10)
    np.testing.assert_allclose(found["mcse"], truth["mcse"], rtol=1e-8)
    np.testing.assert_allclose(found["std err mcse"], truth["std err mcse"], rtol=1e-3)
    contrasts = result.emmeans("period").contrasts("pairwise", "none").summary_frame(mcse=True)
    pairs = np.array([cells[i] - cells[j] for i in range(k) for j in range(i + 1, k)])
    truth = result.t_test(pairs).summary_frame(mcse=True)
    np.testing.assert_allclose(contrasts["P>|z| mcse"], truth["P>|z| mcse"], rtol=1e-2, atol=1e-10)
    np.testing.assert_allclose(contrasts["mcse"], truth["mcse"], rtol=1e-8)


def simulated(seed: int = 0, **columns: Any) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    n = 240
    data = pd.DataFrame(
        {
            "g": np.arange(n) % 20,
            "a": rng.choice(list("uvw"), n),
            "b": rng.choice([True, False], n),
            "x": rng.uniform(1, 4, n),
            "t": rng.uniform(5, 10, n),
        }
    )
    data["y"] = rng.poisson(data["t"] * np.exp(0.2 * (data["a"] == "v") - 0.3 * data["b"] + 0.1 * data["x"]))
    return data.assign(**columns)


def test_trends_follow_a_column_through_the_formula() -> None:
    model = MCLAMixedGLM.from_formula(
        "y ~ a * np.log(x) + bs(x, df=5) + b + (1 | g)", data=simulated(), family=F.Poisson()
    )
    result = model.fit_laplace()
    found = result.emtrends("a", "x", at={"x": 2.5})
    h = 1e-5
    up, down = (
        np.array(
            [
                result.predict(simulated().iloc[[0]].assign(a=a, x=2.5 + s), which="linear").iloc[0]
                for a in "uvw"
            ]
        )
        for s in (h, -h)
    )
    np.testing.assert_allclose(found.estimate, (up - down) / (2 * h), rtol=1e-6)
    edge = result.emtrends("a", "x", at={"x": simulated()["x"].max()})  # where the spline ends
    assert np.isfinite(edge.estimate).all()


def test_offset_is_at_its_mean_or_where_it_is_asked_for() -> None:
    model = MCLAMixedGLM.from_formula("y ~ a + (1 | g)", data=simulated(), family=F.Poisson(), exposure="t")
    result = model.fit_laplace()
    mean, rate = result.emmeans("a"), result.emmeans("a", offset=0)
    np.testing.assert_allclose(mean.estimate - rate.estimate, np.log(simulated()["t"]).mean())
    assert "At an offset of" in str(mean)
    assert "offset" not in str(rate)
    assert rate.estimate[0] == pytest.approx(result.fe_params["Intercept"])


def test_cells_without_rows_are_not_estimable() -> None:
    data = simulated()
    data = data[~((data["a"] == "w") & data["b"])]
    with pytest.warns(MCLAWarning, match="left out of the model"):
        model = MCLAMixedGLM.from_formula("y ~ a * b + (1 | g)", data=data, family=F.Poisson())
    result = model.fit_laplace()
    with pytest.warns(MCLAWarning, match=r"1 means are not estimable"):
        found = result.emmeans("b:a")
    assert list(np.isnan(found.estimate)) == [False] * 5 + [True]
    empty = pd.DataFrame({"a": ["w", "u"], "b": [True, True], "t": 1.0})
    with pytest.warns(MCLAWarning, match=r"1 rows to predict for have a combination of factors without rows"):
        assert list(np.isnan(result.predict(empty))) == [True, False]
    with pytest.warns(MCLAWarning, match=r"1 rows to predict for"):
        assert list(np.isnan(result.get_prediction(empty).summary_frame()["mean_se"])) == [True, False]
    with pytest.warns(MCLAWarning, match=r"effects of a\[T.w\], b.*are NaN"):
        effects = result.get_margeff().summary_frame().iloc[:, 0]
    assert list(np.isnan(effects)) == [False, True, True]
    with no_warnings():
        result.get_margeff(atexog={"b": False}, variables="a")
        result.predict(empty.iloc[1:])


def test_slopes_that_only_random_effects_have() -> None:
    """The population average at the mean of the slope's covariate."""
    data = simulated()
    result = MCLAMixedGLM.from_formula("y ~ a + (0 + x | g)", data=data, family=F.Poisson()).fit_laplace()
    nu = result.vc_params.iloc[0]
    found = result.emmeans("a", random="marginal").estimate - result.emmeans("a").estimate
    np.testing.assert_allclose(found, 0.5 * nu * data["x"].mean() ** 2, rtol=1e-8)


def test_notes() -> None:
    result = at("factors")
    assert "interaction trt:stage" in str(result.emmeans("trt"))
    assert "interaction" not in str(result.emmeans("trt", by="stage"))
    counts = at("counts")
    assert "interaction lbase:trt" in str(counts.emmeans("trt"))
    assert "At lbase = " in str(counts.emmeans("trt"))
    assert "interaction" not in str(counts.emmeans("trt", at={"lbase": 0}))  # what was asked for
    assert "interaction lbase:trt" in repr(counts.emtrends("period", "lbase"))
    assert "interaction" not in str(counts.emtrends("trt", "lbase"))
    assert "adjusted" not in str(counts.emtrends("trt", "lbase").contrasts())  # there is one
    assert "adjusted for 3 comparisons within each stage: Tukey" in str(
        result.emmeans("trt", by="stage").contrasts()
    )
    assert "<table" in result.emmeans("trt")._repr_html_()


def test_they_pickle() -> None:
    found = fit_of("cbpp").emmeans("period", type="response")
    again = pickle.loads(pickle.dumps(found))
    pd.testing.assert_frame_equal(again.summary_frame(mcse=True), found.summary_frame(mcse=True))


ERRORS: dict[str, tuple[Ask, str]] = {
    "factor": (lambda r: r.emmeans("week"), "specs: 'week' is no column .*these are: trt, stage"),
    "by": (lambda r: r.emmeans("trt", by="week"), "by: 'week'"),
    "twice": (lambda r: r.emmeans("trt", by="trt"), "specs: give at least one factor"),
    "at": (lambda r: r.emmeans("trt", at={"week": 2}), "at: 'week'"),
    "level": (lambda r: r.emmeans("trt", at={"stage": ["never"]}), "'stage' has no level 'never'.*early"),
    "type": (lambda r: r.emmeans("trt", type="mean"), "type must be one of 'link', 'response'"),
    "weights": (lambda r: r.emmeans("trt", weights="some"), "weights must be one of 'equal'"),
    "random": (lambda r: r.emmeans("trt", random="conditional"), "random must be 'none' or 'marginal'"),
    "method": (lambda r: r.emmeans("trt").contrasts("pairs"), "method must be one of 'pairwise'"),
    "methods": (lambda r: r.emmeans("trt").contrasts(["pairwise"]), "method must be one of 'pairwise'"),
    "adjust": (lambda r: r.emmeans("trt").contrasts(adjust="best"), "adjust must be one of none"),
    "tukey": (lambda r: r.emmeans("trt").contrasts("poly", "tukey"), "tukey.*all pairwise"),
    "ref": (lambda r: r.emmeans("trt").contrasts("trt.vs.ctrl", ref="a"), "ref: 'a' is none of drug"),
    "coefficients": (lambda r: r.emmeans("trt").contrasts({"a": [1, -1]}), "3 coefficients"),
    "contrast-by": (lambda r: r.emmeans("trt").contrasts(by="late"), "by: must be some of"),
    "ratios": (lambda r: r.emmeans("trt").contrasts(ratios=True), "ratios: there are none"),
    "slope": (lambda r: r.emtrends("trt", "stage"), "var: 'stage' has levels"),
}


@pytest.mark.parametrize("case", ERRORS)
def test_errors(case: str) -> None:
    ask, message = ERRORS[case]
    with pytest.raises(ValueError, match=message):
        ask(at("factors"))


def test_arrays_have_no_factors() -> None:
    data = simulated()
    Z = pd.get_dummies(data["g"]).to_numpy(float)
    X = np.column_stack([np.ones(len(data)), data["x"]])
    result = MCLAMixedGLM(data["y"], X, Z, np.zeros(20, int), family=F.Poisson()).fit_laplace()
    with pytest.raises(ValueError, match="made from arrays: use t_test"):
        result.emmeans("x1")
