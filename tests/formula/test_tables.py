"""Tables of other libraries and types, labels in other orders: the numbers of the plain data frame."""

import re

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from statsmodels_mcla import MCLAMixedGLM
from statsmodels_mcla.formula import FormulaError, as_frame

N = 120


@pytest.fixture
def data():
    rng = np.random.default_rng(8)
    frame = pd.DataFrame(
        {
            "x": rng.normal(size=N),
            "k": rng.integers(0, 5, N),
            "f": rng.choice(["a", "b", "c"], N),
            "b": rng.random(N) < 0.5,
            "o": rng.normal(size=N),
            "w": rng.integers(1, 4, N),
            "g": rng.integers(0, 12, N),
            "h": rng.choice(["p", "q", "r", "s"], N),
        },
        index=rng.permutation(N) + 1000,
    )
    frame["y"] = rng.poisson(
        np.exp(0.3 + 0.3 * frame["x"] + frame["o"] + 0.3 * frame["b"] + rng.normal(size=12)[frame["g"]])
    )
    return frame


FORMULA = "y ~ x + k + f + b + (1 | g) + (1 | h)"


def model_of(data, formula=FORMULA, **kwargs):
    return MCLAMixedGLM.from_formula(formula, data=data, family=sm.families.Poisson(), **kwargs)


def same(one, other):
    assert one.exog_names == other.exog_names
    np.testing.assert_array_equal(one.exog, other.exog)
    np.testing.assert_array_equal(one.inputs.Z.toarray(), other.inputs.Z.toarray())
    np.testing.assert_array_equal(one.endog, other.endog)
    np.testing.assert_array_equal(one.inputs.offset, other.inputs.offset)
    assert [t.levels for t in one.random_terms] == [t.levels for t in other.random_terms]


def arrow(data):
    pytest.importorskip("pyarrow")
    return data.convert_dtypes(dtype_backend="pyarrow")


def polars(data):
    pytest.importorskip("pyarrow")
    return pytest.importorskip("polars").from_pandas(data)


def arrow_table(data):
    return pytest.importorskip("pyarrow").Table.from_pandas(data, preserve_index=False)


def narwhals(data):
    return pytest.importorskip("narwhals").from_native(data)


def nullable_categories(data):
    columns = {name: data[name].convert_dtypes().astype("category") for name in ("f", "h", "g")}
    return data.assign(**columns)


KINDS = [pd.DataFrame.convert_dtypes, arrow, polars, arrow_table, narwhals, nullable_categories]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_columns_of_today(data, kind):
    model = model_of(kind(data), offset="o", freq_weights="w")
    same(model, model_of(data, offset="o", freq_weights="w"))


@pytest.mark.parametrize("kind", [*KINDS, dict, pd.DataFrame.copy], ids=lambda kind: kind.__name__)
def test_a_table_may_stand_second(data, kind):
    """As in statsmodels' formula interface, where it is not the formulas of ``vc_formulas``, as in its mixed models."""
    made = MCLAMixedGLM.from_formula(FORMULA, kind(data), family=sm.families.Poisson())
    same(made, model_of(kind(data)))
    components = MCLAMixedGLM.from_formula("y ~ x", {"g": "0 + C(g)"}, data, family=sm.families.Poisson())
    assert [term.name for term in components.random_terms] == ["g"]


@pytest.mark.parametrize("kind", KINDS[:-1], ids=lambda kind: kind.__name__)
def test_missing_values_drop_like_nan(data, kind):
    holes = data.copy().astype({"b": object, "y": float, "k": float, "w": float, "g": float})
    for row, name in enumerate(data.columns):
        holes.iloc[row, holes.columns.get_loc(name)] = None
    model = model_of(kind(holes), offset="o", freq_weights="w")
    right = data.iloc[len(data.columns) :]
    if kind not in KINDS[:2]:  # these know integers from floats in spite of gaps
        right = right.astype({"g": float})
    same(model, model_of(right, offset="o", freq_weights="w"))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_new_rows_in_columns_of_today(data, kind):
    fit = model_of(data).fit_laplace()
    new = data.head(7)
    for random in ("none", "conditional"):
        right = np.asarray(fit.predict(new, random=random))
        np.testing.assert_allclose(fit.predict(kind(new), random=random), right)
    np.testing.assert_allclose(model_of(kind(data)).fit_laplace().predict(new), fit.predict(new))


def test_large_integers_with_gaps_stay_apart():
    big = pd.Series([2**60, 2**60 + 1, None], dtype="Int64")
    assert list(as_frame({"g": big})["g"][:2]) == [2**60, 2**60 + 1]


def test_a_query_is_asked(data):
    pytest.importorskip("pyarrow")
    lazy = pytest.importorskip("polars").from_pandas(data).lazy()
    same(model_of(lazy), model_of(data))


def test_other_things_are_no_data():
    with pytest.raises(FormulaError, match="data must be a DataFrame"):
        as_frame(3)
    with pytest.raises(FormulaError, match=r"give a list a column, \{'x': \[1.0\]\}"):
        as_frame({"x": 1.0, "g": 3})


