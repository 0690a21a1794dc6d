"""Sandwich covariances: right if the blocks are independent, whether or not the model within them is right.

With I the observed information and s_b the score of block b at the maximum, the covariance of the estimates is

    I^-1 (sum_b s_b s_b') I^-1

(Huber, 1967; White, 1982; for mixed models Verbeke and Lesaffre, 1997).  For ``"cluster"`` the scores are first
added up within groups of blocks.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from statsmodels_mcla.exceptions import MCLAWarning
from statsmodels_mcla.fitted import Fitted
from statsmodels_mcla.linalg import Array
from statsmodels_mcla.units import (
    RowUnits,
    Units,
    block_draws,
    laplace_scores,
    unit_scores,
    units_of,
)
from statsmodels_mcla.variation import Variation, vary_draws

__all__ = ["COV_TYPES", "RobustResults", "Sandwich", "check_covariance", "group_codes", "small_sample_factor"]

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

    def covariance(self, scores: Array, cov: Array) -> Array:
        """Sandwich covariance from scores (units, k) and the inverse information (k, k)."""
        if self.groups is not None:
            total = np.zeros((int(self.groups.max()) + 1, scores.shape[1]))
            np.add.at(total, self.groups, scores)
            scores = total
        half = scores @ cov
        return np.asarray(self.factor * (half.T @ half))

    def vary(self, plain: Variation, units: Units, fitted: Fitted) -> Variation:
        """Deviations of the sandwich from those of the inverse information and of the scores of units."""
        drawn = replace(fitted, position=block_draws(fitted))

        def covariance(there: Fitted, cov: Array) -> Array:
            return self.covariance(unit_scores(units, there, there.position, there.params), cov)

        found = vary_draws(drawn, plain.cov, plain, covariance)
        return replace(plain.merged(), cov=found.value, d_cov=found.deviations)


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
    if data is not None and isinstance(groups, pd.Series) and len(groups) > n and groups.index.is_unique:
        groups = groups.reindex(data.index)
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
    pairs = np.unique(np.column_stack([unit, codes]), axis=0)
    cut = np.flatnonzero(np.diff(pairs[:, 0]) == 0)
    if len(cut):
        a, b = (names[pairs[cut[0] + k, 1]] for k in (0, 1))
        raise ValueError(
            f"groups cuts the block {units.labels[pairs[cut[0], 0]]!r}, which has rows in {str(a)!r} and in "
            f"{str(b)!r}: rows that share random effects are dependent, so a group must hold whole blocks"
        )
    return pairs[:, 1], len(names)


def check_covariance(
    model: Any, cov_type: str, groups: Any = None, use_correction: bool | None = None
) -> None:
    """Refuse arguments that `RobustResults.with_cov_type` would refuse after the fit."""
    del use_correction
    if cov_type not in COV_TYPES:
        raise ValueError(f"cov_type must be one of {', '.join(COV_TYPES)}, got {cov_type!r}")
    if (cov_type == "cluster") != (groups is not None):
        raise ValueError("groups is for cov_type='cluster', which needs it: a column name or one value a row")
    if groups is not None:
        group_codes(groups, getattr(model.data, "frame", None), RowUnits.of(model.inputs, model.design))


class RobustResults:
    """Covariances of the estimates other than the inverse information."""

    model: Any
    params: Any
    monte_carlo: Any
    nobs: float
    normalized_cov_params: Any
    _cache: dict[str, Any]
    cov_type: str = "nonrobust"
    sandwich: Sandwich | None = None  # how the covariance is made; None: the inverse information

    if TYPE_CHECKING:

        @property
        def fitted(self) -> Fitted: ...  # noqa: D102

    @cached_property
    def _units(self) -> Units:
        return units_of(self.model.inputs, self.model.design, self.fitted)

    @cached_property
    def _unit_scores(self) -> Array:
        """Scores of the independent units in the parameters that were fitted."""
        if self.monte_carlo is None:  # of the likelihood that was maximised
            se = np.sqrt(np.diag(self._fitted_cov))
            return laplace_scores(self._units, self.fitted, self.model.design, se)
        return unit_scores(self._units, self.fitted, block_draws(self.fitted), self.fitted.params)

    @cached_property
    def _plain_variation(self) -> Variation | None:
        """Deviations of estimates and inverse information that other random numbers would bring.

        None for fits without draws, NaN without a maximum.
        """
        if self.monte_carlo is None:
            return None
        if np.isnan(self.normalized_cov_params).all():
            return Variation.unknown(self.fitted.params)
        return Variation.of(self.fitted)

    @cached_property
    def _variation(self) -> Variation | None:
        """Deviations of estimates and covariance."""
        plain = self._plain_variation
        if plain is None or self.sandwich is None or not plain.known:
            return plain
        return self.sandwich.vary(plain, self._units, self.fitted)

    @property
    def _fitted_cov(self) -> Array:
        """Inverse information of the parameters that were fitted."""
        return self.fitted.covariance_of_fitted(self.normalized_cov_params)

    def with_cov_type(
        self, cov_type: str = "robust", *, groups: Any = None, use_correction: bool | None = None
    ) -> Any:
        """Results with another covariance of the estimates: standard errors, tests and intervals follow it.

        Parameters
        ----------
        cov_type : {"nonrobust", "robust", "cluster"}
            Inverse observed information; sandwich over independent blocks; over groups of blocks.
        groups : str or array_like (N,), optional
            For ``"cluster"``: a column of the data, or one value a row.  A group must hold whole blocks.
        use_correction : bool, optional
            Multiply by G/(G-1) (N-1)/(N-P), for G groups or blocks, N rows and P parameters.  By default
            ``"cluster"`` does, as statsmodels' cluster covariance, and ``"robust"`` does not, as GEE.

        Returns
        -------
        results
            A copy; estimates, log-likelihood and Monte Carlo errors are the same.

        Raises
        ------
        ValueError
            If an argument does not fit; the message names it.

        Warns
        -----
        MCLAWarning
            If there are no more groups than parameters, so that the sandwich is singular.

        Notes
        -----
        The sandwich is of no use with few blocks: it then understates variances, and its rank is below the
        number of blocks.
        """
        check_covariance(self.model, cov_type, groups)
        if cov_type == self.cov_type == "nonrobust":
            return self
        out = self._uncached()
        out.cov_type = cov_type
        out.cov_kwds = {}
        out.__dict__.pop("cov_params_default", None)
        out.sandwich = None
        if cov_type == "nonrobust":
            return out
        corrected = cov_type == "cluster" if use_correction is None else bool(use_correction)
        codes, count = None, len(self._units)
        if groups is not None:
            codes, count = group_codes(groups, getattr(self.model.data, "frame", None), self._units)
        if count < 2:
            raise ValueError(
                f"cov_type={cov_type!r} needs at least two independent groups of rows, but all depend on each other: "
                "use the default covariance, or bootstrap()"
            )
        factor = small_sample_factor(count, self.nobs, len(self.params)) if corrected else 1.0
        out.sandwich = Sandwich(codes, factor)
        cov = out.sandwich.covariance(self._unit_scores, self._fitted_cov)
        if count <= len(cov):
            _warn_few(count, len(cov))
        out.cov_params_default = self.fitted.covariance_of_model(cov)
        out.cov_kwds = {"n_groups": count, "use_correction": corrected}
        if groups is not None:
            out.cov_kwds["groups"] = groups
        return out

    def _uncached(self) -> Any:
        """Copy without what was computed from the covariance."""
        out = object.__new__(type(self))
        stale = {
            name
            for kind in type(self).__mro__
            for name, value in vars(kind).items()
            if isinstance(value, cached_property)
            and name not in ("_units", "_unit_scores", "_plain_variation")
        }
        out.__dict__.update({k: v for k, v in self.__dict__.items() if k not in stale})
        out._cache = {}
        return out


def _warn_few(n_groups: int, n_params: int) -> None:
    warnings.warn(
        f"the sandwich of {n_groups} independent groups cannot tell the variances of {n_params} parameters: it is "
        "singular and too small. Use the default covariance, or bootstrap()",
        MCLAWarning,
        stacklevel=4,
    )
