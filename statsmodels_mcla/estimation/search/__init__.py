"""The climb to a maximum at given ranks.

Owns the start without random effects, the Laplace fit, the Monte Carlo fit with its rounds, and their settings.
Ranks of covariance matrices are `boundary`'s.
The next of its kind: another optimiser goes through `optimizers`, statsmodels' own door to scipy.
"""

from statsmodels_mcla.estimation.search.glm_start import GLMStart, fit_without_random_effects, search_scale
from statsmodels_mcla.estimation.search.laplace_fit import (
    LaplaceFit,
    fit_laplace,
    informed,
    laplace_covariance,
    sized,
)
from statsmodels_mcla.estimation.search.monte_carlo_fit import MonteCarloFit, fit_monte_carlo
from statsmodels_mcla.estimation.search.settings import DrawSettings, FitSettings, Round

__all__ = [
    "DrawSettings",
    "FitSettings",
    "GLMStart",
    "LaplaceFit",
    "MonteCarloFit",
    "Round",
    "fit_laplace",
    "fit_monte_carlo",
    "fit_without_random_effects",
    "informed",
    "laplace_covariance",
    "search_scale",
    "sized",
]
