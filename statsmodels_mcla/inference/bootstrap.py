"""Parametric bootstrap: simulate from the fitted model with fresh random effects, and refit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd
from scipy import stats

from statsmodels_mcla.data import check_alpha
from statsmodels_mcla.interface import ShownByTable
from statsmodels_mcla.numerics import Array

METHODS = ("percentile", "basic", "normal")


@dataclass(frozen=True)
class Bootstrap(ShownByTable):
    """Estimates of simulated data sets.

    Attributes
    ----------
    params : Series (P,)
        Estimates that the data were simulated from.
    estimates : DataFrame (nrep, P)
        Refits; NaN where one failed.
    failed, singular : ndarray of bool (nrep,)
        Refits that did not converge or have no finite maximum, which are left out of everything below; refits
        with a variance of zero, which are not.
    non_negative : ndarray of bool (P,)
        Variances and dispersions.

    Examples
    --------
    >>> found = results.bootstrap(nrep=20, rng=1, n_jobs=1, mcse_tol=0.1)
    >>> found
    <Bootstrap: 20 simulated data sets refitted, 0 failed, 0 singular; summary_frame() has errors and limits>
    >>> found.bse.round(2)
    Intercept         0.49
    trt[T.drug+]      0.53
    trt[T.placebo]    0.61
    week              0.04
    ID Var            0.88
    dtype: float64
    """

    params: pd.Series
    estimates: pd.DataFrame
    failed: np.ndarray
    singular: np.ndarray
    non_negative: np.ndarray

    _internal: ClassVar = frozenset({"non_negative"})

    def __repr__(self) -> str:
        return (
            f"<{type(self).__name__}: {len(self.estimates)} simulated data sets refitted, {self.n_failed} failed, "
            f"{self.n_singular} singular; summary_frame() has errors and limits>"
        )

    @property
    def used(self) -> pd.DataFrame:
        """Estimates of the refits that did not fail."""
        return self.estimates[~self.failed]

    @property
    def n_failed(self) -> int:
        """Number of refits that failed."""
        return int(self.failed.sum())

    @property
    def n_singular(self) -> int:
        """Number of refits with a variance of zero."""
        return int(self.singular.sum())

    def cov_params(self) -> pd.DataFrame:
        """Covariance of the estimates, (P, P).

        Examples
        --------
        >>> found = results.bootstrap(nrep=8, rng=1, n_jobs=1, mcse_tol=0.1)
        >>> found.cov_params().shape
        (5, 5)
        """
        return self.used.cov()

    @property
    def bse(self) -> pd.Series:
        """Bootstrap standard errors."""
        return self.used.std(ddof=1)

    @property
    def bse_mcse(self) -> pd.Series:
        """Monte Carlo standard error of ``bse``: what other simulated data sets would change."""
        centred = self.used - self.used.mean()
        variance = (centred**2).mean()
        spread = ((centred**2 - variance) ** 2).mean()
        return np.sqrt(spread / len(self.used)) / (2.0 * np.sqrt(variance))

    @property
    def bias(self) -> pd.Series:
        """Mean of the refits less the estimates."""
        return self.used.mean() - self.params

    @property
    def bias_mcse(self) -> pd.Series:
        """Monte Carlo standard error of ``bias``."""
        return self.bse / np.sqrt(len(self.used))

    def conf_int(self, alpha: float = 0.05, method: str = "percentile") -> pd.DataFrame:
        """Bootstrap confidence intervals.

        Parameters
        ----------
        alpha : float
            One minus the confidence level.
        method : {"percentile", "basic", "normal"}
            Quantiles of the refits; twice the estimate less these (Davison and Hinkley, 1997, sec. 5.2); estimate
            less bias, plus and minus normal quantiles of ``bse``.

        Returns
        -------
        DataFrame (P, 2)
            Limits of variances and dispersions are cut off at zero.

        Raises
        ------
        ValueError
            If an argument is out of range, or fewer than two refits did not fail.

        Examples
        --------
        >>> results.bootstrap(nrep=20, rng=1, n_jobs=1, mcse_tol=0.1).conf_int().round(1)
                          0    1
        Intercept       1.4  3.3
        trt[T.drug+]   -0.9  1.0
        trt[T.placebo] -0.0  1.9
        week           -0.2 -0.1
        ID Var          0.3  3.4
        """
        return self._limits(alpha, method)[0]

    def conf_int_mcse(self, alpha: float = 0.05, method: str = "percentile") -> pd.DataFrame:
        """Monte Carlo standard errors of the limits; of quantiles by Maritz and Jarrett (1978).

        Parameters
        ----------
        alpha, method
            As in `conf_int`.

        Returns
        -------
        DataFrame (P, 2)

        Examples
        --------
        >>> results.bootstrap(nrep=8, rng=1, n_jobs=1, mcse_tol=0.1).conf_int_mcse().shape
        (5, 2)
        """
        return self._limits(alpha, method)[1]

    def _limits(self, alpha: float, method: str) -> tuple[pd.DataFrame, pd.DataFrame]:
        check_alpha(alpha)
        if method not in METHODS:
            raise ValueError(f"method must be one of {', '.join(METHODS)}, got {method!r}")
        params, values = self.params.to_numpy(), self.used.to_numpy()
        if len(values) < 2:
            raise ValueError(f"only {len(values)} of {len(self.failed)} refits did not fail: raise nrep")
        if method == "normal":
            z = stats.norm.isf(alpha / 2)
            centre, half = params - self.bias.to_numpy(), z * self.bse.to_numpy()
            limits = np.column_stack([centre - half, centre + half])
            mcse = np.hypot(self.bias_mcse.to_numpy(), z * self.bse_mcse.to_numpy())
            mcse = np.column_stack([mcse, mcse])
        else:
            levels = [alpha / 2, 1 - alpha / 2]
            limits = np.quantile(values, levels, axis=0).T
            mcse = np.array([[_quantile_error(column, p) for p in levels] for column in values.T])
            if method == "basic":
                limits, mcse = 2 * params[:, None] - limits[:, ::-1], mcse[:, ::-1]
        limits = np.where(self.non_negative[:, None], np.maximum(limits, 0.0), limits)
        index = self.params.index
        return pd.DataFrame(limits, index=index), pd.DataFrame(mcse, index=index)

    def summary_frame(self, alpha: float = 0.05, method: str = "percentile") -> pd.DataFrame:
        """Estimates with bootstrap bias, standard errors, their Monte Carlo errors and intervals.

        Parameters
        ----------
        alpha, method
            As in `conf_int`.

        Returns
        -------
        DataFrame
            A row a parameter.

        Examples
        --------
        >>> results.bootstrap(nrep=8, rng=1, n_jobs=1, mcse_tol=0.1).summary_frame().columns.tolist()
        ['coef', 'bias', 'bias_mcse', 'std err', 'std err_mcse', '[0.025', '0.975]']
        """
        limits = self.conf_int(alpha, method)
        return pd.DataFrame(
            {
                "coef": self.params,
                "bias": self.bias,
                "bias_mcse": self.bias_mcse,
                "std err": self.bse,
                "std err_mcse": self.bse_mcse,
                f"[{alpha / 2:.3g}": limits[0],
                f"{1 - alpha / 2:.3g}]": limits[1],
            }
        )


def _quantile_error(values: Array, level: float) -> float:
    """Standard error of a sample quantile: its law puts beta weights on the order statistics."""
    n = len(values)
    at = stats.beta.cdf(np.arange(n + 1) / n, level * (n + 1), (1 - level) * (n + 1))
    weight, ordered = np.diff(at), np.sort(values)
    mean = weight @ ordered
    return float(np.sqrt(weight @ (ordered - mean) ** 2))
