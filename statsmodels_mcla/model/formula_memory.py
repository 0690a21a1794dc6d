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
    return compose(conditional_family(family), zi="zi" in further, disp="disp" in further)


def remember_formula(model: Any, read: FormulaData, formula: str, rows: Mapping[str, Any]) -> None:
    """Keep what predictions for new rows, and pickling, need.

    Parameters
    ----------
    model : MCLAMixedGLM
    read : FormulaData
    formula : str
        As it was written.
    rows : dict
        Further values of each row as they were given: names of columns, or arrays.
    """
    model.facts = model.facts._replace(n_dropped=read.dropped)
    model.formula = read.fixed  # of the fixed effects, as MixedLM has it
    model.full_formula = formula
    model.data.frame, model.data.used, model.data.names = read.frame, read.used, read.names
    model.data.parts = read.parts
    model.data.row_columns = {
        name: value if isinstance(value, str) else None
        for name, value in rows.items()
        if name in ("offset", "exposure") and value is not None
    }
