"""What a fit is told, how it draws, and what it tells round by round."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from statsmodels_mcla.design import DesignFacts
from statsmodels_mcla.execution import SERIAL, Executor, Until, now
from statsmodels_mcla.likelihood.monte_carlo import Evaluation, Precision
from statsmodels_mcla.likelihood.sampling import Sampler, Sampling
from statsmodels_mcla.numerics import Array


@dataclass(frozen=True)
class FitSettings:
    """How to search and when to stop.

    Attributes
    ----------
    mcse_tol : float
        Largest Monte Carlo error wanted, in units of the standard error.
    llf_tol : float
        Largest Monte Carlo error wanted of the log-likelihood.
    nsample : int or None
        Draws for each block in the end, whatever their error; None lets the errors decide.
    max_draws : int
        Most draws a block may get.
    deadline : float
        Reading of `now` after which no draws are added, at any rank.
    grace : float
        Seconds after that in which the search over the draws at hand may end.
    climbs : int
        Most times that draws of a number are made again where the search over them ended.
    method, maxiter, options
        Of the statsmodels optimiser that climbs.
    executor : Executor
        Does the work over the draws.
    report : callable
        Called with each `Round` as it ends.
    beyond : callable
        Of fitted parameters: whether they have left the range in which a maximum is looked for, so that the fit ends.
    idle : tuple of int
        Parameters, as users read them, that need no precision.
    plan : callable
        Called with the total number of draws of the next one, and the seconds that it should take.
    """

    mcse_tol: float = 0.01
    llf_tol: float = 0.02
    nsample: int | None = None
    max_draws: int = 2**18
    deadline: float = np.inf
    grace: float = 0.0
    climbs: int = 25
    method: str = "minimize"
    maxiter: int = 100
    options: dict[str, Any] = field(default_factory=dict)
    executor: Executor = SERIAL
    report: Callable[[Round], None] = lambda _: None
    plan: Callable[[int, float], None] = lambda *_: None
    beyond: Callable[[Array], bool] = lambda _: False
    idle: tuple[int, ...] = ()

    @property
    def in_time(self) -> Executor:
        """Executor that begins nothing when the time has run out."""
        return Until(self.executor, self.deadline + self.grace)

    @property
    def late(self) -> bool:
        """Whether the deadline has passed."""
        return now() >= self.deadline

    @property
    def out_of_time(self) -> bool:
        """Whether the grace is over, too."""
        return now() >= self.deadline + self.grace

    def announce(self, sampler: Sampler, history: Sequence[Round]) -> None:
        """Say how many draws are next, and about how long they will take, by the time of the rounds so far."""
        total = sampler.count.total
        before = history[-2].seconds if len(history) > 1 else 0.0
        seconds = (history[-1].seconds - before) * total / max(history[-1].total_draws, 1)
        self.plan(total, seconds)


class Round(NamedTuple):
    """One round of the fit."""

    stage: str
    draws: int  # largest number a block
    total_draws: int
    llf: float
    mcse_over_se: float
    bias_over_mcse: float
    min_ess: float
    seconds: float

    @classmethod
    def of(
        cls, stage: str, sampler: Sampler, found: Evaluation, precision: Precision | None, seconds: float
    ) -> Round:
        """Round that ended with an evaluation, and what is known of its errors."""
        return cls(
            stage,
            sampler.count.most,
            sampler.count.total,
            found.value,
            np.nan if precision is None else precision.worst_ratio,
            np.nan if precision is None else precision.worst_bias,
            found.least_ess,
            seconds,
        )


@dataclass(frozen=True)
class DrawSettings:
    """How a fit draws.

    Attributes
    ----------
    sampling : Sampling
    seed : numpy.random.SeedSequence
    quasi : bool
    nsample : int or None
    max_draws : float
        Most draws for a block.
    """

    sampling: Sampling
    seed: np.random.SeedSequence
    quasi: bool
    nsample: int | None
    max_draws: float = np.inf

    def sampler(self, design: DesignFacts) -> Sampler:
        """Sampler with the draws that a fit of the design starts with: few, to find the way."""
        most = self.max_draws if self.nsample is None else self.nsample
        limit = max(int(most), 2) if np.isfinite(most) else None
        return Sampler.start(design, self.sampling, self.seed, self.quasi, limit)
