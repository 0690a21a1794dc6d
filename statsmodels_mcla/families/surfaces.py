"""Functions of several linear predictors of a row, and their means over normal ones.

A mean less its zero part, or the probability of a category, depends on more than one linear predictor.  Random effects
may be shared by them, so that their joint law counts.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from statsmodels_mcla.families.jets import Jet
from statsmodels_mcla.families.links import MeanLink
from statsmodels_mcla.numerics import Array, covariance_root

MOST_NODES = 4000  # of a product rule, in all
MOST_ON_AN_AXIS = 61
AT_A_TIME = 2**13  # values of a function
STEP = 1e-3  # of the five-point rule for the second derivative of a mean
NOTHING = 1e-14  # of a variance, relative to the largest


class SurfaceMean(NamedTuple):
    """Moments of a function of normal linear predictors.

    Attributes
    ----------
    mean, square : ndarray
        Its mean and mean square.
    slopes : dict
        Derivatives of the mean in the mean of each predictor, by its place.
    bends : dict
        Derivatives of the mean in each variance (i, i) and covariance (i, j), i < j.
    """

    mean: Array
    square: Array
    slopes: dict[int, Array]
    bends: dict[tuple[int, int], Array]


@dataclass(frozen=True)
class Surface(ABC):
    """A function of some of a family's linear predictors.

    Attributes
    ----------
    predictors : tuple of int
        Their numbers.
    """

    predictors: tuple[int, ...]

    @abstractmethod
    def value(self, *etas: Jet) -> Jet:
        """Return the function, written with `jets`."""

    def at(self, etas: Sequence[Array]) -> Jet:
        """Return value and derivatives in the predictors, by their place among ``predictors``."""
        with np.errstate(over="ignore"):
            return self.value(*(Jet.variable(eta, k) for k, eta in enumerate(etas)))

    def normal_mean(self, etas: Sequence[Array], cov: Array) -> SurfaceMean:
        """Return moments over normal predictors of these means and covariances (..., K, K).

        By a product rule of Gauss and Hermite along the principal axes of the covariances; where there is no variance,
        by one value.
        """
        root = covariance_root(cov)
        size = np.abs(root).max(axis=-2).reshape(-1, root.shape[-1]).max(axis=0, initial=0.0)
        root = root[..., size > np.sqrt(NOTHING) * max(float(size.max(initial=0.0)), 1.0)]
        K = len(etas)
        total = SurfaceMean(
            np.zeros_like(etas[0]),
            np.zeros_like(etas[0]),
            {k: np.zeros_like(etas[0]) for k in range(K)},
            {(i, j): np.zeros_like(etas[0]) for i in range(K) for j in range(i, K)},
        )
        nodes, weights = _rule(root.shape[-1])
        together = max(1, AT_A_TIME // max(total.mean.size, 1))
        for start in range(0, len(nodes), together):
            z, weight = nodes[start : start + together], weights[start : start + together]
            at = [eta + np.moveaxis(root[..., k, :] @ z.T, -1, 0) for k, eta in enumerate(etas)]
            found = self.at(at)

            def mean(part: Array | float, weight: Array = weight, shape: Any = at[0].shape) -> Array:
                return np.tensordot(weight, np.broadcast_to(part, shape), axes=1)

            total.mean[...] += mean(found.value)
            total.square[...] += mean(found.value**2)
            for k, slope in total.slopes.items():
                np.add(slope, mean(found.d.get(k, 0.0)), out=slope)
            for (i, j), bend in total.bends.items():
                np.add(bend, (0.5 if i == j else 1.0) * mean(found.h.get((i, j), 0.0)), out=bend)
        return total


@lru_cache(maxsize=8)
def _rule(dim: int) -> tuple[Array, Array]:
    """Nodes (Q, dim) and weights (Q,) for a standard normal vector."""
    if dim == 0:
        return np.zeros((1, 0)), np.ones(1)
    count = min(MOST_ON_AN_AXIS, max(3, int(MOST_NODES ** (1.0 / dim))))
    nodes, weights = np.polynomial.hermite_e.hermegauss(count)
    weights = weights / weights.sum()
    points = np.array(list(product(nodes, repeat=dim)))
    return points, np.prod(list(product(weights, repeat=dim)), axis=1)


def along(curve: MeanLink, eta: Jet) -> Jet:
    """Return a curve at a predictor, its second derivative by a five-point rule on the first."""
    at = eta.value
    far = curve.mean_deriv(at + 2.0 * STEP) - curve.mean_deriv(at - 2.0 * STEP)
    near = curve.mean_deriv(at + STEP) - curve.mean_deriv(at - STEP)
    return eta.through(curve.mean(at), curve.mean_deriv(at), (8.0 * near - far) / (12.0 * STEP))
