"""Residuals from fitted values, by kind."""

from __future__ import annotations

import numpy as np

from statsmodels_mcla.data import ModelInputs
from statsmodels_mcla.families import ConditionalFamily
from statsmodels_mcla.numerics import Array


def proportions(inputs: ModelInputs) -> Array:
    """Responses on the scale of the mean: binomial counts as proportions, NaN without trials."""
    trials = np.where(inputs.n_trials > 0, inputs.n_trials, np.nan)
    return np.asarray(inputs.endog.to_numpy() / trials)


def pearson_residuals(inputs: ModelInputs, family: ConditionalFamily, mu: Array, phi: float) -> Array:
    """Residuals over the standard deviation of the response, as GLM has them: not divided by a scale."""
    unit = 1.0 if family.exponential and family.dispersion == "scale" else phi
    variance = family.variance(family.location(mu, phi), unit, inputs.n_trials)
    size = np.sqrt(inputs.n_trials * inputs.var_weights / variance)
    return np.asarray((proportions(inputs) - mu) * size)


def deviance_residuals(inputs: ModelInputs, family: ConditionalFamily, mu: Array, phi: float) -> Array:
    """Signed roots of what each row adds to the deviance, as GLM has them: not divided by a scale."""
    y = inputs.endog.to_numpy()
    deviance = inputs.var_weights * family.unit_deviance(y, family.location(mu, phi), phi, inputs.n_trials)
    return np.asarray(np.sign(proportions(inputs) - mu) * np.sqrt(np.maximum(deviance, 0.0)))
