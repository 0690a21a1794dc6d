r"""Weights and scores of draws: the work on rows x draws, the only part whose cost grows with both.

For a draw b of a block (see `moving_draws` for its path), with u = Lambda b, velocities b_j = d b / d theta_j along the
path, u_j = d u / d theta_j = Lambda_j b + Lambda b_j and eta_j = x_j + Z u_j,

    log w     = log f - b'b / 2 + log |root| - log g
    q_j       = d1' eta_j - b' b_j + tr_j  (+ d log f / d psi),          q the score of the draw,
    h_ij      = eta_i' diag(d2) eta_j + r' (Lambda_i b_j + Lambda_j b_i) - b_i' b_j - tr_ij,     r = Z' d1,

to which a parameter of the family adds its own derivatives, d1phi' eta_j and dphi2.  Fixed effects have velocities that
are the same for all draws.

The work is cut into tasks (some blocks), sections (some of their draws; threads share these out) and steps.  A step is
a few numpy calls on arrays of `STEP` numbers that a thread uses again and again.  Calls of that length keep Python
out of the way: its threads wait for one another between calls, so that fewer, longer ones let more of them work.
"""

from __future__ import annotations

import ctypes
import threading
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from statsmodels_mcla.design import Bucket, ParameterLayout
from statsmodels_mcla.execution import Executor
from statsmodels_mcla.families import BlockTerms, DispersionTerms, Workspace
from statsmodels_mcla.likelihood.sampling import DrawPart, Moved
from statsmodels_mcla.numerics import LOG_2PI, Array, inner_products, multiply_draws, transpose, weighted_sum

STEP = 2**19  # rows x draws of a step
COLUMNS = 2**10  # draws of a step: more where they fit, fewer where those of one block do not
LEAST = 2**4  # and at least: shorter calls cost more than what they gain from the cache
SECTION = 2**13  # draws of a block that one thread makes at a time,
SECTION_WORK = 2**23  # fewer in a block of more rows than fit this number of rows x draws
KEPT = 3 * 2**23  # bytes of an array that is freed and kept; glibc ignores what is above 2^25
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # as glibc numbers them
WORTH_THREADS = 2**18  # rows x draws below which threads cost more than they gain


class Curve(NamedTuple):
    """A parameter that linear predictors are not linear in: a loading, or one of the family."""

    effects: slice | None  # u of the coordinate that a loading multiplies, None for those of the family
    drawn: slice | None  # b that it multiplies


@dataclass(frozen=True)
class Task:
    """A chunk of blocks to work on, at given parameters.

    Attributes
    ----------
    layout : ParameterLayout
    part : DrawPart
    blocks : slice
    bucket : Bucket
        The K blocks.
    moved : Moved
    factors : tuple of ndarray
        D of every term.
    curves : tuple of Curve
        Of the s parameters after the fixed effects.
    fixed : ndarray (K, n)
        X beta + offset.
    slopes : ndarray (K, e, p)
        Derivatives of u in the fixed effects: Lambda times those of the centres.
    X : ndarray (K, n, p)
        d eta / d beta.
    phi : float
    """

    layout: ParameterLayout
    part: DrawPart
    blocks: slice
    bucket: Bucket
    moved: Moved
    factors: tuple[Array, ...]
    curves: tuple[Curve, ...]
    fixed: Array
    slopes: Array
    X: Array
    phi: Any

    def take(self, blocks: slice, bucket: Bucket) -> Task:
        """Task of some of the blocks."""
        return Task(
            self.layout,
            self.part,
            blocks,
            bucket,
            self.moved.take(blocks),
            self.factors,
            self.curves,
            self.fixed[blocks],
            self.slopes[blocks],
            self.X[blocks],
            self.phi,
        )

    def weigh(self, section: slice, t: Array, log_g: Array) -> Weighed:
        """See `weigh`."""
        return weigh(self, section, t, log_g)

    def draw(self, t: Array) -> Array:
        """Standard effects (K, q, c) of base numbers t."""
        out = self.moved.root.apply(t)
        out += self.moved.centre[..., None]
        return out

    def effects(self, b: Array) -> Array:
        """Effects of the model (K, e, c)."""
        return self.bucket.effects_from(self.factors, b)

    def velocities(self, t: Array) -> Array:
        """Velocities b_j (K, s, q, c) in the s parameters after the fixed effects."""
        out = np.empty((len(t), len(self.curves), *t.shape[1:]))
        for j, bend in enumerate(self.moved.bends):
            out[:, j] = bend.apply(t)
        out += transpose(self.moved.slopes[..., self.layout.curved])[..., None]
        return out

    def velocities_of_effects(self, b: Array, b_js: Array) -> Array:
        """Velocities u_j (K, s, e, c) of the effects of the model."""
        out = np.empty((*b_js.shape[:2], self.bucket.n_effects, b_js.shape[3]))
        for j, curve in enumerate(self.curves):
            out[:, j] = self.effects(b_js[:, j])
            if curve.drawn is not None:
                out[:, j, curve.effects] += b[:, curve.drawn]
        return out


