"""Sandwich covariances: against quadrature, against statsmodels where there are no random effects, and their rules."""

from __future__ import annotations

import pickle
import warnings
from typing import Any

import numpy as np
import oracle
import pandas as pd
import pytest
import statsmodels.api as sm
from helpers import KIND, data_of, fit_of, laplace_of, model_of, small

from statsmodels_mcla import JointSampling, MCLAMixedGLM
from statsmodels_mcla.exceptions import MCLAWarning
from statsmodels_mcla.inference import scores_of_fit, units_of

F = sm.families


def quadrature_sandwich(name: str, groups: Any = None) -> tuple[np.ndarray, int]:
    """Sandwich covariance from the scores and the Hessian of a quadrature likelihood at its maximum."""
    problem = oracle.problem(name)
    fit = oracle.quadrature_mle(**problem.arguments)
    scores = oracle.quadrature_score(fit.params, **problem.arguments, by_group=True)
    if groups is not None:
        first = pd.Series(np.asarray(groups)).groupby(problem.group).first()  # groups in sorted order
        scores = pd.DataFrame(scores).groupby(first.to_numpy()).sum().to_numpy()
    half = scores @ fit.cov_params
    return half.T @ half, len(scores)


@pytest.mark.parametrize("name", ["epil", "cbpp"])
def test_robust_equals_the_sandwich_by_quadrature(name: str) -> None:
    truth, _ = quadrature_sandwich(name)
    plain = fit_of(name)
    robust = plain.with_cov_type("robust")
    bse = np.sqrt(np.diag(truth))
    np.testing.assert_allclose(robust.bse, bse, rtol=0.02)
    np.testing.assert_allclose(robust.cov_params(), truth, atol=0.03 * np.outer(bse, bse).max())
    assert np.abs(np.asarray(plain.bse) / bse - 1).max() > 0.1  # or the comparison would say nothing


def test_cluster_equals_the_sandwich_by_quadrature_with_statsmodels_correction() -> None:
    data = data_of("epil")
    pairs = data["subject"].astype("category").cat.codes.to_numpy() // 2
    truth, G = quadrature_sandwich("epil", pairs)
    fit = fit_of("epil")
    N, P = len(data), len(fit.params)
    factor = G / (G - 1) * (N - 1) / (N - P)
    cluster = fit.with_cov_type("cluster", groups=pairs)
    np.testing.assert_allclose(cluster.bse, np.sqrt(factor * np.diag(truth)), rtol=0.02)
    bare = fit.with_cov_type("cluster", groups=pairs, use_correction=False)
    np.testing.assert_allclose(cluster.cov_params(), factor * bare.cov_params(), rtol=1e-12)
    assert np.abs(np.asarray(cluster.bse / fit.with_cov_type("robust").bse) - 1).max() > 0.05


def test_groups_equal_to_blocks_change_nothing_but_the_correction() -> None:
    fit = fit_of("cbpp")
    robust = fit.with_cov_type("robust")
    cluster = fit.with_cov_type("cluster", groups="herd", use_correction=False)
    np.testing.assert_allclose(cluster.cov_params(), robust.cov_params(), rtol=1e-12)


def test_fit_takes_a_covariance_type() -> None:
    groups = data_of("cbpp")["herd"].to_numpy()
    fit = model_of("cbpp").fit(rng=1, cov_type="cluster", cov_kwds={"groups": groups})
    later = fit_of("cbpp").with_cov_type("cluster", groups=groups)
    np.testing.assert_array_equal(fit.bse, later.bse)
    assert fit.cov_type == "cluster"
    assert fit.cov_kwds["n_groups"] == 15
    assert "cluster" in fit.summary().as_text()
    assert "nonrobust" in fit_of("cbpp").summary().as_text()


