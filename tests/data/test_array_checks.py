"""Arrays with labels and types of pandas' own."""

import numpy as np
import pandas as pd
import pytest

from statsmodels_mcla import MCLAMixedGLM

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
