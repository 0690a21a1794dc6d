"""The normal density of the random effects, and its derivatives in variances and covariances.

The log density of a block's effects depends on them through the scatter matrices S_t = sum over levels of u u'
alone, and is linear in those.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from statsmodels_mcla.covariance.sigma import Covariance
from statsmodels_mcla.covariance.unstructured import CovarianceTerm
from statsmodels_mcla.numerics import Array, inverse_root

LOG_2PI = float(np.log(2.0 * np.pi))


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
