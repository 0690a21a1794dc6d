"""Blocks of the same shape, stacked: what all numerical work is done on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from statsmodels_mcla.design.effect_rows import EffectRows
from statsmodels_mcla.design.nesting import Nesting, nesting_of
from statsmodels_mcla.families import ConditionalFamily
from statsmodels_mcla.numerics import Array

Index = np.ndarray

_BY_BLOCK = ("blocks", "rows", "drawn", "y", "w", "v", "offset", "X", "places")


@dataclass(frozen=True)
class Bucket:
    """Blocks of the same shape, stacked.

    Attributes
    ----------
    blocks : ndarray (B,)
        Numbers of the blocks in the design.
    rows : ndarray (B, n)
        Rows of the design; -1 for padding, a row that adds nothing to any likelihood.
    drawn : ndarray (B, q)
        Numbers of each block's standard effects, ordered by term, level and coordinate; -1 for padding, a level that
        no row belongs to.
    levels : tuple of int
        Number of levels of each term in a block.
    dims, ranks : tuple of int
        Number of effects, and of standard effects, of a level of each term.
    y, w, v, offset : ndarray (B, n)
        Response, weight, dispersion weight and offset (see `families` for what y and w hold).
    X : ndarray (B, n, p)
    Z : EffectRows
        Along the axes of the terms (see `ReducedTerm`).
    family : ConditionalFamily
        Specialised to the rows of the bucket.
    number : int
        Of the bucket,
    places : ndarray (B,)
        and of its blocks in it, where there are others elsewhere (see `Stacking`).
    n_alike : int
        Blocks of the bucket, those elsewhere and those that were not taken included.
    """

    blocks: Index
    rows: Index
    drawn: Index
    levels: tuple[int, ...]
    dims: tuple[int, ...]
    ranks: tuple[int, ...]
    y: Array
    w: Array
    v: Array
    offset: Array
    X: Array
    Z: EffectRows
    family: ConditionalFamily
    number: int
    places: Index
    n_alike: int

    @property
    def n_blocks(self) -> int:
        """Number of blocks, B."""
        return len(self.blocks)

    @property
    def n_rows(self) -> int:
        """Rows a block, n."""
        return self.y.shape[1]

    @property
    def n_drawn(self) -> int:
        """Standard effects a block, q."""
        return self.drawn.shape[1]

    @cached_property
    def own(self) -> np.ndarray:
        """Which standard effects (B, q) are a block's own, and no padding."""
        return self.drawn >= 0

    @property
    def n_effects(self) -> int:
        """Effects a block, e: columns of Z, ordered by term, level and coordinate."""
        return sum(count * dim for count, dim in zip(self.levels, self.dims, strict=True))

    @cached_property
    def nesting(self) -> Nesting | None:
        """Which effects are independent given one other, where that is all there is."""
        if self.family.quadratic or len(self.family.directions) > 1:
            return None
        sizes = list(zip(self.levels, self.dims, self.ranks, strict=True))
        places = np.arange(self.n_effects)
        effects = [
            places[self.effects_of(t, 0)] if dim == 1 else places[:0] for t, dim in enumerate(self.dims)
        ]
        return nesting_of(self.Z, sizes, effects, self.rows >= 0)

    def nested(self, values: Array) -> Array:
        """What rows have (B, n), in the order of the nesting (N, 1)."""
        assert self.nesting is not None  # noqa: S101 - for type checkers
        return np.broadcast_to(values, self.y.shape).ravel()[self.nesting.rows, None]

    def spread(self, values: Array, out: Array) -> None:
        """Write what the blocks have for each of their standard effects (B, q, ...) where it is among those of all."""
        out[self.drawn[self.own]] = values[self.own]

    def effects_of(self, term: int, coordinate: int) -> slice:
        """Places of one coordinate of all levels of a term among the effects of a block."""
        return _strided(self.levels, self.dims, term, coordinate)

    def drawn_of(self, term: int, column: int) -> slice:
        """Places of one standard effect of all levels of a term among those of a block."""
        return _strided(self.levels, self.ranks, term, column)

    def standardised(self, factors: Sequence[Array]) -> EffectRows:
        """J = Z Lambda, from the factors D (d, r) of all terms."""
        return self.Z.scaled(factors, self.levels)

    def derivative(self, factors: Sequence[Array], entry: tuple[int, int, int]) -> EffectRows:
        """Derivative of Z Lambda in a loading: an entry (term, row, column) of the factors."""
        unit = [np.zeros_like(D) for D in factors]
        unit[entry[0]][entry[1:]] = 1.0
        return self.standardised(unit)

    def effects_from(self, factors: Sequence[Array], b: Array) -> Array:
        """Lambda b (B, e, m), from standard effects (B, q, m)."""
        return _by_level(factors, self.levels, b)

    def gradients_from(self, factors: Sequence[Array], r: Array) -> Array:
        """Lambda' r (B, q, m), from derivatives in the effects (B, e, m)."""
        return _by_level([factor.T for factor in factors], self.levels, r)

    @cached_property
    def _pieces(self) -> dict[int, tuple[tuple[slice, Bucket], ...]]:
        return {}

    def pieces(self, size: int) -> tuple[tuple[slice, Bucket], ...]:
        """Cut the bucket into buckets of at most ``size`` blocks, the same ones at every call."""
        if size not in self._pieces:
            cuts = [slice(a, min(a + size, self.n_blocks)) for a in range(0, self.n_blocks, size)]
            self._pieces[size] = tuple((c, self if len(cuts) == 1 else self.take(c)) for c in cuts)
        return self._pieces[size]

    def take(self, index: Index | slice) -> Bucket:
        """Bucket of some of the blocks."""
        return replace(self, Z=self.Z.take(index), **{k: getattr(self, k)[index] for k in _BY_BLOCK})


def _by_level(factors: Sequence[Array], levels: Sequence[int], b: Array) -> Array:
    """Products of each term's factor (d, r) with the r numbers of each of its levels, (B, e, m) from (B, q, m)."""
    if len(factors) == 1 and factors[0].shape == (1, 1):
        return np.asarray(factors[0][0, 0] * b)
    blocks, _, m = b.shape
    parts, start = [np.empty((blocks, 0, m))], 0
    for factor, count in zip(factors, levels, strict=True):
        stop = start + count * factor.shape[1]
        part = b[:, start:stop].reshape(blocks * count, factor.shape[1], m)
        parts.append((factor @ part).reshape(blocks, -1, m))
        start = stop
    return np.concatenate(parts, axis=1)


def _strided(levels: tuple[int, ...], sizes: tuple[int, ...], term: int, place: int) -> slice:
    start = sum(c * s for c, s in zip(levels[:term], sizes[:term], strict=True))
    return slice(start + place, start + levels[term] * sizes[term], sizes[term])
