"""Variance components and MixedLM's arguments against patsy's dense designs and statsmodels' own models."""

import pickle

import numpy as np
import pandas as pd
import patsy
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from random_terms import by_hand
from statsmodels.regression.mixed_linear_model import MixedLM

from statsmodels_mcla.formula.random_effects import mixedlm_terms
from statsmodels_mcla.formula.terms import FormulaError
from statsmodels_mcla.formula.variance_components import read_vc_formulas


def dense(formula, data):
    """patsy's design less the columns that no row has an entry in."""
    matrix = patsy.dmatrix(formula, data, return_type="dataframe", eval_env=0)
    return matrix.loc[:, (matrix != 0.0).any()]


def check_vc(formula, data):
    (term,) = read_vc_formulas({"v": formula}, data)
    want = dense(formula, data)
    assert list(term.levels) == list(want.columns)
    np.testing.assert_array_equal(term.Z.toarray(), want)
    assert (term.name, term.columns, term.dim) == ("v", ("v",), 1)
    rows = term.design.rebuild(data)
    assert not rows.unknown.any()
    np.testing.assert_array_equal(rows.Z.toarray(), want)
    np.testing.assert_allclose(rows.x[:, 0] ** 2, (want**2).sum(axis=1))
    return term


VC_FORMULAS = [
    "0 + C(g)",
    "0 + g",
    "0 + C(i)",
    "0 + flag",
    "0 + cat",
    "C(g)",
    "1 + x",
    "0 + x + z",
    "0 + C(g):x",
    "0 + x:C(g)",
    "0 + C(a):C(b)",
    "0 + C(a):C(b):C(f)",
    "0 + a:x:b:z",
    "0 + C(g)*x",
    "0 + a*b*f",
    "a + a:b",
    "0 + C(g, Sum)",
    "C(g, Sum)*x + f",
    "0 + C(g, Treatment)",
    "0 + C(g, Treatment('g2')) + a:C(g, Treatment('g2'))",
    "0 + C(g, levels=['g3', 'g1', 'g2'])",
    "0 + np.column_stack([x, z]):a",
    "0 + center(x):g",
    "0 + bs(x, df=4):a",
    "0 + C(f, Poly):x + I(x > 2)",
    "0 + Q('my group')",
]


@pytest.mark.parametrize("formula", VC_FORMULAS)
def test_vc_is_patsys_dense_design(data, formula):
    check_vc(formula, data)


vc_factors = st.sampled_from(["g", "C(i)", "cat", "x", "z", "flag", "C(f, Sum)", "np.column_stack([x, z])"])
vc_terms = st.lists(vc_factors, min_size=1, max_size=3, unique=True).map(":".join)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(vc_terms, min_size=1, max_size=4, unique=True),
    st.booleans(),
    st.integers(0, 2**32 - 1),
    st.integers(12, 60),
)
def test_random_vc_formulas_are_patsys_dense_design(terms, intercept, seed, n):
    rng = np.random.default_rng(seed)
    data = pd.DataFrame(
        {
            "x": rng.normal(size=n),
            "z": rng.normal(size=n),
            "g": rng.permutation(np.resize(["g1", "g2", "g3"], n)),
            "f": rng.permutation(np.resize(["u", "v", "w"], n)),
            "i": rng.permutation(np.resize([9, 10], n)),
            "flag": rng.permutation(np.resize([True, False], n)),
            "cat": pd.Categorical(rng.permutation(np.resize(["lo", "hi"], n)), categories=["no", "lo", "hi"]),
        }
    )
    formula = f"{int(intercept)} + {' + '.join(terms)}"
    if dense(formula, data).shape[1] < 2:
        with pytest.raises(FormulaError, match="one effect only"):
            read_vc_formulas({"v": formula}, data)
    else:
        (term,) = read_vc_formulas({"v": formula}, data)
        want = dense(formula, data)
        kept = [label for label in term.levels if label in want.columns]
        assert kept == list(want.columns)
        got = pd.DataFrame(term.Z.toarray(), columns=list(term.levels))
        np.testing.assert_array_equal(got[kept], want)
        np.testing.assert_array_equal(got.drop(columns=kept), 0.0)


