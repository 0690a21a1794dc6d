"""Predictions from parameters that are given, random effects of zero: `predict` of the model."""

from __future__ import annotations

from typing import Any

import numpy as np

from statsmodels_mcla.data import MixedModel
from statsmodels_mcla.families import Surface
from statsmodels_mcla.numerics import Array
from statsmodels_mcla.prediction.new_rows import fixed_rows


def predicted_from(
    model: MixedModel, params: Any, which: str, exog: Any = None, offset: Any = None, exposure: Any = None
) -> Array:
    """Mean of the response, or linear predictor of the mean, (N,); arguments as in `MCLAMixedGLM.predict`.

    Raises
    ------
    ValueError
        If an argument does not fit; the message names it.
    """
    if which not in ("mean", "linear"):
        raise ValueError(f"which must be 'mean' or 'linear', got {which!r}")
    rows = fixed_rows(model, exog, transform=False, offset=offset, exposure=exposure)
    values, fixed, names = np.asarray(params, dtype=float), model.design.n_fixed, model.data.param_names
    if values.shape not in ((fixed,), (len(names),)):
        raise ValueError(
            f"params has shape {values.shape}; give the {fixed} fixed effects, {model.data.fe_names}, or all "
            f"{len(names)} parameters"
        )
    family, whole = model.conditional_family, len(values) == len(names)
    if which == "mean" and not (whole or family.simple_mean):
        raise ValueError(f"params: the mean of family {family.name} depends on all {len(names)} parameters")
    found = family.predictable(model.design.split(values)[2] if whole else 1.0)[which]
    masks = [model.inputs.predictor_of_column == k for k in range(len(family.predictors))]
    etas = [rows.X @ (mask * values[:fixed]) for mask in masks]
    etas[0] = etas[0] + rows.offset
    if isinstance(found.curve, Surface):
        return np.asarray(found.curve.at([etas[k] for k in found.curve.predictors]).value)
    return found.curve.mean(etas[found.predictor])
