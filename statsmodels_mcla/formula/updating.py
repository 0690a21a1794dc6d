"""Formulas from other formulas: ``". ~ . - x + (1 | g)"`` as R's ``update`` has it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from patsy import ModelDesc, PatsyError

from statsmodels_mcla.formula.bars import bars_in, formula_terms, parsed, read_bar, source_of, split_formula
from statsmodels_mcla.formula.terms import BarTerm, FormulaError


@dataclass(frozen=True)
class FormulaCall:
    """What a model was made with beside its formula and data, to make it again.

    Attributes
    ----------
    vc_formulas, groups, re_formula
        As in `MCLAMixedGLM.from_formula`; groups by the name of their column.
    rows : dict
        Weights, offset and exposure that were given: the name of a column, or an array over the rows that are used.
    further : dict
        Formulas of further linear predictors, by the names of these.
    """

    vc_formulas: Mapping[str, Any] | None = None
    groups: str | None = None
    re_formula: str | None = None
    rows: Mapping[str, Any] = field(default_factory=dict)
    further: Mapping[str, str] = field(default_factory=dict)

    @property
    def arguments(self) -> dict[str, Any]:
        """Arguments of `MCLAMixedGLM.from_formula` that are not formula, data and family."""
        further = {n if n == "nominal" else f"{n}formula": text for n, text in self.further.items()}
        return {
            "vc_formulas": self.vc_formulas,
            "groups": self.groups,
            "re_formula": self.re_formula,
            **self.rows,
            **further,
        }

    @property
    def row_columns(self) -> dict[str, str | None]:
        """Columns that offset and exposure come from, None for arrays, if they were given."""
        given = {n: v for n, v in self.rows.items() if n in ("offset", "exposure")}
        return {n: v if isinstance(v, str) else None for n, v in given.items()}

    def take(self, rows: Any) -> FormulaCall:
        """Return the same for some of the rows."""
        taken = {n: v if isinstance(v, str) else np.asarray(v)[rows] for n, v in self.rows.items()}
        return replace(self, rows=taken)

    def without(self, name: str) -> FormulaCall:
        """Return the same without one of the arguments of rows."""
        return replace(self, rows={n: v for n, v in self.rows.items() if n != name})

    def for_data(self) -> FormulaCall:
        """Return the same for other data, whose rows no array fits.

        Raises
        ------
        ValueError
            If something was given as an array.
        """
        arrays = [name for name, value in self.rows.items() if not isinstance(value, str)]
        if arrays:
            raise ValueError(
                f"data: {', '.join(arrays)} of the fit was an array, which other data have none of: make it a column, "
                "and pass its name to from_formula"
            )
        return self


def updated_formula(old: str, change: str) -> str:
    """Formula with terms added and removed.

    Parameters
    ----------
    old : str
        A model's formula, with its bar terms.
    change : str
        Such as ``". ~ . - x + (1 | h)"``: a dot stands for that side of the old formula.

    Raises
    ------
    FormulaError
        If it cannot be read, or removes what is not there.

    Examples
    --------
    >>> updated_formula("y ~ a * b + (1 | g)", ". ~ . - a:b + x - (1 | g) + (1 | h)")
    'y ~ a + b + x + (1 | h)'
    """
    old_fixed, old_bars = split_formula(old)
    response, _, right = old_fixed.partition("~")
    change = change.strip()
    if "~" not in change:
        change = f". ~ . {change}" if change[:1] in ("+", "-") else f". ~ {change}"
    tree = parsed(change, "formula", dots=True)
    *left, new = tree.args
    written = source_of(left[0]) if left else "."
    bars: list[BarTerm] = []
    text = ""
    for sign, node in _summands(new):
        if node.type == "|":
            bars = _with_bar(bars, read_bar(node), sign)
            continue
        piece = source_of(node)
        if piece == ".":
            bars, piece = [*bars, *old_bars], f"({right.strip()})"
        elif sign == "-":
            _refuse_absent(old_fixed, piece)
        text += f" {sign} {piece}"
    fixed = f"{response.strip() if written == '.' else written} ~ {text.removeprefix(' +').strip() or '1'}"
    try:
        described = ModelDesc.from_formula(fixed).describe()
    except PatsyError as error:
        raise FormulaError(f"formula: {change!r} cannot be read: {error}") from error
    return " + ".join([described, *(_in_parentheses(bar) for bar in bars)])


def _summands(node: Any, sign: str = "+") -> Iterator[tuple[str, Any]]:
    """Parts of a sum with their signs, cut as far as bar terms and dots ask for."""
    if node.type in "+-" and (node.type == "+" or sign == "+") and _is_mixed(node):
        first, last = node.args[:-1], node.args[-1]
        for part in first:
            yield from _summands(part, sign)
        yield from _summands(last, "-" if (node.type == "-") != (sign == "-") else "+")
    else:
        yield sign, node


def _is_mixed(node: Any) -> bool:
    return (
        any(True for _ in bars_in(node)) or "." in (source_of(n) for n in _leaves(node)) or node.type == "-"
    )


def _leaves(node: Any) -> Iterator[Any]:
    if not node.args:
        yield node
    for part in node.args:
        yield from _leaves(part)


def _with_bar(bars: list[BarTerm], bar: BarTerm, sign: str) -> list[BarTerm]:
    if sign == "+":
        return [*bars, bar]
    left = [other for other in bars if _key(other) != _key(bar)]
    if len(left) == len(bars):
        shown = ", ".join(_in_parentheses(b) for b in bars) or "none"
        raise FormulaError(
            f"formula: there is no random-effect term {_in_parentheses(bar)}; there are: {shown}"
        )
    return left


def _key(bar: BarTerm) -> tuple[str, str, bool, str]:
    return "".join(bar.inner.split()), "".join(bar.group.split()), bar.correlated, bar.label


def _in_parentheses(bar: BarTerm) -> str:
    return bar.text if bar.text.startswith("(") else f"({bar.text})"


def _refuse_absent(fixed: str, piece: str) -> None:
    """Refuse to remove terms that a formula does not have."""
    response = fixed.partition("~")[0].strip()
    known = set(ModelDesc.from_formula(fixed).rhs_termlist)
    removed = formula_terms(f"{response} ~ 0 + {piece}" if piece not in ("0", "1") else fixed)
    if not known & set(removed):
        shown = ", ".join(term.name() for term in ModelDesc.from_formula(fixed).rhs_termlist)
        raise FormulaError(f"formula: there is no term {piece} to remove; there are: {shown}")
