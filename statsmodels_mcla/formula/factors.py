"""Evaluate the factors of a formula (patsy's single expressions) without building dense designs."""

from __future__ import annotations

import ast
import keyword
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, NamedTuple
from warnings import warn

import numpy as np
import pandas as pd
from patsy import EvalEnvironment, PatsyError, Term
from patsy.categorical import C, guess_categorical
from patsy.util import SortAnythingKey

from statsmodels_mcla.formula.habits import called_name, explained, way_out
from statsmodels_mcla.formula.terms import FormulaError, FormulaWarning

Box = type(C(()))
"""What ``C(...)`` in a formula evaluates to."""

NO_ENVIRONMENT = -1
"""statsmodels' code for a formula that may use nothing but the columns of its data."""


def environment(eval_env: Any, reference: int) -> EvalEnvironment:
    """Return the namespace in which a formula looks up what is not a column.

    Parameters
    ----------
    eval_env : int, Mapping or patsy.EvalEnvironment
        Frames above the caller (0: the caller itself), -1 for no namespace, or the namespace.
    reference : int
        Frames between the caller and this function's own caller.

    Returns
    -------
    patsy.EvalEnvironment
    """
    if isinstance(eval_env, Mapping):
        return EvalEnvironment([dict(eval_env)])
    if isinstance(eval_env, (int, np.integer)):
        if eval_env == NO_ENVIRONMENT:
            return EvalEnvironment([])
        return EvalEnvironment.capture(int(eval_env), reference=reference + 1)
    if isinstance(eval_env, EvalEnvironment):
        return eval_env
    raise FormulaError(
        f"eval_env must be an int, a mapping or a patsy EvalEnvironment, not {type(eval_env).__name__}"
    )


@contextmanager
def reading(text: str, columns: pd.Series) -> Iterator[None]:
    """Turn what patsy raises into a FormulaError that names the term and an unknown column.

    Parameters
    ----------
    text : str
        The term.
    columns : Series
        Types of the data's columns by their names (``dtypes``).
    """
    try:
        yield
    except FormulaError:
        raise
    except AttributeError as error:  # of patsy, where a number was expected
        text_columns = [str(c) for c, dtype in columns.items() if dtype.kind in "OSU" or dtype == "string"]
        shown = ", ".join(text_columns) or "none"
        raise FormulaError(
            f"`{text}` cannot be evaluated: a column has another type than in the data of the fit (columns of text "
            f"here: {shown})"
        ) from error
    except (PatsyError, SyntaxError, TypeError, ValueError) as error:
        cause = error.__cause__
        if isinstance(cause, NameError):
            quoted = re.search(r"'([^']*)'", str(cause))
            name = quoted.group(1) if quoted else repr(cause)
            known = list(map(str, columns.index))
            similar = [c for c in known if c.lower() == name.lower()] or get_close_matches(name, known, n=1)
            near = f": did you mean {similar[0]!r}?" if similar else ""
            shown = ", ".join(map(str, columns.index[:10])) + (", ..." if len(columns) > 10 else "")
            raise FormulaError(
                f"`{text}` needs {name!r}, which is no column of the data ({shown}) and is not defined where the "
                f"formula was written{way_out(name, near)}"
            ) from error
        habit = called_name(text) if "not callable" in str(cause) else ""  # a column of that name
        raise FormulaError(
            f"`{text}` cannot be evaluated{way_out(habit, f': {explained(error)}')}"
        ) from error


