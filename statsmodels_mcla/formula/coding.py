"""Code interactions of factors entry by entry, so that one column a level costs one entry a row.

patsy says how each factor is to be coded; it is asked with two levels standing in for all of them,
since its coding matrix is as large as the levels squared.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from patsy import Term, Treatment, design_matrix_builders
from patsy.categorical import C

from statsmodels_mcla.formula.factors import (
    Box,
    combined_codes,
    is_categorical,
    level_codes,
    locate_levels,
    numeric_columns,
    object_index,
)
from statsmodels_mcla.formula.terms import FormulaError

MAX_CONTRAST_LEVELS = 1000
"""A coding other than one column a level is as dense as the levels are many."""


class Entries(NamedTuple):
    """At most one entry a row of some columns."""

    column: np.ndarray
    """(n,) column; -1 for none, because the level is unknown or has no column."""
    weight: np.ndarray
    """(n,) value of the entry."""
    absent: np.ndarray
    """(n,) bool: the level is known and has no column."""


@dataclass(frozen=True, eq=False)
class Numeric:
    """A numerical factor: its columns as they are."""

    code: str
    columns: tuple[str, ...]

    def entries(self, value: Any) -> list[Entries]:
        """Give the entries of a factor's value, a list of one for each column."""
        x = numeric_columns(value)
        if x.shape[1] != len(self.columns):
            raise FormulaError(f"`{self.code}` has {x.shape[1]} columns instead of {len(self.columns)}")
        return _dense(x)


@dataclass(frozen=True, eq=False)
class Indicator:
    """A factor with one column a level, or one for each level but the first."""

    code: str
    levels: tuple[Any, ...]
    columns: tuple[str, ...]

    def entries(self, value: Any) -> list[Entries]:
        """Give the entries of a factor's value, one a row."""
        level = locate_levels(value, self.levels)
        column = level - (len(self.levels) - len(self.columns))
        return [Entries(np.maximum(column, -1), np.ones(len(level)), (level >= 0) & (column < 0))]


@dataclass(frozen=True, eq=False)
class Contrast:
    """A factor with a coding of the user's."""

    code: str
    levels: tuple[Any, ...]
    columns: tuple[str, ...]
    matrix: np.ndarray

    def entries(self, value: Any) -> list[Entries]:
        """Give the entries of a factor's value, a list of one for each column."""
        level = locate_levels(value, self.levels)
        if np.any(level < 0):
            raise FormulaError(f"`{self.code}` has a new level, which its coding cannot place")
        return _dense(self.matrix[level])


def _dense(x: np.ndarray) -> list[Entries]:
    n = len(x)
    return [Entries(np.full(n, k), x[:, k], np.zeros(n, dtype=bool)) for k in range(x.shape[1])]


@dataclass(frozen=True, eq=False)
class Interaction:
    """A product of coded factors with columns of its own; of none for the intercept."""

    factors: tuple[Numeric | Indicator | Contrast, ...]

    def entries(self, values: Mapping[str, Any], n: int) -> Iterator[Entries]:
        """Give the entries of n rows. Columns are numbered as patsy does: the first factor runs fastest."""
        sizes = [len(factor.columns) for factor in self.factors]
        for chosen in product(*(factor.entries(values[factor.code]) for factor in self.factors)):
            weight, absent = np.ones(n), np.zeros(n, dtype=bool)
            for entry in chosen:
                weight, absent = weight * entry.weight, absent | entry.absent
            yield Entries(combined_codes([entry.column for entry in chosen], sizes, n), weight, absent)

    def labels(self, columns: np.ndarray) -> list[str]:
        """Names of some columns, as patsy writes them."""
        if not self.factors:
            return ["Intercept"]
        pieces = []
        for factor in self.factors:
            columns, code = np.divmod(columns, max(len(factor.columns), 1))
            pieces.append([factor.columns[k] for k in code])
        return [":".join(names) for names in zip(*pieces, strict=True)]


class _StandIn:
    """A patsy factor that shows a value of the right kind in place of the data."""

    origin = None

    def __init__(self, code: str, value: Any) -> None:
        self.code = code
        self.value = value

    def name(self) -> str:
        return self.code

    def memorize_passes_needed(self, state: dict[str, Any], eval_env: Any) -> int:
        return 0

    def eval(self, state: dict[str, Any], data: Any) -> Any:
        return self.value


def codings(terms: Sequence[Term], values: Mapping[str, Any]) -> list[Interaction]:
    """Ask patsy how the factors of a formula are coded.

    Parameters
    ----------
    terms : sequence of patsy.Term
        Right-hand side of a formula.
    values : dict
        Value of each factor, by its expression.

    Returns
    -------
    list of Interaction
        In patsy's order of the columns.
    """
    codes = {factor.name() for term in terms for factor in term.factors}
    levels = {code: level_codes(values[code], code)[1] for code in codes if is_categorical(values[code])}
    stand_ins = {code: _StandIn(code, _shown(code, values[code], levels.get(code))) for code in codes}
    asked = [Term([stand_ins[factor.name()] for factor in term.factors]) for term in terms]
    (info,) = design_matrix_builders([asked], lambda: iter([{}]), 0)
    return [
        Interaction(
            tuple(
                _coded(factor, levels.get(factor.code), coded.contrast_matrices.get(factor))
                for factor in coded.factors
            )
        )
        for interactions in info.term_codings.values()
        for coded in interactions
    ]


def _contrast(value: Any) -> Any:
    """Coding that the user asked for; None for the default, which is Treatment."""
    contrast = value.contrast if isinstance(value, Box) else None
    return None if contrast is Treatment else contrast


def _shown(code: str, value: Any, levels: tuple[Any, ...] | None) -> Any:
    """Value that makes patsy choose the coding that it would choose for `value`."""
    if levels is None:
        return np.zeros((1, numeric_columns(value).shape[1]))
    contrast = _contrast(value)
    if contrast is None:
        return pd.Categorical(["first"], categories=["first", "second"])
    if len(levels) > MAX_CONTRAST_LEVELS:
        raise FormulaError(
            f"`{code}` asks for a coding of {len(levels)} levels, which is dense; leave out the contrast"
        )
    return C(pd.Categorical.from_codes([0], object_index(levels)), contrast)


def _coded(factor: _StandIn, levels: tuple[Any, ...] | None, patsy: Any) -> Numeric | Indicator | Contrast:
    code = factor.code
    if levels is None:
        k = factor.value.shape[1]
        return Numeric(code, (code,) if k == 1 else tuple(f"{code}[{j}]" for j in range(k)))
    if isinstance(factor.value, Box):
        columns = tuple(f"{code}{suffix}" for suffix in patsy.column_suffixes)
        return Contrast(code, levels, columns, np.asarray(patsy.matrix, dtype=float))
    reduced = patsy.matrix.shape[1] == 1
    prefix = "T." if reduced else ""
    return Indicator(code, levels, tuple(f"{code}[{prefix}{_readable(level)}]" for level in levels[reduced:]))


def _readable(level: Any) -> str:
    """Return a level as patsy writes it in a column's name, numpy's scalars as Python's."""
    if isinstance(level, bytes):
        return level.decode("utf-8", "backslashreplace")
    return level if isinstance(level, str) else repr(level.item() if isinstance(level, np.generic) else level)
