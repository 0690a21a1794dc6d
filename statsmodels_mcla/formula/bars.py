"""Split a formula into its fixed part and its bar terms, without looking at data.

The formula is parsed by patsy with ``|`` as one more operator, binding more loosely than ``+``. A bar
inside a string, a call or an index belongs to the Python expression there and is left alone, since
patsy reads that expression as one piece.
"""

from __future__ import annotations

import ast
import keyword
import tokenize
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from patsy import ModelDesc, PatsyError, Term
from patsy.desc import INTERCEPT
from patsy.infix_parser import Operator
from patsy.parse_formula import parse_formula

from statsmodels_mcla.formula.habits import explained, refuse_habits
from statsmodels_mcla.formula.terms import BarTerm, FormulaError

# The unary bar is the second one of "||".
BAR_OPERATORS = [Operator("|", 2, 50), Operator("|", 1, 50)]


def split_formula(formula: str) -> tuple[str, list[BarTerm]]:
    """Separate a formula's fixed effects from its random-effect terms.

    Parameters
    ----------
    formula : str
        An lme4-like formula, such as ``"y ~ x + (1 + x | g) + (1 | a/b)"``.

    Returns
    -------
    fixed : str
        The formula without its bar terms, for patsy. Unchanged if there are none; ``1`` stands on the
        right if nothing else is left there, and a ``0`` or ``-1`` stays.
    bars : list of BarTerm
        In the order written; ``a/b`` and ``||`` are not expanded yet.

    Raises
    ------
    FormulaError
        If the formula is not a string, does not parse, or has a bar term that is anything but added on
        the right-hand side in its own parentheses.

    Examples
    --------
    >>> split_formula("y ~ x + (1 + x | g)")
    ('y ~ x', [BarTerm(text='(1 + x | g)', inner='1 + x', group='g', correlated=True, label='')])
    """
    tree = parsed(formula, "formula")
    *left, right = tree.args
    for side in left:
        for bar in bars_in(side):
            raise _error("a random-effect term cannot stand on the left of '~'", bar)
    bars: list[BarTerm] = []
    fixed = _without_bars(right, bars)
    if not bars:
        return formula, []
    response = f"{source_of(left[0])} ~ " if left else "~ " if tree.token is not None else ""
    return response + (fixed or "1"), bars


def formula_terms(formula: str) -> list[Term]:
    """List the patsy terms of both sides of a formula without bar terms."""
    desc = _described(_without_any_bars(formula, "formula"), formula)
    return [*desc.lhs_termlist, *desc.rhs_termlist]


def one_sided_terms(formula: str, where: str) -> list[Term]:
    """List the patsy terms of a one-sided formula; `where` names it in errors."""
    desc = _described(_without_any_bars(formula, where), where)
    if desc.lhs_termlist:
        raise FormulaError(f"{where}: {formula!r} has a response; write the right-hand side only")
    terms: list[Term] = desc.rhs_termlist
    return terms


def grouping_terms(bar: BarTerm) -> list[Term]:
    """List the grouping factors of a bar term: ``a/b`` gives a and a:b."""
    tree = parsed(bar.group, f"the grouping of `{bar.text}`")
    for node in _nodes(tree.args[-1]):
        if node.type not in ("/", ":") and not (
            node.type == "PYTHON_EXPR" and _is_one_factor(source_of(node))
        ):
            written = node.type if node.args else source_of(node)
            raise FormulaError(
                f"`{bar.text}`: {written!r} cannot stand right of the bar. Give one grouping factor, (1 | a), an "
                "interaction, (1 | a:b), or a nesting, (1 | a/b); write several factors as several terms, "
                "(1 | a) + (1 | b); anything else has to be a column of the data"
            )
    return [term for term in _described(tree, bar.text).rhs_termlist if term != INTERCEPT]


def _is_one_factor(code: str) -> bool:
    """Whether an expression is a column, a call, or made of one column: others are slips, such as ``a//b``."""
    try:
        value = ast.parse(code, mode="eval").body
    except SyntaxError:
        return keyword.iskeyword(code)  # of which `names_in` says what to write
    names = [node for node in ast.walk(value) if isinstance(node, ast.Name)]
    return len(names) == 1 or isinstance(value, (ast.Call, ast.Subscript, ast.Attribute))


