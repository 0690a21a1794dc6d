"""The package marginaleffects reads a formula fit: data, fixed effects, their covariance, predictions."""

from __future__ import annotations

import functools
import warnings
from typing import Any

import marginaleffects
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from helpers import F, data_of

from statsmodels_mcla import MCLAMixedGLM
from statsmodels_mcla.exceptions import SingularFitWarning

pytestmark = pytest.mark.filterwarnings("ignore:.*get_categories:DeprecationWarning")  # of polars, within it


@functools.lru_cache
def result() -> Any:
    """Fit to data as marginaleffects wants them: text as categories, a response that is a column."""
    data = data_of("toenail").astype({"treatment": "category"})
    data["moderate"] = (data["outcome"] != "none or mild").astype(int)
    data["late"] = (data["time"] > 3).astype(int)
    formula = "moderate ~ treatment * late + np.log1p(time) + (1 | patientID)"
    return MCLAMixedGLM.from_formula(formula, data=data, family=F.Binomial()).fit_laplace()


def test_formula_of_the_fixed_effects() -> None:
    model = result().model
    assert model.formula.replace(" ", "") == "moderate~treatment*late+np.log1p(time)"
    assert model.full_formula.endswith("(1 | patientID)")


def test_predictions() -> None:
    found = marginaleffects.predictions(result())
    own = result().get_prediction()
    np.testing.assert_allclose(found["estimate"], own.predicted_mean, rtol=1e-10)
    np.testing.assert_allclose(found["std_error"], own.se, rtol=1e-5)


def test_average_slopes() -> None:
    """Against differences of our own predictions, with the standard error by the delta method."""
    found = marginaleffects.avg_slopes(result(), variables="time")
    frame, h = result().model.data.frame, 1e-4
    up, down = (result().get_prediction(frame.assign(time=frame["time"] + s)) for s in (h, -h))
    slope = (up.predicted_mean - down.predicted_mean) / (2 * h)
    assert found["estimate"][0] == pytest.approx(slope.mean(), rel=1e-4)
    X, mu = [b.source.law.rows.X for b in (up, down)], [b.predicted_mean for b in (up, down)]
    gradient = sum(sign * x * (m * (1 - m))[:, None] for sign, x, m in zip((1, -1), X, mu, strict=True)).mean(
        axis=0
    ) / (2 * h)
    variance = gradient @ np.asarray(result().cov_params())[: len(gradient), : len(gradient)] @ gradient
    assert found["std_error"][0] == pytest.approx(np.sqrt(variance), rel=1e-3)


def test_average_comparisons() -> None:
    """A 0/1 column: the discrete effect is the same as that of get_margeff where nothing interacts with it."""
    found = marginaleffects.avg_comparisons(result(), variables="treatment")
    frame = result().model.data.frame
    both = [
        result().get_prediction(frame.assign(treatment=level).astype({"treatment": frame["treatment"].dtype}))
        for level in frame["treatment"].cat.categories
    ]
    assert found["estimate"][0] == pytest.approx(np.mean(both[1].predicted_mean - both[0].predicted_mean))
    X = [b.source.law.rows.X for b in both]
    mu = [b.predicted_mean for b in both]
    slope = (X[1] * (mu[1] * (1 - mu[1]))[:, None] - X[0] * (mu[0] * (1 - mu[0]))[:, None]).mean(axis=0)
    p = len(slope)
    variance = slope @ np.asarray(result().cov_params())[:p, :p] @ slope
    assert found["std_error"][0] == pytest.approx(np.sqrt(variance), rel=1e-5)


def test_with_a_variance_of_zero() -> None:
    """Its covariance is unknown, NaN; held at zero, the slope is that of the fit without random effects."""
    rng = np.random.default_rng(2)
    data = pd.DataFrame(
        {"x": rng.normal(size=80), "y": np.tile([0, 1], 40), "g": np.repeat(np.arange(8), 10)}
    )
    model = MCLAMixedGLM.from_formula("y ~ x + (1 | g)", data=data, family=F.Binomial())
    with pytest.warns(SingularFitWarning):
        fit = model.fit_laplace()
    held = fit.cov_params().fillna(0).to_numpy()
    found = marginaleffects.avg_slopes(fit, variables="x", vcov=held)
    plain = sm.GLM.from_formula("y ~ x", data, family=F.Binomial()).fit()
    truth = marginaleffects.avg_slopes(plain, variables="x")
    assert found["estimate"][0] == pytest.approx(truth["estimate"][0], rel=1e-4)
    assert found["std_error"][0] == pytest.approx(truth["std_error"][0], rel=3e-4)


