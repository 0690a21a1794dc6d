"""The same model for another response: what simulations and bootstraps are refitted with."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from statsmodels.base.model import LikelihoodModel

from statsmodels_mcla.data import ModelInputs, inputs_of
from statsmodels_mcla.families import ConditionalFamily


class ClonableModel(LikelihoodModel):
    """A model that can be had again with another response."""

    inputs: ModelInputs
    conditional_family: ConditionalFamily
    family: Any
    formula: str
    full_formula: str

    def clone_with(self, endog: Any) -> Any:
        """Model of the same rows, designs, weights and offset, with another response.

        Parameters
        ----------
        endog : array_like (n,) or (n, 2)
            One response for each row that the model uses.  Binomial: successes out of the same numbers of
            trials, as `simulate` gives them, or successes and failures.

        Returns
        -------
        MCLAMixedGLM
            Unfitted; the random effects keep their levels.

        Raises
        ------
        ValueError
            If the response does not fit the rows or the family.

        Examples
        --------
        >>> again = model.clone_with(results.simulate(rng=1)[0]).fit()  # doctest: +SKIP
        """
        return self._with_inputs(inputs_of(self).with_response(endog, self.conditional_family))

    def null_model(self) -> Any:
        """Model of the same rows and random effects with an intercept for the fixed effects of the mean.

        Raises
        ------
        ValueError
            If the model has no intercept, as with ordered categories, whose thresholds are in its place.
        """
        inputs = inputs_of(self)
        if not self.k_constant:
            raise ValueError(
                "the null model has an intercept alone, and this model has none: fit it by a formula"
            )
        others = inputs.predictor_of_column > 0
        exog = inputs.exog.loc[:, others].copy()
        exog.insert(0, "Intercept", 1.0)
        of_column = None if inputs.of_column is None else np.append(0, inputs.of_column[others])
        null = replace(inputs, exog=exog, of_column=of_column)
        return type(self)(null, exog, family=self.family, of_column=of_column)

    def with_unit_weights(self) -> Any:
        """Model with as many rows as the frequency weights add up to; itself if they are all one.

        Raises
        ------
        ValueError
            If a frequency weight is not a whole number.
        """
        inputs = inputs_of(self)
        weights = inputs.freq_weights
        if np.all(weights == 1.0):
            return self
        if np.any(weights != np.floor(weights)):
            raise ValueError(
                "freq_weights must be whole numbers for responses to be simulated row by row: a row of weight 2 "
                "stands for two rows"
            )
        rows = np.repeat(np.arange(len(weights)), weights.astype(int))
        return self._with_inputs(inputs.take(rows), rows)

    def _with_inputs(self, inputs: ModelInputs, rows: Any = slice(None)) -> Any:
        """Model of other inputs, read from the given rows of the data."""
        kept = {name: value for name, value in vars(self.data).items() if name in ("formula", "model_spec")}
        out = type(self)(inputs, inputs.exog, family=self.family, of_column=inputs.of_column, **kept)
        if hasattr(self.data, "frame"):
            out.formula, out.full_formula = self.formula, self.full_formula
            out.facts = out.facts._replace(n_dropped=self.facts.n_dropped)
            out.data.frame = self.data.frame.iloc[rows]
            for name in ("used", "names", "row_columns", "parts"):
                setattr(out.data, name, getattr(self.data, name))
        return out