def parsed(text: object, where: str, *, dots: bool = False) -> Any:
    """Parse a formula to patsy's tree, bars included; dots stand for what is there already."""
    if not isinstance(text, str):
        raise FormulaError(f"{where} must be a string, not {type(text).__name__}")
    return _parsed(text, where, dots)


@lru_cache(256)  # a model asks for the terms of its formula a dozen times
def _parsed(text: str, where: str, dots: bool) -> Any:
    refuse_habits(text, dots=dots)
    try:
        return parse_formula(text, BAR_OPERATORS)
    except PatsyError as error:
        before = text[: error.origin.start].rstrip() if error.origin is not None else ""
        if before.endswith("|"):
            caret = error.origin.caretize(indent=4)
            raise FormulaError(f"{where} cannot be read: nothing stands right of the bar\n{caret}") from error
        raise FormulaError(f"{where} cannot be read: {explained(error)}") from error
    except (SyntaxError, tokenize.TokenError, AssertionError) as error:
        raise FormulaError(f"{where} cannot be read: {text!r}") from error


def _described(tree: Any, where: str) -> Any:
    try:
        return ModelDesc.from_formula(tree)
    except PatsyError as error:
        raise FormulaError(f"{where} cannot be read: {explained(error)}") from error


def _without_any_bars(text: object, where: str) -> Any:
    tree = parsed(text, where)
    for bar in bars_in(tree):
        raise _error(f"{where}: a random-effect term can only stand in the model's formula", bar)
    return tree


def _without_bars(node: Any, found: list[BarTerm]) -> str:
    """Return the source of `node` less its bar terms ('' if nothing is left), which are added to `found`."""
    if node.type == "|":
        found.append(read_bar(node))
        return ""
    if not any(bars_in(node)):
        return source_of(node)
    if node.type == "+":
        parts = [_without_bars(arg, found) for arg in node.args]
        if len(parts) == 2 and parts[1] and _is_sum(node.args[1]):
            parts[1] = f"({parts[1]})"
        return " + ".join(part for part in parts if part)
    if node.type == "-" and len(node.args) == 2 and not any(bars_in(node.args[1])):
        left, right = _without_bars(node.args[0], found), source_of(node.args[1])
        return f"{left} - {right}" if left else f"-{right}"
    bar = next(bars_in(node))
    raise _error(f"a random-effect term can only be added: {node.type!r} cannot be applied to it", bar)


def read_bar(node: Any) -> BarTerm:
    """Read ``(inner | group)``, ``(inner || group)`` or ``(inner | label | group)``."""
    text = source_of(node)
    if len(node.args) == 1:
        raise _error("nothing stands left of the bar; write (1 | g) for a random intercept", node)
    inner, group = node.args
    correlated = not (group.type == "|" and len(group.args) == 1)
    if not correlated:
        (group,) = group.args
    label = ""
    if _is_labelled(inner):
        inner, name = inner.args
        label = source_of(name)
        if not correlated:
            raise _error(
                "|| says that effects are independent, and a label that they are not; keep one", node
            )
    if any(bars_in(inner)) or any(bars_in(group)):
        raise _error("one bar term cannot stand inside another; add them: (1 | a) + (1 | b)", node)
    if node.origin.start == inner.origin.start:
        raise _error(
            f"a random-effect term needs its own parentheses: ({text}). "
            f"For an elementwise 'or' of columns write I({text})",
            node,
        )
    return BarTerm(text, source_of(inner), source_of(group), correlated, label)


def _is_labelled(inner: Any) -> bool:
    """Whether what stands left of a bar is ``inner | label``, without parentheses of its own."""
    if inner.type != "|" or len(inner.args) != 2 or inner.origin.start != inner.args[0].origin.start:
        return False
    return source_of(inner.args[1]).isidentifier()


def _nodes(node: Any) -> Iterator[Any]:
    yield node
    for arg in node.args:
        yield from _nodes(arg)


def bars_in(node: Any) -> Iterator[Any]:
    """Outermost bar nodes of a tree."""
    if node.type == "|":
        yield node
    else:
        for arg in node.args:
            yield from bars_in(arg)


def _is_sum(node: Any) -> bool:
    return node.type in ("+", "-")


def source_of(node: Any) -> str:
    """Text of a node, its parentheses included."""
    text: str = node.origin.relevant_code()
    return text


def _error(message: str, node: Any) -> FormulaError:
    """Return an error that shows a node within the formula."""
    return FormulaError(f"`{source_of(node)}`: {message}\n{node.origin.caretize(indent=4)}")