def at_work(executor: Executor, work: int) -> Executor:
    """Executor for so many rows x draws: the calling thread where others cost more than they gain."""
    return executor if work > WORTH_THREADS else executor.alone


def longest_section(part: DrawPart) -> int:
    """Draws that one thread makes at a time."""
    return max(LEAST, min(SECTION, SECTION_WORK // max(1, part.bucket.n_rows)))


GROUPS = (
    4  # of draws that second derivatives are summed over apart: how these differ is the error of the Hessian
)


@dataclass(frozen=True)
class Sums:
    """Sums over draws of weight times second derivatives, filled step by step, for each group of draws.

    Attributes
    ----------
    top : ndarray (K,)
        Log weight that the weights are relative to; -inf before there is any weight.
    curvature : ndarray (K, G, n)
        d2 of each row.
    pull : ndarray (K, G, e)
        r.
    velocity : ndarray (K, G, s, q)
        b_j.
    mixed : ndarray (K, G, s, n)
        d2 eta_j of each row, and d1phi for parameters of the family.
    curved : ndarray (K, G, s, s)
        h_ij + tr_ij of the parameters after the fixed effects.
    lift : ndarray (K, G, q)
        g = Lambda' r - b, where paths have accelerations; otherwise empty, and so is
    twist : ndarray (K, G, ...)
        Products of g and t, as the root makes them, where turns have accelerations.
    """

    top: Array
    curvature: Array
    pull: Array
    velocity: Array
    mixed: Array
    curved: Array
    lift: Array
    twist: Array

    @classmethod
    def of(cls, task: Task) -> Sums:
        """Sums over nothing yet."""
        (K, n), s = task.bucket.y.shape, len(task.curves)
        q = task.moved.centre.shape[1]
        pulled, twisted = (0,), (0,)
        if task.moved.second is not None:
            (_, turns), root = task.moved.second
            pulled, twisted = (q,), (0,) if turns is None else root.still.shape[1:]
        shapes = ((n,), (task.bucket.n_effects,), (s, q), (s, n), (s, s), pulled, twisted)
        return cls(np.full(K, -np.inf), *(np.zeros((K, GROUPS, *shape)) for shape in shapes))

    def weights(self, log_w: Array) -> Array:
        """Weights relative to ``top``: the largest of the first draws, unless it is known already."""
        if not (self.top > -np.inf).all():
            np.maximum(self.top, log_w.max(axis=1), out=self.top)
        weights = log_w - np.where(self.top > -np.inf, self.top, 0.0)[:, None]
        return np.exp(weights, out=weights)

    def clear(self, top: Array) -> None:
        """Start again, with weights relative to ``top``."""
        for array in self._sums:
            array[...] = 0.0
        self.top[...] = top

    def take(self, blocks: slice) -> Sums:
        """Sums of some blocks, in the same memory."""
        return Sums(self.top[blocks], *(part[blocks] for part in self._sums))

    def of_group(self, group: int) -> Sums:
        """Sums of one group, without its axis, in the same memory."""
        return Sums(self.top, *(part[:, group] for part in self._sums))

    @property
    def _sums(self) -> tuple[Array, ...]:
        return self.curvature, self.pull, self.velocity, self.mixed, self.curved, self.lift, self.twist

    def are_finite(self) -> bool:
        """Whether no weight has overflowed."""
        return bool(np.isfinite(self.curvature.sum()) and np.isfinite(self.curved.sum()))


class Weighed(NamedTuple):
    """A section of the draws of a chunk of blocks."""

    log_w: Array  # (K, c)
    scores: Array  # (K, P, c)
    sums: Any


def weigh(task: Task, section: slice, t: Array, log_g: Array) -> Weighed:
    """Weigh draws and differentiate their complete-data log densities.

    Parameters
    ----------
    task : Task
    section : slice
        Which of all draws they are.
    t : ndarray (K, q, c)
        Base numbers.
    log_g : ndarray (K, c)
        Their log density.
    """
    K, _, c = t.shape
    log_w = np.empty((K, c))
    scores = np.empty((K, task.layout.size, c))
    sums = Sums.of(task)
    with np.errstate(over="ignore", invalid="ignore"):
        for blocks, bucket in task.bucket.pieces(_blocks_of_a_step(task.bucket, c)):
            some = task.take(blocks, bucket)
            parts = section, t[blocks], log_g[blocks], log_w[blocks], scores[blocks], sums.take(blocks)
            _fill(some, *parts)
            if not parts[-1].are_finite():  # later draws weigh incomparably more than the first ones
                parts[-1].clear(log_w[blocks].max(axis=1))
                _fill(some, *parts)
    return Weighed(log_w, scores, sums)


def _fill(
    task: Task, section: slice, t: Array, log_g: Array, log_w: Array, scores: Array, sums: Sums
) -> None:
    """Fill the log weights, the scores and the sums of some blocks."""
    bucket, moved, layout = task.bucket, task.moved, task.layout
    y, w, v = bucket.y[..., None], bucket.w[..., None], bucket.v[..., None]
    Xt = np.ascontiguousarray(transpose(bucket.X))
    still = -np.ascontiguousarray(transpose(moved.slopes[..., layout.fixed]))
    drift = np.ascontiguousarray(transpose(task.slopes))
    top = moved.log_det - 0.5 * t.shape[1] * LOG_2PI
    for cut, groups in _cuts(bucket, section, task.part.size):
        here = np.ascontiguousarray(t[..., cut])
        # 1. the draws, how they move, and the rows' densities
        b, b_js = task.draw(here), task.velocities(here)
        eta = bucket.Z.predictors(
            task.effects(b), _SCRATCH.work.array("eta", (*bucket.y.shape, here.shape[2]))
        )
        eta += task.fixed[..., None]
        rows, change = _densities(task, y, w, v, eta)
        prior = top[:, None] - log_g[:, cut] - 0.5 * np.einsum("kqc,kqc->kc", b, b)
        np.add(rows.loglik, prior, out=log_w[:, cut])
        weights = sums.weights(log_w[:, cut])
        # 2. scores
        r = bucket.Z.gradients(rows.d1)
        fixed = multiply_draws(Xt, rows.d1, np.empty((len(y), layout.n_fixed, here.shape[2])))
        fixed += multiply_draws(drift, r, np.empty_like(fixed))
        fixed += multiply_draws(still, b, np.empty_like(fixed))
        scores[:, layout.fixed, cut] = fixed
        u_js = task.velocities_of_effects(b, b_js)
        curved = np.einsum("kec,ksec->ksc", r, u_js) - np.einsum("kqc,ksqc->ksc", b, b_js)
        scores[:, layout.curved, cut] = curved + moved.traces[..., None]
        for k, dphi in enumerate(change.dphi):
            scores[:, layout.family.start + k, cut] += dphi.sum(axis=1)
        # 3. second derivatives
        for group, part in groups:
            derivatives = rows.d2[..., part], r[..., part], DispersionTerms(*(x[..., part] for x in change))
            own = sums.of_group(group)
            _add(task, own, weights[:, part], *derivatives, b_js[..., part], u_js[..., part])
            if moved.second is not None:
                g = bucket.gradients_from(task.factors, r[..., part]) - b[..., part]
                own.lift[...] += weighted_sum(g, weights[:, part])
                if own.twist.size:
                    root = moved.second[1]
                    own.twist[...] += root.products(g * weights[:, None, part], here[..., part])


def _add(
    task: Task,
    sums: Sums,
    weights: Array,
    d2: Array,
    r: Array,
    change: DispersionTerms,
    b_js: Array,
    u_js: Array,
) -> None:
    """Add second derivatives at some draws to sums."""
    Z, curves = task.bucket.Z, task.curves
    sums.pull[...] += weighted_sum(r, weights)
    r = r * weights[:, None]
    b_w = b_js * weights[:, None, None]
    sums.velocity[...] += b_w.sum(axis=-1)
    curvature, mixed, curved = Z.along(d2, u_js, weights)
    flat = *b_w.shape[:2], b_w.shape[2] * b_w.shape[3]
    curved -= inner_products(b_w.reshape(flat), b_js.reshape(flat))
    for i, curve in enumerate(curves):
        if curve.drawn is not None:  # r' Lambda_i b_j
            h = np.einsum("kec,kjec->kj", r[:, curve.effects], b_js[:, :, curve.drawn])
            curved[:, i] += h
            curved[:, :, i] += h
    family = task.layout.family_of_curved
    for k, place in enumerate(range(*family.indices(len(curves)))):
        mixed[:, place] += weighted_sum(change.d1phi[k], weights)
        h = np.einsum("kec,kc,ksec->ks", Z.gradients(change.d1phi[k]), weights, u_js)
        curved[:, :, place] += h
        curved[:, place] += h
    if len(change.dphi2):
        curved[:, family, family] += np.einsum("ijkc,kc->kij", change.dphi2.sum(axis=3), weights)
    sums.curvature[...] += curvature
    sums.mixed[...] += mixed
    sums.curved[...] += curved


def _densities(task: Task, y: Array, w: Array, v: Array, eta: Array) -> tuple[BlockTerms, DispersionTerms]:
    """Densities of the rows, and their derivatives by the family's parameters: none where there are none."""
    family = task.bucket.family
    if not task.layout.n_family:
        return family.blocks(y, w, v, eta, task.phi, _SCRATCH.work), DispersionTerms(*[np.zeros(0)] * 3)
    rows, own = family.complete_rows(y, w, v, eta, task.phi)
    return rows.summed(), own


def _blocks_of_a_step(bucket: Bucket, draws: int) -> int:
    """Blocks that fill a step."""
    return max(1, STEP // max(1, min(draws, COLUMNS) * bucket.n_rows))


def _cuts(bucket: Bucket, section: slice, draws: int) -> list[tuple[slice, list[tuple[int, slice]]]]:
    """Cut the draws of a section into steps, powers of two, so that products are cut evenly; and those into groups."""
    room = STEP // max(1, bucket.n_blocks * bucket.n_rows)
    step = max(LEAST, 1 << max(0, room.bit_length() - 1))
    edges = list(pairwise(-(-group * draws // GROUPS) for group in range(GROUPS + 1)))
    out = []
    for first in range(section.start, section.stop, step):
        last = min(first + step, section.stop)
        parts = [(max(a, first) - first, min(b, last) - first) for a, b in edges]
        groups = [(group, slice(a, b)) for group, (a, b) in enumerate(parts) if a < b]
        out.append((slice(first - section.start, last - section.start), groups))
    return out


def _keep_freed_memory() -> None:
    """Have the C library keep the memory of arrays of a few MB, rather than return and fetch it in every pass.

    glibc does so by itself once such an array was freed, unless it is told otherwise, as Dask tells its workers.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # another C library
        return
    mallopt(MMAP_THRESHOLD, KEPT)
    mallopt(TRIM_THRESHOLD, 2 * KEPT)


_keep_freed_memory()


class _Scratch(threading.local):
    """Memory that a thread uses again and again: fresh pages cost as much as the arithmetic on them."""

    def __init__(self) -> None:
        self.work = Workspace()


_SCRATCH = _Scratch()