# -- labels of rows ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["groups", "offset", "freq_weights", "var_weights", "exposure"])
def test_series_are_taken_by_label(data, name):
    column = {"groups": "g", "offset": "o"}.get(name, "w")
    formula = "y ~ x" if name == "groups" else "y ~ x + (1 | g)"
    right = model_of(data, formula, **{name: data[column].to_numpy()})
    shuffled = data[column].sample(frac=1, random_state=1)
    same(model_of(data, formula, **{name: shuffled}), right)
    subset = data["x"] > 0
    same(
        model_of(data, formula, **{name: shuffled}, subset=subset),
        model_of(data[subset], formula, **{name: data.loc[subset, column].to_numpy()}),
    )
    for bad in (shuffled.iloc[1:], shuffled.reset_index(drop=True)):
        with pytest.raises(FormulaError, match=f"{name} has another index"):
            model_of(data, formula, **{name: bad})


def test_a_series_that_is_a_column_of_another_order_is_that_column(data):
    model = model_of(data, "y ~ x", groups=data["g"].sample(frac=1, random_state=1))
    right = model_of(data, "y ~ x", groups=data["g"])
    same(model, right)
    fits = [m.fit_laplace().predict(data.head(3), random="conditional") for m in (model, right)]
    np.testing.assert_allclose(*fits)


def test_labels_do_not_take_the_place_of_another_column(data):
    with pytest.raises(FormulaError, match="another column of the name 'groups'"):
        model_of(data.assign(groups=1), "y ~ x", groups=data["g"].to_numpy())


def test_predictions_take_series_by_label(data):
    fit = model_of(data, offset="o").fit_laplace()
    new = data.head(4)
    offset = pd.Series([0.0, 1.0, 2.0, 3.0], index=new.index[::-1])
    right = fit.predict(new, offset=offset.loc[new.index].to_numpy())
    np.testing.assert_allclose(fit.predict(new, offset=offset), right)
    with pytest.raises(ValueError, match="offset has another index"):
        fit.predict(new, offset=offset.reset_index(drop=True))


@pytest.mark.parametrize("rows", [1, 2])
def test_few_rows_are_rows_too(data, rows):
    fit = model_of(data, offset="o", exposure="w").fit_laplace()
    np.testing.assert_allclose(fit.predict(data.head(rows)), fit.predict(data)[:rows])
    column = data[["o"]].head(rows).to_numpy()
    given = fit.predict(data.head(rows), offset=column, exposure=data["w"].head(rows))
    np.testing.assert_allclose(given, fit.predict(data)[:rows])


def test_clusters_are_taken_by_label(data):
    fit = model_of(data, "y ~ x + (1 | g)").fit_laplace()
    right = fit.with_cov_type("cluster", groups="g").bse
    shuffled = data["g"].sample(frac=1, random_state=1)
    np.testing.assert_allclose(fit.with_cov_type("cluster", groups=shuffled).bse, right)


# -- labels of categories ---------------------------------------------------------------------------


def test_new_rows_are_matched_by_value(data):
    fit = model_of(data).fit_laplace()
    new = data[data["f"] != "b"].head(5)
    right = fit.predict(new, random="conditional")
    columns = {
        "a subset": new["f"].astype("category"),
        "another order": pd.Categorical(new["f"], categories=["c", "b", "a"]),
        "one more, unused": pd.Categorical(new["f"], categories=["a", "b", "c", "d"]),
        "text": new["f"].astype("string"),
    }
    ordered = data.assign(f=pd.Categorical(data["f"], categories=["c", "a", "b"]))
    other = model_of(ordered).fit_laplace()
    for column in columns.values():
        np.testing.assert_allclose(fit.predict(new.assign(f=column), random="conditional"), right)
        np.testing.assert_allclose(
            other.predict(new.assign(f=column), random="conditional"), right, rtol=1e-4
        )
    groups = new.assign(g=new["g"].astype("category"), h=pd.Categorical(new["h"], list("srqpz")))
    np.testing.assert_allclose(fit.predict(groups, random="conditional"), right)
    for fitted in (fit, other):
        with pytest.raises(ValueError, match="'d'"):
            fitted.predict(new.assign(f=pd.Categorical(["d"] * 5)))


@pytest.mark.parametrize(("column", "held"), [("g", "numbers"), ("f", "text"), ("k", "numbers")])
def test_labels_of_another_kind_are_refused(data, column, held):
    fit = model_of(data).fit_laplace()
    new = data.head(3)
    other = new[column].astype(str) if held == "numbers" else [1, 2, 3]
    for value in (other, pd.Categorical(other)):
        with pytest.raises(
            ValueError, match=rf"column '{column}' holds .* and {held} in the data of the fit"
        ):
            fit.predict(new.assign(**{column: value}), random="conditional")
    np.testing.assert_allclose(fit.predict(new.assign(unused="text")), fit.predict(new))


