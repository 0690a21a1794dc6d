"""Draws of the random effects: which block gets how many, from which density, and where they were made.

A `DrawPart` covers the blocks of one bucket that have the same number of draws.  It makes any piece of its
base numbers on demand, with their log density, so that no array of all draws need exist; its `Anchor` says which
standard effects they become.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Lock
from typing import Any, ClassVar, Protocol
from weakref import WeakSet

import numpy as np

from statsmodels_mcla.design import Bucket
from statsmodels_mcla.likelihood.sampling.base_numbers import STREAM, BaseNumbers, CubaturePoints
from statsmodels_mcla.likelihood.sampling.moment_matching import match_moments
from statsmodels_mcla.likelihood.sampling.moving_draws import Anchor
from statsmodels_mcla.likelihood.sampling.proposals import Proposal, spherical_t_logpdf
from statsmodels_mcla.numerics import Array, generator

BATCHES = 16  # of replicates that deviations are kept for
CACHE_BYTES = 2**28  # base numbers up to this size are kept in all, others are made again


class NumbersMade:
    """Base numbers that were made; a copy elsewhere makes them again."""

    _all: ClassVar[WeakSet[NumbersMade]] = WeakSet()
    _one_at_a_time: ClassVar = Lock()

    def __init__(self) -> None:
        self._made: dict[tuple[Any, ...], Array] = {}
        self.bytes = 0
        with self._one_at_a_time:
            self._all.add(self)

    def get(self, key: tuple[Any, ...]) -> Array | None:
        """Numbers that are here."""
        return self._made.get(key)

    def put(self, key: tuple[Any, ...], made: Array) -> None:
        """Keep numbers, if there is room in this process."""
        with self._one_at_a_time:
            if sum(one.bytes for one in self._all) + made.nbytes <= CACHE_BYTES:
                self._made[key] = made
                self.bytes += made.nbytes

    def __reduce__(self) -> tuple[Any, ...]:
        return NumbersMade, ()


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
    def anchor(self) -> Any:
        """Where the draws were made, and how they move: an `Anchor`, or `NestedNodes` that stand still."""

    @property
    def inner(self) -> int:
        """Points of every inner effect for each draw of the outer one; 1 where all effects are drawn together."""

    @property
    def together(self) -> DrawPart:
        """Draws of all effects together."""

    def sections(self, longest: int) -> list[slice]:
        """Cut the m draws into pieces."""

    def draw(self, blocks: slice, section: slice) -> tuple[Array, Array]:
        """Base numbers (K, q, c) and their log density (K, c)."""


@dataclass(frozen=True)
class BlockDraws:
    """Draws of a bucket's blocks from one multivariate t each.

    Attributes
    ----------
    bucket : Bucket
    anchor : Anchor
    df : ndarray (B,)
        Degrees of freedom, by the number of effects that each block has of its own; inf for a normal.
    numbers : BaseNumbers
        Base numbers of the whole bucket that ``bucket`` is a part of.
    size : int
    made : NumbersMade
        Base numbers that are in memory,
    part : tuple
        and how those of these draws are known there.
    """

    bucket: Bucket
    anchor: Anchor
    df: Array
    numbers: BaseNumbers
    size: int
    made: NumbersMade = field(repr=False)
    part: tuple[Any, ...]

    inner = 1

    @property
    def together(self) -> BlockDraws:
        """See `DrawPart`."""
        return self

    @property
    def replicate(self) -> int:
        """See `DrawPart`."""
        return 1 if self.numbers.replicates is None else self.size // self.numbers.replicates

    def sections(self, longest: int) -> list[slice]:
        """See `DrawPart`."""
        return self.numbers.sections(self.size, longest)

    def draw(self, blocks: slice, section: slice) -> tuple[Array, Array]:
        """See `DrawPart`."""
        # at other parameters the same blocks may have base numbers of another kind, or be others
        kind = type(self.numbers), self.df[blocks].tobytes(), self.bucket.places[blocks].tobytes()
        key = (*self.part, *kind, section.start, section.stop)
        t = self.made.get(key)
        if t is None:
            t = self._made(blocks, section)
            random = self.replicate > 1 and not isinstance(self.numbers, CubaturePoints)
            if random and self.bucket.family.quadratic and self.replicate > 4 * self.bucket.n_drawn > 0:
                t = match_moments(t, self.replicate)
            self.made.put(key, t)
        log_density = self.log_density(t, blocks)
        t, log_slope = self.anchor.shapes.take(blocks).apply(t)
        return t, log_density - log_slope

    def _made(self, blocks: slice, section: slice) -> Array:
        """Base numbers (K, q, c), before anything is done to them."""
        places, own = self.bucket.places[blocks], self.bucket.own[blocks]
        parts = [
            (which, self.numbers.variates(df, places[which], self.size, section, own[which]))
            for df, which in _of_each(self.df[blocks])
        ]
        if len(parts) == 1:
            return parts[0][1]
        t = np.empty((len(places), *parts[0][1].shape[1:]))
        for which, made in parts:
            t[which] = made
        return t

    def log_density(self, t: Array, blocks: slice = slice(None)) -> Array:
        """Log density (K, c) of base numbers (K, q, c): as t of the effects of each block, normal of its padding."""
        df, own = self.df[blocks], self.bucket.own[blocks]
        dims, padded = own.sum(axis=1)[:, None], not own.all()
        mine = t * own[..., None] if padded else t
        out = np.empty((len(t), t.shape[2]))
        for one, which in _of_each(df):
            out[which] = self.numbers.log_density(mine[which], one, dims[which])
        if padded:
            rest = np.einsum("bqm,bqm->bm", t - mine, t - mine)
            out += spherical_t_logpdf(rest, np.inf, t.shape[1] - dims)
        return out


@dataclass(frozen=True)
class JointDraws:
    """Independent draws of all standard effects at once from one proposal.

    Attributes
    ----------
    bucket : Bucket
        All rows and effects as one block.
    anchor : Anchor
    proposal : Proposal
    seed : numpy.random.SeedSequence
    size : int
    """

    bucket: Bucket
    anchor: Anchor
    proposal: Proposal
    seed: np.random.SeedSequence
    size: int

    inner = replicate = 1

    @property
    def together(self) -> JointDraws:
        """See `DrawPart`."""
        return self

    def sections(self, longest: int) -> list[slice]:
        """See `DrawPart`."""
        return [slice(a, min(a + STREAM, self.size)) for a in range(0, self.size, STREAM)]

    def draw(self, blocks: slice, section: slice) -> tuple[Array, Array]:
        """See `DrawPart`."""
        rng = generator(self.seed, section.start // STREAM)
        b = self.proposal.sample(rng, section.stop - section.start)
        return np.ascontiguousarray(b[self.bucket.drawn[0]])[None], self.proposal.logpdf(b)[None]


def _of_each(values: Array) -> list[tuple[float, np.ndarray | slice]]:
    """Distinct values, and where each is."""
    distinct = np.unique(values).tolist()
    if len(distinct) == 1:
        return [(distinct[0], slice(None))]
    return [(value, np.flatnonzero(values == value)) for value in distinct]


def batch_of(part: DrawPart, places: np.ndarray, replicate: np.ndarray) -> np.ndarray:
    """Which of `BATCHES` batches replicates (k,) of blocks in some places (B,) of their bucket are in, (B, k).

    Where a block has fewer replicates than there are batches, different blocks have theirs in different ones.
    """
    R = part.size // part.replicate
    return replicate * BATCHES // R + places[:, None] // BATCHES % max(BATCHES // R, 1)


def batch_scale(part: DrawPart) -> float:
    """Factor of the deviations of batches, so that their squares add up to a variance without bias."""
    R = min(part.size // part.replicate, BATCHES)
    return float(np.sqrt(R / (R - 1.0))) if R > 1 else np.inf


@dataclass(frozen=True)
class TiltedDraws:
    """Draws of which some have more weight: what a mean owes to them is the derivative in that weight.

    Attributes
    ----------
    part : DrawPart
    batch : int
        Of replicates, which weigh more,
    scale : float
        by so many deviations.
    """

    part: DrawPart
    batch: int
    scale: float

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
    def anchor(self) -> Any:
        """See `DrawPart`."""
        return self.part.anchor

    @property
    def inner(self) -> int:
        """See `DrawPart`."""
        return self.part.inner

    @property
    def together(self) -> TiltedDraws:
        """See `DrawPart`."""
        return TiltedDraws(self.part.together, self.batch, self.scale)

    def sections(self, longest: int) -> list[slice]:
        """See `DrawPart`."""
        return self.part.sections(longest)

    def draw(self, blocks: slice, section: slice) -> tuple[Array, Array]:
        """See `DrawPart`."""
        t, log_g = self.part.draw(blocks, section)
        replicate = np.arange(section.start, section.stop) // self.replicate
        chosen = batch_of(self.part, self.bucket.places[blocks], replicate) == self.batch
        return t, log_g - np.log1p(self.scale * batch_scale(self.part)) * chosen
