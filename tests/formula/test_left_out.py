"""What was left out is said, and what was hardly meant is pointed out."""

import re
import warnings

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from statsmodels_mcla import MCLAMixedGLM
from statsmodels_mcla.exceptions import MCLAWarning
from statsmodels_mcla.formula import FormulaError, FormulaWarning

N = 160


@pytest.fixture
def data():
    rng = np.random.default_rng(4)
    g = np.repeat(np.arange(20), 8)
    frame = pd.DataFrame({"x": rng.normal(size=N), "z": rng.normal(size=N), "g": g})
    frame["y"] = rng.poisson(np.exp(0.2 + 0.3 * frame["x"] + rng.normal(size=20)[g]))
    return frame.assign(day=pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(N) % 30, "D"))


def model_of(data, formula="y ~ x + z + (1 | g)", **kwargs):
    return MCLAMixedGLM.from_formula(formula, data=data, **{"family": sm.families.Poisson(), **kwargs})


def test_rows_that_are_dropped_are_counted(data):
    few = data.copy()
    few.loc[[3, 7, 11], "x"] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit = model_of(few).fit_laplace()
    text = fit.summary().as_text()
    assert re.search(r"No. Observations: +157\b", text)
    assert re.search(r"Rows left out: +3 \(missing values\)", text)
    assert "Rows left out" not in model_of(data).fit_laplace().summary().as_text()
    assert fit.model.clone_with(fit.model.endog).facts == fit.model.facts


def test_many_are_warned_of(data):
    many = data.copy()
    many.loc[:19, "z"] = np.nan
    many.loc[0, "x"] = np.nan
    with pytest.warns(FormulaWarning, match=r"20 of 160 rows have missing values .* most of them for 'z'"):
        assert model_of(many).facts.n_dropped == 20
    with pytest.raises(FormulaError, match=r"no row .* is left: 'z' is missing in 160 of 160"):
        model_of(many.assign(z=np.nan))


def test_rows_of_arrays_are_counted_too(data):
    exog = data[["x", "z"]].convert_dtypes()
    exog.iloc[:20, 0] = None
    Z = pd.get_dummies(data["g"]).to_numpy(float)
    y = data["y"].astype("Int64")
    call = {"exog_vc": Z, "ident": np.zeros(20, int), "family": sm.families.Poisson(), "missing": "drop"}
    with pytest.warns(MCLAWarning, match=r"20 of 160 rows have missing values"):
        model = MCLAMixedGLM(y, exog, **{**call, "exog_vc": Z[:, 3:], "ident": np.zeros(17, int)})
    assert (model.facts.n_dropped, model.facts.n_rows) == (20, 140)
    np.testing.assert_array_equal(model.exog, data[["x", "z"]].to_numpy()[20:])


def test_what_counts_is_counted(data):
    weights = (data["g"] > 4).astype(float)
    model = model_of(data, freq_weights=weights)
    assert (model.facts.n_rows, model.facts.terms[0].levels) == (120, 15)
    assert model.fit_laplace().nobs == 120
    assert len(model.fit_laplace().predict()) == N


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("y ~ day + (1 | g)", "`day` holds dates"),
        ("y ~ day.dt.normalize() + (1 | g)", r"`day.dt.normalize\(\)` holds dates"),
        ("y ~ x + (day | g)", "`day` holds dates"),
        ("y ~ month + (1 | g)", "`month` holds dates"),
        ("y ~ x + mixed + (1 | g)", "`mixed` holds numbers and text, such as 'n/a'"),
        ("y ~ x + (mixed | g)", "`mixed` holds numbers and text"),
        ("y ~ x + text + (1 | g)", "`text` holds numbers as objects"),
        ("y ~ x + (text | g)", "`text` holds numbers as objects"),
    ],
)
def test_values_that_are_no_categories_are_pointed_out(data, formula, message):
    text = data["x"].astype(object)
    mixed = text.where(data.index != 3, "n/a")
    with pytest.raises(FormulaError, match=message):
        model_of(data.assign(text=text, mixed=mixed, month=data["day"].dt.to_period("M")), formula)


HELD = {
    "dates": lambda data: data["day"],
    "times": lambda data: data["day"] - data["day"].min(),
    "numbers as objects": lambda data: data["x"].astype(object),
}


