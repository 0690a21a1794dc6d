"""Sums of a chunk of blocks: weighted moments over draws, and what each replicate adds to their errors."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple, Protocol

import numpy as np

from statsmodels_mcla.likelihood.monte_carlo.kernel import GROUPS, Sums, Task, Weighed
from statsmodels_mcla.likelihood.monte_carlo.nested_kernel import NestedSums, NestedTask
from statsmodels_mcla.likelihood.sampling import (
    BATCHES,
    batch_of,
    batch_scale,
    effective_sample_size,
    normalise,
    pareto_k,
)
from statsmodels_mcla.numerics import Array, multiply_draws, sum_of_products, weighted_sum


class BlockSums(NamedTuple):
    """Everything about a chunk of blocks, summed over them where `Evaluation` needs sums."""

    blocks: np.ndarray
    loglik: Array
    loglik_var: Array
    ess: Array
    k_hat: Array
    score: Array
    score_var: Array
    curvature_var: Array
    hessian: Array
    V: Array
    score_bias: Array
    value_bias: float
    draws: int
    excess: Array  # (K, R) share of each replicate in the weights, less the average share
    score_errors: Array  # (K, P, BATCHES)


def sum_blocks(
    task: Task | NestedTask,
    pieces: list[Weighed],
    metric: Array | None,
    tails: bool,
    replicates: bool,
    score_errors: bool,
) -> BlockSums:
    """Normalise the weights of a chunk and take all weighted moments."""
    part = task.part
    log_w, s = pieces[0][:2] if len(pieces) == 1 else _joined(pieces)
    v, loglik = normalise(log_w)
    score = weighted_sum(s, v)
    s -= score[..., None]
    weighted = s * v[:, None, :]
    second = _second(task, pieces, loglik)
    H = second.hessian() + sum_of_products(weighted, s)

    # replicates: what each one adds to the errors of the likelihood and of the score
    m, r = part.size, part.replicate
    R = m // r
    correction = R / (R - 1.0) if R > 1 else np.inf
    share, d = by_replicate(v, r), by_replicate(weighted, r)
    excess = share - 1.0 / R
    loglik_var = correction * (excess * excess).sum(axis=1)
    score_var = curvature_var = np.full(score.shape, np.nan)
    if metric is not None:
        error = multiply_draws(metric[None], d, np.empty((len(d), len(metric), d.shape[2])))
        score_var = correction * (error * error).sum(axis=-1)
        curvature_var = _curvature_var(second.along(metric), metric, v, s)
    # jackknife over replicates: leaving one out changes score by -d/(1 - share), the log-mean by log of the rest
    rest = 1.0 - share
    lone = rest <= 0  # a single draw carries all the weight: its removal leaves nothing to average
    rest = np.where(lone, 1.0, rest)
    score_bias = (R - 1.0) * np.where(lone[:, None], 0.0, -d / rest[:, None]).mean(axis=-1).sum(axis=0)
    value_bias = (R - 1.0) * np.where(lone, 0.0, np.log(rest * R / max(R - 1.0, 1.0))).mean(axis=-1).sum()
    return BlockSums(
        blocks=task.bucket.blocks,
        loglik=loglik,
        loglik_var=loglik_var,
        ess=effective_sample_size(v) * part.inner,
        k_hat=pareto_k(log_w) if tails else np.full(len(v), np.nan),
        score=score,
        score_var=score_var,
        curvature_var=curvature_var,
        hessian=H,
        V=correction * sum_of_products(d, d),
        score_bias=score_bias,
        value_bias=float(value_bias),
        draws=m * part.inner,
        excess=excess if replicates else excess[:, :0],
        score_errors=batch_scale(part) * _in_batches(task, d) if score_errors else d[..., :0],
    )


def _mean_sums(task: Task, sums: list[Sums], loglik: Array) -> Sums:
    """Sums of all sections, over draws of normalised weight."""
    scale = [np.exp(part.top - loglik) / task.part.size for part in sums]

    def mean(name: str) -> Array:
        parts = zip(sums, scale, strict=True)
        return np.asarray(sum(np.einsum("k...,k->k...", getattr(part, name), c) for part, c in parts))

    names = ("curvature", "pull", "velocity", "mixed", "curved", "lift", "twist")
    return Sums(loglik, *(mean(name) for name in names))


def _accelerated(task: Task, means: Sums) -> Array | None:
    """Second derivatives (K, G, s, P) in one curved parameter and any, that accelerations of the paths add."""
    if task.moved.second is None:
        return None
    (shifts, turns), root = task.moved.second
    out = np.einsum("kgq,kqsp->kgsp", means.lift, shifts)
    if turns is None:
        return out
    slopes = root.slopes_in_turns(means.twist)
    flat = slopes.reshape(*slopes.shape[:2], -1), turns.reshape(*turns.shape[:3], -1)
    out[..., task.layout.curved] += np.einsum("kgn,kijn->kgij", *flat)
    return out


class _Second(Protocol):
    """Second derivatives of the log weights of draws, averaged over them."""

    def hessian(self) -> Array:
        """Sum over blocks (P, P)."""

    def along(self, metric: Array) -> Array:
        """Along each row of the metric, for each group of draws (K, G, P)."""


class _OfPoints(NamedTuple):
    """Those of nested points."""

    sums: NestedSums

    def hessian(self) -> Array:
        """See `_Second`."""
        return np.asarray(self.sums.second.sum(axis=(0, 1)))

    def along(self, metric: Array) -> Array:
        """See `_Second`: groups are replicates."""
        return np.asarray((self.sums.second @ metric.T * metric.T).sum(axis=-2))


class _OfMoved(NamedTuple):
    """Those of moving draws."""

    task: Task
    means: Sums

    def along(self, metric: Array) -> Array:
        """See `_Second`."""
        task, means = self
        still = task.moved.slopes[..., task.layout.fixed]
        fixed, curved = metric[:, task.layout.fixed], metric[:, task.layout.curved]
        X, own = task.X @ fixed.T, still @ fixed.T  # (K, n, P), (K, q, P)
        along = np.einsum("kgn,knj->kgj", means.curvature, X * X)
        mixed = np.einsum("kgsn,knj->kgsj", means.mixed, X) - np.einsum("kgsq,kqj->kgsj", means.velocity, own)
        for a, curve in enumerate(task.curves):
            if curve.drawn is not None:
                mixed[:, :, a] += np.einsum(
                    "kge,kej->kgj", means.pull[..., curve.effects], own[:, curve.drawn]
                )
        along += 2.0 * np.einsum("kgsj,js->kgj", mixed, curved)
        along += np.einsum("kgst,js,jt->kgj", means.curved, curved, curved)
        second = _accelerated(task, means)
        if second is not None:
            twice = np.concatenate([2.0 * fixed, curved], axis=1)
            along += np.einsum("kgsp,js,jp->kgj", second, curved, twice)
        return along

    def hessian(self) -> Array:
        """See `_Second`: along the paths of the draws."""
        task, total = self
        moved = task.moved

        def mean(name: str) -> Array:
            return np.asarray(getattr(total, name).sum(axis=1))

        layout, fixed, curved = task.layout, task.layout.fixed, task.layout.curved
        still = moved.slopes[..., fixed]
        X = task.X.reshape(task.X.shape[0] * task.X.shape[1], layout.n_fixed)
        H = np.zeros((layout.size, layout.size))
        H[fixed, fixed] = X.T @ (X * mean("curvature").reshape(-1, 1)) - np.einsum(
            "kqi,kqj->ij", still, still
        )
        mixed = np.einsum("ksn,knp->ps", mean("mixed"), task.X) - np.einsum(
            "ksq,kqp->ps", mean("velocity"), still
        )
        pull = mean("pull")
        for j, curve in enumerate(task.curves):
            if curve.drawn is not None:
                mixed[:, j] += np.einsum("ke,kep->p", pull[:, curve.effects], still[:, curve.drawn])
        H[fixed, curved], H[curved, fixed] = mixed, mixed.T
        H[curved, curved] = (mean("curved") - moved.crossed).sum(axis=0)
        second = _accelerated(task, total)
        if second is not None:
            more = second.sum(axis=(0, 1))
            H[curved] += more
            H[fixed, curved] += more[:, fixed].T
        return H


def _second(task: Task | NestedTask, pieces: list[Weighed], loglik: Array) -> _Second:
    if isinstance(task, NestedTask):
        return _OfPoints(pieces[0].sums)
    return _OfMoved(task, _mean_sums(task, [piece.sums for piece in pieces], loglik))


def _curvature_var(along: Array, metric: Array, v: Array, s: Array) -> Array:
    """Monte Carlo variance of the Hessian along each row of the metric, from how the groups of draws differ."""
    squares = multiply_draws(metric[None], s, np.empty((len(s), len(metric), s.shape[2])))
    np.multiply(squares, squares, out=squares)
    squares *= v[:, None]
    along += _in_groups(squares).transpose(0, 2, 1)
    share = _in_groups(v)
    away = along - share[..., None] * along.sum(axis=1, keepdims=True)
    return np.asarray(GROUPS / (GROUPS - 1.0) * (away * away).sum(axis=1))


def _in_groups(values: Array) -> Array:
    """Sums over the groups of draws (..., m)."""
    m = values.shape[-1]
    edges = [-(-g * m // GROUPS) for g in range(GROUPS + 1)]
    return np.stack([values[..., a:b].sum(axis=-1) for a, b in pairwise(edges)], axis=-1)


def by_replicate(values: Array, replicate: int) -> Array:
    """Sum over the draws of each replicate."""
    if replicate == 1:
        return values
    return np.asarray(values.reshape(*values.shape[:-1], -1, replicate).sum(axis=-1))


def _in_batches(task: Task | NestedTask, values: Array) -> Array:
    """Sums over batches of replicates, (K, P, BATCHES), of values (K, P, R)."""
    R = values.shape[-1]
    if R >= BATCHES:
        return np.asarray(np.add.reduceat(values, -(-np.arange(BATCHES) * R // BATCHES), axis=-1))
    out = np.zeros((*values.shape[:-1], BATCHES))
    batch = batch_of(task.part, task.bucket.places, np.arange(R))
    np.put_along_axis(out, np.broadcast_to(batch[:, None], values.shape), values, axis=-1)
    return out


def _joined(pieces: list[Weighed]) -> tuple[Array, Array]:
    log_w, scores = (np.concatenate([piece[i] for piece in pieces], axis=-1) for i in range(2))
    return log_w, scores
