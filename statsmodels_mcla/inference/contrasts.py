"""Tests of linear hypotheses with the Monte Carlo errors of all their numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.iolib.table import SimpleTable
from statsmodels.stats.contrast import ContrastResults, WaldTestResults

from statsmodels_mcla.estimation import EstimateErrors, Varied, wald_pvalues, z_of
from statsmodels_mcla.numerics import Array, delta_method

STEP = 1e-6  # of differences in p-values, relative to them


class MonteCarloContrasts(ContrastResults):
    """Result of a t-test of contrasts, as statsmodels has it, with their Monte Carlo errors.

    Attributes
    ----------
    mcse, sd_mcse, statistic_mcse, pvalue_mcse : ndarray (k,)
        Monte Carlo standard errors of effects, standard errors, statistics and p-values.
    """

    mcse: Array
    _errors: EstimateErrors  # of effects less their values under the hypothesis
    _law: Any

    @classmethod
    def of(
        cls, found: ContrastResults, contrasts: Array, cov_mcse: Array, errors: EstimateErrors
    ) -> MonteCarloContrasts:
        """Add Monte Carlo errors to a result.

        Parameters
        ----------
        found : ContrastResults
        contrasts : ndarray (k, P)
        cov_mcse : ndarray (P, P)
            Monte Carlo covariance of the parameters, NaN at the boundary.
        errors : EstimateErrors (k,)
            Of the effects, less their values under the hypothesis, and their standard errors.
        """
        out = object.__new__(cls)
        out.__dict__.update(found.__dict__)
        used = np.flatnonzero(np.any(contrasts != 0, axis=0))
        out.mcse = delta_method(contrasts[:, used], cov_mcse[np.ix_(used, used)])
        out._errors = errors
        out._law = stats.t(found.df_denom) if found.distribution == "t" else stats.norm
        return out

    @property
    def sd_mcse(self) -> Array:
        """Of the standard errors."""
        return self._errors.se

    @property
    def statistic_mcse(self) -> Array:
        """Of the statistics."""
        return self._errors.z

    @property
    def pvalue_mcse(self) -> Array:
        """Of the p-values."""
        return self._errors.pvalues(law=self._law)

    def conf_int_mcse(self, alpha: float = 0.05) -> Array:
        """Monte Carlo standard errors of the limits that ``conf_int`` gives, (k, 2)."""
        return self._errors.limits(alpha, law=self._law)

    def adjusted_pvalues_mcse(self, pvalues: Array, adjust: Callable[[Array], Array]) -> Array:
        """Monte Carlo standard errors of p-values (k,) after an adjustment for their number."""
        here, step = adjust(pvalues), STEP * np.maximum(pvalues, np.finfo(float).tiny)
        slopes = [(adjust(pvalues + move) - here) / move.sum() for move in np.diag(step)]
        raw = self._errors.both.through(lambda both: wald_pvalues(z_of(both), law=self._law))
        return Varied(here, raw.deviations @ np.array(slopes)).mcse

    def _columns(self, alpha: float) -> list[Array]:
        return [
            self.mcse,
            self.sd_mcse,
            self.statistic_mcse,
            self.pvalue_mcse,
            *self.conf_int_mcse(alpha).T,
        ]

    def summary_frame(self, xname: Any = None, alpha: float = 0.05) -> pd.DataFrame:
        """Table of the contrasts; after statsmodels' columns come the Monte Carlo errors of each."""
        frame: pd.DataFrame = super().summary_frame(xname=xname, alpha=alpha)
        names = ["mcse", *(f"{name} mcse" for name in frame.columns[1:])]
        return frame.assign(**dict(zip(names, self._columns(alpha), strict=True)))

    def summary(self, xname: Any = None, alpha: float = 0.05, title: str | None = None) -> SimpleTable:
        """Table of the contrasts; below each row of numbers their Monte Carlo errors."""
        table = super().summary(xname=xname, alpha=alpha, title=title)
        rows = [[f"{value:.2g}" for value in row] for row in zip(*self._columns(alpha), strict=True)]
        errors = SimpleTable(rows, stubs=["  MCSE"] * len(rows), datatypes=[0] * len(rows[0]))
        first = len(table) - len(rows)
        for k, row in enumerate(errors):
            table.insert(first + 2 * k + 1, row)
        return table


class MonteCarloWaldTest(ContrastResults):
    """Result of a joint Wald test, as statsmodels has it, with Monte Carlo errors.

    Attributes
    ----------
    statistic_mcse, pvalue_mcse : ndarray or float
    """

    statistic_mcse: Any
    pvalue_mcse: Any

    @classmethod
    def of(cls, found: ContrastResults, statistic: Varied) -> MonteCarloWaldTest:
        """Add Monte Carlo errors to a result, from the chi-square statistic (before division by its df)."""
        out = object.__new__(cls)
        out.__dict__.update(found.__dict__)
        if found.distribution == "F":
            law, statistic = (
                stats.f(found.df_num, found.df_denom),
                statistic.through(lambda x: x / found.df_num),
            )
        else:
            law = stats.chi2(found.df_denom)
        out.statistic_mcse = float(statistic.mcse)
        out.pvalue_mcse = float(statistic.through(law.sf).mcse)
        return out

    def __str__(self) -> str:
        shown: str = super().__str__()
        return (
            f"{shown[:-1]}, MCSE of statistic={self.statistic_mcse:.2g}, of p-value={self.pvalue_mcse:.2g}>"
        )


class MonteCarloTermTests(WaldTestResults):
    """Wald tests of all terms, as statsmodels has them, with Monte Carlo errors in the table."""

    @classmethod
    def of(cls, found: WaldTestResults, tests: Sequence[MonteCarloWaldTest]) -> MonteCarloTermTests:
        """Add Monte Carlo errors to a table, from the test in each of its rows."""
        out = object.__new__(cls)
        out.__dict__.update(found.__dict__)
        errors = {
            f"{name} mcse": [getattr(t, f"{name}_mcse") for t in tests] for name in ("statistic", "pvalue")
        }
        out.table = found.table.assign(**errors)
        return out

    @property
    def col_names(self) -> list[str]:
        """Names of the columns when printed."""
        shown = super().col_names
        return [*shown, *(f"{name} mcse" for name in shown[:2])]


def effects_of(contrasts: Array, values: Array, params: Array, cov: Array) -> Array:
    """Effects less their values under the hypothesis, and their standard errors, (k, 2)."""
    used = np.flatnonzero(np.any(contrasts != 0, axis=0))
    contrasts = contrasts[:, used]
    return np.column_stack(
        [contrasts @ params[used] - values, delta_method(contrasts, cov[np.ix_(used, used)])]
    )


def wald_statistic(contrasts: Array, values: Array, params: Array, cov: Array) -> Array:
    """Chi-square statistic of a joint hypothesis."""
    used = np.flatnonzero(np.any(contrasts != 0, axis=0))
    contrasts = contrasts[:, used]
    away = contrasts @ params[used] - values
    return np.asarray(away @ np.linalg.pinv(contrasts @ cov[np.ix_(used, used)] @ contrasts.T) @ away)