def test_booleans_are_called_so(data):
    """They are matched with numbers, and text with neither."""
    result = model_of(data, "y ~ b + (1 | g)").fit_laplace()
    expected = result.predict(data)
    for column in (data["b"].astype(int), data["b"].astype(object)):
        np.testing.assert_array_equal(result.predict(data.assign(b=column)), expected)
    text = data.assign(b=data["b"].astype(str))
    with pytest.raises(
        FormulaError, match=r"holds text in the new rows and booleans in .*: compare it with a text"
    ):
        result.predict(text)
    np.testing.assert_array_equal(result.predict(text.assign(b=text["b"] == "True")), expected)


def test_categories_that_do_not_occur_are_dropped(data):
    cat = data.assign(f=data["f"].astype("category"))
    for drop in "ca":
        keep = data["f"] != drop
        same(model_of(cat, subset=keep), model_of(data[keep]))
        same(model_of(cat[keep]), model_of(data[keep]))
    rare = pd.Categorical(np.where(np.arange(N) < 3, "rare", data["f"]))
    holes = data.assign(f=rare, x=np.where(np.arange(N) < 3, np.nan, data["x"]))
    same(model_of(holes), model_of(data.iloc[3:]))
    inner = "y ~ x + (0 + f | g)"
    same(model_of(cat, inner, subset=cat["f"] != "c"), model_of(data[data["f"] != "c"], inner))


def test_two_columns_of_one_name_are_refused(data):
    twice = pd.concat([data, data[["x"]]], axis=1)
    with pytest.raises(FormulaError, match="several columns of the name 'x'"):
        model_of(twice)
    same(model_of(twice, "y ~ k + (1 | g)"), model_of(data, "y ~ k + (1 | g)"))


@pytest.mark.parametrize(
    "formula", ["y ~ {} + (1 | g)", "y ~ x + ({} | g)", "y ~ x + (1 | {})", "y ~ x:log({}) + (1 | g)"]
)
def test_columns_named_like_words_of_python(data, formula):
    named = data.rename(columns={"k": "class"})
    with pytest.raises(
        FormulaError, match=r"`.*class.*` cannot be read: class is a word .* write Q\('class'\)"
    ):
        model_of(named, formula.format("class"))
    quoted = formula.replace("log", "np.log1p").format("Q('class')")
    plain = model_of(data, formula.replace("log", "np.log1p").format("k"))
    np.testing.assert_array_equal(model_of(named, quoted).exog, plain.exog)
    np.testing.assert_array_equal(model_of(named, quoted).inputs.Z.toarray(), plain.inputs.Z.toarray())


def test_arrays_of_all_rows_are_cut_to_the_subset(data):
    """In the order of the data, as a column of it would be; one of the chosen rows alone is taken as it is."""
    keep = (data["x"] > 0).to_numpy()
    weights = np.arange(1.0, len(data) + 1)
    for subset in (keep, data.index[keep][::-1]):
        expected = model_of(data.assign(w=weights), freq_weights="w", subset=subset)
        found = model_of(data, freq_weights=weights, subset=subset)
        same(found, expected)
        np.testing.assert_array_equal(found.freq_weights, expected.freq_weights)
    alone = model_of(data, freq_weights=weights[keep], subset=keep)
    np.testing.assert_array_equal(alone.freq_weights, weights[keep])


def test_an_array_beside_the_data_shows_the_way(data):
    array = np.ones(len(data) + 1)  # noqa: F841 - the formula names it
    with pytest.raises(FormulaError, match="make it a column of the data"):
        MCLAMixedGLM.from_formula("y ~ x + array + (1 | g)", data=data)


def test_subsets_of_another_library(data):
    series = pytest.importorskip("polars").Series((data["x"] > 0).to_numpy())
    same(model_of(data, subset=series), model_of(data[data["x"] > 0]))
    with pytest.raises(FormulaError, match="subset leaves no rows"):
        model_of(data, subset=data["x"] > 99)


def test_designs_are_matched_by_the_names_of_their_columns(data):
    fit = model_of(data).fit_laplace()
    design = pd.DataFrame(fit.model.exog, columns=fit.model.exog_names, index=data.index)
    right = fit.predict(design, transform=False)
    np.testing.assert_allclose(fit.predict(design[design.columns[::-1]], transform=False), right)


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"y": [[1]] * 24}, "`y` holds lists, such as [1]: give each row one number"),
        ({"x": [{"a": 1}] * 24}, "`x` holds dicts, such as {'a': 1}: give each row one number"),
        ({"y": ["0", "1", "3"] * 8}, "the response 'y' holds numbers as text, such as '0': convert it with"),
        ({"y": ["no", "yes", "yes"] * 8}, "say which value is a success, for instance (y == 'yes')"),
    ],
    ids=lambda _: "",
)
def test_cells_that_are_no_numbers_are_named(wrong, text):
    data = pd.DataFrame(
        {"y": [0, 1, 3] * 8, "x": np.arange(24) % 5, "g": np.repeat(np.arange(6), 4), **wrong}
    )
    with pytest.raises(FormulaError, match=re.escape(text)):
        MCLAMixedGLM.from_formula("y ~ x + (1 | g)", data=data, family="poisson")
