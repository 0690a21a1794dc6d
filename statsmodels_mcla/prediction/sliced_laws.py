"""Laws of numbers, cut into slices that are each taken at their mean.

The cuts are quantiles at equally spaced normal scores, so that the tails are cut as finely as the middle.
"""

from __future__ import annotations

import numpy as np
from scipy import special

from statsmodels_mcla.numerics import Array

SLICES = 41
SCORES = np.linspace(-4.0, 4.0, SLICES - 1)
EDGES = np.concatenate([[0.0], special.ndtr(SCORES), [1.0]])  # probabilities
WEIGHTS = np.diff(EDGES)
DENSITY = np.concatenate([[0.0], np.exp(-0.5 * SCORES**2) / np.sqrt(2.0 * np.pi), [0.0]])
NORMAL_SLICES = -np.diff(DENSITY) / WEIGHTS  # mean of a standard normal in each slice
NODES = 21  # of a normal law that widens the slices,
FEW_NODES = 7  # and of one that is narrow beside them
NARROW = 0.5


def slice_means(values: Array, weights: Array, of: Array | None = None) -> Array:
    """Mean of weighted values (N, m), or of others, in each slice of their distribution, (N, SLICES)."""
    order = np.argsort(values, axis=1)
    values = np.take_along_axis(values if of is None else of, order, axis=1)
    weights = weights[order] if weights.ndim == 1 else np.take_along_axis(weights, order, axis=1)
    mass, integral = (np.zeros((len(values), values.shape[1] + 1)) for _ in range(2))
    np.cumsum(weights, axis=1, out=mass[:, 1:])
    np.cumsum(weights * values, axis=1, out=integral[:, 1:])
    total = mass[:, -1:].copy()
    row = 2.0 * np.arange(len(values))[:, None]  # one row after another, for a single interpolation
    mass /= total
    mass += row
    at = np.interp((EDGES + row).ravel(), mass.ravel(), integral.ravel()).reshape(len(values), -1)
    return np.diff(at, axis=1) / (WEIGHTS * total)


def widened(slices: Array, sd: Array, sliced: np.ndarray) -> Array:
    """Slices (N, SLICES) of the sum of a law and a normal one.

    Parameters
    ----------
    slices : ndarray (N, SLICES)
        Of the first law,
    sd : ndarray (N,)
        standard deviation of the second.
    sliced : ndarray of bool (N,)
        Whether the first is more than a point.
    """
    out = slices + sd[:, None] * NORMAL_SLICES
    narrow = sd**2 < NARROW**2 * ((slices - (slices @ WEIGHTS)[:, None]) ** 2 @ WEIGHTS)
    for rows, count in ((sliced & narrow, FEW_NODES), (sliced & ~narrow, NODES)):
        if rows.any():
            nodes, weights = np.polynomial.hermite_e.hermegauss(count)
            sums = slices[rows][..., None] + sd[rows, None, None] * nodes
            together = np.outer(WEIGHTS, weights / weights.sum()).ravel()
            out[rows] = slice_means(sums.reshape(len(sums), -1), together)
    return out