def test_vc_is_what_the_bayes_model_reads():
    rng = np.random.default_rng(0)
    data = pd.DataFrame(
        {
            "y": rng.integers(0, 2, 40),
            "Cross": rng.choice(["R/R", "W/W"], 40),
            "Male": rng.integers(10, 15, 40),
            "Female": rng.integers(1, 6, 40),
        }
    )
    formulas = {"M": "0 + C(Male)", "F": "0 + C(Female)"}
    model = sm.BinomialBayesMixedGLM.from_formula("y ~ 0 + Cross", formulas, data)
    terms = read_vc_formulas(formulas, data)
    assert [t.name for t in terms] == model.vcp_names == ["M", "F"]
    assert [label for t in terms for label in t.levels] == model.vc_names
    Z = np.hstack([t.Z.toarray() for t in terms])
    np.testing.assert_array_equal(Z, model.exog_vc.toarray())
    np.testing.assert_array_equal(np.repeat([0, 1], [t.Z.shape[1] for t in terms]), model.ident)


def test_vc_list_shares_one_variance(data):
    (term,) = read_vc_formulas({"v": ["0 + C(g)", "0 + a"]}, data)
    want = pd.concat([dense("0 + C(g)", data), dense("0 + a", data)], axis=1)
    assert list(term.levels) == list(want.columns)
    np.testing.assert_array_equal(term.Z.toarray(), want)
    assert term.columns == ("v",)


def test_vc_rebuild_flags_unknown_levels(data):
    (term,) = read_vc_formulas(
        {"v": "0 + C(g):x + C(a):C(b)"}, data[(data["a"] != "a1") | (data["b"] == "b2")]
    )
    new = pd.DataFrame(
        {
            "g": ["g1", "new", "g3", None],
            "x": [2.0, 3.0, -4.0, 5.0],
            "a": ["a1", "a2", "a1", "a2"],
            "b": ["b2", "b1", "b1", "b1"],
        }
    )
    rows = term.design.rebuild(new)
    np.testing.assert_array_equal(rows.unknown, [False, True, True, True])
    got = pd.DataFrame(rows.Z.toarray(), columns=list(term.levels))
    np.testing.assert_array_equal(got["C(g)[g1]:x"], [2.0, 0.0, 0.0, 0.0])
    np.testing.assert_array_equal(got["C(g)[g3]:x"], [0.0, 0.0, -4.0, 0.0])
    np.testing.assert_array_equal(got.filter(like="C(b)").sum(axis=1), [1.0, 1.0, 0.0, 1.0])
    np.testing.assert_allclose(rows.x[:, 0] ** 2, new["x"] ** 2 + 1.0)


def test_vc_reference_level_is_known(data):
    (term,) = read_vc_formulas({"v": ["0 + x", "a - 1 + a:f"]}, data)
    rows = term.design.rebuild(data)
    assert not rows.unknown.any()
    (coded,) = read_vc_formulas({"v": "C(g, Sum)"}, data)
    with pytest.raises(FormulaError, match="new level"):
        coded.design.rebuild(data.assign(g="new"))


def test_vc_pickles(data):
    for formula in ("0 + C(g):np.log(x)", "0 + C(a):C(b)", "0 + C(f, Sum):x"):
        (term,) = read_vc_formulas({"v": formula}, data)
        again = pickle.loads(pickle.dumps(term))
        np.testing.assert_array_equal(again.design.rebuild(data).Z.toarray(), term.Z.toarray())
    (term,) = read_vc_formulas({"v": "0 + C(g):center(x)"}, data)
    with pytest.raises(FormulaError, match="unpickled"):
        pickle.loads(pickle.dumps(term)).design.rebuild(data)


@pytest.mark.parametrize(
    ("formulas", "message"),
    [
        ({"v": "0 + C(nope)"}, r"vc_formulas\['v'\] = '0 \+ C\(nope\)'` needs 'nope'"),
        ({"v": "0 + (1 | g)"}, r"vc_formulas\['v'\]: .*only stand in the model's formula"),
        ({"v": "y ~ 0 + C(g)"}, "has a response"),
        ({"v": 3}, "a formula or a list of formulas, not 3"),
        ({"v": []}, "a list of formulas"),
        ({"v": ["0 + C(g)", 3]}, "must be a string, not int"),
        ({1: "0 + C(g)"}, "the name 1 must be a string"),
        ("0 + C(g)", "must be a dict"),
        ({"v": "0 + C(one)"}, r"one effect only, C\(one\)\[k\]"),
        ({"v": "0 + x"}, "one effect only, x"),
        ({"v": "0"}, "no effects"),
        ({"v": "0 + C(gaps)"}, "gaps.* has missing values"),
        ({"v": "0 + C(g):holes"}, "holes has missing values"),
        ({"v": "0 + C(g):np.log(x - x)"}, "infinite values"),
        ({"v": "0 + C(many, Sum)"}, "coding of 1200 levels"),
        ({"v": "0 + g a"}, "cannot be evaluated"),
        ({"v": "0 + C(g"}, r"vc_formulas\['v'\] cannot be read"),
    ],
)
@pytest.mark.filterwarnings("ignore:divide by zero")
def test_vc_errors(data, formulas, message):
    data = data.assign(one="k", gaps=data["g"].where(data["x"] < 2.5), holes=data["x"].where(data["x"] < 2.5))
    if "many" in str(formulas):
        data = pd.concat([data] * 20).assign(many=range(1200))
    with pytest.raises(FormulaError, match=message):
        read_vc_formulas(formulas, data)


