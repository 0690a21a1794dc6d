"""Random-effect terms as sparse matrices, and how they are evaluated on new rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
from scipy import sparse

if TYPE_CHECKING:
    import pandas as pd


class NewRows(NamedTuple):
    """A random term evaluated on rows that it was not fitted to.

    The prior variance of row i is ``x[i] @ G @ x[i]``, whether or not its level is known.
    """

    Z: sparse.csr_array
    """(n, L*d); rows of an unknown level are zero."""
    unknown: np.ndarray
    """(n,) bool; True where the level was not among the fitted ones, or is missing."""
    x: np.ndarray
    """(n, d) design of the level's own effects."""


class TermDesign(Protocol):
    """How a random term was read, kept for rows to come."""

    def rebuild(self, data: pd.DataFrame | Mapping[str, Any], fitted: pd.DataFrame | None = None) -> NewRows:
        """Evaluate the term on new rows, with the levels and transforms of the fitted ones.

        Pickling loses what a term learnt from the fitted data; given those, it learns that again.
        """


@dataclass(frozen=True, eq=False)
class RandomTerm:
    """Random effects that share one covariance matrix.

    The d effects of one level are N(0, G), with G unstructured and the same for all L levels; levels
    are independent. A diagonal structure is several terms of d = 1.

    Parameters
    ----------
    name : str
        Grouping factor (``"g"``, ``"a:b"``) or variance component (``"F"``).
    columns : tuple of str
        Names of the d coordinates (``"Intercept", "x"``); the term's own name for a variance component.
    levels : tuple of str
        Labels of the L levels, or of the columns of a variance component.
    Z : scipy.sparse.csr_array
        (n, L*d), float; the effect of coordinate k of level j is column ``j*d + k``.
    text : str
        The term as it was written.
    design : TermDesign, optional
        Evaluates the term on new rows.
    """

    name: str
    columns: tuple[str, ...]
    levels: tuple[str, ...]
    Z: sparse.csr_array
    text: str = ""
    design: TermDesign | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.Z.shape[1] != len(self.levels) * len(self.columns):
            raise ValueError(
                f"Z has {self.Z.shape[1]} columns for {len(self.levels)} levels x {len(self.columns)} effects"
            )

    @property
    def dim(self) -> int:
        """Number of effects of one level, d."""
        return len(self.columns)

    @property
    def n_levels(self) -> int:
        """Number of levels, L."""
        return len(self.levels)


def level_major(codes: np.ndarray, x: np.ndarray, n_levels: int) -> sparse.csr_array:
    """Sparse Z whose row i holds ``x[i]`` in the columns of level ``codes[i]``.

    Parameters
    ----------
    codes : ndarray
        (n,) level of each row; -1 leaves the row empty.
    x : ndarray
        (n, d) design of one level's effects. Zeros are not stored.
    n_levels : int
        L.

    Returns
    -------
    scipy.sparse.csr_array
        (n, L*d).

    Examples
    --------
    >>> level_major(np.array([1, 0]), np.array([[1.0, 5.0], [1.0, 7.0]]), 2).toarray()
    array([[0., 0., 1., 5.],
           [1., 7., 0., 0.]])
    """
    n, d = x.shape
    stored = (x != 0.0) & (codes >= 0)[:, None]
    column = codes[:, None] * d + np.arange(d)
    indptr = np.concatenate([[0], np.cumsum(stored.sum(axis=1))])
    index = index_dtype(x.size, n_levels * d)
    triplet = (x[stored], column[stored].astype(index), indptr.astype(index))
    return sparse.csr_array(triplet, shape=(n, n_levels * d))


def index_dtype(*sizes: int) -> type[np.int32 | np.int64]:
    """Smallest integer type that scipy can index arrays of these sizes with."""
    return np.int32 if max(sizes) < np.iinfo(np.int32).max else np.int64
