"""Derivatives by central differences."""

from __future__ import annotations

from collections.abc import Callable, Sequence

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
    if not len(at):
        return np.empty((*np.shape(function(at)), 0))
    return slopes([function(point) for point in difference_points(at, step)], step)


def difference_points(at: Array, step: Array) -> list[Array]:
    """Where `differences` evaluates: on either side of ``at`` along each step."""
    return [at + s * d for d in (np.diag(step) if step.ndim == 1 else step).T for s in (1.0, -1.0)]


def slopes(values: Sequence[Array], step: Array) -> Array:
    """Derivative from values at the `difference_points`."""
    along = np.stack([(a - b) / 2.0 for a, b in zip(values[::2], values[1::2], strict=True)], axis=-1)
    return along / step if step.ndim == 1 else np.asarray(along @ np.linalg.inv(step))


def extrapolated_differences(function: Callable[[Array], Array], at: Array, step: Array) -> Array:
    """As `differences`, extrapolated from the step and half of it (Richardson, 1911): of the order of step^4."""
    return (4.0 * differences(function, at, 0.5 * step) - differences(function, at, step)) / 3.0
