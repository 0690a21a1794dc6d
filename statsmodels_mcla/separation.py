"""Separation: directions of the fixed effects in which the likelihood rises for ever.

A direction d of beta does that if X d never lowers the likelihood of any row: it is >= 0 where all trials
succeeded, <= 0 where all failed, 0 where both occurred (Albert and Anderson, 1984; Konis, 2007); for counts,
<= 0 where the count is 0 and 0 elsewhere.  Such a d is found by linear programming.  Random effects do not
change this: what holds for every row holds for every row whatever u is.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import linprog

from statsmodels_mcla.design import MixedDesign

__all__ = ["separated_columns"]


def separated_columns(design: MixedDesign) -> list[int]:
    """Columns of X whose coefficients have no finite maximum; empty if there is none."""
    sign = design.family.open_direction(design.y, design.w)
    if sign is None:
        return []
    X = design.X / np.abs(design.X).max(axis=0)
    free = sign == 0.0
    rows, equal = (sign[~free][:, None] * X[~free]), X[free]
    if not len(rows):
        return []
    found = linprog(
        -rows.sum(axis=0) / len(rows),
        A_ub=-rows,
        b_ub=np.zeros(len(rows)),
        A_eq=equal if len(equal) else None,
        b_eq=np.zeros(len(equal)) if len(equal) else None,
        bounds=(-1.0, 1.0),
        method="highs",
    )
    if found.x is None or rows.sum(axis=0) @ found.x < 1e-9 * len(rows):
        return []
    return [int(j) for j in np.flatnonzero(np.abs(found.x) > 1e-7)]
