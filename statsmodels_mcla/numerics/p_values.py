"""Adjustment of p-values for their number."""

from __future__ import annotations

import numpy as np

from statsmodels_mcla.numerics.arrays import Array


def holm(pvalues: Array) -> Array:
    """Adjusted p-values (..., k), for many rows at once: statsmodels collects garbage after each, a tenth of a second.

    Holm (1979), A simple sequentially rejective multiple test procedure, Scand. J. Stat. 6, 65-70.
    """
    order = np.argsort(pvalues, axis=-1)
    down = np.take_along_axis(pvalues, order, -1) * np.arange(pvalues.shape[-1], 0, -1)
    grown = np.minimum(np.maximum.accumulate(down, axis=-1), 1.0)
    return np.take_along_axis(grown, np.argsort(order, axis=-1), -1)