@dataclass(frozen=True, eq=False)
class Factor:
    """One expression of a formula with what its stateful transforms learnt.

    Parameters
    ----------
    factor : object
        patsy factor (``EvalFactor``, or anything that follows patsy's factor protocol).
    state : dict
        patsy's memory of it.
    stateful : bool
        Whether a transform (``center``, ``bs``) learnt something from the data.
    """

    factor: Any
    state: dict[str, Any]
    stateful: bool

    @classmethod
    def learn(cls, factor: Any, frame: pd.DataFrame, env: EvalEnvironment) -> Learnt:
        """Let the stateful transforms of a factor see the data, and evaluate it there."""
        state: dict[str, Any] = {}
        passes = factor.memorize_passes_needed(state, env)
        for step in range(passes):
            factor.memorize_chunk(state, step, frame)
            factor.memorize_finish(state, step)
        learnt = cls(factor, state, passes > 0)
        return Learnt(learnt, learnt._checked(factor.eval(state, frame), len(frame)))

    @property
    def name(self) -> str:
        """Name of the factor as patsy writes it."""
        name: str = self.factor.name()
        return name

    def value(self, frame: pd.DataFrame) -> Any:
        """Evaluate the factor: any 1- or 2-d column of patsy's, ``C(...)`` included, a row for each row."""
        return self._checked(self.factor.eval(self.state, frame), len(frame))

    def _checked(self, value: Any, n: int) -> Any:
        inner = value.data if isinstance(value, Box) else value
        rows = np.shape(inner)[:1] or (1,)
        if rows[0] != n:
            raise FormulaError(
                f"`{self.name}` has {rows[0]} rows and the data {n}; make it a column of the data"
            )
        return value


class Learnt(NamedTuple):
    """A factor that has seen the data, and its value there."""

    factor: Factor
    value: Any


def learn_factors(
    named: Iterable[tuple[str, Iterable[Term]]], frame: pd.DataFrame, env: EvalEnvironment
) -> dict[str, Learnt]:
    """Let every factor of some terms see the data, each once.

    Parameters
    ----------
    named : iterable of (str, iterable of patsy.Term)
        Terms, with the text that errors show.
    frame : DataFrame
    env : patsy.EvalEnvironment

    Returns
    -------
    dict
        By patsy's name of the factor.
    """
    found: dict[str, Learnt] = {}
    for text, terms in named:
        with reading(text, frame.dtypes):
            for factor in (factor for term in terms for factor in term.factors):
                if factor.name() not in found:
                    found[factor.name()] = Factor.learn(factor, frame, env)
    return found


def missing_rows(value: Any) -> np.ndarray:
    """(n,) bool: rows of a factor's value where anything is NaN, None, NaT or NA."""
    missing = np.asarray(pd.isna(value.data if isinstance(value, Box) else value), dtype=bool)
    return np.asarray(missing.reshape(len(missing), -1).any(axis=1))


def is_categorical(value: Any) -> bool:
    """Whether patsy would code this value as a categorical factor."""
    return bool(guess_categorical(value))


DATES = {
    "datetime64": "dates",
    "datetime": "dates",
    "date": "dates",
    "period": "dates",
    "timedelta64": "times",
    "timedelta": "times",
}
NUMBERS = ("integer", "floating", "decimal", "mixed-integer-float")
MANY = 20  # numbers as text are hardly meant as so many categories


EACH = "and each value would get a coefficient of its own"


def refuse_values(name: str, value: Any) -> str:
    """Refuse dates, and numbers held as objects, where nobody asked for categories; say what the values are."""
    dtype = getattr(value, "dtype", None)
    if isinstance(value, Box) or isinstance(dtype, pd.CategoricalDtype) or np.ndim(value) != 1:
        return "categories"
    found: str = pd.api.types.infer_dtype(value, skipna=True)
    if found in DATES:
        raise FormulaError(
            f"`{name}` holds {DATES[found]}, {EACH}: make it a number, such as the days since the first "
            f"((day - day.min()).dt.days), or write C({name})"
        )
    if found == "mixed":
        several = next((each for each in value if isinstance(each, (list, dict, set, np.ndarray))), None)
        if several is not None:
            raise FormulaError(
                f"`{name}` holds {type(several).__name__}s, such as {several!r}: give each row one number or category "
                "(data.explode() makes a row of each element)"
            )
    if found in NUMBERS and getattr(dtype, "kind", "") == "O":
        raise FormulaError(
            f"`{name}` holds numbers as objects, {EACH}: convert it with pd.to_numeric, or write C({name})"
        )
    return found


