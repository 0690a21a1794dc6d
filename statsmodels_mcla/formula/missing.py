"""Find the rows that a model cannot use, before anything is built from them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NoReturn

import numpy as np
import pandas as pd
from patsy import EvalEnvironment, Term

from statsmodels_mcla.exceptions import row_name
from statsmodels_mcla.formula.bar_design import terms_of_bar
from statsmodels_mcla.formula.bars import formula_terms, one_sided_terms
from statsmodels_mcla.formula.factors import (
    Factor,
    compared_in,
    environment,
    lacking,
    missing_rows,
    names_in,
    reading,
)
from statsmodels_mcla.formula.random_effects import mixedlm_bar, with_groups
from statsmodels_mcla.formula.tables import as_frame
from statsmodels_mcla.formula.terms import BarTerm, FormulaError
from statsmodels_mcla.formula.variance_components import list_formulas


def incomplete_rows(
    fixed_formula: str | None,
    bar_terms: Sequence[BarTerm],
    vc_formulas: Mapping[str, str | Sequence[str]] | None,
    data: pd.DataFrame | Mapping[str, Any],
    eval_env: int | Mapping[str, Any] | EvalEnvironment = 0,
    groups: Any = None,
    re_formula: str | None = None,
) -> np.ndarray:
    """Find the rows where anything that a model's formulas evaluate to is missing.

    Parameters
    ----------
    fixed_formula : str or None
        Formula of response and fixed effects, without bar terms.
    bar_terms : sequence of BarTerm
        From `split_formula`.
    vc_formulas : dict or None
        As in `read_vc_formulas`.
    data : DataFrame
        All rows.
    eval_env : int, Mapping or patsy.EvalEnvironment
        Where names that are no columns are looked up; an int counts frames above the caller.
    groups, re_formula : optional
        As in `mixedlm_terms`.

    Returns
    -------
    ndarray
        (n,) bool, True where NaN, None, NaT or NA takes part.

    Raises
    ------
    FormulaError
        For an unknown column or a formula that cannot be read.

    Notes
    -----
    Expressions are evaluated, so that ``np.log(x)`` of a negative number counts and ``x.fillna(0)`` does
    not. A stateful transform would learn from missing values; it is evaluated on the rows where every
    column that it names is present, and counts as missing elsewhere.  So does a comparison, ``(x == 'yes')``, which
    Python has as False where R has NA, unless the expression deals with missing values itself (``isna``, ``fillna``).

    Examples
    --------
    >>> data = pd.DataFrame({"y": [1.0, 2.0, None], "g": ["a", None, "b"]})
    >>> incomplete_rows("y ~ 1", [BarTerm("(1 | g)", "1", "g")], None, data)
    array([False,  True,  True])
    """
    frame, env = as_frame(data), environment(eval_env, 1)
    bars = list(bar_terms)
    if groups is not None:
        bar, frame = with_groups(mixedlm_bar(groups, re_formula), groups, frame)
        bars.append(bar)
    found = missing_by_factor(named_terms(fixed_formula, bars, vc_formulas), frame, env)
    return np.any([np.zeros(len(frame), dtype=bool), *found.values()], axis=0)


def named_terms(
    fixed_formula: str | None, bars: Sequence[BarTerm], vc_formulas: Mapping[str, Any] | None
) -> Iterator[tuple[str, list[Term]]]:
    """Terms of every formula, each with the text that errors show."""
    if fixed_formula is not None:
        yield fixed_formula, formula_terms(fixed_formula)
    for bar in bars:
        yield terms_of_bar(bar)
    for name, formulas in list_formulas(vc_formulas or {}).items():
        where = f"vc_formulas[{name!r}]"
        for formula in formulas:
            yield f"{where} = {formula!r}", one_sided_terms(formula, where)


def missing_by_factor(
    named: Iterable[tuple[str, Iterable[Term]]], frame: pd.DataFrame, env: EvalEnvironment
) -> dict[str, np.ndarray]:
    """(n,) bool for each factor of some terms: rows where its value is missing."""
    missing: dict[str, np.ndarray] = {}
    for text, terms in named:
        with reading(text, frame.dtypes):
            for factor in (factor for term in terms for factor in term.factors):
                if factor.name() not in missing:
                    code, learns = factor.name(), factor.memorize_passes_needed({}, env)
                    absent = lacking(frame, names_in(code) if learns else compared_in(code))
                    rest = frame.take(np.flatnonzero(~absent)) if absent.any() else frame
                    if len(rest):
                        absent[~absent] = missing_rows(Factor.learn(factor, rest, env).value)
                    missing[factor.name()] = absent
    return missing


def refuse_missing(bad: np.ndarray, labels: Any) -> NoReturn:
    """Refuse rows (n,) of which something is missing; rows have labels in the data."""
    raise FormulaError(
        f"{int(bad.sum())} rows have missing values, the first is {row_name(int(np.flatnonzero(bad)[0]), labels)}; "
        "remove them or use missing='drop'"
    )
