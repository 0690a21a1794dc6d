"""One bar term on its data: the inner design by patsy, the levels of the grouping, and a sparse Z.

No dense array with a column for each level is made: Z comes from the codes of the grouping factor and
the (n, d) design of one level's effects.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from patsy import EvalEnvironment, NAAction, Term, build_design_matrices, design_matrix_builders

from statsmodels_mcla.design import NewRows, RandomTerm, level_major
from statsmodels_mcla.formula.bars import grouping_terms, one_sided_terms
from statsmodels_mcla.formula.factors import (
    Factor,
    Learnt,
    combined_codes,
    is_categorical,
    learn_factors,
    level_codes,
    locate,
    locate_levels,
    lost_in_comparisons,
    missing_rows,
    reading,
    refuse_uncoded,
)
from statsmodels_mcla.formula.namespace import Names
from statsmodels_mcla.formula.tables import as_frame
from statsmodels_mcla.formula.terms import BarTerm, FormulaError

RANK_TOLERANCE = 1e-10
"""Smallest singular value, relative to columns of length 1, of a design that has full rank."""

MAX_INNER_LEVELS = 1000
"""A factor left of the bar has one effect a level and an unstructured covariance of them all."""


@dataclass(frozen=True, eq=False)
class Patsy:
    """patsy's part of a term: what transforms and codings learnt. It does not pickle."""

    inner: Any
    groups: tuple[Factor, ...]

    @classmethod
    def learn(
        cls, bar: BarTerm, frame: pd.DataFrame, env: EvalEnvironment, learnt: Mapping[str, Learnt]
    ) -> Patsy:
        """Let patsy see the data of a term, whose factors have seen them."""
        _check_inner(one_sided_terms(bar.inner, f"`{bar.text}`"), bar.text, learnt)
        return cls.of_chunks(bar, lambda: iter([frame]), frame.dtypes, env, learnt)

    @classmethod
    def of_chunks(
        cls,
        bar: BarTerm,
        chunks: Callable[[], Iterator[pd.DataFrame]],
        dtypes: pd.Series,
        env: EvalEnvironment,
        learnt: Mapping[str, Learnt],
    ) -> Patsy:
        """Let patsy see the data of a term chunk by chunk."""
        terms = one_sided_terms(bar.inner, f"`{bar.text}`")
        (grouping,) = grouping_terms(bar)
        with reading(bar.text, dtypes):
            (inner,) = design_matrix_builders([terms], chunks, env)
        return cls(inner, tuple(learnt[factor.name()].factor for factor in grouping.factors))

    def term(self, bar: BarTerm, frame: pd.DataFrame) -> RandomTerm:
        """Random term of rows of which others are elsewhere: their levels are those that these rows have."""
        with reading(bar.text, frame.dtypes):
            x = self.matrix(frame)
            values = [factor.value(frame) for factor in self.groups]
        columns = tuple(self.inner.column_names)
        _check_complete(bar, x, columns, values, self.groups)
        levels, observed, codes = _coded(values, self.groups, len(frame))
        labels = _labels(levels, observed)
        return RandomTerm(bar.group, columns, labels, level_major(codes, x, len(labels)), bar.text)

    def matrix(self, frame: pd.DataFrame) -> np.ndarray:
        """(n, d) inner design; NaN in rows where one of its factors is missing."""
        action = _KeepMissing()
        (matrix,) = build_design_matrices([self.inner], frame, NA_action=action)
        x = np.array(matrix, dtype=float)
        if action.missing is not None:
            x[action.missing] = np.nan
        x[lost_in_comparisons((factor.name() for factor in self.inner.factor_infos), frame)] = np.nan
        return x