def refuse_uncoded(name: str, value: Any, *, strict: bool = False) -> None:
    """Refuse a covariate that patsy would give a coefficient a value, though nobody asked for categories.

    Many numbers held as text are refused only where ``strict``.

    Warns
    -----
    FormulaWarning
        Of them, otherwise.
    """
    if refuse_values(name, value) not in ("string", "mixed", "mixed-integer"):
        return
    levels = np.asarray(pd.unique(pd.Series(value).dropna()), dtype=object)
    number = ~np.isnan(np.asarray(pd.to_numeric(levels, errors="coerce"), dtype=float))
    text = np.array([isinstance(level, str) for level in levels], dtype=bool)
    odd = "" if number.all() else f" beside {levels[~number][0]!r}"
    if (number & ~text).any() and text.any():
        raise FormulaError(
            f"`{name}` holds numbers and text, such as {levels[text][0]!r}, {EACH}: convert it with "
            f"pd.to_numeric(..., errors='coerce'), or write C({name})"
        )
    if number.sum() > max(MANY, 0.9 * len(levels)):
        told = (
            f"`{name}` holds {number.sum()} numbers as text{odd}, {EACH}: convert it with "
            f"pd.to_numeric(..., errors='coerce'), or write C({name})"
        )
        if strict:
            raise FormulaError(told)
        warn(told, FormulaWarning, stacklevel=4)


def numeric_columns(value: Any) -> np.ndarray:
    """(n, k) float array of a numerical factor's value."""
    columns = np.asarray(value, dtype=float)
    return columns[:, None] if columns.ndim == 1 else columns


def level_codes(value: Any, name: str) -> tuple[np.ndarray, tuple[Any, ...]]:
    """Code a factor's value by its levels, patsy's order of them.

    Parameters
    ----------
    value : array_like
        Value of a factor; anything 1-d, numbers included.
    name : str
        Name for errors.

    Returns
    -------
    codes : ndarray
        (n,) int; -1 where missing.
    levels : tuple
        Category order of a categorical (unused categories included), the order given to
        ``C(..., levels=)``, else sorted.
    """
    levels = None
    if isinstance(value, Box):
        levels, value = value.levels, value.data
    if np.ndim(value) != 1:
        raise FormulaError(f"`{name}` is {np.ndim(value)}-dimensional; a factor has one value for each row")
    if levels is not None:
        codes = locate_levels(value, levels)
        if np.any((codes < 0) & ~missing_rows(value)):
            raise FormulaError(f"`{name}` has values outside its levels {list(levels)!r}")
        return codes, tuple(levels)
    if isinstance(getattr(value, "dtype", None), pd.CategoricalDtype):
        values = pd.Categorical(value)
        return np.asarray(values.codes, dtype=np.int64), tuple(values.categories)
    try:
        codes, uniques = pd.factorize(pd.Series(value))
    except TypeError as error:
        raise FormulaError(f"`{name}` has values that cannot be compared: {error}") from error
    found = list(pd.Series(uniques))
    if all(isinstance(level, (bool, np.bool_)) for level in found):
        return locate_levels(value, (False, True)), (False, True)
    order = _sorting(found)
    rank = np.empty(len(found) + 1, dtype=np.int64)
    rank[order] = np.arange(len(found))
    rank[-1] = -1
    return rank[codes], tuple(found[j] for j in order)


def _sorting(levels: list[Any]) -> list[int]:
    """Order that sorts the levels; values of different kinds as patsy sorts them, which is slower."""
    try:
        return sorted(range(len(levels)), key=levels.__getitem__)
    except TypeError:
        return sorted(range(len(levels)), key=lambda j: SortAnythingKey(levels[j]))


def locate_levels(value: Any, levels: Sequence[Any]) -> np.ndarray:
    """(n,) position of each value among `levels`; -1 where it is missing or not one of them."""
    if isinstance(value, Box):
        value = value.data
    if isinstance(getattr(value, "dtype", None), pd.CategoricalDtype):
        categories = pd.Categorical(value)
        codes = np.append(locate_levels(categories.categories, levels), -1)
        return np.asarray(codes[categories.codes])
    values = object_index(pd.Series(value))
    codes = np.asarray(object_index(levels).get_indexer(values), dtype=np.int64)
    codes[missing_rows(values)] = -1
    return codes


