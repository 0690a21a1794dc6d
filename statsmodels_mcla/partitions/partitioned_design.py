"""A design whose rows are in parts: what it is made of, and what is known of all parts together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NoReturn, TypeVar

import numpy as np
import scipy.sparse as sp

from statsmodels_mcla.covariance import ReducedTerm
from statsmodels_mcla.design import (
    DesignFacts,
    MixedDesign,
    NewRows,
    RowsElsewhere,
    Stacking,
    axes_of_roots,
    row_root,
)
from statsmodels_mcla.execution import Kept, Part, Workplace, remade
from statsmodels_mcla.families import ConditionalFamily
from statsmodels_mcla.formula import LearntFormula, as_frame, reading
from statsmodels_mcla.numerics import Array

T = TypeVar("T")


@dataclass(frozen=True)
class LevelsElsewhere:
    """A random-effect term on new rows, as of levels that are new: those of the fit are where their rows are.

    Attributes
    ----------
    learnt : LearntFormula
    number : int
        Of the term in it.
    levels : int
    """

    learnt: LearntFormula
    number: int
    levels: int

    def rebuild(self, data: Any, fitted: Any = None) -> NewRows:
        """See `TermDesign`."""
        del fitted
        frame, term = as_frame(data), self.learnt.bars[self.number]
        with reading(self.learnt.written.bars[self.number].text, frame.dtypes):
            x = term.matrix(frame)
        return NewRows(sp.csr_array((len(x), self.levels * x.shape[1])), np.ones(len(x), dtype=bool), x)


@dataclass(frozen=True)
class TermOfParts:
    """A random-effect term whose levels are in parts.

    Attributes
    ----------
    name : str
    columns : tuple of str
    n_levels : int
        In all parts.
    axes : ndarray (d, d)
        Of all rows.
    design : LevelsElsewhere
    """

    name: str
    columns: tuple[str, ...]
    n_levels: int
    axes: Array
    design: LevelsElsewhere

    @property
    def dim(self) -> int:
        """Number of effects of one level."""
        return len(self.columns)

    @property
    def predictors(self) -> tuple[int, ...]:
        """Linear predictor of each of them: models of partitions have one."""
        return (0,) * self.dim


@dataclass(frozen=True, eq=False)
class PartitionedDesign(DesignFacts):
    """A design whose rows are in parts, each of them a `MixedDesign` of its own.

    Groups do not straddle parts, so that blocks are whole.  Parameters mean the same in all parts: these have the axes
    of all rows together, and the buckets and places of their blocks are those of one design of all rows.

    Attributes
    ----------
    workplace : Workplace
    loose : Kept
        `MixedDesign` of each part, with buckets of its own;
    parts : Kept
        with those of the whole.
    terms, family, constant, n_rows, n_fixed, fixed_axes, n_blocks, reduced
        See `DesignFacts` and `MixedDesign`.
    """

    n_told = 20

    workplace: Workplace
    loose: Kept
    parts: Kept
    terms: tuple[TermOfParts, ...]
    family: ConditionalFamily
    constant: float
    n_rows: int
    n_fixed: int
    fixed_axes: Array
    n_blocks: int
    reduced: tuple[ReducedTerm, ...] | None = None

    @property
    def fixed_centre(self) -> Array:
        """See `DesignFacts`: families without an intercept are not for parts of rows."""
        return np.zeros(self.n_fixed)

    @classmethod
    def of(
        cls,
        workplace: Workplace,
        loose: Kept,
        terms: Sequence[TermOfParts],
        family: ConditionalFamily,
        constant: float,
    ) -> PartitionedDesign:
        """Design of the `MixedDesign` that each part has."""
        roots = workplace.map(_fixed_root, loose)
        rows = sum(root.rows for root in roots)
        parts, n_blocks = _stacked(workplace, loose, terms)
        axes = axes_of_roots(roots)
        return cls(workplace, loose, parts, tuple(terms), family, constant, rows, len(axes), axes, n_blocks)

    def keep(self, function: Callable[..., Any], *kept: Any, **here: Any) -> Kept:
        """See `DesignFacts`."""
        return self.workplace.keep(function, self.parts, *kept)

    def map(self, function: Callable[..., T], *kept: Any, **here: Any) -> list[T]:
        """See `DesignFacts`."""
        return self.workplace.map(function, self.parts, *kept, **here)

    @property
    def here(self) -> NoReturn:
        """See `DesignFacts`."""
        raise RowsElsewhere(
            f"this needs all rows in one process, and the model has them in {len(self.workplace.parts)} partitions: "
            "ask each by results.map_partitions, or fit a model of fewer rows from_formula"
        )

    def chosen(self, function: Callable[[MixedDesign], MixedDesign]) -> PartitionedDesign:
        """See `DesignFacts`."""
        loose = self.workplace.keep(partial(_chosen, function), self.loose)
        return PartitionedDesign.of(self.workplace, loose, self.terms, self.family, self.constant)

    def lowered(self, reduced: Sequence[ReducedTerm] | None, *, at_limit: bool) -> PartitionedDesign:
        """See `DesignFacts`."""
        loose = self.workplace.keep(partial(_lowered, reduced, at_limit), self.loose)
        terms, own = self.terms, self.reduced
        if reduced is not None:
            terms = tuple(t for t, one in zip(self.terms, reduced, strict=True) if one.rank)
            own = tuple(one for one in reduced if one.rank)
        limit = self.family.limit(np.ones(1), np.ones(1), np.ones(1)) if at_limit else None
        parts, n_blocks = _stacked(self.workplace, loose, terms)
        return replace(
            self,
            loose=loose,
            parts=parts,
            terms=terms,
            reduced=own,
            family=self.family if limit is None else limit[0],
            n_blocks=n_blocks,
        )


def _stacked(workplace: Workplace, loose: Kept, terms: Sequence[TermOfParts]) -> tuple[Kept, int]:
    """Designs with the buckets of the whole, and the number of blocks."""
    shapes = workplace.map(_shapes, loose)
    blocks = np.cumsum([0, *(int(counts.sum()) for _, counts in shapes)])
    places = list(
        zip(Stacking.of_parts(shapes, np.array([t.dim for t in terms], int)), blocks.tolist(), strict=False)
    )
    number = workplace.keep(_number)
    return workplace.keep(partial(_placed, places), number, loose), int(blocks[-1])


def _number(part: Part) -> int:
    return part.number


def _shapes(design: MixedDesign) -> tuple[np.ndarray, np.ndarray]:
    return design.shapes


def _fixed_root(design: MixedDesign) -> Any:
    return row_root(design.X)


@remade
def _placed(places: list[tuple[Stacking, int]], number: int, design: MixedDesign) -> MixedDesign:
    stacking, first = places[number]
    return design.placed(stacking, first)


@remade
def _lowered(reduced: Sequence[ReducedTerm] | None, at_limit: bool, design: MixedDesign) -> MixedDesign:
    return design.lowered(reduced, at_limit=at_limit)


@remade
def _chosen(function: Callable[[MixedDesign], MixedDesign], design: MixedDesign) -> MixedDesign:
    return function(design)
