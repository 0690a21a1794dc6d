"""One term's covariance matrix G without structure: d x d, in its lower triangle."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from statsmodels_mcla.numerics import Array


@dataclass(frozen=True)
class CovarianceTerm:
    """Covariance matrix of one random-effect term.

    Parameters
    ----------
    name : str
        Name of the variance component or of the grouping factor.
    columns : tuple of str
        Names of the d coordinates.
    """

    name: str
    columns: tuple[str, ...]

    @property
    def dim(self) -> int:
        """Number of coordinates, d."""
        return len(self.columns)

    @cached_property
    def lower(self) -> tuple[np.ndarray, np.ndarray]:
        """Row and column indices of the lower triangle, row by row: the order of the parameters."""
        return np.tril_indices(self.dim)

    @property
    def size(self) -> int:
        """Number of parameters, d (d + 1) / 2."""
        return len(self.lower[0])

    @cached_property
    def basis(self) -> Array:
        """Derivatives of G in its parameters: symmetric 0/1 matrices, shape (size, d, d)."""
        rows, cols = self.lower
        out = np.zeros((self.size, self.dim, self.dim))
        index = np.arange(self.size)
        out[index, rows, cols] = 1.0
        out[index, cols, rows] = 1.0
        return out

    def matrix(self, theta: Array) -> Array:
        """Build G from its parameters."""
        return np.einsum("a,aij->ij", theta, self.basis)

    def pack(self, matrix: Array) -> Array:
        """Read the parameters off a symmetric matrix."""
        return np.asarray(matrix)[self.lower]
