"""Models of other responses and of repeated rows say of themselves what a model read from such rows says."""

import re

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from statsmodels_mcla import MCLAMixedGLM


@pytest.fixture
def data():
    rng = np.random.default_rng(3)
    g = np.repeat(np.arange(20), 10)
    frame = pd.DataFrame({"x": rng.normal(size=200), "o": rng.normal(size=200), "g": g})
    frame["y"] = rng.poisson(np.exp(0.2 + 0.5 * frame["x"] + frame["o"] + 0.5 * rng.normal(size=20)[g]))
    return frame.assign(w=rng.integers(0, 5, 200))


def model_of(data, **kwargs):
    return MCLAMixedGLM.from_formula(
        "y ~ x + (1 | g)", data=data, family=sm.families.Poisson(), offset="o", **kwargs
    )


def test_unit_weights_are_the_rows_written_out(data):
    count = int(data["w"].sum())
    weighted = model_of(data, freq_weights="w")
    rows, long = weighted.with_unit_weights(), model_of(data.loc[data.index.repeat(data["w"])])
    assert rows.facts == long.facts
    assert rows.facts.n_rows == len(rows.data.frame) == len(rows.endog) == count != 200
    fit, right = rows.fit_laplace(), long.fit_laplace()
    np.testing.assert_allclose(fit.params, right.params)
    assert re.search(rf"No. Observations: +{count}\b", fit.summary().as_text())
    own = fit.get_prediction(offset="o").predicted_mean
    np.testing.assert_allclose(own, right.get_prediction(offset="o").predicted_mean)
    np.testing.assert_allclose(fit.predict(data.head(3), offset="o"), right.predict(data.head(3), offset="o"))
    assert (rows.formula, rows.full_formula) == (weighted.formula, weighted.full_formula)


def test_a_clone_is_of_the_same_rows(data):
    model = model_of(data)
    clone = model.clone_with(data["y"] + 1)
    assert clone.facts == model.facts
    assert clone.data.param_names == model.data.param_names
    np.testing.assert_array_equal(clone.data.frame, model.data.frame)
    right = model_of(data.assign(y=data["y"] + 1)).fit_laplace()
    np.testing.assert_allclose(clone.fit_laplace().params, right.params)


def test_clones_of_counts_and_of_arrays_keep_their_names():
    y = np.array([[1, 2], [3, 1], [0, 4], [2, 2]] * 5)
    exog = pd.DataFrame({"one": np.ones(20), "x": np.arange(20.0)})
    model = MCLAMixedGLM(y, exog, np.repeat(np.eye(4), 5, axis=0), np.zeros(4, int), vcp_names=["site"])
    clone = model.clone_with(y[:, 0])
    assert (clone.endog_names, clone.exog_names) == (model.endog_names, ["one", "x"])
    assert clone.data.param_names == ["one", "x", "site Var"]
    np.testing.assert_array_equal(clone.n_trials, y.sum(axis=1))