@dataclass(frozen=True, eq=False)
class BarDesign:
    """How a bar term was read; evaluates it on rows to come.

    patsy's objects do not pickle and are dropped by it. A term whose inner design learnt nothing (no
    factor's levels, no ``center`` or spline) works again after unpickling, from its text and from
    what that names. For any other one, read the terms again from the fitted data.

    Parameters
    ----------
    bar : BarTerm
        Term with one grouping factor.
    columns : tuple of str
        Names of the inner design's columns.
    levels : tuple of tuple
        Levels of each factor of the grouping.
    observed : ndarray
        Sorted codes of the combinations of levels that occur.
    learnt : bool
        Whether the inner design depends on the fitted data.
    names : Names
        What the term's expressions name beside columns.
    patsy : Patsy or None
        None after unpickling.
    """

    bar: BarTerm
    columns: tuple[str, ...]
    levels: tuple[tuple[Any, ...], ...]
    observed: np.ndarray
    learnt: bool
    names: Names
    patsy: Patsy | None

    def labels(self) -> tuple[Any, ...]:
        """Levels as the data have them, ``"a1:b1"`` for an interaction."""
        return _labels(self.levels, self.observed)

    def rebuild(self, data: pd.DataFrame | Mapping[str, Any], fitted: pd.DataFrame | None = None) -> NewRows:
        """Evaluate the term on new rows, with the levels and transforms of the fitted ones.

        Parameters
        ----------
        data : DataFrame
            New rows. A level that was not fitted, or is missing, is flagged; a missing value left of the
            bar becomes NaN.
        fitted : DataFrame, optional
            The fitted data, from which an unpickled term learns again what pickling lost.

        Returns
        -------
        NewRows

        Raises
        ------
        FormulaError
            For an unknown column, a new level left of the bar, or a term that pickling emptied.
        """
        frame = as_frame(data)
        patsy = self.patsy or self._relearn(frame, fitted)
        with reading(self.bar.text, frame.dtypes):
            x = patsy.matrix(frame)
            values = [factor.value(frame) for factor in patsy.groups]
        codes = [locate_levels(value, level) for value, level in zip(values, self.levels, strict=True)]
        level = locate(self.observed, _interaction(codes, self.levels, len(frame)))
        level[lost_in_comparisons((factor.name for factor in patsy.groups), frame)] = -1
        return NewRows(level_major(level, x, len(self.observed)), level < 0, x)

    def _relearn(self, frame: pd.DataFrame, fitted: pd.DataFrame | None) -> Patsy:
        if fitted is None and self.learnt:
            raise FormulaError(
                f"`{self.bar.text}` was unpickled, which loses what patsy learnt from the fitted data; "
                "read the terms again from those (read_random_terms)"
            )
        source = frame if fitted is None else fitted
        env = self.names.environment(self.bar.text)
        patsy = Patsy.learn(self.bar, source, env, learn_factors([terms_of_bar(self.bar)], source, env))
        if tuple(patsy.inner.column_names) != self.columns:
            raise FormulaError(f"`{self.bar.text}` is numerical in the fitted data and not in the new rows")
        return patsy

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "patsy": None}


def terms_of_bar(bar: BarTerm) -> tuple[str, list[Term]]:
    """Text of a bar term, and the terms on both of its sides."""
    return bar.text, [*one_sided_terms(bar.inner, f"`{bar.text}`"), *grouping_terms(bar)]


def read_bar(
    bar: BarTerm, frame: pd.DataFrame, env: EvalEnvironment, learnt: Mapping[str, Learnt]
) -> RandomTerm:
    """Build the random term of a bar term that has one grouping factor.

    Parameters
    ----------
    bar : BarTerm
        Such as `expand` gives.
    frame : DataFrame
        Rows without missing values.
    env : patsy.EvalEnvironment
        Where names that are no columns are looked up.
    learnt : mapping
        The term's factors on these rows, by name.

    Returns
    -------
    RandomTerm

    Raises
    ------
    FormulaError
        For a missing or infinite value, one level only, or a design that is empty or
        has linearly dependent columns.
    """
    patsy = Patsy.learn(bar, frame, env, learnt)
    columns = tuple(patsy.inner.column_names)
    if not columns:
        raise FormulaError(f"`{bar.text}` has no effects left of the bar; write (1 | {bar.group})")
    with reading(bar.text, frame.dtypes):
        x = patsy.matrix(frame)
    values = [learnt[factor.name].value for factor in patsy.groups]
    _check_complete(bar, x, columns, values, patsy.groups)
    check_independent(bar, x, columns)
    levels, observed, codes = _coded(values, patsy.groups, len(frame))
    named = [
        *(factor.name() for factor in patsy.inner.factor_infos),
        *(factor.name for factor in patsy.groups),
    ]
    names = Names.of(named, frame.columns, env)
    design = BarDesign(bar, columns, levels, observed, _learns(patsy.inner, env), names, patsy)
    labels = design.labels()
    if len(labels) == 1:
        raise FormulaError(
            f"`{bar.text}`: the grouping {bar.group} has one level only ({labels[0]}), and the variance "
            "between levels needs at least two; remove the term"
        )
    return RandomTerm(bar.group, columns, labels, level_major(codes, x, len(labels)), bar.text, design)


