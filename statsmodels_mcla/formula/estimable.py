"""Fixed effects that the rows can tell: columns of categories that do not occur together are left out."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Sequence
from itertools import product
from typing import Any
from warnings import warn

import numpy as np
import pandas as pd
from patsy import ContrastMatrix, DesignInfo
from patsy.design_info import SubtermInfo

from statsmodels_mcla.exceptions import row_name
from statsmodels_mcla.formula.terms import FormulaError, FormulaWarning
from statsmodels_mcla.numerics import Array


def estimable_columns(info: DesignInfo, X: Array, labels: Any = None) -> list[str]:
    """Names of the columns of a design less those of factors that depend on columns before them, as R has it.

    Parameters
    ----------
    info : DesignInfo
    X : ndarray (n, p)
        The design, rows that the likelihood counts.
    labels : Index (n,), optional
        Of the rows, in the data.

    Raises
    ------
    FormulaError
        If a column has infinite values.

    Warns
    -----
    FormulaWarning
        If a column is left out.
    """
    names = info.column_names
    refuse_infinite(names, X, labels=labels)
    coded = {
        name
        for term, where in info.term_name_slices.items()
        if any(info.factor_infos[f].type == "categorical" for f in _factors(info, term))
        for name in names[where]
    }
    size = np.linalg.norm(X, axis=0)
    unit = X / np.where(size == 0.0, 1.0, size)
    tolerance = 1e-9 * max(X.shape) ** 0.5
    if (
        not coded
        or not len(X)
        or (np.all(size > 0) and np.linalg.matrix_rank(unit, tol=tolerance) == len(names))
    ):
        return list(names)
    basis, out = np.zeros((len(X), 0)), []
    for j in sorted(range(len(names)), key=lambda j: names[j] in coded):
        rest = unit[:, j]
        for _ in range(2):  # once more, against round-off
            rest = rest - basis @ (basis.T @ rest)
        length = np.linalg.norm(rest)
        if length > tolerance:
            basis = np.column_stack([basis, rest / length])
        elif names[j] in coded:
            out.append(names[j])
    if out:
        warn(
            f"the fixed effects {', '.join(out)} cannot be told from the others, as where a combination of categories "
            "does not occur: they are left out of the model",
            FormulaWarning,
            stacklevel=4,
        )
    return [name for name in names if name not in out]


def estimable_design(matrix: pd.DataFrame, counted: np.ndarray) -> DesignInfo:
    """What is known of a design, less columns that depend on others in the rows that count."""
    info: DesignInfo = matrix.design_info
    return with_columns(info, estimable_columns(info, matrix.to_numpy()[counted], matrix.index[counted]))


def refuse_infinite(names: Sequence[str], X: Array, what: str = "exog", labels: Any = None) -> None:
    """Refuse columns of a design that a logarithm of zero or the like gives; rows have labels in the data."""
    rows, columns = np.nonzero(~np.isfinite(X))
    if len(rows):
        shown = ", ".join(names[j] for j in np.unique(columns))
        raise FormulaError(
            f"{what} has infinite values, the first in {row_name(rows[0], labels)}: {shown}; replace or remove them"
        )


class PartialDesign(DesignInfo):
    """Some of the columns of a design, `whole`."""

    def __init__(self, columns: list[str], factors: Any, codings: Any, whole: DesignInfo) -> None:
        super().__init__(columns, factors, codings)
        self.whole = whole


def whole_design(info: DesignInfo) -> DesignInfo | None:
    """Return the design of all columns, where some were left out; an intercept beside thresholds is none of these."""
    whole = getattr(info, "whole", info)
    return whole if {*whole.column_names} - {*info.column_names, "Intercept"} else None


def with_columns(info: DesignInfo, names: Collection[str]) -> DesignInfo:
    """Design that builds some of the columns of another one.

    patsy builds all columns of a numerical factor or none: those of a spline stay together.
    """
    if len(names) == len(info.column_names):
        return info
    codings: Any = OrderedDict()
    columns: list[str] = []
    for term, subterms in info.term_codings.items():
        left = list(info.column_names[info.term_name_slices[term.name()]])
        parts = []
        for subterm in subterms:
            own, left = left[: subterm.num_columns], left[subterm.num_columns :]
            for part, built in _parts(info, subterm, own, names):
                parts.append(part)
                columns += built
        if parts:
            codings[term] = parts
    used = {factor for term in codings for factor in term.factors}
    factors = {factor: facts for factor, facts in info.factor_infos.items() if factor in used}
    return PartialDesign(columns, factors, codings, getattr(info, "whole", info))


def _parts(
    info: DesignInfo, subterm: SubtermInfo, columns: list[str], names: Collection[str]
) -> list[tuple[SubtermInfo, list[str]]]:
    """Product of factors cut up by the columns of the coded ones, where some are left out."""
    if set(columns) <= set(names):
        return [(subterm, columns)]
    codings = subterm.contrast_matrices
    widths = [
        codings[factor].matrix.shape[1] if factor in codings else info.factor_infos[factor].num_columns
        for factor in subterm.factors
    ]
    of_place: dict[tuple[int, ...], list[str]] = {}  # of the coded factors
    # patsy's order: the first factor runs fastest
    for place, column in zip(product(*(range(width) for width in widths[::-1])), columns, strict=True):
        coded = [k for factor, k in zip(subterm.factors, place[::-1], strict=True) if factor in codings]
        of_place.setdefault(tuple(coded), []).append(column)
    out = []
    for place, built in of_place.items():
        if set(built) & set(names):
            chosen = {
                factor: ContrastMatrix(codings[factor].matrix[:, [k]], [codings[factor].column_suffixes[k]])
                for factor, k in zip((f for f in subterm.factors if f in codings), place, strict=True)
            }
            out.append((SubtermInfo(subterm.factors, chosen, len(built)), built))
    return out


def _factors(info: DesignInfo, name: str) -> Any:
    return next(term.factors for term in info.terms if term.name() == name)
