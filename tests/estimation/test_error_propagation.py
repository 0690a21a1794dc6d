"""Monte Carlo errors of standard errors, p-values, limits and all else that rests on estimates and covariance.

The truth is what other seeds do: over fits with independent random numbers, each reported number scatters as its
Monte Carlo standard error says.  Gates are those of the calibration of the estimates, widened by the noise of the
errors themselves: a number is within if the ratio of its spread over seeds to its root mean square MCSE is.
"""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from helpers import data_of, fit_of, laplace_of, model_of
from scipy import stats

from statsmodels_mcla import JointSampling, MCLAMixedGLM
from statsmodels_mcla.estimation import Estimates, Variation, error_propagation
from statsmodels_mcla.exceptions import ImportanceWeightWarning, MCLAWarning, PrecisionWarning

ROWS = 12
Reported = Iterator[tuple[str, Any, Any]]


def wald(r: Any) -> Reported:
    """Numbers of Wald inference and their errors."""
    P = len(r.params)
    yield "bse", r.bse, r.bse_mcse
    yield "tvalues", r.tvalues, r.tvalues_mcse
    yield "pvalues", r.pvalues, r.pvalues_mcse
    yield "conf_int", r.conf_int(0.1), r.conf_int_mcse(0.1)
    t = r.t_test(np.eye(P)[:2] - np.eye(P)[1:3])
    yield "contrast sd", t.sd, t.sd_mcse
    yield "contrast statistic", t.statistic, t.statistic_mcse
    yield "contrast p", t.pvalue, t.pvalue_mcse
    yield "contrast limits", t.conf_int(0.1), t.conf_int_mcse(0.1)
    for w in (r.wald_test(np.eye(P)[:2]), r.f_test(np.eye(P)[:2])):
        yield f"{w.distribution} statistic", w.statistic, w.statistic_mcse
        yield f"{w.distribution} p", w.pvalue, w.pvalue_mcse
    yield (
        "function",
        r.params.iloc[0] / r.bse.iloc[1],
        r.mcse_of(lambda p, c: p.iloc[0] / np.sqrt(c.iloc[1, 1])),
    )


def tables(r: Any) -> Reported:
    """Standard errors of effect sizes and averages over the population."""
    for name in ("var_corr", "r2", "icc"):
        table = getattr(r, name)(mcse=True)
        yield name, table["std err"], table["std err mcse"]
    m = r.get_margeff(random="marginal")
    yield "margins", m.margeff_se, m.margeff_se_mcse
    yield "margins' p", m.pvalues, m.pvalues_mcse
    yield "margins' limits", m.conf_int(), m.conf_int_mcse()
    m = r.population_averaged()
    yield "population average", m.bse, m.bse_mcse
    yield "population average's limits", m.conf_int(), m.conf_int_mcse()


def predictions(r: Any) -> Reported:
    """Predictions, random effects and residuals."""
    for random in ("none", "marginal", "conditional"):
        p = r.get_prediction(random=random)
        yield f"{random}: mean", p.predicted_mean[:ROWS], p.mcse[:ROWS]
        yield f"{random}: se", p.se[:ROWS], p.se_mcse[:ROWS]
        yield f"{random}: limits", p.conf_int()[:ROWS], p.conf_int_mcse()[:ROWS]
    f = r.random_effects_frame(mcse=True).iloc[:ROWS]
    yield "sd_total", f["sd_total"], f["sd_total_mcse"]
    yield "limits of effects", f[["lower", "upper"]], f[["lower_mcse", "upper_mcse"]]
    yield "pearson", r.resid_pearson[:ROWS], r.resid_pearson_mcse[:ROWS]
    yield "deviance", r.resid_deviance[:ROWS], r.resid_deviance_mcse[:ROWS]


def blocks(r: Any) -> Reported:
    """Influence, and the sandwich."""
    i = r.get_influence()
    yield "influence", i.d_params.iloc[:ROWS], i.d_params_mcse.iloc[:ROWS]
    yield "Cook's distance", i.cooks_distance[0][:ROWS], i.cooks_distance_mcse[:ROWS]
    robust = r.with_cov_type("robust")
    yield "robust bse", robust.bse, robust.bse_mcse
    yield "robust limits", robust.conf_int(), robust.conf_int_mcse()


