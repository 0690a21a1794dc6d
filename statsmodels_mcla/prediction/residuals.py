"""Residuals from fitted values, by kind."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from statsmodels.genmod.generalized_linear_model import GLM, GLMResults

from statsmodels_mcla.data import ModelInputs
from statsmodels_mcla.families import ConditionalFamily
from statsmodels_mcla.numerics import Array


def proportions(inputs: ModelInputs) -> Array:
    """Responses on the scale of the mean: binomial counts as proportions, NaN without trials."""
    trials = np.where(inputs.n_trials > 0, inputs.n_trials, np.nan)
    return np.asarray(inputs.endog.to_numpy() / trials)


def pearson_residuals(
    inputs: ModelInputs, family: ConditionalFamily, mean: Array, phi: Any, location: Array | None = None
) -> Array:
    """Residuals over the standard deviation of the response, as GLM has them: not divided by a scale.

    The location is that of the mean, if the family has one linear predictor.
    """
    unit = 1.0 if family.exponential and family.dispersion == "scale" else phi
    at = family.location(mean, phi) if location is None else location
    precision = inputs.n_trials * family.inverse_variance(at, unit, inputs.n_trials, inputs.var_weights)
    known = (precision > 0) | (inputs.var_weights == 0)  # of Student's t there may be no variance
    return np.asarray((proportions(inputs) - mean) * np.sqrt(np.where(known, precision, np.nan)))


def glm_given_effects(inputs: ModelInputs, family: Any, beta: Array, eta: Array) -> GLMResults:
    """Statsmodels' GLM of the rows that count, at given fixed effects, with the rest of the linear predictor as offset.

    Parameters
    ----------
    inputs : ModelInputs
    family : statsmodels family
        With the dispersion that was estimated, where that is part of it.
    beta : ndarray (p,)
    eta : ndarray (N,)
        Linear predictors of all rows, random effects included.
    """
    used = np.flatnonzero(inputs.used)
    exog = inputs.exog.iloc[used]
    model = GLM(
        pd.Series(proportions(inputs)[used], exog.index, name=inputs.endog.name),
        exog,
        family=family,
        offset=eta[used] - exog.to_numpy() @ beta,
        freq_weights=inputs.freq_weights[used],
        var_weights=(inputs.var_weights * inputs.n_trials)[used],
    )
    return GLMResults(model, beta, np.zeros((len(beta),) * 2), 1.0)


NODES, WEIGHTS = np.polynomial.legendre.leggauss(64)


def anscombe_residuals(inputs: ModelInputs, family: ConditionalFamily, mu: Array, phi: float) -> Array:
    """Anscombe residuals, as GLM has them: not divided by a scale.

    (A(y) - A(mu)) / V(mu)^(1/6), where A' = V^(-1/3) (McCullagh and Nelder, 1989, sec. 2.4), by quadrature in s with
    t = y + (mu - y) s^3, which takes the pole of the integrand at a response at the end of its range.
    """
    unit = 1.0 if family.dispersion == "scale" else phi
    y, centre = proportions(inputs)[:, None], np.asarray(mu)[:, None]
    s = 0.5 * (NODES + 1.0)
    integrand = family.variance(y + (centre - y) * s**3, unit) ** (-1.0 / 3.0)
    integral = (integrand * (y - centre) * 3.0 * s**2) @ (0.5 * WEIGHTS)
    size = np.sqrt(inputs.n_trials * inputs.var_weights)
    return np.asarray(integral * size * family.variance(np.asarray(mu), unit) ** (-1.0 / 6.0))


def deviance_residuals(inputs: ModelInputs, family: ConditionalFamily, mu: Array, phi: float) -> Array:
    """Signed roots of what each row adds to the deviance, as GLM has them: not divided by a scale."""
    y = inputs.endog.to_numpy()
    deviance = inputs.var_weights * family.unit_deviance(y, family.location(mu, phi), phi, inputs.n_trials)
    return np.asarray(np.sign(proportions(inputs) - mu) * np.sqrt(np.maximum(deviance, 0.0)))
