"""Tests of linear hypotheses with the Monte Carlo error of each contrast."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from statsmodels.iolib.table import SimpleTable
from statsmodels.stats.contrast import ContrastResults

from statsmodels_mcla.linalg import Array
from statsmodels_mcla.mcse import delta_method

__all__ = ["MonteCarloContrasts", "with_monte_carlo_errors"]


class MonteCarloContrasts(ContrastResults):
    """Result of a t-test of contrasts, as statsmodels has it, with their Monte Carlo errors.

    Attributes
    ----------
    mcse : ndarray (k,)
        Monte Carlo standard error of each effect.
    """

    mcse: Array

    def summary_frame(self, xname: Any = None, alpha: float = 0.05) -> pd.DataFrame:
        """Table of the contrasts; its last column is ``mcse``."""
        frame: pd.DataFrame = super().summary_frame(xname=xname, alpha=alpha)
        return frame.assign(mcse=self.mcse)

    def summary(self, xname: Any = None, alpha: float = 0.05, title: str | None = None) -> SimpleTable:
        """Table of the contrasts; its last column is ``mcse``."""
        table = super().summary(xname=xname, alpha=alpha, title=title)
        table.extend_right(SimpleTable([[f"{value:.2g}"] for value in self.mcse], headers=["mcse"]))
        return table


def with_monte_carlo_errors(found: ContrastResults, contrasts: Array, cov_mcse: Array) -> MonteCarloContrasts:
    """Add the Monte Carlo errors of contrasts.

    Parameters
    ----------
    found : ContrastResults
    contrasts : ndarray (k, P)
    cov_mcse : ndarray (P, P)
        Monte Carlo covariance of the parameters, NaN at the boundary.
    """
    out = object.__new__(MonteCarloContrasts)
    out.__dict__.update(found.__dict__)
    used = np.flatnonzero(np.any(contrasts != 0, axis=0))
    out.mcse = delta_method(contrasts[:, used], cov_mcse[np.ix_(used, used)])
    return out
