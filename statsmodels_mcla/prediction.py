"""Predictions: means and linear predictors of rows old and new, with intervals.

What a prediction says of the random effects is chosen by ``random``: none of them, those given the data, or the
average over them.  Standard errors are by the delta method and count that the law of the effects given the data
depends on the estimates (`conditional`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from statsmodels_mcla.arguments import check_alpha
from statsmodels_mcla.conditional import ParameterErrors
from statsmodels_mcla.linalg import Array
from statsmodels_mcla.new_rows import fixed_rows, prediction_rows
from statsmodels_mcla.predicted import Predicted
from statsmodels_mcla.predictive import PredictiveLaw
from statsmodels_mcla.variation import wald_limits

__all__ = ["MixedPrediction", "PredictionMethods"]

WHICH = ("mean", "linear")


@dataclass(frozen=True)
class MixedPrediction:
    """Predictions of a mixed model.

    Attributes
    ----------
    which, random : str
    row_labels : Index or None
    complete : ndarray of bool (N,)
        Rows without missing values; the others are NaN.
    source : Predicted
        Predictions of the complete rows as functions of the fit.
    """

    which: str
    random: str
    row_labels: pd.Index | None
    complete: np.ndarray = field(repr=False)
    source: Predicted = field(repr=False)

    def _filled(self, values: Array) -> Array:
        out = np.full((len(self.complete), *values.shape[1:]), np.nan)
        out[self.complete] = values
        return out

    @property
    def predicted_mean(self) -> Array:
        """Means (binomial: probabilities) or, with ``which="linear"``, linear predictors, (N,)."""
        return self._filled(self.source.here[0][:, 0])

    @property
    def mcse(self) -> Array:
        """Monte Carlo standard errors of ``predicted_mean``."""
        return self._filled(self.source.here[1])

    @property
    def se(self) -> Array:
        """Standard errors (N,).

        With ``random="conditional"`` they count what the data leave open of the random effects and the sampling
        error of the estimates (Booth and Hobert, 1998); otherwise the latter alone.
        """
        return self._filled(self.source.here[0][:, 1])

    @property
    def se_mcse(self) -> Array:
        """Monte Carlo standard errors of ``se``.

        The predictions are made again for the deviations of each of 16 batches of replicates, once.
        """
        return self._filled(self.source.varied.mcse[:, 1])

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
        limits = self._limits(alpha, method)
        return self._filled(limits(self.source.here[0]))

    def conf_int_mcse(self, alpha: float = 0.05, method: str = "endpoint") -> Array:
        """Monte Carlo standard errors of the limits of `conf_int`, (N, 2)."""
        return self._filled(self.source.varied.through(self._limits(alpha, method)).mcse)

    def _limits(self, alpha: float, method: str) -> Callable[[Array], Array]:
        """Limits (..., 2) as a function of what `Predicted` gives (..., 4)."""
        check_alpha(alpha)
        if method not in ("endpoint", "delta"):
            raise ValueError(f"method must be 'endpoint' or 'delta', got {method!r}")
        quantile = float(stats.norm.isf(0.5 * alpha))
        if self.which == "linear" or method == "delta":
            return lambda found: wald_limits(found[..., :2], quantile)
        interval = self.source.link.interval

        def limits(found: Array) -> Array:
            low, high = np.moveaxis(wald_limits(found[..., 2:], quantile), -1, 0)
            return np.stack(interval(low, high), axis=-1)

        return limits

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
        return self._filled(self._obs_limits(alpha))

    def obs_conf_int_mcse(self, alpha: float = 0.05) -> Array:
        """Monte Carlo standard errors of the limits of `obs_conf_int`, (N, 2)."""
        return self._filled(self.source.obs_limits_mcse(alpha, self._obs_limits(alpha)))

    def _obs_limits(self, alpha: float) -> Array:
        check_alpha(alpha)
        return np.column_stack(self.source.law.interval(alpha))

    def summary_frame(self, alpha: float = 0.05, *, mcse: bool = True) -> pd.DataFrame:
        """Predictions in a table.

        Parameters
        ----------
        alpha : float
            One minus the level of the intervals.
        mcse : bool
            Whether to give the Monte Carlo errors of standard errors and limits too, which take some twenty times as
            long as the predictions.

        Returns
        -------
        DataFrame
            ``mean``, ``mean_se``, ``mean_ci_lower``, ``mean_ci_upper``; for means ``obs_ci_lower`` and
            ``obs_ci_upper``, see `obs_conf_int`; ``mcse``, that of the mean, and those of the other columns, named
            after them.
        """
        columns = {"mean": self.predicted_mean, "mean_se": self.se}
        intervals: dict[str, tuple[Callable[[float], Array], Callable[[float], Array]]]
        intervals = {"mean_ci": (self.conf_int, self.conf_int_mcse)}
        if self.which == "mean":
            intervals["obs_ci"] = (self.obs_conf_int, self.obs_conf_int_mcse)
        out = pd.DataFrame(columns, index=self.row_labels)
        for name, (limits, _) in intervals.items():
            out[[f"{name}_lower", f"{name}_upper"]] = limits(alpha)
        out["mcse"] = self.mcse
        if mcse:
            out["mean_se_mcse"] = self.se_mcse
            for name, (_, errors) in intervals.items():
                out[[f"{name}_lower_mcse", f"{name}_upper_mcse"]] = errors(alpha)
        return out


class PredictionMethods:
    """The part of the results that predicts."""

    model: Any
    fitted: Any
    _variation: Any

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
        law = PredictiveLaw(fitted, at.rows, errors, family, at.n_trials, at.var_weights)
        source = Predicted(law, which, random, self._variation)
        source.here  # noqa: B018 - what cannot be predicted is refused now
        labels = at.index if row_labels is None else pd.Index(row_labels)
        return MixedPrediction(which, random, labels, at.complete, source)
