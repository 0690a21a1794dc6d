"""Formulas against patsy's dense designs, statsmodels' own models and designs written out by hand."""

import pickle
import tracemalloc

import numpy as np
import pandas as pd
import patsy
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.regression.mixed_linear_model import MixedLM

from statsmodels_mcla.design.random_terms import RandomTerm
from statsmodels_mcla.formula.bars import split_formula
from statsmodels_mcla.formula.missing import incomplete_rows
from statsmodels_mcla.formula.random_effects import mixedlm_terms, read_random_terms
from statsmodels_mcla.formula.terms import BarTerm, FormulaError, FormulaWarning
from statsmodels_mcla.formula.variance_components import read_vc_formulas


@pytest.fixture
def data():
    rng = np.random.default_rng(5)
    n = 60
    return pd.DataFrame(
        {
            "y": rng.normal(size=n),
            "x": rng.uniform(1.0, 3.0, n),
            "z": rng.normal(size=n),
            "g": rng.choice(["g3", "g1", "g2"], n),
            "a": rng.choice(["a2", "a1"], n),
            "b": rng.choice(["b1", "b2", "b3"], n),
            "f": rng.choice(["u", "v", "w"], n),
            "i": rng.choice([10, 9, 100], n),
            "flag": rng.random(n) < 0.5,
            "cat": pd.Categorical(rng.choice(["lo", "hi"], n), categories=["unused", "lo", "hi"]),
            "my group": rng.choice(["p", "q"], n),
            "day": pd.to_datetime(rng.choice(["2020-01-02", "2020-01-01"], n)),
            "pair": [("b", 0), ("a", 1)] * (n // 2),
        },
        index=np.arange(n) * 7 + 3,
    )


def bars_of(formula):
    return split_formula(formula)[1]


def terms_of(formula, data, eval_env=0):
    return read_random_terms(
        bars_of(formula), data, eval_env if not isinstance(eval_env, int) else eval_env + 1
    )


def by_hand(x, labels, levels):
    """Z of a bar term, one entry at a time."""
    x = np.asarray(x, dtype=float)
    n, d = x.shape
    Z = np.zeros((n, len(levels) * d))
    for row in range(n):
        j = list(levels).index(labels[row])
        Z[row, j * d : (j + 1) * d] = x[row]
    return Z


# ---------------------------------------------------------------------------------------------- split


@pytest.mark.parametrize(
    ("formula", "fixed", "bars"),
    [
        ("y ~ x + (1 | g)", "y ~ x", ["1 | g"]),
        ("y ~ x + (1 + x | g) + z", "y ~ x + z", ["1 + x | g"]),
        ("y ~ (x || g) + x", "y ~ x", ["x || g"]),
        ("y ~ (0 + x | g)", "y ~ 1", ["0 + x | g"]),
        ("y ~ 0 + (1 | g)", "y ~ 0", ["1 | g"]),
        ("y ~ (1 | g) + 0", "y ~ 0", ["1 | g"]),
        ("y ~ (1 | g) - 1", "y ~ -1", ["1 | g"]),
        ("y ~ (1 | g) - 1 + x", "y ~ -1 + x", ["1 | g"]),
        ("y ~ x - 1 + (1|a/b) + (1|a:b)", "y ~ x - 1", ["1 | a/b", "1 | a:b"]),
        ("y ~ (np.log(x) | g)", "y ~ 1", ["np.log(x) | g"]),
        ("y ~ f*x + (C(f, Sum) | C(g))", "y ~ f*x", ["C(f, Sum) | C(g)"]),
        ("np.log(y + 1) ~ x + (1 | g)", "np.log(y + 1) ~ x", ["1 | g"]),
        ("s + t ~ x + (1 | g)", "s + t ~ x", ["1 | g"]),
        ("~ x + (1 | g)", "~ x", ["1 | g"]),
        ("~ (1 | g)", "~ 1", ["1 | g"]),
        ("x + (1 | g)", "x", ["1 | g"]),
        ("y ~ x +\n  (1 | g)", "y ~ x", ["1 | g"]),
        ("y ~ ((1 | g)) + ((1 | a) + x)", "y ~ (x)", ["1 | g", "1 | a"]),
        ("y ~ b + (a - b + (1 | g))", "y ~ b + (a - b)", ["1 | g"]),
        ("y ~ Q('a b') + (Q('p|q') | Q(\"g(h\"))", "y ~ Q('a b')", ["Q('p|q') | Q(\"g(h\")"]),
        ("y ~ (x[a|b] | g) + np.where(a | b, 1, 2)", "y ~ np.where(a | b, 1, 2)", ["x[a|b] | g"]),
        ("y ~ I((a > 1) | (b > 2)) + (I((a > 1) | (b > 2)) | g)", "y ~ I((a > 1) | (b > 2))", None),
    ],
)
def test_split(formula, fixed, bars):
    got_fixed, got = split_formula(formula)
    assert got_fixed == fixed
    if bars is not None:
        assert [f"{b.inner} {'|' if b.correlated else '||'} {b.group}" for b in got] == bars
    assert all(b.text.startswith("(") and b.text.endswith(")") for b in got)


@pytest.mark.parametrize(
    "formula",
    ["y ~ x", "y~x+np.where(a|b, 1, 2)  +  z", "y ~ x + Q('a | b')", "y ~ {'(1 | g)': 2}['(1 | g)'] + x", ""],
)
def test_formula_without_bars_is_unchanged(formula):
    assert split_formula(formula) == (formula, [])


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("y ~ x - (1 | g)", r"`\(1 \| g\)`: .*only be added: '-'"),
        ("y ~ -(1 | g)", "only be added: '-'"),
        ("y ~ x * (1 | g)", r"\(1 \| g\).*only be added: '\*'"),
        ("y ~ x:(1 | g)", "only be added: ':'"),
        ("y ~ (1 | g)**2", r"only be added: '\*\*'"),
        ("y ~ x - (z + (1 | g))", "only be added: '-'"),
        ("y ~ x + (1 | g", r"Unmatched '\('"),
        ("y ~ x + (1 | g))", r"extra '\)'"),
        ("y ~ x[ + (1 | g)", "unclosed bracket"),
        ("y ~ 'x + (1 | g)", "cannot be read"),
        ("y ~ (x | )", r"nothing stands right of the bar\n    y ~ \(x \| \)"),
        ("y ~ (x || )", "nothing stands right of the bar"),
        ("y ~ ( | g)", r"`\( \| g\)`: nothing stands left"),
        ("y ~ ( || g)", "nothing stands left"),
        ("y ~ (1 ||| g)", "inside another"),
        ("y ~ ((1 | g) | h)", "inside another"),
        ("y ~ (1 | 'p' | g)", "inside another"),
        ("y ~ (x | p || g)", "independent, and a label that they are not"),
        ("y ~ ((1 | h) + x | g)", "inside another"),
        ("y ~ (1 | (1 | h))", "inside another"),
        ("y ~ x | g", r"its own parentheses: \(x \| g\).* I\(x \| g\)"),
        ("y ~ (x) | (g)", "its own parentheses"),
        ("(1 | g) ~ x", "left of '~'"),
        ("y ~ (1 | g)(1 | h)", "expected an operator"),
        ("y ~ (a ~ x | g)", "only be added: '~'"),
        ("y ~", "cannot be read"),
        ("y ~ ()", "cannot be read"),
        ("y ~ x # (1 | g)", "comments"),
        (3, "must be a string, not int"),
        (None, "must be a string, not NoneType"),
    ],
)
def test_split_errors(formula, message):
    with pytest.raises(FormulaError, match=message) as caught:
        split_formula(formula)
    assert isinstance(caught.value, ValueError)


