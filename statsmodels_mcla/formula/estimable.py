"""Fixed effects that the rows can tell: columns of categories that do not occur together are left out."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterator
from itertools import product
from typing import Any
from warnings import warn

import numpy as np
from patsy import ContrastMatrix, DesignInfo
from patsy.design_info import SubtermInfo

from statsmodels_mcla.formula.terms import FormulaWarning
from statsmodels_mcla.numerics import Array


def estimable_columns(info: DesignInfo, X: Array) -> list[str]:
    """Names of the columns of a design less those of factors that depend on columns before them, as R has it.

    Parameters
    ----------
    info : DesignInfo
    X : ndarray (n, p)
        The design, rows that the likelihood counts.

    Warns
    -----
    FormulaWarning
        If a column is left out.
    """
    names = info.column_names
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


def with_columns(info: DesignInfo, names: Collection[str]) -> DesignInfo:
    """Design that builds some of the columns of another one."""
    if len(names) == len(info.column_names):
        return info
    codings: Any = OrderedDict()
    for term, subterms in info.term_codings.items():
        column = iter(info.column_names[info.term_name_slices[term.name()]])
        parts = [part for subterm in subterms for part in _parts(info, subterm, column, names)]
        if parts:
            codings[term] = parts
    used = {factor for term in codings for factor in term.factors}
    factors = {factor: facts for factor, facts in info.factor_infos.items() if factor in used}
    return DesignInfo([name for name in info.column_names if name in names], factors, codings)


def _parts(
    info: DesignInfo, subterm: SubtermInfo, column: Iterator[str], names: Collection[str]
) -> list[SubtermInfo]:
    """Product of factors cut up into single columns, where some of them are left out."""
    codings = [subterm.contrast_matrices.get(factor) for factor in subterm.factors]
    widths = [
        info.factor_infos[factor].num_columns if coding is None else coding.matrix.shape[1]
        for factor, coding in zip(subterm.factors, codings, strict=True)
    ]
    # patsy's order: the first factor runs fastest
    places = [place[::-1] for place in product(*(range(width) for width in widths[::-1]))]
    kept = [next(column) in names for _ in places]
    if all(kept):
        return [subterm]
    out = []
    for place, keep in zip(places, kept, strict=True):
        if keep:
            chosen = {
                factor: ContrastMatrix(coding.matrix[:, [k]], [coding.column_suffixes[k]])
                for factor, coding, k in zip(subterm.factors, codings, place, strict=True)
                if coding is not None
            }
            out.append(SubtermInfo(subterm.factors, chosen, 1))
    return out


def _factors(info: DesignInfo, name: str) -> Any:
    return next(term.factors for term in info.terms if term.name() == name)
