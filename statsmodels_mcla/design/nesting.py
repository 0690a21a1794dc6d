"""Blocks of one outer effect and inner ones that are independent given it: mothers in a community, rows in a group."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from statsmodels_mcla.design.effect_rows import EffectRows
from statsmodels_mcla.numerics import Array


class Nesting(NamedTuple):
    """Which rows of the K blocks of a bucket share an inner effect; no row has two, and padding is left out.

    Attributes
    ----------
    outer_term, inner_term : int
    levels : int
        Inner effects a block.
    rows : ndarray of int (N,)
        Places of the rows, block by block and inner effect by inner effect, in arrays (K, n) laid flat.
    outer, inner : ndarray (N,)
        Their entries in the design of the random effects.
    of_row : ndarray of int (N,)
        Number of each row's inner effect among the L that have rows.
    first : ndarray of int (L,)
        First row of each inner effect,
    place : ndarray of int (L,)
        and its place among all of all blocks, laid flat.
    """

    outer_term: int
    inner_term: int
    levels: int
    rows: np.ndarray
    outer: Array
    inner: Array
    of_row: np.ndarray
    first: np.ndarray
    place: np.ndarray

    @property
    def block(self) -> np.ndarray:
        """Block of each inner effect that has rows (L,)."""
        return self.place // self.levels


def nesting_of(
    Z: EffectRows, sizes: list[tuple[int, int, int]], effects: list[np.ndarray], given: np.ndarray
) -> Nesting | None:
    """Nesting of blocks, from levels, effects and standard effects a level of each term; None where they have none.

    Parameters
    ----------
    Z : EffectRows
    sizes : list of tuple
    effects : list of ndarray
        Places of each term's effects.
    given : ndarray of bool (K, n)
        Rows that are no padding.
    """
    active = [t for t, (levels, _, rank) in enumerate(sizes) if levels * rank]
    if len(active) != 2 or any(sizes[t][1:] != (1, 1) for t in active):
        return None
    outer_term, inner_term = sorted(active, key=lambda t: sizes[t][0])
    levels = sizes[inner_term][0]
    if sizes[outer_term][0] != 1 or levels == 1:
        return None
    outer, inner = Z.single(effects[outer_term]), Z.single(effects[inner_term])
    if outer is None or inner is None:
        return None
    flat = (inner[0] + levels * np.arange(len(given))[:, None]).ravel()
    rows = np.flatnonzero(given)
    rows = rows[np.argsort(flat[rows], kind="stable")]
    place, first, of_row = np.unique(flat[rows], return_index=True, return_inverse=True)
    return Nesting(
        outer_term,
        inner_term,
        levels,
        rows,
        outer[1].ravel()[rows],
        inner[1].ravel()[rows],
        of_row,
        first,
        place,
    )
