"""The bridge to statsmodels' optimisers: a function of search coordinates, posing as a model."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from statsmodels.base.model import LikelihoodModel

from statsmodels_mcla.numerics import Array


class SearchModel(LikelihoodModel):
    """A function of the search coordinates, as the model that statsmodels' optimisers maximise."""

    def __init__(self, function: Callable[[Array], tuple[float, Array, Array | None]]) -> None:
        super().__init__(np.zeros(1))
        self.function = function
        self._last: tuple[bytes, tuple[float, Array, Array | None]] | None = None

    def _at(self, x: Array) -> tuple[float, Array, Array | None]:
        key = np.asarray(x, float).tobytes()
        if self._last is None or self._last[0] != key:
            self._last = (key, self.function(np.asarray(x, float)))
        return self._last[1]

    def loglike(self, params: Array) -> float:
        """Value."""
        return self._at(params)[0]

    def score(self, params: Array) -> Array:
        """Gradient."""
        return self._at(params)[1]

    def hessian(self, params: Array) -> Array:
        """Hessian."""
        hessian = self._at(params)[2]
        return np.full((len(params), len(params)), np.nan) if hessian is None else hessian
