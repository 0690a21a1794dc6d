"""The response of a formula: numbers, a logical one, successes and failures, or categories."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from statsmodels_mcla.formula.terms import FormulaError


def counted_rows(endog: pd.DataFrame, rows: Mapping[str, Any]) -> np.ndarray:
    """Rows that the likelihood counts: with weight, and with trials."""
    out = np.ones(len(endog), dtype=bool)
    for name in ("freq_weights", "var_weights"):
        if rows.get(name) is not None:
            out &= rows[name] > 0
    if endog.shape[1] == 2:
        out &= endog.to_numpy().any(axis=1)
    return out


def response_of(endog: pd.DataFrame) -> pd.DataFrame | pd.Series:
    """Response as numbers: a logical one counts True."""
    info = endog.design_info
    joint = [term.name() for term in info.terms if len(term.factors) > 1]
    if joint:
        raise FormulaError(
            f"the left of '~' gives the product {joint[0]!r}: there, too, '/', '*' and ':' are operators of formulas. "
            "Write I(successes / trials) for a proportion, with var_weights= for its trials, or successes + failures"
        )
    factors = [f for f in info.factor_infos.values() if f.type == "categorical"]
    if not factors:
        return endog.iloc[:, 0] if endog.shape[1] == 1 else endog
    name = next(iter(info.factor_infos)).name()
    categories = list(factors[0].categories)
    if len(info.factor_infos) > 1 or not all(isinstance(c, (bool, np.bool_)) for c in categories):
        if pd.to_numeric(pd.Series(categories), errors="coerce").notna().all():
            raise FormulaError(
                f"endog: the response {name!r} holds numbers as text, such as {categories[0]!r}: convert it with "
                "pd.to_numeric"
            )
        raise FormulaError(
            f"endog: the response {name!r} is text with the values {categories[:6]}; say which value is a success, "
            f"for instance ({name} == {categories[-1]!r}) ~ ..."
        )
    values = endog.iloc[:, categories.index(True)] if True in categories else 0.0 * endog.iloc[:, 0]
    return pd.Series(np.asarray(values), index=endog.index, name=name)


def category_of(endog: pd.DataFrame, frame: pd.DataFrame) -> pd.Series | pd.DataFrame:
    """Response of categories as it is in the data; numbers as they are."""
    factors = endog.design_info.factor_infos
    if not any(facts.type == "categorical" for facts in factors.values()):
        return endog.iloc[:, 0] if endog.shape[1] == 1 else endog
    name = next(iter(factors)).name()
    categories = list(next(iter(factors.values())).categories)
    kept = frame[name].dtype if name in frame.columns else None
    ordered = isinstance(kept, pd.CategoricalDtype) and bool(kept.ordered)
    codes = np.argmax(endog.to_numpy(), axis=1)
    dtype = pd.CategoricalDtype(categories, ordered=ordered)
    return pd.Series(np.asarray(categories, object)[codes], index=endog.index, name=name).astype(dtype)
