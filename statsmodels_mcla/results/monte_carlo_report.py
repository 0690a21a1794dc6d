"""What the draws at the maximum tell, in the parameters of the whole model."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from statsmodels_mcla.likelihood.sampling import BlockSampling
from statsmodels_mcla.numerics import Array

if TYPE_CHECKING:
    from statsmodels_mcla.design import MixedDesign
    from statsmodels_mcla.estimation import MonteCarloMaximum
    from statsmodels_mcla.estimation.search import DrawSettings
    from statsmodels_mcla.likelihood.monte_carlo import Evaluated


@dataclass(frozen=True)
class MonteCarloErrors:
    """What the draws at the maximum tell, as arrays (labels are attached by the results).

    Attributes
    ----------
    cov_mcse : ndarray (P, P)
    bias : ndarray (P,)
    llf_mcse : float
    ess, draws, k_hat, share : ndarray (B,)
        Effective sample size, draws, Pareto k-hat and share of the Monte Carlo variance of each block, or of those that
        are told of partitions.
    block_labels : list of str
    history : DataFrame
    sampling : str
        Description of the importance density.
    default_sampling : bool
        Whether it is the one that a fit chooses itself.
    seed : int or None
        The ``rng`` that gives the same numbers; None where no integer does.
    precise : bool
        Whether the Monte Carlo errors are as small as asked for.
    mcse_tol : float or None
        Largest Monte Carlo error that was asked for, in standard errors; None where the number of draws was fixed.
    """

    cov_mcse: Array
    bias: Array
    llf_mcse: float
    ess: Array
    draws: Array
    k_hat: Array
    share: Array
    block_labels: list[str]
    history: pd.DataFrame
    sampling: str
    default_sampling: bool
    seed: int | None
    precise: bool
    mcse_tol: float | None

    @classmethod
    def of(cls, found: MonteCarloMaximum, draws: DrawSettings, mcse_tol: float) -> MonteCarloErrors:
        """Spread over all parameters, with NaN where one is at the boundary or there is no maximum."""
        fit = found.fit
        evaluation, precision = fit.evaluation, fit.precision
        P = len(found.params)
        cov_mcse, bias = np.full((P, P), np.nan), np.full(P, np.nan)
        if precision is not None:
            cov_mcse, bias = (
                found.reduction.spread(values) for values in (precision.cov_mcse, precision.bias)
            )
        se = None if precision is None else precision.se
        told = partial(_told, se, found.design.n_told, draws.sampling.joint)
        parts = found.design.map(told, evaluation.kept)
        ess, known_draws, k_hat, share, labels = (
            np.concatenate([getattr(part, name) for part in parts]) for name in BlocksTold._fields[:-1]
        )
        total = sum(part.total for part in parts)
        return cls(
            cov_mcse,
            bias,
            float(np.sqrt(evaluation.value_var)),
            ess,
            known_draws,
            k_hat,
            share / max(total, np.finfo(float).tiny),
            labels.tolist(),
            pd.DataFrame(fit.history),
            type(draws.sampling).__name__,
            draws.sampling == BlockSampling(),
            _integer(draws.seed),
            fit.precise or draws.nsample is not None,
            mcse_tol if draws.nsample is None else None,
        )

    def diagnostics(self) -> pd.DataFrame:
        """Table of the blocks, the one with the largest share first."""
        table = pd.DataFrame(
            {
                "draws": self.draws,
                "ess": self.ess,
                "ess_ratio": self.ess / self.draws,
                "k_hat": self.k_hat,
                "share": self.share,
            },
            index=pd.Index(self.block_labels, name="block"),
        )
        return table.sort_values("share", ascending=False, kind="stable")


class BlocksTold(NamedTuple):
    """What is told of blocks, all of them or those that matter most."""

    ess: Array
    draws: Array
    k_hat: Array
    share: Array
    labels: np.ndarray
    total: float  # of the shares of all blocks


def _told(
    se: Array | None, most: int | None, joint: bool, design: MixedDesign, found: Evaluated
) -> BlocksTold:
    blocks = found.blocks
    share = np.full(len(blocks.ess), np.nan) if se is None else (blocks.score_var / se**2).sum(axis=1)
    pick = np.arange(len(share))
    if most is not None:  # the extremes of each column
        known = np.nan_to_num(blocks.k_hat, nan=-np.inf)
        columns = -share, blocks.ess / blocks.draws, blocks.ess, -known
        firsts = [np.argsort(column, kind="stable")[:most] for column in columns]
        ends = [[int(np.argmin(blocks.draws)), int(np.argmax(blocks.draws))]]
        pick = np.unique(np.concatenate([*firsts, *ends]))
    labels = ["all effects"] if joint else design.labels_of_blocks(pick)
    of_weights = blocks.ess[pick], blocks.draws[pick], blocks.k_hat[pick]
    return BlocksTold(*of_weights, share[pick], np.array(labels, object), float(share.sum()))


def _integer(seed: np.random.SeedSequence) -> int | None:
    """Integer that makes this seed."""
    return seed.entropy if isinstance(seed.entropy, int) and not seed.spawn_key else None
