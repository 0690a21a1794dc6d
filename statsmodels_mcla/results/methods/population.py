"""Methods about the population: margins, population-averaged coefficients, shares of variance."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from statsmodels_mcla.data import inputs_of
from statsmodels_mcla.design import term_keys
from statsmodels_mcla.families import ConditionalFamily, Surface
from statsmodels_mcla.numerics import Array, independent_columns
from statsmodels_mcla.prediction import JointRows, LinearRows, fixed_rows, prediction_rows
from statsmodels_mcla.prediction.population import (
    METHODS,
    CovariateRows,
    LinearPredictors,
    MarginalEffects,
    Margins,
    ParameterFunctions,
    PopulationAveraged,
    VarianceShares,
    marginaleffects_model,
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

    def r2(self, method: str | None = None, *, mcse: bool = False) -> pd.DataFrame:
        """Marginal and conditional R squared of Nakagawa, Johnson and Schielzeth (2017).

        Parameters
        ----------
        method : {"theoretical", "lognormal", "trigamma", "delta"}, optional
            Observation-level variance.  Default: the latent variance of a binomial link (logit, probit, cloglog);
            lognormal for log links; otherwise the delta method.
        mcse : bool
            Whether to give the Monte Carlo errors of standard errors too, which take a pass over the draws for each
            parameter.

        Returns
        -------
        DataFrame
            Rows ``marginal`` (fixed effects) and ``conditional`` (random effects too); columns ``estimate``,
            ``std err`` by the delta method, for Monte Carlo fits ``mcse``, and ``std err mcse`` if asked for.

        Raises
        ------
        ValueError
            If the method does not suit the family and link.

        Notes
        -----
        Where there is a zero part or one of ones, the shares are those of the other responses; a dispersion that has a
        formula is averaged over rows.

        Examples
        --------
        >>> results.r2()["estimate"].round(2)
        marginal       0.12
        conditional    0.39
        Name: estimate, dtype: float64
        """
        shares = VarianceShares.of(inputs_of(self.model), self.model.design, method)
        return with_errors(self.estimates, shares.r2, ["marginal", "conditional"], of_errors=mcse)

    def icc(self, method: str | None = None, *, mcse: bool = False) -> pd.DataFrame:
        """Intraclass correlations: the share of each random-effect term in the variance on the link scale.

        Parameters
        ----------
        method : str, optional
            Observation-level variance, as in `r2`.
        mcse : bool
            As in `r2`.

        Returns
        -------
        DataFrame
            A row a term and ``total``; ``estimate`` (adjusted: fixed effects held fixed) with its errors as in `r2`,
            and ``unadjusted`` (variance of the fixed effects in the denominator) with its own.
            Random slopes count with the variance that they have on average over rows (Johnson, 2014).

        Examples
        --------
        >>> results.icc()["estimate"].round(2)
        ID       0.31
        total    0.31
        Name: estimate, dtype: float64
        """
        shares = VarianceShares.of(inputs_of(self.model), self.model.design, method)
        keys = term_keys(self.model.random_terms)
        terms = [*(keys[k] for k in shares.terms), "total"]
        both = with_errors(self.estimates, shares.icc, [*terms, *terms], of_errors=mcse)
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
            If there is no population average (the inverse link over normal effects), or no mean.

        Notes
        -----
        With m_i = E[y_i] over the random effects, the coefficients are those of a least-squares fit of
        g(m_i) - offset_i to the fixed effects over the rows of the model, (X'X)^-1 X' (g(m) - offset) (Hedeker, du
        Toit, Demirtas and Gibbons, 2018, Biometrics 74, 354-361).  For a probit link and a random intercept of
        variance nu that is beta / sqrt(1 + nu), and for a log link the intercept moves by nu / 2; otherwise the
        average follows no straight line exactly, and the fit is the nearest one.  Where there is a zero part, m is the
        mean of all responses, and columns of its formula that the fixed effects of the mean do not make up are added to
        X.

        Examples
        --------
        >>> results.population_averaged().params.round(2)
        Intercept         1.47
        trt[T.drug+]      0.42
        trt[T.placebo]    1.10
        week             -0.12
        dtype: float64
        """
        fitted, errors, model = self.estimates.fitted, self.estimates.errors, self.model
        family = fitted.design.family
        known = family.predictable(fitted.design.split(fitted.params)[2]).get("mean")
        if known is None or (family.categorical and len(family.predictors) > 1):
            refuse_several_predictors(family, "population_averaged")
        fixed, curve = fixed_rows(model), None if known is None else known.curve

        def rows_of(numbers: tuple[int, ...]) -> LinearRows:
            return prediction_rows(model, fitted, fixed, "marginal", predictors=numbers).rows

        joint = JointRows.of(rows_of, curve.predictors) if isinstance(curve, Surface) else None
        at, w = rows_of((0,)), model.freq_weights
        parts = (at,) if joint is None else joint.rows
        X = np.sum([part.X for part in parts], axis=0)  # each has columns of its own
        own = independent_columns(np.zeros((len(X), 0)), X)
        X = X[:, own]
        solve = np.linalg.solve(X.T @ (X * w[:, None]), X.T * w)
        average = LinearPredictors(fitted, at, errors, averaged=True, joint=joint)

        def coefficients(params: Array) -> tuple[Array, Array]:
            linear, slope = average(params)
            return solve @ (linear - at.offset), solve @ slope

        names = [model.data.fe_names[j] for j in own]
        return PopulationAveraged(family.link, ParameterFunctions.of(names, coefficients, self.estimates))

    def get_margeff(
        self,
        at: str = "overall",
        method: str = "dydx",
        atexog: Any = None,
        dummy: bool = False,
        count: bool = False,
        *,
        variables: str | Sequence[str] | None = None,
        random: str = "none",
    ) -> MarginalEffects:
        """Marginal effects of the covariates on the mean, as in statsmodels' discrete models.

        Parameters
        ----------
        at : {"overall", "mean", "median", "zero", "all"}
            Average over the rows (by their frequency weights), the effect where numbers are at their mean, their
            median or zero and factors at their most frequent level, or in every row, without standard errors.
        method : {"dydx", "eyex", "dyex", "eydx"}
            Derivatives, elasticities and semi-elasticities.
        atexog : dict or DataFrame, optional
            Values that replace those of covariates, by their names (or by the numbers of columns of ``exog``).
        dummy, count : bool
            Treat numbers 0 and 1 as changing from 0 to 1, and columns of counts as changing by one.
        variables : str or list of str, optional
            Covariates, by the names of their columns; all that vary by default.
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
        A covariate is a column of the data that the formula names, or a column of ``exog`` where there is no formula.
        Its effect is that of the whole formula, interactions, transformations and random slopes of the covariate
        included: the derivative of the mean for numbers, and for factors (text, categories, booleans, ``C(x)``) the
        difference between each level and the first, ``x[T.level]``.  Offsets stay as they are.  Where there is a zero
        part, the mean is that of all responses, and covariates of its formula count too.

        Examples
        --------
        >>> margins = results.get_margeff(random="marginal")
        >>> margins
        <MarginalEffects: of trt[T.drug+], trt[T.placebo], week, overall; summary() has them>
        >>> margins.summary_frame().iloc[:, :4].round(3)
                        dy/dx  Std. Err.      z  Pr(>|z|)
        trt[T.drug+]    0.075      0.097  0.778     0.436
        trt[T.placebo]  0.165      0.083  1.977     0.048
        week           -0.018      0.006 -3.021     0.003
        """
        fitted = self.estimates.fitted
        if "mean" not in fitted.design.family.predictable(fitted.design.split(fitted.params)[2]):
            raise ValueError(
                f"get_margeff is not known for family {self.model.conditional_family.name}, whose mean, if it "
                "has one, depends on several linear predictors; compare predictions of new rows instead"
            )
        at, method = at.lower(), method.lower()
        if at not in AT:
            raise ValueError(f"at must be one of {', '.join(map(repr, AT))}, got {at!r}")
        if method not in METHODS:
            raise ValueError(f"method must be one of {', '.join(map(repr, METHODS))}, got {method!r}")
        if (dummy or count) and (method in ("dyex", "eyex") or at in ("median", "zero")):
            raise ValueError(
                "dummy and count need method='dydx' or 'eydx', and at='overall', 'mean' or 'all': the rest has no "
                "meaning for columns that change by one"
            )
        estimates = self.estimates
        source = CovariateRows.of(self.model, estimates.fitted, random)
        names = source.varying(variables)
        elastic = method.endswith("ex")
        factors = [name for name in names if source.covariates[name].levels is not None]
        if elastic and factors:
            raise ValueError(
                f"method={method!r} is relative to the value of a covariate, and {', '.join(factors)} has levels: "
                "choose variables= that are numbers, or method='dydx' or 'eydx'"
            )
        margins = Margins.of(source, at, atexog)
        changes = margins.changes(names, dummy=dummy, count=count, elastic=elastic)

        def effects(params: Array) -> Iterator[tuple[Array, Array]]:
            there = replace(estimates.fitted, position=replace(estimates.fitted.position, params=params))
            return (
                change.values(there, estimates.errors, relative=method.startswith("ey")) for change in changes
            )

        labels = [change.name for change in changes]
        options = {"at": at, "method": method, "random": random}
        if at == "all":
            values, slopes = (
                np.stack(v, axis=1) for v in zip(*effects(estimates.fitted.params), strict=True)
            )
            mcse = np.sqrt(np.maximum(estimates.errors.monte_carlo_var(slopes), 0.0))
            return MarginalEffects(values, labels, options, None, mcse)

        def average(params: Array) -> tuple[Array, Array]:
            share = margins.weights / margins.weights.sum()
            values, slopes = zip(*((share @ v, share @ slope) for v, slope in effects(params)), strict=True)
            return np.array(values), np.array(slopes)

        found = ParameterFunctions.of(labels, average, estimates)
        return MarginalEffects(found.estimate, labels, options, found, found.mcse)

    def for_marginaleffects(self, random: str = "none") -> Any:
        """Return this fit as the package marginaleffects takes models, text, splines and offsets included.

        Parameters
        ----------
        random : {"none", "marginal"}
            For random effects of zero, or for the average over them.

        Returns
        -------
        marginaleffects model
            Its tables have the columns that the formula names, ``_offset`` and ``_response``; new rows that lack an
            offset have the mean one.

        Raises
        ------
        ValueError
            If the package is not installed, or the model was not made by a formula.

        Examples
        --------
        >>> import marginaleffects
        >>> found = marginaleffects.avg_comparisons(results.for_marginaleffects(random="marginal"), variables="week")
        >>> round(found["estimate"][0], 3)
        -0.018
        """
        family = self.model.conditional_family
        refuse_several_predictors(family, "for_marginaleffects")
        if not family.simple_mean:
            raise ValueError(
                f"for_marginaleffects is not known for family {family.name}, whose mean depends on more than the "
                "linear predictor: use get_margeff, or compare predictions of new rows"
            )
        return marginaleffects_model(self.model, self.estimates, random)
