"""A fit as one partition of the data sees it: results of its rows, with the estimates of all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from statsmodels_mcla.data import ModelInputs
from statsmodels_mcla.design import MixedDesign
from statsmodels_mcla.estimation import Estimates, Fitted
from statsmodels_mcla.execution import Part
from statsmodels_mcla.likelihood.sampling import DrawRule
from statsmodels_mcla.numerics import Array
from statsmodels_mcla.results import MixedGLMResults, MixedGLMResultsWrapper


@dataclass(frozen=True)
class FitOfParts:
    """What is sent of a fit to where the rows are.

    Attributes
    ----------
    model_class : type
        Of the model of one part.
    family
        As the user gave it.
    read : callable
        Of a part: its rows.
    estimates : Estimates
    facts : tuple
        What a summary says of the model, and ``mle_retvals`` and ``mle_settings``.
    """

    model_class: Any
    family: Any
    read: Callable[[Part], ModelInputs]
    estimates: Estimates
    facts: tuple[Any, Any, Any]


def on_part(
    fit: FitOfParts,
    rule: DrawRule,
    params: Array,
    function: Callable[[Any], Any],
    to: Path | None,
    reduced: MixedDesign,
    part: Part,
    design: MixedDesign,
    *kept: Any,
) -> Any:
    """Value of a function of the results of one part, or the file that it was written to.

    Parameters
    ----------
    fit : FitOfParts
    rule, params
        Of the draws at the maximum.
    function : callable
    to : Path, optional
    reduced, part, design
        The part's rows: as they were fitted, as they are read, and as the whole model has them.
    kept
        See `Fitted.kept`.
    """
    inputs = fit.read(part)
    model = fit.model_class(inputs, inputs.exog, family=fit.family, random_terms=inputs.terms, missing="none")
    model.design, model.partition = design, part.number
    reduction = fit.estimates.reduction.of_levels([t.n_levels for t in design.terms])
    fitted = Fitted.of_part(reduced, reduction, rule, params, kept)
    model.facts = fit.facts[0]
    results = MixedGLMResults(model, fit.estimates.of_part(fitted), *fit.facts[1:])
    return written(function(MixedGLMResultsWrapper(results)), to, part.number)


def target_of(to: Any) -> Path | None:
    """Directory to write to, made if it is not there."""
    if to is None:
        return None
    path = Path(to).absolute()
    path.mkdir(parents=True, exist_ok=True)
    return path


def written(value: Any, to: Path | None, number: int) -> Any:
    """Value, or the path of the Parquet file that it was written to."""
    if to is None:
        return value
    if isinstance(value, (np.ndarray, dict)):
        value = pd.DataFrame(value)
    if isinstance(value, pd.Series):
        value = value.to_frame(value.name or "value")
    if not isinstance(value, pd.DataFrame):
        raise ValueError(  # noqa: TRY004 - as all that is wrong with an argument
            f"to: what the function returns must be a DataFrame or a Series to be written, got {type(value).__name__}"
        )
    path = to / f"part-{number:05d}.parquet"
    value.rename(columns=str).to_parquet(path)
    return str(path)
