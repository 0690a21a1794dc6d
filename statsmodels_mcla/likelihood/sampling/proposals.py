"""Importance densities: what draws the random effects is what evaluates its own density.

* a multivariate t in every block, the default: `spherical_t_logpdf` of the base numbers, which an `Anchor` moves to
  the conditional mode (or to the conditional mean to second order) and stretches by the curvature found there.
* `MixtureProposal`: the joint importance density of the R package glmm (Knudson, Benson, Geyer and Jones, 2021).
* anything with ``sample(rng, n)`` and ``logpdf(u)`` over the vector of all effects: a user's own.

The settings `BlockSampling` and `JointSampling` make them from the conditional modes at given parameters.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, runtime_checkable

import numpy as np
import scipy.sparse as sp
from scipy.special import gammaln

from statsmodels_mcla.numerics import Array, multiply_draws


@runtime_checkable
class Proposal(Protocol):
    """Importance density over all effects jointly."""

    def sample(self, rng: np.random.Generator, n: int) -> Array:
        """Draw n vectors of effects, (Q, n)."""

    def logpdf(self, u: Array) -> Array:
        """Log density of each column of u, (n,)."""


def spherical_t_logpdf(squared_norm: Array, df: float, dim: int | Array) -> Array:
    """Log density of a spherical t (df = inf: normal) at points with the given squared norm."""
    if np.isinf(df):
        return np.asarray(-0.5 * (squared_norm + dim * np.log(2.0 * np.pi)))
    constant = gammaln(0.5 * (df + dim)) - gammaln(0.5 * df) - 0.5 * dim * np.log(df * np.pi)
    return np.asarray(constant - 0.5 * (df + dim) * np.log1p(squared_norm / df))


@dataclass(frozen=True)
class MixtureProposal:
    """Three-part mixture over all effects: t(0, D*), N(u*, D*) and N(u*, curvature^-1).

    It is a density of the standard effects b = Lambda*^-1 u, for which D* is the identity.

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
    """

    weights: Array
    zeta: float
    mode: Array
    root: Array

    @cached_property
    def inverse_root(self) -> Array:
        """C^-1."""
        return np.linalg.inv(self.root)

    def sample(self, rng: np.random.Generator, n: int) -> Array:
        """Draw n vectors of standard effects, (Q, n)."""
        part = rng.choice(3, size=n, p=self.weights)
        b = rng.standard_normal((n, len(self.mode))).T
        scale = np.sqrt(self.zeta / rng.chisquare(self.zeta, n))
        b[:, part == 0] *= scale[part == 0]
        curved = part == 2
        spread = np.ascontiguousarray(b[:, curved])[None]
        b[:, curved] = multiply_draws(self.root[None], spread, np.empty_like(spread))[0]
        b[:, ~(part == 0)] += self.mode[:, None]
        return b

    def logpdf(self, b: Array) -> Array:
        """Log density of each column of b, (n,)."""
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
        return np.asarray(top + np.log(np.exp(parts - top).sum(axis=0)))


@dataclass(frozen=True)
class StandardisedProposal:
    """Density of the standard effects b = Lambda^-1 u, from one of the effects u.

    Attributes
    ----------
    own : Proposal
    Lambda : scipy.sparse.csr_array (Q, Q)
    """

    own: Proposal
    Lambda: sp.csr_array

    @cached_property
    def _solve(self) -> Any:
        return sp.linalg.splu(sp.csc_array(self.Lambda))

    def sample(self, rng: np.random.Generator, n: int) -> Array:
        """Draw n vectors of standard effects, (Q, n)."""
        u = np.asarray(self.own.sample(rng, n), float)
        if u.shape != (self.Lambda.shape[0], n):
            raise ValueError(
                f"sampling: sample(rng, n) must return an array of shape (Q, n), here {(self.Lambda.shape[0], n)}, a "
                f"column a draw of all random effects; got {u.shape}"
            )
        return np.asarray(self._solve.solve(u))

    def logpdf(self, b: Array) -> Array:
        """Log density of each column of b, (n,)."""
        log_det = np.log(np.abs(self._solve.U.diagonal())).sum()
        return np.asarray(self.own.logpdf(self.Lambda @ b) + log_det)
