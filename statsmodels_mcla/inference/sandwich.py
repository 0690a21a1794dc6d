"""Sandwich covariances: right if the blocks are independent, whether or not the model within them is right.

With I the observed information and s_b the score of block b at the maximum, the covariance of the estimates is

    I^-1 (sum_b s_b s_b') I^-1

(Huber, 1967; White, 1982; for mixed models Verbeke and Lesaffre, 1997).  For ``"cluster"`` the scores are first
added up within groups of blocks.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from statsmodels_mcla.data import MixedModel
from statsmodels_mcla.design import DesignFacts, MixedDesign
from statsmodels_mcla.estimation import (
    EstimateCovariance,
    Estimates,
    Fitted,
    Later,
    Variation,
    vary_draws,
)
from statsmodels_mcla.exceptions import warn_user
from statsmodels_mcla.formula import by_label
from statsmodels_mcla.inference.independent_units import (
    RowUnits,
    block_draws,
    count_of,
    scores_of_fit,
    unit_scores,
    units_of,
)
from statsmodels_mcla.numerics import Array, unique_rows

COV_TYPES = ("nonrobust", "robust", "cluster")


@dataclass(frozen=True)
class Sandwich:
    """How a sandwich covariance is made.

    Attributes
    ----------
    groups : ndarray of int (units,), optional
        Group of each unit, from 0; by default each is one.
    factor : float
        Correction for few groups.
    """

    groups: np.ndarray | None
    factor: float

    def covariance(self, design: DesignFacts, scores: Any, cov: Array) -> Array:
        """Sandwich covariance from scores (units, k), kept with the rows, and the inverse information (k, k)."""
        return np.asarray(self.factor * sum(design.map(partial(_squares, self.groups, cov), scores)))

    def variation(
        self, information: EstimateCovariance, units: Any, maximum: Later[Fitted]
    ) -> Variation | None:
        """Deviations of the sandwich from those of the inverse information and of the scores of units."""
        plain, fitted = information.variation, maximum()
        if plain is None or not plain.known:
            return plain
        drawn = replace(fitted, position=block_draws(fitted))

        def covariance(there: Fitted, cov: Array) -> Array:
            return self.covariance(there.design, unit_scores(units, there, there.position, there.params), cov)

        found = vary_draws(drawn, plain.cov, plain, covariance)
        return replace(plain.merged(), cov=found.value, d_cov=found.deviations)


def _squares(groups: np.ndarray | None, cov: Array, design: MixedDesign, scores: Array) -> Array:
    """Sum over the units of some rows, or groups of them, of the squares of what they move the estimates by."""
    if groups is not None:
        total = np.zeros((int(groups.max()) + 1, scores.shape[1]))
        np.add.at(total, groups, scores)
        scores = total
    half = scores @ cov
    return np.asarray(half.T @ half)


def covariance_of_kind(
    estimates: Estimates, model: MixedModel, cov_type: str, groups: Any, use_correction: bool | None
) -> EstimateCovariance:
    """Covariance of the estimates of a kind, with arguments as `RobustResults.with_cov_type` has them.

    Raises
    ------
    ValueError
        If an argument does not fit; the message names it.

    Notes
    -----
    Fixed effects without a finite maximum keep their variances of the inverse information, which are as large as
    numbers can tell.
    """
    check_covariance(model, cov_type, groups)
    if cov_type == "nonrobust":
        return estimates.information
    fitted = estimates.fitted
    units = units_of(model, fitted)
    corrected = cov_type == "cluster" if use_correction is None else bool(use_correction)
    codes, count = None, count_of(units, fitted)
    options = {} if groups is None else {"groups": groups}
    if groups is not None:
        codes, count = group_codes(groups, getattr(model.data, "frame", None), units)
    if count < 2:
        raise ValueError(
            f"cov_type={cov_type!r} needs at least two independent groups of rows, but all depend on each other: "
            "use the default covariance, or bootstrap()"
        )
    nobs = float(model.nobs)
    factor = small_sample_factor(count, nobs, len(estimates.params)) if corrected else 1.0
    sandwich = Sandwich(codes, factor)
    cov = sandwich.covariance(fitted.design, scores_of_fit(units, estimates, model), estimates.cov_of_fitted)
    if count <= len(cov):
        warn_user(
            f"the sandwich of {count} independent groups cannot tell the variances of {len(cov)} parameters: it is "
            "singular and too small. Use the default covariance, or bootstrap()"
        )
    matrix = fitted.covariance_of_model(cov)
    if estimates.separated:
        # scores of zero on the way to infinity would tell what has no maximum without error
        j = [model.exog_names.index(name) for name in estimates.separated]
        matrix[j] = matrix[:, j] = 0.0
        matrix[np.ix_(j, j)] = estimates.information.matrix[np.ix_(j, j)]
    return EstimateCovariance(
        Later.made(matrix),
        Later(partial(sandwich.variation, estimates.information, units, estimates.maximum)),
        cov_type,
        {"n_groups": count, "use_correction": corrected, **options},
    )


def small_sample_factor(n_groups: int, nobs: float, n_params: int) -> float:
    """Correction G/(G-1) (N-1)/(N-P) of statsmodels' ``cov_cluster`` (Cameron and Miller, 2015, sec. II.A)."""
    return n_groups / (n_groups - 1.0) * (nobs - 1.0) / (nobs - n_params)


