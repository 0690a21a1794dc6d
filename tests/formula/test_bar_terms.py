"""Bar terms against patsy's dense designs and designs written out by hand."""

import pickle
import tracemalloc

import numpy as np
import pandas as pd
import patsy
import pytest
from random_terms import bars_of, by_hand, terms_of

from statsmodels_mcla.design.random_terms import RandomTerm
from statsmodels_mcla.formula.bars import split_formula
from statsmodels_mcla.formula.missing import incomplete_rows
from statsmodels_mcla.formula.random_effects import read_random_terms
from statsmodels_mcla.formula.terms import BarTerm, FormulaError, FormulaWarning
from statsmodels_mcla.formula.variance_components import read_vc_formulas


@pytest.mark.parametrize(
    ("inner", "columns"),
    [
        ("1", ["Intercept"]),
        ("x", ["Intercept", "x"]),
        ("1 + x + z", ["Intercept", "x", "z"]),
        ("0 + x", ["x"]),
        ("np.log(x)", ["Intercept", "np.log(x)"]),
        ("f", ["Intercept", "f[T.v]", "f[T.w]"]),
        ("0 + f", ["f[u]", "f[v]", "f[w]"]),
        ("C(f, Sum)", ["Intercept", "C(f, Sum)[S.u]", "C(f, Sum)[S.v]"]),
        ("0 + flag:x", ["flag[False]:x", "flag[True]:x"]),
        ("center(x)", ["Intercept", "center(x)"]),
    ],
)
def test_inner_design_is_patsys(data, inner, columns):
    (term,) = terms_of(f"y ~ ({inner} | g)", data)
    assert list(term.columns) == columns
    assert (term.name, term.levels, term.dim, term.n_levels) == ("g", ("g1", "g2", "g3"), len(columns), 3)
    x = patsy.dmatrix(inner, data)
    np.testing.assert_array_equal(term.Z.toarray(), by_hand(x, list(data["g"]), ["g1", "g2", "g3"]))
    assert term.Z.has_canonical_format
    assert np.all(term.Z.data != 0.0)


@pytest.mark.parametrize(
    ("group", "levels"),
    [
        ("g", ["g1", "g2", "g3"]),
        ("i", ["9", "10", "100"]),
        ("C(i)", ["9", "10", "100"]),
        ("flag", ["False", "True"]),
        ("day", ["2020-01-01 00:00:00", "2020-01-02 00:00:00"]),
        ("pair", ["('a', 1)", "('b', 0)"]),
        ("cat", ["lo", "hi"]),
        ("C(g, levels=['g2', 'g3', 'g1', 'g0'])", ["g2", "g3", "g1"]),
        ("Q('my group')", ["p", "q"]),
        ("np.where(x > 2, 'far', 'near')", ["far", "near"]),
    ],
)
def test_grouping_kinds_and_order(data, group, levels):
    (term,) = terms_of(f"y ~ (1 | {group})", data)
    assert term.name == group
    assert [str(level) for level in term.levels] == levels
    value = {"np.where(x > 2, 'far', 'near')": np.where(data["x"] > 2, "far", "near")}.get(group)
    column = {"C(i)": "i", "Q('my group')": "my group", "C(g, levels=['g2', 'g3', 'g1', 'g0'])": "g"}
    labels = data[column.get(group, group)] if value is None else value
    np.testing.assert_array_equal(
        term.Z.toarray(), by_hand(np.ones((60, 1)), [str(label) for label in labels], levels)
    )


def test_levels_of_mixed_kinds_are_numbers_then_strings():
    frame = pd.DataFrame({"g": pd.Series(["b", 2, "a", 1, 2], dtype=object)})
    (term,) = terms_of("y ~ (1 | g)", frame)
    assert term.levels == (1, 2, "a", "b")


def test_row_order_and_labels_do_not_matter(data):
    (term,) = terms_of("y ~ (x | a:b)", data)
    shuffled = data.sample(frac=1.0, random_state=3)
    renamed = shuffled.assign(a=shuffled["a"].map({"a1": "n", "a2": "m"}))
    (other,) = terms_of("y ~ (x | a:b)", renamed)
    want = term.Z[data.index.get_indexer(shuffled.index)].toarray().reshape(60, 2, 3, 2)
    np.testing.assert_array_equal(other.Z.toarray().reshape(60, 2, 3, 2), want[:, ::-1])


