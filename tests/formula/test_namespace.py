"""Formulas that name what is no column: pickled, copied, and read again."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pandas as pd
import patsy
import pytest
import statsmodels.api as sm

from statsmodels_mcla import MCLAMixedGLM
from statsmodels_mcla.formula import FormulaError


def twice(x):
    return 2.0 * x


class FromMean:
    """A stateful transform of one's own."""

    def memorize_chunk(self, x):
        self.mean = np.mean(x)

    def memorize_finish(self):
        pass

    def transform(self, x):
        return x - self.mean


from_mean = patsy.stateful_transform(FromMean)


def fitted(formula):
    days, shifted = 7.0, lambda x: x + 1.0  # noqa: F841 - for the formula
    rng = np.random.default_rng(0)
    data = pd.DataFrame({"g": np.repeat(np.arange(20), 6), "t": rng.uniform(0, 5, 120)})
    data["y"] = rng.poisson(np.exp(0.3 + 0.1 * data["t"] + 0.5 * rng.normal(size=20)[data["g"]]))
    return MCLAMixedGLM.from_formula(formula, data=data, family=sm.families.Poisson()).fit_laplace()


def pickled(result):
    return pickle.loads(pickle.dumps(result))


@pytest.mark.parametrize("again", [copy.deepcopy, pickled, lambda result: pickled(pickled(result))])
@pytest.mark.parametrize(
    "formula",
    [
        "y ~ I(t / days) + (1 | g)",
        "y ~ twice(t) + (0 + twice(t) | g)",
        "y ~ from_mean(t) + (1 | g)",
        "np.floor(y) ~ t + (1 | g)",
    ],
)
def test_constants_functions_and_transforms_survive(formula, again) -> None:
    result = fitted(formula)
    copied, new = again(result), result.model.data.frame.head(5)
    expected = result.predict(new, random="conditional")
    np.testing.assert_allclose(copied.predict(new, random="conditional"), expected)
    assert copied.summary().as_text().splitlines()[6:] == result.summary().as_text().splitlines()[6:]


@pytest.mark.parametrize("formula", ["y ~ shifted(t) + (1 | g)", "y ~ t + (0 + shifted(t) | g)"])
def test_what_pickling_cannot_keep_is_named(formula) -> None:
    result = fitted(formula)
    new = result.model.data.frame.head(5)
    np.testing.assert_allclose(copy.deepcopy(result).predict(new), result.predict(new))
    again = pickled(result)
    np.testing.assert_allclose(again.predict(), result.predict())
    with pytest.raises(FormulaError, match="names shifted, which pickling could not keep"):
        again.predict(new, random="conditional")


def test_columns_are_not_kept_as_names() -> None:
    assert set(fitted("y ~ twice(t) + (1 | g)").model.data.names.values) == {"twice"}