def test_what_rests_on_the_covariance_follows_it_and_the_rest_stays() -> None:
    plain = fit_of("epil")
    before = plain.bse.copy(), plain.pvalues.copy(), plain.conf_int().copy()
    robust = plain.with_cov_type("robust")
    np.testing.assert_array_equal(robust.params, plain.params)
    np.testing.assert_array_equal(robust.mcse, plain.mcse)
    assert robust.llf == plain.llf
    half = 0.5 * (robust.conf_int()[1] - robust.conf_int()[0])
    np.testing.assert_allclose(half[:6], 1.959964 * robust.bse[:6], rtol=1e-6)
    test = robust.t_test("lage = 0")
    assert test.sd.item() == pytest.approx(robust.bse["lage"])
    assert robust.pvalues["lage"] == pytest.approx(test.pvalue.item())
    assert robust.var_corr()["std err"][0] != plain.var_corr()["std err"][0]
    for old, new in zip(before, (plain.bse, plain.pvalues, plain.conf_int()), strict=True):
        np.testing.assert_array_equal(old, new)
    np.testing.assert_array_equal(robust.with_cov_type("nonrobust").bse, plain.bse)
    assert isinstance(robust.bse, pd.Series)
    again = pickle.loads(pickle.dumps(robust))
    np.testing.assert_array_equal(again.bse, robust.bse)


def test_laplace_robust_is_near_and_exact_for_gaussian_responses() -> None:
    truth, _ = quadrature_sandwich("epil")
    np.testing.assert_allclose(
        laplace_of("epil").with_cov_type("robust").bse, np.sqrt(np.diag(truth)), rtol=0.03
    )
    case = small(KIND["gaussian-identity"], "intercept", sizes=(6,) * 12, seed=3)
    exact = oracle.quadrature_mle(**case.arguments())
    scores = oracle.quadrature_score(exact.params, **case.arguments(), by_group=True)
    half = scores @ exact.cov_params
    robust = case.model().fit_laplace(cov_type="robust", gtol=1e-6)
    np.testing.assert_allclose(robust.bse, np.sqrt(np.diag(half.T @ half)), rtol=1e-3)


def test_scores_of_laplace_blocks_add_up_to_zero() -> None:
    fit = laplace_of("cbpp")
    model = fit.model
    units = units_of(model, fit.fitted)
    total = scores_of_fit(units, fit.estimates, model).sum(axis=0) * np.asarray(fit.bse)
    assert np.abs(total).max() < 1e-3


def no_spread() -> pd.DataFrame:
    """Poisson counts whose groups differ by less than chance."""
    rng = np.random.default_rng(5)
    data = pd.DataFrame({"g": np.repeat(np.arange(20), 8), "x": rng.normal(size=160)})
    data["y"] = np.tile([0, 1, 1, 2, 0, 3, 1, 4], 20)
    return data


@pytest.mark.parametrize("method", ["fit", "fit_laplace"])
def test_at_a_variance_of_zero_it_is_the_clustered_glm(method: str) -> None:
    data = no_spread()
    model = MCLAMixedGLM.from_formula("y ~ x + (1 | g)", data=data, family=F.Poisson())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = getattr(model, method)(**({"rng": 1} if method == "fit" else {}))
    assert fit.singular
    glm = sm.GLM(data["y"], sm.add_constant(data["x"]), family=F.Poisson()).fit(
        cov_type="cluster", cov_kwds={"groups": data["g"], "use_correction": False}
    )
    robust = fit.with_cov_type("robust")
    np.testing.assert_allclose(robust.bse[:2], glm.bse, rtol=1e-3)
    assert np.isnan(robust.bse["g Var"])