def test_nesting_is_a_and_the_interaction(data):
    nested = terms_of("y ~ (1 + x | a/b)", data)
    apart = terms_of("y ~ (1 + x | a) + (1 + x | a:b)", data)
    assert [t.name for t in nested] == ["a", "a:b"] == [t.name for t in apart]
    assert nested[1].levels == ("a1:b1", "a1:b2", "a1:b3", "a2:b1", "a2:b2", "a2:b3")
    for one, other in zip(nested, apart, strict=True):
        assert (one.levels, one.columns) == (other.levels, other.columns)
        np.testing.assert_array_equal(one.Z.toarray(), other.Z.toarray())
    labels = [f"{a}:{b}" for a, b in zip(data["a"], data["b"], strict=True)]
    want = by_hand(patsy.dmatrix("x", data), labels, nested[1].levels)
    np.testing.assert_array_equal(nested[1].Z.toarray(), want)
    three = terms_of("y ~ (1 | a/b/f)", data)
    assert [t.name for t in three] == ["a", "a:b", "a:b:f"]


def test_combinations_that_do_not_occur_drop_out(data):
    kept = data[(data["a"] != "a1") | (data["b"] == "b2")]
    (term,) = terms_of("y ~ (1 | a:b)", kept)
    assert term.levels == ("a1:b2", "a2:b1", "a2:b2", "a2:b3")


def test_double_bar_splits_terms_as_lme4(data):
    split = terms_of("y ~ (1 + x + z || g)", data)
    apart = terms_of("y ~ (1 | g) + (0 + x | g) + (0 + z | g)", data)
    assert [t.columns for t in split] == [("Intercept",), ("x",), ("z",)]
    assert {t.name for t in split} == {"g"}
    for one, other in zip(split, apart, strict=True):
        np.testing.assert_array_equal(one.Z.toarray(), other.Z.toarray())
    (factor,) = terms_of("y ~ (0 + f || g)", data)
    assert factor.columns == ("f[u]", "f[v]", "f[w]")
    crossed = terms_of("y ~ (x || a/b)", data)
    assert [(t.name, t.columns) for t in crossed] == [
        ("a", ("Intercept",)),
        ("a", ("x",)),
        ("a:b", ("Intercept",)),
        ("a:b", ("x",)),
    ]


def test_intercept_beside_a_factor_is_warned_of(data):
    for formula in ("y ~ (f || g)", "y ~ (1 | g) + (0 + f | g)", "y ~ (0 + x | g) + (0 + x:f | g)"):
        with pytest.warns(FormulaWarning, match="lies within those of"):
            terms_of(formula, data)
    for formula in (
        "y ~ (1 | g) + (0 + f | b)",
        "y ~ (x || g)",
        "y ~ (f | g)",
        "y ~ (0 + x | g) + (0 + f | g)",
    ):
        terms_of(formula, data)  # any warning is an error


def test_names_of_the_caller_are_found(data):
    def halved(v):
        return v / 2.0

    want = patsy.dmatrix("halved(x)", data)
    bars = bars_of("y ~ (halved(x) | g)")
    environments = [0, patsy.EvalEnvironment.capture(), {"halved": halved}]
    for eval_env in environments:
        (term,) = read_random_terms(bars, data, eval_env)
        np.testing.assert_array_equal(term.design.rebuild(data).x, want)
    with pytest.raises(FormulaError, match="halved"):
        read_random_terms(bars, data, -1)
    with pytest.raises(FormulaError, match="eval_env"):
        read_random_terms(bars, data, "here")


