"""Random effects of several linear predictors with one covariance matrix: terms of one label, ``(1 | p | g)``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import sparse

from statsmodels_mcla.design import NewRows, RandomTerm, TermDesign
from statsmodels_mcla.formula.terms import FormulaError


class PlacedTerm(NamedTuple):
    """A random term, the number and name of its linear predictor, and its label."""

    term: RandomTerm
    number: int = 0
    predictor: str = ""
    label: str = ""

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of its effects among those of other predictors."""
        return tuple(prefixed(self.predictor, column) for column in self.term.columns)


def prefixed(predictor: str, name: str) -> str:
    """Name of an effect of a predictor."""
    return f"{predictor}: {name}" if predictor else name


@dataclass(frozen=True)
class JointDesign:
    """How terms of one grouping factor and one label were read."""

    parts: tuple[TermDesign, ...]

    def rebuild(self, data: pd.DataFrame | Mapping[str, Any], fitted: pd.DataFrame | None = None) -> NewRows:
        """Evaluate all of them: see `TermDesign`."""
        found = [part.rebuild(data, fitted) for part in self.parts]
        Z = side_by_side([(part.Z, part.x.shape[1]) for part in found])
        return NewRows(Z, found[0].unknown, np.concatenate([part.x for part in found], axis=1))


def side_by_side(parts: Sequence[tuple[sparse.csr_array, int]]) -> sparse.csr_array:
    """Designs (n, L d_k) of the same levels as one (n, L d), the effects of each level together."""
    dim, start, rows, columns, data = sum(d for _, d in parts), 0, [], [], []
    for Z, d in parts:
        coo = sparse.coo_array(Z)
        row, column = coo.coords
        rows.append(row)
        columns.append(column // d * dim + start + column % d)
        data.append(coo.data)
        start += d
    first, own = parts[0]
    shape = first.shape[0], first.shape[1] // own * dim
    entries = np.concatenate(data), (np.concatenate(rows), np.concatenate(columns))
    return sparse.csr_array(entries, shape=shape)


def joined(placed: Sequence[PlacedTerm]) -> list[RandomTerm]:
    """Random terms, those under one label and of one grouping factor made one.

    Parameters
    ----------
    placed : sequence of PlacedTerm

    Raises
    ------
    FormulaError
        If a label is used for several grouping factors, or once.
    """
    groups: dict[tuple[str, str] | int, list[PlacedTerm]] = {}
    for number, one in enumerate(placed):
        groups.setdefault((one.label, one.term.name) if one.label else number, []).append(one)
    named = [key for key in groups if isinstance(key, tuple)]
    for label, name in named:
        others = [other for own, other in named if own == label and other != name]
        if others:
            raise FormulaError(
                f"the label {label!r} is used for the grouping factors {name!r} and {others[0]!r}: effects under one "
                "label are correlated, and have one grouping factor; give each its own label"
            )
    for label, name in named:
        if len(groups[label, name]) == 1:
            raise FormulaError(
                f"the label {label!r} stands in one term only, and there is nothing for its effects to be correlated "
                f"with: write the term without it, (... | {name}), or give the label to a term of another formula too"
            )
    return [_of_one(members[0]) if len(members) == 1 else _of_several(members) for members in groups.values()]


def _of_one(one: PlacedTerm) -> RandomTerm:
    term, name = one.term, prefixed(one.predictor, one.term.name)
    columns = (name,) if term.columns == (term.name,) else term.columns
    return replace(term, name=name, columns=columns, predictors=(one.number,) * term.dim)


def _of_several(members: Sequence[PlacedTerm]) -> RandomTerm:
    terms = [one.term for one in members]
    designs = tuple(term.design for term in terms if term.design is not None)
    return RandomTerm(
        terms[0].name,
        tuple(column for one in members for column in one.columns),
        terms[0].levels,
        side_by_side([(term.Z, term.dim) for term in terms]),
        " and ".join(dict.fromkeys(term.text for term in terms)),
        JointDesign(designs),
        predictors=tuple(one.number for one in members for _ in one.term.columns),
    )
