"""Predictions with their standard and Monte Carlo errors, confidence and prediction intervals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from scipy import stats

from statsmodels_mcla.data import check_alpha
from statsmodels_mcla.estimation import (
    Fitted,
    Later,
    ParameterErrors,
    Variation,
    Varied,
    vary_draws,
    wald_limits,
    wald_pvalues,
    z_of,
)
from statsmodels_mcla.families import MeanLink, Predictable
from statsmodels_mcla.interface import ShownByTable
from statsmodels_mcla.numerics import Array
from statsmodels_mcla.prediction.conditional_moments import (
    LINEAR,
    SLICED,
    MomentFunction,
    Moments,
    moments_of,
)
from statsmodels_mcla.prediction.predictive_distribution import PredictiveLaw

ALTERNATIVES: dict[str, Callable[[Array], Array]] = {
    "two-sided": wald_pvalues,
    "larger": stats.norm.sf,
    "smaller": stats.norm.cdf,
}


@dataclass(frozen=True)
class Predicted:
    """Predictions of rows.

    Attributes
    ----------
    law : PredictiveLaw
        Of a new observation of each row; with the maximum, the rows and the errors of the estimates.
    which, random : str
        As users ask for them.
    variation : Later
        `Variation`, how estimates and covariance vary with the draws that found them; None if they do not.
    """

    law: PredictiveLaw
    which: str
    random: str
    variation: Later[Variation | None]

    @property
    def link(self) -> MeanLink:
        """From linear predictors to what is predicted, or what intervals are built on."""
        return self._scale(self.law)

    def _scale(self, law: PredictiveLaw) -> MeanLink:
        found = self._predictable(law)
        scale = found.interval or found.curve
        if not isinstance(scale, MeanLink):
            raise TypeError(f"no scale is known for intervals of {self.which!r}")
        return scale

    def _predictable(self, law: PredictiveLaw) -> Predictable:
        return law.family.predictable(law.phi)[self.which]

    @cached_property
    def here(self) -> tuple[Array, Array]:
        """Predictions (N, 4), and the Monte Carlo errors (N,) of the first column.

        Columns are the prediction and its standard error, and a linear predictor and its standard error, which
        intervals are built on.
        """
        found, mcse, _ = self._at(self.law)
        return found, mcse

    @cached_property
    def varied(self) -> Varied:
        """Deviations of the predictions (N, 4)."""
        return self._vary(lambda law: self._at(law)[0])

    def obs_limits_mcse(self, alpha: float, limits: Array) -> tuple[Array, Varied]:
        """Monte Carlo errors of the limits (N, 2) of a new observation, and `varied`, over the same draws."""
        points = self.law.points_around(limits)

        def both(law: PredictiveLaw) -> Array:
            found, _, linear = self._at(law, SLICED)
            return np.column_stack([found, law.distribution(points, linear)])

        varied, at_points = self._vary(both).split(self.here[0].shape[1])
        return self.law.limits_mcse(alpha, points, at_points), varied

    def _vary(self, function: Callable[[PredictiveLaw], Array]) -> Varied:
        law = self.law

        def at(fitted: Fitted, cov: Array) -> Array:
            change = fitted.params - law.fitted.params
            step = change[fitted.design.layout.covariance]
            joint = None if law.joint is None else law.joint.moved(step)
            rows, every = law.rows.moved(step), None if law.every is None else law.every.moved(step)
            errors = replace(law.errors, cov_params=cov)
            return function(replace(law, fitted=fitted, rows=rows, joint=joint, every=every, errors=errors))

        return vary_draws(law.fitted, law.errors.cov_params, self.variation(), at)

    def _at(self, law: PredictiveLaw, of_eta: MomentFunction = LINEAR) -> tuple[Array, Array, Moments]:
        linear, chosen = moments_of(law.fitted, law.rows, law.errors, self.which, law.joint, of_eta)
        se, centre, spread = self._se(chosen, law.errors), linear.mean, self._se(linear, law.errors)
        scale = self._predictable(law).interval
        if scale is None and self.random == "marginal" and self.which == "mean":
            scale = self._scale(law)
        if scale is not None:
            with np.errstate(divide="ignore", invalid="ignore"):  # means at the end of their range
                centre = scale.eta(chosen.mean)
                spread = se / np.abs(scale.mean_deriv(centre))
        return np.column_stack([chosen.mean, se, centre, spread]), chosen.mcse, linear

    def _se(self, part: Moments, errors: ParameterErrors) -> Array:
        open_part = part.var if self.random == "conditional" else 0.0
        return np.asarray(np.sqrt(open_part + part.estimation_var(errors.cov_params)))


@dataclass(frozen=True)
class MixedPrediction(ShownByTable):
    """Predictions of a mixed model.

    Attributes
    ----------
    which, random : str
    row_labels : Index or None
    complete : ndarray of bool (N,)
        Rows without missing values; the others are NaN.
    source : Predicted
        Predictions of the complete rows as functions of the fit.

    Examples
    --------
    >>> prediction = results.get_prediction(data.head(2), random="conditional")
    >>> prediction
    <MixedPrediction: mean of 2 rows, random='conditional'; summary_frame() has them>
    >>> prediction.predicted_mean.round(3), prediction.se.round(3)
    (array([0.96 , 0.948]), array([0.046, 0.057]))
    """

    which: str
    random: str
    row_labels: pd.Index | None
    complete: np.ndarray = field(repr=False)
    source: Predicted = field(repr=False)

    _internal: ClassVar = frozenset({"complete", "source"})

    def __repr__(self) -> str:
        shown = f"{self.which} of {len(self.complete)} rows, random={self.random!r}"
        return f"<{type(self).__name__}: {shown}; summary_frame() has them>"

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
    def var_pred(self) -> Array:
        """Squares of ``se``."""
        return self.se**2

    @property
    def tvalues(self) -> Array:
        """Predictions over their standard errors."""
        return z_of(np.stack([self.predicted_mean, self.se], axis=-1))

    @property
    def linpred(self) -> MixedPrediction:
        """The same for linear predictors."""
        return replace(self, which="linear", source=replace(self.source, which="linear"))

    def t_test(self, value: Any = 0.0, alternative: str = "two-sided") -> tuple[Array, Array]:
        """Wald z-test that a prediction is equal to a value.

        Parameters
        ----------
        value : array_like
        alternative : {"two-sided", "larger", "smaller"}

        Returns
        -------
        stat, pvalue : ndarray (N,)

        Raises
        ------
        ValueError
            If there is no such alternative.

        Examples
        --------
        >>> z, p = results.get_prediction(data.head(2)).linpred.t_test()
        >>> z.round(2)
        array([5.03, 5.  ])
        """
        if alternative not in ALTERNATIVES:
            raise ValueError(
                f"alternative must be one of {', '.join(map(repr, ALTERNATIVES))}, got {alternative!r}"
            )
        z = z_of(np.stack([self.predicted_mean - np.asarray(value, float), self.se], axis=-1))
        return z, ALTERNATIVES[alternative](z)

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

        Examples
        --------
        >>> results.get_prediction(data.head(2)).conf_int().round(2)
        array([[0.87, 0.99],
               [0.85, 0.98]])
        """
        limits = self._limits(alpha, method)
        return self._filled(limits(self.source.here[0]))

    def conf_int_mcse(self, alpha: float = 0.05, method: str = "endpoint") -> Array:
        """Monte Carlo standard errors of the limits of `conf_int`, (N, 2).

        Examples
        --------
        >>> bool((results.get_prediction(data.head(2)).conf_int_mcse() < 1e-3).all())
        True
        """
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

        Examples
        --------
        >>> epil = datasets.epil.load_pandas().data
        >>> counts = smf.mcla_mixedglm("y ~ lbase + (1 | subject)", data=epil, family="poisson")
        >>> counts.fit(rng=1).get_prediction(random="marginal").obs_conf_int()[:2]
        array([[0., 9.],
               [0., 9.]])
        """
        return self._filled(self._obs_limits(alpha))

    def obs_conf_int_mcse(self, alpha: float = 0.05) -> Array:
        """Monte Carlo standard errors of the limits of `obs_conf_int`, (N, 2).

        Examples
        --------
        >>> epil = datasets.epil.load_pandas().data
        >>> counts = smf.mcla_mixedglm("y ~ lbase + (1 | subject)", data=epil, family="poisson")
        >>> bool((counts.fit(rng=1).get_prediction(random="marginal").obs_conf_int_mcse()[:2] < 0.1).all())
        True
        """
        return self._filled(self.source.obs_limits_mcse(alpha, self._obs_limits(alpha))[0])

    def _obs_limits(self, alpha: float) -> Array:
        check_alpha(alpha)
        if not self.source.law.has_observations:
            raise ValueError(
                f"obs_conf_int is not known for family {self.source.law.family.name} and another which than 'mean'; "
                "take quantiles of simulate()"
            )
        return np.column_stack(self.source.law.interval(alpha))

    def summary_frame(self, alpha: float = 0.05, *, mcse: bool = False) -> pd.DataFrame:
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

        Examples
        --------
        >>> results.get_prediction(data.head(2)).summary_frame().round(3)
            mean  mean_se  mean_ci_lower  ...  obs_ci_lower  obs_ci_upper  mcse
        0  0.960    0.024          0.874  ...           0.0           1.0   0.0
        1  0.947    0.029          0.852  ...           0.0           1.0   0.0
        <BLANKLINE>
        [2 rows x 7 columns]
        """
        out = pd.DataFrame({"mean": self.predicted_mean, "mean_se": self.se}, index=self.row_labels)
        limits, observed = self._limits(alpha, "endpoint"), None
        out[["mean_ci_lower", "mean_ci_upper"]] = self._filled(limits(self.source.here[0]))
        if self.which == "mean" and self.source.law.has_observations:
            observed = self._obs_limits(alpha)
            out[["obs_ci_lower", "obs_ci_upper"]] = self._filled(observed)
        out["mcse"] = self.mcse
        if not mcse:
            return out
        of_observed, varied = (
            (None, self.source.varied) if observed is None else self.source.obs_limits_mcse(alpha, observed)
        )
        out["mean_se_mcse"] = self._filled(varied.mcse[:, 1])
        out[["mean_ci_lower_mcse", "mean_ci_upper_mcse"]] = self._filled(varied.through(limits).mcse)
        if of_observed is not None:
            out[["obs_ci_lower_mcse", "obs_ci_upper_mcse"]] = self._filled(of_observed)
        return out
