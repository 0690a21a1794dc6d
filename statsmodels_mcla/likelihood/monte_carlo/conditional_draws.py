"""The conditional law of the random effects given the data, as weighted draws, a chunk of blocks at a time.

What depends on the effects of one block is averaged with `over_draws`; no array of all draws need exist.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple, TypeVar

import numpy as np

from statsmodels_mcla.design import Bucket, DesignFacts, MixedDesign
from statsmodels_mcla.execution import SERIAL, Executor, on_one_blas_thread
from statsmodels_mcla.likelihood.monte_carlo.kernel import Task, at_work, longest_section
from statsmodels_mcla.likelihood.monte_carlo.tasks import moved_tasks
from statsmodels_mcla.likelihood.sampling import DrawPart, normalise
from statsmodels_mcla.numerics import Array, weighted_sum

T = TypeVar("T")


class WeightedDraws(NamedTuple):
    """Draws of the effects of K blocks, weighted to follow their law given the data.

    Attributes
    ----------
    bucket : Bucket
        The K blocks.
    b : ndarray (K, q, m)
        Standard effects.
    v : ndarray (K, m)
        Normalised weights.
    s : ndarray (K, P, m)
        Complete-data scores less their mean, the score of the block; those of draws that move along with the
        parameters, as in the likelihood.
    moves : ndarray (K, q, p)
        Derivatives of the draws in the fixed effects (`moving_draws`).
    velocities : tuple of ndarray (K, q, m)
        Derivatives of the draws in each of the other parameters.
    replicate : int
        Consecutive draws that make one replicate.
    """

    bucket: Bucket
    b: Array
    v: Array
    s: Array
    moves: Array
    velocities: tuple[Array, ...]
    replicate: int

    @property
    def replicates(self) -> int:
        """Number of independent replicates, R."""
        return self.v.shape[1] // self.replicate

    @property
    def correction(self) -> float:
        """R / (R - 1), which makes sums of squares over replicates unbiased."""
        R = self.replicates
        return R / (R - 1.0) if R > 1 else np.inf

    def take(self, k: int) -> WeightedDraws:
        """Draws of one of the blocks."""
        one = slice(k, k + 1)
        return WeightedDraws(
            self.bucket.take(one),
            self.b[one],
            self.v[one],
            self.s[one],
            self.moves[one],
            tuple(b[one] for b in self.velocities),
            self.replicate,
        )


def over_draws(
    design: DesignFacts,
    params: Array,
    draws: Any,
    function: Callable[[WeightedDraws], T],
    *,
    wanted: np.ndarray | None = None,
    executor: Executor = SERIAL,
) -> list[T]:
    """Apply a function to the weighted draws of every chunk of blocks, in order.

    Parameters
    ----------
    design : DesignFacts
    params : ndarray (P,)
        Fixed effects, loadings, dispersion, at which the draws are weighed.
    draws : sequence of DrawPart
        Kept where the rows are.
    function : callable
        Of `WeightedDraws`; several at once.
    wanted : ndarray of bool (B,), optional
        Blocks that matter, of rows that are here: chunks without any are left out.
    executor : Executor
        Small work is done in the calling thread all the same.

    Returns
    -------
    list
        What the function returned for each chunk.

    Raises
    ------
    FloatingPointError
        If a block has no draw of positive weight.
    """
    found = design.map(partial(_over_draws, params, function, wanted), draws, executor=executor)
    return [value for part in found for value in part]


@on_one_blas_thread
def _over_draws(
    params: Array,
    function: Callable[[WeightedDraws], T],
    wanted: np.ndarray | None,
    design: MixedDesign,
    draws: Sequence[DrawPart],
    executor: Executor = SERIAL,
) -> list[T]:
    tasks = [t for t in moved_tasks(design, params, draws) if wanted is None or wanted[t.bucket.blocks].any()]
    executor = at_work(executor, sum(t.part.size * t.bucket.y.size for t in tasks))
    return executor.map(partial(_applied, function), tasks)


def _applied(function: Callable[[WeightedDraws], T], task: Task) -> T:
    """Apply the function to the weighted draws of one chunk."""
    pieces = []
    for piece in task.part.sections(longest_section(task.part)):
        t, log_g = task.part.draw(task.blocks, piece)
        found = task.weigh(piece, t, log_g)
        pieces.append((found.log_w, found.scores, task.draw(t), *task.velocities(t).swapaxes(0, 1)))
    log_w, s, b, *velocities = (
        np.concatenate(parts, axis=-1) if len(parts) > 1 else parts[0] for parts in zip(*pieces, strict=True)
    )
    v, _ = normalise(log_w)
    s -= weighted_sum(s, v)[..., None]
    moves = task.moved.slopes[..., task.layout.fixed]
    return function(WeightedDraws(task.bucket, b, v, s, moves, tuple(velocities), task.part.replicate))
