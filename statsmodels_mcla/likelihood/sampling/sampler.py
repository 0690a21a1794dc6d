"""From parameters to draws: conditional modes, proposals around them, base random numbers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, NamedTuple

import numpy as np

from statsmodels_mcla.design import Bucket, DesignFacts, MixedDesign
from statsmodels_mcla.execution import on_one_blas_thread, remade
from statsmodels_mcla.likelihood.laplace import Gaussian, Modes, modes_of_buckets
from statsmodels_mcla.likelihood.sampling.accelerations import accelerates
from statsmodels_mcla.likelihood.sampling.draw_rule import DrawRule, may_have_modes
from statsmodels_mcla.likelihood.sampling.draws import BlockDraws, DrawPart, NumbersMade
from statsmodels_mcla.likelihood.sampling.joint_draws import joint_draws
from statsmodels_mcla.likelihood.sampling.moving_draws import Anchor, anchored
from statsmodels_mcla.likelihood.sampling.nested_draws import (
    NARROW,
    NestedDraws,
    NestedNumbers,
    inner_curvature,
    nested_nodes,
    outer_points,
)
from statsmodels_mcla.likelihood.sampling.settings import (
    BlockSampling,
    Sampling,
)
from statsmodels_mcla.numerics import Array

ALL_TOGETHER = (
    1024  # draws of all effects of blocks whose likelihood takes points of each: their laws are known
)


@dataclass(frozen=True)
class Position:
    """Parameters, and the draws made there.

    Attributes
    ----------
    params : ndarray (P,)
        Fixed effects, loadings, dispersion.
    modes : tuple of Modes
        Kept where the rows are,
    draws : tuple of DrawPart
        and so are the draws.
    """

    params: Array
    modes: Any
    draws: Any


Counts = tuple[np.ndarray, ...]  # a number for each block, one array a bucket


@dataclass(frozen=True)
class Sampler:
    """Makes the draws at any parameter value, always from the same base random numbers.

    Attributes
    ----------
    design : DesignFacts
    rule : DrawRule
    sizes : tuple of ndarray
        Draws of each block, one array a bucket; kept where the rows are, as are
    epochs : tuple of ndarray
        how often each block's base numbers have been replaced by fresh ones.
    made : NumbersMade
        Base numbers that were made, for all positions.
    """

    design: DesignFacts
    rule: DrawRule
    sizes: Any
    epochs: Any
    made: Any

    @classmethod
    def start(
        cls,
        design: DesignFacts,
        sampling: Sampling,
        seed: np.random.SeedSequence,
        quasi: bool,
        nsample: int | None,
    ) -> Sampler:
        """Give every block the number of draws that a fit starts with, or ``nsample`` if that is less."""
        rule = DrawRule(sampling, seed, quasi and not sampling.joint)
        sizes = design.keep(partial(_first_sizes, rule, nsample))
        return cls(design, rule, sizes, design.keep(_zeros, sizes), design.keep(_nothing_made))

    def on(self, design: DesignFacts) -> Sampler:
        """Sampler for another model of the same rows: every block gets as many draws as most have here."""
        size = max(2, *self.design.map(_usual_size, self.sizes))
        return Sampler.start(design, self.sampling, self.seed, self.quasi, None).with_size(size)

    @property
    def sampling(self) -> Sampling:
        """Importance density."""
        return self.rule.sampling

    @property
    def seed(self) -> np.random.SeedSequence:
        """Of all draws."""
        return self.rule.seed

    @property
    def quasi(self) -> bool:
        """Randomised quasi-Monte Carlo or independent draws."""
        return self.rule.quasi

    def with_rule(self, **changes: Any) -> Sampler:
        """Sampler that makes as many draws otherwise."""
        made = self.design.keep(_nothing_made)
        return replace(self, rule=replace(self.rule, **changes), made=made)

    def by_blocks(self) -> Sampler:
        """Sampler of the same design that draws block by block, with few draws: to find the way."""
        return Sampler.start(self.design, BlockSampling(), self.seed, True, None)

    def accelerated(self) -> Sampler:
        """Sampler of the same base numbers, whose draws move along paths with second derivatives; itself if it is."""
        if self.rule.accelerate or self.sampling.joint or not any(self.design.map(_can_accelerate)):
            return self
        return replace(self, rule=replace(self.rule, accelerate=True))

    @property
    def without_draws(self) -> bool:
        """Whether points with the right moments stand for all draws: right where they are made, and there alone."""
        return self.rule.without_draws(self.design.family)

    @property
    def buckets(self) -> tuple[Bucket, ...]:
        """Blocks that are integrated one by one."""
        return self.rule.buckets(self.design.here)

    @property
    def converges_fast(self) -> bool:
        """Whether all integrals are taken by rules of which few points are enough."""
        return all(self.design.map(partial(_converges_fast, self.rule)))

    @cached_property
    def count(self) -> DrawCount:
        """How many draws there are."""
        found = self.design.map(partial(_counted, self.rule), self.sizes)
        return DrawCount(max(c.most for c in found), *(sum(x) for x in list(zip(*found, strict=True))[1:]))

    def with_size(self, nsample: int) -> Sampler:
        """Give every block ``nsample`` draws."""
        return self.grown(self.design.keep(partial(_filled, nsample), self.sizes))

    def halved(self) -> Sampler:
        """Give every block half as many draws, as its base numbers allow."""
        sizes = self.design.keep(partial(_halves, self.rule), self.sizes)
        return replace(self, sizes=sizes, made=self.design.keep(_nothing_made))

    def grown(self, wanted: Any) -> Sampler:
        """Give every block at least the wanted number of draws, kept as ``sizes`` are.

        Blocks that grow keep the draws that they have.  The others get fresh ones: they were left alone
        because the draws at hand showed little error, and going on with those would understate it.
        """
        keep = self.design.keep
        sizes = keep(partial(_grown, self.rule), self.sizes, wanted)
        out = replace(
            self,
            sizes=sizes,
            epochs=keep(_epochs_of_grown, self.epochs, self.sizes, sizes),
            made=keep(_nothing_made),
        )
        return self if out.count == self.count else out

    def at(self, params: Array, near: Position | None = None) -> Position:
        """Make the draws at the given parameters.

        Parameters
        ----------
        params : ndarray (P,)
            Fixed effects, loadings, dispersion.
        near : Position, optional
            A position of this design nearby: its modes are where the search for the new ones starts.
        """
        params, design = np.array(params, float), self.design
        modes = design.keep(partial(_modes, self.rule, params), None if near is None else near.modes)
        draws = design.keep(partial(_draws, self.rule, params), modes, self.sizes, self.epochs, self.made)
        design.map(_is_made, draws)  # where there are no modes, this raises
        return Position(params, modes, draws)


class DrawCount(NamedTuple):
    """Numbers of draws."""

    most: int  # of a block
    total: int
    work: int  # rows x draws


def _first_sizes(rule: DrawRule, nsample: int | None, design: MixedDesign) -> Counts:
    sizes = []
    for bucket in rule.buckets(design):
        first = rule.first_size(bucket)
        first = first if nsample is None else min(first, nsample)
        sizes.append(np.full(bucket.n_blocks, rule.numbers(bucket, 0).draws(first)))
    return tuple(sizes)


def _usual_size(design: MixedDesign, sizes: Counts) -> int:
    """Draws that most blocks of a bucket have, of the bucket with most."""
    return max((int(np.median(s)) for s in sizes), default=2)


def _zeros(design: MixedDesign, sizes: Counts) -> Counts:
    return tuple(np.zeros_like(s) for s in sizes)


def _filled(number: int, design: MixedDesign, sizes: Counts) -> Counts:
    return tuple(np.full(len(s), number) for s in sizes)


def _halves(rule: DrawRule, design: MixedDesign, sizes: Counts) -> Counts:
    pairs = zip(rule.buckets(design), sizes, strict=True)
    return tuple(np.array([rule.numbers(b, 0).draws(int(m) // 2) for m in s]) for b, s in pairs)


@remade
def _nothing_made(design: MixedDesign) -> NumbersMade:
    return NumbersMade()


def _converges_fast(rule: DrawRule, design: MixedDesign) -> bool:
    return all(map(rule.converges_fast, rule.buckets(design)))


def _can_accelerate(design: MixedDesign) -> bool:
    return any(accelerates(bucket, design) for bucket in design.buckets)


def _is_made(design: MixedDesign, draws: Any) -> bool:
    return bool(draws)


def _counted(rule: DrawRule, design: MixedDesign, sizes: Counts) -> DrawCount:
    pairs = list(zip(sizes, rule.buckets(design), strict=True))
    return DrawCount(
        int(max(s.max() for s in sizes)),
        int(sum(int(s.sum()) for s in sizes)),
        int(sum(int(s.sum()) * b.n_rows for s, b in pairs)),
    )


def _grown(rule: DrawRule, design: MixedDesign, sizes: Counts, wanted: Counts) -> Counts:
    out = []
    for bucket, now, more in zip(rule.buckets(design), sizes, wanted, strict=True):
        numbers = rule.numbers(bucket, 0)
        distinct, inverse = np.unique(np.maximum(now, more), return_inverse=True)
        out.append(np.array([numbers.draws(int(m)) for m in distinct])[inverse])
    return tuple(out)


def _epochs_of_grown(design: MixedDesign, epochs: Counts, sizes: Counts, grown: Counts) -> Counts:
    return tuple(
        np.where(more > now, epoch, epoch + 1) for epoch, now, more in zip(epochs, sizes, grown, strict=True)
    )


@on_one_blas_thread
def _modes(rule: DrawRule, params: Array, design: MixedDesign, near: Any) -> tuple[Modes, ...]:
    beta, loadings, phi = design.split(params)
    return modes_of_buckets(rule.buckets(design), beta, design.loadings.factors(loadings), phi, near)


@remade
@on_one_blas_thread
def _draws(
    rule: DrawRule,
    params: Array,
    design: MixedDesign,
    modes: tuple[Modes, ...],
    sizes: Counts,
    epochs: Counts,
    made: NumbersMade,
) -> tuple[DrawPart, ...]:
    """Draws of every bucket, those of blocks with the same number of draws as one part."""
    sampling, buckets = rule.sampling, rule.buckets(design)
    _, loadings, phi = design.split(params)
    if not isinstance(sampling, BlockSampling):
        factors = design.loadings.factors(loadings)
        return (
            joint_draws(sampling, rule.seed, design, buckets[0], params, factors, modes[0], int(sizes[0][0])),
        )
    draws: list[DrawPart] = []
    for k, (bucket, mode) in enumerate(zip(buckets, modes, strict=True)):
        source = _Source(rule, design, params, bucket, mode, sampling.gaussian(bucket, mode, phi), made, k)
        nests = source.nests()
        kinds, kind = np.unique(np.stack([nests, sizes[k], epochs[k]]), axis=1, return_inverse=True)
        for c, (nested, size, epoch) in enumerate(kinds.T.tolist()):
            make = source.nested if nested else partial(source.together, narrow=rule.nests(bucket))
            draws.append(make(np.flatnonzero(kind.ravel() == c), size, epoch))
    return tuple(draws)


@dataclass(frozen=True)
class _Source:
    """What the draws of a bucket are made from, number k of all."""

    rule: DrawRule
    design: MixedDesign
    params: Array
    bucket: Bucket
    modes: Modes
    gaussian: Gaussian
    made: NumbersMade
    k: int

    @cached_property
    def _anchors(self) -> dict[bool, tuple[Anchor, Array]]:
        return {}

    def _anchor(self, accelerate: bool) -> tuple[Anchor, Array]:
        """Anchor, and degrees of freedom, of draws of all effects together."""
        if accelerate not in self._anchors:
            self._anchors[accelerate] = self._made_anchor(
                accelerate and accelerates(self.bucket, self.design)
            )
        return self._anchors[accelerate]

    def _made_anchor(self, accelerate: bool) -> tuple[Anchor, Array]:
        rule, bucket = self.rule, self.bucket
        sampling, quadratic = rule.sampling, bucket.family.quadratic
        assert isinstance(sampling, BlockSampling)  # noqa: S101 - for type checkers
        grid = rule.on_grid(bucket)
        _, inflate = sampling.shape(bucket.n_drawn, quadratic, grid)
        lean = sampling.centre == "mean" and not grid
        exact = sampling == BlockSampling() and (lean or may_have_modes(bucket))
        given = self.design, bucket, self.modes, self.gaussian, self.params
        anchor = anchored(*given, inflate, lean, exact, accelerate)
        wide = grid and not anchor.shapes.exact
        q, of_block = np.unique(bucket.own.sum(axis=1), return_inverse=True)
        df = np.array([sampling.shape(n, quadratic, wide)[0] for n in q.tolist()])[of_block]
        return anchor, df

    def nests(self) -> np.ndarray:
        """Blocks (B,) whose inner effects are integrated one by one: points that stand still suit no narrow laws."""
        if not self.rule.nests(self.bucket):
            return np.zeros(self.bucket.n_blocks, bool)
        return inner_curvature(self.design, self.params, self.bucket, self.modes) < NARROW

    def together(self, members: np.ndarray, size: int, epoch: int, narrow: bool = False) -> BlockDraws:
        """Draws of all effects of some of the blocks; where their laws are narrow, affine paths would miss them."""
        anchor, df = self._anchor(narrow or self.rule.accelerate)
        bucket = self.bucket
        if len(members) < bucket.n_blocks:
            bucket, anchor, df = bucket.take(members), anchor.take(members), df[members]
        numbers = self.rule.numbers_together(self.bucket, epoch, exact=anchor.shapes.exact)
        return BlockDraws(bucket, anchor, df, numbers, numbers.draws(size), self.made, (self.k, size, epoch))

    def nested(self, members: np.ndarray, size: int, epoch: int) -> NestedDraws:
        """Points for the effects of some of the blocks."""
        bucket, gaussian = self.bucket.take(members), self.gaussian.take(members)
        m, numbers = outer_points(size), NestedNumbers(self.rule.seed_of(self.bucket, epoch))
        nodes = nested_nodes(self.design, self.params, bucket, gaussian, numbers, m)
        return NestedDraws(bucket, nodes, m, partial(self.together, members, ALL_TOGETHER, epoch))
