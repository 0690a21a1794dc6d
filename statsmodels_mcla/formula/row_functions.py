"""Expressions whose value in a row depends on other rows: they are other functions of new rows."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np
import pandas as pd
from patsy import DesignInfo

from statsmodels_mcla.formula.factors import Box

ROWS = 200  # that tell
ROUNDING = 1e-9  # as a part of the largest value


def of_other_rows(info: DesignInfo, frame: pd.DataFrame) -> list[str]:
    """Factors of a design whose values on half of some rows are not those on all of them.

    Stateful transforms, which remember, are none of these.

    Examples
    --------
    >>> import patsy
    >>> data = pd.DataFrame({"x": [1.0, 2.0, 4.0, 8.0]})
    >>> of_other_rows(patsy.dmatrix("np.log(x) + I(x - x.mean()) + center(x)", data).design_info, data)
    ['I(x - x.mean())']
    """
    rows = frame.iloc[:ROWS]
    half = rows.iloc[: len(rows) // 2]
    out = []
    for factor, facts in info.factor_infos.items():
        if factor.name() in frame.columns or facts.state.get("transforms"):
            continue
        with suppress(Exception):  # what cannot be evaluated is told elsewhere
            whole, part = (_plain(factor.eval(facts.state, each)) for each in (rows, half))
            if not _alike(whole[: len(part)], part):
                out.append(factor.name())
    return out


def _plain(value: Any) -> np.ndarray:
    return np.asarray(value.data if isinstance(value, Box) else value)


def _alike(one: np.ndarray, other: np.ndarray) -> bool:
    if one.dtype.kind in "fiub" and other.dtype.kind in "fiub":
        one, other = one.astype(float), other.astype(float)
        rounding = ROUNDING * np.nanmax(np.abs(one), initial=0.0)
        return bool(np.allclose(one, other, rtol=0.0, atol=rounding, equal_nan=True))
    return bool(np.all((one == other) | (pd.isna(one) & pd.isna(other))))
