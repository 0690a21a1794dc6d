"""Fits of every response model against quadrature, glmmTMB and ordinal; and whatever results offer, for all of them."""

from __future__ import annotations

import functools
import pickle
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from helpers import assert_monte_carlo
from responses import ONE_PREDICTOR, ResponseModel, newton

from statsmodels_mcla import MCLAMixedGLM

MODELS = ONE_PREDICTOR
every = pytest.mark.parametrize("model", MODELS, ids=[m.name for m in MODELS])


@functools.cache
def fit_of(model: ResponseModel) -> Any:
    return model.model(model.data()).fit(rng=1)


@functools.cache
def small_fit_of(model: ResponseModel) -> Any:
    """Fit with few draws: what it offers does not depend on its quality."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.model(model.data(groups=8)).fit(rng=1, nsample=64)


@every
def test_fit_is_that_of_quadrature(model: ResponseModel) -> None:
    fit, data = fit_of(model), model.data()
    assert fit.converged
    params, bse = fit.params.to_numpy(), fit.bse.to_numpy()
    score, hessian = newton(lambda p: model.loglike(data, p), params, 0.02 * bse)
    assert np.linalg.eigvalsh(hessian)[-1] < 0
    truth = params - np.linalg.solve(hessian, score)
    assert_monte_carlo(params, fit.mcse, truth, small=0.05 * bse, within=5.0, error=1e-4 * bse)
    np.testing.assert_allclose(bse, np.sqrt(np.diag(np.linalg.inv(-hessian))), rtol=0.02)
    assert_monte_carlo(fit.llf, fit.llf_mcse, model.loglike(data, params), small=0.05, within=5.0, error=1e-6)


# What results offer -----------------------------------------------------------------------------------

Ask = Callable[[Any, ResponseModel], Any]


def prediction(result: Any, **options: Any) -> Any:
    return result.get_prediction(**options).summary_frame(mcse=False)


OFFERED: dict[str, Ask] = {
    "summary": lambda r, _: [len(str(r.summary()))],
    "prediction": lambda r, m: prediction(r, exog=m.data().iloc[::20], random="conditional"),
    "prediction of new rows": lambda r, m: prediction(r, exog=m.data(1).iloc[:3], random="marginal"),
    "linear prediction": lambda r, _: prediction(r, which="linear", random="conditional"),
    "get_margeff": lambda r, _: r.get_margeff(random="marginal").summary_frame(),
    "population_averaged": lambda r, _: r.population_averaged().params,
    "residuals": lambda r, _: np.column_stack([r.fittedvalues, r.resid_response, r.resid_pearson]),
    "resid_quantile": lambda r, _: r.resid_quantile(nsim=20, rng=1, scale="normal"),
    "simulate": lambda r, _: r.simulate(2, rng=1),
    "simulate conditional": lambda r, _: r.simulate(2, rng=1, random="conditional"),
    "clone_with": lambda r, _: r.model.clone_with(r.simulate(rng=2)[0]).fit_laplace().params,
    "robust": lambda r, _: r.with_cov_type("robust").bse,
    "get_influence": lambda r, _: r.get_influence().d_params.dropna(axis=1, how="all"),
    "score test": lambda r, _: list(r.score_test("I(x**2)")),
    "profile interval": lambda r, _: r.conf_int(method="profile", parm=r.params.index[-1]),
}


@every
@pytest.mark.parametrize("name", OFFERED)
def test_offered_also_after_pickling(model: ResponseModel, name: str) -> None:
    fit = small_fit_of(model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        answers = [np.asarray(OFFERED[name](r, model), float) for r in (fit, pickle.loads(pickle.dumps(fit)))]
    assert np.isfinite(answers[0]).all()
    np.testing.assert_array_equal(*answers)


def test_family_parameters_have_their_own_table() -> None:
    model = next(m for m in MODELS if m.name == "cumulative logit")
    text = str(fit_of(model).summary())
    assert "Parameters of the family" in text
    assert text.index("Parameters of the family") < text.index("2|3")


def test_mean_counts_the_error_of_family_parameters() -> None:
    model = next(m for m in MODELS if m.name == "lognormal")
    fit, row = fit_of(model), model.data().iloc[:1]
    found = fit.get_prediction(row)
    beta, phi = fit.params.to_numpy()[:2], fit.params.iloc[-1]
    mean = np.exp(beta @ [1.0, row["x"].iloc[0]] + 0.5 * phi)
    assert found.predicted_mean[0] == pytest.approx(mean, rel=1e-9)
    slope = mean * np.array([1.0, row["x"].iloc[0], 0.0, 0.5])
    assert found.se[0] == pytest.approx(np.sqrt(slope @ fit.cov_params().to_numpy() @ slope), rel=1e-6)
    with pytest.raises(ValueError, match="depends on all 4 parameters"):
        fit.model.predict(beta)
    np.testing.assert_allclose(fit.model.predict(fit.params)[:1], mean, rtol=1e-9)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda r: r.resid_deviance, "has no deviance"),
        (lambda r: r.caic, "caic is known for exponential families only"),
        (
            lambda r: r.r2(method="delta"),
            "method='delta' is not known for family Cumulative; use 'theoretical'",
        ),
    ],
)
def test_what_is_not_known_is_refused(call: Any, message: str) -> None:
    model = next(m for m in MODELS if m.name == "cumulative logit")
    with pytest.raises(ValueError, match=message):
        call(fit_of(model))


def test_thresholds_take_the_place_of_an_intercept() -> None:
    model = next(m for m in MODELS if m.name == "cumulative logit")
    data = model.data(groups=8)
    data["two"] = np.where(data["x"] > 0, "a", "b")
    with pytest.raises(
        ValueError, match="make up a constant, whose place the thresholds of family Cumulative take"
    ):
        MCLAMixedGLM.from_formula("y ~ 0 + two + (1 | g)", data=data, family=model.family)
    alone = MCLAMixedGLM.from_formula("y ~ 1 + (1 | g)", data=data, family=model.family).fit(rng=1)
    assert alone.params.index.tolist() == ["g Var", "1|2", "2|3", "3|4"]
    assert "Fixed effects" not in str(alone.summary())
