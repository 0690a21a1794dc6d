"""Population-averaged coefficients: fixed effects of a mixed model describe a subject, these the average over them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import pandas as pd

from statsmodels_mcla.numerics import Array
from statsmodels_mcla.prediction.population.parameter_functions import FunctionTables, ParameterFunctions


@dataclass(frozen=True, repr=False)
class PopulationAveraged(FunctionTables):
    """Coefficients of the population average; see `MarginMethods.population_averaged`.

    Attributes
    ----------
    link : str
        Whose scale they are on.
    estimates : ParameterFunctions

    Examples
    --------
    >>> averaged = results.population_averaged()
    >>> averaged
    <PopulationAveraged: 4 coefficients; summary() has them>
    >>> averaged.params.round(2)
    Intercept         1.47
    trt[T.drug+]      0.42
    trt[T.placebo]    1.10
    week             -0.12
    dtype: float64
    """

    link: str
    estimates: ParameterFunctions

    title: ClassVar[str] = "Population-Averaged Coefficients"

    @property
    def functions(self) -> ParameterFunctions:
        """See `FunctionTables`."""
        return self.estimates

    @property
    def facts(self) -> list[tuple[str, str]]:
        """See `FunctionTables`."""
        return [("Link", self.link), ("Method", "least squares of the link of average means")]

    @property
    def heads(self) -> list[str]:
        """See `FunctionTables`."""
        return ["coef", "std err", "z", "P>|z|", "ci_lower", "ci_upper", "mcse"]

    def _labelled(self, values: Array) -> pd.DataFrame:
        return pd.DataFrame(values, index=self.estimates.names)

    def _series(self, values: Array) -> pd.Series:
        return pd.Series(values, index=self.estimates.names)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {len(self.estimates.names)} coefficients; summary() has them>"

    @property
    def params(self) -> pd.Series:
        """Coefficients."""
        return self._series(self.estimates.estimate)

    @property
    def bse(self) -> pd.Series:
        """Standard errors."""
        return self._series(self.estimates.se)

    @property
    def mcse(self) -> pd.Series:
        """Monte Carlo standard errors."""
        return self._series(self.estimates.mcse)

    @property
    def bse_mcse(self) -> pd.Series:
        """Monte Carlo standard errors of ``bse``."""
        return self._series(self.estimates.errors.se)

    def cov_params(self) -> pd.DataFrame:
        """Covariance of the coefficients.

        Examples
        --------
        >>> results.population_averaged().cov_params().round(3)
                        Intercept  trt[T.drug+]  trt[T.placebo]   week
        Intercept           0.182        -0.134          -0.128 -0.009
        trt[T.drug+]       -0.134         0.296           0.139 -0.001
        trt[T.placebo]     -0.128         0.139           0.288 -0.002
        week               -0.009        -0.001          -0.002  0.002
        """
        return pd.DataFrame(self.estimates.cov, index=self.estimates.names, columns=self.estimates.names)

    def cov_mcse(self) -> pd.DataFrame:
        """Monte Carlo covariance of the coefficients.

        Examples
        --------
        >>> bool(results.population_averaged().cov_mcse().max().max() < 1e-4)
        True
        """
        return pd.DataFrame(self.estimates.cov_mcse, index=self.estimates.names, columns=self.estimates.names)
