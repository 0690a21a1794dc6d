"""What the draws of a block are made of: which base numbers, how many to begin with, and how their errors fall."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from statsmodels_mcla.design import Bucket, MixedDesign
from statsmodels_mcla.families import ConditionalFamily
from statsmodels_mcla.likelihood.sampling.base_numbers import (
    BaseNumbers,
    CubaturePoints,
    GridNumbers,
    IndependentNumbers,
    SobolNumbers,
)
from statsmodels_mcla.likelihood.sampling.nested_draws import FIRST, NestedNumbers
from statsmodels_mcla.likelihood.sampling.settings import BlockSampling, Sampling
from statsmodels_mcla.numerics import child

# independent randomisations of the points: fewer make the Monte Carlo error itself noisy, but for blocks that have many
# like them, whose errors add up; points are better many in one set than in several, most of all on a grid of two
# dimensions or three
MOST_REPLICATES, OF_ALIKE = 16, (1024, 256)
LEAST_REPLICATES = 4, 8  # on a grid, and of more effects, whose errors may come from few blocks
FEW = 3  # effects of a block whose draws are points of a grid
ON_GRID = 1, 16, 32, 128  # points of a replicate of so many effects to start with
LARGE = 100  # effects of a block with so many rows that even few draws take most of the time


@dataclass(frozen=True)
class DrawRule:
    """What draws are made of, for any part of the rows.

    Attributes
    ----------
    sampling : Sampling
    seed : numpy.random.SeedSequence
    quasi : bool
        Randomised quasi-Monte Carlo or independent draws.
    exact : bool
        Whether blocks whose effects are normal given the data have points with the right moments, rather than draws.
    each : bool
        Whether the error of each block matters, rather than that of sums over blocks.
    accelerate : bool
        Whether paths have second derivatives where they can (see `accelerations`).
    """

    sampling: Sampling
    seed: np.random.SeedSequence
    quasi: bool
    exact: bool = True
    each: bool = False
    accelerate: bool = False

    def buckets(self, design: MixedDesign) -> tuple[Bucket, ...]:
        """Blocks that are integrated one by one."""
        return design.joint if self.sampling.joint else design.buckets

    def without_draws(self, family: ConditionalFamily) -> bool:
        """Whether points with the right moments stand for all draws: right where they are made, and there alone."""
        return self.exact and self.quasi and family.quadratic and self.sampling == BlockSampling()

    def nests(self, bucket: Bucket) -> bool:
        """Whether the inner effects of blocks are integrated one by one, at each point of the outer one."""
        return self.quasi and self.sampling == BlockSampling() and bucket.nesting is not None

    def on_grid(self, bucket: Bucket) -> bool:
        """Whether the few effects of blocks, drawn together, may be points of a grid."""
        return self.quasi and bucket.n_drawn <= FEW

    def _few_points(self, bucket: Bucket) -> bool:
        """Whether they are, wherever they are drawn, so that few points are enough."""
        return self.on_grid(bucket) and not may_have_modes(bucket)

    def converges_fast(self, bucket: Bucket) -> bool:
        """Whether integrals have few dimensions, and are taken by trapezoid rules."""
        return self._few_points(bucket) or self.nests(bucket)

    def rate(self, bucket: Bucket) -> float:
        """Errors fall like draws to minus this power."""
        if self.converges_fast(bucket):
            return 2.0 + 2.0 / (1 if self.nests(bucket) else max(bucket.n_drawn, 1))
        return 1.4 if self.quasi else 1.0

    def step(self, bucket: Bucket) -> int:
        """Factor by which draws grow: halved distances in all directions on a grid, 1 for any number."""
        if not self.quasi:
            return 1
        return 2 ** max(bucket.n_drawn, 1) if self._few_points(bucket) and not self.nests(bucket) else 2

    def seed_of(self, bucket: Bucket, epoch: int) -> np.random.SeedSequence:
        """Of the base numbers of a bucket."""
        return child(self.seed, bucket.number, epoch)

    def numbers(self, bucket: Bucket, epoch: int) -> BaseNumbers | NestedNumbers:
        """Base numbers of a bucket."""
        nested = self.nests(bucket)
        return NestedNumbers(self.seed_of(bucket, epoch)) if nested else self.numbers_together(bucket, epoch)

    def numbers_together(self, bucket: Bucket, epoch: int, *, exact: bool = False) -> BaseNumbers:
        """Base numbers of all effects together: of constants, as in ``exact`` draws, no grid makes a good integral."""
        seed = self.seed_of(bucket, epoch)
        if self.without_draws(bucket.family):
            return CubaturePoints(bucket.n_drawn, seed)
        if self.quasi:
            kind = GridNumbers if self.on_grid(bucket) and not exact else SobolNumbers
            return kind(bucket.n_drawn, self._replicates(bucket), seed)
        return IndependentNumbers(bucket.n_drawn, seed)

    def _replicates(self, bucket: Bucket) -> int:
        """Randomisations of a block, a power of two."""
        few, several = self._few_points(bucket), bucket.n_drawn > 1
        wanted = MOST_REPLICATES if self.each else OF_ALIKE[few and several] // max(bucket.n_alike, 1)
        least = LEAST_REPLICATES[several and not few]
        return 1 << (min(max(wanted, least), MOST_REPLICATES).bit_length() - 1)

    def first_size(self, bucket: Bucket) -> int:
        """Draws that are enough to find the way to the maximum, by number of effects."""
        if self.sampling.joint:
            return 16384
        if not self.quasi:
            return 1024
        if self.nests(bucket):
            return NestedNumbers.replicates * FIRST**2
        replicates, q = self._replicates(bucket), bucket.n_drawn
        if self._few_points(bucket):
            return min(replicates * ON_GRID[q], 128) if q == 1 else replicates * ON_GRID[q]
        return replicates * (32 if 2 < q < LARGE else 16)


def may_have_modes(bucket: Bucket) -> bool:
    """Whether the law of two effects may have several modes: points around one are then no match for the law itself."""
    return bucket.n_drawn == 2 and bucket.family.multimodal
