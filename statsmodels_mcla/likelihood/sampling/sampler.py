"""From parameters to draws: conditional modes, proposals around them, base random numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp

from statsmodels_mcla.design import Bucket, MixedDesign
from statsmodels_mcla.execution import on_one_blas_thread
from statsmodels_mcla.likelihood.laplace import Modes, modes_of_buckets
from statsmodels_mcla.likelihood.sampling.base_numbers import (
    BaseNumbers,
    CubaturePoints,
    IndependentNumbers,
    SobolNumbers,
)
from statsmodels_mcla.likelihood.sampling.draws import BlockDraws, DrawPart, JointDraws
from statsmodels_mcla.likelihood.sampling.moving_draws import anchored, standing
from statsmodels_mcla.likelihood.sampling.proposals import StandardisedProposal
from statsmodels_mcla.likelihood.sampling.settings import (
    BlockSampling,
    FixedSampling,
    JointSampling,
    Sampling,
)
from statsmodels_mcla.numerics import Array, child

REPLICATES = 16  # independent randomisations: fewer make the Monte Carlo error itself noisy


@dataclass(frozen=True)
class Position:
    """Parameters, and the draws made there.

    Attributes
    ----------
    params : ndarray (P,)
        Fixed effects, loadings, dispersion.
    modes : tuple of Modes
    draws : tuple of DrawPart
    """

    params: Array
    modes: tuple[Modes, ...]
    draws: tuple[DrawPart, ...]


@dataclass(frozen=True)
class Sampler:
    """Makes the draws at any parameter value, always from the same base random numbers.

    Attributes
    ----------
    design : MixedDesign
    sampling : Sampling
    seed : numpy.random.SeedSequence
    quasi : bool
        Randomised quasi-Monte Carlo or independent draws.
    sizes : tuple of ndarray
        Draws of each block, one array a bucket.
    epochs : tuple of ndarray
        How often each block's base numbers have been replaced by fresh ones.
    exact : bool
        Whether blocks whose effects are normal given the data have points with the right moments, rather than draws.
    """

    design: MixedDesign
    sampling: Sampling
    seed: np.random.SeedSequence
    quasi: bool
    sizes: tuple[np.ndarray, ...]
    epochs: tuple[np.ndarray, ...] = ()
    exact: bool = True

    @classmethod
    def start(
        cls,
        design: MixedDesign,
        sampling: Sampling,
        seed: np.random.SeedSequence,
        quasi: bool,
        nsample: int | None,
    ) -> Sampler:
        """Give every block the number of draws that a fit starts with, or ``nsample`` if that is less."""
        empty = cls(design, sampling, seed, quasi and not sampling.joint, ())
        sizes = []
        for k, bucket in enumerate(empty.buckets):
            first = empty.first_size(bucket)
            first = first if nsample is None else min(first, nsample)
            sizes.append(np.full(bucket.n_blocks, empty.numbers(k, 0).draws(first)))
        return replace(empty, sizes=tuple(sizes), epochs=tuple(np.zeros_like(s) for s in sizes))

    def by_blocks(self) -> Sampler:
        """Sampler of the same design that draws block by block, with few draws: to find the way."""
        return Sampler.start(self.design, BlockSampling(), self.seed, True, None)

    def first_size(self, bucket: Bucket) -> int:
        """Draws that are enough to find the way to the maximum, by number of effects."""
        if self.sampling.joint:
            return 16384
        if not self.quasi:
            return 1024
        return REPLICATES * {0: 1, 1: 8, 2: 16}.get(bucket.n_drawn, 32)

    @property
    def without_draws(self) -> bool:
        """Whether points with the right moments stand for all draws: right where they are made, and there alone."""
        kinds = {type(self.numbers(k, 0)) for k in range(len(self.buckets))}
        return kinds == {CubaturePoints}

    def with_size(self, nsample: int) -> Sampler:
        """Give every block ``nsample`` draws."""
        return self.grown(tuple(np.full(len(now), nsample) for now in self.sizes))

    @property
    def buckets(self) -> tuple[Bucket, ...]:
        """Blocks that are integrated one by one."""
        return self.design.joint if self.sampling.joint else self.design.buckets

    def numbers(self, k: int, epoch: int) -> BaseNumbers:
        """Base numbers of a bucket."""
        bucket = self.buckets[k]
        seed = child(self.seed, k, epoch)
        if self.exact and self.quasi and bucket.family.quadratic and self.sampling == BlockSampling():
            return CubaturePoints(bucket.n_drawn, seed)
        if self.quasi:
            return SobolNumbers(bucket.n_drawn, REPLICATES, seed, bucket.n_blocks)
        return IndependentNumbers(bucket.n_drawn, seed)

    def grown(self, wanted: tuple[np.ndarray, ...]) -> Sampler:
        """Give every block at least the wanted number of draws.

        Blocks that grow keep the draws that they have.  The others get fresh ones: they were left alone
        because the draws at hand showed little error, and going on with those would understate it.
        """
        sizes, epochs = [], []
        for k, (now, more, epoch) in enumerate(zip(self.sizes, wanted, self.epochs, strict=True)):
            numbers = self.numbers(k, 0)
            distinct, inverse = np.unique(np.maximum(now, more), return_inverse=True)
            sizes.append(np.array([numbers.draws(int(m)) for m in distinct])[inverse])
            epochs.append(np.where(sizes[-1] > now, epoch, epoch + 1))
        if all(np.array_equal(a, b) for a, b in zip(sizes, self.sizes, strict=True)):
            return self
        return replace(self, sizes=tuple(sizes), epochs=tuple(epochs))

    @on_one_blas_thread
    def at(self, params: Array, near: Position | None = None) -> Position:
        """Make the draws at the given parameters.

        Parameters
        ----------
        params : ndarray (P,)
            Fixed effects, loadings, dispersion.
        near : Position, optional
            A position of this design nearby: its modes are where the search for the new ones starts, and
            its base numbers are used again where the sizes are the same.
        """
        design, sampling = self.design, self.sampling
        params = np.array(params, float)
        beta, loadings, phi = design.split(params)
        factors = design.loadings.factors(loadings)
        modes = modes_of_buckets(self.buckets, beta, factors, phi, None if near is None else near.modes)
        if not isinstance(sampling, BlockSampling):
            return Position(params, modes, (self._joint_draws(sampling, params, factors, modes[0]),))
        made = {} if near is None else {_part_key(part): part for part in near.draws}
        draws: list[DrawPart] = []
        for k, (bucket, mode) in enumerate(zip(self.buckets, modes, strict=True)):
            grid = self.quasi and bucket.n_drawn == 1
            df, inflate = sampling.shape(bucket, grid)
            gaussian = sampling.gaussian(bucket, mode, phi)
            lean = sampling.centre == "mean" and not grid
            exact = lean and sampling.df is None and sampling.inflate is None
            anchor = anchored(design, bucket, mode, gaussian, params, inflate, lean, exact)
            kinds, kind = np.unique(np.stack([self.sizes[k], self.epochs[k]]), axis=1, return_inverse=True)
            for c, (size, epoch) in enumerate(kinds.T.tolist()):
                members = np.flatnonzero(kind.ravel() == c)
                whole = len(members) == bucket.n_blocks
                part = BlockDraws(
                    bucket if whole else bucket.take(members),
                    anchor if whole else anchor.take(members),
                    df,
                    self.numbers(k, epoch),
                    members,
                    size,
                )
                old = made.get(_part_key(part))
                draws.append(part if not isinstance(old, BlockDraws) else part.with_numbers_of(old))
        return Position(params, modes, tuple(draws))

    def _joint_draws(
        self, sampling: JointSampling | FixedSampling, params: Array, factors: Sequence[Array], modes: Modes
    ) -> JointDraws:
        """Draws of all effects from the density at hand, which move so that the effects of the model stay."""
        (bucket,) = self.buckets
        proposal = sampling.proposal(modes)
        if isinstance(sampling, FixedSampling):
            loadings = self.design.loadings
            parts = zip(loadings.terms, loadings.slices, bucket.levels, strict=True)
            own = params[self.design.layout.covariance]
            each = [sp.kron(sp.eye_array(count), t.factor(own[s])) for t, s, count in parts]
            proposal = StandardisedProposal(proposal, sp.csr_array(sp.block_diag(each, format="csr")))
        anchor = standing(self.design, bucket, factors, params)
        return JointDraws(bucket, anchor, proposal, self.seed, int(self.sizes[0][0]))


def _part_key(part: DrawPart) -> tuple[bytes, int, tuple[int, ...]]:
    seed = part.numbers.seed.spawn_key if isinstance(part, BlockDraws) else ()
    return part.bucket.blocks.tobytes(), part.size, seed
