"""A formula that has learnt from parts of the data: it codes the rows of every part alike.

What patsy has to see is little: rows that show every level of every factor, which each part picks out.  Stateful
transforms (``center``, splines) see all rows, part by part, in as many passes as patsy asks for.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import patsy
from patsy import DesignInfo, EvalEnvironment, Term

from statsmodels_mcla.design import RandomTerm
from statsmodels_mcla.formula.bar_design import Patsy, terms_of_bar
from statsmodels_mcla.formula.bars import formula_terms, one_sided_terms, split_formula
from statsmodels_mcla.formula.factors import (
    Factor,
    Learnt,
    is_categorical,
    learn_factors,
    level_codes,
    reading,
    refuse_uncoded,
)
from statsmodels_mcla.formula.missing import missing_by_factor, named_terms, refuse_missing
from statsmodels_mcla.formula.model_reader import (
    columns_named,
    refuse_one_level,
    row_values,
)
from statsmodels_mcla.formula.namespace import Names
from statsmodels_mcla.formula.patsy_pickles import dumped
from statsmodels_mcla.formula.random_effects import expand
from statsmodels_mcla.formula.responses import response_of
from statsmodels_mcla.formula.row_functions import of_other_rows
from statsmodels_mcla.formula.tables import labelled_like, plain, settled, table, with_booleans
from statsmodels_mcla.formula.terms import BarTerm, FormulaError


def bars_of(formula: str) -> tuple[BarTerm, ...]:
    """Random-effect terms of a formula, each with one grouping factor and one covariance matrix."""
    return tuple(one for bar in split_formula(formula)[1] for one in expand(bar))


@dataclass(frozen=True)
class WrittenFormula:
    """A formula as text, and the columns that hold further values of the rows.

    Attributes
    ----------
    fixed : str
        Response and fixed effects.
    bars : tuple of BarTerm
        Random-effect terms, each with one grouping factor and one covariance matrix.
    rows : dict
        Columns of weights and offsets, by argument name; None where there is none.
    names : Names
        What the formula names beside columns,
    known : tuple of str
        which are these.
    before : WrittenFormula or None
        Of a model that this one is an update of, whose rows are those without missing values there.
    """

    fixed: str
    bars: tuple[BarTerm, ...]
    rows: Mapping[str, str | None]
    names: Names
    known: tuple[str, ...]
    before: WrittenFormula | None = None

    @classmethod
    def of(
        cls,
        formula: str,
        rows: Mapping[str, Any],
        columns: Sequence[Any],
        env: EvalEnvironment,
        before: WrittenFormula | None = None,
    ) -> WrittenFormula:
        """Read a formula, for data of such columns.

        Raises
        ------
        FormulaError
            If it has no response or no random effects, or an argument is no column.
        """
        fixed, bars = split_formula(formula)
        if not fixed.partition("~")[0].strip() or "~" not in fixed:
            raise FormulaError(f"the formula {formula!r} has no response: write 'response ~ terms'")
        if not bars:
            raise FormulaError(f"no random effects: add a term such as (1 | group) to {formula!r}")
        for name, column in rows.items():
            if column is not None and (not isinstance(column, str) or column not in columns):
                raise FormulaError(
                    f"{name} must be a column of the partitions, got {column!r}; the columns are {list(columns)}"
                )
        each = bars_of(formula)
        codes = {
            factor.name() for _, terms in _named(fixed, each) for term in terms for factor in term.factors
        }
        return cls(fixed, each, dict(rows), Names.of(codes, columns, env), tuple(columns), before)

    @property
    def env(self) -> EvalEnvironment:
        """Where names that are no columns are looked up."""
        return self.names.environment(self.fixed)

    @property
    def used(self) -> frozenset[str]:
        """Names that it mentions, columns or not."""
        rows = [column for column in self.rows.values() if column is not None]
        before = frozenset() if self.before is None else self.before.used
        return before | columns_named(rows, _named(self.fixed, self.bars)) - {"groups"}

    @property
    def columns(self) -> list[str]:
        """Columns of the data that it mentions."""
        return [name for name in self.known if name in self.used]

    @property
    def coded(self) -> list[tuple[str, list[Term]]]:
        """Terms whose factors patsy codes: all but the groupings."""
        inner = [(bar.text, one_sided_terms(bar.inner, f"`{bar.text}`")) for bar in self.bars]
        return [(self.fixed, formula_terms(self.fixed)), *inner]

    @property
    def stateful(self) -> bool:
        """Whether a transform learns from all rows."""
        factors = (factor for _, terms in self.coded for term in terms for factor in term.factors)
        return any(factor.memorize_passes_needed({}, self.env) for factor in factors)

    def complete(self, data: Any, missing: str) -> tuple[pd.DataFrame, dict[str, Any], int]:
        """Rows without missing values, their further values, and how many were left out.

        Raises
        ------
        FormulaError
            For missing values that are not to be dropped.
        """
        frame = plain(table(data, self.used), self.used)
        values = row_values(self.rows, frame)
        found = self.missing_in(frame)
        found |= {name: pd.isna(value) for name, value in values.items() if value is not None}
        bad = np.any([*found.values()], axis=0)
        count = int(bad.sum())
        if count and missing != "drop":
            refuse_missing(bad, frame.index)
        columns = [name for name in frame.columns if name in self.used]
        # categories that do not occur here may elsewhere, and have their place among the others
        kept = with_booleans(frame.loc[~bad, columns] if count else frame[columns], self.used)
        return kept, {name: None if v is None else v[~bad] for name, v in values.items()}, count

    def missing_in(self, frame: pd.DataFrame) -> dict[str, np.ndarray]:
        """(n,) bool for each factor: rows where it is missing."""
        before = {} if self.before is None else self.before.missing_in(frame)
        return before | missing_by_factor(_named(self.fixed, self.bars), frame, self.env)

    def showing(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Rows that show every level of every factor that is coded."""
        rows = {0}
        for value in self._values(frame).values():
            if is_categorical(value):
                codes, levels = level_codes(value, "")
                first = np.full(len(levels), -1)
                first[codes[::-1]] = np.arange(len(codes))[::-1]
                rows |= set(first[first >= 0].tolist())
        return frame.iloc[sorted(rows)]

    def _values(self, frame: pd.DataFrame) -> dict[str, Any]:
        return {name: found.value for name, found in learn_factors(self.coded, frame, self.env).items()}

    def labels(self, frame: pd.DataFrame) -> list[np.ndarray]:
        """Numbers that stand for the levels that the rows have of each grouping factor, sorted, without repeats."""
        out = []
        for bar in self.bars:
            text, terms = terms_of_bar(bar)
            with reading(text, frame.dtypes):
                values = [Factor.learn(f, frame, self.env).value for f in terms[-1].factors]
            hashed = np.zeros(len(frame), np.uint64)
            for value in values:
                own = pd.util.hash_array(np.asarray(_plain_values(value)))
                hashed = hashed * np.uint64(0x9E3779B97F4A7C15) + own
            out.append(np.unique(hashed))
        return out

    def learn(self, shown: pd.DataFrame, every: Callable[[], Iterator[pd.DataFrame]]) -> LearntFormula:
        """Let patsy see rows that show every level, or all rows in turn where a transform learns from them.

        Raises
        ------
        FormulaError
            If it cannot be read, or a factor has one level only.
        """
        shown = settled(shown, self.used)
        for name in {f.name() for t in formula_terms(self.fixed) for f in t.factors} & set(shown.columns):
            refuse_uncoded(name, shown[name])

        def chunks() -> Iterator[pd.DataFrame]:
            if not self.stateful:
                return iter([shown])
            return (labelled_like(frame, shown, self.used) for frame in every())

        with reading(self.fixed, shown.dtypes):
            response, fixed = patsy.incr_dbuilders(self.fixed, chunks, self.env)
        refuse_one_level(fixed)
        for name in (name for info in (response, fixed) for name in of_other_rows(info, shown)):
            raise FormulaError(
                f"`{name}` of a row depends on other rows, of which each partition has its own: make it a column of "
                "the data, or write center(x) or standardize(x), which learn from all rows"
            )
        learnt: dict[str, Learnt] = learn_factors(map(terms_of_bar, self.bars), shown, self.env)
        bars = tuple(Patsy.of_chunks(bar, chunks, shown.dtypes, self.env, learnt) for bar in self.bars)
        for bar, one in zip(self.bars, bars, strict=True):
            if not one.inner.column_names:
                raise FormulaError(f"`{bar.text}` has no effects left of the bar; write (1 | {bar.group})")
        return LearntFormula(self, shown, response, fixed, bars)