def test_data_as_a_mapping(data):
    (term,) = terms_of("y ~ (x | g)", data.to_dict("list"))
    (want,) = terms_of("y ~ (x | g)", data)
    np.testing.assert_array_equal(term.Z.toarray(), want.Z.toarray())


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("y ~ (1 | nope)", r"`\(1 \| nope\)` needs 'nope', which is no column of the data \(y, x"),
        ("y ~ (nope | g)", r"`\(nope \| g\)` needs 'nope'"),
        ("y ~ (1 | Q('no pe'))", "needs 'no pe'"),
        ("y ~ (nofunc(x) | g)", "needs 'nofunc'"),
        ("y ~ (1 | g + a)", r"'\+' cannot stand right of the bar"),
        ("y ~ (1 | g * a)", r"'\*' cannot stand right of the bar"),
        ("y ~ (1 | 1)", "'1' cannot stand right of the bar"),
        ("y ~ (0 | g)", r"`\(0 \| g\)` has no effects"),
        ("y ~ (1 | one)", r"`\(1 \| one\)`: the grouping one has one level only \(k\)"),
        ("y ~ (1 | g) + (x | g)", "Intercept of g appears twice"),
        ("y ~ (1 | a/b) + (1 | b:a)", "appears twice"),
        ("y ~ (1 | np.column_stack([x, x]))", "2-dimensional"),
        ("y ~ (1 | gaps)", "gaps has missing or infinite values; drop those rows"),
        ("y ~ (holes | g)", "holes.*missing|missing.*holes"),
        ("y ~ (np.log(x - x) | g)", "missing or infinite"),
        ("y ~ (x[:3] | g)", "rows"),
        ("y ~ (1 | g[:3])", "has 3 rows and the data 60"),
        ("y ~ (x + | g)", "nothing stands left of the bar"),
        ("y ~ (x / g[0)", "cannot be read"),
        ("y ~ (x['no'] | g)", "cannot be evaluated"),
        ("y ~ (2 | g)", "cannot be read"),
        ("y ~ (x z | g)", r"`\(x z \| g\)` cannot be evaluated"),
        ("y ~ (1 | g a)", r"`\(1 \| g a\)`: 'g a' cannot stand right of the bar"),
        ("y ~ (1 | C(g, levels=['g1', 'g2']))", "outside its levels"),
        ("y ~ (many | g)", "more than 1000 levels"),
        ("y ~ (cr(two, df=3) | g)", "cannot be evaluated"),
        ("y ~ (two | g)", "Intercept, two are linearly dependent"),
        ("y ~ (0 + x + z + I(x - 3 * z) | g)", "linearly dependent"),
        ("y ~ (0 + cat | g)", r"cat\[unused\] is zero in every row"),
    ],
)
@pytest.mark.filterwarnings("ignore:divide by zero")
def test_bar_term_errors(data, formula, message):
    data = data.assign(
        one="k",
        two=2.0,
        gaps=data["g"].where(data["x"] < 2.5),
        holes=data["x"].where(data["x"] < 2.5),
        many=range(60),
    )
    if "many" in formula:
        data = pd.concat([data] * 20).assign(many=[f"m{k}" for k in range(1200)])
    with pytest.raises(FormulaError, match=message):
        terms_of(formula, data)


def test_data_errors():
    bars = bars_of("y ~ (1 | g)")
    with pytest.raises(FormulaError, match="no rows"):
        read_random_terms(bars, pd.DataFrame({"g": []}))
    with pytest.raises(FormulaError, match="DataFrame"):
        read_random_terms(bars, {"g": ["a", "b"], "x": [1]})


# -------------------------------------------------------------------------------------------- rebuild


def test_rebuild_of_the_fitted_rows_is_the_term(data):
    for formula in ("y ~ (x | g)", "y ~ (center(x) + f | a:b)", "y ~ (1 | cat)"):
        (term,) = terms_of(formula, data)
        rows = term.design.rebuild(data.iloc[::-1])
        assert not rows.unknown.any()
        np.testing.assert_array_equal(rows.Z.toarray(), term.Z.toarray()[::-1])
        assert rows.x.shape == (60, term.dim)


def test_rebuild_flags_unknown_levels(data):
    train = data[(data["a"] != "a1") | (data["b"] == "b2")]
    (term,) = terms_of("y ~ (x | a:b)", train)
    new = pd.DataFrame(
        {
            "a": ["a1", "a1", "new", None, "a2"],
            "b": ["b2", "b1", "b1", "b1", "b3"],
            "x": [1.0, 2.0, 3.0, 4.0, 5.0],
        }
    )
    rows = term.design.rebuild(new)
    np.testing.assert_array_equal(rows.unknown, [False, True, True, True, False])
    np.testing.assert_array_equal(rows.x, patsy.dmatrix("x", new))
    want = np.zeros((5, 8))
    want[0, :2] = 1.0, 1.0
    want[4, 6:] = 1.0, 5.0
    np.testing.assert_array_equal(rows.Z.toarray(), want)


def test_rebuild_keeps_what_transforms_learnt(data):
    (term,) = terms_of("y ~ (center(x) | g)", data)
    new = pd.DataFrame({"x": [2.0, np.nan], "g": pd.Categorical(["g2", "g3"])})
    rows = term.design.rebuild(new)
    np.testing.assert_allclose(rows.x, [[1.0, 2.0 - data["x"].mean()], [np.nan, np.nan]])
    assert not rows.unknown.any()