# -------------------------------------------------------------------------------------------- MixedLM


@pytest.mark.parametrize("re_formula", [None, "1", "~x", "1 + x", "~ 0 + x", "f", "~np.log(x) + z"])
def test_mixedlm_designs(data, re_formula):
    model = MixedLM.from_formula("y ~ x", data, re_formula=re_formula, groups="g")
    (term,) = mixedlm_terms("g", re_formula, data)
    assert (term.name, list(term.levels)) == ("g", model.group_labels)
    assert [column.replace("Intercept", "g") for column in term.columns] == model.data.exog_re_names
    want = by_hand(model.exog_re, list(data["g"]), model.group_labels)
    np.testing.assert_array_equal(term.Z.toarray(), want)


def test_mixedlm_groups_as_array(data):
    (named,) = mixedlm_terms("g", "~x", data)
    (column,) = mixedlm_terms(data["g"], "~x", data)
    (array,) = mixedlm_terms(data["g"].to_numpy(), "~x", data)
    (categorical,) = mixedlm_terms(pd.Categorical(data["g"], categories=["g3", "g2", "g1"]), None, data)
    (spaced,) = mixedlm_terms("my group", None, data)
    (keyword,) = mixedlm_terms("class", None, data.assign(**{"class": data["g"]}))
    assert keyword.levels == named.levels
    assert column.name == array.name == "Group"
    np.testing.assert_array_equal(column.Z.toarray(), named.Z.toarray())
    np.testing.assert_array_equal(array.Z.toarray(), named.Z.toarray())
    assert categorical.levels == ("g3", "g2", "g1")
    assert (spaced.name, spaced.levels) == ("my group", ("p", "q"))
    new = data.iloc[:5]
    np.testing.assert_array_equal(column.design.rebuild(new).Z.toarray(), named.Z.toarray()[:5])
    with pytest.raises(FormulaError, match="needs 'groups'"):
        array.design.rebuild(new)
    rows = array.design.rebuild(new.assign(groups="new"))
    assert rows.unknown.all()


@pytest.mark.parametrize(
    ("groups", "re_formula", "message"),
    [
        ("nope", None, "groups='nope' is no column"),
        (["a", "b"], None, "60 labels"),
        ("g", "y ~ x", "has a response"),
        ("g", "(1 | a)", "only stand in the model's formula"),
        ("g", "nope", "re_formula='nope'` needs 'nope'"),
        ("g", 3, "re_formula must be a string"),
    ],
)
def test_mixedlm_errors(data, groups, re_formula, message):
    with pytest.raises(FormulaError, match=message):
        mixedlm_terms(groups, re_formula, data)


def test_vc_names_of_bytes_and_of_single_levels(data):
    (term,) = read_vc_formulas({"v": "0 + raw"}, data.assign(raw=[b"one", b"two"] * 30))
    assert term.levels == ("raw[one]", "raw[two]")
    single = data.assign(one="k")
    (term,) = read_vc_formulas({"v": "0 + a + one"}, single)
    assert term.levels == ("a[a1]", "a[a2]")
    np.testing.assert_array_equal(term.Z.toarray(), dense("0 + a + one", single))


def test_vc_rebuild_needs_as_many_columns(data):
    def powers(v):
        return np.vander(v, 2 if len(v) == 60 else 3)

    (term,) = read_vc_formulas({"v": "0 + powers(x)"}, data)
    with pytest.raises(FormulaError, match="3 columns instead of 2"):
        term.design.rebuild(data.iloc[:5])
