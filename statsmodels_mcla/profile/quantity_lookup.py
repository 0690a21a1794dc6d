"""Quantities by the names that users know: parameters, rows of var_corr, functions of the parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd

from statsmodels_mcla.design import MixedDesign
from statsmodels_mcla.estimation import VanishedZeros
from statsmodels_mcla.estimation.constrained import ObjectiveMaximum, parameters_of_effect
from statsmodels_mcla.numerics import Array
from statsmodels_mcla.profile.quantities import (
    HIGHEST,
    LOWEST,
    BoundedDispersion,
    Coordinate,
    Correlation,
    Dispersion,
    End,
    OfNothing,
    Quantity,
    SmoothFunction,
    VanishedZeroPart,
    Variance,
)

STEP = 1e-4  # of a standard error, for derivatives of functions
FLAT = 1e-9  # derivative that counts as none, per standard error


def quantity_of(name: Any, maximum: ObjectiveMaximum, names: list[str]) -> Quantity:
    """Quantity of a name or a function.

    Parameters
    ----------
    name : str or callable
    maximum : ObjectiveMaximum
    names : list of str
        Of the parameters.

    Raises
    ------
    ValueError
        If there is no such quantity, or it has no single meaning.
    """
    if callable(name):
        return _function(name, maximum, names)
    design = maximum.full
    if name in names:
        return _parameter(names.index(name), maximum)
    found: dict[str, list[Quantity]] = {}
    for group, label, quantity in _var_corr(design):
        found.setdefault(label, []).append(quantity)
        found.setdefault(f"{group}: {label}", []).append(quantity)
    matches = found.get(name, [])
    if len(matches) > 1:
        longer = [key for key in found if key.endswith(f": {name}")]
        raise ValueError(f"name: {name!r} could be any of {', '.join(longer)}; say which")
    if not matches:
        raise ValueError(
            f"name: there is no {name!r}; there are {', '.join([*names, *found])}, and functions of the parameters"
        )
    quantity = matches[0]
    zeros = maximum.vanished_zeros
    if isinstance(quantity, Variance) and zeros is not None and quantity.index in zeros.variances:
        return OfNothing(quantity.index, 0.0)
    if isinstance(quantity, Correlation) and not maximum.reduction.keep[quantity.cov]:
        raise ValueError(f"name: {name!r} does not exist where a variance is zero")
    return quantity


def _parameter(index: int, maximum: ObjectiveMaximum) -> Quantity:
    design, zeros = maximum.full, maximum.vanished_zeros
    if zeros is not None and index in zeros.parameters:
        return _of_vanished(index, zeros, maximum)
    if index >= design.layout.family.start:
        if index not in design.positive:
            return Coordinate(index)
        return BoundedDispersion(-1, -1, index, (index,)) if design.has_limit else Dispersion(index)
    for variance in _variances(design):
        if variance.index == index:
            return variance
    return Coordinate(index)


def _of_vanished(index: int, zeros: VanishedZeros, maximum: ObjectiveMaximum) -> Quantity:
    if index not in zeros.columns:
        return OfNothing(index, 0.0 if any(v.index == index for v in _variances(maximum.full)) else -np.inf)
    side = zeros.open_side(index)
    return VanishedZeroPart(index, side, zeros.columns, zeros.one) if side else OfNothing(index)


def _variances(design: MixedDesign, power: int = 2) -> Iterator[Variance]:
    for k, term in enumerate(design.covariance.terms):
        for c in range(term.dim):
            zero = parameters_of_effect(design, k, c)
            diagonal = zero[c]  # its row of the lower triangle up to itself, then its column
            yield Variance(k, c, diagonal, zero, power)


def _var_corr(design: MixedDesign) -> Iterator[tuple[str, str, Quantity]]:
    """Group, label and quantity of each row of var_corr."""
    deviations = _variances(design, power=1)
    for k, (term, s) in enumerate(zip(design.terms, design.covariance.slices, strict=True)):
        own = [next(deviations) for _ in term.columns]
        for c, quantity in zip(term.columns, own, strict=True):
            yield term.name, f"SD({c})", quantity
        first = design.layout.covariance.start + s.start
        for a, (i, j) in enumerate(zip(*np.tril_indices(len(own)), strict=True)):
            if i != j:
                label = f"Corr({term.columns[j]}, {term.columns[i]})"
                yield term.name, label, Correlation(k, len(own), own[j].index, own[i].index, first + a)


def _function(
    function: Callable[[pd.Series], float], maximum: ObjectiveMaximum, names: list[str]
) -> Quantity:
    """Function of the parameters, with the ends that it has where variances are zero."""
    label = getattr(function, "__name__", "function")

    def value(params: Array) -> float:
        with np.errstate(all="ignore"):
            return float(function(pd.Series(params, index=names)))

    params, keep = maximum.params, maximum.reduction.keep
    zeros = maximum.vanished_zeros
    gone = np.isin(np.arange(len(params)), [] if zeros is None else zeros.parameters)
    step = STEP * np.where(np.isfinite(maximum.se) & ~gone, maximum.se, 1e-2)
    quantity = SmoothFunction(value, step)
    try:
        estimate, slopes = value(params), quantity.at(params).gradient * step / STEP
    except (TypeError, KeyError, IndexError, AttributeError) as error:
        raise ValueError(f"name: {label} cannot be evaluated at the estimates: {error!r}") from error
    if not np.isfinite(estimate):
        raise ValueError(f"name: {label} is {estimate} at the estimates")
    if not np.any(np.abs(slopes) > FLAT * max(abs(estimate), 1e-300)):
        raise ValueError(f"name: {label} does not depend on the parameters")
    if zeros is not None and not np.any(np.abs(slopes[~gone]) > FLAT * max(abs(estimate), 1e-300)):
        raise ValueError(
            f"name: {label} depends on the zero part alone, whose probability is zero at the maximum; transform the "
            f"limits of {names[zeros.columns[0]]!r} instead"
        )
    if not np.any(np.abs(slopes[keep]) > FLAT * max(abs(estimate), 1e-300)):
        return _at_its_end(value, step, estimate, maximum, slopes)
    lower, upper = LOWEST, HIGHEST
    for zero in _zero_sets(maximum.full, slopes):
        end = _end(value, params, step, keep, zero)
        if end is not None and end.inner < estimate:
            lower = max(lower, end, key=lambda e: e.inner)
        elif end is not None:
            upper = min(upper, end, key=lambda e: e.inner)
    return SmoothFunction(value, step, lower, upper)


def _at_its_end(
    value: Callable[[Array], float], step: Array, estimate: float, maximum: ObjectiveMaximum, slopes: Array
) -> SmoothFunction:
    """Function that depends on variances only that are zero at the maximum."""
    first: dict[int, Variance] = {}
    for v in _variances(maximum.full):
        if not maximum.reduction.ranks[v.term] and slopes[v.index]:
            first.setdefault(v.term, v)
    needed = tuple((first[k].column,) if k in first else () for k in range(len(maximum.full.terms)))
    variances = tuple(v.index for v in first.values())
    end = End(estimate, estimate, tuple(j for v in first.values() for j in v.zero))
    falls = sum(slopes[j] for j in variances) < 0
    ends = (LOWEST, end) if falls else (end, HIGHEST)
    return SmoothFunction(value, step, *ends, needed, variances)


def _zero_sets(design: MixedDesign, slopes: Array) -> list[tuple[int, ...]]:
    """Variances that a function may be smallest or largest without: each one, and all that it depends on."""
    single = [v.zero for v in _variances(design) if slopes[v.index]]
    together = tuple(sorted({j for zero in single for j in zero}))
    return [*single, together] if len(single) > 1 else single


def _end(
    value: Callable[[Array], float], params: Array, step: Array, keep: np.ndarray, zero: tuple[int, ...]
) -> End | None:
    """End of the range of a function, if it is constant without some variances."""
    there, free = params.copy(), keep.copy()
    there[list(zero)], free[list(zero)] = 0.0, False
    try:
        end = value(there)
        moved = [
            value(there + np.where(np.arange(len(there)) == j, step[j], 0.0)) for j in np.flatnonzero(free)
        ]
    except ZeroDivisionError:
        return None
    same = np.abs(np.asarray(moved) - end) <= FLAT * STEP * max(abs(end), 1e-300)
    return End(end, end, zero) if np.isfinite(end) and same.all() else None
