"""Population-averaged coefficients: fixed effects of a mixed model describe a subject, these the average over them."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
from statsmodels.iolib.summary import Summary

from statsmodels_mcla.prediction.population.parameter_functions import ParameterFunctions, summary_of


@dataclass(frozen=True)
class PopulationAveraged:
    """Coefficients of the population average; see `MarginMethods.population_averaged`.

    Attributes
    ----------
    link : str
        Whose scale they are on.
    estimates : ParameterFunctions
    """

    link: str
    estimates: ParameterFunctions

    def __str__(self) -> str:
        return str(self.summary())

    @property
    def params(self) -> pd.Series:
        """Coefficients."""
        return pd.Series(self.estimates.estimate, index=self.estimates.names)

    @property
    def bse(self) -> pd.Series:
        """Standard errors."""
        return pd.Series(self.estimates.se, index=self.estimates.names)

    @property
    def mcse(self) -> pd.Series:
        """Monte Carlo standard errors."""
        return pd.Series(self.estimates.mcse, index=self.estimates.names)

    @property
    def bse_mcse(self) -> pd.Series:
        """Monte Carlo standard errors of ``bse``."""
        return pd.Series(self.estimates.errors.se, index=self.estimates.names)

    def conf_int_mcse(self, alpha: float = 0.05) -> pd.DataFrame:
        """Monte Carlo standard errors of the limits of `conf_int`, (p, 2)."""
        return pd.DataFrame(self.estimates.errors.limits(alpha), index=self.estimates.names)

    def cov_params(self) -> pd.DataFrame:
        """Covariance of the coefficients."""
        return pd.DataFrame(self.estimates.cov, index=self.estimates.names, columns=self.estimates.names)

    def cov_mcse(self) -> pd.DataFrame:
        """Monte Carlo covariance of the coefficients."""
        return pd.DataFrame(self.estimates.cov_mcse, index=self.estimates.names, columns=self.estimates.names)

    def conf_int(self, alpha: float = 0.05) -> pd.DataFrame:
        """Confidence intervals.

        Parameters
        ----------
        alpha : float
            One minus the level of the intervals.

        Returns
        -------
        DataFrame (p, 2)
        """
        return pd.DataFrame(self.estimates.limits(alpha), index=self.estimates.names)

    def summary_frame(self, alpha: float = 0.05) -> pd.DataFrame:
        """Coefficients in a table, a row a fixed effect.

        Parameters
        ----------
        alpha : float
            One minus the level of the intervals.

        Returns
        -------
        DataFrame
        """
        return self.estimates.table(alpha, ["coef", "std err", "z", "P>|z|", "ci_lower", "ci_upper", "mcse"])

    def summary(self, alpha: float = 0.05) -> Summary:
        """Coefficients as text, HTML or LaTeX.

        Parameters
        ----------
        alpha : float
            One minus the level of the intervals.

        Returns
        -------
        statsmodels.iolib.summary.Summary
        """
        heads = ["coef", "std err", "z", "P>|z|", f"[{0.5 * alpha:g}", f"{1 - 0.5 * alpha:g}]", "mcse"]
        facts = [("Link", self.link), ("Method", "least squares of the link of average means")]
        return summary_of("Population-Averaged Coefficients", facts, self.summary_frame(alpha), heads)
