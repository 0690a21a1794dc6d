"""Roots of conditional covariances as arrays."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from statsmodels_mcla.design import EffectRows
from statsmodels_mcla.likelihood.laplace.maps import Map
from statsmodels_mcla.numerics import Array, inner_products, multiply_draws, transpose


@dataclass(frozen=True)
class _DenseMap:
    """A map as one array (B, q, q)."""

    array: Array

    def apply(self, t: Array) -> Array:
        """See `Map`."""
        return multiply_draws(self.array, t, np.empty(t.shape))

    def take(self, index: np.ndarray | slice) -> _DenseMap:
        """See `Map`."""
        return _DenseMap(self.array[index])


@dataclass(frozen=True)
class DenseRoot:
    """R as one array (B, q, q), and turns as they are.

    It is triangular in the order of the effects' degrees, the numbers of effects that they share rows with: those that
    are independent given the others come first, and have columns of their own.
    """

    array: Array
    order: np.ndarray | None = None

    @property
    def still(self) -> Array:
        """See `Root`."""
        return np.eye(self.array.shape[-1])[None]

    def diagonal(self, turns: Array) -> Array:
        """See `Root`."""
        return np.diagonal(turns, axis1=-2, axis2=-1)

    @property
    def log_det(self) -> Array:
        """See `Root`."""
        return np.log(np.abs(np.diagonal(self.array, axis1=-2, axis2=-1))).sum(axis=-1)

    @cached_property
    def covariance(self) -> Array:
        """R R' (B, q, q)."""
        return self.array @ transpose(self.array)

    def take(self, index: np.ndarray | slice) -> DenseRoot:
        """See `Root`."""
        return DenseRoot(self.array[index], self.order)

    def inflated(self, factor: float) -> DenseRoot:
        """See `Root`."""
        return DenseRoot(factor * self.array, self.order)

    def apply(self, t: Array) -> Array:
        """See `Map`."""
        return multiply_draws(self.array, t, np.empty(t.shape))

    def of(self, x: Array) -> Array:
        """See `Root`."""
        return (self.array @ x[..., None])[..., 0] if x.ndim == 2 else self.array @ x

    def back(self, g: Array) -> Array:
        """See `Root`."""
        up = transpose(self.array)
        return (up @ g[..., None])[..., 0] if g.ndim == 2 else up @ g

    def inverse(self, b: Array) -> Array:
        """See `Root`."""
        return np.asarray(np.linalg.solve(self.array, b[..., None])[..., 0])

    def composed(self, turn: Array) -> Map:
        """See `Root`."""
        return _DenseMap(self.array @ turn)

    def local(self, places: np.ndarray) -> Array | None:
        """See `Root`."""
        levels = places.T
        own = self.array[:, levels[:, :, None], levels[:, None, :]]
        return own if np.count_nonzero(self.array[:, :, places.ravel()]) == np.count_nonzero(own) else None

    def leverage(self, J: EffectRows) -> Array:
        """See `Root`."""
        return J.quadratic(self.covariance)

    def trace(self, J: EffectRows, left: EffectRows, w: Array) -> float:
        """See `Root`."""
        return float((w * J.quadratic(self.covariance, left)).sum())

    def thirds(self, J: EffectRows, third: Array, *columns: np.ndarray) -> Array:
        """See `Root`."""
        out = np.zeros((len(third), len(columns[0])))
        for rows, JR in J.rooted(self.array):
            product = JR[..., columns[0]]
            for each in columns[1:]:
                product *= JR[..., each]
            out += (third[:, None, rows] @ product)[:, 0]
        return out

    def turn(self, J: EffectRows, dW: Array, left: EffectRows | None = None, W: Array | None = None) -> Array:
        """See `Root`."""
        change = J.gram(dW)
        if left is not None and W is not None:
            both = J.gram(W, left)
            change = change + both + transpose(both)
        return self.half(-(transpose(self.array) @ change @ self.array))

    def filled(self) -> DenseRoot:
        """See `Root`."""
        return self

    def bend(self, J: tuple[EffectRows, EffectRows], W: Array, turns: tuple[Array, Array]) -> Array:
        """See `Root`."""
        P, Q = (turn + transpose(turn) for turn in turns)
        both = (
            P @ Q - transpose(self.array) @ J[0].gram(W, J[1]) @ self.array - turns[0] @ transpose(turns[1])
        )
        return self.half(both + transpose(both))

    def products(self, g: Array, t: Array) -> Array:
        """See `Root`."""
        return inner_products(g, t)

    def slopes_in_turns(self, products: Array) -> Array:
        """See `Root`."""
        return np.asarray(transpose(self.array)[:, None] @ products)

    def half(self, symmetric: Array) -> Array:
        """Turn T with T + T' = symmetric."""
        place = np.arange(symmetric.shape[-1]) if self.order is None else np.argsort(self.order)
        return symmetric * np.where(place[:, None] < place, 1.0, np.where(place[:, None] == place, 0.5, 0.0))
