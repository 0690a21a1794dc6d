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
from statsmodels_mcla.likelihood.sampling.base_numbers import STREAM, BaseNumbers
from statsmodels_mcla.likelihood.sampling.moment_matching import match_moments, mirror
from statsmodels_mcla.likelihood.sampling.moving_draws import Transport
from statsmodels_mcla.likelihood.sampling.proposals import BlockT, Proposal
from statsmodels_mcla.numerics import Array, generator, homogeneous

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
