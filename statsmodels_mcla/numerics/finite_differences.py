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
    at : ndarray (P,)
    step : ndarray (P,) or (P, P)
        Along each axis, or P steps that span the space, one a column: a root of a covariance matrix, say, whose columns
        are short where the function bends, whatever the units and origins of what its arguments belong to.

    Returns
    -------
    ndarray (..., P)
    """
    steps = np.diag(step) if step.ndim == 1 else step
    if not len(at):
        return np.empty((*np.shape(function(at)), 0))
    along = np.stack([(function(at + d) - function(at - d)) / 2.0 for d in steps.T], axis=-1)
    return along / step if step.ndim == 1 else np.asarray(along @ np.linalg.inv(steps))


def extrapolated_differences(function: Callable[[Array], Array], at: Array, step: Array) -> Array:
    """As `differences`, extrapolated from the step and half of it (Richardson, 1911): of the order of step^4."""
    return (4.0 * differences(function, at, 0.5 * step) - differences(function, at, step)) / 3.0
