r"""Skewed coordinates: base numbers that lean like the conditional law, with mean 0 and variance 1 as before.

With z standard normal and w = sqrt(1 + z^2), sinh(asinh z + eps) = z cosh(eps) + w sinh(eps) is Jones and Pewsey's
(2009, Biometrika 96(4)) sinh-arcsinh transform; standardised, its skewness is about 3 eps where that is small.  The log
density of the effects along a column r_j of the root has the third derivative gamma_j = sum over rows of
d3 log f (J r_j)^3, which is the skewness of that coordinate to first order: eps_j = gamma_j / 3.
"""

from __future__ import annotations

import numpy as np

from statsmodels_mcla.numerics import Array

MOST = 0.5  # of eps: beyond, third derivatives tell little of the law
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(61)
_MEAN_ROOT = float(np.sqrt(1.0 + _NODES**2) @ _WEIGHTS / _WEIGHTS.sum())  # E sqrt(1 + z^2)


def skewness(gamma: Array) -> Array:
    """Parameters eps (B, q) of the transform, from third derivatives along the columns of the root."""
    return np.clip(np.nan_to_num(gamma) / 3.0, -MOST, MOST)


def skewed(z: Array, eps: Array) -> tuple[Array, Array]:
    """Transform base numbers (B, q, m); return them and the log derivative, summed over coordinates, (B, m)."""
    c, s = np.cosh(eps)[..., None], np.sinh(eps)[..., None]
    sd = np.sqrt(c * c + s * s * (2.0 - _MEAN_ROOT**2))
    w = np.sqrt(1.0 + z * z)
    out = z * c
    out += (w - _MEAN_ROOT) * s
    out /= sd
    slope = (c + s * (z / w)) / sd
    return out, np.log(slope, out=slope).sum(axis=1)
