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
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from statsmodels_mcla.design import DesignFacts, MixedDesign
from statsmodels_mcla.execution import SERIAL, Executor, on_one_blas_thread
from statsmodels_mcla.likelihood.monte_carlo.block_sums import BlockSums, sum_blocks
from statsmodels_mcla.likelihood.monte_carlo.kernel import Task, Weighed, at_work, longest_section
from statsmodels_mcla.likelihood.monte_carlo.nested_kernel import NestedTask
from statsmodels_mcla.likelihood.monte_carlo.tasks import tasks_of, work_of
from statsmodels_mcla.likelihood.sampling import DrawPart
from statsmodels_mcla.numerics import Array

SETS = 4  # of blocks whose replicates are told apart: the more groups, the less noise in the errors


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
    curvature_var, curvature_square : ndarray (P,)
        Sums over blocks of their ``curvature_var``, and of its square.
    least_ess : float
        Smallest effective sample size of a block.
    tails : bool
        Whether the tails of the weights are known.
    kept : Evaluated
        What is known of blocks and replicates, kept where the rows are.
    score_errors : ndarray (SETS, P, batches)
        What batches of replicates add to the error of the score of sets of blocks; without batches unless asked for.
        Their covariance, over sets and batches, adds up to the Monte Carlo variance of the score.
    """

    value: float
    value_var: float
    score: Array
    hessian: Array
    score_var: Array
    score_bias: Array
    value_bias: float
    curvature_var: Array
    curvature_square: Array
    least_ess: float
    tails: bool
    kept: Any
    score_errors: Array

    @property
    def blocks(self) -> BlockStatistics:
        """Statistics of the blocks, of rows that are here."""
        found: Evaluated = self.kept
        return found.blocks

    def moved(self, step: Array) -> Evaluation:
        """Evaluation a small step (P,) away, to the second order in the value."""
        change = self.hessian @ step
        value = self.value + float(step @ (self.score + 0.5 * change))
        return replace(self, value=value, score=self.score + change)


class _Sums(NamedTuple):
    """What one part of the rows adds to an evaluation."""

    value: float
    value_var: float
    score: Array
    hessian: Array
    score_var: Array
    score_bias: Array
    value_bias: float
    curvature_var: Array
    curvature_square: Array
    score_errors: Array
    n_blocks: int
    least_ess: float


class Evaluated(NamedTuple):
    """What is known of one part of the rows.

    Attributes
    ----------
    sums : tuple
        What it adds to the evaluation.
    blocks : BlockStatistics
    replicates : tuple of ndarray (K, R)
        What each replicate adds to the log-likelihood of each block, less the average, chunk by chunk; empty unless
        asked for.  Two evaluations with the same base numbers differ by the differences of these, and the Monte Carlo
        error of the difference is theirs.
    """

    sums: _Sums
    blocks: BlockStatistics
    replicates: tuple[Array, ...]


def evaluate(
    design: DesignFacts,
    params: Array,
    draws: Any,
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
    design : DesignFacts
    params : ndarray (P,)
        Fixed effects, loadings, dispersion.
    draws : sequence of DrawPart
        Frozen draws of every block, kept where the rows are.
    metric : ndarray (P, P), optional
        Matrix that turns errors of the score into the errors that `BlockStatistics.score_var` reports;
        without one, they are not computed.
    tails : bool
        Whether to fit the tails of the weights (Pareto k-hat).
    replicates : bool
        Whether to keep what each replicate adds to the log-likelihood.
    score_errors : bool
        Whether to tell what batches of replicates add to the error of the score.
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
    design.refuse_part()
    asked = {"metric": metric, "tails": tails, "replicates": replicates, "score_errors": score_errors}
    kept = design.keep(partial(_evaluated, params, asked), draws, executor=executor)
    parts = [_Sums(*sums) for sums in design.map(_sums_of, kept)]

    def total(name: str) -> Any:
        return np.sum([getattr(part, name) for part in parts], axis=0)

    return Evaluation(
        design.constant + float(total("value")),
        total("value_var"),
        total("score"),
        total("hessian"),
        total("score_var"),
        total("score_bias"),
        total("value_bias"),
        total("curvature_var"),
        total("curvature_square"),
        min(part.least_ess for part in parts),
        tails,
        kept,
        total("score_errors")[: min(SETS, total("n_blocks"))],
    )


def _sums_of(design: MixedDesign, found: Evaluated) -> _Sums:
    return found.sums


@on_one_blas_thread
def _evaluated(
    params: Array,
    asked: dict[str, Any],
    design: MixedDesign,
    draws: Sequence[DrawPart],
    executor: Executor = SERIAL,
) -> Evaluated:
    """Evaluate over the draws of some rows."""
    tasks = tasks_of(design, params, draws)
    executor = at_work(executor, work_of(draws))
    sums: Callable[..., BlockSums] = partial(sum_blocks, **asked)
    if len(tasks) >= executor.workers:
        chunks = executor.map(partial(_chunk, sums, executor.alone), tasks)
    else:  # few large blocks: share out the sections of their draws
        chunks = [
            sums(task, executor.map(partial(_section, task), task.part.sections(longest_section(task.part))))
            for task in tasks
        ]
    return _total(chunks, design.first_block)


def _section(task: Task | NestedTask, piece: slice) -> Weighed:
    """Weigh a section of the draws of a chunk."""
    return task.weigh(piece, *task.part.draw(task.blocks, piece))


def _chunk(sums: Callable[..., BlockSums], alone: Executor, task: Task | NestedTask) -> BlockSums:
    """Weigh and sum all draws of a chunk, in one thread, which may run out of time between sections."""
    weighed = alone.map(partial(_section, task), task.part.sections(longest_section(task.part)))
    return alone.map(partial(sums, task), [weighed])[0]


def _total(chunks: list[BlockSums], first: int) -> Evaluated:
    """Sums over chunks of blocks, whose numbers begin with ``first``."""
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
    sums = _Sums(
        float(blocks.loglik.sum()),
        float(blocks.loglik_var.sum()),
        blocks.score.sum(axis=0),
        np.sum([c.hessian for c in chunks], axis=0),
        np.sum([c.V for c in chunks], axis=0),
        np.sum([c.score_bias for c in chunks], axis=0),
        float(sum(c.value_bias for c in chunks)),
        blocks.curvature_var.sum(axis=0),
        (blocks.curvature_var**2).sum(axis=0),
        _in_sets(gather("score_errors"), first),
        len(index),
        float(blocks.ess.min()),
    )
    return Evaluated(sums, blocks, tuple(c.excess for c in chunks if c.excess.size))


def _in_sets(errors: Array, first: int) -> Array:
    """Sums of errors of blocks (B, ...) over sets of them, (SETS, ...)."""
    out = np.zeros((SETS, *errors.shape[1:]))
    for k in range(SETS):
        out[(first + k) % SETS] = errors[k::SETS].sum(axis=0)
    return out
