"""Covariance of the random effects: Sigma(theta), its parameters, scales and derivatives.

Every random-effect *term* has ``d`` coordinates (1 for a variance component, 2 for an intercept
and a slope) and many levels.  The effects of one level are N(0, G) with an unstructured d x d
matrix G, the same for all levels of the term, and levels are independent.  A diagonal structure
is several terms with d = 1, so one kind of term covers every structure.

Two scales:

* *natural*, theta: the variances and covariances ``G[0, 0], G[1, 0], G[1, 1], ...`` (lower triangle
  row by row), which users see and which the log density of the effects is differentiated in;
* *working*: the entries of the Cholesky factor L of G = L L', unconstrained (a sign change of a
  column of L leaves G as it is), which optimisers move on.  L = 0 is a smooth interior point there,
  so that a maximum at zero variance is found and not crept up on.

The log density of a block's effects depends on them only through the scatter matrices
``S_t = sum over levels of u u'``, and it is linear in them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from statsmodels_mcla.linalg import Array, inverse_root

__all__ = ["Covariance", "CovarianceTerm", "EffectDensity", "EffectLaw", "effect_law"]

LOG_2PI = float(np.log(2.0 * np.pi))


@dataclass(frozen=True)
class CovarianceTerm:
    """Covariance matrix of one random-effect term.

    Parameters
    ----------
    name : str
        Name of the variance component or of the grouping factor.
    columns : tuple of str
        Names of the d coordinates.
    standard : bool
        Whether G is the identity, without parameters: effects that loadings scale (see `reduction`).
    """

    name: str
    columns: tuple[str, ...]
    standard: bool = False

    @property
    def dim(self) -> int:
        """Number of coordinates, d."""
        return len(self.columns)

    @cached_property
    def lower(self) -> tuple[np.ndarray, np.ndarray]:
        """Row and column indices of the lower triangle, row by row: the order of the parameters."""
        return np.tril_indices(0 if self.standard else self.dim)

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
        if self.standard:
            return np.eye(self.dim)
        return np.einsum("a,aij->ij", theta, self.basis)

    def pack(self, matrix: Array) -> Array:
        """Read the parameters off a symmetric (or the working ones off a lower triangular) matrix."""
        return np.asarray(matrix)[self.lower]

    def factor(self, working: Array) -> Array:
        """Build the lower triangular factor L from the working parameters."""
        out = np.eye(self.dim) if self.standard else np.zeros((self.dim, self.dim))
        out[self.lower] = working
        return out


@dataclass(frozen=True)
class Covariance:
    """Sigma(theta): the covariance terms of a model, one after another in theta."""

    terms: tuple[CovarianceTerm, ...]

    @cached_property
    def slices(self) -> tuple[slice, ...]:
        """Where each term's parameters lie in theta."""
        ends = np.cumsum([0, *(t.size for t in self.terms)])
        return tuple(slice(int(a), int(b)) for a, b in pairwise(ends))

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

    def factors(self, working: Array) -> list[Array]:
        """L of every term."""
        return [t.factor(working[s]) for t, s in zip(self.terms, self.slices, strict=True)]

    def to_working(self, theta: Array) -> Array:
        """Cholesky entries of every G.

        Raises
        ------
        numpy.linalg.LinAlgError
            If a matrix is not positive definite.
        """
        return self.pack([np.linalg.cholesky(g) for g in self.matrices(theta)])

    def to_natural(self, working: Array) -> Array:
        """Variances and covariances for given Cholesky entries."""
        return self.pack([f @ f.T for f in self.factors(working)])

    def working_jacobian(self, working: Array) -> Array:
        """Derivative of the natural in the working parameters, (size, size)."""
        out = np.zeros((self.size, self.size))
        for term, s, factor in zip(self.terms, self.slices, self.factors(working), strict=True):
            for a, (i, j) in enumerate(zip(*term.lower, strict=True)):
                # dG = E L' + L E' with E the unit matrix at (i, j)
                change = np.zeros((term.dim, term.dim))
                change[i] += factor[:, j]
                change[:, i] += factor[:, j]
                out[s, s.start + a] = term.pack(change)
        return out

    def working_curvature(self, gradient: Array) -> Array:
        """Sum over theta of gradient times the second derivative of theta in the working parameters."""
        out = np.zeros((self.size, self.size))
        for term, s in zip(self.terms, self.slices, strict=True):
            rows, cols = term.lower
            g = np.zeros((term.dim, term.dim))
            g[rows, cols] = gradient[s]
            g[cols, rows] += gradient[s]  # the diagonal doubles: d2 (l^2) = 2
            out[s, s] = g[np.ix_(rows, rows)] * (cols[:, None] == cols[None, :])
        return out


class TermLaw(NamedTuple):
    """N(0, G) of one level of a term, and what its derivatives in the parameters of G are made of."""

    precision: Array  # (d, d) G^-1
    log_det: float
    relative: Array  # (size, d, d) G^-1 dG

    @classmethod
    def of(cls, term: CovarianceTerm, theta: Array) -> TermLaw:
        """Law at given variances and covariances."""
        root, log_det = inverse_root(term.matrix(theta)[None])
        precision = root[0] @ root[0].T
        return cls(precision, float(log_det[0]), precision @ term.basis)


