"""What a root of a conditional covariance can do, however it is held."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from statsmodels_mcla.design import EffectRows
from statsmodels_mcla.numerics import Array


class Map(Protocol):
    """A linear map of the draws of each block."""

    def apply(self, t: Array) -> Array:
        """Image (B, q, m) of t."""

    def take(self, index: np.ndarray | slice) -> Map:
        """Map of some of the blocks."""


class Root(Map, Protocol):
    """R of each block.  *Turns* are triangular matrices of its coordinates, or parts of them: see `moving_draws`."""

    @property
    def still(self) -> Array:
        """The turn that is the identity, (1, ...)."""

    def diagonal(self, turns: Array) -> Array:
        """Diagonals (B, s, q) of s turns a block."""

    @property
    def log_det(self) -> Array:
        """log |R| (B,)."""

    def take(self, index: np.ndarray | slice) -> Root:
        """Root of some of the blocks."""

    def inflated(self, factor: float) -> Root:
        """R times a number."""

    def of(self, x: Array) -> Array:
        """R x (B, q)."""

    def back(self, g: Array) -> Array:
        """R' g (B, q), or (B, q, k)."""

    def inverse(self, b: Array) -> Array:
        """R^-1 b (B, q)."""

    def composed(self, turn: Array) -> Map:
        """R times a turn."""

    def local(self, places: np.ndarray) -> Array | None:
        """Entries (B, L, r, r) of R in the places (r, L) of each level, if these columns have no others."""

    def leverage(self, J: EffectRows) -> Array:
        """Conditional variance of each row's J b, (B, n)."""

    def trace(self, J: EffectRows, left: EffectRows, w: Array) -> float:
        """tr(left' diag(w) J R R'), summed over blocks."""

    def thirds(self, J: EffectRows, third: Array, *columns: np.ndarray) -> Array:
        """Sum over rows of third times the product of three columns of J R, (B, k), from three arrays of k places.

        Of two columns of different parts of the root (see `EliminatedRoot`), it is not known.
        """

    def turn(self, J: EffectRows, dW: Array, left: EffectRows | None = None, W: Array | None = None) -> Array:
        """Turn F with F + F' = -R' (left' W J + J' W left + J' dW J) R."""

    def filled(self) -> Root:
        """Root whose turns have more entries, for second derivatives to be told in."""

    def bend(self, J: tuple[EffectRows, EffectRows], W: Array, turns: tuple[Array, Array]) -> Array:
        """Second derivative G of turns that are F and H in two directions, as a turn (B, ...).

        With J_1 and J_2 the derivatives of J, G + G' = P Q + Q P - R' (J_1' W J_2 + J_2' W J_1) R - F H' - H F', where
        P = -(F + F') and Q = -(H + H').
        """

    def products(self, g: Array, t: Array) -> Array:
        """Sums over draws (B, ...) that `slopes_in_turns` is told of, from gradients g and base numbers t (B, q, m)."""

    def slopes_in_turns(self, products: Array) -> Array:
        """Slopes (B, k, ...) of sums over draws of g' R F t in the entries of a turn F."""
