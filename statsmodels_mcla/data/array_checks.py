"""Checks of what users pass in: one clear error that names the argument and the way out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any
from warnings import warn

import numpy as np
import pandas as pd
import scipy.linalg
import scipy.sparse as sp

from statsmodels_mcla.data.argument_checks import check_missing
from statsmodels_mcla.design import RandomTerm
from statsmodels_mcla.exceptions import MCLAWarning, row_name
from statsmodels_mcla.families import ConditionalFamily
from statsmodels_mcla.numerics import Array, numeric_array, unmasked

MANY_DROPPED = 0.1  # of the rows: more than these are warned of
SPLINE = re.compile(r"(cr|cc|te|bs)\(")
CENTRED = (
    "the columns of the spline add up to a constant: write constraints='center' in it, cr(x, df=4, "
    "constraints='center'), or leave out the intercept, 0 + ..."
)


def check_aligned(endog: Any, **others: Any) -> None:
    """Refuse pandas arguments whose rows are labelled differently: rows are matched by position."""
    first, index = "", None
    for name, value in {"endog": endog, **others}.items():
        other = getattr(value, "index", None)
        if not isinstance(other, pd.Index):
            continue
        if index is None:
            first, index = name, other
        if len(other) == len(index) and not other.equals(index):
            raise ValueError(
                f"the indices of {first} and {name} differ: align them, or pass {name}.to_numpy()"
            )


def dense_only(value: Any, name: str) -> None:
    """Refuse a sparse matrix where an array is needed."""
    if sp.issparse(value):
        raise ValueError(f"{name} is sparse; pass {name}.toarray()")


def finite_matrix(value: Any, name: str) -> Array:
    """Return a two-dimensional float array."""
    if isinstance(value, pd.DataFrame) and not all(
        isinstance(kind, np.dtype) and kind.kind in "biuf" for kind in value.dtypes
    ):  # whose missing values may be pandas' own
        value = value.astype(object).where(value.notna(), np.nan)
    dense_only(value, name)
    try:
        out = numeric_array(value)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{name} must be numeric, one number for each row and column; encode text and dates, for instance with a "
            "formula"
        ) from error
    if out.ndim == 1:
        out = out[:, None]
    if out.ndim != 2:
        raise ValueError(f"{name} must have two dimensions (rows, columns), got {out.ndim}")
    return out


def row_vector(value: Any, n: int, name: str) -> Array:
    """Return one float a row."""
    try:
        out = numeric_array(value)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be numeric, one number a row") from error
    if out.ndim == 0:
        out = np.full(n, float(out))
    elif out.shape in ((n, 1), (1, n)):
        out = out.reshape(n)
    if out.shape != (n,):
        raise ValueError(f"{name} has shape {np.shape(value)}, but there are {n} rows")
    return out


def weight_vector(value: Any, n: int, name: str, rows: Any = None) -> Array:
    """Return one non-negative number a row, not all of them zero; ones if nothing is given.

    Errors name a row by its number or label in ``rows`` (see `row_name`).
    """
    if value is None:
        return np.ones(n)
    out = row_vector(value, n, name)
    if np.any(out < 0):
        row = int(np.flatnonzero(out < 0)[0])
        raise ValueError(f"{name} must not be negative, but is {out[row]:g} in {row_name(row, rows)}")
    if n and not np.any(out > 0):
        raise ValueError(f"{name} must not be zero in every row")
    return out


def complete_rows(named: dict[str, Any], n: int, missing: str) -> np.ndarray:
    """Rows without missing values, if ``missing`` says that others are to be dropped.

    Parameters
    ----------
    named : dict
        Row arrays (n,) or (n, k), dense or sparse, by argument name; None is skipped.
    n : int
        Number of rows.
    missing : {"none", "drop", "raise"}

    Returns
    -------
    ndarray of bool (n,)

    Raises
    ------
    ValueError
        If there are infinite values, or missing ones that are not to be dropped.
    """
    check_missing(missing)
    keep, counts = np.ones(n, bool), {"": 0}
    for name, value in named.items():
        if value is None:
            continue
        if sp.issparse(value):
            coo: Any = sp.coo_array(value)  # type: ignore[call-overload]
            bad = np.zeros(n, bool)
            infinite = np.isinf(coo.data).any()
            bad[coo.coords[0][np.isnan(coo.data)]] = True
        else:
            array = np.asarray(value)
            if array.dtype.kind not in "fcO":
                continue
            rows = array.reshape(n, -1)
            infinite = array.dtype.kind != "O" and np.isinf(rows).any()
            bad = np.asarray(pd.isna(rows).reshape(n, -1).any(axis=1))
        if infinite:
            raise ValueError(f"{name} has infinite values; replace or remove them")
        if bad.any() and missing != "drop":
            raise ValueError(
                f"{name} has missing values (NaN), the first in row {int(np.flatnonzero(bad)[0])}; "
                "remove those rows or use missing='drop'"
            )
        keep &= ~bad
        counts[name] = int(bad.sum())
    if 0 < keep.sum() < (1.0 - MANY_DROPPED) * n:
        warn(
            f"{int((~keep).sum())} of {n} rows have missing values and are left out",
            MCLAWarning,
            stacklevel=4,
        )
    if not keep.any():
        worst = max(counts, key=counts.__getitem__)
        raise ValueError(
            f"no row without missing values is left: {worst} has missing values in {counts[worst]} of {n}"
        )
    return keep


def check_full_rank_beside_constant(X: Array, names: Sequence[str], family: str) -> None:
    """Refuse fixed effects that are linearly dependent, alone or together with thresholds.

    Raises
    ------
    ValueError
        As `check_full_rank`, and if the columns make up a constant.
    """
    if X.shape[1]:
        check_full_rank(X, names)
    try:
        check_full_rank(np.column_stack([X, np.ones(len(X))]), [*names, "constant"])
    except ValueError as error:
        raise ValueError(
            f"exog: its columns {list(names)} make up a constant, whose place the thresholds of family {family} take; "
            "drop one of them (in a formula: leave out '0 +' or '- 1')"
        ) from error


def check_full_rank(X: Array, names: Sequence[str]) -> None:
    """Refuse fixed effects that are linearly dependent, naming the columns.

    Raises
    ------
    ValueError
        If X has fewer rows than columns or dependent columns.
    """
    n, p = X.shape
    if p == 0:
        raise ValueError("exog has no columns; use a column of ones for a model with an intercept only")
    if n < p:
        raise ValueError(f"exog has {p} columns but only {n} rows: the fixed effects cannot be told apart")
    size = np.sqrt((X * X).sum(axis=0))
    if np.any(size == 0):
        zero = [names[int(j)] for j in np.flatnonzero(size == 0)]
        raise ValueError(f"exog columns {zero} are zero in every row; drop them")
    R = np.linalg.qr(X / size, mode="r")
    _, R, order = scipy.linalg.qr(R, mode="economic", pivoting=True)
    rank = int((np.abs(np.diagonal(R)) > 1e-9 * max(n, p) ** 0.5).sum())
    if rank == p:
        return
    dependent = [names[int(j)] for j in order[rank:]]
    weights = np.linalg.solve(R[:rank, :rank], R[:rank, rank])
    others = [names[int(order[j])] for j in range(rank) if abs(weights[j]) > 1e-6]
    raise ValueError(
        f"exog is rank deficient: {dependent[0]!r} is a linear combination of {others}"
        + (f", and {dependent[1:]} depend on others too" if len(dependent) > 1 else "")
        + "; "
        + ("drop dependent columns from the fixed effects" if not all(map(SPLINE.match, others)) else CENTRED)
    )


def refuse_saturated(n: int, names: Sequence[str], predictor: str = "") -> None:
    """Refuse as many fixed effects of a linear predictor as there are rows, or of a dispersion as half of them.

    Parameters
    ----------
    n : int
        Rows.
    names : sequence of str
        Independent columns.
    predictor : str
        Its name, "" for the mean.

    Raises
    ------
    ValueError
        They reproduce any responses, and nothing is left for other parameters.
    """
    if len(names) >= n:
        argument = f"the formula of {predictor!r}" if predictor else "exog"
        raise ValueError(
            f"{argument} has as many effects as there are rows ({n}), among them {names[-1]!r}: a row to each leaves "
            "nothing to tell the other parameters by. Drop a covariate of which each row has another category "
            "(numbers that are held as text or written C(x) become categories: pd.to_numeric)"
        )
    if predictor == "disp" and 2 * len(names) >= n:
        raise ValueError(
            f"dispformula has {len(names)} effects for {n} rows, among them {names[-1]!r}: two rows to each do not "
            "tell a dispersion beside their means, and the likelihood has no maximum. Merge categories, or give the "
            "dispersion random effects, '~ (1 | category)'"
        )


def check_start_params(
    start_params: Any,
    names: Sequence[str],
    non_negative: np.ndarray,
    positive: np.ndarray,
    argument: str = "start_params",
) -> Array:
    """Return parameters as an array.

    Parameters
    ----------
    start_params : array_like (P,)
    names : sequence of str
        Names of the parameters.
    non_negative : ndarray of bool (P,)
        Which are variances or dispersions.
    positive : ndarray of int
        Places of those that must not be zero, as no singular fit has them there.
    argument : str
        What they are called, for messages.
    """
    try:
        out = np.asarray(start_params, dtype=float)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{argument} must be numeric") from error
    if out.shape != (len(names),):
        raise ValueError(
            f"{argument} has shape {out.shape}, but the model has {len(names)} parameters: {list(names)}"
        )
    if not np.all(np.isfinite(out)):
        raise ValueError(f"{argument} must be finite")
    bad = non_negative & (out < 0)
    bad[positive] = out[positive] <= 0
    if bad.any():
        at = int(np.argmax(bad))
        kind = "be positive" if at in positive else "not be negative"
        raise ValueError(f"{argument}: {names[at]!r} must {kind}, got {out[at]:g}")
    return out


def terms_of_arrays(
    exog_vc: Any, ident: Any, vcp_names: Sequence[str] | None, vc_names: Sequence[str] | None, n: int
) -> tuple[RandomTerm, ...]:
    """Random terms of the array interface: columns of exog_vc with equal ident share one variance."""
    if exog_vc is None:
        raise ValueError(
            "exog_vc is missing: a mixed model needs random effects; without any, use statsmodels GLM"
        )
    matrix: Any = exog_vc if sp.issparse(exog_vc) else finite_matrix(exog_vc, "exog_vc")
    Z: Any = sp.csr_array(matrix, dtype=float)
    if Z.shape[0] != n:
        raise ValueError(f"exog_vc has {Z.shape[0]} rows, but endog has {n}")
    if Z.shape[1] == 0:
        raise ValueError(
            "exog_vc has no columns: a mixed model needs random effects; without any, use statsmodels GLM"
        )
    labels = _ident(ident, Z.shape[1])
    distinct = np.unique(labels)
    names = [f"VC_{k + 1}" for k in range(len(distinct))] if vcp_names is None else list(vcp_names)
    if len(names) != len(distinct):
        raise ValueError(f"vcp_names has {len(names)} names, but ident has {len(distinct)} distinct values")
    columns = (
        getattr(exog_vc, "columns", [f"u{j + 1}" for j in range(Z.shape[1])])
        if vc_names is None
        else vc_names
    )
    if len(columns) != Z.shape[1]:
        raise ValueError(f"vc_names has {len(columns)} names, but exog_vc has {Z.shape[1]} columns")
    by_column = sp.csc_array(Z)
    empty = np.flatnonzero(np.diff(by_column.indptr) == 0)
    if len(empty):
        raise ValueError(f"exog_vc: column {str(columns[int(empty[0])])!r} is zero in every row; drop it")
    out = []
    for name, label in zip(unique_names(names, "vcp_names"), distinct, strict=True):
        mine = np.flatnonzero(labels == label)
        levels = tuple(str(columns[int(j)]) for j in mine)
        out.append(RandomTerm(name, (name,), levels, sp.csr_array(by_column[:, mine])))
    return tuple(out)


def _ident(ident: Any, columns: int) -> np.ndarray:
    if ident is None:
        raise ValueError("ident is missing: give the number of the variance of each column of exog_vc")
    labels = np.asarray(ident)
    if labels.ndim != 1 or len(labels) != columns:
        raise ValueError(f"ident has shape {labels.shape}, but exog_vc has {columns} columns")
    if labels.dtype.kind not in "iu":
        raise ValueError(
            f"ident must be integers (dtype int), one a column of exog_vc, got dtype {labels.dtype}"
        )
    return labels


def unique_names(names: Sequence[str], argument: str) -> list[str]:
    """Return the names as a list, refusing repeated ones."""
    out = [str(n) for n in names]
    repeated = pd.Index(out)[pd.Index(out).duplicated()]
    if len(repeated):
        raise ValueError(f"{argument} must be unique, but {repeated[0]!r} is repeated")
    return out


def response_rows(endog: Any) -> Any:
    """Responses as they were given, masked ones missing.

    Raises
    ------
    ValueError
        If they are no rows.
    """
    dense_only(endog, "endog")
    try:
        dimensions = np.ndim(endog)
    except ValueError as error:  # lists of several lengths
        raise ValueError("endog must hold one response a row, or successes and failures in each") from error
    if dimensions == 0:
        raise ValueError(f"endog must hold one response a row, got {endog!r}")
    return unmasked(endog)


def response_values(endog: Any, family: ConditionalFamily) -> np.ndarray:
    """Responses as an array, categories of pandas by their names: their numbers may be other ones than the family's."""
    dtype = getattr(endog, "dtype", None)
    if not (family.categorical and isinstance(dtype, pd.CategoricalDtype)):
        return np.asarray(unmasked(endog))
    return np.asarray(pd.Series(endog).cat.rename_categories(list(map(str, dtype.categories))), object)


def column_names(exog: Any, fep_names: Sequence[str] | None, count: int) -> list[str]:
    """Names of the columns of exog, its own where none are given."""
    if fep_names is not None:
        if len(fep_names) != count:
            raise ValueError(f"fep_names has {len(fep_names)} names, but exog has {count} columns")
        return unique_names(fep_names, "fep_names")
    if isinstance(exog, pd.DataFrame):
        return unique_names(list(exog.columns), "the columns of exog")
    return [f"FE_{j + 1}" for j in range(count)]
