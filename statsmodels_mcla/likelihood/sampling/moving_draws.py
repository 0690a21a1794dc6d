r"""Draws that move along with the fixed effects: the same likelihood with far less Monte Carlo error.

Where the rows of a group say much about its effects u, they say little about beta and u apart: the complete-data
score in beta is large, and E[-H] and Var(s) are large numbers whose difference is the information about beta.
Frozen draws estimate each with an error, and at a hundred times the prior's information the difference is noise.

So the draws move with beta as the conditional modes do,

    u_k(beta) = u_k + D (beta - beta_0),    D = d mode / d beta = -A^-1 Z' W X,    A = Z' W Z + Sigma^-1,

a change of variables with unit Jacobian that leaves every block's integral as it is.  The log weight depends on
beta through eta = (X + Z D) beta + ... and through log phi(u_k(beta)), so that, exactly,

    s_beta = (X + Z D)' d1 - D' Sigma^-1 u_k,

which for Gaussian responses does not depend on the draw at all.  The idea is that of hierarchical centring (Gelfand,
Sahu and Carlin, 1995, Biometrika 82(3)), partial as the data demand (Papaspiliopoulos, Roberts and Skold, 2003).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from statsmodels_mcla.covariance import Covariance, EffectDensity
from statsmodels_mcla.design import Bucket
from statsmodels_mcla.likelihood.laplace import Modes, scale_effects
from statsmodels_mcla.numerics import Array, multiply_draws, transpose


@dataclass(frozen=True)
class Transport:
    """How the draws of a bucket's blocks move with the fixed effects.

    Attributes
    ----------
    slopes : ndarray (B, q, p)
        D, one matrix a block.
    beta : ndarray (p,)
        Fixed effects at which the draws are where they were made.
    """

    slopes: Array
    beta: Array

    @classmethod
    def of_modes(
        cls, bucket: Bucket, modes: Modes, covariance: Covariance, factors: list[Array], beta: Array
    ) -> Transport:
        """Let the draws follow the conditional modes found at ``beta``."""
        pull = transpose(modes.Z) @ (bucket.X * modes.W[..., None])
        standardised = -(modes.root @ (transpose(modes.root) @ pull))
        slopes = transpose(
            scale_effects(covariance, [f.T for f in factors], bucket.levels, transpose(standardised))
        )
        finite = np.isfinite(slopes).all(axis=(1, 2), keepdims=True)
        return cls(np.where(finite, slopes, 0.0), beta)

    def take(self, index: np.ndarray | slice) -> Transport:
        """Transport of some of the blocks."""
        return Transport(self.slopes[index], self.beta)

    def at(self, beta: Array, bucket: Bucket, density: EffectDensity) -> Moving:
        """Transport to other fixed effects: of the blocks of ``bucket``, whose effects have the given density."""
        Z = bucket.Z
        moving = bucket.with_fixed_part(
            bucket.X + Z @ self.slopes, bucket.offset - (Z @ (self.slopes @ self.beta)[..., None])[..., 0]
        )
        moved = self.slopes @ (beta - self.beta)
        return Moving(moving, moved[..., None], self.slopes, density.precision_times(self.slopes), density)


@dataclass(frozen=True)
class Moving:
    """Draws of some blocks at given fixed effects, and what moving them adds to scores and Hessian.

    Attributes
    ----------
    bucket : Bucket
        Its X is X + Z D, its offset such that the draws as they were made give the eta of the moved ones.
    shift : ndarray (K, q, 1)
    slopes, pull : ndarray (K, q, p)
        D and Sigma^-1 D.
    density : EffectDensity
    """

    bucket: Bucket
    shift: Array
    slopes: Array
    pull: Array
    density: EffectDensity

    def effects(self, u: Array) -> Array:
        """Effects (K, q, c) of the draws."""
        return u + self.shift if np.any(self.shift) else u

    def score(self, effects: Array) -> Array:
        """D' d log phi / du for every draw, (K, p, c)."""
        out = np.empty((len(effects), self.pull.shape[2], effects.shape[2]))
        return multiply_draws(-transpose(self.pull), effects, out)

    def second(self, mean: Array) -> tuple[Array, Array]:
        """Expected second derivatives of log phi(u(beta)) in beta and in beta and theta, summed over blocks.

        Parameters
        ----------
        mean : ndarray (K, q)
            Mean of the moved effects.

        Returns
        -------
        ndarray (p, p), ndarray (p, size)
        """
        p = self.slopes.shape[2]
        twice = -np.einsum("kqi,kqj->ij", self.slopes, self.pull)
        rest = self.density.precision_times(mean[..., None])
        parts = [np.zeros((p, 0))]
        start = 0
        for term, count in zip(self.density.covariance.terms, self.density.levels, strict=True):
            stop = start + count * term.dim
            pull = self.pull[:, start:stop].reshape(-1, term.dim, p)
            both = np.einsum("lip,lj->pij", pull, rest[:, start:stop].reshape(-1, term.dim))
            parts.append(np.einsum("pij,aij->pa", both, term.basis))
            start = stop
        return twice, np.concatenate(parts, axis=1)