@pytest.mark.parametrize("held", list(HELD))
def test_other_formulas_point_them_out_too(data, held):
    """A zero part, a dispersion and variance components: nowhere is it one coefficient a value in silence."""
    data = data.assign(c=HELD[held](data))
    message = f"`c` holds {held}, and each value"
    for further in ("ziformula", "dispformula"):
        with pytest.raises(FormulaError, match=message):
            model_of(data, **{"family": "negativebinomial", further: "~ c"})
    for formula in ("0 + c", "0 + C(g):c"):
        with pytest.raises(FormulaError, match=message):
            MCLAMixedGLM.from_formula("y ~ x", {"v": formula}, data, family="poisson")
    levels = (
        MCLAMixedGLM.from_formula("y ~ x", {"v": "0 + C(c)"}, data, family="poisson").facts.terms[0].levels
    )
    assert levels == data["c"].nunique()


def test_new_rows_hold_what_the_fit_had(data):
    result = model_of(data, "y ~ x + (1 | g)").fit_laplace()
    new = data.head(3)
    expected = result.predict(new, random="conditional")
    periods = {
        "dates": new["day"],
        "times": new["day"] - new["day"].min(),
        "periods": new["day"].dt.to_period("M"),
    }
    for kind, values in periods.items():
        for name in ("x", "g"):
            with pytest.raises(FormulaError, match=f"{name!r} holds {kind} in the new rows and numbers"):
                result.predict(new.assign(**{name: values}), random="conditional")
    taken_out = new.astype(object)
    np.testing.assert_allclose(result.predict(taken_out, random="conditional"), expected)


def test_many_numbers_as_text_are_pointed_out(data):
    text = data["x"].round(1).astype(str)
    number = len(set(text))
    assert number > 20
    read = text.where(data.index != 3, "n/a")  # as a column is read where a gap has a name that is not known
    with pytest.warns(
        FormulaWarning, match=rf"`t` holds {len(set(read)) - 1} numbers as text beside 'n/a'"
    ) as told:
        model_of(data.assign(t=read), "y ~ t + (1 | g)")
    assert len(told) == 1
    for column in (data["g"].astype(str).str[:1], "id" + data["g"].astype(str), text.astype("category")):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            model_of(data.assign(t=column), "y ~ t + (1 | z)")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model_of(data.assign(t=text), "y ~ C(t) + (1 | g)")


@pytest.mark.parametrize("name", ["offset", "exposure", "freq_weights", "var_weights"])
def test_dates_are_no_numbers_of_rows(data, name):
    days = data["day"] - data["day"].min()
    for value in (data["day"], days.to_numpy(), "day"):
        with pytest.raises(ValueError, match=f"{name} must be numeric"):
            model_of(data, **{name: value})
    Z, call = pd.get_dummies(data["g"]).to_numpy(float), {"family": sm.families.Poisson()}
    with pytest.raises(ValueError, match=f"{name} must be numeric"):
        MCLAMixedGLM(data["y"], data["x"], Z, np.zeros(20, int), **call, **{name: days.to_numpy()})
    with pytest.raises(ValueError, match="exog must be numeric"):
        MCLAMixedGLM(data["y"], days.to_numpy(), Z, np.zeros(20, int), **call)


def test_columns_that_leave_no_row_are_named(data):
    half = data.assign(x=data["x"].where(data.index < 70), z=data["z"].where(data.index >= 70))
    with pytest.raises(FormulaError, match=r"'x' is missing in 90 of 160, 'z' is missing in 70 of 160$"):
        model_of(half)
    Z = pd.get_dummies(data["g"]).to_numpy(float)
    call = {"family": sm.families.Poisson(), "missing": "drop", "offset": np.full(N, np.nan)}
    with pytest.raises(ValueError, match="offset has missing values in 160 of 160"):
        MCLAMixedGLM(data["y"], data["x"], Z, np.zeros(20, int), **call)


def test_what_is_asked_for_is_done(data):
    data = data.assign(week=data["day"].dt.strftime("%W"), month=data["day"].dt.day.astype("category"))
    data["kind"] = (data["g"] % 3).astype(object)
    columns = {
        "y ~ C(day) + (1 | g)": 30,
        "y ~ month + (1 | g)": 30,
        "y ~ C(kind) + (1 | g)": 3,
        "y ~ I((day - day.min()).dt.days) + (1 | g)": 2,
        "y ~ x + (1 | day)": 2,
    }
    for formula, count in columns.items():
        assert model_of(data, formula).exog.shape[1] == count
