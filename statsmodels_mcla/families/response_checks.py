"""Checks of a response vector: each refusal names ``endog``, the family, the value and the row."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np
from numpy.typing import NDArray

from statsmodels_mcla.exceptions import row_name
from statsmodels_mcla.numerics import Array

NEAR, LEAST_FRACTION = 1e-7, 1e-2  # relative to the number, and at most


class ResponseError(ValueError):
    """A response that its family does not have.

    Parameters
    ----------
    problem : str
        What the family needs, and what it got.
    at : tuple of int, optional
        Row of the first such value, and its column if there are several.
    rows : ndarray or Index, optional
        Numbers or labels of the rows in the data, where those looked at are some of these.
    """

    def __init__(self, problem: str, at: tuple[int, ...] = (), rows: Any = None) -> None:
        self.problem, self.at = problem, at
        column = f", column {at[1]}" if len(at) > 1 else ""
        super().__init__(f"{problem} at {row_name(at[0], rows, column)}" if at else problem)

    def among(self, rows: Any) -> ResponseError:
        """The same of rows with these numbers or labels in the data."""
        return ResponseError(self.problem, self.at, rows)


def refuse(bad: NDArray[np.bool_], values: NDArray[Any], family: str, needs: str) -> None:
    """Raise if any element is bad, telling about the first.

    Parameters
    ----------
    bad : ndarray of bool
        Which values are outside the family, (n,) or (n, columns).
    values : ndarray
        The values, same shape.
    family : str
        Name of the family.
    needs : str
        What the family needs, as a plural noun phrase.

    Raises
    ------
    ResponseError
        If ``bad`` has a true element.
    """
    if not bad.any():
        return
    where = tuple(int(i) for i in np.argwhere(bad)[0])
    value = values[where]
    if isinstance(value, float):  # with all its digits: what is nearly an integer does not look like one
        value = int(value) if value.is_integer() else float(value)
    raise ResponseError(f"endog: family {family} needs {needs}; got {value!r}", where)


def numeric_response(endog: Any, family: str) -> Array:
    """Return ``endog`` as a finite float64 array, a single column flattened.

    Parameters
    ----------
    endog : array_like
        The user's response.
    family : str
        Name of the family, for the message.

    Returns
    -------
    ndarray
        (n,) or (n, columns).

    Raises
    ------
    ValueError
        If a value is not a finite real number (strings that spell numbers are not numbers).
    """
    raw = np.asarray(endog)
    if raw.ndim == 2 and raw.shape[1] == 1:
        raw = raw[:, 0]
    if raw.ndim not in (1, 2):
        raise ValueError(f"endog must be one- or two-dimensional; got shape {raw.shape}")
    if raw.dtype.kind not in "biuf":
        flat = [_is_real(value) for value in raw.astype(object).ravel()]
        refuse(~np.array(flat, dtype=bool).reshape(raw.shape), raw.astype(object), family, "numbers")
    values = raw.astype(float)
    refuse(~np.isfinite(values), values, family, "finite numbers")
    return values


def integer_response(endog: Any, family: str, *, needs: str = "non-negative integers") -> Array:
    """Return ``endog`` as `numeric_response` does, refusing fractions.

    Parameters
    ----------
    endog : array_like
        The user's response.
    family : str
        Name of the family, for the message.
    needs : str, optional
        What the family needs, as a plural noun phrase.

    Returns
    -------
    ndarray
        Integers as float64.

    Raises
    ------
    ValueError
        If a value is not a finite integer.
    """
    values = numeric_response(endog, family)
    whole = nearest_integers(values)
    refuse(np.isnan(whole), values, family, needs)
    return whole


def nearest_integers(values: Array) -> Array:
    """Integers that numbers stand for but for the error of arithmetic, as R has it; NaN for fractions."""
    whole = np.rint(values)
    with np.errstate(invalid="ignore"):  # of infinities
        near = np.abs(values - whole) <= np.minimum(NEAR * np.maximum(np.abs(values), 1.0), LEAST_FRACTION)
    return np.where(near, whole, np.nan)


def _is_real(value: object) -> bool:
    return isinstance(value, (numbers.Real, np.bool_))
