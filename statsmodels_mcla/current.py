"""The draws that a model's log-likelihood is an average over, until it is fitted or drawn for again."""

from __future__ import annotations

import numpy as np

from statsmodels_mcla.design import MixedDesign
from statsmodels_mcla.likelihood import Evaluation, evaluate
from statsmodels_mcla.linalg import Array
from statsmodels_mcla.sampler import Position

__all__ = ["CurrentDraws"]


class CurrentDraws:
    """Frozen draws, and the last evaluation over them.

    Parameters
    ----------
    design : MixedDesign
        Without terms that vanished in the fit.
    position : Position
    keep : ndarray of bool (P,)
        Parameters of the model that the design has.
    n_jobs : int
    """

    def __init__(self, design: MixedDesign, position: Position, keep: np.ndarray, n_jobs: int) -> None:
        self.design, self.position, self.keep, self.n_jobs = design, position, keep, n_jobs
        self._last: tuple[bytes, Evaluation] | None = None

    def evaluate(self, params: Array) -> Evaluation:
        """Evaluate at natural parameters of the whole model; value, score and Hessian come in one pass."""
        key = params.tobytes()
        if self._last is None or self._last[0] != key:
            try:
                found = evaluate(self.design, params[self.keep], self.position.draws, n_jobs=self.n_jobs)
            except np.linalg.LinAlgError as error:
                raise ValueError(
                    "params: a covariance matrix is not positive definite, or a variance not > 0"
                ) from error
            self._last = (key, found)
        return self._last[1]