def _coded(
    values: Sequence[Any], factors: Sequence[Factor], n: int
) -> tuple[tuple[tuple[Any, ...], ...], np.ndarray, np.ndarray]:
    """Levels of each factor of a grouping, the combinations that occur, and which one each row has."""
    coded = [level_codes(value, factor.name) for value, factor in zip(values, factors, strict=True)]
    levels = tuple(level for _, level in coded)
    combined = _interaction([code for code, _ in coded], levels, n)
    observed, codes = np.unique(combined, return_inverse=True)
    return levels, observed, codes


def _labels(levels: Sequence[Sequence[Any]], observed: np.ndarray) -> tuple[Any, ...]:
    """Combinations of levels as the data have them, ``"a1:b1"`` of several factors."""
    if len(levels) == 1:
        return tuple(levels[0][k] for k in observed)
    index, pieces = observed, []
    for level in reversed(levels):
        index, code = np.divmod(index, len(level))
        pieces.append([str(level[k]) for k in code])
    return tuple(":".join(row) for row in zip(*reversed(pieces), strict=True))


def _interaction(codes: Sequence[np.ndarray], levels: Sequence[Sequence[Any]], n: int) -> np.ndarray:
    """Codes of combinations that sort by the first factor, then by the second."""
    return combined_codes(codes[::-1], [len(level) for level in levels][::-1], n)


class _KeepMissing:
    """patsy's NAAction that keeps rows with missing values and says which they are."""

    def __init__(self) -> None:
        default = NAAction()
        self.is_categorical_NA = default.is_categorical_NA
        self.is_numerical_NA = default.is_numerical_NA
        self.missing: np.ndarray | None = None

    def handle_NA(  # noqa: N802
        self,
        values: list[np.ndarray],
        missing: list[np.ndarray],
        origins: list[Any],
    ) -> list[np.ndarray]:
        """Stand the first level in for a missing one, since patsy cannot code it."""
        if missing:
            self.missing = np.any(missing, axis=0)
        return [np.where(value < 0, 0, value) if value.ndim == 1 else value for value in values]


def _check_inner(terms: list[Term], text: str, learnt: Mapping[str, Learnt]) -> None:
    """Refuse a factor with so many levels left of the bar that its dense coding would fill the memory."""
    for factor in {factor for term in terms for factor in term.factors}:
        value = learnt[factor.name()].value
        refuse_uncoded(factor.name(), value)
        if is_categorical(value) and len(level_codes(value, factor.name())[1]) > MAX_INNER_LEVELS:
            raise FormulaError(
                f"`{text}`: {factor.name()} has more than {MAX_INNER_LEVELS} levels, each of them an effect "
                "of every group. Put a grouping factor right of the bar: (1 | a) + (1 | b), or (1 | a:b)"
            )


def _check_complete(
    bar: BarTerm, x: np.ndarray, columns: Sequence[str], values: Sequence[Any], factors: Sequence[Factor]
) -> None:
    """Refuse a missing or infinite value."""
    finite = np.isfinite(x).all(axis=0)
    at_fault = [column for column, fine in zip(columns, finite, strict=True) if not fine]
    at_fault += [
        factor.name for factor, value in zip(factors, values, strict=True) if missing_rows(value).any()
    ]
    if at_fault:
        raise FormulaError(
            f"`{bar.text}`: {at_fault[0]} has missing or infinite values; drop those rows first"
        )


def check_independent(bar: BarTerm, x: np.ndarray, columns: Sequence[str]) -> None:
    """Refuse effects whose covariance matrix no data could determine."""
    size = np.linalg.norm(x, axis=0)
    if np.any(size == 0.0):
        column = columns[int(np.argmin(size))]
        raise FormulaError(
            f"`{bar.text}`: {column} is zero in every row; remove it, or the categories that do not occur"
        )
    if np.linalg.matrix_rank(np.linalg.qr(x / size, mode="r"), tol=RANK_TOLERANCE) < len(columns):
        raise FormulaError(
            f"`{bar.text}`: the columns {', '.join(columns)} are linearly dependent, so their variances are "
            "not identified; remove one (a constant covariate repeats the intercept)"
        )


def _learns(inner: Any, env: EvalEnvironment) -> bool:
    """Whether a design depends on the data that it was made for."""
    return any(
        info.type == "categorical" or factor.memorize_passes_needed({}, env) > 0
        for factor, info in inner.factor_infos.items()
    )