def test_errors_point_at_the_term():
    with pytest.raises(FormulaError) as caught:
        split_formula("y ~ x * (1 | g)")
    *_, line, carets = str(caught.value).split("\n")
    assert line[carets.index("^") : carets.rindex("^") + 1] == "(1 | g)"


atoms = st.sampled_from(["x", "z", "np.log(x)", "C(f, Sum)", "Q('a|b')", "I((x > 1) | (z > 2))", "h[x|z]"])
calls = st.recursive(
    atoms,
    lambda inner: st.builds("{}({}, ({} | {}))".format, st.just("fn"), inner, inner, inner),
    max_leaves=4,
)
spaces = st.sampled_from(["", " ", "  "])


@st.composite
def written_formulas(draw):
    """A formula, the sum of its fixed terms, and its bar terms, all drawn apart from one another."""
    addends, fixed, bars = [], [], []
    for _ in range(draw(st.integers(1, 6))):
        if draw(st.booleans()):
            inner = draw(st.sampled_from(["1", "0 + "])) + draw(st.just("")) if draw(st.booleans()) else ""
            inner = {"1": "1", "0 + ": "0 + " + draw(calls), "": draw(calls)}[inner]
            group = draw(st.sampled_from(["g", "a/b", "a:b", "C(g)", "Q('(')", "fn(a | b)"]))
            bar = draw(st.sampled_from(["|", "||"]))
            text = f"({inner}{draw(spaces)}{bar}{draw(spaces)}{group})"
            bars.append((inner, group, bar))
            addends.append(draw(st.sampled_from(["{}", "({})"])).format(text))
        else:
            term = draw(st.one_of(calls, st.builds("{}:{}".format, calls, calls)))
            fixed.append(term)
            addends.append(draw(st.sampled_from(["{}", "({})"])).format(term))
    plus = f"{draw(spaces)}+{draw(spaces)}"
    return "y ~ " + plus.join(addends), " + ".join(fixed) or "1", bars


