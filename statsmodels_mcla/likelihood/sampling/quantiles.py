"""Laws of one coordinate as their quantile functions of a standard normal: monotone cubics through knots."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import ndtri

from statsmodels_mcla.numerics import Array

STEP, KNOTS = 0.25, 45  # of z at the knots, from -5.5 to 5.5
FIRST = -0.5 * STEP * (KNOTS - 1)
FADED = -20.0  # log density, from the peak's, of what is too little to be looked at
TINY = 1e-16


def through_knots(z: Array, knots: Array, slopes: Array) -> tuple[Array, Array]:
    """Values of base numbers (B, k, m) between knots (B, k, KNOTS), and their log derivative, summed, (B, m)."""

    def pick(place: np.ndarray) -> tuple[Array, Array]:
        return np.take_along_axis(knots, place, axis=-1), np.take_along_axis(slopes, place, axis=-1)

    out, slope = interpolated(z, pick)
    return out, np.log(slope, out=slope).sum(axis=1)


def interpolated(z: Array, pick: Callable[[np.ndarray], tuple[Array, Array]]) -> tuple[Array, Array]:
    """Cubic Hermite interpolation and its derivative, linear beyond the knots.

    ``pick`` gives values and slopes at knots of the given numbers, one for each z.
    """
    inside = np.clip(z, FIRST, -FIRST)
    place = np.minimum(((inside - FIRST) / STEP).astype(np.intp), KNOTS - 2)
    x = (inside - FIRST) / STEP - place
    (low, a), (high, b) = pick(place), pick(place + 1)
    a, b = STEP * a, STEP * b
    rise = high - low
    bend, twist = 3.0 * rise - 2.0 * a - b, a + b - 2.0 * rise
    out = low + x * (a + x * (bend + x * twist))
    slope = (a + x * (2.0 * bend + 3.0 * x * twist)) / STEP
    out += slope * (z - inside)
    return out, slope


def inverse_distribution(t: Array, log_density: Array) -> tuple[Array, Array]:
    """T = F^-1(Phi(z)) and its slope at the knots (..., KNOTS), from log densities at equal distances (..., points)."""
    h = t[..., 1:2] - t[..., :1]
    density = np.exp(log_density)
    slope = np.gradient(density, axis=-1, edge_order=2) / h
    # the trapezoid rule with its end correction: of the order of h^4
    area = 0.5 * h * (density[..., 1:] + density[..., :-1]) + h * h / 12.0 * (
        slope[..., :-1] - slope[..., 1:]
    )
    area = np.maximum(area, 0.0)
    total = area.sum(axis=-1, keepdims=True)
    zero = np.zeros_like(total)
    below = np.concatenate([zero, np.cumsum(area, axis=-1)], axis=-1) / total
    above = np.concatenate([np.cumsum(area[..., ::-1], axis=-1)[..., ::-1], zero], axis=-1) / total
    s = np.where(below < 0.5, ndtri(np.maximum(below, TINY)), -ndtri(np.maximum(above, TINY)))
    z = FIRST + STEP * np.arange(KNOTS)
    left = np.clip((s[..., None, :] <= z[:, None]).sum(axis=-1) - 1, 0, t.shape[-1] - 2)  # (..., KNOTS)

    def pick(values: Array, shift: int) -> Array:
        return np.take_along_axis(values, left + shift, axis=-1)

    # monotone cubic of t in s between neighbours, whose slopes dt/ds are known (Fritsch and Carlson, 1980)
    with np.errstate(all="ignore"):
        ds = np.exp(-0.5 * s * s) / np.sqrt(2.0 * np.pi) / (density / total)
        width = np.maximum(pick(s, 1) - pick(s, 0), TINY)
        x = np.clip((z - pick(s, 0)) / width, 0.0, 1.0)
        a, b = (np.minimum(np.nan_to_num(width * pick(ds, i), nan=np.inf), 3.0 * h) for i in (0, 1))
        bend, twist = 3.0 * h - 2.0 * a - b, a + b - 2.0 * h
        knots = pick(t, 0) + x * (a + x * (bend + x * twist))
        slopes = (a + x * (2.0 * bend + 3.0 * x * twist)) / width
        secants = np.diff(knots, axis=-1) / STEP
        ends = np.concatenate(
            [secants[..., :1], np.minimum(secants[..., 1:], secants[..., :-1]), secants[..., -1:]], -1
        )
    return knots, np.maximum(np.minimum(slopes, 3.0 * ends), np.where(ends > 0, TINY, np.nan))
