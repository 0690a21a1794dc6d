"""Quantiles of many distributions at once, from their distribution functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy import special

from statsmodels_mcla.numerics import Array

DOUBLINGS = 60  # of the distance in which a quantile is looked for
STEPS = 200  # of the search between two places
NEAR = 1e-11  # on the scale of normal quantiles
Excess = Callable[[Array, np.ndarray], Array]
FAR = 38.0  # normal quantiles of probabilities that floating point does not tell from 0 or 1


def quantiles(
    cdf: Callable[[Array, np.ndarray], Array],
    p: float,
    low: Array,
    high: Array,
    width: Array,
    *,
    discrete: bool,
    atoms: Sequence[float] = (),
) -> Array:
    """Quantiles (N,): where distribution functions are p, or of whole numbers the first with p or more.

    Regula falsi with the rule of Anderson and Bjorck (1973, BIT 13, 253-264), on the scale of normal quantiles, where
    distribution functions are nearly straight.

    Parameters
    ----------
    cdf : callable
        Values (n,) of the functions with some numbers (n,), at places (n,).
    p : float
    low, high, width : ndarray (N,)
        Between which places to look first, and how far to go on from there.
    discrete : bool
        Whether they are whole numbers, of which ``low`` is the first that there is.
    atoms : sequence of float
        Places where distribution functions that are continuous otherwise may jump: no search would end there.
    """
    out, every = np.full(len(low), np.nan), np.arange(len(low))
    for atom in atoms:
        at, under = np.full(len(low), float(atom)), np.full(len(low), np.nextafter(atom, -np.inf))
        out[(cdf(under, every) < p) & (cdf(at, every) >= p)] = atom
    rest = np.flatnonzero(np.isnan(out))

    def excess(y: Array, rows: np.ndarray) -> Array:
        return np.clip(special.ndtri(np.clip(cdf(y, rest[rows]), 0.0, 1.0)), -FAR, FAR) - special.ndtri(p)

    around = _bracketed(
        excess, low[rest].astype(float), high[rest].astype(float), width[rest], discrete=discrete
    )
    out[rest] = _between(excess, *around, discrete=discrete)
    return out


def _bracketed(
    excess: Excess, low: Array, high: Array, width: Array, *, discrete: bool
) -> tuple[Array, Array, Array, Array]:
    """Places below and above the quantiles, and the excess there."""
    every = np.arange(len(low))
    above, rows, step = excess(high, every), every, width.copy()
    below = np.full(len(low), np.nan)
    for _ in range(DOUBLINGS):
        rows = rows[above[rows] < 0.0]
        if not len(rows):
            break
        low[rows], below[rows] = high[rows], above[rows]
        high[rows] += step[rows]
        step[rows] *= 2.0
        above[rows] = excess(high[rows], rows)
    rows, step = np.flatnonzero(np.isnan(below)), width.copy()
    below[rows] = excess(low[rows], rows)
    if discrete:  # below the first of all numbers there is nothing
        first = rows[below[rows] >= 0.0]
        low[first], high[first] = low[first] - 1.0, low[first]
        return low, high, below, above
    for _ in range(DOUBLINGS):
        rows = rows[below[rows] >= 0.0]
        if not len(rows):
            break
        high[rows], above[rows] = low[rows], below[rows]
        low[rows] -= step[rows]
        step[rows] *= 2.0
        below[rows] = excess(low[rows], rows)
    return low, high, below, above


def _between(excess: Excess, low: Array, high: Array, below: Array, above: Array, *, discrete: bool) -> Array:
    """Quantiles between two places with a negative excess and another."""
    kept = np.zeros(len(low))  # the end that the last step has left where it was: -1 for the lower one
    for k in range(STEPS):
        gap = high - low
        rows = np.flatnonzero(gap > (1.0 if discrete else 1e-14 * (np.abs(low) + np.abs(high))))
        if not len(rows):
            break
        share = below[rows] / (below[rows] - above[rows]) if k % 5 < 4 else 0.5
        y = low[rows] + np.clip(share, 0.0, 1.0) * gap[rows]
        if discrete:
            y = np.clip(np.floor(y), low[rows] + 1.0, high[rows] - 1.0)
        found = excess(y, rows)
        up, at = rows[found >= 0.0], found[found >= 0.0]
        again = kept[up] < 0
        below[up[again]] *= _less(at[again], above[up[again]])
        high[up], above[up], kept[up] = y[found >= 0.0], at, -1.0
        down, at = rows[found < 0.0], found[found < 0.0]
        again = kept[down] > 0
        above[down[again]] *= _less(at[again], below[down[again]])
        low[down], below[down], kept[down] = y[found < 0.0], at, 1.0
        if not discrete:
            there = np.abs(found) < NEAR
            low[rows[there]] = high[rows[there]] = y[there]
    return high if discrete else 0.5 * (low + high)


def _less(now: Array, before: Array) -> Array:
    """What is left of the excess at the end that stays where it is, by the change at the other end."""
    with np.errstate(divide="ignore", invalid="ignore"):
        left = 1.0 - now / before
    return np.where(left > 0.0, left, 0.5)
