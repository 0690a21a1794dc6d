"""Sums of a chunk of blocks: weighted moments over draws, and what each replicate adds to their errors."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from statsmodels_mcla.likelihood.monte_carlo.kernel import (
    Task,
    Weighed,
)
from statsmodels_mcla.likelihood.monte_carlo.loading_derivatives import place_second
from statsmodels_mcla.likelihood.sampling import effective_sample_size, normalise, pareto_k
from statsmodels_mcla.numerics import Array, multiply_draws, sum_of_products, weighted_sum

BATCHES = 16  # of replicates that errors of the score are kept for


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
    hessian: Array  # less the part of the covariance parameters, which is linear in the next two
    levels: Array
    scatter: Array
    V: Array
    score_bias: Array
    value_bias: float
    draws: int
    excess: Array  # (K, R) share of each replicate in the weights, less the average share
    score_errors: Array  # (K, P, BATCHES)


def sum_blocks(
    task: Task, pieces: list[Weighed], metric: Array, tails: bool, replicates: bool, score_errors: bool
) -> BlockSums:
    """Normalise the weights of a chunk and take all weighted moments."""
    part, density, bucket = task.part, task.density, task.bucket
    P = metric.shape[1]
    p = bucket.X.shape[2]
    log_w, s, scatter = pieces[0][:3] if len(pieces) == 1 else _joined(pieces)
    v, loglik = normalise(log_w)
    score = weighted_sum(s, v)

    # expectation of the complete-data Hessian, from weighted sums over the rows
    m = part.size
    parts = [(piece.sums, np.exp(piece.sums.top - loglik) / m) for piece in pieces]
    curvature, mixed = (
        sum(getattr(sums, name) * c[:, None] for sums, c in parts) for name in ("curvature", "mixed")
    )
    H = np.zeros((P, P))
    X = bucket.X.reshape(-1, p)
    H[:p, :p] = X.T @ (X * curvature.reshape(-1, 1))
    if bucket.family.dispersion is not None:
        H[:p, -1] = H[-1, :p] = mixed.reshape(-1) @ X
        H[-1, -1] = sum(float((sums.dispersion * c).sum()) for sums, c in parts)
    if task.moving is not None:
        mean = sum(piece.mean * c[:, None] for piece, (_, c) in zip(pieces, parts, strict=True))
        twice, mixed = task.moving.second(mean)
        theta_at = slice(p, p + mixed.shape[1])
        H[:p, :p] += twice
        H[:p, theta_at] += mixed
        H[theta_at, :p] += mixed.T
    if bucket.ties is not None:
        second = sum(
            (sums.loadings.second * c[:, None, None]).sum(axis=0)
            for sums, c in parts
            if sums.loadings is not None
        )
        place_second(H, second, p, density.covariance.size)
    s -= score[..., None]
    weighted = s * v[:, None, :]
    H += sum_of_products(weighted, s)

    # replicates: what each one adds to the errors of the likelihood and of the score
    r = part.replicate
    R = m // r
    correction = R / (R - 1.0) if R > 1 else np.inf
    share, d = by_replicate(v, r), by_replicate(weighted, r)
    excess = share - 1.0 / R
    loglik_var = correction * (excess * excess).sum(axis=1)
    error = multiply_draws(metric[None], d, np.empty_like(d))
    squares = multiply_draws(metric[None], s, np.empty_like(s))
    np.multiply(squares, squares, out=squares)
    squares *= v[:, None]
    spread = by_replicate(squares, r)
    spread = spread - spread.sum(axis=-1, keepdims=True) * share[:, None]
    # jackknife over replicates: leaving one out changes score by -d/(1 - share), the log-mean by log of the rest
    rest = 1.0 - share
    lone = rest <= 0  # a single draw carries all the weight: its removal leaves nothing to average
    rest = np.where(lone, 1.0, rest)
    score_bias = (R - 1.0) * np.where(lone[:, None], 0.0, -d / rest[:, None]).mean(axis=-1).sum(axis=0)
    value_bias = (R - 1.0) * np.where(lone, 0.0, np.log(rest * R / max(R - 1.0, 1.0))).mean(axis=-1).sum()
    return BlockSums(
        bucket.blocks,
        loglik,
        loglik_var,
        effective_sample_size(v),
        pareto_k(log_w) if tails else np.full(len(v), np.nan),
        score,
        correction * (error * error).sum(axis=-1),
        correction * (spread * spread).sum(axis=-1),
        H,
        bucket.n_blocks * np.array(density.levels, dtype=float),
        weighted_sum(scatter, v).sum(axis=0),
        correction * sum_of_products(d, d),
        score_bias,
        float(value_bias),
        m,
        excess if replicates else excess[:, :0],
        np.sqrt(correction) * _in_batches(d) if score_errors else d[..., :0],
    )


def by_replicate(values: Array, replicate: int) -> Array:
    """Sum over the draws of each replicate."""
    if replicate == 1:
        return values
    return np.asarray(values.reshape(*values.shape[:-1], -1, replicate).sum(axis=-1))


def _in_batches(values: Array) -> Array:
    """Sums over `BATCHES` batches of replicates (..., R), of one each where there are as many."""
    R = values.shape[-1]
    if R <= BATCHES:
        return np.concatenate([values, np.zeros((*values.shape[:-1], BATCHES - R))], axis=-1)
    return np.asarray(np.add.reduceat(values, -(-np.arange(BATCHES) * R // BATCHES), axis=-1))


def _joined(pieces: list[Weighed]) -> tuple[Array, Array, Array]:
    log_w, scores, scatter = (np.concatenate([piece[i] for piece in pieces], axis=-1) for i in range(3))
    return log_w, scores, scatter