def test_average_predictions_by_group() -> None:
    found = marginaleffects.avg_predictions(result(), by="treatment")
    frame = result().model.data.frame
    truth = result().predict().groupby(frame["treatment"], observed=True).mean()
    got = dict(zip(found["treatment"], found["estimate"], strict=True))
    for level, value in truth.items():
        assert got[level] == pytest.approx(value)


@functools.lru_cache
def slopes() -> Any:
    """Text, numbers as categories, a transform that learns, an offset, a random slope, missing rows: all at once."""
    data = data_of("epil")
    data["base"] = np.exp(data["lbase"])
    data.loc[::17, "lage"] = np.nan
    formula = "y ~ lbase * trt + C(V4) + center(base) + lage + visit + (1 + visit | subject)"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SingularFitWarning)
        return MCLAMixedGLM.from_formula(
            formula, data=data, family=F.Poisson(), offset=np.linspace(0, 1, len(data))
        ).fit_laplace()


@pytest.mark.parametrize("random", ["none", "marginal"])
def test_whatever_a_formula_holds(random: str) -> None:
    """Its comparisons and slopes are those of get_margeff, which shares no more than the rows with them."""
    model = slopes().for_marginaleffects(random)
    own = slopes().get_margeff(random=random).summary_frame()
    found = marginaleffects.avg_comparisons(model, variables=["trt", "V4"])
    names = {"trt": "trt[T.progabide]", "V4": "V4[T.1]"}
    for term, estimate, se in zip(found["term"], found["estimate"], found["std_error"], strict=True):
        assert estimate == pytest.approx(own.loc[names[term], "dy/dx"], rel=1e-8)
        assert se == pytest.approx(own.loc[names[term], "Std. Err."], rel=1e-4)
    for name in ("lbase", "base", "visit"):
        slope = marginaleffects.avg_slopes(model, variables=name)
        assert slope["estimate"][0] == pytest.approx(own.loc[name, "dy/dx"], rel=1e-3)
        assert slope["std_error"][0] == pytest.approx(own.loc[name, "Std. Err."], rel=1e-2)
    frame, offset = slopes().model.data.frame, slopes().model.offset
    average = slopes().predict(frame, offset=offset, random=random).groupby(frame["trt"]).mean()
    means = marginaleffects.avg_predictions(model, by="trt")
    for level, value in zip(means["trt"], means["estimate"], strict=True):
        assert value == pytest.approx(average[level])


def test_arrays_are_refused() -> None:
    data = data_of("epil")
    Z = pd.get_dummies(data["subject"]).to_numpy(float)
    fit = MCLAMixedGLM(
        data["y"], np.ones((len(data), 1)), Z, np.zeros(59, int), family=F.Poisson()
    ).fit_laplace()
    with pytest.raises(ValueError, match="made by a formula"):
        fit.for_marginaleffects()


@pytest.mark.parametrize("kind", ["object", "string", "str", "category"])
@pytest.mark.parametrize("random", ["none", "marginal"])
def test_plain_text_of_every_type(kind: str, random: str) -> None:
    """The discrete change is a difference of two of our own predictions, for rows where all or none are treated."""
    data = data_of("epil").astype({"trt": kind})
    fit = MCLAMixedGLM.from_formula("y ~ lbase * trt + (1 | subject)", data=data, family="poisson")
    results = fit.fit_laplace()
    both = [
        results.predict(
            data.assign(trt=pd.Series([level] * len(data), dtype=data["trt"].dtype)), random=random
        )
        for level in ("placebo", "progabide")
    ]
    model = results.for_marginaleffects(random)
    found = marginaleffects.avg_comparisons(model, variables="trt")
    assert found["estimate"][0] == pytest.approx((both[1] - both[0]).mean())
    new = marginaleffects.predictions(model, newdata=data.head(3))
    np.testing.assert_allclose(new["estimate"], results.predict(data.head(3), random=random))
