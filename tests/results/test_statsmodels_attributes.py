"""Attributes of statsmodels' GLM and MixedLM results: by its own checks, by its own models, and by definition."""

from __future__ import annotations

import pickle
import warnings
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
from helpers import KIND_IDS, KINDS, REFERENCE, Kind, data_of, fit_of, laplace_of, small
from scipy import stats
from statsmodels.tools import _testing

from statsmodels_mcla import MCLAMixedGLM
from statsmodels_mcla.families import Beta, Cumulative

mpl.use("Agg")
F = sm.families


def singular_fit() -> Any:
    """A fit whose variance is zero, so that means given the data are those of random effects zero."""
    rng = np.random.default_rng(3)
    X = np.column_stack([np.ones(60), rng.normal(size=60)])
    Z = np.kron(np.eye(12), np.ones((5, 1)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = MCLAMixedGLM(rng.poisson(3, 60), X, Z, np.zeros(12, int), family=F.Poisson()).fit(rng=1)
    assert found.singular
    return found


# Statsmodels' own checks ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["salamander", "epil_slopes", "epil_nb", "toenail"])
def test_its_checks_of_tests_pass(name: str) -> None:
    for found in (fit_of(name), laplace_of(name)):
        assert np.all(found.conf_int().iloc[:, 0] != 0)  # premise: no limit of a variance is cut off at 0
        _testing.check_ttest_tvalues(found)
        _testing.check_ftest_pvalues(found)


class FittedWithoutGroups:
    """Results whose fitted values and residuals are those of the fixed effects alone."""

    def __init__(self, results: Any) -> None:
        self.results = results

    def __getattr__(self, name: str) -> Any:
        return getattr(self.results, name)

    @property
    def fittedvalues(self) -> Any:
        return self.results.predict()

    @property
    def resid(self) -> Any:
        return self.results.model.endog - self.results.predict()


@pytest.mark.parametrize("name", ["salamander", "epil_slopes", "epil_nb", "toenail", "cbpp"])
def test_its_checks_of_predictions_pass_but_for_the_groups(name: str) -> None:
    """All that they look at but one thing: that fitted values are predictions from a fixed-effects design alone."""
    for found in (fit_of(name), laplace_of(name)):
        _testing.check_fitted(FittedWithoutGroups(found._results))
        for results in (found, found._results):
            _testing.check_predict_types(FittedWithoutGroups(results))


def test_its_checks_of_predictions_pass() -> None:
    """They take fitted values, which know the groups, for predictions from the fixed effects.

    That holds where there are no random effects in either. It holds of no other mixed model: a row of a design does not
    say which group it is of, so that no `predict` could give its fitted value, and statsmodels' MixedLM fails both
    checks too.
    """
    found = singular_fit()
    _testing.check_fitted(found)
    _testing.check_predict_types(found)
    data = data_of("sleepstudy")
    theirs = sm.MixedLM(data["Reaction"], sm.add_constant(data[["Days"]]), data["Subject"]).fit(reml=False)
    for fit in (theirs, fit_of("salamander"), laplace_of("epil_nb")):
        for check in (_testing.check_fitted, _testing.check_predict_types):
            with pytest.raises(AssertionError, match="Not equal to tolerance"):
                check(fit)
        np.testing.assert_allclose(fit.model.endog - fit.fittedvalues, fit.resid, rtol=1e-12)


def test_formula_fits_predict_from_arrays() -> None:
    for found in (fit_of("cbpp"), laplace_of("epil")):
        rows = found.model.exog[:3]
        expected = found.predict().iloc[:3]
        for given in (rows, rows.tolist(), pd.DataFrame(rows, columns=found.model.exog_names)):
            values = found.predict(given, transform=not isinstance(given, pd.DataFrame))
            np.testing.assert_allclose(values, expected)
        np.testing.assert_allclose(found.predict(rows[0]), expected.iloc[:1])
        with pytest.raises(ValueError, match=r"2 columns.*fixed effects"):
            found.predict(rows[:, :2])


@pytest.mark.parametrize("formula", ["y ~ x + (1 | g)", "y ~ np.log(x) + center(x) + C(f) + (1 | g)"])
def test_predictions_outlive_the_data(formula: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    data = pd.DataFrame(
        {"y": rng.poisson(3, 60), "x": rng.uniform(1, 2, 60), "g": np.arange(60) % 12, "f": list("abc") * 20}
    )
    found = MCLAMixedGLM.from_formula(formula, data=data, family="poisson", offset=np.full(60, 0.3)).fit(
        rng=1, nsample=64
    )
    expected = found.predict(data.head(), offset=0.1)
    found.save(tmp_path / "fit.pickle", remove_data=True)
    again = sm.load(tmp_path / "fit.pickle")
    pd.testing.assert_series_equal(again.predict(data.head(), offset=0.1), expected)
    np.testing.assert_allclose(again.predict(data.head(), offset=0.1, which="linear"), np.log(expected))
    with pytest.warns(Warning, match="the fit has offset"):
        again.predict(data.head())
    for ask in (again.predict, lambda: again.predict(data.head(), offset=0.1, random="conditional")):
        with pytest.raises(ValueError, match="remove_data"):
            ask()


def test_predictions_of_an_array_fit_outlive_the_data() -> None:
    found = singular_fit()
    rows = found.model.exog[:4].copy()
    expected = found.predict(rows)
    found.remove_data()
    np.testing.assert_allclose(pickle.loads(pickle.dumps(found)).predict(rows), expected)


# Of GLM results ---------------------------------------------------------------------------------------


def test_deviances_and_pseudo_r_squared() -> None:
    found = laplace_of("epil")
    null = MCLAMixedGLM.from_formula("y ~ 1 + (1 | subject)", data=data_of("epil"), family="poisson")
    null = null.fit_laplace()
    assert found.deviance == -2 * found.llf
    assert found.llnull == pytest.approx(null.llf, abs=1e-6)
    assert found.null_deviance == -2 * found.llnull
    assert found.pseudo_rsquared("mcf") == pytest.approx(1 - found.llf / null.llf)
    assert found.pseudo_rsquared() == pytest.approx(1 - np.exp((null.llf - found.llf) * 2 / 236))
    with pytest.raises(ValueError, match="kind must be"):
        found.pseudo_rsquared("r2")
    wine = pd.read_csv(REFERENCE / "wine.csv").assign(
        rating=lambda d: pd.Categorical(d["rating"], ordered=True)
    )
    ordered, thresholds = (
        MCLAMixedGLM.from_formula(
            f"rating ~ {fixed} + (1 | judge)", data=wine, family=Cumulative()
        ).fit_laplace()
        for fixed in ("temp + contact", "1")
    )
    assert ordered.llnull == pytest.approx(thresholds.llf, abs=1e-6)
    drawn = fit_of("epil")
    assert abs(drawn.llnull - found.llnull) < 0.5  # Laplace's approximation is good here
    assert 0 < drawn.llnull_mcse < 0.05
    assert found.llnull_mcse is None


def test_information_criteria_by_name() -> None:
    found = laplace_of("cbpp")
    assert found.info_criteria("aic") == found.aic
    assert found.info_criteria("BIC", dk_params=1) == pytest.approx(found.bic + np.log(found.nobs))
    assert found.info_criteria("caic") == found.caic
    with pytest.raises(ValueError, match="crit must be"):
        found.info_criteria("qaic")


def test_fit_history() -> None:
    history = fit_of("cbpp").fit_history
    assert history["iteration"] == len(history["llf"]) == len(fit_of("cbpp").mc_history)
    assert laplace_of("cbpp").fit_history["iteration"] > 0


@pytest.mark.parametrize("kind", KINDS, ids=KIND_IDS)
def test_residuals_are_those_of_statsmodels_family_at_the_same_means(kind: Kind) -> None:
    case = small(kind, "intercept", seed=4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = case.model(var_weights="w" if not case.counts else None).fit_laplace()
    mu, model = np.asarray(found.mu), found.model
    np.testing.assert_array_equal(found.mu, found.fittedvalues)
    np.testing.assert_array_equal(found.resid, found.resid_response)
    family = type(kind.family)(
        link=kind.family.link, **({"alpha": found.params["alpha"]} if "alpha" in found.params else {})
    )
    y = model.endog / model.n_trials
    if case.counts:
        family.n = model.n_trials
    expected = family.resid_anscombe(y, mu, model.var_weights)
    np.testing.assert_allclose(found.resid_anscombe, expected, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(found.resid_working, (y - mu) * family.link.deriv(mu), rtol=1e-9)
    pearson = (y - mu) ** 2 * model.n_trials * model.var_weights / family.variance(mu) / (model.n_trials**0)
    if not case.counts:
        assert found.pearson_chi2 == pytest.approx(pearson.sum())
    else:
        binomial = (y - mu) ** 2 * model.n_trials / (mu * (1 - mu))
        assert found.pearson_chi2 == pytest.approx(binomial.sum())


def test_distribution_of_a_response() -> None:
    case = small(KINDS[6], "intercept", seed=4)
    found = case.model().fit_laplace()
    law = found.get_distribution()
    np.testing.assert_allclose(law.mean(), found.predict())
    np.testing.assert_allclose(law.var(), law.mean() + found.params["alpha"] * law.mean() ** 2)
    gamma = laplace_of("sleepstudy_gamma")
    rows = data_of("sleepstudy").head(3)
    np.testing.assert_allclose(gamma.get_distribution(rows).mean(), gamma.predict(rows))
    np.testing.assert_allclose(
        gamma.get_distribution(rows, var_weights=2.0).std() / gamma.predict(rows),
        np.sqrt(gamma.params["scale"] / 2),
    )
    counts = laplace_of("cbpp").get_distribution(n_trials=7)
    np.testing.assert_allclose(counts.mean(), 7 * laplace_of("cbpp").predict())


def test_leverages_of_a_linear_mixed_model() -> None:
    """At known variances they are the diagonal of the hat matrix; estimating these adds what it moves."""
    data = data_of("sleepstudy")
    found = MCLAMixedGLM.from_formula("Reaction ~ Days + (1 | Subject)", data=data, family="gaussian").fit(
        rng=1
    )
    tau, scale = found.params.iloc[2:]
    X = found.model.exog
    Z = pd.get_dummies(data["Subject"]).to_numpy(float)
    C = np.hstack([X, Z])
    penalty = np.diag([0.0] * 2 + [scale / tau] * Z.shape[1])
    hat = np.diag(C @ np.linalg.solve(C.T @ C + penalty, C.T))
    ours = found.get_hat_matrix_diag()
    np.testing.assert_allclose(ours, hat, atol=0.02)
    assert ours.sum() == pytest.approx(found.effective_df, rel=1e-6)
    drawn = fit_of("cbpp")
    assert abs(drawn.get_hat_matrix_diag().sum() - drawn.effective_df) < 0.02


def test_what_has_no_meaning_says_so() -> None:
    found = laplace_of("cbpp")
    with pytest.raises(NotImplementedError, match=r"sum over independent groups.*with_cov_type\('robust'\)"):
        found.model.score_obs(found.params)
    assert found.model.nobs == found.nobs == 56
    assert found.model.df_resid == found.df_resid == 51


def points(figure: Any) -> np.ndarray:
    (line,) = figure.axes[0].lines
    return np.column_stack(line.get_data())


@pytest.mark.parametrize("kind", KINDS, ids=KIND_IDS)
def test_partial_residuals(kind: Kind) -> None:
    """Of Cook and Croos-Dabrera: at the linear predictors given the data, with statsmodels' own link."""
    case = small(kind, "intercept", seed=4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = case.model().fit_laplace()
    model, link = found.model, kind.family.link
    mu = link.inverse(found.get_prediction(which="linear", random="conditional").predicted_mean)
    y = model.endog / model.n_trials
    expected = found.params.iloc[1] * model.exog[:, 1] + (y - mu) * link.deriv(mu)
    by_name, by_number = (found.plot_partial_residuals(c) for c in (model.exog_names[1], 1))
    np.testing.assert_allclose(points(by_name), np.column_stack([model.exog[:, 1], expected]), rtol=1e-8)
    np.testing.assert_array_equal(points(by_name), points(by_number))
    assert by_name.axes[0].get_xlabel() == model.exog_names[1]
    plt.close("all")


def test_an_added_variable_has_the_slope_of_its_coefficient() -> None:
    """The score equations of a linear mixed model are X'(y - X beta - Z u) = 0, u at its mean given the data."""
    data = data_of("sleepstudy")
    found = MCLAMixedGLM.from_formula("Reaction ~ Days + (1 | Subject)", data=data, family="gaussian").fit(
        rng=1
    )
    x, y = points(found.plot_added_variable("Days")).T
    assert x @ y / (x @ x) == pytest.approx(found.params["Days"], rel=1e-6)
    counts = fit_of("epil")
    shown = points(counts.plot_added_variable("lage", resid_type="resid_working", use_glm_weights=False))
    assert shown.shape == (236, 2)
    assert np.corrcoef(shown.T)[0, 1] * counts.params["lage"] > 0
    plt.close("all")


def test_pictures_of_residuals_say_what_they_are_not_for() -> None:
    found = laplace_of("cbpp")
    for draw in (found.plot_partial_residuals, found.plot_added_variable):
        for column in ("size", 4, -1):
            with pytest.raises(ValueError, match=r"no column .* there are Intercept"):
                draw(column)
    rng = np.random.default_rng(0)
    data = pd.DataFrame({"y": rng.uniform(size=40), "x": rng.normal(size=40), "g": np.arange(40) % 8})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        beta = MCLAMixedGLM.from_formula("y ~ x + (1 | g)", data=data, family=Beta()).fit_laplace()
    for draw in (beta.plot_partial_residuals, beta.plot_added_variable):
        with pytest.raises(ValueError, match="plot_residuals"):
            draw("x")


def test_predictions_have_what_statsmodels_have() -> None:
    found = fit_of("cbpp").get_prediction()
    glm = sm.GLM(data_of("epil")["y"], sm.add_constant(data_of("epil")[["lbase"]]), family=F.Poisson()).fit()
    theirs = glm.get_prediction(which="linear")
    assert {"t_test", "linpred", "var_pred", "tvalues", "se"} <= set(dir(theirs)) | {"linpred"}
    np.testing.assert_allclose(found.var_pred, found.se**2)
    np.testing.assert_allclose(found.tvalues, found.predicted_mean / found.se)
    linear = fit_of("cbpp").get_prediction(which="linear")
    np.testing.assert_allclose(found.linpred.predicted_mean, linear.predicted_mean)
    np.testing.assert_allclose(found.linpred.summary_frame(), linear.summary_frame())
    z, p = linear.t_test(-1.0)
    np.testing.assert_allclose(z, (linear.predicted_mean + 1.0) / linear.se)
    np.testing.assert_allclose(p, 2 * stats.norm.sf(np.abs(z)))
    np.testing.assert_allclose(linear.t_test(-1.0, "larger")[1], stats.norm.sf(z))
    np.testing.assert_allclose(linear.t_test(-1.0, "smaller")[1], stats.norm.cdf(z))
    with pytest.raises(ValueError, match="alternative must be"):
        linear.t_test(alternative="greater")


# Of MixedLM results -----------------------------------------------------------------------------------


def both() -> tuple[Any, Any]:
    """Our fit and MixedLM's of the same model by maximum likelihood, with ours at its parameters."""
    data = data_of("sleepstudy")
    theirs = smf.mixedlm("Reaction ~ Days", data, groups="Subject", re_formula="~Days").fit(reml=False)
    ours = MCLAMixedGLM.from_formula(
        "Reaction ~ Days", groups="Subject", re_formula="~Days", data=data, family="gaussian"
    ).fit(rng=1)
    return ours, theirs


def test_random_effects_are_those_of_mixedlm() -> None:
    ours, theirs = both()
    np.testing.assert_allclose(ours.llf, theirs.llf, atol=1e-4)
    assert (ours.k_re, ours.n_groups) == (theirs.model.k_re, theirs.model.n_groups)
    np.testing.assert_array_equal(ours.groups, theirs.model.groups)
    by_group = ours.random_effects_by_group
    assert list(by_group) == list(theirs.random_effects)
    for group, effects in theirs.random_effects.items():
        np.testing.assert_allclose(by_group[group], effects, atol=0.05)
    for group, cov in theirs.random_effects_cov.items():
        np.testing.assert_allclose(ours.random_effects_cov[group], cov, rtol=0.01, atol=0.05)
    np.testing.assert_allclose(ours.resid, theirs.resid, atol=0.1)
    assert ours.bse_re.index.tolist() == ours.vc_params.index.tolist()
    np.testing.assert_array_equal(ours.bse_re, ours.bse[ours.vc_params.index])
    np.testing.assert_array_equal(ours.vcomp, ours.vc_params.iloc[[0, 2]])


def test_covariances_of_independent_terms() -> None:
    """Effects of two terms of one factor; variances are those of `random_effects_sd`."""
    rng = np.random.default_rng(0)
    data = pd.DataFrame({"y": rng.poisson(3, 60), "x": rng.uniform(0, 2, 60), "g": np.arange(60) % 6})
    found = MCLAMixedGLM.from_formula("y ~ x + (x || g)", data=data, family="poisson")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = found.fit(start_params=[1.0, 0.1, 0.2, 0.1], rng=1, maxiter=1, nsample=64)
    covs = found.random_effects_cov
    sds = pd.concat(list(found.random_effects_sd.values()), axis=1)
    assert list(covs) == list(range(6))
    for group, cov in covs.items():
        np.testing.assert_allclose(np.sqrt(np.diag(cov)), sds.loc[group], rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("terms", ["(1 | g)", "(x || g)"])
def test_groups_that_count_are_those_with_weight(terms) -> None:
    """Of the seven levels one has no weight, and the slope tells nothing in another."""
    rng = np.random.default_rng(0)
    data = pd.DataFrame({"y": rng.poisson(3, 70), "x": rng.uniform(0, 2, 70), "g": np.arange(70) % 7})
    data["w"], data["x"] = (data["g"] != 3) * 1.0, data["x"].where(data["g"] != 4, 0.0)
    model = MCLAMixedGLM.from_formula(f"y ~ x + {terms}", data=data, family="poisson", freq_weights="w")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = model.fit_laplace()
    assert found.n_groups == found.glance()["n_groups"][0] == 6
    assert "g 6\n" in found.summary().as_text()


def test_one_grouping_factor_is_asked_for() -> None:
    found = fit_of("salamander")
    for name in ("n_groups", "groups", "random_effects_by_group", "random_effects_cov"):
        with pytest.raises(ValueError, match=f"{name} is for one grouping factor, and there are F, M"):
            getattr(found, name)
    assert found.k_re == 2


@pytest.mark.parametrize(
    "levels",
    [
        np.arange(12) + 7,
        pd.date_range("2020-01-01", periods=12),
        np.linspace(0.5, 6, 12),
        [f"h{k:02d}" for k in range(12)],
        pd.Series([("h", k) for k in range(12)]),
    ],
    ids=["integers", "dates", "floats", "text", "tuples"],
)
def test_levels_come_back_as_they_were(levels: Any) -> None:
    rng = np.random.default_rng(0)
    data = pd.DataFrame(
        {"y": rng.poisson(np.repeat(rng.uniform(1, 5, 12), 5)), "g": pd.Series(levels).repeat(5).to_numpy()}
    )
    found = MCLAMixedGLM.from_formula("y ~ 1 + (1 | g)", data=data, family="poisson").fit_laplace()
    index = found.random_effects["g"].index
    pd.testing.assert_index_equal(
        index, pd.Index(data["g"].unique(), name="g", tupleize_cols=False), exact="equiv"
    )
    assert list(found.groups) == list(data["g"])
    assert found.random_effects_frame()["level"].tolist() == list(index)
    again = pickle.loads(pickle.dumps(found))
    np.testing.assert_allclose(
        again.predict(data, random="conditional"), found.predict(random="conditional"), rtol=1e-9
    )


def test_contrasts_without_standard_errors_do_not_stand_in_the_way_of_others() -> None:
    found = singular_fit()
    every = np.eye(3)
    table, two = found.t_test(every).summary_frame(), found.t_test(every[:2]).summary_frame()
    np.testing.assert_array_equal(table.iloc[:2], two)
    assert np.isnan(table["std err"].iloc[2])
    whole, covariance = np.asarray(found.cov_params()), found._results.cov_params
    np.testing.assert_array_equal(covariance(every), whole)
    np.testing.assert_array_equal(covariance(every[:2], other=every), whole[:2])
    np.testing.assert_array_equal(covariance(every[0]), whole[0, 0])
