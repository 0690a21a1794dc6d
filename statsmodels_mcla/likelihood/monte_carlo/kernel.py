"""Weights and scores of draws: the work on rows x draws, the only part whose cost grows with both.

It is cut into tasks (some blocks), sections (some of their draws; threads share these out) and steps.  A step is a
few numpy calls on arrays of `STEP` numbers that a thread uses again and again.  Calls of that length keep Python
out of the way: its threads wait for one another between calls, so that fewer, longer ones let more of them work.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from statsmodels_mcla.covariance import EffectDensity, effect_law
from statsmodels_mcla.design import Bucket, MixedDesign
from statsmodels_mcla.families import Workspace
from statsmodels_mcla.likelihood.monte_carlo.loading_derivatives import LoadingSums
from statsmodels_mcla.likelihood.sampling import DrawPart, Moving
from statsmodels_mcla.numerics import Array, multiply_draws, transpose, weighted_sum

STEP = 2**19  # rows x draws of a step
COLUMNS = 2**10  # draws of a step: more where they fit, fewer where those of one block do not
SECTION = 2**13  # draws of a block that one thread makes at a time
KEPT = 3 * 2**23  # bytes of an array that is freed and kept; glibc ignores what is above 2^25
WORTH_THREADS = 2**18  # rows x draws below which threads cost more than they gain


class Task(NamedTuple):
    """A chunk of blocks to work on."""

    part: DrawPart
    density: EffectDensity
    blocks: slice
    bucket: Bucket
    moving: Moving | None = None

    def moved(self, beta: Array) -> Task:
        """Task whose draws have moved along with the fixed effects; itself where they do not."""
        transport = self.part.transport
        if transport is None:
            return self
        moving = transport.take(self.blocks).at(beta, self.bucket, self.density)
        return self._replace(bucket=moving.bucket, moving=moving)


def tasks_of(design: MixedDesign, params: Array, draws: Sequence[DrawPart]) -> list[Task]:
    """Cut all blocks into chunks, with the design and density of the effects at the given parameters."""
    law, loadings = effect_law(design.covariance, design.split(params)[1]), design.loadings(params)
    return [
        Task(part, density, blocks, bucket.at(loadings))
        for part in draws
        for density in [law.density(part.bucket.levels)]
        for blocks, bucket in part.bucket.pieces(_blocks_at_a_time(part, design.n_params))
    ]


def _blocks_at_a_time(part: DrawPart, n_params: int) -> int:
    """Blocks of a task: half of them, unless their scores are more than a step's numbers."""
    most = STEP // max(1, min(part.size, SECTION) * n_params)
    return max(1, min(most, -(-part.bucket.n_blocks // 2)))


class Weighed(NamedTuple):
    """A section of the draws of a chunk of blocks."""

    log_w: Array  # (K, c)
    scores: Array  # (K, P, c)
    scatter: Array  # (K, size, c)
    sums: RowSums
    mean: Array | None  # (K, q) sum of weight times u, where draws move with beta


@dataclass(frozen=True)
class RowSums:
    """Sums over draws of weight times second derivatives, filled step by step.

    Attributes
    ----------
    top : ndarray (K,)
        Log weight that the weights are relative to; -inf before there is any weight.
    curvature, mixed : ndarray (K, n)
        Of each row, in eta twice and in eta and the dispersion.
    dispersion : ndarray (K,)
        In the dispersion twice.
    loadings : LoadingSums or None
    """

    top: Array
    curvature: Array
    mixed: Array
    dispersion: Array
    loadings: LoadingSums | None

    @classmethod
    def of(cls, bucket: Bucket, loadings: LoadingSums | None) -> RowSums:
        """Sums over nothing yet."""
        shape = bucket.y.shape
        return cls(np.full(shape[0], -np.inf), np.zeros(shape), np.zeros(shape), np.zeros(shape[0]), loadings)

    def weights(self, log_w: Array) -> Array:
        """Weights relative to ``top``: the largest of the first draws, unless it is known already."""
        if not (self.top > -np.inf).all():
            np.maximum(self.top, log_w.max(axis=1), out=self.top)
        weights = log_w - np.where(self.top > -np.inf, self.top, 0.0)[:, None]
        return np.exp(weights, out=weights)

    def clear(self, top: Array) -> None:
        """Start again, with weights relative to ``top``."""
        self.top[...] = top
        for array in (self.curvature, self.mixed, self.dispersion):
            array[...] = 0.0
        if self.loadings is not None:
            self.loadings.second[...] = 0.0

    def take(self, blocks: slice) -> RowSums:
        """Sums of some blocks, in the same memory."""
        loadings = None if self.loadings is None else self.loadings.take(blocks)
        return RowSums(
            self.top[blocks], self.curvature[blocks], self.mixed[blocks], self.dispersion[blocks], loadings
        )


def weigh(task: Task, u: Array, log_g: Array, beta: Array, phi: float) -> Weighed:
    """Weigh draws and differentiate their complete-data log densities.

    Parameters
    ----------
    task : Task
    u : ndarray (K, q + 1, c)
        Effects in homogeneous coordinates.
    log_g : ndarray (K, c)
        Their log importance density.
    beta : ndarray (p,)
    phi : float
    """
    bucket, density, family = task.bucket, task.density, task.bucket.family
    p, size = bucket.X.shape[2], density.covariance.size
    a = 0 if bucket.ties is None else bucket.ties.slopes.shape[1]
    scores = np.empty((bucket.n_blocks, p + size + a + (family.dispersion is not None), u.shape[2]))
    effects = u[:, :-1] if task.moving is None else task.moving.effects(u[:, :-1])
    scatter = density.scatter(effects)
    density.score(scatter, scores[:, p : p + size])
    loadings = None if a == 0 else LoadingSums.of(bucket, scores[:, p + size : p + size + a], task.moving)
    sums = RowSums.of(bucket, loadings)
    prior = density.logpdf(scatter) - log_g
    log_w = np.empty_like(prior)
    with np.errstate(over="ignore", invalid="ignore"):
        for blocks, some in bucket.pieces(_blocks_of_a_step(bucket, u.shape[2])):
            section = _Section(some, some.offset + some.X @ beta, phi, u[blocks], prior[blocks])
            _fill(section, log_w[blocks], scores[blocks], sums.take(blocks))
    mean = None
    if task.moving is not None:
        scores[:, :p] += task.moving.score(effects)
        mean = weighted_sum(effects, sums.weights(log_w))
    return Weighed(log_w, scores, scatter, sums, mean)


class _Section(NamedTuple):
    """Draws of a few blocks."""

    bucket: Bucket
    fixed: Array  # (K, n) fixed effects and offset
    phi: float
    u: Array  # (K, q + 1, c)
    prior: Array  # (K, c) log phi - log g


def _fill(section: _Section, log_w: Array, scores: Array, sums: RowSums) -> None:
    """Fill the log weights, the scores in beta, loadings and dispersion, and the sums over rows."""
    if section.bucket.family.canonical:
        _canonical_rows(section, log_w, scores, sums)
        if math.isfinite(log_w.sum()) and math.isfinite(sums.curvature.sum()):
            return
        sums.clear(np.full(len(log_w), -np.inf))  # an overflow: the long way, which has none
    _rows(section, log_w, scores, sums)
    if not math.isfinite(sums.curvature.sum()):  # later draws weigh incomparably more than the first ones
        sums.clear(log_w.max(axis=1))
        _rows(section, log_w, scores, sums)


def _canonical_rows(section: _Section, log_w: Array, scores: Array, sums: RowSums) -> None:
    """Fill, where the log density of a row is y eta - w c(eta)."""
    bucket, fixed, _, u, prior = section
    family, p = bucket.family, bucket.X.shape[2]
    y, w = bucket.y[..., None], bucket.w[..., None]
    predictors = bucket.predictors(fixed)
    linear = prior + bucket.response_sums(fixed, u)
    minus_wX = -np.ascontiguousarray(transpose(bucket.X * w))
    for cut in _cuts(bucket, u.shape[2]):
        eta = _SCRATCH.work.array("eta", (*bucket.y.shape, cut.stop - cut.start))
        predictors.write(u[..., cut], eta)
        total = family.cumulants(w, eta, _SCRATCH.work)  # from here on, eta holds slopes
        np.subtract(linear[:, cut], total, out=log_w[:, cut])
        multiply_draws(minus_wX, eta, scores[:, :p, cut])
        weights = sums.weights(log_w[:, cut])
        if sums.loadings is not None:
            d1 = y - w * (eta + family.slope_shift)
        family.bends(eta)
        sums.curvature[...] += weighted_sum(eta, weights)
        if sums.loadings is not None:
            d2 = -w * (family.bend_shift + family.bend_scale * eta)
            sums.loadings.add(bucket, u[:, :-1], cut, weights, d1, d2, None)
    scores[:, :p] += transpose(bucket.X) @ (y - w * family.slope_shift)
    shift = family.bend_shift * sums.weights(log_w).sum(axis=1) if family.bend_shift else np.zeros(len(log_w))
    sums.curvature[...] = -bucket.w * (shift[:, None] + family.bend_scale * sums.curvature)


def _rows(section: _Section, log_w: Array, scores: Array, sums: RowSums) -> None:
    """Fill, for any family."""
    bucket, fixed, phi, u, prior = section
    family, p = bucket.family, bucket.X.shape[2]
    y, w, v = bucket.y[..., None], bucket.w[..., None], bucket.v[..., None]
    predictors = bucket.predictors(fixed)
    Xt = np.ascontiguousarray(transpose(bucket.X))
    for cut in _cuts(bucket, u.shape[2]):
        eta = _SCRATCH.work.array("eta", (*bucket.y.shape, cut.stop - cut.start))
        predictors.write(u[..., cut], eta)
        terms = family.blocks(y, w, v, eta, phi)
        np.add(prior[:, cut], terms.loglik, out=log_w[:, cut])
        multiply_draws(Xt, terms.d1, scores[:, :p, cut])
        weights = sums.weights(log_w[:, cut])
        sums.curvature[...] += weighted_sum(terms.d2, weights)
        d1phi = None
        if family.dispersion is not None:
            change = family.dispersion_rows(y, w, v, eta, phi)
            d1phi = change.d1phi
            scores[:, -1, cut] = change.dphi.sum(axis=1)
            sums.mixed[...] += weighted_sum(d1phi, weights)
            sums.dispersion[...] += weighted_sum(change.dphi2, weights).sum(axis=-1)
        if sums.loadings is not None:
            sums.loadings.add(bucket, u[:, :-1], cut, weights, terms.d1, terms.d2, d1phi)


def _blocks_of_a_step(bucket: Bucket, draws: int) -> int:
    """Blocks that fill a step."""
    return max(1, STEP // max(1, min(draws, COLUMNS) * bucket.n_rows))


def _cuts(bucket: Bucket, draws: int) -> list[slice]:
    """Cut draws into steps: powers of two, so that products are cut evenly."""
    room = STEP // max(1, bucket.n_blocks * bucket.n_rows)
    step = max(256, 1 << max(0, room.bit_length() - 1))
    return [slice(a, min(a + step, draws)) for a in range(0, draws, step)]


def _keep_freed_memory() -> None:
    """Have the C library keep the memory of arrays of a few MB, rather than return and fetch it in every pass.

    glibc fits what it keeps to the largest array that was freed; no page of this one is ever touched.
    """
    np.empty(KEPT // 8)


_keep_freed_memory()


class _Scratch(threading.local):
    """Memory that a thread uses again and again: fresh pages cost as much as the arithmetic on them."""

    def __init__(self) -> None:
        self.work = Workspace()


_SCRATCH = _Scratch()
