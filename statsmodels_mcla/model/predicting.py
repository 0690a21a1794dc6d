"""Predictions of a model from given parameters, as statsmodels' models have them."""

from __future__ import annotations

from typing import Any

from statsmodels_mcla.model.cloning import ClonableModel
from statsmodels_mcla.numerics import Array
from statsmodels_mcla.prediction import predicted_from


class PredictingModel(ClonableModel):
    """A model that predicts."""

    def predict(
        self, params: Any, exog: Any = None, offset: Any = None, exposure: Any = None, which: str = "mean"
    ) -> Array:
        """Predict from given parameters, random effects of zero; the results' ``predict`` does more.

        Parameters
        ----------
        params : array_like (P,)
            All parameters, or the fixed effects alone.
        exog : array_like (N, p), optional
            Fixed-effects design; that of the model by default.
        offset, exposure : array_like (N,), optional
            Those of the model for its own rows by default, 0 and 1 for new ones, with a warning if the fit has others.
        which : {"mean", "linear"}
            Mean of the response (binomial: probability of success) or linear predictor.

        Returns
        -------
        ndarray (N,)

        Raises
        ------
        ValueError
            If an argument does not fit; the message names it.

        Examples
        --------
        >>> model.predict(results.params)[:3].round(3)
        array([0.96 , 0.947, 0.93 ])
        >>> model.predict(results.fe_params, which="linear")[:3].round(3)
        array([3.166, 2.875, 2.584])
        """
        return predicted_from(self, params, which, exog, offset, exposure)
