"""Base random numbers: t variates that proposals move and stretch.

Base numbers are functions of a seed and of where they are used (bucket, block, replicate), never of the
parameters.  Draws can therefore be rebuilt from the same numbers as the estimate moves, extended without
throwing any away, and made chunk by chunk in any order and thread.

* `SobolNumbers`: randomised quasi-Monte Carlo (Owen, *Monte Carlo theory, methods and examples*, ch. 15-17).
  One scrambled Sobol' set is shared, and every replicate of every block gets its own digital shift.
* `GridNumbers`: the same in up to three dimensions with equidistant points, whose sums are trapezoid rules, which
  converge exponentially for integrands that vanish smoothly (Trefethen and Weideman, 2014, SIAM Review 56, 385-458).
* `IndependentNumbers`: plain Monte Carlo.
* `CubaturePoints`: no random numbers at all, where two moments are all that matters.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np
from scipy import special, stats
from scipy.interpolate import CubicHermiteSpline
from scipy.stats import qmc

from statsmodels_mcla.likelihood.sampling.proposals import spherical_t_logpdf
from statsmodels_mcla.numerics import Array, child, generator

BITS = 52  # of a shifted point
NET_BITS = 32  # of a point before the shift: scrambling takes time that grows with their square
LEAST_NET = 1024  # points made at once, since the first few of them are what a smaller set would be
STREAM = 4096  # independent draws a random stream


class BaseNumbers(Protocol):
    """Source of base numbers for the blocks of one bucket."""

    @property
    def seed(self) -> np.random.SeedSequence:
        """Where they come from."""

    @property
    def replicates(self) -> int | None:
        """Independent randomisations of one point set, or None where all draws are independent."""

    def draws(self, wanted: int) -> int:
        """Round the wanted number of draws a block up to one that can be made."""

    def sections(self, draws: int, longest: int) -> list[slice]:
        """Cut the draws into pieces that can be made one at a time."""

    def variates(
        self, df: float, blocks: np.ndarray, draws: int, section: slice, own: np.ndarray | None = None
    ) -> Array:
        """t variates (B, q, c) with unit scale, for the given section of ``draws``.

        Of coordinates that are not a block's own (B, q), normal ones.
        """

    def log_density(self, t: Array, df: float, dims: np.ndarray) -> Array:
        """Log density (B, c) of the ``dims`` own coordinates (B, 1) of variates (B, q, c), the others zero."""


class _Spherical:
    """Variates whose density depends on their length alone."""

    def log_density(self, t: Array, df: float, dims: np.ndarray) -> Array:
        """See `BaseNumbers`."""
        return spherical_t_logpdf(np.einsum("bqm,bqm->bm", t, t), df, dims)


@dataclass(frozen=True)
class _ShiftedPoints:
    """Points of a digital net, each replicate of each block shifted on its own.

    Parameters
    ----------
    n_effects : int
        Dimension q of the variates.
    replicates : int
        Independent randomisations a block.
    seed : numpy.random.SeedSequence
        Of the shifts.
    """

    n_effects: int
    replicates: int
    seed: np.random.SeedSequence

    def draws(self, wanted: int) -> int:
        """Replicates times a power of two."""
        each = max(1, -(-wanted // self.replicates))
        return self.replicates * (1 << (each - 1).bit_length())

    def sections(self, draws: int, longest: int) -> list[slice]:
        """Whole replicates, as many as fit."""
        each = draws // self.replicates
        step = each * max(1, longest // each)
        return [slice(a, min(a + step, draws)) for a in range(0, draws, step)]

    def _normal(self, points: np.ndarray, blocks: np.ndarray, section: slice) -> Array:
        """Shifted points (dims, n) as normal variates (B, dims, c)."""
        dims, each = points.shape
        first, last = int(blocks.min()), int(blocks.max())
        shifts = _shifts(_key(self.seed), first, last - first + 1, self.replicates, dims)
        shift = shifts[blocks - first, section.start // each : section.stop // each]
        shifted = shift[..., None] ^ points  # (B, R, dims, n)
        z = special.ndtri((shifted.astype(float) + 0.5) * 2.0**-BITS)
        return np.ascontiguousarray(z.transpose(0, 2, 1, 3)).reshape(
            len(shift), dims, section.stop - section.start
        )


@dataclass(frozen=True)
class SobolNumbers(_Spherical, _ShiftedPoints):
    """Spherical t variates from digitally shifted Sobol' points: a scale, and then normals."""

    def variates(
        self, df: float, blocks: np.ndarray, draws: int, section: slice, own: np.ndarray | None = None
    ) -> Array:
        """See `BaseNumbers`."""
        points = _sobol(_key(self.seed)[0], self.n_effects + 1, draws // self.replicates)
        z = self._normal(points, blocks, section)
        if np.isinf(df):
            return z[:, 1:]
        return np.asarray(z[:, 1:] * _where_own(_t_scale_of_normal(df)(z[:, :1]), own))


@dataclass(frozen=True)
class GridNumbers(_ShiftedPoints):
    """Independent t variates from shifted equidistant points.

    They are squares in two dimensions, turned by 45 degrees at every other doubling, and cubic lattices in three.
    """

    def variates(
        self, df: float, blocks: np.ndarray, draws: int, section: slice, own: np.ndarray | None = None
    ) -> Array:
        """See `BaseNumbers`."""
        z = self._normal(_equidistant(self.n_effects, draws // self.replicates), blocks, section)
        return z if np.isinf(df) else _t_of_normal(df)(z)

    def log_density(self, t: Array, df: float, dims: np.ndarray) -> Array:
        """See `BaseNumbers`."""
        return spherical_t_logpdf(t * t, df, 1).sum(axis=1)


@dataclass(frozen=True)
class IndependentNumbers(_Spherical):
    """Independent pseudo-random variates, made in streams of `STREAM` draws.

    Parameters
    ----------
    n_effects : int
    seed : numpy.random.SeedSequence
    """

    n_effects: int
    seed: np.random.SeedSequence

    @property
    def replicates(self) -> None:
        """All draws are independent."""
        return

    def draws(self, wanted: int) -> int:
        """Any number will do."""
        return wanted

    def sections(self, draws: int, longest: int) -> list[slice]:
        """One stream each."""
        return [slice(a, min(a + STREAM, draws)) for a in range(0, draws, STREAM)]

    def variates(
        self, df: float, blocks: np.ndarray, draws: int, section: slice, own: np.ndarray | None = None
    ) -> Array:
        """See `BaseNumbers`."""
        size = section.stop - section.start
        out = np.empty((len(blocks), self.n_effects, size))
        for place, block in enumerate(blocks):
            rng = generator(self.seed, int(block), section.start // STREAM)
            z = rng.standard_normal((size, self.n_effects)).T
            if np.isfinite(df):  # a stream of its own: more draws must not change the earlier ones
                chi = generator(self.seed, int(block), section.start // STREAM, 1)
                scale = 1.0 / np.sqrt(chi.chisquare(df, size) / df)
                z = z * _where_own(scale[None, None], None if own is None else own[place][None])[0]
            out[place] = z
        return out


@dataclass(frozen=True)
class CubaturePoints(_Spherical):
    """The 2 q points that have the mean and the covariance of a standard normal law, sqrt(q) from the origin each.

    Where the effects given the data are normal, weights and scores of moving draws are all equal, and the Hessian is
    quadratic in the draws: the likelihood and its derivatives are exact.  There are two replicates, which agree.

    Parameters
    ----------
    n_effects : int
    seed : numpy.random.SeedSequence
        Unused.
    """

    n_effects: int
    seed: np.random.SeedSequence

    replicates = 2

    def draws(self, wanted: int) -> int:
        """Twice the points."""
        return 2 * max(2 * self.n_effects, 1)

    def sections(self, draws: int, longest: int) -> list[slice]:
        """All at once."""
        return [slice(0, draws)]

    def variates(
        self, df: float, blocks: np.ndarray, draws: int, section: slice, own: np.ndarray | None = None
    ) -> Array:
        """See `BaseNumbers`."""
        q = self.n_effects
        if not q:
            return np.zeros((len(blocks), 0, draws))
        points = np.sqrt(q) * np.hstack([np.eye(q), -np.eye(q)])
        return np.broadcast_to(np.hstack([points, points]), (len(blocks), q, draws))


def _key(seed: np.random.SeedSequence) -> tuple[int, tuple[int, ...]]:
    return seed.entropy, tuple(seed.spawn_key)  # type: ignore[return-value]


def _sobol(entropy: int, dims: int, size: int) -> np.ndarray:
    """Scrambled Sobol' points as integers of `BITS` bits, (dims, size)."""
    return _net(entropy, dims, max(LEAST_NET, 1 << (size - 1).bit_length()))[:, :size]


def _where_own(scale: Array, own: np.ndarray | None) -> Array:
    """Scales (B, 1, c) of a block's own coordinates (B, q), and 1 of the others."""
    return scale if own is None or own.all() else np.where(own[..., None], scale, 1.0)


@lru_cache(maxsize=32)
def _net(entropy: int, dims: int, size: int) -> np.ndarray:
    rng = generator(np.random.SeedSequence(entropy), dims)
    sobol = qmc.Sobol(dims, scramble=True, bits=NET_BITS, rng=rng)
    points = sobol.random_base2(size.bit_length() - 1).T
    return np.ascontiguousarray(points * 2.0**NET_BITS).astype(np.uint64) << np.uint64(BITS - NET_BITS)


@lru_cache(maxsize=32)
def _equidistant(dims: int, size: int) -> np.ndarray:
    """A power of two of equidistant points as integers of `BITS` bits, (dims, size); the first of more are fewer."""
    points = np.zeros((dims, 1), np.uint64)
    for k in range(size.bit_length() - 1):
        level, place = divmod(k, max(dims, 1))
        step = np.where(np.arange(dims) < dims - place, 1 << (BITS - 1 - level), 0).astype(np.uint64)
        points = np.hstack([points, points[:, ::-1] ^ step[:, None]])
    return points


@lru_cache(maxsize=8)
def _shifts(
    key: tuple[int, tuple[int, ...]], first: int, blocks: int, replicates: int, dims: int
) -> np.ndarray:
    """Digital shifts (blocks, replicates, dims) from the first of some blocks on: one number of the stream each."""
    bits = np.random.PCG64(child(np.random.SeedSequence(key[0]), *key[1]))
    rng = np.random.Generator(bits.advance(first * replicates * dims))
    return rng.integers(0, 2**BITS, size=(blocks, replicates, dims), dtype=np.uint64)


# Quantile functions of the t and chi distributions take microseconds a value in scipy.  As functions of the
# normal quantile they are smooth, and a cubic spline on a fine grid has them to twelve digits.
_GRID = np.linspace(-8.5, 8.5, 3401)


@lru_cache(maxsize=32)
def _t_of_normal(df: float) -> CubicHermiteSpline:
    """Student t quantile of Phi(z)."""
    x = np.sign(_GRID) * -special.stdtrit(df, special.ndtr(-np.abs(_GRID)))
    slope = np.exp(stats.norm.logpdf(_GRID) - stats.t.logpdf(x, df))
    return CubicHermiteSpline(_GRID, x, slope)


@lru_cache(maxsize=32)
def _t_scale_of_normal(df: float) -> CubicHermiteSpline:
    """sqrt(df / chi2 quantile) of Phi(z)."""
    half = 0.5 * df
    g = np.where(
        _GRID < 0,
        special.gammaincinv(half, special.ndtr(_GRID)),
        special.gammainccinv(half, special.ndtr(-_GRID)),
    )
    dg = np.exp(stats.norm.logpdf(_GRID) - stats.gamma.logpdf(g, half))
    return CubicHermiteSpline(_GRID, np.sqrt(half / g), -0.5 * np.sqrt(half / g) / g * dg)
