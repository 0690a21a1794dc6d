"""Frozen draws of the random effects: which block gets how many, and from which density.

A `DrawPart` covers the blocks of one bucket that have the same number of draws.  It makes any piece of its
draws on demand, (effects, log density), from base random numbers and a proposal, so that no array of all
draws need exist.  Effects are in homogeneous coordinates, with a last row of ones: one product then makes
linear predictors of them, fixed effects and offset included.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np

from statsmodels_mcla.design import Bucket
from statsmodels_mcla.linalg import Array, homogeneous
from statsmodels_mcla.points import STREAM, BaseNumbers
from statsmodels_mcla.proposals import BlockT, Proposal
from statsmodels_mcla.streams import generator
from statsmodels_mcla.transport import Transport

__all__ = ["BlockDraws", "DrawPart", "JointDraws", "TiltedDraws"]

ENOUGH = 32  # draws of a replicate that fourth moments can be asked of
CACHE_BYTES = 2**29  # base numbers of a part up to this size are kept, larger ones are made again


class DrawPart(Protocol):
    """Draws for some blocks of equal shape and equal number of draws."""

    @property
    def bucket(self) -> Bucket:
        """The blocks."""

    @property
    def size(self) -> int:
        """Draws a block, m."""

    @property
    def replicate(self) -> int:
        """Consecutive draws that make one replicate; 1 if all are independent."""

    @property
    def transport(self) -> Transport | None:
        """How the draws move with the fixed effects; None if they do not."""

    def sections(self, longest: int) -> list[slice]:
        """Cut the m draws into pieces."""

    def draw(self, blocks: slice, section: slice) -> tuple[Array, Array]:
        """Effects in homogeneous coordinates (K, q + 1, c) and their log density (K, c)."""


@dataclass(frozen=True)
class BlockDraws:
    """Draws of a bucket's blocks from one multivariate t each.

    Attributes
    ----------
    bucket : Bucket
    proposal : BlockT
    numbers : BaseNumbers
        Base numbers of the whole bucket that ``bucket`` is a part of.
    members : ndarray (B,)
        Places of the blocks in that whole bucket.
    size : int
    transport : Transport, optional
    mirrored : ndarray of bool (q,), optional
        Effects that half of the draws have with the other sign.
    """

    bucket: Bucket
    proposal: BlockT
    numbers: BaseNumbers
    members: np.ndarray
    size: int
    transport: Transport | None = None
    mirrored: np.ndarray | None = None
    cache: dict[tuple[int, int, int, int], tuple[Array, Array]] = field(default_factory=dict, repr=False)

    @property
    def replicate(self) -> int:
        """See `DrawPart`."""
        return 1 if self.numbers.replicates is None else self.size // self.numbers.replicates

    def sections(self, longest: int) -> list[slice]:
        """See `DrawPart`."""
        return self.numbers.sections(self.size, longest)

    def draw(self, blocks: slice, section: slice) -> tuple[Array, Array]:
        """See `DrawPart`."""
        key = (blocks.start, blocks.stop, section.start, section.stop)
        proposal = self.proposal.take(blocks)
        made = self.cache.get(key)
        if made is None:
            t = self.numbers.spherical_t(proposal.df, self.members[blocks], self.size, section)
            if self.bucket.family.quadratic and self.replicate > 4 * self.bucket.n_effects > 0:
                t = match_moments(t, self.replicate)
            elif self.mirrored is not None:
                t = mirror(t, self.replicate, self.mirrored)
            made = homogeneous(t), proposal.base_logpdf(t)
            if 8 * self.bucket.n_blocks * (self.bucket.n_effects + 2) * self.size <= CACHE_BYTES:
                self.cache[key] = made
        return proposal.move(made[0]), made[1] - proposal.log_det[:, None]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "cache": {}}  # base numbers are made again where they are needed

    def with_numbers_of(self, other: BlockDraws) -> BlockDraws:
        """Return the draws with the base numbers that another position has made from the same source."""
        return replace(self, cache=other.cache)


@dataclass(frozen=True)
class JointDraws:
    """Independent draws of all effects at once from one proposal.

    Attributes
    ----------
    bucket : Bucket
        All rows and effects as one block.
    proposal : Proposal
    seed : numpy.random.SeedSequence
    size : int
    """

    bucket: Bucket
    proposal: Proposal
    seed: np.random.SeedSequence
    size: int
    transport: None = None

    @property
    def replicate(self) -> int:
        """See `DrawPart`."""
        return 1

    def sections(self, longest: int) -> list[slice]:
        """See `DrawPart`."""
        return [slice(a, min(a + STREAM, self.size)) for a in range(0, self.size, STREAM)]

    def draw(self, blocks: slice, section: slice) -> tuple[Array, Array]:
        """See `DrawPart`."""
        rng = generator(self.seed, section.start // STREAM)
        u = self.proposal.sample(rng, section.stop - section.start)[self.bucket.effects[0]]
        return homogeneous(u[None]), self.proposal.logpdf(u)[None]


@dataclass(frozen=True)
class TiltedDraws:
    """Draws of which some have more weight: what a mean owes to them is the derivative in that weight.

    Attributes
    ----------
    part : DrawPart
    batch, batches : int
        Which of so many batches of replicates.
    log_weight : float
        Log of the factor of their weights.
    """

    part: DrawPart
    batch: int
    batches: int
    log_weight: float

    @property
    def bucket(self) -> Bucket:
        """See `DrawPart`."""
        return self.part.bucket

    @property
    def size(self) -> int:
        """See `DrawPart`."""
        return self.part.size

    @property
    def replicate(self) -> int:
        """See `DrawPart`."""
        return self.part.replicate

    @property
    def transport(self) -> Transport | None:
        """See `DrawPart`."""
        return self.part.transport

    def sections(self, longest: int) -> list[slice]:
        """See `DrawPart`."""
        return self.part.sections(longest)

    def draw(self, blocks: slice, section: slice) -> tuple[Array, Array]:
        """See `DrawPart`."""
        u, log_g = self.part.draw(blocks, section)
        replicate = np.arange(section.start, section.stop) // self.replicate
        chosen = replicate * self.batches // (self.size // self.replicate) == self.batch
        return u, log_g - self.log_weight * chosen


def mirror(t: Array, replicate: int, effects: np.ndarray) -> Array:
    """Let half of the draws of each replicate have the values of the others, with the other sign in some effects.

    The likelihood is even in the loading of a standard effect.  So is its average over such draws where the loading
    is small, and a variance next to zero is not decided by noise.
    """
    half = replicate // 2
    if half == 0:
        return t
    out = t.reshape(*t.shape[:2], t.shape[2] // replicate, replicate).copy()
    out[..., half : 2 * half] = out[..., :half] * np.where(effects, -1.0, 1.0)[:, None, None]
    return out.reshape(t.shape)


def match_moments(t: Array, replicate: int, rounds: int = 2) -> Array:
    """Move the draws of each replicate so that they have moments of a standard normal.

    Where the effects given the data are exactly normal, all weights are equal and the score is quadratic in
    the draws: with mean 0 and covariance I it has no Monte Carlo error at all.  Its variance, which the standard
    errors rest on, is of third and fourth order, and points that share their cut-off tails would understate it in
    all replicates alike.  So half of the draws mirror the others, which makes all odd moments 0, and
    E|t|^4 = q (q + 2) is matched by t (1 + c |t|^2).
    """
    blocks, q, m = t.shape
    parts = t.reshape(blocks, q, m // replicate, replicate).transpose(0, 2, 1, 3)
    half = parts[..., : replicate // 2]
    parts = _whiten(np.concatenate([half, -half], axis=-1))
    for _ in range(rounds if replicate >= ENOUGH else 0):
        parts = _whiten(parts * _stretch((parts * parts).sum(axis=2, keepdims=True), (q + 2.0) / q))
    return np.ascontiguousarray(parts.transpose(0, 2, 1, 3)).reshape(t.shape)


def _whiten(parts: Array) -> Array:
    """Give draws (..., q, m) of mean 0 the covariance I."""
    lower = np.linalg.cholesky(parts @ np.swapaxes(parts, -1, -2) / parts.shape[-1])
    return np.asarray(np.linalg.solve(lower, parts))


def _stretch(s: Array, kurtosis: float) -> Array:
    """1 + c s with E[s^2 (1 + c s)^4] / E[s (1 + c s)^2]^2 the kurtosis, by Newton's method in c."""
    c = np.zeros((*s.shape[:-1], 1))
    for _ in range(4):
        f = 1.0 + c * s
        top, bottom = (s**2 * f**4).mean(axis=-1, keepdims=True), (s * f**2).mean(axis=-1, keepdims=True)
        slope = 4.0 * (s**3 * f**3).mean(axis=-1, keepdims=True) / top
        slope = slope - 4.0 * (s**2 * f).mean(axis=-1, keepdims=True) / bottom
        c = c - np.log(top / (bottom**2 * kurtosis)) / slope
    return np.asarray(1.0 + c * s)
