"""Derivatives in the loadings of terms of reduced rank (see `reduction`).

A loading a multiplies a part of the design of the effects, so that eta = X beta + (Z + sum of a_k T_k) u and
d eta / d a_k = T_k u: given the draws, a loading acts like a fixed effect whose covariate is drawn.  All second
derivatives of eta in (beta, a) are zero, so

    d log f / d a_k         = sum over rows of d1 T_k u
    d2 log f / d a_k d a_l  = sum over rows of d2 (T_k u) (T_l u),  and alike with X and the dispersion.

Draws that move along with beta (see `transport`) add T_k D (beta - beta_0) to T_k u, and d1 T_k D to the second
derivative in a_k and beta.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from statsmodels_mcla.design import Bucket
from statsmodels_mcla.likelihood.sampling import Moving
from statsmodels_mcla.numerics import Array, multiply_draws, weighted_sum


@dataclass(frozen=True)
class LoadingSums:
    """Sums over rows, filled draw by draw.

    Attributes
    ----------
    score : ndarray (K, a, m)
        d log f / d a for every draw.
    second : ndarray (K, a, p + a + 1)
        Sum over draws of weight times the second derivatives in a loading and (beta, loadings, dispersion).
    shift : ndarray (K, a, n, 1) or None
        T D (beta - beta_0) where draws move along with beta.
    drift : ndarray (K, a, n, p) or None
        T D.
    """

    score: Array
    second: Array
    shift: Array | None = None
    drift: Array | None = None

    @classmethod
    def of(cls, bucket: Bucket, score: Array, moving: Moving | None) -> LoadingSums:
        """Sums over nothing yet, with memory for the scores (K, a, m)."""
        slopes = _slopes(bucket)
        second = np.zeros((bucket.n_blocks, slopes.shape[1], bucket.X.shape[2] + slopes.shape[1] + 1))
        if moving is None:
            return cls(score, second)
        return cls(score, second, slopes @ moving.shift[:, None], slopes @ moving.slopes[:, None])

    def take(self, blocks: slice) -> LoadingSums:
        """Sums of some blocks, in the same memory."""
        shift, drift = (None if part is None else part[blocks] for part in (self.shift, self.drift))
        return LoadingSums(self.score[blocks], self.second[blocks], shift, drift)

    def add(
        self,
        bucket: Bucket,
        u: Array,
        cut: slice,
        weight: Array,
        d1: Array,
        d2: Array,
        d1phi: Array | None,
    ) -> None:
        """Add the draws of a cut.

        Parameters
        ----------
        u : ndarray (K, q, m)
        weight : ndarray (K, c)
            Of the draws of the cut.
        d1, d2, d1phi : ndarray (K, n, c)
            Derivatives of the log density of the rows in eta, twice, and in eta and the dispersion.
        """
        slopes = _slopes(bucket)
        p, a = bucket.X.shape[2], slopes.shape[1]
        drawn = u[..., cut]
        moves = [multiply_draws(slopes[:, k], drawn, np.empty_like(d1)) for k in range(a)]
        if self.shift is not None:
            moves = [move + self.shift[:, k] for k, move in enumerate(moves)]
        for k, move in enumerate(moves):
            if self.drift is not None:
                self.second[:, k, :p] += np.einsum("bn,bnp->bp", weighted_sum(d1, weight), self.drift[:, k])
            self.score[:, k, cut] = np.einsum("bnm,bnm->bm", d1, move)
            bent = d2 * move
            self.second[:, k, :p] += np.einsum("bn,bnp->bp", weighted_sum(bent, weight), bucket.X)
            for other in range(k + 1):
                total = weighted_sum(bent * moves[other], weight).sum(axis=1)
                self.second[:, k, p + other] += total
                if other < k:
                    self.second[:, other, p + k] += total
            if d1phi is not None:
                self.second[:, k, -1] += weighted_sum(d1phi * move, weight).sum(axis=1)


def place_second(hessian: Array, second: Array, p: int, size: int) -> None:
    """Add second derivatives (a, p + a + 1) to a Hessian in (beta, covariance parameters, loadings, dispersion)."""
    a = len(second)
    at = slice(p + size, p + size + a)
    hessian[at, :p] += second[:, :p]
    hessian[:p, at] += second[:, :p].T
    hessian[at, at] += second[:, p : p + a]
    if hessian.shape[0] > at.stop:
        hessian[at, -1] += second[:, -1]
        hessian[-1, at] += second[:, -1]


def _slopes(bucket: Bucket) -> Array:
    """Derivatives of Z in the loadings, (K, a, n, q)."""
    if bucket.ties is None:
        raise ValueError("the design has no loadings")
    return bucket.ties.slopes
