"""Arrays with labels and types of pandas' own."""

import re

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import sparse

from statsmodels_mcla import MCLAMixedGLM
from statsmodels_mcla.exceptions import MCLAWarning
from statsmodels_mcla.families import Cumulative

N = 24
Z, IDENT = np.repeat(np.eye(4), 6, axis=0), np.zeros(4, int)


def columns():
    rng = np.random.default_rng(2)
    x = rng.normal(size=N)
    return pd.DataFrame({"y": (x + rng.normal(size=N) > 0), "one": 1.0, "x": x, "o": rng.normal(size=N)})


@pytest.mark.parametrize("backend", ["numpy_nullable", "pyarrow"])
def test_columns_of_today(backend):
    data = columns()
    if backend == "pyarrow":
        pytest.importorskip("pyarrow")
    today = data.convert_dtypes(dtype_backend=backend)
    right = MCLAMixedGLM(data["y"], data[["one", "x"]], Z, IDENT, offset=data["o"])
    model = MCLAMixedGLM(today["y"], today[["one", "x"]], Z, IDENT, offset=today["o"])
    for name in ("endog", "exog", "offset"):
        np.testing.assert_array_equal(getattr(model, name), getattr(right, name))
    holes = today.copy()
    holes.iloc[0, 0], holes.iloc[1, 2], holes.iloc[2, 3] = None, None, None
    with pytest.raises(ValueError, match="endog has missing values"):
        MCLAMixedGLM(holes["y"], holes[["one", "x"]], Z, IDENT)
    with pytest.warns(UserWarning, match="3 of 24 rows"):
        model = MCLAMixedGLM(holes["y"], holes[["one", "x"]], Z, IDENT, offset=holes["o"], missing="drop")
    np.testing.assert_array_equal(model.exog, right.exog[3:])
    np.testing.assert_array_equal(model.endog, right.endog[3:])


def test_labels_must_agree_whatever_has_them():
    data = columns()
    with pytest.raises(ValueError, match="indices of exog and offset differ"):
        MCLAMixedGLM(data["y"].to_numpy(), data[["one", "x"]], Z, IDENT, offset=data["o"].iloc[::-1])
    with pytest.raises(ValueError, match="indices of endog and exog differ"):
        MCLAMixedGLM(data["y"].iloc[::-1], data[["one", "x"]], Z, IDENT)


