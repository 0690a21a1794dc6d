"""Rows to predict for: those of the model, of a new table, or of arrays, as linear predictors."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import patsy
import scipy.sparse as sp

from statsmodels_mcla.data import MixedModel, finite_matrix, inputs_of, row_vector, total_offset
from statsmodels_mcla.design import NewRows, TermDesign
from statsmodels_mcla.estimation import Fitted
from statsmodels_mcla.estimation.boundary import Reduction
from statsmodels_mcla.exceptions import MCLAWarning, warn_user
from statsmodels_mcla.formula import (
    FormulaError,
    as_frame,
    by_label,
    labelled_like,
    lost_in_comparisons,
    of_other_rows,
    reading,
)
from statsmodels_mcla.numerics import Array
from statsmodels_mcla.prediction.estimable import estimable
from statsmodels_mcla.prediction.linear_predictors import (
    LinearRows,
    prior_basis,
    prior_basis_of,
    prior_basis_of_level,
)

RANDOM = ("none", "conditional", "marginal")


@dataclass(frozen=True)
class FixedRows:
    """Fixed part of rows.

    Attributes
    ----------
    X : ndarray (N, p)
    offset : ndarray (N,)
    index : Index or None
        Labels of the rows, if they have any.
    frame : DataFrame or None
        The table that they were read from.
    of_model : bool
        Whether they are the rows of the model.
    """

    X: Array
    offset: Array
    index: pd.Index | None
    frame: pd.DataFrame | None
    of_model: bool

    def __len__(self) -> int:
        return len(self.X)


@dataclass(frozen=True)
class PredictionRows:
    """Rows to predict for.

    Attributes
    ----------
    rows : LinearRows
        The complete ones.
    complete : ndarray of bool (N,)
        Rows without missing values.
    index : Index or None
    n_trials, var_weights : ndarray (N complete,)
        Of a new observation.
    """

    rows: LinearRows
    complete: np.ndarray
    index: pd.Index | None
    n_trials: Array
    var_weights: Array


def fixed_rows(
    model: MixedModel,
    exog: Any = None,
    transform: bool = True,
    offset: Any = None,
    exposure: Any = None,
    *,
    cells: bool = False,
) -> FixedRows:
    """Read the fixed part of rows to predict for.

    Parameters
    ----------
    model : MCLAMixedGLM
    exog : DataFrame, dict or array_like, optional
        As in `prediction_rows`.
    transform : bool
    offset, exposure : str or array_like, optional
    cells : bool
        Whether the rows are parts of averages, of which it is asked later whether the data tell them.

    Raises
    ------
    ValueError
        If the rows do not fit the model.

    Warns
    -----
    MCLAWarning
        If the data tell nothing about some rows, which become NaN.
    """
    names = list(model.data.fe_names)
    named = isinstance(exog, (pd.Series, Mapping)) or hasattr(exog, "columns")
    if isinstance(exog, pd.DataFrame) and isinstance(exog.columns, pd.RangeIndex):
        named = False  # an array with an index
    if exog is None:
        inputs = inputs_of(model)
        X, frame = np.asarray(inputs.exog), getattr(model.data, "frame", None)
        index = inputs.exog.index if model.data.row_labels is not None else None
    elif transform and hasattr(model, "formula") and named:
        info = design_info_of(model)
        frame = as_frame(exog.to_frame().T.infer_objects() if isinstance(exog, pd.Series) else exog)
        frame = labelled_like(frame, model.data.frame, model.data.used)
        X, index = _read_fixed(info, model.formula, frame), frame.index
        further = [_read_fixed(part, text, frame) for text, part in getattr(model.data, "parts", {}).values()]
        X = np.concatenate([X, *further], axis=1)
        _tell_of_other_rows(model, info)
        if not cells:
            X[_untold(model, frame)] = np.nan
    else:
        column = isinstance(exog, pd.Series) and len(names) == 1
        index = exog.index if isinstance(exog, pd.DataFrame) or column else None
        if isinstance(exog, pd.DataFrame) and set(exog.columns) == set(names):
            exog = exog[names]
        frame = exog if isinstance(exog, pd.DataFrame) and named else None
        X = finite_matrix(exog, "exog")
        if np.ndim(exog) == 1 and len(names) > 1:  # one row
            X = X.T
        if X.shape[1] != len(names):
            raise ValueError(
                f"exog has {X.shape[1]} columns, but the model has {len(names)} fixed effects: {names}"
                + (
                    f". A table with the columns of {model.formula!r} is transformed"
                    if getattr(model.data, "model_spec", None) is not None
                    else ""
                )
            )
    n = len(X)
    if exog is None and offset is None and exposure is None:
        total = inputs_of(model).offset
    else:
        if offset is None and exposure is None:
            offset, exposure = _of_the_fit(model, frame, strict=transform)
        offset, exposure = (
            None if value is None else _row_values(value, frame, index, n, name)
            for value, name in ((offset, "offset"), (exposure, "exposure"))
        )
        total = total_offset(offset, exposure, n, model.conditional_family)
    return FixedRows(X, total, index, frame, exog is None)


def fixed_predictions(model: MixedModel, rows: FixedRows, params: Array, which: str) -> Array:
    """Means or linear predictors (N,) of random effects of zero; NaN in rows with missing values."""
    eta = rows.X @ params[: rows.X.shape[1]] + rows.offset
    return model.conditional_family.mean(eta) if which == "mean" else eta


def prediction_rows(
    model: MixedModel,
    fitted: Fitted,
    fixed: FixedRows,
    random: str,
    exog_vc: Any = None,
    n_trials: Any = None,
    var_weights: Any = None,
    predictors: tuple[int, ...] = (0,),
) -> PredictionRows:
    """Complete rows to predict for with their random effects.

    Parameters
    ----------
    model : MCLAMixedGLM
    fitted : Fitted
    fixed : FixedRows
    random : {"none", "conditional", "marginal"}
    exog_vc : array_like or scipy.sparse (N, Q), optional
        Random-effects design of new rows, where it cannot be read from a table.
    n_trials, var_weights : str or array_like, optional
        Of a new observation; those of the model for its own rows, otherwise one.
    predictors : tuple of int
        Numbers of the linear predictors of which the rows are the sum.

    Raises
    ------
    ValueError
        If an argument does not fit; the message names it.
    """
    if random not in RANDOM:
        raise ValueError(f"random must be one of {', '.join(map(repr, RANDOM))}, got {random!r}")
    n, reduction = len(fixed), fitted.reduction
    n_effects = sum(t.levels * t.whole.dim for t in reduction.terms)
    Z = sp.csr_array((n, n_effects))
    prior = np.zeros((n, reduction.layout.n_covariance))
    if random != "none":
        Z, prior = _random_part(model, fixed, exog_vc, reduction, marginal=random == "marginal")
    if random == "marginal":
        prior = prior + prior_basis(reduction, Z)
        Z = sp.csr_array((n, n_effects))
    complete = np.isfinite(fixed.X).all(axis=1) & np.isfinite(fixed.offset) & np.isfinite(prior).all(axis=1)
    of_observation = []
    for value, name in ((n_trials, "n_trials"), (var_weights, "var_weights")):
        if value is None and fixed.of_model:
            own = getattr(model.inputs, name)
            found = np.maximum(own, 1.0) if name == "n_trials" else own  # a row without trials is one to come
        else:
            found = np.ones(n) if value is None else _row_values(value, fixed.frame, fixed.index, n, name)
        of_observation.append(found)
    take = np.flatnonzero(complete)
    X, offset = fixed.X, fixed.offset
    if len(model.conditional_family.predictors) > 1:
        inputs = model.inputs
        X = X * np.isin(inputs.predictor_of_column, predictors)
        offset = offset if 0 in predictors else np.zeros(n)
        Z = sp.csr_array(Z @ sp.diags_array(np.isin(inputs.predictor_of_effect, predictors).astype(float)))
        mine = [np.isin(t.predictors, predictors) for t in model.random_terms]
        pairs = zip(mine, (t.whole.lower for t in reduction.terms), strict=True)
        prior = prior * np.concatenate([own[i] & own[j] for own, (i, j) in pairs])
    rows = LinearRows.of(fitted, X[take], offset[take], Z[take], prior[take])
    return PredictionRows(rows, complete, fixed.index, *(v[take] for v in of_observation))


def design_info_of(model: Any) -> Any:
    """How patsy builds the fixed effects of a model that was made by a formula.

    Raises
    ------
    FormulaError
        If that is not known, as after unpickling where names were lost.
    """
    info = getattr(model.data, "model_spec", None)
    if info is None:
        model.data.names.environment(model.formula)  # says which names are lost
        raise FormulaError(
            "exog: what the formula learnt from the data is not known: fit the model again, or pass the design "
            "itself with transform=False"
        )
    return info


def _untold(model: MixedModel, frame: pd.DataFrame) -> np.ndarray:
    """Rows (N,) that the data tell nothing about, which is said."""
    lost = ~estimable(model, frame)
    if lost.any():
        which = ", ".join(map(str, frame.index[lost][:5])) + (", ..." if lost.sum() > 5 else "")
        warn_user(
            f"{int(lost.sum())} rows to predict for have a combination of factors without rows in the fit (labels "
            f"{which}), whose effect was left out of the model: the data tell nothing about them, and their "
            "predictions are NaN"
        )
    return lost


def _tell_of_other_rows(model: MixedModel, info: Any) -> None:
    """Say which parts of the formula are other functions of new rows than of those of the fit."""
    parts = [info, *(part for _, part in getattr(model.data, "parts", {}).values())]
    found = dict.fromkeys(name for part in parts for name in of_other_rows(part, model.data.frame))
    if found:
        shown = ", ".join(f"`{name}`" for name in found)
        warn_user(
            f"{shown} of a row depends on other rows, so that it is another function of new rows than of those of the "
            "fit, and predictions are wrong: make it a column of the data, or write center(x) or standardize(x), which "
            "remember"
        )


def _read_fixed(info: Any, formula: str, frame: pd.DataFrame) -> Array:
    """Design of the fixed effects (N, p), NaN in rows with missing values."""
    positions = frame.reset_index(drop=True)
    with reading(formula, frame.dtypes):
        (found,) = patsy.build_design_matrices([info], positions, NA_action="drop", return_type="dataframe")
    out = np.array(found.reindex(positions.index), dtype=float)
    out[lost_in_comparisons((factor.name() for factor in info.factor_infos), frame)] = np.nan
    return out


def _of_the_fit(model: Any, frame: pd.DataFrame | None, *, strict: bool) -> tuple[Any, Any]:
    """Offset and exposure of new rows that come without: from the columns that the fit took them from."""
    call = getattr(model.data, "call", None)
    nonzero = {"offset": None} if model.facts.has_offset else {}
    given = nonzero if call is None else call.row_columns
    found = {n: c for n, c in given.items() if c is not None and frame is not None and c in frame.columns}
    absent = {n: c for n, c in given.items() if n not in found}
    if absent:
        shown = " and ".join(n if c is None else f"{n}={c!r}" for n, c in absent.items())
        problem = f"the fit has {shown}, and the rows to predict for have none"
        if strict and any(absent.values()):
            raise ValueError(f"{problem}: add the column, or pass offset= (0 for none)")
        warnings.warn(f"{problem}, so 0 is taken: pass offset=", MCLAWarning, stacklevel=4)
    return found.get("offset"), found.get("exposure")


def _random_part(
    model: MixedModel, fixed: FixedRows, exog_vc: Any, reduction: Reduction, *, marginal: bool
) -> tuple[sp.csr_array, Array]:
    """Design over the model's effects, and prior part of levels that are new; NaN where something is missing."""
    terms = model.random_terms
    n, n_effects = len(fixed), sum(t.levels * t.whole.dim for t in reduction.terms)
    size = reduction.layout.n_covariance
    if exog_vc is not None:
        matrix: Any = exog_vc if sp.issparse(exog_vc) else finite_matrix(exog_vc, "exog_vc")
        if matrix.shape != (n, n_effects):
            raise ValueError(
                f"exog_vc has shape {matrix.shape}, but there are {n} rows and {n_effects} random effects"
            )
        Z = sp.csr_array(matrix, dtype=float)
        if not np.isfinite(Z.data).all():
            raise ValueError("exog_vc has missing or infinite values; remove those rows")
        return Z, np.zeros((n, size))
    if fixed.of_model:
        return sp.csr_array(sp.hstack([t.Z for t in terms], format="csr")), np.zeros((n, size))
    if not marginal:
        inputs_of(model)  # where the levels are
    designs = [t.design for t in terms if t.design is not None]
    if fixed.frame is None or len(designs) < len(terms):
        raise ValueError(
            f"exog_vc is missing: give the random-effects design of the new rows, {n_effects} columns, or predict with "
            "random='none'"
        )
    parts, priors = [], []
    for design, reduced in zip(designs, reduction.terms, strict=True):
        found = _rebuilt(design, fixed.frame, model.data.frame, marginal=marginal)
        whole, new = reduced.whole, found.unknown
        prior = np.zeros((n, whole.size))
        prior[new] = prior_basis_of_level(whole, found.x[new]) - prior_basis_of(whole, found.Z[new])
        missing = ~np.isfinite(found.x).all(axis=1)
        prior[missing] = np.nan
        parts.append(found.Z)
        priors.append(prior)
    return sp.csr_array(sp.hstack(parts, format="csr")), np.concatenate(priors, axis=1)


def _rebuilt(design: TermDesign, frame: pd.DataFrame, known: pd.DataFrame, *, marginal: bool) -> NewRows:
    """Evaluate a term on new rows; the population average can do without their levels."""
    absent = [column for column in known.columns if column not in frame.columns]
    if marginal and absent:
        try:
            return design.rebuild(frame, known)
        except FormulaError:
            found = design.rebuild(frame.assign(**dict.fromkeys(absent)), known)
            if np.isfinite(found.x).all():
                return found
            raise
    return design.rebuild(frame, known)


def _row_values(value: Any, frame: pd.DataFrame | None, index: pd.Index | None, n: int, name: str) -> Array:
    if isinstance(value, str):
        if frame is None or value not in frame.columns:
            raise ValueError(f"{name}={value!r} is not a column of the rows to predict for")
        value = frame[value]
    return row_vector(by_label(value, index, name), n, name)
