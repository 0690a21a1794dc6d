"""Averages over the population: marginal effects, population-averaged coefficients, shares of variance.

Owns functions of the parameters with their errors by the delta method (`ParameterFunctions`).
The next of its kind: a function of the parameters with its gradient, made into a `ParameterFunctions`.
"""

from statsmodels_mcla.prediction.population.margin_rows import (
    MarginRows,
    effect_of_column,
    kind_of_column,
    slope_of,
)
from statsmodels_mcla.prediction.population.marginal_effects import METHODS, MarginalEffects
from statsmodels_mcla.prediction.population.parameter_functions import ParameterFunctions
from statsmodels_mcla.prediction.population.population_averaged import PopulationAveraged
from statsmodels_mcla.prediction.population.variance_shares import VarianceShares, with_errors

__all__ = [
    "METHODS",
    "MarginRows",
    "MarginalEffects",
    "ParameterFunctions",
    "PopulationAveraged",
    "VarianceShares",
    "effect_of_column",
    "kind_of_column",
    "slope_of",
    "with_errors",
]
