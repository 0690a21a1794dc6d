"""Combinations of factors that the data tell nothing about: cells without rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import patsy

from statsmodels_mcla.data import MixedModel
from statsmodels_mcla.formula import labelled_like, whole_design
from statsmodels_mcla.numerics import Array


def estimable(
    model: MixedModel, cells: pd.DataFrame, weights: Array | None = None, *, every: bool = True
) -> np.ndarray:
    """Whether the fixed part of rows depends on nothing that the data do not tell, (N,) bool.

    Where the fixed effects lack columns because the rows of the fit cannot tell them, what is asked for has to lie in
    the space of the rows of the whole design.

    Parameters
    ----------
    model : MixedModel
    cells : DataFrame (N, .)
        Data of the rows.
    weights : ndarray (k, N), optional
        Of averages of their linear predictors, which are then what is asked about.
    every : bool
        Whether all linear predictors of a response are asked about, or the first alone.
    """
    out = np.ones(len(cells) if weights is None else len(weights), bool)
    known: Any = getattr(model.data, "frame", None)
    parts = getattr(model.data, "parts", {}) if every else {}
    for info in (getattr(model.data, "model_spec", None), *(info for _, info in parts.values())):
        whole = None if info is None or known is None else whole_design(info)
        if whole is None:
            continue
        aligned = labelled_like(cells, known, set(cells.columns)).reset_index(drop=True)
        (fitted,) = patsy.build_design_matrices([whole], known)
        (asked,) = patsy.build_design_matrices([whole], aligned, NA_action="drop", return_type="dataframe")
        # of missing values nothing is told anyway
        wanted = asked.reindex(aligned.index, fill_value=0.0).to_numpy()
        wanted = wanted if weights is None else weights @ wanted
        _, size, along = np.linalg.svd(np.asarray(fitted), full_matrices=False)
        span = along[size > 1e-10 * size[0]]
        left = wanted - wanted @ span.T @ span
        out &= np.abs(left).max(axis=1) < 1e-8 * np.maximum(np.abs(wanted).max(axis=1), 1.0)
    return out
