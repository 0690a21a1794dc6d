"""Tables as users hand them over: of any library, with any type of column, in any order of labels."""

from __future__ import annotations

from collections.abc import Collection
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

from statsmodels_mcla.formula.terms import FormulaError

EXACT = 2**53  # integers up to here are floats too

KINDS = {
    "string": "text",
    "boolean": "booleans",
    "integer": "numbers",
    "floating": "numbers",
    "decimal": "numbers",
    "mixed-integer-float": "numbers",
    "datetime": "dates",
    "datetime64": "dates",
    "date": "dates",
    "period": "periods",
    "timedelta": "times",
    "timedelta64": "times",
}
CONVERTED: dict[tuple[str | None, str | None], str] = {
    ("text", "booleans"): "compare it with a text, as in x == 'True', since astype makes True of any text"
}


def as_frame(data: Any, names: Collection[str] | None = None) -> pd.DataFrame:
    """Return data as a DataFrame with at least one row, in types that numpy and patsy know.

    Parameters
    ----------
    data : DataFrame, mapping, or table of another library
        Anything with ``to_pandas`` (polars, pyarrow, narwhals) or ``__dataframe__``.
    names : collection of str, optional
        Columns that are used; others stay as they are, or behind in a table of another library. All by default.
    """
    return plain(table(data, names), names)


def plain(frame: pd.DataFrame, names: Collection[str] | None = None) -> pd.DataFrame:
    """Return a DataFrame with its named columns in types that numpy and patsy know."""
    if not len(frame):
        raise FormulaError("data has no rows")
    out = frame
    for name in frame.columns if names is None else [c for c in frame.columns if c in names]:
        column = frame[name]
        if isinstance(column, pd.DataFrame):
            if names is None:
                continue
            raise FormulaError(f"the data have several columns of the name {name!r}: rename all but one")
        found = plain_column(column)
        if found is not column:
            out = frame.copy(deep=False) if out is frame else out
            out[name] = found
    return out


def table(data: Any, names: Collection[str] | None = None) -> pd.DataFrame:
    """Return data as a DataFrame, of a table of another library the named columns."""
    if isinstance(data, pd.DataFrame):
        return data
    try:
        if hasattr(data, "collect"):  # a query that was not asked yet
            data = data.collect()
        if hasattr(data, "to_pandas"):
            columns = getattr(data, "column_names", None) or list(data.columns)
            chosen = [name for name in columns if names is None or name in names]
            found: pd.DataFrame = (data.select if hasattr(data, "select") else data.__getitem__)(
                chosen
            ).to_pandas()
            return found
        if hasattr(data, "__dataframe__"):
            return pd.api.interchange.from_dataframe(data)
        return pd.DataFrame(data)
    except (ValueError, TypeError, ImportError) as error:
        way = "give a list a column, {'x': [1.0]}" if "scalar values" in str(error) else str(error)
        raise FormulaError(f"data must be a DataFrame: {way}") from error


def plain_column(column: pd.Series) -> pd.Series:
    """Column without pandas' own or Arrow's missing values: NaN stands for them."""
    dtype: Any = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        categories = pd.Series(dtype.categories)
        found = plain_column(categories)
        return column if found is categories else column.cat.rename_categories(list(found))
    if getattr(dtype, "na_value", None) is not pd.NA:
        return column
    missing, kind = column.isna(), dtype.kind
    if kind in "Mm":
        return pd.Series(column.astype(dtype.numpy_dtype))
    if kind in "iu" and not (missing.any() and (column.abs() > EXACT).any()):
        return column.astype("float64") if missing.any() else column.astype(np.dtype(f"{kind}8"))
    values = column.astype(object).where(~missing, np.nan)
    if kind == "f" or all(isinstance(value, Decimal) for value in values[~missing]):
        return values.astype("float64")
    return values.astype(bool) if kind == "b" and not missing.any() else values


