"""What the model says of the population: average marginal effects and population-averaged coefficients.

Fixed effects of a mixed model describe a subject; with a link that is not linear the average over subjects moves by
less.  Both summaries here are smooth functions of the parameters, with errors by the delta method.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from statsmodels.iolib.summary import Summary

from statsmodels_mcla.conditional import Curve, ParameterErrors, moments
from statsmodels_mcla.linalg import Array
from statsmodels_mcla.margin_rows import MarginRows, effect_of_column, kind_of_column, slope_of
from statsmodels_mcla.new_rows import fixed_rows, prediction_rows
from statsmodels_mcla.parameter_functions import ParameterFunctions, summary_of
from statsmodels_mcla.variation import wald_pvalues

__all__ = ["MarginMethods", "MarginalEffects", "PopulationAveraged"]

AT = ("overall", "mean", "median", "zero", "all")
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


class MarginMethods:
    """The part of the results that is about the population."""

    model: Any
    fitted: Any

    def population_averaged(self) -> PopulationAveraged:
        """Coefficients of the average over the population, on the scale of the link.

        Returns
        -------
        PopulationAveraged
            With ``params``, ``bse``, ``mcse``, ``conf_int()``, ``summary()``.

        Raises
        ------
        ValueError
            If there is no population average (the inverse link over normal effects).

        Notes
        -----
        With m_i = E[y_i] over the random effects, the coefficients are those of a least-squares fit of
        g(m_i) - offset_i to the fixed effects over the rows of the model, (X'X)^-1 X' (g(m) - offset) (Hedeker, du
        Toit, Demirtas and Gibbons, 2018, Biometrics 74, 354-361).  For a probit link and a random intercept of
        variance nu that is beta / sqrt(1 + nu), and for a log link the intercept moves by nu / 2; otherwise the
        average follows no straight line exactly, and the fit is the nearest one.
        """
        fitted, errors, model = self.fitted, ParameterErrors.of(self), self.model
        link = model.conditional_family.link_function
        at = prediction_rows(model, fitted, fixed_rows(model), "marginal")
        w, X = model.freq_weights, at.rows.X
        solve = np.linalg.solve(X.T @ (X * w[:, None]), X.T * w)

        def coefficients(params: Array) -> tuple[Array, Array]:
            there = replace(fitted, position=replace(fitted.position, params=params))
            (found,) = moments(there, at.rows, [Curve(link)], errors)
            linear = link.eta(found.mean)
            slope = solve @ (found.slope / link.mean_deriv(linear)[:, None])
            return solve @ (linear - at.rows.offset), slope

        names = list(model.data.fe_names)
        return PopulationAveraged(link.name, ParameterFunctions.of(names, coefficients, self))

    def get_margeff(
        self,
        at: str = "overall",
        method: str = "dydx",
        atexog: Any = None,
        dummy: bool = False,
        count: bool = False,
        *,
        random: str = "none",
    ) -> MarginalEffects:
        """Marginal effects on the mean, as in statsmodels' discrete models.

        Parameters
        ----------
        at : {"overall", "mean", "median", "zero", "all"}
            Average over the rows (by their frequency weights), or the effect at the mean, the median or zero of
            ``exog``, or in every row, without standard errors.
        method : {"dydx", "eyex", "dyex", "eydx"}
            Derivatives, elasticities and semi-elasticities.
        atexog : dict or array_like, optional
            Values by column number that replace those of ``exog``, or another ``exog``.
        dummy, count : bool
            Treat 0/1 columns as changing from 0 to 1, and columns of counts as changing by one.
        random : {"none", "marginal"}
            For random effects of zero, or for the average over them.

        Returns
        -------
        MarginalEffects
            With ``margeff``, ``margeff_se``, ``mcse``, ``conf_int()``, ``summary_frame()``, ``summary()``.

        Raises
        ------
        ValueError
            If an argument does not fit.

        Notes
        -----
        Effects are those of columns, constant ones left out, as in statsmodels: a variable that enters in several
        columns has an effect in each.  A random slope of the same name moves with its column.
        """
        at, method = at.lower(), method.lower()
        if at not in AT:
            raise ValueError(f"at must be one of {', '.join(map(repr, AT))}, got {at!r}")
        if method not in METHODS:
            raise ValueError(f"method must be one of {', '.join(map(repr, METHODS))}, got {method!r}")
        if random not in ("none", "marginal"):
            raise ValueError(f"random must be 'none' or 'marginal', got {random!r}")
        if (dummy or count) and (method in ("dyex", "eyex") or at in ("median", "zero")):
            raise ValueError(
                "dummy and count need method='dydx' or 'eydx', and at='overall', 'mean' or 'all': the rest has no "
                "meaning for columns that change by one"
            )
        model, fitted = self.model, self.fitted
        rows = MarginRows.of(model, fitted.reduction, random == "marginal")
        columns = np.flatnonzero(np.ptp(rows.X, axis=0) > 0)
        if not len(columns):
            raise ValueError("there is no column of exog that varies, and so no marginal effect")
        kinds = [kind_of_column(rows.X[:, j], dummy, count) for j in columns]
        moved = rows.replaced(atexog).at(at, columns)
        weights = np.ones(len(moved.X)) if len(moved.X) != len(rows.X) else model.freq_weights
        link = model.conditional_family.link_function

        def effects(params: Array) -> Array:
            whole = fitted.reduction.extend(params)
            return np.column_stack(
                [
                    effect_of_column(moved, link, whole, int(j), k, method)
                    for j, k in zip(columns, kinds, strict=True)
                ]
            )

        names = [model.data.fe_names[j] for j in columns]
        options = {"at": at, "method": method, "random": random}
        here = effects(fitted.params)
        if at == "all":
            slope = slope_of(lambda params: effects(params).ravel(), fitted.params)
            mcse = np.sqrt(np.maximum(ParameterErrors.of(self).monte_carlo_var(slope), 0.0))
            return MarginalEffects(here, names, options, None, mcse.reshape(here.shape))

        def average(params: Array) -> Array:
            return np.average(effects(params), axis=0, weights=weights)

        found = ParameterFunctions.of(
            names, lambda params: (average(params), slope_of(average, params)), self
        )
        return MarginalEffects(found.estimate, names, options, found, found.mcse)