def new_observations(r: Any, kinds: tuple[str, ...] = ("none", "marginal", "conditional")) -> Reported:
    """Prediction intervals, of these rows alone: limits of continuous responses are searched for row by row."""
    rows = data_of("sleepstudy_gamma").iloc[:ROWS]
    for random in kinds:
        p = r.get_prediction(rows, random=random)
        yield f"{random}: new observation", p.obs_conf_int(), p.obs_conf_int_mcse()


def assert_honest(
    name: str, seeds: range, *parts: Any, low: float = 0.6, high: float = 1.6, **options: Any
) -> None:
    """Assert that numbers scatter over seeds as their errors say."""
    values: dict[str, list[np.ndarray]] = {}
    errors: dict[str, list[np.ndarray]] = {}
    for seed in seeds:
        result = model_of(name).fit(rng=seed, **options)
        for part in parts:
            for what, *pair in part(result):
                value, mcse = (np.asarray(a, dtype=float).ravel() for a in pair)
                assert value.shape == mcse.shape, what
                values.setdefault(what, []).append(value)
                errors.setdefault(what, []).append(mcse)
    for what, found in values.items():
        spread = np.std(found, axis=0, ddof=1)
        claimed = np.sqrt(np.mean(np.square(errors[what]), axis=0))
        some = claimed > 1e-12 * np.abs(np.mean(found, axis=0))
        assert np.all(spread[~some] <= 1e-9), what
        some &= np.any(found, axis=0)  # limits that are cut off at zero
        ratio = spread[some] / claimed[some]
        assert np.all((ratio > low) & (ratio < high)), f"{what}: {np.round(ratio, 2)}"


def test_wald_inference_and_tables() -> None:
    assert_honest("bacteria", range(20), wald, tables, low=0.5, high=1.7, nsample=64)


@pytest.mark.filterwarnings("ignore::statsmodels_mcla.exceptions.MCLAWarning")
def test_predictions_and_influence() -> None:
    assert_honest("cbpp", range(20), predictions, blocks, low=0.5, high=1.8, nsample=64)


def test_continuous_responses() -> None:
    def averages(r: Any) -> Reported:
        yield from new_observations(r, ("none", "marginal"))

    assert_honest("sleepstudy_gamma", range(16), wald, averages, low=0.45, high=1.8, nsample=64)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["bacteria", "toenail", "epil_slopes", "sleepstudy_gamma"])
def test_default_fits(name: str) -> None:
    assert_honest(name, range(40), wald, tables, predictions, blocks, low=0.5, high=1.8)


@pytest.mark.slow
def test_prediction_intervals() -> None:
    assert_honest("sleepstudy_gamma", range(40), new_observations, low=0.55, high=1.7, nsample=64)


@pytest.mark.slow
def test_joint_draws() -> None:
    options = {"sampling": JointSampling(), "nsample": 20_000}
    assert_honest("cbpp", range(40), wald, tables, low=0.5, high=1.8, **options)


def test_the_errors_of_estimates_are_those_of_the_fit() -> None:
    for name in ("bacteria", "epil_slopes", "sleepstudy_gamma"):
        result = fit_of(name)
        found = result.mcse_of(lambda params, _: params.to_numpy())
        np.testing.assert_allclose(found, result.mcse, rtol=0.35)


def test_counts_are_other_counts_with_some_probability() -> None:
    """A limit of counts varies where the distribution function there is as near to alpha / 2 as its error."""
    prediction = fit_of("bacteria", nsample=64).get_prediction(random="conditional")
    errors = prediction.obs_conf_int_mcse()
    assert np.all((errors >= 0) & (errors <= np.sqrt(0.5)))


def test_they_are_in_the_tables() -> None:
    result = fit_of("cbpp")
    text = result.summary(mcse="all").as_text()
    assert "MCSE of the other numbers" in text
    assert f"{result.bse_mcse.iloc[-1]:.2g}" in text
    assert list(result.bse_mcse.index) == list(result.params.index)
    assert list(result.conf_int_mcse().index) == list(result.params.index)
    frame = result.t_test(np.eye(5)[:2]).summary_frame(mcse=True)
    np.testing.assert_allclose(frame["std err mcse"], result.bse_mcse.iloc[:2], rtol=1e-6)
    np.testing.assert_allclose(frame["P>|z| mcse"], result.pvalues_mcse.iloc[:2], rtol=1e-6)
    prediction = result.get_prediction()
    assert [c for c in prediction.summary_frame(mcse=False).columns if c.endswith("mcse")] == ["mcse"]
    whole = prediction.summary_frame(mcse=True)
    np.testing.assert_allclose(whole["mean_ci_lower_mcse"], prediction.conf_int_mcse()[:, 0])
    np.testing.assert_allclose(whole["mean_se_mcse"], prediction.se_mcse)
    np.testing.assert_allclose(whole["obs_ci_upper_mcse"], prediction.obs_conf_int_mcse()[:, 1])
    assert "MCSE" in result.get_margeff().summary().as_text()


