"""Information criteria as methods."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from statsmodels_mcla.data import inputs_of
from statsmodels_mcla.prediction import ConditionalAIC, conditional_aic
from statsmodels_mcla.results.methods.base import ResultsBase


class InformationCriteria(ResultsBase):
    """Information criteria of a fit."""

    @property
    def _n_params(self) -> int:
        return len(self.free_fit.estimates.params)

    @property
    def aic(self) -> float:
        """Akaike's information criterion, -2 llf + 2 P.

        P counts every parameter of the model, as in lme4, those that the data put at the boundary (a variance of 0,
        a correlation of 1) among them.
        """
        return float(-2.0 * self.estimates.llf + 2.0 * self._n_params)

    @property
    def bic(self) -> float:
        """Schwarz's information criterion, -2 llf + P log(nobs), with P and nobs as in `aic` and ``nobs``."""
        return float(-2.0 * self.estimates.llf + np.log(self.nobs) * self._n_params)

    @property
    def aic_mcse(self) -> float | None:
        """Monte Carlo standard error of ``aic``; None for fits without draws."""
        return None if self.estimates.llf_mcse is None else 2.0 * self.estimates.llf_mcse

    @property
    def bic_mcse(self) -> float | None:
        """Monte Carlo standard error of ``bic``; None for fits without draws."""
        return self.aic_mcse

    @cached_property
    def _conditional_aic(self) -> ConditionalAIC:
        free = self.free_fit
        estimates = free.estimates
        return conditional_aic(inputs_of(free.model), estimates.fitted.fresh, estimates.errors.cov_mcse)

    @property
    def caic(self) -> float:
        """Conditional AIC: for predictions at the levels at hand rather than at new ones.

        -2 log f(y | eta^) + 2 (``effective_df`` + dispersion parameters), eta^ = E(eta | y) (Vaida and Blanchard,
        2005).  It compares models of the same responses, with whatever random effects, zero parts and dispersions;
        all linear predictors are at their means given the data.
        """
        return self._conditional_aic.value

    @property
    def caic_mcse(self) -> float:
        """Monte Carlo standard error of ``caic``."""
        return self._conditional_aic.mcse

    @property
    def effective_df(self) -> float:
        """Effective degrees of freedom of the linear predictor, the covariance penalty of `caic`.

        sum_i W_i [Var(eta_i | y) + g_i' I^-1 g_i]: the trace of the hat matrix of the random effects, and the
        estimation of the parameters (Greven and Kneib, 2010; Säfken et al., 2014).  Where the family is not
        exponential, W_i is the observed information of a row about all its linear predictors and the parameters of the
        family, whose number is subtracted.
        """
        return self._conditional_aic.effective_df

    @property
    def effective_df_mcse(self) -> float:
        """Monte Carlo standard error of ``effective_df``."""
        return self._conditional_aic.effective_df_mcse
