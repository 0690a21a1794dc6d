"""The design of the standard effects, J = Z Lambda, block by block: dense, or sparse where blocks are large.

Both kinds offer the products that modes, densities and paths are made of, in which no array of rows x effects need exist.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import scipy.sparse as sp

from statsmodels_mcla.numerics import Array, transpose

PIECE = 2**20  # numbers of a piece of J R


class StandardisedRows(Protocol):
    """J of the blocks of a bucket: n rows and q standard effects each."""

    @property
    def q(self) -> int:
        """Standard effects a block."""

    def times(self, b: Array) -> Array:
        """J b (B, n), from b (B, q)."""

    def back(self, d: Array) -> Array:
        """J' d (B, q), from d (B, n); (B, q, k) from (B, n, k)."""

    def gram(self, w: Array, left: StandardisedRows | None = None) -> Array:
        """J' diag(w) J (B, q, q), or with other rows of the same kind on the left."""

    def rooted(self, root: Array) -> Iterator[tuple[slice, Array]]:
        """J R (B, n, q), some rows at a time."""


@dataclass(frozen=True)
class DenseRows:
    """J as one array (B, n, q)."""

    array: Array

    @property
    def q(self) -> int:
        """See `StandardisedRows`."""
        return self.array.shape[2]

    def times(self, b: Array) -> Array:
        """See `StandardisedRows`."""
        return (self.array @ b[..., None])[..., 0]

    def back(self, d: Array) -> Array:
        """See `StandardisedRows`."""
        if d.ndim == 2:
            return (transpose(self.array) @ d[..., None])[..., 0]
        return transpose(self.array) @ d

    def gram(self, w: Array, left: StandardisedRows | None = None) -> Array:
        """See `StandardisedRows`."""
        other = left.array if isinstance(left, DenseRows) else self.array
        return transpose(other) @ (self.array * w[..., None])

    def rooted(self, root: Array) -> Iterator[tuple[slice, Array]]:
        """See `StandardisedRows`."""
        yield slice(None), self.array @ root


@dataclass(frozen=True)
class SparseRows:
    """J as one sparse matrix (n, q) a block."""

    blocks: tuple[sp.csr_array, ...]

    @property
    def q(self) -> int:
        """See `StandardisedRows`."""
        return int(self.blocks[0].shape[1])

    def times(self, b: Array) -> Array:
        """See `StandardisedRows`."""
        return np.stack([J @ x for J, x in zip(self.blocks, b, strict=True)])

    def back(self, d: Array) -> Array:
        """See `StandardisedRows`."""
        return np.stack([J.T @ x for J, x in zip(self.blocks, d, strict=True)])

    def gram(self, w: Array, left: StandardisedRows | None = None) -> Array:
        """See `StandardisedRows`."""
        others = left.blocks if isinstance(left, SparseRows) else self.blocks
        parts = zip(others, self.blocks, w, strict=True)
        return np.stack([(L.T @ (sp.diags_array(x) @ J)).toarray() for L, J, x in parts])

    def rooted(self, root: Array) -> Iterator[tuple[slice, Array]]:
        """See `StandardisedRows`."""
        step = max(1, PIECE // max(1, root.shape[0] * root.shape[2]))
        n = self.blocks[0].shape[0]
        for start in range(0, n, step):
            rows = slice(start, min(start + step, n))
            yield rows, np.stack([J[rows] @ R for J, R in zip(self.blocks, root, strict=True)])