def test_rows_without_random_effects_are_units_of_their_own() -> None:
    rng = np.random.default_rng(2)
    n = 120
    treated = (np.arange(n) < 60).astype(float)
    g = np.where(treated == 1, np.arange(n) // 5, -1)
    u = np.where(treated == 1, rng.normal(size=24)[np.maximum(g, 0)], 0.0)
    data = pd.DataFrame({"treated": treated, "g": g, "y": rng.poisson(np.exp(0.3 + 0.2 * treated + u))})
    model = MCLAMixedGLM.from_formula("y ~ treated + (0 + treated | g)", data=data, family=F.Poisson())
    fit = model.fit(rng=1)
    arguments = {
        "y": data["y"].to_numpy(float),
        "X": np.column_stack([np.ones(n), treated]),
        "Zg": treated[:, None],
        "group": np.where(treated == 1, g, 1000 + np.arange(n)),
        "family": "poisson",
        "link": "log",
    }
    truth = oracle.quadrature_mle(**arguments)
    scores = oracle.quadrature_score(truth.params, **arguments, by_group=True)
    half = scores @ truth.cov_params
    np.testing.assert_allclose(fit.with_cov_type("robust").bse, np.sqrt(np.diag(half.T @ half)), rtol=0.02)
    assert len(units_of(fit.model, fit.fitted)) == 12 + 60


def test_joint_draws_are_drawn_again_by_blocks() -> None:
    joint = model_of("cbpp").fit(sampling=JointSampling(), nsample=40_000, rng=1)
    np.testing.assert_allclose(
        joint.with_cov_type("robust").bse, fit_of("cbpp").with_cov_type("robust").bse, rtol=0.08
    )


def test_few_groups_are_told() -> None:
    with pytest.warns(MCLAWarning, match="sandwich of 6 independent groups"):
        fit_of("salamander").with_cov_type("robust")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"cov_type": "HC0"}, "cov_type must be one of"),
        ({"cov_type": "cluster"}, "groups is for cov_type='cluster'"),
        ({"cov_type": "robust", "groups": "herd"}, "groups is for cov_type='cluster'"),
        ({"cov_type": "cluster", "groups": "farm"}, "groups='farm' is not a column"),
        ({"cov_type": "cluster", "groups": np.arange(5)}, "one value for each of the 56 rows"),
        ({"cov_type": "cluster", "groups": np.arange(56)}, "groups cuts the block 'herd: 1'"),
        ({"cov_type": "cluster", "groups": np.r_[np.nan, np.ones(55)]}, "groups has missing values"),
    ],
)
def test_bad_arguments_are_refused_before_the_fit(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fit_of("cbpp").with_cov_type(**arguments)
    cov_type = arguments.pop("cov_type")
    with pytest.raises(ValueError, match=message):
        model_of("cbpp").fit(cov_type=cov_type, cov_kwds=arguments)


def test_groups_with_the_rows_that_were_dropped() -> None:
    """A Series of all rows of the data is read at the labels of those that the model uses."""
    data = data_of("cbpp").set_index(pd.Index([f"row {i}" for i in range(56)]))
    data["size"] = data["size"].astype(float)
    data.loc[["row 3", "row 20"], "size"] = np.nan
    data["valley"] = data["herd"].astype(int) % 7
    fit = MCLAMixedGLM.from_formula(
        "incidence + I(size - incidence) ~ C(period) + (1 | herd)", data=data, family=F.Binomial()
    ).fit_laplace()
    by_name, shuffled = (
        fit.with_cov_type("cluster", groups=g)
        for g in ("valley", data["valley"].sample(frac=1.0, random_state=1))
    )
    np.testing.assert_array_equal(by_name.bse, shuffled.bse)
    with pytest.raises(ValueError, match="54 rows"):
        fit.with_cov_type("cluster", groups=data["valley"].to_numpy())
    with pytest.raises(ValueError, match=r"rows in '\d' and in '\d'"):
        fit.with_cov_type("cluster", groups="period")


def test_what_has_no_finite_maximum_is_not_told_by_a_sandwich() -> None:
    """Scores vanish on the way to infinity, and a sandwich of them would be zero."""
    rng = np.random.default_rng(3)
    g, a, x = np.repeat(np.arange(20), 9), np.tile(["u", "v", "w"], 60), rng.normal(size=180)
    chance = 1.0 / (1.0 + np.exp(-1.2 * rng.normal(size=20)[g]))
    y = np.where(a == "w", 1, rng.random(180) < chance) * 1
    data = pd.DataFrame({"y": y, "a": a, "x": x, "g": g})
    with pytest.warns(MCLAWarning, match="separate the responses"):
        plain = MCLAMixedGLM.from_formula("y ~ a + x + (1 | g)", data, family="binomial").fit_laplace()
    robust = plain.with_cov_type("robust")
    assert robust.bse["a[T.w]"] == pytest.approx(plain.bse["a[T.w]"])
    assert robust.anova().loc["a", "Chisq"] < 20
    assert robust.bse["x"] != pytest.approx(plain.bse["x"], rel=1e-6)
    assert np.isfinite(robust.tidy(exponentiate=True)["estimate"]).all()
