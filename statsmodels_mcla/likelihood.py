r"""Monte Carlo likelihood approximation over frozen draws, with its exact derivatives.

For the draws u_1..u_m of a block from the importance density g, and with f(y|u) phi(u) the complete-data
likelihood (Geyer and Thompson, 1992; Knudson, Benson, Geyer and Jones, 2021)

    log w_k = log f(y|u_k; beta) + log phi(u_k; theta) - log g(u_k),   v_k = w_k / sum_j w_j
    l       = log mean_k w_k
    score   = sum_k v_k s_k,                   s_k = d log[f phi](u_k) / d psi
    Hessian = sum_k v_k (H_k + s_k s_k') - score score'

and all three add up over blocks.  The Monte Carlo variance of the score comes from independent replicates,
d_r = sum over the draws of replicate r of v_k (s_k - score): V = R/(R-1) sum_r d_r d_r'.  Independent draws
are replicates of one draw each.

Draws of blocks move along with beta (`transport`): f(y|u) phi(u) above is then that of u_k(beta).

One pass gives everything.  Work is cut into chunks of blocks (and, in a large block, sections of draws) whose
rows x draws fit the cache; chunks run on threads, and their results are added in order, so that the numbers do
not depend on how many threads there are.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from statsmodels_mcla.covariance import EffectDensity
from statsmodels_mcla.design import Bucket, MixedDesign
from statsmodels_mcla.draws import DrawPart
from statsmodels_mcla.evaluation import BlockStatistics, Evaluation
from statsmodels_mcla.families import Workspace
from statsmodels_mcla.linalg import Array, multiply_draws, sum_of_products, transpose, weighted_sum
from statsmodels_mcla.loadings import LoadingSums, place_second
from statsmodels_mcla.threads import in_order
from statsmodels_mcla.transport import Moving
from statsmodels_mcla.weights import effective_sample_size, normalise, pareto_k

__all__ = [
    "BlockStatistics",
    "Evaluation",
    "Task",
    "Weighed",
    "by_replicate",
    "evaluate",
    "tasks_of",
    "weigh",
]

CHUNK = 2**17  # rows x draws of an inner step: a few arrays of that size fit the second-level cache
WORTH_THREADS = 2**18  # rows x draws below which threads cost more than they gain
COLUMNS = 2**11  # draws of an inner step, if the rows leave room
SECTION = 2**13  # draws of a block that one thread makes at a time


class Weighed(NamedTuple):
    """A section of the draws of a chunk of blocks."""

    log_w: Array  # (K, c)
    scores: Array  # (K, P, c)
    scatter: Array  # (K, size, c)
    top: Array  # (K,) largest log weight that the row sums are relative to
    curvature: Array  # (K, n) sum of w d2 logf/deta2
    mixed: Array  # (K, n) sum of w d2 logf/deta dphi
    dispersion: Array  # (K,) sum of w d2 logf/dphi2
    mean: Array | None  # (K, q) sum of w u, where draws move with beta
    tied: (
        Array | None
    )  # (K, a, p + a + 1) sum of w times second derivatives in the loadings and beta, loadings, phi


class _Chunk(NamedTuple):
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


def evaluate(
    design: MixedDesign,
    params: Array,
    draws: Sequence[DrawPart],
    *,
    metric: Array | None = None,
    tails: bool = False,
    replicates: bool = False,
    n_jobs: int = 1,
) -> Evaluation:
    """Log-likelihood, score, Hessian and their Monte Carlo errors in one pass over the draws.

    Parameters
    ----------
    design : MixedDesign
    params : ndarray (P,)
        Fixed effects, variances and covariances, dispersion.
    draws : sequence of DrawPart
        Frozen draws of every block.
    metric : ndarray (P, P), optional
        Matrix that turns errors of the score into the errors that `BlockStatistics.score_var` reports;
        the identity by default.
    tails : bool
        Whether to fit the tails of the weights (Pareto k-hat).
    replicates : bool
        Whether to keep what each replicate adds to the log-likelihood.
    n_jobs : int
        Threads.

    Returns
    -------
    Evaluation

    Raises
    ------
    numpy.linalg.LinAlgError
        If a covariance matrix is not positive definite.
    FloatingPointError
        If a block has no draw of positive weight.
    """
    beta, theta, phi = design.split(params)
    metric = np.eye(design.n_params) if metric is None else metric
    tasks = [task.moved(beta) for task in tasks_of(design, params, draws)]
    work = sum(part.size * part.bucket.y.size for part in draws)
    threads = n_jobs if work > WORTH_THREADS else 1

    def section(task: Task, piece: slice) -> Weighed:
        return weigh(task, *task.part.draw(task.blocks, piece), beta, phi)

    def whole(task: Task) -> _Chunk:
        pieces = [section(task, piece) for piece in task.part.sections(SECTION)]
        return _finish(task, pieces, metric, tails, replicates)

    if len(tasks) >= 2 * threads:
        chunks = list(in_order(threads, whole, tasks))
    else:  # few large blocks: share out the sections of their draws
        chunks = []
        for task in tasks:
            pieces = in_order(threads, partial(section, task), task.part.sections(SECTION))
            chunks.append(_finish(task, list(pieces), metric, tails, replicates))
    return _total(design, theta, chunks)


class _Scratch(threading.local):
    """Memory that a thread uses again and again: fresh pages cost as much as the arithmetic on them."""

    def __init__(self) -> None:
        self.work = Workspace()


_SCRATCH = _Scratch()


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
        if transport is None or self.bucket.ties is not None:
            return self
        moving = transport.take(self.blocks).at(beta, self.bucket, self.density)
        return self._replace(bucket=moving.bucket, moving=moving)


def tasks_of(design: MixedDesign, params: Array, draws: Sequence[DrawPart]) -> list[Task]:
    """Cut all blocks into chunks, with the design and density of the effects at the given parameters."""
    theta, loadings = design.split(params)[1], design.loadings(params)
    return [
        Task(part, density, blocks, bucket.at(loadings))
        for part in draws
        for density in [design.covariance.density(theta, part.bucket.levels)]
        for blocks, bucket in part.bucket.pieces(_blocks_at_a_time(part))
    ]


def _blocks_at_a_time(part: DrawPart) -> int:
    """Blocks of a chunk: few enough for their arrays to stay in cache, enough to keep numpy busy."""
    columns = min(part.size, COLUMNS)  # what `_rows` takes at a time
    return max(1, CHUNK // max(1, columns * part.bucket.n_rows))


def weigh(task: Task, u: Array, log_g: Array, beta: Array, phi: float) -> Weighed:
    """Weights and scores of draws u (K, q, c) whose log importance density is log_g (K, c)."""
    moving = task.moving
    effects = u if moving is None else moving.effects(u)
    scatter = task.density.scatter(effects)
    rows = _rows(task.bucket, u, task.density.logpdf(scatter) - log_g, beta, phi)
    mean = None
    if moving is not None:
        rows.score_beta[...] += moving.score(effects)
        mean = weighted_sum(
            effects, np.exp(rows.log_w - np.where(np.isfinite(rows.top), rows.top, 0.0)[:, None])
        )
    parts = [rows.score_beta, task.density.score(scatter)]
    if rows.tied is not None:
        parts.append(rows.tied.score)
    if task.bucket.family.dispersion is not None:
        parts.append(rows.score_phi)
    return Weighed(
        rows.log_w,
        np.concatenate(parts, axis=1),
        scatter,
        rows.top,
        rows.curvature,
        rows.mixed,
        rows.dispersion,
        mean,
        None if rows.tied is None else rows.tied.second,
    )


class _Rows(NamedTuple):
    log_w: Array
    score_beta: Array
    score_phi: Array
    top: Array
    curvature: Array
    mixed: Array
    dispersion: Array
    tied: LoadingSums | None


def _rows(bucket: Bucket, u: Array, log_w: Array, beta: Array, phi: float) -> _Rows:
    """Work on rows x draws: the only part whose cost grows with the data times the draws."""
    blocks, n, draws = bucket.n_blocks, bucket.n_rows, u.shape[2]
    eta_fixed = (bucket.offset + bucket.X @ beta)[..., None]
    Xt = transpose(bucket.X)
    y, w, v = bucket.y[..., None], bucket.w[..., None], bucket.v[..., None]
    family = bucket.family
    has_phi = family.dispersion is not None
    score_beta = np.empty((blocks, bucket.X.shape[2], draws))
    score_phi = np.zeros((blocks, 1, draws))
    top = np.full(blocks, -np.inf)
    curvature, mixed, dispersion = np.zeros((blocks, n)), np.zeros((blocks, n)), np.zeros(blocks)
    tied = None if bucket.ties is None else LoadingSums.of(bucket, draws)
    step = max(COLUMNS // 8, CHUNK // max(1, blocks * n))
    work = _SCRATCH.work
    for a in range(0, draws, step):
        cut = slice(a, min(a + step, draws))
        shape = (blocks, n, cut.stop - a)
        eta = work.array("eta", shape)
        bucket.write_effects(u, cut, eta, work.array("scratch", shape))
        eta += eta_fixed
        terms = family.blocks(y, w, v, eta, phi, work)
        log_w[:, cut] += terms.loglik
        multiply_draws(Xt, terms.d1, score_beta[..., cut])
        # weights relative to the largest so far: sums made before are scaled down when a larger one turns up
        previous, top = top, np.maximum(top, log_w[:, cut].max(axis=1))
        finite_top = np.where(np.isfinite(top), top, 0.0)
        shrink = np.exp(previous - finite_top)
        weight = np.exp(log_w[:, cut] - finite_top[:, None])
        curvature = curvature * shrink[:, None] + weighted_sum(terms.d2, weight)
        change = None
        if has_phi:
            change = family.dispersion_rows(y, w, v, eta, phi)
            score_phi[:, 0, cut] = change.dphi.sum(axis=1)
            mixed = mixed * shrink[:, None] + weighted_sum(change.d1phi, weight)
            dispersion = dispersion * shrink + weighted_sum(change.dphi2, weight).sum(axis=-1)
        if tied is not None:
            tied.add(
                bucket, u, cut, weight, shrink, terms.d1, terms.d2, None if change is None else change.d1phi
            )
    return _Rows(log_w, score_beta, score_phi, top, curvature, mixed, dispersion, tied)


def _finish(task: Task, pieces: list[Weighed], metric: Array, tails: bool, replicates: bool) -> _Chunk:
    """Normalise the weights of a chunk and take all weighted moments."""
    part, density, bucket = task.part, task.density, task.bucket
    P = metric.shape[1]
    p = bucket.X.shape[2]
    log_w, s, scatter = pieces[0][:3] if len(pieces) == 1 else _joined(pieces)
    v, loglik = normalise(log_w)
    score = weighted_sum(s, v)

    # expectation of the complete-data Hessian, from weighted sums over the rows
    m = part.size
    scale = [np.exp(piece.top - loglik) / m for piece in pieces]
    curvature, mixed = (
        sum(getattr(piece, name) * c[:, None] for piece, c in zip(pieces, scale, strict=True))
        for name in ("curvature", "mixed")
    )
    H = np.zeros((P, P))
    X = bucket.X.reshape(-1, p)
    H[:p, :p] = X.T @ (X * curvature.reshape(-1, 1))
    if bucket.family.dispersion is not None:
        H[:p, -1] = H[-1, :p] = mixed.reshape(-1) @ X
        H[-1, -1] = sum(float((piece.dispersion * c).sum()) for piece, c in zip(pieces, scale, strict=True))
    if task.moving is not None:
        mean = sum(piece.mean * c[:, None] for piece, c in zip(pieces, scale, strict=True))
        twice, mixed = task.moving.second(mean)
        theta_at = slice(p, p + mixed.shape[1])
        H[:p, :p] += twice
        H[:p, theta_at] += mixed
        H[theta_at, :p] += mixed.T
    if bucket.ties is not None:
        second = sum(
            (piece.tied * c[:, None, None]).sum(axis=0)
            for piece, c in zip(pieces, scale, strict=True)
            if piece.tied is not None
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
    projected = multiply_draws(np.broadcast_to(metric, (len(s), P, P)), s, np.empty_like(s))
    error = by_replicate(projected * v[:, None], r)
    squares = projected * projected
    squares -= weighted_sum(squares, v)[..., None]
    squares *= v[:, None]
    spread = by_replicate(squares, r)
    # jackknife over replicates: leaving one out changes score by -d/(1 - share), the log-mean by log of the rest
    rest = 1.0 - share
    lone = rest <= 0  # a single draw carries all the weight: its removal leaves nothing to average
    rest = np.where(lone, 1.0, rest)
    score_bias = (R - 1.0) * np.where(lone[:, None], 0.0, -d / rest[:, None]).mean(axis=-1).sum(axis=0)
    value_bias = (R - 1.0) * np.where(lone, 0.0, np.log(rest * R / max(R - 1.0, 1.0))).mean(axis=-1).sum()
    return _Chunk(
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
    )


def by_replicate(values: Array, replicate: int) -> Array:
    """Sum over the draws of each replicate."""
    if replicate == 1:
        return values
    return np.asarray(values.reshape(*values.shape[:-1], -1, replicate).sum(axis=-1))


def _joined(pieces: list[Weighed]) -> tuple[Array, Array, Array]:
    log_w, scores, scatter = (np.concatenate([piece[i] for piece in pieces], axis=-1) for i in range(3))
    return log_w, scores, scatter


def _total(design: MixedDesign, theta: Array, chunks: list[_Chunk]) -> Evaluation:
    index = np.concatenate([c.blocks for c in chunks])
    order = np.argsort(index, kind="stable")

    def gather(name: str) -> Array:
        return np.concatenate([getattr(c, name) for c in chunks])[order]

    draws = np.concatenate([np.full(len(c.blocks), c.draws) for c in chunks])[order]
    blocks = BlockStatistics(
        gather("loglik"),
        gather("loglik_var"),
        draws,
        gather("ess"),
        gather("k_hat"),
        gather("score"),
        gather("score_var"),
        gather("curvature_var"),
    )
    hessian = np.sum([c.hessian for c in chunks], axis=0)
    levels, scatter = (np.sum([getattr(c, name) for c in chunks], axis=0) for name in ("levels", "scatter"))
    theta_at = slice(design.n_fixed, design.n_fixed + design.covariance.size)
    hessian[theta_at, theta_at] += design.covariance.hessian(theta, levels, scatter)
    return Evaluation(
        design.constant + float(blocks.loglik.sum()),
        float(blocks.loglik_var.sum()),
        blocks.score.sum(axis=0),
        hessian,
        np.sum([c.V for c in chunks], axis=0),
        np.sum([c.score_bias for c in chunks], axis=0),
        float(sum(c.value_bias for c in chunks)),
        blocks,
        tuple(c.excess for c in chunks if c.excess.size),
    )