def object_index(values: Iterable[Any]) -> pd.Index:
    """Index of Python objects, each as it is (a tuple is one value)."""
    return pd.Index(list(values), dtype=object, tupleize_cols=False)


def combined_codes(codes: Sequence[np.ndarray], sizes: Sequence[int], n: int) -> np.ndarray:
    """One code for a combination of levels, the first factor running fastest; -1 if any code is -1.

    Parameters
    ----------
    codes : sequence of ndarray
        (n,) codes of each factor.
    sizes : sequence of int
        Number of levels of each.
    n : int
        Number of rows.

    Returns
    -------
    ndarray
        (n,) int64.

    Examples
    --------
    >>> combined_codes([np.array([0, 1, -1]), np.array([2, 2, 0])], [2, 3], 3)
    array([ 4,  5, -1])
    """
    combined, stride, known = np.zeros(n, dtype=np.int64), 1, np.ones(n, dtype=bool)
    for code, size in zip(codes, sizes, strict=True):
        if stride * size >= np.iinfo(np.int64).max:
            raise FormulaError(f"an interaction of {' x '.join(map(str, sizes))} levels is too large")
        combined += stride * code
        stride *= size
        known &= code >= 0
    return np.where(known, combined, -1)


def locate(known: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """(n,) position of each code in the sorted array `known`; -1 where it is not there."""
    if not len(known):
        return np.full(codes.shape, -1)
    position = np.minimum(np.searchsorted(known, codes), len(known) - 1)
    return np.where(known[position] == codes, position, -1)


def names_in(code: str) -> set[str]:
    """Names that an expression mentions, and its strings, since ``Q("a b")`` quotes a column's name."""
    constants = {node.value for node in _nodes_of(code) if isinstance(node, ast.Constant)}
    return variables_in(code) | {value for value in constants if isinstance(value, str)}


def variables_in(code: str) -> set[str]:
    """Names that an expression mentions."""
    return {node.id for node in _nodes_of(code) if isinstance(node, ast.Name)}


# what an expression calls that deals with missing values
HANDLING = {
    "isna",
    "isnull",
    "notna",
    "notnull",
    "isnan",
    "isfinite",
    "fillna",
    "nan_to_num",
    "ffill",
    "bfill",
}


def compared_in(code: str) -> set[str]:
    """Names in comparisons, which are False of what is missing; none if the expression deals with that itself."""
    nodes = _nodes_of(code)
    words = {n.attr for n in nodes if isinstance(n, ast.Attribute)} | {
        n.id for n in nodes if isinstance(n, ast.Name)
    }
    if words & HANDLING:
        return set()
    found: set[str] = set()
    for compared in (node for node in nodes if isinstance(node, ast.Compare)):
        for node in ast.walk(compared):
            if isinstance(node, ast.Name):
                found.add(node.id)
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Q":
                found |= {str(arg.value) for arg in node.args if isinstance(arg, ast.Constant)}
    return found


def lacking(frame: pd.DataFrame, names: Collection[str]) -> np.ndarray:
    """(n,) bool: rows where one of the columns of these names is missing."""
    out = np.zeros(len(frame), dtype=bool)
    for name in (name for name in frame.columns if name in names):
        out |= missing_rows(frame[name])
    return out


def lost_in_comparisons(codes: Iterable[str], frame: pd.DataFrame) -> np.ndarray:
    """(n,) bool: rows where something is missing that one of these expressions compares."""
    return lacking(frame, set().union(*map(compared_in, codes)))


def _nodes_of(code: str) -> list[ast.AST]:
    """Syntax tree of an expression."""
    try:
        return list(ast.walk(ast.parse(code, mode="eval")))
    except SyntaxError as error:
        words = [word for word in re.findall(r"\w+", code) if keyword.iskeyword(word)]
        way = (
            f": {words[0]} is a word of Python; write Q({words[0]!r}) for a column of this name"
            if words
            else ": terms are joined by +, and random effects have a bar, (1 | group)"
        )
        raise FormulaError(f"`{code}` cannot be read{way}") from error
