"""What one evaluation of the Monte Carlo likelihood gives."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from statsmodels_mcla.linalg import Array

__all__ = ["BlockStatistics", "Evaluation"]


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
        Monte Carlo variance of the conditional variance of each coordinate of ``metric @ score``.  Where metric
        is the inverse information, it is the block's contribution to the variance of a squared standard error.
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