def test_errors_of_tests_are_made_when_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """They cost as much as a large part of the fit."""
    result = fit_of("cbpp")
    with monkeypatch.context() as patched:
        patched.setattr(Estimates, "varied", lambda *_, **__: pytest.fail("nobody asked"))
        test, joint = result.t_test(np.eye(5)[:2]), result.wald_test(np.eye(5)[:2])
        print(
            test, joint, test.summary_frame(), result.wald_test_terms(), result.t_test_pairwise("C(period)")
        )
        assert test.mcse == pytest.approx(result.mcse.to_numpy()[:2])
    np.testing.assert_allclose(test.sd_mcse, result.bse_mcse.iloc[:2], rtol=1e-6)
    for one in (test, joint):
        np.testing.assert_array_equal(pickle.loads(pickle.dumps(one)).pvalue_mcse, one.pvalue_mcse)


def test_adjusted_p_values() -> None:
    found = fit_of("salamander").t_test_pairwise("Cross", method="bonferroni", mcse=True)
    frame = found.result_frame
    raw = fit_of("salamander").t_test(found.contrasts).pvalue_mcse
    small = frame["pvalue-bonferroni"] < 1
    np.testing.assert_allclose(frame.loc[small, "pvalue-bonferroni mcse"], 6 * raw[small], rtol=1e-6)
    assert np.all(frame.loc[~small, "pvalue-bonferroni mcse"] == 0)


def test_they_outlive_the_data_and_pickle() -> None:
    result = model_of("cbpp").fit(rng=1)
    kept = pickle.loads(pickle.dumps(result))
    result.remove_data()
    for other in (kept, result):
        np.testing.assert_allclose(other.bse_mcse, fit_of("cbpp").bse_mcse)
        np.testing.assert_allclose(other.conf_int_mcse(), fit_of("cbpp").conf_int_mcse())
    margins = fit_of("cbpp").get_margeff()
    again = pickle.loads(pickle.dumps(margins))
    np.testing.assert_array_equal(again.margeff_se_mcse, margins.margeff_se_mcse)


def test_fits_without_draws_have_none() -> None:
    result = laplace_of("cbpp")
    with pytest.raises(ValueError, match="Laplace"):
        result.mcse_of(lambda params, _: params)
    assert not any(hasattr(result, name) for name in ("bse_mcse", "tvalues_mcse", "pvalues_mcse"))
    assert "MCSE" not in result.get_margeff().summary().as_text().replace("mcse", "")
    assert not any("mcse" in c for c in result.get_influence().summary_frame())
    assert "MCSE" not in result.summary().as_text()
    # what is said of the random effects given the estimates still rests on draws
    assert np.all(result.get_prediction(random="conditional").se_mcse > 0)
    assert np.all(result.get_prediction().se_mcse == 0)


def nearly_singular_counts() -> tuple[MCLAMixedGLM, dict[str, Any]]:
    """A few draws, so that the errors are not small beside what keeps G from being singular."""
    rng = np.random.default_rng(338)
    g, x = np.repeat(np.arange(10), 5), rng.normal(size=50)
    y = rng.poisson(np.exp(1 + 0.4 * x + 0.5 * rng.normal(size=10)[g] * (1 + 0.4 * x)))
    data = pd.DataFrame({"y": y, "x": x, "g": g})
    return MCLAMixedGLM.from_formula("y ~ x + (x | g)", data=data, family=sm.families.Poisson()), {
        "nsample": 16
    }


