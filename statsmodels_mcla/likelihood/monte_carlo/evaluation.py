r"""Monte Carlo likelihood approximation over draws that move with the parameters, with its exact derivatives.

For draws b_1..b_m of a block along paths b_k(theta) that start from an importance density g (`kernel` says how the log
weights and their derivatives are made; Geyer and Thompson, 1992; Knudson, Benson, Geyer and Jones, 2021)

    l       = log mean_k w_k,                  v_k = w_k / sum_j w_j
    score   = sum_k v_k q_k,                   q_k = d log w_k / d theta
    Hessian = sum_k v_k (h_k + q_k q_k') - score score'

and all three add up over blocks.  For given base numbers and a given anchor of the paths, l is one smooth function of
the parameters, and these are its derivatives.  The Monte Carlo variance of the score comes from independent replicates,
d_r = sum over the draws of replicate r of v_k (q_k - score): V = R/(R-1) sum_r d_r d_r'.  Independent draws
are replicates of one draw each.

One pass gives everything.  Work is cut into chunks of blocks (and, in a large block, sections of draws) whose
rows x draws fit the cache; chunks run on threads, and their results are added in order, so that the numbers do
not depend on how many threads there are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

import numpy as np

from statsmodels_mcla.design import MixedDesign
from statsmodels_mcla.execution import SERIAL, Executor, on_one_blas_thread
from statsmodels_mcla.likelihood.monte_carlo.block_sums import BlockSums, sum_blocks
from statsmodels_mcla.likelihood.monte_carlo.kernel import (
    Task,
    Weighed,
    at_work,
    longest_section,
    tasks_of,
    weigh,
)
from statsmodels_mcla.likelihood.sampling import DrawPart
from statsmodels_mcla.numerics import Array


class BlockStatistics(NamedTuple):
    """What the draws say of each block, in the order of the design's blocks (joint draws: one block).

    Attributes
    ----------
    loglik : ndarray (B,)
        Log-likelihood of the block.
    loglik_var : ndarray (B,)
        Its Monte Carlo variance.
    draws : ndarray (B,)
    ess : ndarray (B,)
        Effective sample size, 1 / sum v^2.
    k_hat : ndarray (B,)
        Pareto k-hat of the weights; NaN unless asked for.
    score : ndarray (B, P)
    score_var : ndarray (B, P)
        Contribution of the block to the variance of each coordinate of ``metric @ score error``.
    curvature_var : ndarray (B, P)
        Monte Carlo variance of the Hessian along each row of ``metric``.  Where that is the inverse information, it is
        the block's contribution to the variance of a squared standard error.
    """

    loglik: Array
    loglik_var: Array
    draws: Array
    ess: Array
    k_hat: Array
    score: Array
    score_var: Array
    curvature_var: Array


@dataclass(frozen=True)
class Evaluation:
    """Monte Carlo log-likelihood at one parameter value.

    Attributes
    ----------
    value : float
        Log-likelihood, constants included.
    value_var : float
        Its Monte Carlo variance.
    score : ndarray (P,)
    hessian : ndarray (P, P)
    score_var : ndarray (P, P)
        Monte Carlo variance V of the score.
    score_bias : ndarray (P,)
        Jackknife estimate, over replicates, of the bias of the score.
    value_bias : float
        The same for the log-likelihood.
    blocks : BlockStatistics
    replicates : tuple of ndarray (K, R)
        What each replicate adds to the log-likelihood of each block, less the average, chunk by chunk; empty
        unless asked for.  Two evaluations with the same base numbers differ by the differences of these, and
        the Monte Carlo error of the difference is theirs.
    score_errors : ndarray (B, P, batches)
        What batches of replicates add to the error of the score of each block; without batches unless asked for.
        The products of these with themselves add up to the Monte Carlo variance of the score.
    """

    value: float
    value_var: float
    score: Array
    hessian: Array
    score_var: Array
    score_bias: Array
    value_bias: float
    blocks: BlockStatistics
    replicates: tuple[Array, ...] = ()
    score_errors: Array = field(default_factory=lambda: np.zeros((0, 0, 0)))


@on_one_blas_thread
def evaluate(
    design: MixedDesign,
    params: Array,
    draws: Sequence[DrawPart],
    *,
    metric: Array | None = None,
    tails: bool = False,
    replicates: bool = False,
    score_errors: bool = False,
    executor: Executor = SERIAL,
) -> Evaluation:
    """Log-likelihood, score, Hessian and their Monte Carlo errors in one pass over the draws.

    Parameters
    ----------
    design : MixedDesign
    params : ndarray (P,)
        Fixed effects, loadings, dispersion.
    draws : sequence of DrawPart
        Frozen draws of every block.
    metric : ndarray (P, P), optional
        Matrix that turns errors of the score into the errors that `BlockStatistics.score_var` reports;
        without one, they are not computed.
    tails : bool
        Whether to fit the tails of the weights (Pareto k-hat).
    replicates : bool
        Whether to keep what each replicate adds to the log-likelihood.
    score_errors : bool
        Whether to keep what batches of replicates add to the error of the score of each block.
    executor : Executor
        Small work is done in the calling thread all the same.

    Returns
    -------
    Evaluation

    Raises
    ------
    FloatingPointError
        If a block has no draw of positive weight, or the draws cannot move that far.
    """
    tasks = tasks_of(design, params, draws)
    executor = at_work(executor, sum(part.size * part.bucket.y.size for part in draws))
    sums = partial(sum_blocks, metric=metric, tails=tails, replicates=replicates, score_errors=score_errors)
    if len(tasks) >= executor.workers:
        chunks = executor.map(partial(_chunk, sums), tasks)
    else:  # few large blocks: share out the sections of their draws
        chunks = [
            sums(task, executor.map(partial(_section, task), task.part.sections(longest_section(task.part))))
            for task in tasks
        ]
    return _total(design, chunks)


def _section(task: Task, piece: slice) -> Weighed:
    """Weigh a section of the draws of a chunk."""
    return weigh(task, piece, *task.part.draw(task.blocks, piece))


def _chunk(sums: Callable[[Task, list[Weighed]], BlockSums], task: Task) -> BlockSums:
    """Weigh and sum all draws of a chunk."""
    return sums(task, [_section(task, piece) for piece in task.part.sections(longest_section(task.part))])


def _total(design: MixedDesign, chunks: list[BlockSums]) -> Evaluation:
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
    return Evaluation(
        design.constant + float(blocks.loglik.sum()),
        float(blocks.loglik_var.sum()),
        blocks.score.sum(axis=0),
        np.sum([c.hessian for c in chunks], axis=0),
        np.sum([c.V for c in chunks], axis=0),
        np.sum([c.score_bias for c in chunks], axis=0),
        float(sum(c.value_bias for c in chunks)),
        blocks,
        tuple(c.excess for c in chunks if c.excess.size),
        gather("score_errors"),
    )