@dataclass(frozen=True)
class LearntFormula:
    """A formula that codes the rows of every part alike.

    Attributes
    ----------
    written : WrittenFormula
    shown : DataFrame
        Rows that show every level.
    response, fixed : DesignInfo
    bars : tuple of Patsy
    """

    written: WrittenFormula
    shown: pd.DataFrame
    response: DesignInfo
    fixed: DesignInfo
    bars: tuple[Patsy, ...]

    def matrices(
        self, data: Any, missing: str
    ) -> tuple[Any, pd.DataFrame, tuple[RandomTerm, ...], dict[str, Any], int]:
        """Response, fixed effects, random terms, further values and the number of rows left out, of one part."""
        written = self.written
        frame, values, dropped = written.complete(data, missing)
        frame = labelled_like(frame, self.shown, written.used)
        with reading(written.fixed, frame.dtypes):
            y, X = patsy.build_design_matrices(
                [self.response, self.fixed], frame, NA_action="raise", return_type="dataframe"
            )
        pairs = zip(self.bars, written.bars, strict=True)
        return response_of(y), X, tuple(own.term(bar, frame) for own, bar in pairs), values, dropped

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (dumped(tuple(vars(self).values())),)


def _restored(content: bytes) -> LearntFormula:
    return LearntFormula(*pickle.loads(content))  # noqa: S301 - part of a pickle that is being read


def _named(fixed: str, bars: Sequence[BarTerm]) -> list[tuple[str, list[Term]]]:
    return list(named_terms(fixed, bars, None))


def _plain_values(value: Any) -> Any:
    inner = getattr(value, "data", value) if type(value).__name__ == "_CategoricalBox" else value
    dtype = getattr(inner, "dtype", None)
    return inner.astype(dtype.categories.dtype) if isinstance(dtype, pd.CategoricalDtype) else inner
