"""A maximum and the draws made there: what everything that is computed after a fit starts from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from statsmodels_mcla.design import MixedDesign
from statsmodels_mcla.likelihood import Evaluation, evaluate
from statsmodels_mcla.linalg import Array
from statsmodels_mcla.sampler import Position, Sampler

__all__ = ["Fitted"]


@dataclass(frozen=True)
class Fitted:
    """A maximum with its draws, in the parameters that were fitted.

    Attributes
    ----------
    design : MixedDesign
        Without terms that vanished in the fit; identical rows merged.
    keep : ndarray of bool (P,)
        Parameters of the model that ``design`` has.
    sampler : Sampler
        Makes draws like those of ``position`` at other parameters, from the same base random numbers.
    position : Position
        The maximum, natural scale, and the draws made there.
    n_jobs : int
        Threads.
    """

    design: MixedDesign
    keep: np.ndarray
    sampler: Sampler
    position: Position
    n_jobs: int

    @property
    def params(self) -> Array:
        """Parameters that were fitted, natural scale."""
        return self.position.params

    @cached_property
    def evaluation(self) -> Evaluation:
        """Likelihood, derivatives and block statistics over the draws at the maximum."""
        return evaluate(self.design, self.params, self.position.draws, n_jobs=self.n_jobs)
