"""Predictions: means and linear predictors of rows old and new, with intervals.

What a prediction says of the random effects is chosen by ``random``: none of them, those given the data, or the
average over them.  Standard errors are by the delta method and count that the law of the effects given the data
depends on the estimates (`conditional`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from statsmodels_mcla.arguments import check_alpha
from statsmodels_mcla.conditional import LINEAR, Curve, Moments, ParameterErrors, moments
from statsmodels_mcla.families import MeanLink
from statsmodels_mcla.linalg import Array
from statsmodels_mcla.new_rows import PredictionRows, fixed_rows, prediction_rows
from statsmodels_mcla.predictive import PredictiveLaw

__all__ = ["MixedPrediction", "PredictionMethods"]

WHICH = ("mean", "linear")


@dataclass(frozen=True)
class MixedPrediction:
    """Predictions of a mixed model.

    Attributes
    ----------
    predicted_mean : ndarray (N,)
        Means (binomial: probabilities) or, with ``which="linear"``, linear predictors.
    se : ndarray (N,)
        Standard errors.  With ``random="conditional"`` they count what the data leave open of the random effects
        and the sampling error of the estimates (Booth and Hobert, 1998); otherwise the latter alone.
    mcse : ndarray (N,)
        Monte Carlo standard errors of ``predicted_mean``.
    linear : ndarray (N, 2)
        A linear predictor and its standard error, which intervals are built on.
    which, random : str
    row_labels : Index or None
    link : MeanLink
    law : PredictiveLaw
        Of a new observation of each complete row.
    complete : ndarray of bool (N,)
        Rows without missing values; the others are NaN.
    """

    predicted_mean: Array
    se: Array
    mcse: Array
    linear: Array
    which: str
    random: str
    row_labels: pd.Index | None
    link: MeanLink = field(repr=False)
    law: PredictiveLaw = field(repr=False)
    complete: np.ndarray = field(repr=False)

    @property
    def se_mean(self) -> Array:
        """Standard errors, by the name that GLM predictions have for them."""
        return self.se

    @property
    def var_pred_mean(self) -> Array:
        """Squared standard errors."""
        return self.se**2

    def conf_int(self, alpha: float = 0.05, method: str = "endpoint") -> Array:
        """Intervals for the predicted quantities.

        Parameters
        ----------
        alpha : float
            One minus the level.
        method : {"endpoint", "delta"}
            An interval for the linear predictor, transformed (as GLM predictions have it), or the prediction -+
            normal quantile times its standard error, which may leave the range of the mean.  The linear predictor
            of a population average is the one whose mean it is.

        Returns
        -------
        ndarray (N, 2)

        Raises
        ------
        ValueError
            If an argument is out of range.
        """
        check_alpha(alpha)
        if method not in ("endpoint", "delta"):
            raise ValueError(f"method must be 'endpoint' or 'delta', got {method!r}")
        quantile = stats.norm.isf(0.5 * alpha)
        if self.which == "linear" or method == "delta":
            half = quantile * self.se
            return np.column_stack([self.predicted_mean - half, self.predicted_mean + half])
        half = quantile * self.linear[:, 1]
        return np.column_stack(self.link.interval(self.linear[:, 0] - half, self.linear[:, 0] + half))

    def obs_conf_int(self, alpha: float = 0.05) -> Array:
        """Prediction intervals for a new observation of each row; binomial: for the fraction of successes.

        They count the sampling error of the estimates, what is not known of the random effects, and the variation
        of the response.  With ``random="none"`` the effects are taken to be zero; with "marginal" the observation
        comes from new levels.

        Parameters
        ----------
        alpha : float
            One minus the level; limits of discrete responses cover at least that.

        Returns
        -------
        ndarray (N, 2)
            NaN in rows with missing values.
        """
        check_alpha(alpha)
        out = np.full((len(self.predicted_mean), 2), np.nan)
        out[self.complete] = np.column_stack(self.law.interval(alpha))
        return out

    def summary_frame(self, alpha: float = 0.05) -> pd.DataFrame:
        """Predictions in a table.

        Parameters
        ----------
        alpha : float
            One minus the level of the intervals.

        Returns
        -------
        DataFrame
            ``mean``, ``mean_se``, ``mean_ci_lower``, ``mean_ci_upper``, ``mcse`` and, for means, ``obs_ci_lower`` and
            ``obs_ci_upper``, see `obs_conf_int`.
        """
        limits = self.conf_int(alpha)
        out = pd.DataFrame(
            {
                "mean": self.predicted_mean,
                "mean_se": self.se,
                "mean_ci_lower": limits[:, 0],
                "mean_ci_upper": limits[:, 1],
                "mcse": self.mcse,
            },
            index=self.row_labels,
        )
        if self.which == "mean":
            out[["obs_ci_lower", "obs_ci_upper"]] = self.obs_conf_int(alpha)
        return out


class PredictionMethods:
    """The part of the results that predicts."""

    model: Any
    fitted: Any

    def predict(
        self,
        exog: Any = None,
        transform: bool = True,
        which: str = "mean",
        random: str = "none",
        offset: Any = None,
        exposure: Any = None,
        *,
        exog_vc: Any = None,
    ) -> Any:
        """Predict means or linear predictors.

        Parameters
        ----------
        exog : DataFrame or array_like, optional
            New rows: a table with the columns that the formula names, or the fixed-effects design itself.  By
            default the rows of the model.
        transform : bool
            Whether the formula is applied to ``exog``.
        which : {"mean", "linear"}
            Mean of the response (binomial: probability of success) or linear predictor.
        random : {"none", "conditional", "marginal"}
            Random effects of zero; their law given the data, integrated over (a level that is new, or missing, has
            its prior law); or their prior law, integrated over: the average over the population.
        offset, exposure : str or array_like, optional
            Those of the model for its own rows by default, 0 and 1 for new ones; a str is a column of ``exog``.
        exog_vc : array_like or scipy.sparse (N, Q), optional
            Random-effects design of the new rows, for models that were not made by a formula.

        Returns
        -------
        Series or ndarray
            NaN in rows with missing values.

        Raises
        ------
        ValueError
            If an argument does not fit, or there is no such mean (the inverse link over normal effects).
        """
        found = self.get_prediction(exog, transform, which, random, offset, exposure, exog_vc=exog_vc)
        if found.row_labels is None:
            return found.predicted_mean
        return pd.Series(found.predicted_mean, index=found.row_labels)

    def get_prediction(
        self,
        exog: Any = None,
        transform: bool = True,
        which: str = "mean",
        random: str = "none",
        offset: Any = None,
        exposure: Any = None,
        *,
        exog_vc: Any = None,
        n_trials: Any = None,
        var_weights: Any = None,
        row_labels: Any = None,
    ) -> MixedPrediction:
        """Predictions with standard errors, Monte Carlo errors and intervals.

        Parameters
        ----------
        exog, transform, which, random, offset, exposure, exog_vc
            As in `predict`.
        n_trials, var_weights : str or array_like, optional
            Of a new observation, for its prediction interval: those of the model for its own rows, otherwise one.
        row_labels : array_like, optional
            Labels of the rows.

        Returns
        -------
        MixedPrediction
            With ``predicted_mean``, ``se``, ``mcse``, ``conf_int()``, ``obs_conf_int()`` and ``summary_frame()``.

        Raises
        ------
        ValueError
            As in `predict`.
        """
        if which not in WHICH:
            raise ValueError(f"which must be 'mean' or 'linear', got {which!r}")
        fitted, errors = self.fitted.fresh, ParameterErrors.of(self)
        fixed = fixed_rows(self.model, exog, transform, offset, exposure)
        at = prediction_rows(self.model, fitted, fixed, random, exog_vc, n_trials, var_weights)
        family = self.model.conditional_family
        curves = [LINEAR] if which == "linear" else [LINEAR, Curve(family.link_function)]
        found = moments(fitted, at.rows, curves, errors)
        labels = at.index if row_labels is None else pd.Index(row_labels)
        law = PredictiveLaw(fitted, at.rows, errors, family, at.n_trials, at.var_weights)
        return _prediction(found, at, law, which, random, labels)


def _prediction(
    found: list[Moments], at: PredictionRows, law: PredictiveLaw, which: str, random: str, labels: Any
) -> MixedPrediction:
    cov_params, link = law.errors.cov_params, law.family.link_function

    def standard_error(part: Moments) -> Array:
        open_part = part.var if random == "conditional" else 0.0
        return np.sqrt(open_part + part.estimation_var(cov_params))

    chosen, linear = found[-1], found[0]
    centre, spread = linear.mean, standard_error(linear)
    if random == "marginal" and which == "mean":
        centre = link.eta(chosen.mean)
        spread = standard_error(chosen) / np.abs(link.mean_deriv(centre))
    return MixedPrediction(
        at.fill(chosen.mean),
        at.fill(standard_error(chosen)),
        at.fill(chosen.mcse),
        at.fill(np.column_stack([centre, spread])),
        which,
        random,
        labels,
        link,
        law,
        at.complete,
    )
