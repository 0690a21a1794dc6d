"""Predictions as functions of a maximum, its covariance and its draws: what their Monte Carlo errors rest on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from statsmodels_mcla.conditional import LINEAR, Curve, Moments, ParameterErrors, moments
from statsmodels_mcla.families import MeanLink
from statsmodels_mcla.fitted import Fitted
from statsmodels_mcla.linalg import Array
from statsmodels_mcla.predictive import PredictiveLaw
from statsmodels_mcla.variation import Variation, Varied, vary_draws

__all__ = ["Predicted"]


@dataclass(frozen=True)
class Predicted:
    """Predictions of rows.

    Attributes
    ----------
    law : PredictiveLaw
        Of a new observation of each row; with the maximum, the rows and the errors of the estimates.
    which, random : str
        As users ask for them.
    variation : Variation, optional
        How estimates and covariance vary with the draws that found them; by default they do not.
    """

    law: PredictiveLaw
    which: str
    random: str
    variation: Variation | None

    @property
    def link(self) -> MeanLink:
        """From linear predictors to means."""
        return self.law.family.link_function

    @cached_property
    def here(self) -> tuple[Array, Array]:
        """Predictions (N, 4), and the Monte Carlo errors (N,) of the first column.

        Columns are the prediction and its standard error, and a linear predictor and its standard error, which
        intervals are built on.
        """
        return self._at(self.law)

    @cached_property
    def varied(self) -> Varied:
        """Deviations of the predictions (N, 4)."""
        return self._vary(lambda law: self._at(law)[0])

    def obs_limits_mcse(self, alpha: float, limits: Array) -> Array:
        """Monte Carlo errors of the limits (N, 2) of a new observation."""
        points = self.law.points_around(limits)
        return self.law.limits_mcse(alpha, points, self._vary(lambda law: law.distribution(points)))

    def _vary(self, function: Callable[[PredictiveLaw], Array]) -> Varied:
        law = self.law

        def at(fitted: Fitted, cov: Array) -> Array:
            loadings = fitted.design.loadings
            rows = law.rows.moved(loadings(fitted.params) - loadings(law.fitted.params))
            errors = replace(law.errors, cov_params=cov)
            return function(replace(law, fitted=fitted, rows=rows, errors=errors))

        return vary_draws(law.fitted, law.errors.cov_params, self.variation, at)

    def _at(self, law: PredictiveLaw) -> tuple[Array, Array]:
        curves = [LINEAR] if self.which == "linear" else [LINEAR, Curve(self.link)]
        found = moments(law.fitted, law.rows, curves, law.errors)
        chosen, linear = found[-1], found[0]
        se, centre, spread = self._se(chosen, law.errors), linear.mean, self._se(linear, law.errors)
        if self.random == "marginal" and self.which == "mean":
            with np.errstate(divide="ignore", invalid="ignore"):  # means at the end of their range
                centre = self.link.eta(chosen.mean)
                spread = se / np.abs(self.link.mean_deriv(centre))
        return np.column_stack([chosen.mean, se, centre, spread]), chosen.mcse

    def _se(self, part: Moments, errors: ParameterErrors) -> Array:
        open_part = part.var if self.random == "conditional" else 0.0
        return np.asarray(np.sqrt(open_part + part.estimation_var(errors.cov_params)))
