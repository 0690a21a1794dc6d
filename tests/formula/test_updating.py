"""Formulas from other formulas, as R's update.formula gives them (its answers, with patsy's order of terms)."""

from __future__ import annotations

import pytest

from statsmodels_mcla.formula import FormulaError, updated_formula

OLD = "y ~ a * b + x + (1 + x | g) + (1 | h)"
BARS = "(1 + x | g) + (1 | h)"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (". ~ .", f"y ~ a + b + a:b + x + {BARS}"),
        (". ~ . - a:b + (1|k)", f"y ~ a + b + x + {BARS} + (1|k)"),
        ("~ . - x - (1|h)", "y ~ a + b + a:b + (1 + x | g)"),
        ("- x", f"y ~ a + b + a:b + {BARS}"),
        ("+ z", f"y ~ a + b + a:b + x + z + {BARS}"),
        ("log(y) ~ .", f"log(y) ~ a + b + a:b + x + {BARS}"),
        ("~ x + (1|g)", "y ~ x + (1|g)"),
        (". ~ . - (1 + x|g) + (1|g)", "y ~ a + b + a:b + x + (1 | h) + (1|g)"),
        (". ~ . - 1", f"y ~ 0 + a + b + a:b + x + {BARS}"),
        (". ~ . - (a + x)", f"y ~ b + a:b + {BARS}"),
        (". ~ . - a*b - x", f"y ~ 1 + {BARS}"),
        (". ~ . + I(x - 1.5)", f"y ~ a + b + a:b + x + I(x - 1.5) + {BARS}"),
    ],
)
def test_terms_come_and_go(change: str, expected: str) -> None:
    assert updated_formula(OLD, change) == expected


def test_responses_and_codings_stay() -> None:
    old = "s + I(n - s) ~ C(k, Treatment('a')) + (1 | g)"
    assert updated_formula(old, "- C(k, Treatment('a'))") == "s + I(n - s) ~ 1 + (1 | g)"
    assert updated_formula(old, "+ Q('a b')") == "s + I(n - s) ~ C(k, Treatment('a')) + Q('a b') + (1 | g)"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("- q", "no term q to remove; there are: Intercept, a, b, a:b, x"),
        ("- (1 | q)", r"no random-effect term \(1 \| q\); there are: \(1 \+ x \| g\), \(1 \| h\)"),
        ("+", "cannot be read"),
    ],
)
def test_what_is_not_there(change: str, message: str) -> None:
    with pytest.raises(FormulaError, match=message):
        updated_formula(OLD, change)