@settings(max_examples=300, deadline=None)
@given(written_formulas())
def test_random_formulas_split_into_what_they_were_made_of(written):
    formula, fixed, bars = written
    got_fixed, got = split_formula(formula)
    want = patsy.ModelDesc.from_formula(f"y ~ {fixed}")
    assert patsy.ModelDesc.from_formula(got_fixed) == want or (
        patsy.ModelDesc.from_formula(got_fixed).rhs_termlist == want.rhs_termlist
    )
    assert [(b.inner, b.group, "|" if b.correlated else "||") for b in got] == bars


# ------------------------------------------------------------------------------------------ bar terms


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
        ("y ~ (1 | g a)", r"`\(1 \| g a\)` cannot be evaluated"),
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


# ------------------------------------------------------------------------------------------------- vc


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


# -------------------------------------------------------------------------------------------- missing


@pytest.fixture
def gaps():
    return pd.DataFrame(
        {
            "y": [np.nan, 1, 2, 3, 4, 5, 6, 7],
            "x": [1, np.nan, 3, -4, 5, 6, 7, 8.0],
            "g": ["a", "b", None, "a", "b", "a", "b", "a"],
            "c": pd.Categorical(["p", "q", "p", np.nan, "q", "p", "q", "p"]),
            "t": pd.to_datetime(["2020-01-01"] * 4 + [None] + ["2020-01-02"] * 3),
            "i": pd.array([1, 2, 1, 2, 1, None, 2, 2], dtype="Int64"),
            "unused": np.nan,
        },
        index=list("hgfedcba"),
    )


