"""The draws that a model's log-likelihood is an average over, until it is fitted or drawn for again."""

from __future__ import annotations

import numpy as np

from statsmodels_mcla.design import MixedDesign
from statsmodels_mcla.likelihood import Evaluation, evaluate
from statsmodels_mcla.linalg import Array
from statsmodels_mcla.reduction import Reduction
from statsmodels_mcla.sampler import Position

__all__ = ["CurrentDraws"]


class CurrentDraws:
    """Frozen draws, and the last evaluation over them.

    Parameters
    ----------
    design : MixedDesign
        As reduced by the fit.
    position : Position
    reduction : Reduction
    n_jobs : int
    """

    def __init__(self, design: MixedDesign, position: Position, reduction: Reduction, n_jobs: int) -> None:
        self.design, self.position, self.reduction, self.n_jobs = design, position, reduction, n_jobs
        self._last: tuple[bytes, Evaluation] | None = None

    def evaluate(self, params: Array) -> Evaluation:
        """Evaluate at natural parameters of the whole model, as far as the draws have them, in one pass."""
        key = params.tobytes()
        if self._last is None or self._last[0] != key:
            try:
                found = evaluate(self.design, self._fitted(params), self.position.draws, n_jobs=self.n_jobs)
            except np.linalg.LinAlgError as error:
                raise ValueError(
                    "params: a covariance matrix is not positive definite, or a variance not > 0"
                ) from error
            self._last = (key, found)
        return self._last[1]

    def derivatives(self, params: Array) -> tuple[Array, Array]:
        """Score and Hessian in the model's parameters: NaN in singular terms."""
        params = np.asarray(params, float)
        found = self.evaluate(params)
        return self.reduction.derivatives(self._fitted(params), found.score, found.hessian)

    def _fitted(self, params: Array) -> Array:
        """Fitted parameters, with the signs of loadings that the draws are for."""
        return self.reduction.with_signs_of(self.reduction.restrict(params), self.position.params)