@pytest.mark.parametrize(
    ("formula", "options", "named"),
    [
        ("y ~ C(row) + (1 | g)", {}, "exog has as many effects as there are rows"),
        ("y ~ x + (1 | g)", {"dispformula": "~ C(row)"}, "'disp' has as many effects"),
        ("y ~ x + (1 | g)", {"dispformula": "~ 0 + C(row)"}, "'disp' has as many effects"),
        ("n ~ x + (1 | g)", {"family": "poisson", "ziformula": "~ C(row)"}, "'zi' has as many effects"),
        ("y ~ x + (1 | g)", {"dispformula": "~ text"}, "`text` holds 40 numbers as text"),
        ("n ~ x + (1 | g)", {"family": "poisson", "ziformula": "~ text"}, "`text` holds 40 numbers as text"),
    ],
)
def test_an_effect_a_row_is_refused_before_any_work(formula: str, options: dict, named: str):
    rng = np.random.default_rng(1)
    data = pd.DataFrame({"x": rng.normal(size=40), "y": rng.normal(size=40), "n": rng.poisson(2.0, 40)})
    data = data.assign(row=range(40), g=np.arange(40) // 5, text=data["x"].map("{:.9f}".format))
    with pytest.raises(ValueError, match=f"{named}.*pd.to_numeric"):
        MCLAMixedGLM.from_formula(formula, data, **{"family": "gaussian", **options})


def arrays():
    """Arguments of a Poisson model of 12 groups."""
    rng = np.random.default_rng(8)
    g, x = np.repeat(np.arange(12), 6), rng.normal(size=72)
    y = rng.poisson(np.exp(0.4 * x + rng.normal(0, 0.6, 12)[g])).astype(float)
    exog = np.column_stack([np.ones(72), x])
    return {"endog": y, "exog": exog, "exog_vc": np.eye(12)[g], "ident": np.zeros(12, int), "offset": 0.1 * x}


@pytest.mark.parametrize("argument", ["endog", "exog", "exog_vc", "offset"])
def test_values_that_numpy_masks_are_missing(argument):
    given, family = arrays(), sm.families.Poisson()
    hidden = np.arange(72) % 7 == 0
    mask = hidden if given[argument].ndim == 1 else np.outer(hidden, np.arange(given[argument].shape[1]) == 1)
    masked = given | {argument: np.ma.masked_array(given[argument], mask)}
    with pytest.raises(ValueError, match=rf"{argument}.* has missing values \(NaN\), the first in row 0"):
        MCLAMixedGLM(**masked, family=family)
    left = {name: value if name == "ident" else value[~hidden] for name, value in given.items()}
    with pytest.warns(MCLAWarning, match="11 of 72 rows have missing values"):
        fit = MCLAMixedGLM(**masked, family=family, missing="drop").fit_laplace()
    np.testing.assert_allclose(fit.params, MCLAMixedGLM(**left, family=family).fit_laplace().params)
    if argument == "exog":
        np.testing.assert_array_equal(np.isnan(fit.predict(masked["exog"], offset=0)), hidden)


@pytest.mark.parametrize(
    ("argument", "value", "text"),
    [
        ("exog", sparse.csr_array, "exog is sparse; pass exog.toarray()"),
        ("endog", lambda v: sparse.csr_array(v[:, None]), "endog is sparse; pass endog.toarray()"),
        ("endog", lambda _: [[1, 2], [1]] * 36, "endog must hold one response a row"),
        ("exog", lambda _: [[1, [2]]] * 72, "exog must be numeric, one number for each row and column"),
    ],
    ids=lambda v: v if isinstance(v, str) and " " not in v else "",
)
def test_what_is_no_array_of_numbers_is_named(argument, value, text):
    given = arrays()
    with pytest.raises(ValueError, match=re.escape(text)):
        MCLAMixedGLM(**given | {argument: value(given[argument])}, family=sm.families.Poisson())


@pytest.mark.parametrize(
    "labels", [None, np.arange(72), [f"r{i}" for i in range(72)]], ids=["array", "numbers", "text"]
)
def test_errors_name_rows_as_the_data_do(labels):
    given, family = arrays(), sm.families.Poisson()
    given["exog"][3, 1], given["endog"][10] = np.nan, 1.5
    name = "row 10 (counting from 0)" if labels is None else f"row {labels[10]!r} (label of the index)"
    name = name.replace("np.int64(10)", "10")
    if labels is not None:
        given["endog"] = pd.Series(given["endog"], index=labels)
    with pytest.raises(ValueError, match=re.escape(f"got 1.5 at {name}")):
        MCLAMixedGLM(**given, family=family, missing="drop")
    given["endog"][10 if labels is None else labels[10]] = 1.0
    with pytest.raises(
        ValueError, match=re.escape(f"freq_weights must not be negative, but is -1 in {name}")
    ):
        MCLAMixedGLM(**given, family=family, missing="drop", freq_weights=1.0 - 2.0 * (np.arange(72) == 10))
    if labels is None:
        return
    data = pd.DataFrame(
        {"y": given["endog"], "x": given["exog"][:, 1], "g": np.repeat(np.arange(12), 6)}, labels
    )
    for column, value, text in (
        ("y", 1.5, f"got 1.5 at {name}"),
        ("x", np.inf, f"the first in {name}: x"),
    ):
        wrong = data.copy()
        wrong.loc[labels[10], column] = value
        with pytest.raises(ValueError, match=re.escape(text)):
            MCLAMixedGLM.from_formula("y ~ x + (1 | g)", data=wrong, family=family)
    with pytest.raises(ValueError, match=re.escape("the first is row")):
        MCLAMixedGLM.from_formula("y ~ x + (1 | g)", data=data, family=family, missing="raise")


def test_categories_that_are_masked_are_none():
    given = arrays()
    y = 1.0 + np.arange(72) % 3
    y[::9] = 99.0
    del given["offset"]
    masked = given | {"endog": np.ma.masked_equal(y, 99.0), "exog": given["exog"][:, 1]}
    with pytest.warns(MCLAWarning, match="8 of 72 rows have missing values"):
        model = MCLAMixedGLM(**masked, family=Cumulative(), missing="drop")
    assert model.data.param_names[-2:] == ["1|2", "2|3"]
