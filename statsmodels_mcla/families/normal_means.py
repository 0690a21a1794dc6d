"""Means of a function of a normal linear predictor: random effects integrated out of the inverse link.

The trapezoid rule on the whole real line converges exponentially for analytic integrands (Trefethen and
Weideman, 2014, SIAM Review 56(3), theorem 5.1): with step h and an integrand that is analytic in the strip
|Im z| < d its error is about exp(-2 pi d / h) times the largest integrand there, exp(d^2 / 2) for a normal density.
In units of the standard deviation s the nearest singularity of an inverse link is ``strip / s`` away, so that the step
follows from s, and large variances cost more points but no accuracy.  Gauss-Hermite rules, which know nothing of
the strip, need far more.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from statsmodels_mcla.numerics import Array

REACH = 8.6  # the normal density has 1e-17 of its mass beyond
EXPONENT = 32.0  # errors of about exp(-32), 1e-14
SMALL_SD = 1e-3  # below, the derivative in the variance is that at this standard deviation


class NormalMean(NamedTuple):
    """Moments of g(eta), eta normal: its mean with derivatives in the mean and variance of eta, and its mean square."""

    mean: Array
    d_eta: Array
    d_var: Array
    square: Array


def trapezoid_mean(
    mean: Callable[[Array], Array], mean_deriv: Callable[[Array], Array], strip: float, eta: Array, var: Array
) -> NormalMean:
    """Integrate a bounded function and its derivative over normal eta.

    Parameters
    ----------
    mean, mean_deriv : callable
        The function g and its derivative.
    strip : float
        Distance of the nearest singularity of g from the real line.
    eta, var : ndarray
        Mean and variance, of shapes that broadcast.

    Returns
    -------
    NormalMean

    Notes
    -----
    d/d var E g(eta + s z) = E[z g'(eta + s z)] / (2 s), by Stein's identity half the mean of g''.
    """
    eta, var = np.broadcast_arrays(np.asarray(eta, float), np.asarray(var, float))
    sd = np.sqrt(var)
    total, slope, tilt, square = (np.zeros(eta.shape) for _ in range(4))
    largest = max(float(sd.max(initial=0.0)), SMALL_SD)
    if not np.isfinite(largest):
        nothing = np.full(eta.shape, np.nan)
        return NormalMean(nothing, nothing, nothing, nothing)
    # beyond the latter, the density's growth costs more than it gains
    depth = min(strip / largest, np.sqrt(2.0 * EXPONENT))
    width = 2.0 * np.pi * depth / (EXPONENT + 0.5 * depth**2)
    count = int(np.ceil(REACH / width))
    nodes = REACH / count * np.arange(-count, count + 1)
    weights = np.exp(-0.5 * nodes**2)
    weights /= weights.sum()
    wide = np.maximum(sd, SMALL_SD)
    for z, weight in zip(nodes, weights, strict=True):
        value = mean(eta + sd * z)
        total += weight * value
        square += weight * value**2
        slope += weight * mean_deriv(eta + sd * z)
        tilt += weight * z * mean_deriv(eta + wide * z)
    return NormalMean(total, slope, tilt / (2.0 * wide), square)