def test_rebuild_errors(data):
    (term,) = terms_of("y ~ (f | g)", data)
    with pytest.raises(FormulaError, match=r"`\(f \| g\)` cannot be evaluated.*'new'"):
        term.design.rebuild(data.assign(f="new"))
    with pytest.raises(FormulaError, match="needs 'g'"):
        term.design.rebuild(data.drop(columns="g"))
    gaps = term.design.rebuild(data.assign(f=data["f"].where(data["x"] > 2.0, None)))
    np.testing.assert_array_equal(np.isnan(gaps.x).all(axis=1), data["x"] <= 2.0)


def test_terms_pickle(data):
    for formula in ("y ~ (1 | a:b)", "y ~ (np.log(x) + z | cat)"):
        (term,) = terms_of(formula, data)
        again = pickle.loads(pickle.dumps(term))
        assert (again.name, again.columns, again.levels, again.text) == (
            term.name,
            term.columns,
            term.levels,
            term.text,
        )
        rows = again.design.rebuild(data)
        np.testing.assert_array_equal(rows.Z.toarray(), term.Z.toarray())
        with pytest.raises(FormulaError, match=r"numerical in the fitted data|needs"):
            again.design.rebuild(data.drop(columns="b").assign(z="text", cat="lo"))
        twice = pickle.loads(pickle.dumps(again)).design.rebuild(data)
        np.testing.assert_array_equal(twice.x, rows.x)
    for formula in ("y ~ (f | g)", "y ~ (center(x) | g)"):
        (term,) = terms_of(formula, data)
        assert not term.design.rebuild(data).unknown.any()
        with pytest.raises(FormulaError, match="unpickled"):
            pickle.loads(pickle.dumps(term)).design.rebuild(data)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["strings", "integers"])
def test_a_million_rows_of_a_hundred_thousand_levels(kind):
    n, levels = 10**6, 10**5
    rng = np.random.default_rng(1)
    codes = rng.permutation(np.resize(np.arange(levels), n))
    data = pd.DataFrame({"x": rng.uniform(size=n), "a": codes % 1000, "g": codes})
    if kind == "strings":
        data["g"] = pd.Series(np.char.add("s", codes.astype(str))).astype(object)
    tracemalloc.start()
    try:
        fixed, bars = split_formula("x ~ 1 + (x | g) + (1 | a:g)")
        formulas = {"v": "0 + C(g)", "w": "0 + C(g):x", "n": "0 + C(a):C(g)"}
        assert not incomplete_rows(fixed, bars, formulas, data).any()
        terms = [*read_random_terms(bars, data), *read_vc_formulas(formulas, data)]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert [t.Z.shape for t in terms] == [(n, 2 * levels), *[(n, levels)] * 4]
    assert terms[0].Z.nnz == 2 * n
    assert all(t.Z.nnz == n for t in terms[1:])
    assert peak < 1e9
    sums = terms[2].Z.sum(axis=0)
    np.testing.assert_array_equal(sums, 10.0)


def test_bar_term_is_plain_text():
    bar = BarTerm("(x | g)", "x", "g")
    assert bar.correlated
    assert pickle.loads(pickle.dumps(bar)) == bar


# ---------------------------------------------------------------------------------------------- edges


def test_levels_that_cannot_be_compared_are_refused(data):
    with pytest.raises(FormulaError, match="cannot be"):
        terms_of("y ~ (1 | g)", data.assign(g=[["unhashable"], ["list"]] * 30))


def test_interaction_too_large_to_number(data):
    wide = pd.Categorical(data["g"], categories=[*[f"c{k}" for k in range(70000)], "g1", "g2", "g3"])
    frame = data.assign(**{f"w{k}": wide for k in range(4)})
    with pytest.raises(FormulaError, match="is too large"):
        terms_of("y ~ (1 | w0:w1:w2:w3)", frame)
    (term,) = terms_of("y ~ (1 | w0:w1:w2)", frame)
    assert term.levels == ("g1:g1:g1", "g2:g2:g2", "g3:g3:g3")


def test_random_term_checks_its_shape(data):
    (term,) = terms_of("y ~ (x | g)", data)
    with pytest.raises(ValueError, match="6 columns for 2 levels"):
        RandomTerm(term.name, term.columns, term.levels[:2], term.Z)


@pytest.mark.parametrize("formula", ["y ~ 0_ + (1 | g)", "y ~ x\0 + (1 | g)", "y ~ (1 | g) + $"])
def test_what_python_cannot_tokenize_is_an_error(data, formula):
    with pytest.raises(FormulaError):
        incomplete_rows(*split_formula(formula), None, data)
