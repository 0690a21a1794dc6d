"""Methods that predict and simulate."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import pandas as pd

from statsmodels_mcla.data import checked_count, inputs_of, simulate_responses
from statsmodels_mcla.families import Predictable, Surface
from statsmodels_mcla.numerics import generator_of
from statsmodels_mcla.prediction import (
    JointRows,
    MixedPrediction,
    Predicted,
    PredictionRows,
    PredictiveLaw,
    conditional_effects,
    fixed_predictions,
    fixed_rows,
    prediction_rows,
)
from statsmodels_mcla.results.methods.base import ResultsBase


class SimulationResults(ResultsBase):
    """Responses simulated from the fit."""

    def simulate(self, nsim: int = 1, rng: Any = None, random: str = "new") -> pd.DataFrame:
        """Simulate responses from the fitted model.

        Parameters
        ----------
        nsim : int
            Number of simulated responses of every row.
        rng : int or numpy.random.Generator, optional
            Source of randomness.
        random : {"new", "conditional"}
            Fresh random effects, or those of these data: drawn given the responses that were observed.

        Returns
        -------
        DataFrame (N, nsim)
            As the model has the response: categories by number; successes of counts, shares if the response is one.
            `model.clone_with` takes a column.  A row gets one response whatever its frequency weight.

        Raises
        ------
        ValueError
            If an argument is out of range, or the family has no mean at most random effects (inverse link).

        Examples
        --------
        >>> results.simulate(nsim=3, rng=1).mean().round(2)
        0    0.80
        1    0.78
        2    0.80
        dtype: float64
        """
        nsim = checked_count("nsim", nsim)
        if random not in ("new", "conditional"):
            raise ValueError(f"random must be 'new' or 'conditional', got {random!r}")
        model, inputs = self.model, inputs_of(self.model)
        generator = generator_of(rng)
        params, effects = self.estimates.params, None
        if random == "conditional":
            effects = conditional_effects(model.design, self.estimates.fitted, params, generator, nsim)
        y = simulate_responses(
            inputs, model.design, model.conditional_family, params, generator, nsim, effects
        )
        return pd.DataFrame(inputs.given(y), index=inputs.endog.index, columns=range(nsim))


class PredictionMethods(ResultsBase):
    """The part of the results that predicts."""

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
        which : str
            "mean" of the response (binomial: probability of success) or "linear" predictor; by family also
            "conditional" (mean before zeros are left out or added), "zprob" (probability of the zero part),
            "oneprob" (of one, if not zero), "dispersion", and "prob" (a table of the probabilities of categories, which
            is the mean where they have no order).
        random : {"none", "conditional", "marginal"}
            Random effects of zero; their law given the data, integrated over (a level that is new, or missing, has
            its prior law); or their prior law, integrated over: the average over the population.
        offset, exposure : str or array_like, optional
            A str is a column of ``exog``.  By default those of the model for its own rows; for new ones the columns
            that the fit took them from, otherwise 0 and 1.
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

        Examples
        --------
        >>> import pandas as pd
        >>> new = pd.DataFrame({"trt": ["placebo", "drug"], "week": [2, 2], "ID": ["X01", "somebody new"]})
        >>> results.predict(new).round(3)
        0    0.947
        1    0.825
        dtype: float64
        >>> results.predict(new, random="conditional").round(3)
        0    0.948
        1    0.773
        dtype: float64
        >>> results.predict(new, random="marginal").round(3)
        0    0.912
        1    0.773
        dtype: float64
        """
        categorical = self.model.conditional_family.categorical
        if which == "prob" or (which == "mean" and categorical and which not in self._predictable):
            chances = [name for name in self._predictable if name.startswith("prob: ")]
            if not chances:
                raise ValueError(f"which='prob' is for categories; {self._listed(which)}")
            options = {"exog_vc": exog_vc}
            parts = {
                name.removeprefix("prob: "): self.predict(
                    exog, transform, name, random, offset, exposure, **options
                )
                for name in chances
            }
            return pd.DataFrame(parts)
        simple = self.model.conditional_family.simple_mean and which in ("mean", "linear")
        if random == "none" and exog_vc is None and simple:  # needs neither draws nor the data of the fit
            rows = fixed_rows(self.model, exog, transform, offset, exposure)
            values = fixed_predictions(self.model, rows, self.estimates.params, which)
            return values if rows.index is None else pd.Series(values, index=rows.index)
        found = self.get_prediction(exog, transform, which, random, offset, exposure, exog_vc=exog_vc)
        if found.row_labels is None:
            return found.predicted_mean
        return pd.Series(found.predicted_mean, index=found.row_labels)

    @property
    def _predictable(self) -> dict[str, Predictable]:
        fitted = self.estimates.fitted
        found: dict[str, Predictable] = fitted.design.family.predictable(
            fitted.design.split(fitted.params)[2]
        )
        return found

    def _listed(self, which: str) -> str:
        names = ", ".join(map(repr, self._predictable))
        return f"which must be one of {names} for family {self.model.conditional_family.name}, got {which!r}"

    def _predictors(self, which: str) -> tuple[int, ...]:
        """Numbers of the linear predictors that a prediction is of."""
        if which not in self._predictable:
            raise ValueError(self._listed(which))
        found = self._predictable[which]
        return found.curve.predictors if isinstance(found.curve, Surface) else (found.predictor,)

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

        Examples
        --------
        >>> import pandas as pd
        >>> new = pd.DataFrame({"trt": ["placebo", "drug"], "week": [2, 2]})
        >>> prediction = results.get_prediction(new, random="marginal")
        >>> prediction
        <MixedPrediction: mean of 2 rows, random='marginal'; summary_frame() has them>
        >>> prediction.summary_frame().round(3)
            mean  mean_se  mean_ci_lower  ...  obs_ci_lower  obs_ci_upper  mcse
        0  0.912    0.034          0.818  ...           0.0           1.0   0.0
        1  0.773    0.069          0.611  ...           0.0           1.0   0.0
        <BLANKLINE>
        [2 rows x 7 columns]
        """
        fitted, errors = self.estimates.fitted.fresh, self.estimates.errors
        family = fitted.design.family  # its limit, where a dispersion is zero
        predictors = self._predictors(which)
        fixed = fixed_rows(self.model, exog, transform, offset, exposure)

        @cache
        def rows_of(numbers: tuple[int, ...]) -> PredictionRows:
            return prediction_rows(self.model, fitted, fixed, random, exog_vc, n_trials, var_weights, numbers)

        def joint_of(numbers: Sequence[int]) -> JointRows | None:
            several = len(numbers) > 1
            return JointRows.of(lambda numbers: rows_of(numbers).rows, numbers) if several else None

        at, joint, every = rows_of(predictors[:1]), joint_of(predictors), None
        if which == "mean" and not family.categorical:
            every = joint_of(range(len(family.predictors)))
        law = PredictiveLaw(fitted, at.rows, errors, family, at.n_trials, at.var_weights, joint, every)
        source = Predicted(law, which, random, self.estimates.cov.variation_later)
        source.here  # noqa: B018 - what cannot be predicted is refused now
        labels = at.index if row_labels is None else pd.Index(row_labels)
        return MixedPrediction(which, random, labels, at.complete, source)
