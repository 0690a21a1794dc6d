"""Rows of covariates to predict at, and observed averages to hold predictions against."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from statsmodels_mcla.plots.curves import Points

if TYPE_CHECKING:
    from statsmodels_mcla.numerics import Array

STEPS = 61  # points of a curve
DISTINCT, BINS = 15, 10  # values of a covariate up to which each gets its average; bins otherwise


def category_label(column: Any, value: Any) -> str:
    """Name of a category: itself if it is text, otherwise with its column."""
    return value if isinstance(value, str) else f"{column} = {value}"


def typical_row(frame: pd.DataFrame, at: Mapping[str, Any]) -> pd.Series:
    """Values that other covariates are held at.

    Medians of numbers (of an even number of rows, the lower one, so that the value occurs in the data), the most
    frequent of categories; what ``at`` says comes first.
    """
    values: dict[str, Any] = {}
    for name in map(str, frame.columns):
        column = frame[name]
        if name in at:
            values[name] = at[name]
        elif pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
            values[name] = np.sort(column.to_numpy())[(len(column) - 1) // 2]
        else:
            values[name] = column.mode().iloc[0]
    return pd.Series(values, dtype=object)


def _positions(column: pd.Series, categorical: bool) -> Array:
    """Values of the covariate to predict at."""
    if categorical:
        if isinstance(column.dtype, pd.CategoricalDtype):
            return np.asarray(column.cat.remove_unused_categories().cat.categories)
        return np.asarray(sorted(column.unique()))
    return np.linspace(float(column.min()), float(column.max()), STEPS)


def _rows(frame: pd.DataFrame, row: pd.Series, x: str, positions: Array) -> pd.DataFrame:
    """Data frame with one row a position, other columns constant and of their old types."""
    out = pd.DataFrame({name: [row[name]] * len(positions) for name in frame.columns})
    out[x] = positions
    for name in frame.columns:
        if isinstance(frame[name].dtype, pd.CategoricalDtype):
            out[name] = out[name].astype(frame[name].dtype)
    return out


def population_rows(
    frame: pd.DataFrame, x: str, by: str | None, at: Mapping[str, Any], categorical: bool
) -> list[tuple[Any, pd.DataFrame]]:
    """Rows of one curve for each category of ``by``, over the values of ``x`` that occur in it."""
    base = typical_row(frame, at)
    if by is None:
        return [(None, _rows(frame, base, x, _positions(frame[x], categorical)))]
    out = []
    for value in _positions(frame[by], True):
        row = base.copy()
        row[by] = value
        here = frame.loc[frame[by] == value, x]
        out.append((value, _rows(frame, row, x, _positions(here, categorical))))
    return out


def group_rows(
    frame: pd.DataFrame, x: str, group: str, levels: Sequence[Any], at: Mapping[str, Any], categorical: bool
) -> list[tuple[Any, pd.DataFrame]]:
    """Rows of one curve for each level of a grouping factor: its own covariates, its own values of ``x``.

    Raises
    ------
    ValueError
        If a level is not in the data.
    """
    out = []
    for level in levels:
        own = frame[frame[group] == level]
        if own.empty:
            raise ValueError(f"groups: {group} has no level {level!r}, such as {frame[group].iloc[0]!r}")
        out.append((level, _rows(frame, typical_row(own, at), x, _positions(own[x], categorical))))
    return out


def observed_averages(
    x: pd.Series, y: Array, weights: Array, by: pd.Series | None, categorical: bool
) -> list[Points]:
    """Averages of the response at each value of the covariate, or over bins of about equal count.

    Parameters
    ----------
    x : Series (n,)
    y : ndarray (n,)
        Response on the scale of its mean.
    weights : ndarray (n,)
        Trials behind each response.
    by : Series (n,), optional
        One set of points for each of its categories.
    categorical : bool
        Whether ``x`` names categories.
    """
    values = [None] if by is None else list(_positions(by, True))
    out = []
    for colour, value in enumerate(values):
        rows = np.ones(len(x), bool) if by is None else (by == value).to_numpy()
        here = x[rows].to_numpy()
        if categorical or len(np.unique(here)) <= DISTINCT:
            code, place = pd.factorize(here, sort=True)
        else:
            edges = np.unique(np.quantile(here.astype(float), np.linspace(0, 1, BINS + 1)))
            code = np.clip(np.searchsorted(edges, here, side="right") - 1, 0, len(edges) - 2)
            place = None
        weight = np.bincount(code, weights[rows])
        full = weight > 0
        mean = np.bincount(code, weights[rows] * y[rows])[full] / weight[full]
        if place is None:
            place = np.bincount(code, weights[rows] * here.astype(float))[full] / weight[full]
        label = "observed averages"
        if by is not None:
            label = f"{category_label(by.name, value)}, {label}"
        out.append(Points(label, np.asarray(place), mean, weight[full], colour))
    return out