@pytest.mark.parametrize(
    ("formula", "vc", "rows"),
    [
        ("y ~ 1", None, [0]),
        ("y ~ x", None, [0, 1]),
        ("1 ~ x", None, [1]),
        ("y ~ x.fillna(0)", None, [0]),
        ("y ~ c", None, [0, 3]),
        ("y ~ C(g)", None, [0, 2]),
        ("y ~ (1 | g)", None, [0, 2]),
        ("y ~ (1 | C(g))", None, [0, 2]),
        ("y ~ (x | c)", None, [0, 1, 3]),
        ("y ~ (1 | g/c)", None, [0, 2, 3]),
        ("y ~ (1 | t)", None, [0, 4]),
        ("y ~ (1 | i)", None, [0, 5]),
        ("y ~ (0 + c || i)", None, [0, 3, 5]),
        ("y ~ center(x)", None, [0, 1]),
        ("y ~ bs(x, df=4)", None, [0, 1]),
        ("y ~ np.column_stack([x, y])", None, [0, 1]),
        ("y ~ 1", {"v": "0 + C(g)"}, [0, 2]),
        ("y ~ 1", {"v": ["0 + C(g):x", "0 + C(c)"]}, [0, 1, 2, 3]),
    ],
)
def test_incomplete_rows(gaps, formula, vc, rows):
    fixed, bars = split_formula(formula)
    mask = incomplete_rows(fixed, bars, vc, gaps)
    assert mask.dtype == bool
    assert list(np.flatnonzero(mask)) == rows
    fixed_only = split_formula(fixed)[0]
    if "bs" not in formula and "center" not in formula and vc is None and not bars:
        kept = patsy.dmatrices(fixed_only, gaps, return_type="dataframe", eval_env=0)[0].index
        assert list(gaps.index[~mask]) == list(kept)
    if bars:
        read_random_terms(bars, gaps[~mask])


def test_values_outside_a_functions_domain_are_incomplete(gaps):
    with np.errstate(invalid="ignore"):
        mask = incomplete_rows("y ~ np.log(x)", [], None, gaps)
    assert list(np.flatnonzero(mask)) == [0, 1, 3]


def test_incomplete_rows_of_mixedlm_groups(gaps):
    assert list(np.flatnonzero(incomplete_rows(None, [], None, gaps, groups="g", re_formula="~x"))) == [1, 2]
    mask = incomplete_rows("y ~ 1", [], None, gaps, groups=gaps["g"].to_numpy())
    assert list(np.flatnonzero(mask)) == [0, 2]


@pytest.mark.parametrize(
    ("fixed", "bars", "vc", "message"),
    [
        ("y ~ nope", "y ~ (1 | g)", None, "`y ~ nope` needs 'nope'"),
        ("y ~ x", "y ~ (1 | nope)", None, r"`\(1 \| nope\)` needs 'nope'"),
        (
            "y ~ x",
            "y ~ (1 | g)",
            {"v": "0 + C(nope)"},
            r"vc_formulas\['v'\] = '0 \+ C\(nope\)'` needs 'nope'",
        ),
        ("y ~ center(nope)", "y ~ (1 | g)", None, "needs 'nope'"),
        ("y ~ x + (1 | g)", "y ~ 1", None, "only stand in the model's formula"),
    ],
)
def test_incomplete_rows_errors(gaps, fixed, bars, vc, message):
    with pytest.raises(FormulaError, match=message):
        incomplete_rows(fixed, bars_of(bars), vc, gaps)


def test_all_rows_incomplete(gaps):
    assert incomplete_rows("y ~ center(unused)", [], None, gaps).all()


# ---------------------------------------------------------------------------------------------- scale


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


def test_random_term_checks_its_shape(data):
    (term,) = terms_of("y ~ (x | g)", data)
    with pytest.raises(ValueError, match="6 columns for 2 levels"):
        RandomTerm(term.name, term.columns, term.levels[:2], term.Z)


@pytest.mark.parametrize("formula", ["y ~ 0_ + (1 | g)", "y ~ x\0 + (1 | g)", "y ~ (1 | g) + $"])
def test_what_python_cannot_tokenize_is_an_error(data, formula):
    with pytest.raises(FormulaError):
        incomplete_rows(*split_formula(formula), None, data)
