"""Derivatives by central differences."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from statsmodels_mcla.numerics.linalg import Array


def differences(function: Callable[[Array], Array], at: Array, step: Array) -> Array:
    """Derivative of a function of any shape, along a new last axis; its error is of the order of step^2.

    Parameters
    ----------
    function : callable
        Of an ndarray (P,).
    at, step : ndarray (P,)

    Returns
    -------
    ndarray (..., P)
    """
    out = []
    for j, h in enumerate(step):
        d = np.zeros(len(at))
        d[j] = h
        out.append((function(at + d) - function(at - d)) / (2.0 * h))
    return np.stack(out, axis=-1) if out else np.empty((*np.shape(function(at)), 0))


def extrapolated_differences(function: Callable[[Array], Array], at: Array, step: Array) -> Array:
    """As `differences`, extrapolated from the step and half of it (Richardson, 1911): of the order of step^4."""
    return (4.0 * differences(function, at, 0.5 * step) - differences(function, at, step)) / 3.0
