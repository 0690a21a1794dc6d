"""Rows with gaps."""

import numpy as np
import pandas as pd
import patsy
import pytest
from random_terms import bars_of

from statsmodels_mcla.formula.bars import split_formula
from statsmodels_mcla.formula.missing import incomplete_rows
from statsmodels_mcla.formula.random_effects import read_random_terms
from statsmodels_mcla.formula.terms import FormulaError


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


@pytest.mark.parametrize(
    ("code", "rows"),
    [
        ("(f == 'yes')", [1]),
        ("I(f != 'yes')", [1]),
        ("(x > 0)", [2]),
        ("I((x > 0) * 1)", [2]),
        ("np.where(x > x.mean(), 1, 0)", [2]),
        ("(Q('a b') >= 1)", [3]),
        ("(f == 'a b')", [1]),
        ("I(x.fillna(0) > 0)", []),
        ("I(x.isna() | (x > 0))", []),
    ],
)
def test_comparisons_with_what_is_missing_are_missing(code: str, rows: list[int]) -> None:
    """Python has them as False, and R as NA."""
    data = pd.DataFrame(
        {
            "f": ["yes", None, "no", "yes", "no"],
            "x": [1.0, 2.0, np.nan, -1.0, 0.5],
            "a b": [1.0, 2.0, 3.0, np.nan, 4.0],
            "y": [1.0, 0.0, 1.0, 0.0, 1.0],
        }
    )
    assert list(np.flatnonzero(incomplete_rows(f"y ~ {code}", [], None, data))) == rows
    assert list(np.flatnonzero(incomplete_rows(f"{code} ~ y", [], None, data))) == rows
