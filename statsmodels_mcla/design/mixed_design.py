"""The data of a mixed model as the likelihood needs them: frozen, numeric, split into blocks on demand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import scipy.sparse as sp

from statsmodels_mcla.covariance import ReducedTerm
from statsmodels_mcla.design.blocks import (
    BlockGraph,
    EffectLevels,
    RowColumns,
    Stacking,
    block_graph,
    block_shapes,
    stacked_blocks,
)
from statsmodels_mcla.design.buckets import Bucket
from statsmodels_mcla.design.design_facts import DesignFacts, RowsElsewhere
from statsmodels_mcla.design.random_terms import RandomTerm, orthonormal_axes
from statsmodels_mcla.families import ConditionalFamily
from statsmodels_mcla.numerics import Array, unique_rows

T = TypeVar("T")


@dataclass(frozen=True)
class MixedDesign(DesignFacts):
    """Validated data of a generalized linear mixed model.

    Attributes
    ----------
    y, w, v, offset : ndarray (N,)
        Response, weight, dispersion weight and offset of each row.
    X : ndarray (N, p)
        Fixed-effects design.
    terms : tuple of RandomTerm
        Random-effect terms; their Z matrices side by side are the Z of the model.
    family : ConditionalFamily
        Density of the response given the linear predictor.
    constant : float
        The part of the log-likelihood that depends on the data alone.
    reduced : tuple of ReducedTerm, optional
        How the effects of each term are made of standard ones; at full rank by default.
    stacking : Stacking, optional
        Of the blocks of a design that this one is a part of.
    first_block : int
        Number of blocks in the parts before it.
    """

    y: Array
    w: Array
    v: Array
    offset: Array
    X: Array
    terms: tuple[RandomTerm, ...]
    family: ConditionalFamily
    constant: float
    reduced: tuple[ReducedTerm, ...] | None = None
    stacking: Stacking | None = None
    first_block: int = 0

    def keep(self, function: Callable[..., Any], *kept: Any, **here: Any) -> Any:
        """See `DesignFacts`."""
        return function(self, *kept, **here)

    def map(self, function: Callable[..., T], *kept: Any, **here: Any) -> list[T]:
        """See `DesignFacts`."""
        return [function(self, *kept, **here)]

    def placed(self, stacking: Stacking, first_block: int) -> MixedDesign:
        """Return the design as a part of another one."""
        out = replace(self, stacking=stacking, first_block=first_block)
        out.__dict__["graph"] = self.graph  # which takes long
        return out

    def refuse_part(self) -> None:
        """See `DesignFacts`."""
        if self.stacking is not None:
            raise RowsElsewhere(
                "this is a sum over all rows, of which one partition has a part: ask the results of the whole fit"
            )

    @property
    def here(self) -> MixedDesign:
        """See `DesignFacts`."""
        return self

    def lowered(self, reduced: Sequence[ReducedTerm] | None, *, at_limit: bool) -> MixedDesign:
        """See `DesignFacts`."""
        limit = self.family.limit(self.y, self.w, self.v) if at_limit else None
        out = self if limit is None else replace(self, family=limit[0], **limit[1]._asdict())
        if reduced is None:
            return out
        pairs = [(t, own) for t, own in zip(self.terms, reduced, strict=True) if own.rank]
        own = tuple(replace(own, levels=t.n_levels) for t, own in pairs)
        return replace(out, terms=tuple(t for t, _ in pairs), reduced=own)

    def chosen(self, function: Callable[[MixedDesign], MixedDesign]) -> MixedDesign:
        """See `DesignFacts`."""
        return function(self)

    @property
    def n_rows(self) -> int:
        """Number of rows, N."""
        return len(self.y)

    @property
    def n_fixed(self) -> int:
        """Number of fixed effects, p."""
        return self.X.shape[1]

    @cached_property
    def fixed_axes(self) -> Array:
        """Coordinates (p, p) in which the fixed-effects design is orthonormal: see `orthonormal_axes`."""
        return orthonormal_axes(self.X - self.fixed_centre)

    @cached_property
    def fixed_centre(self) -> Array:
        """Where the columns of the fixed-effects design are counted from, (p,): see `known_axes`."""
        followed = self.family.intercept_in_parameters.any()
        return self.X.mean(axis=0) if followed else np.zeros(self.n_fixed)

    @cached_property
    def Z(self) -> sp.csr_array:  # noqa: N802 - the symbol of the literature
        """Random-effects design, (N, Q), the terms side by side."""
        return self._side_by_side([t.Z for t in self.terms])

    def _side_by_side(self, parts: list[sp.csr_array]) -> sp.csr_array:
        if len(parts) == 1:
            return parts[0]
        return sp.csr_array(sp.hstack(parts, format="csr") if parts else (self.n_rows, 0))

    def _along_axes(self) -> sp.csr_array:
        """Random-effects design (N, Q) along the axes of its terms: what blocks are computed with."""
        pairs = zip(self.terms, self.loadings.terms, strict=True)
        return self._side_by_side(
            [sp.csr_array(t.Z @ sp.kron(sp.eye_array(t.n_levels), own.axes)) for t, own in pairs]
        )

    @cached_property
    def levels(self) -> EffectLevels:
        """Which level and term each effect belongs to."""
        return EffectLevels.of(self.terms)

    @cached_property
    def graph(self) -> BlockGraph:
        """Blocks of the design: which rows and effects belong together."""
        D = len(self.family.directions)
        of_data = (
            sp.csr_array(sp.kron(sp.eye_array(self.n_rows // D), np.ones((1, D))) @ abs(self.Z))
            if D > 1
            else self.Z
        )
        found = block_graph(self.levels, of_data)
        return replace(found, of_row=np.repeat(found.of_row, D))

    @property
    def n_blocks(self) -> int:
        """Number of blocks."""
        return self.graph.n_blocks

    @cached_property
    def shapes(self) -> tuple[np.ndarray, np.ndarray]:
        """Distinct shapes of its blocks, and the number of blocks of each (see `Stacking`)."""
        found = unique_rows(block_shapes(self.graph, self.levels))
        return found.rows, found.counts

    @cached_property
    def buckets(self) -> tuple[Bucket, ...]:
        """Blocks stacked by shape: the factorised form of the likelihood."""
        return self._stacked(self.graph, self.stacking)

    @cached_property
    def joint(self) -> tuple[Bucket, ...]:
        """Return all rows and effects as one block, as a joint importance density needs them."""
        one = np.zeros(self.n_rows, int), np.zeros(self.Z.shape[1], int)
        return self._stacked(BlockGraph(*one, 1))

    def _stacked(self, graph: BlockGraph, stacking: Stacking | None = None) -> tuple[Bucket, ...]:
        rows = RowColumns(self.y, self.w, self.v, self.offset, self.X)
        parts = graph, self.levels, self.loadings.ranks, rows, self._along_axes(), self.family
        return stacked_blocks(*parts, stacking)

    @cached_property
    def block_labels(self) -> list[str]:
        """Name of each block: its levels, the first few of them."""
        return self.labels_of_blocks(np.arange(self.n_blocks))

    def labels_of_blocks(self, blocks: np.ndarray) -> list[str]:
        """Names of some blocks."""
        effects, n_units = np.flatnonzero(np.isin(self.graph.of_effect, blocks)), len(self.levels.term)
        of_effect = self.graph.of_effect[effects].astype(np.int64), self.levels.of_effect[effects]
        block, unit = np.divmod(np.unique(of_effect[0] * n_units + of_effect[1]), n_units)
        first, stop = (np.searchsorted(block, blocks, side=side).tolist() for side in ("left", "right"))
        names, out = self._names_of(unit), []
        for a, b in zip(first, stop, strict=True):
            levels = list(dict.fromkeys(names[a:b]))  # once each: a term may be in two parts
            more = f", ... ({len(levels)} levels)" if len(levels) > 2 else ""
            out.append(", ".join(levels[:2]) + more if levels else "rows without random effects")
        return out

    def _names_of(self, units: np.ndarray) -> list[str]:
        """Names of levels, counted over all terms: term and level."""
        term = self.levels.term[units]
        place = units - np.searchsorted(self.levels.term, term)
        out = []
        for k, j in zip(term.tolist(), place.tolist(), strict=True):
            name, level = self.terms[k].name, str(self.terms[k].levels[j])
            out.append(level if level.startswith(name) else f"{name}: {level}")
        return out
