"""Importance densities: what draws the random effects is what evaluates its own density.

* `BlockT`: the default, a multivariate t in every block, centred at the conditional mode (or at the
  conditional mean to second order) with the curvature found there.
* `MixtureProposal`: the joint importance density of the R package glmm (Knudson, Benson, Geyer and Jones, 2021).
* anything with ``sample(rng, n)`` and ``logpdf(u)`` over the vector of all effects: a user's own.

The settings `BlockSampling` and `JointSampling` make them from the conditional modes at given parameters.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, runtime_checkable

import numpy as np
import scipy.sparse as sp
from scipy.special import gammaln

from statsmodels_mcla.numerics import Array, homogeneous, multiply_draws


@runtime_checkable
class Proposal(Protocol):
    """Importance density over all effects jointly."""

    def sample(self, rng: np.random.Generator, n: int) -> Array:
        """Draw n vectors of effects, (Q, n)."""

    def logpdf(self, u: Array) -> Array:
        """Log density of each column of u, (n,)."""


def spherical_t_logpdf(squared_norm: Array, df: float, dim: int) -> Array:
    """Log density of a spherical t (df = inf: normal) at points with the given squared norm."""
    if np.isinf(df):
        return np.asarray(-0.5 * (squared_norm + dim * np.log(2.0 * np.pi)))
    constant = gammaln(0.5 * (df + dim)) - gammaln(0.5 * df) - 0.5 * dim * np.log(df * np.pi)
    return np.asarray(constant - 0.5 * (df + dim) * np.log1p(squared_norm / df))


@dataclass(frozen=True)
class BlockT:
    """Independent multivariate t distributions, one for each block of a bucket.

    Attributes
    ----------
    centre : ndarray (B, q)
    root : ndarray (B, q, q)
        Scale: u = centre + root t.
    log_det : ndarray (B,)
        log |det root|.
    df : float
        Degrees of freedom; inf for a normal.
    """

    centre: Array
    root: Array
    log_det: Array
    df: float

    def take(self, index: np.ndarray | slice) -> BlockT:
        """Proposal of some of the blocks."""
        return BlockT(self.centre[index], self.root[index], self.log_det[index], self.df)

    def base_logpdf(self, t: Array) -> Array:
        """Log density (B, m) of spherical t variates (B, q, m)."""
        return spherical_t_logpdf(np.einsum("bqm,bqm->bm", t, t), self.df, self.centre.shape[1])

    def move(self, t: Array) -> Array:
        """Effects from spherical t variates, both in homogeneous coordinates, (B, q + 1, m)."""
        blocks, dim = self.centre.shape
        affine = np.zeros((blocks, dim + 1, dim + 1))
        affine[:, :dim, :dim], affine[:, :dim, dim], affine[:, dim, dim] = self.root, self.centre, 1.0
        return multiply_draws(affine, t, np.empty_like(t))

    def transform(self, t: Array) -> tuple[Array, Array]:
        """Effects (B, q, m) and their log density (B, m) from spherical t variates."""
        return self.move(homogeneous(t))[:, :-1], self.base_logpdf(t) - self.log_det[:, None]

    def sample(self, rng: np.random.Generator, n: int) -> Array:
        """Draw n vectors of effects in each block, (B, q, n)."""
        blocks, dim = self.centre.shape
        z = rng.standard_normal((blocks, dim, n))
        if not np.isinf(self.df):
            z /= np.sqrt(rng.chisquare(self.df, (blocks, 1, n)) / self.df)
        return self.transform(z)[0]

    def logpdf(self, u: Array) -> Array:
        """Log density (B, m) of effects (B, q, m)."""
        t = np.linalg.solve(self.root, u - self.centre[..., None])
        return spherical_t_logpdf((t * t).sum(axis=1), self.df, self.centre.shape[1]) - self.log_det[:, None]


@dataclass(frozen=True)
class MixtureProposal:
    """Three-part mixture over all effects: t(0, D*), N(u*, D*) and N(u*, curvature^-1).

    All parts are held in the effects' standardised scale b = Lambda*^-1 u, where D* is the identity.

    Attributes
    ----------
    weights : ndarray (3,)
        Mixture probabilities p1, p2, p3.
    zeta : float
        Degrees of freedom of the t part.
    mode : ndarray (Q,)
        b at the conditional mode.
    root : ndarray (Q, Q)
        Upper triangular C with C C' the inverse curvature at the mode.
    Lambda, Lambda_inv : scipy.sparse.csr_array (Q, Q)
        u = Lambda b.
    log_det : float
        log |det Lambda|.
    """

    weights: Array
    zeta: float
    mode: Array
    root: Array
    Lambda: sp.csr_array
    Lambda_inv: sp.csr_array
    log_det: float

    @cached_property
    def inverse_root(self) -> Array:
        """C^-1."""
        return np.linalg.inv(self.root)

    def sample(self, rng: np.random.Generator, n: int) -> Array:
        """Draw n vectors of effects, (Q, n)."""
        part = rng.choice(3, size=n, p=self.weights)
        b = rng.standard_normal((n, len(self.mode))).T
        scale = np.sqrt(self.zeta / rng.chisquare(self.zeta, n))
        b[:, part == 0] *= scale[part == 0]
        curved = part == 2
        spread = np.ascontiguousarray(b[:, curved])[None]
        b[:, curved] = multiply_draws(self.root[None], spread, np.empty_like(spread))[0]
        b[:, ~(part == 0)] += self.mode[:, None]
        return np.asarray(self.Lambda @ b)

    def logpdf(self, u: Array) -> Array:
        """Log density of each column of u, (n,)."""
        b = self.Lambda_inv @ u
        dim = len(self.mode)
        centred = b - self.mode[:, None]
        whitened = multiply_draws(self.inverse_root[None], centred[None], np.empty_like(centred)[None])[0]
        log_det_root = np.log(np.abs(np.diagonal(self.root))).sum()
        with np.errstate(divide="ignore"):  # p2 or p3 may be 0
            log_p = np.log(self.weights)
        parts = np.stack(
            [
                log_p[0] + spherical_t_logpdf(np.einsum("qm,qm->m", b, b), self.zeta, dim),
                log_p[1] + spherical_t_logpdf(np.einsum("qm,qm->m", centred, centred), np.inf, dim),
                log_p[2]
                + spherical_t_logpdf(np.einsum("qm,qm->m", whitened, whitened), np.inf, dim)
                - log_det_root,
            ]
        )
        top = parts.max(axis=0)
        return np.asarray(top + np.log(np.exp(parts - top).sum(axis=0)) - self.log_det)
