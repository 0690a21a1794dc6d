"""What a fit is told, and what it tells round by round."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

__all__ = ["FitSettings", "Round"]


@dataclass(frozen=True)
class FitSettings:
    """How to search and when to stop.

    Attributes
    ----------
    mcse_tol : float
        Largest Monte Carlo error wanted, in units of the standard error.
    nsample : int or None
        Draws for each block in the end, whatever their error; None lets the errors decide.
    max_draws : int
        Most draws a block may get.
    max_seconds : float
        No new round starts after this time.
    method, maxiter, options
        Of the statsmodels optimiser that climbs.
    n_jobs : int
        Threads.
    report : callable
        Called with each `Round` as it ends.
    """

    mcse_tol: float = 0.01
    nsample: int | None = None
    max_draws: int = 2**18
    max_seconds: float = np.inf
    method: str = "minimize"
    maxiter: int = 100
    options: dict[str, Any] = field(default_factory=dict)
    n_jobs: int = 1
    report: Callable[[Round], None] = lambda _: None


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
