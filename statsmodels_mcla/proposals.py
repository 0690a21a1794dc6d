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

from statsmodels_mcla.covariance import Covariance
from statsmodels_mcla.design import Bucket
from statsmodels_mcla.laplace import Modes, scale_effects
from statsmodels_mcla.linalg import Array, homogeneous, inverse_root, multiply_draws, transpose

__all__ = [
    "BlockSampling",
    "BlockT",
    "FixedSampling",
    "JointSampling",
    "MixtureProposal",
    "Proposal",
    "Sampling",
]

# Gauss-Hermite nodes of a standard normal: averages of log densities over the law of a row's eta
_NODES, _NODE_WEIGHTS = np.polynomial.hermite_e.hermegauss(7)
_NODE_WEIGHTS = _NODE_WEIGHTS / _NODE_WEIGHTS.sum()


@runtime_checkable
class Proposal(Protocol):
    """Importance density over all effects jointly."""

    def sample(self, rng: np.random.Generator, n: int) -> Array:
        """Draw n vectors of effects, (Q, n)."""

    def logpdf(self, u: Array) -> Array:
        """Log density of each column of u, (n,)."""


class Sampling(Protocol):
    """How to make importance densities from conditional modes."""

    @property
    def joint(self) -> bool:
        """Whether all effects are drawn as one block."""

    @property
    def adapts(self) -> bool:
        """Whether there is a density for whatever effects are drawn, not for those of one model alone."""

    def proposal(
        self,
        bucket: Bucket,
        modes: Modes,
        covariance: Covariance,
        factors: list[Array],
        phi: float,
        grid: bool,
    ) -> BlockT | Proposal:
        """Importance density of a bucket; ``grid``: base numbers are shifted equidistant points."""


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
class BlockSampling:
    """Default importance sampling: one multivariate t a block.

    Parameters
    ----------
    df : float, optional
        Degrees of freedom.  Tails heavier than the normal's keep the weights bounded: where a block says little
        about a direction, the conditional law there has the tails of the prior.  Default: 4 for each effect of
        a block, between 15 and 80; 6 on a grid.
    inflate : float, optional
        Factor on the scale, a guard against curvature that is larger at the centre than elsewhere.  Default:
        1.1 for up to three effects, 1.04 for more; 2 on a grid.
    centre : {"mean", "mode"}
        Location and scale from the conditional mean and the average curvature around it, by two steps from
        the mode (Tierney and Kadane, 1986; Ormerod and Wand, 2012), or from the mode and the curvature there.

    Notes
    -----
    One effect with quasi-random numbers is a *grid*: the randomly shifted points are equidistant, and the sum
    over them is a trapezoid rule in the quantiles of the proposal.  It converges exponentially if the
    weighted integrand vanishes smoothly at both ends, which a wide, heavy-tailed proposal sees to.

    For Gaussian responses with the identity link the effects given the data are normal; by default, so is the
    proposal.  All weights are then equal, and the likelihood is exact.
    """

    df: float | None = None
    inflate: float | None = None
    centre: str = "mean"

    joint = False
    adapts = True

    def __post_init__(self) -> None:
        if self.df is not None and not self.df > 2:
            raise ValueError(f"df must be greater than 2, got {self.df}")
        if self.inflate is not None and not self.inflate > 0:
            raise ValueError(f"inflate must be positive, got {self.inflate}")
        if self.centre not in ("mean", "mode"):
            raise ValueError(f"centre must be 'mean' or 'mode', got {self.centre!r}")

    def proposal(
        self,
        bucket: Bucket,
        modes: Modes,
        covariance: Covariance,
        factors: list[Array],
        phi: float,
        grid: bool,
    ) -> BlockT:
        """Build the proposal of one bucket around its conditional modes."""
        df, inflate = self._shape(bucket, grid)
        b, root = (modes.b, modes.root) if self.centre == "mode" else gaussian_fit(bucket, modes, phi)
        transposed = [f.T for f in factors]
        centre = scale_effects(covariance, transposed, bucket.levels, b)
        log_lambda = sum(
            count * float(np.log(np.abs(np.diagonal(f))).sum())
            for f, count in zip(factors, bucket.levels, strict=True)
        )
        log_root = np.log(np.abs(np.diagonal(root, axis1=-2, axis2=-1))).sum(axis=-1)
        log_det = log_root + log_lambda + bucket.n_effects * np.log(inflate)
        root = transpose(scale_effects(covariance, transposed, bucket.levels, transpose(root)))
        return BlockT(centre, inflate * root, log_det, df)

    def _shape(self, bucket: Bucket, grid: bool) -> tuple[float, float]:
        """Degrees of freedom and inflation: as given, or what suits the conditional law."""
        q = bucket.n_effects
        df, inflate = float(np.clip(4 * q, 15, 80)), 1.1 if q < 4 else 1.04
        if bucket.family.quadratic:
            df, inflate = np.inf, 1.0
        elif grid:
            df, inflate = 6.0, 2.0
        return df if self.df is None else self.df, inflate if self.inflate is None else self.inflate