def settled(frame: pd.DataFrame, names: Collection[str]) -> pd.DataFrame:
    """Rows that are left, with the categories that occur, and booleans that missing values made objects."""
    out = with_booleans(frame, names)
    for name in [c for c in frame.columns if c in names]:
        if isinstance(frame[name].dtype, pd.CategoricalDtype):
            out[name] = frame[name].cat.remove_unused_categories()
    return out


def with_booleans(frame: pd.DataFrame, names: Collection[str]) -> pd.DataFrame:
    """Rows that are left of some, with booleans that missing values made objects."""
    out = frame.copy(deep=False)
    for name in [c for c in frame.columns if c in names]:
        column = frame[name]
        if column.dtype == object and pd.api.types.infer_dtype(column, skipna=False) == "boolean":
            out[name] = column.astype(bool)
    return out


def rows_of(index: pd.Index, subset: Any) -> np.ndarray:
    """Positions of rows with these labels that booleans or labels choose."""
    try:
        own = isinstance(subset, (pd.Series, pd.Index)) or not hasattr(subset, "to_numpy")
        place = pd.DataFrame({"place": np.arange(len(index))}, index=index)
        found = place.loc[subset if own else subset.to_numpy(), "place"].to_numpy()
    except (
        *(AttributeError, KeyError, IndexError, TypeError, ValueError),
        pd.errors.IndexingError,
    ) as error:
        raise FormulaError(
            f"subset must be one boolean for each row of the data, or labels of its index: {error}"
        ) from error
    if not len(found):
        raise FormulaError("subset leaves no rows")
    return found


def by_label(value: Any, index: pd.Index | None, name: str) -> Any:
    """Values of each row: those of a Series at the rows' labels, anything else as it is.

    Raises
    ------
    FormulaError
        If the Series lacks labels of the rows, or labels are repeated.
    """
    if not isinstance(value, pd.Series):
        return value
    if index is not None and not value.index.equals(index):
        if not (value.index.is_unique and index.is_unique and index.isin(value.index).all()):
            raise FormulaError(f"{name} has another index than the data; align it, or pass {name}.to_numpy()")
        value = value.reindex(index)
    return plain_column(value)


def kind_of(column: pd.Series) -> str | None:
    """What a column holds, a word of `KINDS`; None for nothing, for a mixture and for anything else."""
    values = pd.Series(column.cat.categories) if isinstance(column.dtype, pd.CategoricalDtype) else column
    return KINDS.get(pd.api.types.infer_dtype(values, skipna=True))


def _matched(kind: str | None) -> str | None:
    """Kind of values that those of a kind may be equal to: True is 1."""
    return "numbers" if kind == "booleans" else kind


def labelled_like(frame: pd.DataFrame, fitted: pd.DataFrame, names: Collection[str]) -> pd.DataFrame:
    """New rows whose categories are matched by value with those of the fit.

    Raises
    ------
    FormulaError
        If a column holds another kind of values, so that no value of it could be one of the fit's.
    """
    out = plain(frame, {name for name in names if name in fitted.columns}).copy(deep=False)
    for name in [c for c in frame.columns if c in names and c in fitted.columns]:
        new, old = out[name], fitted[name]
        kinds = kind_of(new), kind_of(old)
        if None not in kinds and _matched(kinds[0]) != _matched(kinds[1]):
            raise FormulaError(
                f"the column {name!r} holds {kinds[0]} in the new rows and {kinds[1]} in the data of the fit, so that "
                f"its values cannot be matched: {CONVERTED.get(kinds, 'convert it with astype, as it was for the fit')}"
            )
        if isinstance(new.dtype, pd.CategoricalDtype):
            out[name] = new = new.astype(object)
        if _matched(kinds[0]) == "numbers" and new.dtype == object and pd.api.types.is_numeric_dtype(old):
            out[name] = new = pd.to_numeric(new)  # as a row that was taken out of a table holds them
        if isinstance(old.dtype, pd.CategoricalDtype) and new.dropna().isin(old.cat.categories).all():
            out[name] = pd.Categorical(new, dtype=old.dtype)
    return out
