"""Random-effect terms as sparse matrices, and how they are evaluated on new rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol

import numpy as np
from scipy import sparse

from statsmodels_mcla.interface import WithoutInternals

if TYPE_CHECKING:
    import pandas as pd

COLLINEAR = 1e-10  # of a column, left over by those before it, that is round-off


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
class RandomTerm(WithoutInternals):
    """Random effects that share one covariance matrix.

    The d effects of one level are N(0, G), with G unstructured and the same for all L levels; levels
    are independent. A diagonal structure is several terms of d = 1.

    Parameters
    ----------
    name : str
        Grouping factor (``"g"``, ``"a:b"``) or variance component (``"F"``).
    columns : tuple of str
        Names of the d coordinates (``"Intercept", "x"``); the term's own name for a variance component.
    levels : tuple
        The L levels as the data have them (of an interaction ``"a1:b1"``), or labels of the columns of a
        variance component.
    Z : scipy.sparse.csr_array
        (n, L*d), float; the effect of coordinate k of level j is column ``j*d + k``.
    text : str
        The term as it was written.
    design : TermDesign, optional
        Evaluates the term on new rows.
    axes : ndarray (d, d), optional
        Upper triangular: in the coordinates x @ axes, the rows x of the levels' designs are orthonormal (their mean
        square is the identity), wherever covariates are counted from and in whatever units.  From Z by default.
    predictors : tuple of int (d,)
        Number of the linear predictor that each of the d effects is part of; the first by default.

    Examples
    --------
    >>> model.random_terms[0]
    <RandomTerm: (1 | ID), 50 levels x Intercept>
    >>> model.random_terms[0].levels[:3]
    ('X01', 'X02', 'X03')
    """

    name: str
    columns: tuple[str, ...]
    levels: tuple[Any, ...]
    Z: sparse.csr_array
    text: str = ""
    design: TermDesign | None = field(default=None, repr=False)
    axes: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)), repr=False)
    predictors: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.Z.shape[1] != len(self.levels) * len(self.columns):
            raise ValueError(
                f"Z has {self.Z.shape[1]} columns for {len(self.levels)} levels x {len(self.columns)} effects"
            )
        if not self.predictors:
            object.__setattr__(self, "predictors", (0,) * self.dim)
        if len(self.axes) != self.dim:
            object.__setattr__(self, "axes", self._own_axes())

    def _own_axes(self) -> np.ndarray:
        x, axes = rows_of_levels(self.Z, self.dim), np.zeros((self.dim, self.dim))
        for predictor in set(self.predictors):  # whose parts of a row are rows of their own
            own = np.flatnonzero(np.equal(self.predictors, predictor))
            axes[np.ix_(own, own)] = orthonormal_axes(x[:, own])
        return axes

    _internal: ClassVar = frozenset({"axes", "design", "of_predictor", "part", "predictors", "with_design"})

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.text or self.name}, {self.n_levels} levels x {', '.join(self.columns)}>"

    def with_design(self, columns: tuple[str, ...], Z: sparse.csr_array) -> RandomTerm:
        """Return the term of other effects or on other rows, along axes of its own."""
        predictors = self.predictors if len(columns) == self.dim else ()
        return replace(self, columns=columns, Z=Z, axes=np.zeros((0, 0)), predictors=predictors)

    def of_predictor(self, number: int) -> RandomTerm:
        """Return the part of the term in one linear predictor."""
        return self.part(np.equal(self.predictors, number))

    def part(self, own: np.ndarray) -> RandomTerm:
        """Return the term with some of its effects, own (d,) bool."""
        if own.all():
            return self
        which = np.flatnonzero(own)
        return replace(
            self,
            columns=tuple(self.columns[j] for j in which),
            Z=sparse.csr_array(self.Z[:, np.flatnonzero(np.tile(own, self.n_levels))]),
            axes=np.zeros((0, 0)),
            predictors=tuple(self.predictors[j] for j in which),
        )

    @property
    def dim(self) -> int:
        """Number of effects of one level, d."""
        return len(self.columns)

    @property
    def n_levels(self) -> int:
        """Number of levels, L."""
        return len(self.levels)


def rows_of_levels(Z: sparse.csr_array, dim: int) -> np.ndarray:
    """Designs of single levels, (rows x levels that have entries, d), from entries ordered as `RandomTerm` has them."""
    coo = Z.tocoo()
    (row, column), levels = coo.coords, Z.shape[1] // dim
    pair, place = np.unique(row.astype(np.int64) * levels + column // dim, return_inverse=True)
    out = np.zeros((len(pair), dim))
    np.add.at(out, (place.ravel(), column % dim), coo.data)
    return out


def orthonormal_axes(x: np.ndarray) -> np.ndarray:
    """Upper triangular A (d, d) for which x @ A has the identity as its mean square.

    A column that is a combination of those before it is only scaled; rows with missing values do not count.

    Examples
    --------
    >>> x = np.array([[1.0, 1999.0], [1.0, 2001.0]])
    >>> x @ orthonormal_axes(x)
    array([[ 1., -1.],
           [ 1.,  1.]])
    """
    return axes_of_roots([row_root(x)])


class RowRoot(NamedTuple):
    """Upper triangular R (k, d) with R'R = x'x, and the number of rows x."""

    R: np.ndarray
    rows: int


def row_root(x: np.ndarray) -> RowRoot:
    """Root of rows (n, d), of those without missing values."""
    x = x[np.isfinite(x).all(axis=1)]
    length = np.sqrt((x * x).sum(axis=0))
    unit = np.where(length > 0, length, 1.0)
    return RowRoot(np.asarray(np.linalg.qr(x / unit, mode="r")) * unit, len(x))


def axes_of_roots(roots: Sequence[RowRoot]) -> np.ndarray:
    """Axes as `orthonormal_axes` has them, of the rows of several parts."""
    x = np.concatenate([root.R for root in roots])
    length = np.sqrt((x * x).sum(axis=0))
    unit = np.where(length > 0, length, 1.0)
    R = np.zeros((x.shape[1],) * 2)
    found = np.linalg.qr(x / unit, mode="r")
    R[: len(found)] = found
    own = np.diag(R).copy()
    R *= np.where(own < 0, -1.0, 1.0)[:, None]
    for j in np.flatnonzero(np.abs(own) < COLLINEAR):
        R[j], R[:, j] = 0.0, 0.0
        R[j, j] = 1.0
    inverse = np.triu(np.linalg.inv(R))
    return np.asarray(np.sqrt(max(sum(root.rows for root in roots), 1)) * inverse / unit[:, None])


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