@dataclass(frozen=True)
class EffectLaw:
    """Normal law of the random effects at given variances and covariances."""

    covariance: Covariance
    terms: list[TermLaw]

    def density(self, levels: tuple[int, ...]) -> EffectDensity:
        """Log density of a block's effects, ready for any number of draws, for the levels of each term in it."""
        covariance = self.covariance
        size, constant = covariance.size, 0.0
        rest = sum(t.standard for t in covariance.terms)
        linear, offset = np.zeros(size + rest), np.zeros(size)
        slope = np.zeros((size, size + rest))
        linear[size:] = -0.5
        for term, s, law, count in zip(covariance.terms, covariance.slices, self.terms, levels, strict=True):
            constant -= 0.5 * count * (term.dim * LOG_2PI + law.log_det)
            rows, cols = term.lower
            twice = np.where(rows == cols, 1.0, 2.0)  # vech(S) holds each covariance once
            linear[s] = -0.5 * law.precision[rows, cols] * twice
            offset[s] = -0.5 * count * np.einsum("aii->a", law.relative)
            slope[s, s] = 0.5 * (law.relative @ law.precision)[:, rows, cols] * twice
        return EffectDensity(self, levels, constant, linear, offset, slope)

    def hessian(self, levels: Array, scatter: Array) -> Array:
        """Second derivative of the log density in theta for given scatter, (size, size).

        ``levels`` and ``scatter`` (lower triangles of every S_t, concatenated) may be totals over blocks,
        since the log density is linear in both.
        """
        covariance = self.covariance
        out = np.zeros((covariance.size, covariance.size))
        for term, s, law, count in zip(covariance.terms, covariance.slices, self.terms, levels, strict=True):
            products = law.relative[:, None] @ law.relative
            weight = 0.5 * count * np.eye(term.dim) - law.precision @ term.matrix(scatter[s])
            out[s, s] = np.einsum("abij,ji->ab", products, weight)
        return 0.5 * (out + out.T)

    def precision_times(self, columns: Array, levels: tuple[int, ...]) -> Array:
        """Sigma^-1 times columns (B, q, c)."""
        out = np.empty_like(columns)
        start = 0
        for term, law, count in zip(self.covariance.terms, self.terms, levels, strict=True):
            stop = start + count * term.dim
            part = columns[:, start:stop]
            out[:, start:stop] = (law.precision @ part.reshape(-1, term.dim, part.shape[2])).reshape(
                part.shape
            )
            start = stop
        return out


def effect_law(covariance: Covariance, theta: Array) -> EffectLaw:
    """N(0, Sigma) at the given natural parameters (size,).

    Raises
    ------
    numpy.linalg.LinAlgError
        If a matrix is not positive definite.
    """
    terms = zip(covariance.terms, covariance.slices, strict=True)
    return EffectLaw(covariance, [TermLaw.of(term, theta[s]) for term, s in terms])


@dataclass(frozen=True)
class EffectDensity:
    """log phi(u; 0, Sigma) of one block as a linear function of its scatter matrices."""

    law: EffectLaw
    levels: tuple[int, ...]
    constant: float
    linear: Array
    offset: Array
    slope: Array

    @property
    def covariance(self) -> Covariance:
        """Structure of the covariance."""
        return self.law.covariance

    def scatter(self, u: Array) -> Array:
        """Lower triangles of every S_t for every draw, and then the squared norms of standard effects.

        Parameters
        ----------
        u : ndarray (B, q, m)
            Effects, ordered by term, level and coordinate.

        Returns
        -------
        ndarray (B, size + number of standard terms, m)
        """
        out = np.empty((u.shape[0], len(self.linear), u.shape[2]))
        start = k = 0
        last = self.covariance.size
        for term, count in zip(self.covariance.terms, self.levels, strict=True):
            stop = start + count * term.dim
            part = u[:, start:stop].reshape(u.shape[0], count, term.dim, u.shape[2])
            for i, j in zip(*term.lower, strict=True):
                np.einsum("blm,blm->bm", part[:, :, i], part[:, :, j], out=out[:, k])
                k += 1
            if term.standard:
                np.einsum("bqm,bqm->bm", u[:, start:stop], u[:, start:stop], out=out[:, last])
                last += 1
            start = stop
        return out

    def logpdf(self, scatter: Array) -> Array:
        """log phi for every draw, (B, m)."""
        return np.asarray(self.constant + self.linear @ scatter)

    def score(self, scatter: Array, out: Array | None = None) -> Array:
        """d log phi / d theta for every draw, (B, size, m), into ``out`` if given."""
        out = np.matmul(self.slope, scatter, out=out)
        out += self.offset[:, None]
        return out

    def precision_times(self, columns: Array) -> Array:
        """Sigma^-1 times columns (B, q, c)."""
        return self.law.precision_times(columns, self.levels)
