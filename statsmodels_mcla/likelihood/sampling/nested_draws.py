"""Draws of an outer effect, and for each of them points of every inner one: their integrals are taken one by one.

Given the outer effect b_o of a block, the likelihood is a product of one-dimensional integrals (`Nesting` says which),

    L = int phi(b_o) prod_j [ int phi(b_j) f_j(b_o, b_j) db_j ] db_o,

so that n points for each inner effect at each of n outer ones do what draws of all effects together need thousands for.
Both are randomly shifted grids in the quantiles of a wide t, as for blocks of one effect (see `BlockSampling`):
products of independent unbiased estimates are unbiased, and replicates of both show the error.  Outer points lie
around the mean of the outer effect, inner ones around the mean that the effect has given the outer one.  They stand
still while the parameters move: where one-dimensional rules are exact, there is no Monte Carlo error that paths could
save.  Where rows tell so much of an inner effect that its law is narrow beside what the parameters move it by, its
block is drawn as others are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from math import isqrt
from typing import Any, NamedTuple

import numpy as np
from scipy import stats
from scipy.interpolate import CubicSpline

from statsmodels_mcla.design import Bucket, MixedDesign, Nesting
from statsmodels_mcla.families import ConditionalFamily
from statsmodels_mcla.likelihood.laplace import Gaussian, Modes
from statsmodels_mcla.likelihood.sampling.base_numbers import GridNumbers
from statsmodels_mcla.likelihood.sampling.draws import DrawPart
from statsmodels_mcla.likelihood.sampling.proposals import spherical_t_logpdf
from statsmodels_mcla.numerics import Array, child

REPLICATES = 4
LEAST, FIRST = 4, 8  # points of a replicate, at least and at first
DF, INFLATE = 6.0, 2.0
STEPS = 12  # of Newton's method to the modes of the inner effects
NEAR = 1e-2  # conditional standard deviations that they may be away
NARROW = 150.0  # curvature of an inner effect beyond which its law is too narrow for points that do not move with it
KNOWN = 13  # places of the outer effect where laws of the inner ones are looked at
NODES, TIMES = 16, 2  # points for their mean and SD, and rounds


@dataclass(frozen=True)
class NestedNumbers:
    """Base numbers of the outer effect and of the inner ones.

    Parameters
    ----------
    seed : numpy.random.SeedSequence
    """

    seed: np.random.SeedSequence

    replicates = REPLICATES

    @property
    def outer(self) -> GridNumbers:
        """Of the outer effect."""
        return GridNumbers(1, REPLICATES, child(self.seed, 0))

    @property
    def inner(self) -> GridNumbers:
        """Of the inner ones."""
        return GridNumbers(1, REPLICATES, child(self.seed, 1))

    def draws(self, wanted: int) -> int:
        """Replicates times the square of a power of two: pairs of an outer and an inner point."""
        points = LEAST
        while REPLICATES * points**2 < wanted:
            points *= 2
        return REPLICATES * points**2


@dataclass(frozen=True)
class NestedNodes:
    """Where the points of B blocks lie, m outer ones and as many places of inner ones, in standard effects.

    Attributes
    ----------
    numbers : NestedNumbers
    centre, scale : ndarray (B,)
        Of the outer effect.
    inner_centre, inner_scale : ndarray (B, k, m)
        Of the inner ones, at each outer point.
    """

    numbers: NestedNumbers
    centre: Array
    scale: Array
    inner_centre: Array
    inner_scale: Array

    def take(self, index: np.ndarray | slice) -> NestedNodes:
        """Of some of the blocks."""
        parts = (self.centre, self.scale, self.inner_centre, self.inner_scale)
        return NestedNodes(self.numbers, *(part[index] for part in parts))

    def inner_points(self, places: np.ndarray) -> tuple[Array, Array]:
        """Base numbers (l, m) of inner effects and their log density, n for each replicate.

        Parameters
        ----------
        places : ndarray of int (l,)
            Increasing, among those of all blocks of the whole bucket.
        """
        t, log_density = with_density(self.numbers.inner, places, self.inner_centre.shape[2])
        return t[:, 0], log_density


@dataclass(frozen=True)
class NestedDraws:
    """Points of the blocks of a bucket that have as many (see `DrawPart`).

    Attributes
    ----------
    bucket : Bucket
    anchor : NestedNodes
    size : int
        Outer points a block, m.
    joint : callable
        Makes draws of all effects together, which follow their law given the data.
    """

    bucket: Bucket
    anchor: NestedNodes
    size: int
    joint: Callable[[], DrawPart]

    @property
    def replicate(self) -> int:
        """See `DrawPart`."""
        return self.size // REPLICATES

    @property
    def inner(self) -> int:
        """See `DrawPart`."""
        return self.replicate

    @cached_property
    def together(self) -> DrawPart:
        """See `DrawPart`."""
        return self.joint()

    def sections(self, longest: int) -> list[slice]:
        """See `DrawPart`."""
        return [slice(0, self.size)]

    def draw(self, blocks: slice, section: slice) -> tuple[Array, Array]:
        """Base numbers (K, 1, m) of the outer effect and their log density (K, m)."""
        return with_density(self.anchor.numbers.outer, self.bucket.places[blocks], self.size)


def with_density(numbers: GridNumbers, places: np.ndarray, size: int) -> tuple[Array, Array]:
    """Base numbers (l, 1, size) of effects on a grid, and their log density (l, size)."""
    t = numbers.variates(DF, places, size, slice(0, size))
    return t, spherical_t_logpdf(t[:, 0] ** 2, DF, 1)


def outer_points(size: int) -> int:
    """Outer points of so many pairs in all."""
    return REPLICATES * isqrt(size // REPLICATES)


def inner_curvature(design: MixedDesign, params: Array, bucket: Bucket, modes: Modes) -> Array:
    """Curvature (B,) that rows give the inner effect of each block that they tell most of, in standard effects."""
    nest = bucket.nesting
    assert nest is not None  # noqa: S101 - for type checkers
    loading = design.loadings.factors(design.split(params)[1])[nest.inner_term][0, 0]
    each = np.add.reduceat(bucket.nested(modes.W)[:, 0] * (loading * nest.inner) ** 2, nest.first)
    out = np.zeros(bucket.n_blocks)
    np.maximum.at(out, nest.block, each)
    return out


def nested_nodes(
    design: MixedDesign, params: Array, bucket: Bucket, gaussian: Gaussian, numbers: NestedNumbers, size: int
) -> NestedNodes:
    """Places of the points of so many outer ones.

    Parameters
    ----------
    gaussian : Gaussian
        Close to the law of the effects given the data.
    """
    t = with_density(numbers.outer, bucket.places, size)[0][:, 0]
    nest = bucket.nesting
    assert nest is not None  # noqa: S101 - for type checkers
    beta, loadings, phi = design.split(params)
    factors = design.loadings.factors(loadings)
    (blocks, q), block = gaussian.mean.shape, nest.block
    places = np.arange(q)
    outer, inner = places[bucket.drawn_of(nest.outer_term, 0)], places[bucket.drawn_of(nest.inner_term, 0)]
    unit = np.zeros((blocks, q))
    unit[:, outer] = 1.0
    along = gaussian.root.back(unit)  # row of the root: covariances are its products with those of the others
    scale = np.sqrt((along * along).sum(axis=1))
    centre = gaussian.mean[:, outer[0]]
    # where inner effects are, at a few places of the outer one
    reach = np.abs(t).max(axis=1)
    at = centre[:, None] + (INFLATE * scale * reach)[:, None] * np.linspace(-1.0, 1.0, KNOWN)
    slope = gaussian.root.of(along)[:, inner] / scale[:, None] ** 2
    start = gaussian.mean[:, inner, None] + slope[..., None] * (at - centre[:, None])[:, None]
    s_o, s_i = (float(factors[term][0, 0]) for term in (nest.outer_term, nest.inner_term))
    y, w, v = (bucket.nested(part) for part in (bucket.y, bucket.w, bucket.v))
    fixed = bucket.nested(bucket.offset + bucket.X @ beta)
    given = fixed + s_o * nest.outer[:, None] * at[block[nest.of_row]]
    law = _InnerLaw(nest, bucket.family, (y, w, v), given, s_i * nest.inner[:, None], phi)
    with np.errstate(all="ignore"):
        mean, sd = law.moments(start.reshape(-1, KNOWN)[nest.place])
    # and in between
    x = (1.0 + t / reach[:, None]) * (0.5 * (KNOWN - 1))
    left = np.clip(x.astype(int), 0, KNOWN - 2)
    parts = [np.zeros((blocks * nest.levels, size)) for _ in range(2)]
    for part, values in zip(parts, (mean, np.log(INFLATE * sd)), strict=True):
        pieces = CubicSpline(np.arange(KNOWN), values, axis=1).c
        each = pieces[:, left[block], np.arange(len(values))[:, None]]
        part[nest.place] = np.polyval(each, (x - left)[block])
    parts = [part.reshape(blocks, nest.levels, size) for part in parts]
    return NestedNodes(numbers, centre, INFLATE * scale, parts[0], np.exp(parts[1]))


class _InnerLaw(NamedTuple):
    """Laws of l inner effects given the outer one at g places: rows of data (N, 1), of which eta = given + entry b."""

    nest: Nesting
    family: ConditionalFamily
    data: tuple[Array, Array, Array]
    given: Array
    entry: Array
    phi: Any

    def moments(self, b: Array) -> tuple[Array, Array]:
        """Mean and SD (l, g), by quadrature around the mode, which is searched from b on.

        Each by itself: what is found does not depend on what else there is.
        """
        moving, W = np.ones(b.shape, bool), np.ones(b.shape)
        for _ in range(STEPS):
            terms = self.family.rows(*self.data, self.given + self.entry * b[self.nest.of_row], self.phi)
            slopes = self._sums(np.nan_to_num(terms.d1) * self.entry) - b
            curvature = 1.0 + self._sums(np.maximum(np.nan_to_num(-terms.d2), 0.0) * self.entry**2)
            step = np.where(moving, np.clip(slopes / curvature, -1.0, 1.0), 0.0)
            b, W = b + step, np.where(moving, curvature, W)
            moving &= np.abs(step) * np.sqrt(W) > NEAR
            if not moving.any():
                break
        mean, sd = b, 1.0 / np.sqrt(W)
        nodes = stats.t.ppf((np.arange(NODES) + 0.5) / NODES, DF)
        log_density = stats.t.logpdf(nodes, DF)
        for _ in range(TIMES):
            at = mean[..., None] + INFLATE * sd[..., None] * nodes
            eta = self.given[..., None] + self.entry[..., None] * at[self.nest.of_row]
            logf = self.family.rows(*self.data, eta.reshape(len(eta), -1), self.phi).logf
            log_w = self._sums(logf).reshape(at.shape) - 0.5 * at * at - log_density
            w = np.exp(log_w - log_w.max(axis=-1, keepdims=True))
            w /= w.sum(axis=-1, keepdims=True)
            own = (w * at).sum(axis=-1)
            spread = (w * (at - own[..., None]) ** 2).sum(axis=-1)
            known = np.isfinite(own) & (spread > 0)
            mean, sd = np.where(known, own, mean), np.sqrt(np.where(known, spread, sd * sd))
        return mean, sd

    def _sums(self, values: Array) -> Array:
        return np.add.reduceat(values, self.nest.first, axis=0)
