"""The data of a mixed model as the likelihood needs them: frozen, numeric, split into blocks on demand."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.linalg import block_diag

from statsmodels_mcla.covariance import Covariance, CovarianceTerm, Loadings, ReducedTerm
from statsmodels_mcla.design.blocks import BlockGraph, EffectLevels, RowColumns, block_graph, stacked_blocks
from statsmodels_mcla.design.buckets import Bucket
from statsmodels_mcla.design.parameter_layout import ParameterLayout
from statsmodels_mcla.design.random_terms import RandomTerm, orthonormal_axes
from statsmodels_mcla.families import ConditionalFamily
from statsmodels_mcla.numerics import Array


@dataclass(frozen=True)
class MixedDesign:
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

    @property
    def n_rows(self) -> int:
        """Number of rows, N."""
        return len(self.y)

    @property
    def n_fixed(self) -> int:
        """Number of fixed effects, p."""
        return self.X.shape[1]

    @property
    def n_family(self) -> int:
        """Number of parameters of the family."""
        return len(self.family.parameters)

    @property
    def positive(self) -> np.ndarray:
        """Places of the family's parameters that are positive."""
        return np.arange(self.n_params)[self.layout.family][self.family.parameter_scale.positive]

    @property
    def n_params(self) -> int:
        """Length of params."""
        return self.layout.size

    @cached_property
    def layout(self) -> ParameterLayout:
        """Where each parameter lies: fixed effects, loadings (or what has as many: see `Loadings`), dispersion."""
        return ParameterLayout((self.n_fixed,), self.loadings.size, self.n_family)

    @cached_property
    def covariance(self) -> Covariance:
        """Structure of the covariance of the effects."""
        return Covariance(tuple(CovarianceTerm(t.name, t.columns) for t in self.terms))

    @cached_property
    def loadings(self) -> Loadings:
        """How the effects are made of standard ones."""
        if self.reduced is not None:
            return Loadings(self.reduced)
        pairs = zip(self.covariance.terms, self.terms, strict=True)
        return Loadings(tuple(ReducedTerm.of(c, t.n_levels, axes=t.axes) for c, t in pairs))

    @cached_property
    def fixed_axes(self) -> Array:
        """Coordinates (p, p) in which the fixed-effects design is orthonormal: see `orthonormal_axes`."""
        return orthonormal_axes(self.X)

    @cached_property
    def Z(self) -> sp.csr_array:  # noqa: N802 - the symbol of the literature
        """Random-effects design, (N, Q), the terms side by side."""
        return self._side_by_side([t.Z for t in self.terms])

    def _side_by_side(self, parts: list[sp.csr_array]) -> sp.csr_array:
        return sp.csr_array(sp.hstack(parts, format="csr") if parts else (self.n_rows, 0))

    @cached_property
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

    def split(self, params: Array) -> tuple[Array, Array, Any]:
        """Fixed effects, loadings and dispersion: 1.0 if the family has none, psi if it has several parameters."""
        parts = self.layout.split(params)
        psi = parts.family
        return parts.fixed, parts.covariance, psi if len(psi) > 1 else float(psi[0]) if len(psi) else 1.0

    def jacobian(self, params: Array) -> Array:
        """Derivative of (beta, variances and covariances, dispersion) in the parameters, (P natural, P)."""
        parts = self.layout.split(params)
        inner = [
            t.jacobian(parts.covariance[s])
            for t, s in zip(self.loadings.terms, self.loadings.slices, strict=True)
        ]
        return block_diag(np.eye(self.n_fixed), *inner, np.eye(self.n_family))

    @cached_property
    def unit_labels(self) -> list[str]:
        """Name of each level: term and level."""
        return [
            level if level.startswith(t.name) else f"{t.name}: {level}"
            for t in self.terms
            for level in map(str, t.levels)
        ]

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
    def buckets(self) -> tuple[Bucket, ...]:
        """Blocks stacked by shape: the factorised form of the likelihood."""
        return self._stacked(self.graph)

    @cached_property
    def joint(self) -> tuple[Bucket, ...]:
        """Return all rows and effects as one block, as a joint importance density needs them."""
        one = np.zeros(self.n_rows, int), np.zeros(self.Z.shape[1], int)
        return self._stacked(BlockGraph(*one, 1))

    def _stacked(self, graph: BlockGraph) -> tuple[Bucket, ...]:
        rows = RowColumns(self.y, self.w, self.v, self.offset, self.X)
        return stacked_blocks(graph, self.levels, self.loadings.ranks, rows, self._along_axes, self.family)

    @cached_property
    def block_labels(self) -> list[str]:
        """Name of each block: its levels, the first few of them."""
        effects = np.flatnonzero(self.graph.of_effect >= 0)
        pairs = np.unique(np.column_stack([self.graph.of_effect, self.levels.of_effect])[effects], axis=0)
        first = np.searchsorted(pairs[:, 0], np.arange(self.n_blocks + 1))
        out = []
        for a, b in pairwise(first):
            # once each: a term may be in two parts
            levels = list(dict.fromkeys(self.unit_labels[u] for u in pairs[a:b, 1]))
            more = f", ... ({len(levels)} levels)" if len(levels) > 2 else ""
            out.append(", ".join(levels[:2]) + more if levels else "rows without random effects")
        return out
