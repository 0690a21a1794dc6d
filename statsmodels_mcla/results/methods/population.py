"""Methods about the population: margins, population-averaged coefficients, shares of variance."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from statsmodels_mcla.data import inputs_of
from statsmodels_mcla.design import term_keys
from statsmodels_mcla.families import ConditionalFamily
from statsmodels_mcla.numerics import Array
from statsmodels_mcla.prediction import fixed_rows, moments_of, prediction_rows
from statsmodels_mcla.prediction.population import (
    METHODS,
    MarginalEffects,
    MarginRows,
    ParameterFunctions,
    PopulationAveraged,
    VarianceShares,
    effect_of_column,
    kind_of_column,
    slope_of,
    with_errors,
)
from statsmodels_mcla.results.methods.base import ResultsBase


def refuse_several_predictors(family: ConditionalFamily, name: str) -> None:
    """Refuse what is defined for one linear predictor."""
    if len(family.predictors) > 1:
        raise ValueError(
            f"{name} is not known for family {family.name}, which has several linear predictors; compare "
            "predictions of new rows instead"
        )


class EffectSizes(ResultsBase):
    """R squared and intraclass correlations of a fit."""

    def r2(self, method: str | None = None) -> pd.DataFrame:
        """Marginal and conditional R squared of Nakagawa, Johnson and Schielzeth (2017).

        Parameters
        ----------
        method : {"theoretical", "lognormal", "trigamma", "delta"}, optional
            Observation-level variance.  Default: the latent variance of a binomial link (logit, probit, cloglog);
            lognormal for log links; otherwise the delta method.

        Returns
        -------
        DataFrame
            Rows ``marginal`` (fixed effects) and ``conditional`` (random effects too); columns ``estimate``,
            ``std err`` by the delta method and, for Monte Carlo fits, ``mcse`` and ``std err mcse``.

        Raises
        ------
        ValueError
            If the method does not suit the family and link.
        """
        shares = VarianceShares.of(inputs_of(self.model), self.model.design, method)
        return with_errors(self.estimates, shares.r2, ["marginal", "conditional"])

    def icc(self, method: str | None = None) -> pd.DataFrame:
        """Intraclass correlations: the share of each random-effect term in the variance on the link scale.

        Parameters
        ----------
        method : str, optional
            Observation-level variance, as in `r2`.

        Returns
        -------
        DataFrame
            A row a term and ``total``; ``estimate`` (adjusted: fixed effects held fixed) with ``std err``,
            ``mcse`` and ``std err mcse``, and ``unadjusted`` (variance of the fixed effects in the denominator) with
            its own.
            Random slopes count with the variance that they have on average over rows (Johnson, 2014).
        """
        shares = VarianceShares.of(inputs_of(self.model), self.model.design, method)
        terms = [*term_keys(self.model.random_terms), "total"]
        both = with_errors(self.estimates, shares.icc, [*terms, *terms])
        adjusted, unadjusted = both.iloc[: len(terms)], both.iloc[len(terms) :]
        renamed = unadjusted.rename(columns=lambda name: f"unadjusted {name}")
        return pd.concat([adjusted, renamed.rename(columns={"unadjusted estimate": "unadjusted"})], axis=1)


AT = ("overall", "mean", "median", "zero", "all")


class MarginMethods(ResultsBase):
    """The part of the results that is about the population."""

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
        fitted, errors, model = self.estimates.fitted, self.estimates.errors, self.model
        family = fitted.design.family
        refuse_several_predictors(family, "population_averaged")
        at = prediction_rows(model, fitted, fixed_rows(model), "marginal")
        w, X = model.freq_weights, at.rows.X
        solve = np.linalg.solve(X.T @ (X * w[:, None]), X.T * w)

        def coefficients(params: Array) -> tuple[Array, Array]:
            there = replace(fitted, position=replace(fitted.position, params=params))
            found = moments_of(there, at.rows, errors)[-1]
            link = family.mean_curve(there.design.split(params)[2])
            linear = link.eta(found.mean)
            slope = solve @ (found.slope / link.mean_deriv(linear)[:, None])
            return solve @ (linear - at.rows.offset), slope

        names = list(model.data.fe_names)
        return PopulationAveraged(family.link, ParameterFunctions.of(names, coefficients, self.estimates))

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
        refuse_several_predictors(self.model.conditional_family, "get_margeff")
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
        model, fitted = self.model, self.estimates.fitted
        rows = MarginRows.of(model, random == "marginal")
        columns = np.flatnonzero(np.ptp(rows.X, axis=0) > 0)
        if not len(columns):
            raise ValueError("there is no column of exog that varies, and so no marginal effect")
        kinds = [kind_of_column(rows.X[:, j], dummy, count) for j in columns]
        moved = rows.replaced(atexog).at(at, columns)
        weights = np.ones(len(moved.X)) if len(moved.X) != len(rows.X) else model.freq_weights
        family = fitted.design.family

        def effects(params: Array) -> Array:
            link = family.mean_curve(fitted.design.split(params)[2])
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
            mcse = np.sqrt(np.maximum(self.estimates.errors.monte_carlo_var(slope), 0.0))
            return MarginalEffects(here, names, options, None, mcse.reshape(here.shape))

        def average(params: Array) -> Array:
            return np.average(effects(params), axis=0, weights=weights)

        found = ParameterFunctions.of(
            names, lambda params: (average(params), slope_of(average, params)), self.estimates
        )
        return MarginalEffects(found.estimate, names, options, found, found.mcse)
