"""What Stirling's formula leaves of log Gamma, with two derivatives, accurate for large arguments.

``remainder(x) = log Gamma(x) - (x - 1/2) log x + x - log(2 pi)/2``, which is 1/(12 x) - ... .
Densities whose dispersion goes to zero are differences of log Gamma at huge arguments; written with
the remainder they lose no digits. (Abramowitz & Stegun 1964, 6.1.40, 6.3.18, 6.4.12.)
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import special

from statsmodels_mcla.numerics import Array

_SWITCH = 50.0  # beyond it the first term left out of each series is below 1e-14 of the sum
_SHIFT = 10
HALF_LOG_2PI = 0.5 * np.log(2 * np.pi)


def trigamma(x: Array) -> Array:
    """Return the second derivative of log Gamma at ``x > 0``: by its series, ten steps further up.

    An order of magnitude faster than scipy's zeta function.
    """
    total, at = np.zeros(np.shape(x)), np.asarray(x, float)
    for _ in range(_SHIFT):
        total = total + 1.0 / (at * at)
        at = at + 1.0
    r = 1.0 / at
    z = r * r
    series = z * (1 / 6 - z * (1 / 30 - z * (1 / 42 - z * (1 / 30 - z * (5 / 66 - z * (691 / 2730))))))
    return np.asarray(total + r * (1.0 + 0.5 * r + series))


def _split(x: Array) -> tuple[NDArray[np.bool_], Array, Array]:
    """Return (large?, x kept out of the series' bad range, x kept out of the direct one's)."""
    return x >= _SWITCH, np.maximum(x, _SWITCH), np.minimum(x, _SWITCH)


def remainder(x: Array) -> Array:
    """Return Stirling's remainder at ``x > 0``."""
    large, far, near = _split(x)
    r = 1.0 / far**2
    series = (1 / 12 - r * (1 / 360 - r * (1 / 1260))) / far
    direct = special.gammaln(near) - (near - 0.5) * np.log(near) + near - HALF_LOG_2PI
    return np.where(large, series, direct)


def remainder_d1(x: Array) -> Array:
    """Return the first derivative of `remainder` at ``x > 0``."""
    large, far, near = _split(x)
    r = 1.0 / far**2
    series = -r * (1 / 12 - r * (1 / 120 - r * (1 / 252)))
    direct = special.digamma(near) - np.log(near) + 0.5 / near
    return np.where(large, series, direct)


def remainder_d2(x: Array) -> Array:
    """Return the second derivative of `remainder` at ``x > 0``."""
    large, far, near = _split(x)
    r = 1.0 / far**2
    series = (1 / 6 - r * (1 / 30 - r * (1 / 42))) * r / far
    direct = trigamma(near) - 1.0 / near - 0.5 / near**2
    return np.where(large, series, direct)
