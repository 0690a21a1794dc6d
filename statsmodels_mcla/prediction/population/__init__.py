"""Averages over the population: marginal effects, population-averaged coefficients, shares of variance.

Owns functions of the parameters with their errors by the delta method (`ParameterFunctions`), and design rows of
changed data (`CovariateRows`), which means, contrasts and effects of covariates are functions of.
The next of its kind: a function of the parameters with its gradient, made into a `ParameterFunctions`.
"""

from statsmodels_mcla.prediction.population.covariates import CovariateRows
from statsmodels_mcla.prediction.population.estimated_means import EstimatedMeans, MeanContrasts
from statsmodels_mcla.prediction.population.marginal_effects import METHODS, MarginalEffects
from statsmodels_mcla.prediction.population.marginaleffects_bridge import marginaleffects_model
from statsmodels_mcla.prediction.population.margins import Margins
from statsmodels_mcla.prediction.population.mean_functions import LinearPredictors
from statsmodels_mcla.prediction.population.parameter_functions import ParameterFunctions
from statsmodels_mcla.prediction.population.population_averaged import PopulationAveraged
from statsmodels_mcla.prediction.population.reference_grid import WEIGHTS, ReferenceGrid
from statsmodels_mcla.prediction.population.variance_shares import VarianceShares, with_errors

__all__ = [
    "METHODS",
    "WEIGHTS",
    "CovariateRows",
    "EstimatedMeans",
    "LinearPredictors",
    "MarginalEffects",
    "Margins",
    "MeanContrasts",
    "ParameterFunctions",
    "PopulationAveraged",
    "ReferenceGrid",
    "VarianceShares",
    "marginaleffects_model",
    "with_errors",
]
