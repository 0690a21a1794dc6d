"""Average marginal effects of columns of the design, in the way of statsmodels' discrete models."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
from statsmodels.iolib.summary import Summary

from statsmodels_mcla.estimation import wald_pvalues
from statsmodels_mcla.numerics import Array
from statsmodels_mcla.prediction.population.parameter_functions import ParameterFunctions, summary_of

METHODS = {"dydx": "dy/dx", "eyex": "d(lny)/d(lnx)", "dyex": "dy/d(lnx)", "eydx": "d(lny)/dx"}


@dataclass(frozen=True)
class MarginalEffects:
    """Marginal effects of the columns of ``exog`` on the mean, as statsmodels' discrete models give them.

    Attributes
    ----------
    margeff : ndarray (k,), or (N, k) for ``at="all"``
    margeff_se : ndarray (k,)
        Standard errors.
    mcse : ndarray of the shape of margeff
        Monte Carlo standard errors.
    margeff_cov, cov_mcse : ndarray (k, k)
    names : list of str
    margeff_options : dict
        What was asked for.
    """

    margeff: Array
    names: list[str]
    margeff_options: dict[str, str]
    estimates: ParameterFunctions | None
    mcse: Array

    def _known(self) -> ParameterFunctions:
        if self.estimates is None:
            raise ValueError(
                "at='all' gives the effects of every row without standard errors; use at='overall'"
            )
        return self.estimates

    @property
    def margeff_se(self) -> Array:
        """Standard errors."""
        return self._known().se

    @property
    def margeff_cov(self) -> Array:
        """Covariance of the effects."""
        return self._known().cov

    @property
    def cov_mcse(self) -> Array:
        """Monte Carlo covariance of the effects."""
        return self._known().cov_mcse

    @property
    def margeff_se_mcse(self) -> Array:
        """Monte Carlo standard errors of ``margeff_se``."""
        return self._known().errors.se

    @property
    def pvalues_mcse(self) -> Array:
        """Monte Carlo standard errors of ``pvalues``."""
        return self._known().errors.pvalues()

    def conf_int_mcse(self, alpha: float = 0.05) -> Array:
        """Monte Carlo standard errors of the limits of `conf_int`, (k, 2)."""
        return self._known().errors.limits(alpha)

    @property
    def tvalues(self) -> Array:
        """Effects over their standard errors."""
        return self.margeff / self.margeff_se

    @property
    def pvalues(self) -> Array:
        """Two-sided p-values."""
        return wald_pvalues(self.tvalues)

    def conf_int(self, alpha: float = 0.05) -> Array:
        """Confidence intervals.

        Parameters
        ----------
        alpha : float
            One minus the level of the intervals.

        Returns
        -------
        ndarray (k, 2)

        Raises
        ------
        ValueError
            If the effects are those of every row (``at="all"``), which have no standard errors.
        """
        return self._known().limits(alpha)

    def summary_frame(self, alpha: float = 0.05) -> pd.DataFrame:
        """Effects in a table; headings are statsmodels' own, and MCSE.

        Parameters
        ----------
        alpha : float
            One minus the level of the intervals.

        Returns
        -------
        DataFrame
            A row a column of ``exog``.
        """
        head = METHODS[self.margeff_options["method"]]
        heads = [head, "Std. Err.", "z", "Pr(>|z|)", "Conf. Int. Low", "Cont. Int. Hi.", "MCSE"]
        return self._known().table(alpha, heads)

    def summary(self, alpha: float = 0.05) -> Summary:
        """Effects as text, HTML or LaTeX.

        Parameters
        ----------
        alpha : float
            One minus the level of the intervals.

        Returns
        -------
        statsmodels.iolib.summary.Summary
        """
        head = METHODS[self.margeff_options["method"]]
        heads = [head, "std err", "z", "P>|z|", f"[{0.5 * alpha:g}", f"{1 - 0.5 * alpha:g}]", "mcse"]
        facts = [(k.capitalize(), v) for k, v in self.margeff_options.items()]
        return summary_of("MCLAMixedGLM Marginal Effects", facts, self.summary_frame(alpha), heads)
