r"""Maximum of a likelihood with one quantity held at a value.

Newton's method on the Karush-Kuhn-Tucker equations of max l(x) subject to h(x) = c: with g, H the score and
Hessian at x and a, K those of h,

    [ -(H - lambda K)  a ] [ dx     ]   [ g        ]
    [ a'               0 ] [ lambda ] = [ c - h(x) ].

The draws are made again at every x from the same base numbers, and a few steps are enough.  The multiplier is
the slope of the profile, lambda = dl/dc, and what the last step would still gain is added to the value.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np

from statsmodels_mcla.estimation.boundary import NO_LOSS, reduction_without_loss
from statsmodels_mcla.estimation.constrained.objective import Objective, Point
from statsmodels_mcla.numerics import Array, is_positive_definite

CLOSE = 0.03  # distance to the maximum, in standard errors, at which the quadratic rest is added instead
LONGEST = 2.0  # step in standard errors
MAX_STEPS = 30
AWAY = 3.0  # factor on standard deviations that leads away from a saddle


class Inner(NamedTuple):
    """A quantity at given parameters, on the inner scale, with its derivatives in all natural parameters."""

    value: float
    gradient: Array  # (P,)
    hessian: Array  # (P, P)


class Constraint(Protocol):
    """A smooth function of the parameters that can be held at a value."""

    def at(self, params: Array) -> Inner:
        """Value and derivatives at natural parameters of the whole model (P,)."""


class Held(NamedTuple):
    """A quantity held at a value of its inner scale."""

    quantity: Constraint
    value: float


class ConstrainedMaximum(NamedTuple):
    """Outcome of `maximise`.

    Attributes
    ----------
    objective : Objective
        The one given, or it with covariance matrices of lower ranks, if they became singular on the way.
    point : Point
        Close to the maximum.
    value : float
        Log-likelihood at the maximum.
    slope : float
        Its derivative in the held value; 0 if nothing was held.
    direction : ndarray (k,)
        Derivative of the maximum in the held value.
    x : ndarray (k,)
        The maximum.
    converged : bool
    """

    objective: Objective
    point: Point
    value: float
    slope: float
    direction: Array
    x: Array
    converged: bool


class _Step(NamedTuple):
    dx: Array
    slope: float
    direction: Array
    length: float
    gain: float
    is_maximum: bool  # by the curvature


def maximise(
    objective: Objective, x: Array, held: Held | None = None, near: object = None
) -> ConstrainedMaximum:
    """Maximise the likelihood, with a quantity held at a value if one is given.

    Parameters
    ----------
    objective : Objective
    x : ndarray (k,)
        Working parameters to start from.
    held : Held, optional
    near : object, optional
        State of a point nearby.

    Raises
    ------
    FloatingPointError, numpy.linalg.LinAlgError
        If the likelihood cannot be evaluated at ``x``.
    """
    point = objective.at(x, near)
    step = newton_step(objective, point, held)
    for _ in range(MAX_STEPS):
        if step.length < CLOSE and step.is_maximum:
            break
        smaller = _lower_ranks(objective, point, held)
        if smaller is not None:
            return maximise(smaller, smaller.locate(point.params), held)
        far = _without_zeros(objective, point, held)
        if far is not None:
            return maximise(far[0], far[0].locate(far[1]), held)
        previous = point.x
        x = _not_to_zero(objective, previous, previous + min(1.0, LONGEST / step.length) * step.dx)
        if step.length < CLOSE:  # a saddle: the likelihood is flat where standard deviations are small
            x = previous.copy()
            x[objective.deviations] *= AWAY
        point = _evaluated(objective, previous, x, point)
        step = newton_step(objective, point, held)
    value, converged = point.value + step.gain, step.length < CLOSE and step.is_maximum
    x = _not_to_zero(objective, point.x, point.x + (step.dx if converged else 0.0))
    return ConstrainedMaximum(objective, point, value, step.slope, step.direction, x, converged)


def _evaluated(objective: Objective, previous: Array, x: Array, point: Point) -> Point:
    """Evaluate at x, or nearer where the likelihood does not exist there."""
    for shrink in 0.5 ** np.arange(6):
        try:
            found = objective.at(previous + shrink * (x - previous), point.state)
        except (FloatingPointError, np.linalg.LinAlgError):
            continue
        if np.isfinite(found.value):
            return found
    raise FloatingPointError("the likelihood cannot be evaluated on the way to the constrained maximum")


def newton_step(objective: Objective, point: Point, held: Held | None) -> _Step:
    """Solve the Karush-Kuhn-Tucker equations at a point."""
    information = -point.hessian + _stays(objective, point)
    if held is None:
        A = _positive(information)
        dx = np.linalg.solve(A, point.gradient)
        size = float(dx @ A @ dx)
        maximum = is_positive_definite(information)
        return _Step(dx, 0.0, np.zeros_like(dx), float(np.sqrt(size)), 0.5 * size, maximum)
    inner = held.quantity.at(point.params)
    a, K = objective.pull_back(point.x, inner.gradient, inner.hessian)
    gap = held.value - inner.value
    # the multiplier that fits the score best: the curvature of the constraint needs one
    B = _positive(information)
    Ba, Bg = np.linalg.solve(B, a), np.linalg.solve(B, point.gradient)
    first = float((a @ Bg - gap) / (a @ Ba))
    curvature = information + first * K
    A = curvature if is_positive_definite(curvature) else B
    Aa, Ag = np.linalg.solve(A, a), np.linalg.solve(A, point.gradient)
    slope = float((a @ Ag - gap) / (a @ Aa))
    dx = Ag - slope * Aa
    gain = float(point.gradient @ dx - 0.5 * dx @ A @ dx)
    along = np.linalg.svd(a[None])[2][1:]  # directions in which the constraint lets the others move
    maximum = is_positive_definite(along @ curvature @ along.T)
    return _Step(dx, slope, Aa / (a @ Aa), float(np.sqrt(dx @ A @ dx)), gain, maximum)


def _stays(objective: Objective, point: Point) -> Array:
    """Curvature (k, k) that holds a zero part where it has vanished; the likelihood has none there."""
    zeros = objective.submodel.zeros(point.params)
    if zeros is None or not zeros.gone(point.params):
        return np.zeros_like(point.hessian)
    P = len(point.params)
    of_each = [objective.pull_back(point.x, e, np.zeros((P, P)))[0] for e in np.eye(P)[zeros.columns]]
    return np.asarray(np.transpose(of_each) @ of_each)


def _positive(A: Array) -> Array:
    """Make a symmetric matrix positive definite, in the units of its own diagonal."""
    if is_positive_definite(A):
        return A
    size = np.sqrt(np.maximum(np.abs(np.diag(A)), 1e-12))
    values, vectors = np.linalg.eigh(A / np.outer(size, size))
    turned = (vectors * np.maximum(np.abs(values), 1e-2)) @ vectors.T
    return np.asarray(turned * np.outer(size, size))


def _not_to_zero(objective: Objective, old: Array, new: Array) -> Array:
    """Let no standard deviation fall by more than a factor of ten in a step, nor change its sign."""
    at = objective.deviations
    out = new.copy()
    sign = np.where(old[at] < 0, -1.0, 1.0)
    out[at] = sign * np.maximum(sign * new[at], 0.1 * np.abs(old[at]))
    return out


def _without_zeros(objective: Objective, point: Point, held: Held | None) -> tuple[Objective, Array] | None:
    """Model and parameters with a zero part that has vanished, if that loses nothing and it is not what is held."""
    zeros = objective.submodel.zeros(point.params)
    if zeros is None or zeros.gone(point.params):
        return None
    if held is not None and held.quantity.at(point.params).gradient[zeros.parameters].any():
        return None
    submodel, far = objective.submodel, zeros.far(point.params)
    if submodel.laplace_height(far) <= submodel.laplace_height(point.params) - NO_LOSS:
        return None
    pivots = zeros.without(submodel.reduction).pivots
    return objective if pivots == submodel.reduction.pivots else objective.on(
        submodel.with_pivots(pivots)
    ), far


def _lower_ranks(objective: Objective, point: Point, held: Held | None) -> Objective | None:
    """Give covariance matrices the lowest ranks that lose nothing, those aside that the held quantity needs."""
    submodel = objective.submodel
    keep, now = submodel.keep, submodel.reduction.pivots
    found, _ = reduction_without_loss(submodel.model, point.params[keep], submodel.size)
    needed = np.zeros(len(keep)) if held is None else held.quantity.at(point.params).gradient
    pivots = [
        old if len(new) >= len(old) or needed[submodel.parameters(k)].any() else new
        for k, (old, new) in enumerate(zip(now, found.pivots, strict=True))
    ]
    at_limit = submodel.reduction.at_limit or (found.at_limit and not needed[submodel.family].any())
    if tuple(pivots) == now and at_limit == submodel.reduction.at_limit:
        return None
    return objective.on(submodel.with_pivots(pivots, at_limit))
