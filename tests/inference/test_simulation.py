"""Simulated responses, models for them, and the parametric bootstrap."""

from __future__ import annotations

import pickle
import warnings
from typing import Any

import numpy as np
import oracle
import pandas as pd
import pytest
import statsmodels.api as sm
from helpers import KIND, KIND_IDS, KINDS, STRUCTURES, data_of, fit_of, laplace_of, model_of, small
from scipy import stats

from statsmodels_mcla import MCLAMixedGLM
from statsmodels_mcla.data.simulated_responses import simulate_responses

F = sm.families


def at(case: Any, nsim: int, seed: int = 1) -> np.ndarray:
    """Simulate from a small model at its own parameters."""
    model = case.model()
    rng = np.random.default_rng(seed)
    return simulate_responses(model.inputs, model.design, model.conditional_family, case.params, rng, nsim)


# Simulation -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [k for k in KIND_IDS if k != "gamma-inverse"])
def test_simulated_means_are_marginal_means(name: str) -> None:
    case = small(KIND[name], "slope")
    nsim = 4000
    y = at(case, nsim)
    x = case.data["x"].to_numpy()
    beta, theta = case.params[:2], case.params[2:5]
    sd = np.sqrt(theta[0] + 2 * theta[1] * x + theta[2] * x**2)
    truth = case.trials * oracle.marginal_mean(beta[0] + beta[1] * x, sd, case.kind.oracle_link)
    error = y.std(axis=1) / np.sqrt(nsim)
    assert np.all(error < 0.05 * np.maximum(truth, 1.0))
    assert np.all(np.abs(y.mean(axis=1) - truth) < 4.5 * error)


def test_simulated_rows_of_a_level_hang_together() -> None:
    case = small(KIND["gaussian-identity"], "slope")
    y = at(case, 8000)
    x, g = case.data["x"].to_numpy(), case.data["g"].to_numpy()
    z = np.column_stack([np.ones_like(x), x])
    G = np.array([[case.params[2], case.params[3]], [case.params[3], case.params[4]]])
    truth = np.where(g[:, None] == g, z @ G @ z.T, 0.0) + case.params[-1] * np.eye(len(x))
    error = np.sqrt((np.outer(np.diag(truth), np.diag(truth)) + truth**2) / 8000)
    assert np.abs((np.cov(y) - truth) / error).max() < 4.5


def test_inverse_link_stays_where_there_is_a_mean() -> None:
    y = at(small(KIND["gamma-inverse"], "intercept"), 500)
    assert np.all(np.isfinite(y))
    assert np.all(y > 0)


def test_no_mean_is_told() -> None:
    case = small(KIND["gamma-inverse"], "intercept")
    model = case.model()
    params = np.array([-2.0, 0.0, 0.01, 0.2])
    with pytest.raises(ValueError, match="inverse link, eta <= 0"):
        simulate_responses(
            model.inputs, model.design, model.conditional_family, params, np.random.default_rng(0), 2
        )


def test_conditional_simulations_follow_the_law_given_the_data() -> None:
    problem = oracle.problem("epil")
    fit = fit_of("epil")
    moments = oracle.posterior_moments(np.asarray(fit.params), **problem.arguments)
    eta = problem.X @ np.asarray(fit.fe_params)
    place = np.searchsorted(moments.levels, problem.group)
    # the law given the data is close to normal: its exponential is close to lognormal
    mean, sd = moments.mean[place, 0], moments.sd[place, 0]
    truth = np.exp(eta + mean + 0.5 * sd**2)
    y = fit.simulate(4000, rng=2, random="conditional").to_numpy()
    error = y.std(axis=1) / np.sqrt(4000)
    assert np.abs((y.mean(axis=1) - truth) / np.hypot(error, 0.01 * truth)).max() < 4
    new = fit.simulate(4000, rng=2).to_numpy()
    assert np.corrcoef(y.mean(axis=1), new.mean(axis=1))[0, 1] < 0.98
    assert np.abs(np.log(y.mean(axis=1) / new.mean(axis=1))).max() > 1


def test_form_of_simulations() -> None:
    fit = fit_of("cbpp")
    y = fit.simulate(3, rng=5)
    assert list(y.columns) == [0, 1, 2]
    assert y.index.equals(fit.model.inputs.endog.index)
    assert np.all(y.to_numpy() <= fit.model.n_trials[:, None])
    np.testing.assert_array_equal(y, fit.simulate(3, rng=5))
    assert not y.equals(fit.simulate(3, rng=6))
    for arguments, message in (
        ({"nsim": 0}, "nsim must be a positive integer"),
        ({"random": "old"}, "random must be 'new' or 'conditional'"),
        ({"rng": -1}, "rng must be"),
    ):
        with pytest.raises(ValueError, match=message):
            fit.simulate(**arguments)


# Models for other responses ---------------------------------------------------------------------------


