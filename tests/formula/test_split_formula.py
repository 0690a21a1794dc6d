"""Formulas fall into their fixed part and their bars."""

import patsy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from statsmodels_mcla.formula.bars import split_formula
from statsmodels_mcla.formula.terms import FormulaError


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