def group_codes(groups: Any, data: pd.DataFrame | None, units: RowUnits) -> tuple[np.ndarray, int]:
    """Group of each unit, from one value a row.

    Parameters
    ----------
    groups : str or array_like (N,)
        Name of a column of the data, or one value a row of the model; of a Series that has more rows than the model
        (those that were dropped for missing values), the values at the labels of the model's rows.
    data : DataFrame or None
        Rows of the model.
    units : RowUnits

    Returns
    -------
    codes : ndarray of int (units,)
    n_groups : int

    Raises
    ------
    ValueError
        If a block has rows in several groups, or the argument does not fit the rows.
    """
    if isinstance(groups, str):
        if data is None or groups not in data.columns:
            known = "there is no data frame" if data is None else f"the columns are {list(data.columns)}"
            raise ValueError(f"groups={groups!r} is not a column of the data: {known}")
        groups = data[groups]
    n = len(units.of_row)
    if data is not None:
        groups = by_label(groups, data.index, "groups")
    values = pd.Series(np.asarray(groups)) if np.ndim(groups) == 1 else None
    if values is None or len(values) != n:
        raise ValueError(
            f"groups must have one value for each of the {n} rows of the model, got shape {np.shape(groups)}"
        )
    used = units.of_row >= 0
    if values[used].isna().any():
        raise ValueError("groups has missing values: every row needs its group")
    codes, names = pd.factorize(values[used])
    unit = units.of_row[used]
    pairs = unique_rows(np.column_stack([unit, codes])).rows
    cut = np.flatnonzero(np.diff(pairs[:, 0]) == 0)
    if len(cut):
        a, b = (names[pairs[cut[0] + k, 1]] for k in (0, 1))
        raise ValueError(
            f"groups cuts the block {units.labels[pairs[cut[0], 0]]!r}, which has rows in {str(a)!r} and in "
            f"{str(b)!r}: rows that share random effects are dependent, so a group must hold whole blocks"
        )
    return pairs[:, 1], len(names)


def check_covariance(
    model: MixedModel, cov_type: str, groups: Any = None, use_correction: bool | None = None
) -> None:
    """Refuse arguments that `RobustResults.with_cov_type` would refuse after the fit."""
    del use_correction
    if cov_type not in COV_TYPES:
        raise ValueError(f"cov_type must be one of {', '.join(COV_TYPES)}, got {cov_type!r}")
    if (cov_type == "cluster") != (groups is not None):
        raise ValueError("groups is for cov_type='cluster', which needs it: a column name or one value a row")
    if groups is not None:
        group_codes(groups, getattr(model.data, "frame", None), RowUnits.of(model.inputs, model.design))