def loglike(model: MCLAMixedGLM, params: np.ndarray) -> float:
    model.draw(params, nsample=256, rng=0)
    return model.loglike(params)


@pytest.mark.parametrize(
    ("kind", "structure"), [*((k, "crossed") for k in KINDS), *((KINDS[4], s) for s in STRUCTURES)]
)
def test_clone_is_the_model_of_the_new_response(kind: Any, structure: str) -> None:
    case = small(kind, structure)
    model = case.model(offset="off", freq_weights="w")
    y = at(case, 1)[:, 0]
    data = case.data.assign(y=y, failures=case.trials - y)
    truth = case.model(data, offset="off", freq_weights="w")
    clone = model.clone_with(y)
    value = loglike(clone, case.params)
    assert value == pytest.approx(loglike(truth, case.params), rel=1e-10)
    assert clone.data.param_names == truth.data.param_names
    assert value != pytest.approx(loglike(model, case.params), rel=1e-3)
    np.testing.assert_array_equal(clone.endog, truth.endog)


def test_clone_takes_its_own_response_in_any_form() -> None:
    model = model_of("cbpp")
    fit = fit_of("cbpp")
    y, trials = model.endog, model.n_trials
    for endog in (y, pd.Series(y, index=model.inputs.endog.index), np.column_stack([y, trials - y])):
        again = model.clone_with(endog).fit(rng=1)
        np.testing.assert_array_equal(again.params, fit.params)
    assert again.params.index.equals(fit.params.index)
    assert again.model.endog_names == model.endog_names
    pickle.loads(pickle.dumps(again)).summary()


def test_init_kwds_make_the_same_model() -> None:
    model = small(KIND["poisson-log"], "crossed").model(offset="off", freq_weights="w")
    again = type(model)(model.endog, model.exog, **model._get_init_kwds())
    params = np.array([0.1, 0.2, 0.3, 0.4])
    assert loglike(again, params) == pytest.approx(loglike(model, params), rel=1e-12)


