"""Read bar terms, and MixedLM's ``groups`` and ``re_formula``, into random terms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import permutations
from keyword import iskeyword
from typing import Any
from warnings import warn

import numpy as np
import pandas as pd
from patsy import EvalEnvironment, Term
from patsy.desc import INTERCEPT

from statsmodels_mcla.design import RandomTerm
from statsmodels_mcla.formula.bar_design import read_bar, terms_of_bar
from statsmodels_mcla.formula.bars import grouping_terms, one_sided_terms
from statsmodels_mcla.formula.factors import Learnt, environment, is_categorical, learn_factors
from statsmodels_mcla.formula.shared_effects import PlacedTerm, joined
from statsmodels_mcla.formula.tables import as_frame, by_label, plain
from statsmodels_mcla.formula.terms import BarTerm, FormulaError, FormulaWarning


def read_random_terms(
    bar_terms: Sequence[BarTerm],
    data: pd.DataFrame | Mapping[str, Any],
    eval_env: int | Mapping[str, Any] | EvalEnvironment = 0,
) -> list[RandomTerm]:
    """Build the random terms of a formula.

    Parameters
    ----------
    bar_terms : sequence of BarTerm
        From `split_formula`.
    data : DataFrame
        Rows without missing values in what the terms use (see `incomplete_rows`).
    eval_env : int, Mapping or patsy.EvalEnvironment
        Where names that are no columns are looked up; an int counts frames above the caller.

    Returns
    -------
    list of RandomTerm
        One a covariance matrix, in the order written: ``(x | a/b)`` gives two, for a and a:b.
        Levels that do not occur are left out; the rest are in category or sorted order.

    Raises
    ------
    FormulaError
        For an unknown column, a missing or infinite value, a grouping with one level, a design that is
        empty or has linearly dependent columns, or an effect that appears twice on the same grouping.

    Warns
    -----
    FormulaWarning
        If one term's effects lie within another's, as in ``(1 | g) + (0 + f | g)`` for a factor f.

    Notes
    -----
    ``||`` splits the inner formula's terms, as lme4 does: ``(1 + x || g)`` is ``(1 | g) + (0 + x | g)``.
    The columns of one term, a factor's or a spline's, stay together as one correlated block, and a
    factor alone gets one column for each of its levels.

    Examples
    --------
    >>> data = pd.DataFrame({"g": list("aabb"), "x": [1.0, 2.0, 3.0, 4.0]})
    >>> (term,) = read_random_terms([BarTerm("(x | g)", "x", "g")], data)
    >>> term.columns, term.levels, term.Z.shape
    (('Intercept', 'x'), ('a', 'b'), (4, 4))
    """
    return read_bars(bar_terms, as_frame(data), environment(eval_env, 1))


def read_bars(bar_terms: Sequence[BarTerm], frame: pd.DataFrame, env: EvalEnvironment) -> list[RandomTerm]:
    """Build the random terms of a formula: see `read_random_terms`."""
    return [term for _, term in labelled_terms(bar_terms, frame, env)]


def read_random_effects(
    bar_terms: Sequence[BarTerm], frame: pd.DataFrame, env: EvalEnvironment, predictors: Mapping[int, str]
) -> list[RandomTerm]:
    """Build the random terms of a formula that is for some linear predictors, given by number and name."""
    return joined(
        [
            PlacedTerm(term, number, name, label)
            for number, name in predictors.items()
            for label, term in labelled_terms(bar_terms, frame, env)
        ]
    )


def labelled_terms(
    bar_terms: Sequence[BarTerm], frame: pd.DataFrame, env: EvalEnvironment
) -> list[tuple[str, RandomTerm]]:
    """Build the random terms of a formula, each with its label."""
    bars = [bar for written in bar_terms for bar in expand(written)]
    learnt = learn_factors(map(terms_of_bar, bars), frame, env)
    terms = [(bar.label, read_bar(bar, frame, env, learnt)) for bar in bars]
    _check_overlaps(bars, learnt)
    return terms


def mixedlm_terms(
    groups: Any,
    re_formula: str | None,
    data: pd.DataFrame | Mapping[str, Any],
    eval_env: int | Mapping[str, Any] | EvalEnvironment = 0,
) -> list[RandomTerm]:
    """Build the random term that MixedLM's ``groups`` and ``re_formula`` describe.

    Parameters
    ----------
    groups : str or array_like
        Name of the grouping column, or a label for each row. An array is named ``"Group"``, as in
        MixedLM; unless it is a column of `data`, rows to predict for give it as a column ``groups``.
    re_formula : str or None
        One-sided formula of a group's effects, which are correlated; None for a random intercept.
    data : DataFrame
        Rows without missing values.
    eval_env : int, Mapping or patsy.EvalEnvironment
        As in `read_random_terms`.

    Returns
    -------
    list of RandomTerm
        One term.

    Raises
    ------
    FormulaError
        As `read_random_terms`.
    """
    bar, frame = with_groups(mixedlm_bar(groups, re_formula), groups, as_frame(data))
    return named_after(groups, read_bars([bar], frame, environment(eval_env, 1)))


def named_after(groups: Any, terms: Sequence[RandomTerm]) -> list[RandomTerm]:
    """Terms by MixedLM's name of them: the column's, or "Group" for an array."""
    return [replace(term, name=groups if isinstance(groups, str) else "Group") for term in terms]


def mixedlm_bar(groups: Any, re_formula: str | None) -> BarTerm:
    """Write MixedLM's ``groups`` and ``re_formula`` as the bar term ``(re_formula | groups)``.

    Parameters
    ----------
    groups : str or array_like
        Name of a column, or a label for each row.
    re_formula : str or None
        One-sided formula; None for a random intercept.
    """
    inner = "1" if re_formula is None else re_formula
    one_sided_terms(inner, "re_formula")
    inner = inner.strip().removeprefix("~").strip()
    shown = repr(groups) if isinstance(groups, str) else "<array>"
    name = groups if isinstance(groups, str) else getattr(groups, "name", None)
    return BarTerm(
        f"groups={shown}, re_formula={re_formula!r}", inner, _quoted("groups" if name is None else str(name))
    )


def with_groups(bar: BarTerm, groups: Any, frame: pd.DataFrame) -> tuple[BarTerm, pd.DataFrame]:
    """Return the term of `mixedlm_bar`, and data that have its groups: as a column ``groups`` if in no other."""
    if isinstance(groups, str):
        if groups not in frame.columns:
            shown = ", ".join(map(str, frame.columns[:10]))
            raise FormulaError(f"groups={groups!r} is no column of the data ({shown})")
        return bar, frame
    labels = by_label(groups, frame.index, "groups")
    name = getattr(labels, "name", None)
    if (
        isinstance(labels, pd.Series)
        and name in frame.columns
        and labels.equals(plain(frame, {str(name)})[name])
    ):
        return bar, frame
    labels = labels.array if isinstance(labels, (pd.Series, pd.Index)) else labels
    labels = labels if isinstance(labels, pd.api.extensions.ExtensionArray) else np.asarray(labels)
    if labels.ndim != 1 or len(labels) != len(frame):
        raise FormulaError(f"groups must be a column's name or {len(frame)} labels, one for each row of data")
    own = pd.Series(labels, index=frame.index)
    if "groups" in frame.columns and not own.equals(frame["groups"]):
        raise FormulaError(
            "groups: the data have another column of the name 'groups'; rename it, or pass its name"
        )
    return replace(bar, group="groups"), frame.assign(groups=own)


def expand(bar: BarTerm) -> list[BarTerm]:
    """Write a bar term as terms with one grouping factor and one covariance matrix each.

    Parameters
    ----------
    bar : BarTerm
        As written.

    Returns
    -------
    list of BarTerm
        All with ``|``, by grouping and then by inner term.

    Examples
    --------
    >>> [f"{b.inner} | {b.group}" for b in expand(BarTerm("(x || a/b)", "x", "a/b", correlated=False))]
    ['1 | a', '0 + x | a', '1 | a:b', '0 + x | a:b']
    """
    inner = [bar.inner]
    if not bar.correlated:
        terms = one_sided_terms(bar.inner, f"`{bar.text}`")
        inner = ["1" if term == INTERCEPT else f"0 + {term.name()}" for term in terms]
    return [
        BarTerm(bar.text, side, term.name(), label=bar.label)
        for term in grouping_terms(bar)
        for side in inner
    ]


def _quoted(column: str) -> str:
    return column if column.isidentifier() and not iskeyword(column) else f"Q({column!r})"


def _check_overlaps(bars: Sequence[BarTerm], learnt: Mapping[str, Learnt]) -> None:
    """Refuse an effect given twice; warn of one that lies within a factor's effects."""
    read = [(bar, grouping_terms(bar), one_sided_terms(bar.inner, f"`{bar.text}`")) for bar in bars]
    for (bar, grouping, terms), (other, other_grouping, others) in permutations(read, 2):
        if grouping != other_grouping:
            continue
        for term in terms:
            if term in others:
                raise FormulaError(
                    f"the effect {term.name()} of {bar.group} appears twice, in `{bar.text}` and "
                    f"`{other.text}`; keep one"
                )
            for wide in others:
                if _within(term, wide, learnt):
                    warn(
                        f"the effect {term.name()} of {bar.group} in `{bar.text}` lies within those of "
                        f"{wide.name()} in `{other.text}`, so their variances are not identified; keep one "
                        "of the two (|| keeps the columns of a factor together, as in lme4)",
                        FormulaWarning,
                        stacklevel=4,
                    )


def _within(term: Term, wide: Term, learnt: Mapping[str, Learnt]) -> bool:
    """Whether `wide` is `term` crossed with factors, coded with one column a level."""
    more = set(wide.factors) - set(term.factors)
    return set(term.factors) < set(wide.factors) and all(
        is_categorical(learnt[factor.name()].value) for factor in more
    )
