"""What a model that was made from a formula keeps of it, and the family that its formulas ask for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from statsmodels_mcla.families import compose, conditional_family
from statsmodels_mcla.formula import FormulaData


def with_predictors(family: Any, further: Mapping[str, str]) -> Any:
    """Return a family with further linear predictors; itself where there are no formulas of any."""
    if not further:
        return family
    return compose(conditional_family(family), **dict.fromkeys(further, True))


def remember_formula(model: Any, read: FormulaData, formula: str) -> None:
    """Keep what predictions for new rows, and pickling, need.

    Parameters
    ----------
    model : MCLAMixedGLM
    read : FormulaData
    formula : str
        As it was written.
    """
    model.facts = model.facts._replace(n_dropped=read.dropped)
    model.formula = read.fixed  # of the fixed effects, as MixedLM has it
    model.full_formula = formula
    model.data.frame, model.data.used, model.data.names = read.frame, read.used, read.names
    model.data.parts, model.data.call = read.parts, read.call