@pytest.mark.parametrize(
    ("endog", "message"),
    [
        (np.ones(3), "one response for each of the 56 rows"),
        (np.full(56, -1.0), "family Binomial needs"),
        (np.full(56, 1000.0), "successes between 0 and the number of trials"),
        (pd.Series(np.zeros(56), index=np.arange(56) + 7), "another index"),
    ],
)
def test_clone_refuses_what_does_not_fit(endog: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        model_of("cbpp").clone_with(endog)


# Bootstrap --------------------------------------------------------------------------------------------


def test_bootstrap_is_the_same_for_every_number_of_processes(capsys: pytest.CaptureFixture[str]) -> None:
    fit = fit_of("cbpp")
    one = fit.bootstrap(4, rng=3, disp=True)
    shown = "".join(capsys.readouterr())
    assert "bootstrap" in shown
    assert "4" in shown
    two = fit.bootstrap(4, rng=3, n_jobs=2)
    pd.testing.assert_frame_equal(one.estimates, two.estimates)
    assert not one.estimates.equals(fit.bootstrap(4, rng=4).estimates)
    assert capsys.readouterr().out == ""


@pytest.fixture(scope="module")
def laplace_bootstrap() -> Any:
    return laplace_of("cbpp").bootstrap(40, rng=1)


def test_bootstrap_errors_are_near_those_of_the_information(laplace_bootstrap: Any) -> None:
    fit, found = laplace_of("cbpp"), laplace_bootstrap
    assert list(found.estimates.columns) == list(fit.params.index)
    assert found.n_failed == 0
    fixed = slice(0, 4)
    ratio = found.bse[fixed] / fit.bse[fixed]
    assert np.all(np.abs(ratio - 1) < 4 * found.bse_mcse[fixed] / fit.bse[fixed] + 0.05)
    assert np.all(found.bse_mcse[fixed] < 0.2 * fit.bse[fixed])
    np.testing.assert_allclose(found.bias, found.estimates.mean() - fit.params)
    np.testing.assert_allclose(np.sqrt(np.diag(found.cov_params())), found.bse)


@pytest.mark.slow
def test_bootstrap_of_a_monte_carlo_fit() -> None:
    fit = fit_of("cbpp")
    found = fit.bootstrap(400, rng=1)
    assert found.n_failed < 4
    ratio = found.bse / fit.bse
    assert np.all(np.abs(ratio - 1) < 4 * found.bse_mcse / fit.bse + 0.1)
    wald, percentile = fit.conf_int(), found.conf_int()
    assert np.all(np.abs(percentile - wald)[:4] < 0.35 * np.asarray(fit.bse)[:4, None])
    assert found.n_singular > 0


def test_bootstrap_intervals(laplace_bootstrap: Any) -> None:
    fit, found = laplace_of("cbpp"), laplace_bootstrap
    used, params = found.used.to_numpy(), np.asarray(fit.params)
    low, high = np.quantile(used, [0.05, 0.95], axis=0)
    np.testing.assert_allclose(found.conf_int(0.1), np.column_stack([low, high]))
    basic = np.column_stack([2 * params - high, 2 * params - low])
    basic[4, 0] = max(basic[4, 0], 0)
    np.testing.assert_allclose(found.conf_int(0.1, method="basic"), basic)
    z = stats.norm.ppf(0.95) * used.std(axis=0, ddof=1)
    centre = 2 * params - used.mean(axis=0)
    normal = np.column_stack([centre - z, centre + z])
    normal[4, 0] = max(normal[4, 0], 0)
    np.testing.assert_allclose(found.conf_int(0.1, method="normal"), normal)
    for method in ("percentile", "basic", "normal"):
        mcse = found.conf_int_mcse(0.1, method)
        assert np.all((mcse > 0) & (mcse < 1.5 * np.asarray(found.bse)[:, None]), axis=None)
    assert {"bias", "std err", "std err_mcse"} <= set(found.summary_frame().columns)
    with pytest.raises(ValueError, match="alpha must lie"):
        found.conf_int(2)
    with pytest.raises(ValueError, match="method must be"):
        found.conf_int(method="bca")
    pickle.loads(pickle.dumps(found)).summary_frame()


def test_error_of_a_quantile_is_that_of_repeats() -> None:
    from statsmodels_mcla.inference.bootstrap import _quantile_error

    rng = np.random.default_rng(3)
    repeats = np.quantile(rng.normal(size=(4000, 200)), 0.9, axis=1)
    claimed = np.mean([_quantile_error(rng.normal(size=200), 0.9) for _ in range(200)])
    assert claimed == pytest.approx(repeats.std(), rel=0.1)


def test_bootstrap_counts_singular_and_separated_refits() -> None:
    rng = np.random.default_rng(1)
    data = pd.DataFrame({"g": np.repeat(np.arange(8), 5), "x": np.tile([0.0, 0, 0, 1, 1], 8)})
    eta = -0.5 + 1.5 * data["x"] + 0.3 * rng.normal(size=8)[data["g"]]
    data["y"] = rng.binomial(1, 1 / (1 + np.exp(-eta)))
    model = MCLAMixedGLM.from_formula("y ~ x + (1 | g)", data=data, family=F.Binomial())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = model.fit_laplace()
    found = fit.bootstrap(30, rng=2)
    assert found.n_singular > 2
    assert 0 < found.n_failed < 20
    assert len(found.used) == 30 - found.n_failed
    assert np.all(found.estimates[found.singular]["g Var"] == 0)


def test_frequency_weights_stand_for_rows(laplace_bootstrap: Any) -> None:
    data = data_of("cbpp")
    long = pd.concat(
        [data.assign(y=1, w=data["incidence"]), data.assign(y=0, w=data["size"] - data["incidence"])],
        ignore_index=True,
    )
    model = MCLAMixedGLM.from_formula(
        "y ~ C(period) + (1 | herd)", data=long, family=F.Binomial(), freq_weights="w"
    )
    fit = model.fit_laplace()
    np.testing.assert_allclose(fit.params, laplace_of("cbpp").params, rtol=1e-4, atol=1e-5)
    rows = model.with_unit_weights()
    assert len(rows.endog) == data["size"].sum()
    at = np.asarray(fit.params)
    assert loglike(rows, at) == pytest.approx(loglike(model, at), abs=1e-3)
    found = fit.bootstrap(30, rng=1)
    error = np.hypot(found.bse_mcse, laplace_bootstrap.bse_mcse)
    assert np.all(np.abs(found.bse - laplace_bootstrap.bse) < 4 * error)
    halves = MCLAMixedGLM.from_formula(
        "y ~ C(period) + (1 | herd)",
        data=long.assign(w=long["w"] + 0.5),
        family=F.Binomial(),
        freq_weights="w",
    ).fit_laplace()
    with pytest.raises(ValueError, match="freq_weights must be whole numbers"):
        halves.bootstrap(4)


def test_bad_bootstrap_arguments() -> None:
    with pytest.raises(ValueError, match="nrep must be"):
        fit_of("cbpp").bootstrap(1)
    with pytest.raises(ValueError, match="n_jobs must be"):
        fit_of("cbpp").bootstrap(4, n_jobs=0)


def test_what_needs_the_data_says_so_when_they_are_gone() -> None:
    fit = pickle.loads(pickle.dumps(laplace_of("cbpp")))
    fit.with_cov_type("robust")
    fit.remove_data()
    for ask in (
        fit.simulate,
        lambda: fit.bootstrap(3),
        fit.r2,
        fit.resid_quantile,
        lambda: fit.resid_pearson,
        lambda: fit.caic,
        fit.get_influence,
        lambda: fit.with_cov_type("robust"),
        lambda: fit.model.clone_with(np.zeros(56)),
    ):
        with pytest.raises(ValueError, match="the data of this fit were removed"):
            ask()