def gaussian_fit(bucket: Bucket, modes: Modes, phi: float) -> tuple[Array, Array]:
    """Gaussian that is close to the conditional law of b: its mean (B, q) and a root of its covariance.

    From the mode, the mean moves by the skewness term of Laplace's expansion; there, the derivatives of the
    log density of each row are averaged over the law of its eta, which gives one Newton step to the mean and
    the curvature of the Gaussian variational approximation.
    """
    y, w, v = bucket.y[..., None], bucket.w[..., None], bucket.v[..., None]
    third = bucket.family.third(y, w, v, modes.eta[..., None], phi)[..., 0]
    Zr = modes.Z @ modes.root
    leverage = (Zr * Zr).sum(axis=-1)
    first = _at_most_one(0.5 * (transpose(Zr) @ (third * leverage)[..., None])[..., 0])
    shift = (modes.root @ first[..., None])[..., 0]
    eta = (modes.eta + (modes.Z @ shift[..., None])[..., 0])[..., None] + np.sqrt(leverage)[
        ..., None
    ] * _NODES
    terms = bucket.family.rows(y, w, v, eta, phi)
    W = np.maximum(-terms.d2 @ _NODE_WEIGHTS, 0.0)
    d1 = terms.d1 @ _NODE_WEIGHTS
    b = modes.b + shift
    if not (np.all(np.isfinite(W)) and np.all(np.isfinite(d1))):
        return b, modes.root
    root, _ = inverse_root(transpose(modes.Z) @ (modes.Z * W[..., None]) + np.eye(bucket.n_effects))
    gradient = (transpose(modes.Z) @ d1[..., None])[..., 0] - b
    second = _at_most_one((transpose(root) @ gradient[..., None])[..., 0])
    return b + (root @ second[..., None])[..., 0], root


def _at_most_one(whitened: Array) -> Array:
    """Shorten steps that are longer than one conditional standard deviation."""
    length = np.sqrt((whitened * whitened).sum(axis=-1, keepdims=True))
    return np.asarray(whitened / np.maximum(1.0, length))


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


@dataclass(frozen=True)
class JointSampling:
    """Importance sampling of the R package glmm: all effects at once, from a three-part mixture.

    Parameters
    ----------
    p1, p2, p3 : float
        Probabilities of the t(0, D*), N(u*, D*) and N(u*, curvature^-1) parts.  p1 > 0 bounds the weights.
    zeta : float
        Degrees of freedom of the t part.
    """

    p1: float = 1 / 3
    p2: float = 1 / 3
    p3: float = 1 / 3
    zeta: float = 5.0

    joint = True
    adapts = True

    def __post_init__(self) -> None:
        p = np.array([self.p1, self.p2, self.p3], float)
        if not np.all(p >= 0) or abs(p.sum() - 1.0) > 1e-8:
            raise ValueError(f"p1, p2, p3 must be probabilities that add up to 1, got {tuple(p.tolist())}")
        if self.p1 == 0:
            raise ValueError("p1 must be positive: without the t part the importance weights are unbounded")
        if not self.zeta > 0:
            raise ValueError(f"zeta must be positive, got {self.zeta}")

    def proposal(
        self,
        bucket: Bucket,
        modes: Modes,
        covariance: Covariance,
        factors: list[Array],
        phi: float,
        grid: bool,
    ) -> MixtureProposal:
        """Build the mixture around the conditional modes of the one joint block."""
        del phi, grid
        blocks = [f for f, count in zip(factors, bucket.levels, strict=True) for _ in range(count)]
        p = np.array([self.p1, self.p2, self.p3], float)
        return MixtureProposal(
            p / p.sum(),
            self.zeta,
            modes.b[0],
            modes.root[0],
            sp.csr_array(sp.block_diag(blocks)),
            sp.csr_array(sp.block_diag([np.linalg.inv(f) for f in blocks])),
            float(sum(np.log(np.abs(np.diagonal(f))).sum() for f in blocks)),
        )


@dataclass(frozen=True)
class FixedSampling:
    """A user's own importance density, the same wherever the estimate goes.

    Parameters
    ----------
    density : Proposal
        Over all effects jointly, in the order of the columns of Z.
    """

    density: Proposal

    joint = True
    adapts = False

    def proposal(
        self,
        bucket: Bucket,
        modes: Modes,
        covariance: Covariance,
        factors: list[Array],
        phi: float,
        grid: bool,
    ) -> Proposal:
        """Return the density itself."""
        del bucket, modes, covariance, factors, phi, grid
        return self.density