def nearly_singular_numbers() -> tuple[MCLAMixedGLM, dict[str, Any]]:
    """Slopes that vary by so little that a bit less makes the exact maximum singular."""
    rng = np.random.default_rng(2)
    g, x = np.repeat(np.arange(10), 5), rng.normal(size=50)
    u, v, e = rng.normal(size=10), rng.normal(size=10), rng.normal(size=50)
    y = 0.2 + 0.4 * x + u[g] + 0.5348 * v[g] * x + e
    data = pd.DataFrame({"y": y, "x": x, "g": g})
    return MCLAMixedGLM.from_formula("y ~ x + (x | g)", data=data, family=sm.families.Gaussian()), {}


@pytest.mark.parametrize("nearly_singular", [nearly_singular_counts, nearly_singular_numbers])
def test_nearly_singular_covariances(nearly_singular: Any) -> None:
    """Steps and deviations stay where there are covariance matrices."""
    model, options = nearly_singular()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PrecisionWarning)
        warnings.simplefilter("ignore", ImportanceWeightWarning)
        result = model.fit(rng=1, **options)
    (G,) = result.cov_re.values()
    assert not result.singular
    # premise: as near as a fit gets, which takes a gain of 5e-4 in log-likelihood for zero
    assert np.linalg.eigvalsh(G)[0] < 5e-3
    assert np.isfinite(result.conf_int_mcse()).all(axis=None)
    assert np.isfinite(result.var_corr(mcse=True)["std err mcse"]).all()
    if options:
        assert np.all(result.bse_mcse > 0)


def test_vanished_variances_have_none() -> None:
    with pytest.warns(MCLAWarning):
        result = (
            model_of("salamander")
            .clone_with(stats.bernoulli.rvs(0.5, size=360, random_state=4).astype(float))
            .fit(rng=1)
        )
    lost = result.boundary
    assert lost.any()
    assert np.all(np.isnan(result.bse_mcse[lost]))
    assert np.all(result.bse_mcse[~lost] >= 0)
    assert np.all(result.pvalues_mcse[:4] >= 0)


@pytest.mark.parametrize("name", ["epil_slopes", "sleepstudy_gamma"])
def test_many_parameters_take_a_pass_a_batch(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Derivatives by parameter and along each batch of draws are the same, but for the steps of the differences."""
    passes = []
    counted = error_propagation.evaluate

    def evaluate(*args: Any, **kwargs: Any) -> Any:
        passes.append(None)
        return counted(*args, **kwargs)

    monkeypatch.setattr(error_propagation, "evaluate", evaluate)
    fitted = fit_of(name).estimates.fitted
    by_parameter = Variation.of(fitted).merged()
    assert len(passes) == 1 + len(by_parameter.params)
    monkeypatch.setattr(error_propagation, "MANY", 0)
    passes.clear()
    by_batch = Variation.of(fitted)
    assert len(passes) == 1 + len(by_batch.d_cov)
    np.testing.assert_allclose(by_batch.d_params, by_parameter.d_params, rtol=1e-9)
    largest = np.abs(by_parameter.d_cov).max()
    np.testing.assert_allclose(by_batch.d_cov, by_parameter.d_cov, rtol=0.05, atol=0.02 * largest)


def test_errors_of_errors_are_made_when_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """They take a pass over the draws for each parameter; estimates with their own errors take none."""
    result = MCLAMixedGLM.from_formula(
        "y ~ trt + (1 | ID)",
        data=data_of("bacteria").assign(y=lambda d: (d["y"] == "y") * 1),
        family="binomial",
    ).fit(rng=1, nsample=64)

    def of(_: object) -> None:
        raise LookupError

    monkeypatch.setattr(Variation, "of", of)
    str(result.emmeans("trt", type="response").contrasts())
    result.get_prediction(random="conditional").summary_frame()
    result.anova()
    for asked in (result.get_prediction().summary_frame, result.emmeans("trt").summary_frame, result.anova):
        with pytest.raises(LookupError):
            asked(mcse=True)


def test_pairwise_tests_collect_no_garbage(monkeypatch: pytest.MonkeyPatch) -> None:
    """statsmodels does after each call of Holm's adjustment, which took minutes where levels are many."""
    calls: list[int] = []
    monkeypatch.setattr("gc.collect", lambda *_: calls.append(1) or 0)
    for name in ("holm", "h"):
        frame = fit_of("salamander").t_test_pairwise("Cross", method=name, mcse=True).result_frame
        assert np.isfinite(frame[f"pvalue-{name} mcse"]).all()
    assert len(calls) == 2
