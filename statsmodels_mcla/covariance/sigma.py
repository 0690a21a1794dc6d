"""Covariance of the random effects: Sigma(theta), its parameters, scales and derivatives.

Every random-effect *term* has ``d`` coordinates (1 for a variance component, 2 for an intercept
and a slope) and many levels.  The effects of one level are N(0, G) with an unstructured d x d
matrix G, the same for all levels of the term, and levels are independent.  A diagonal structure
is several terms with d = 1, so one kind of term covers every structure.

Users see theta: the variances and covariances ``G[0, 0], G[1, 0], G[1, 1], ...`` (lower triangle row by row).
Optimisers move on loadings (see `low_rank`), where a variance of zero is a smooth interior point.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from statsmodels_mcla.covariance.unstructured import CovarianceTerm
from statsmodels_mcla.numerics import Array, consecutive_slices


@dataclass(frozen=True)
class Covariance:
    """Sigma(theta): the covariance terms of a model, one after another in theta."""

    terms: tuple[CovarianceTerm, ...]

    @cached_property
    def slices(self) -> tuple[slice, ...]:
        """Where each term's parameters lie in theta."""
        return consecutive_slices(t.size for t in self.terms)

    @property
    def size(self) -> int:
        """Number of covariance parameters."""
        return sum(t.size for t in self.terms)

    @cached_property
    def is_variance(self) -> np.ndarray:
        """Which entries of theta are variances (the others are covariances)."""
        return np.concatenate([t.lower[0] == t.lower[1] for t in self.terms] or [np.zeros(0, bool)])

    def matrices(self, theta: Array) -> list[Array]:
        """G of every term."""
        return [t.matrix(theta[s]) for t, s in zip(self.terms, self.slices, strict=True)]

    def pack(self, matrices: list[Array]) -> Array:
        """Natural parameters of the given matrices, term by term."""
        parts = [t.pack(g) for t, g in zip(self.terms, matrices, strict=True)]
        return np.concatenate([np.zeros(0), *parts])
