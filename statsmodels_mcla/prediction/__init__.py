"""Linear predictors and functions of them: given the data, for new rows, over the population.

Owns moments given the data, the random effects, predictions with their intervals, residuals and the conditional AIC;
`population` averages over rows and effects.
The next of its kind: a function of eta is a `MomentFunction`; what it needs of new rows is read by `prediction_rows`.
"""

from statsmodels_mcla.prediction.conditional_moments import (
    LINEAR,
    MomentFunction,
    Moments,
    moments,
    moments_of,
)
from statsmodels_mcla.prediction.given_parameters import predicted_from
from statsmodels_mcla.prediction.information_criteria import ConditionalAIC, conditional_aic, leverages
from statsmodels_mcla.prediction.linear_predictors import (
    JointRows,
    Law,
    LinearRows,
    Placed,
    Products,
    prior_basis,
)
from statsmodels_mcla.prediction.mixed_prediction import MixedPrediction, Predicted
from statsmodels_mcla.prediction.model_checks import (
    Groups,
    Places,
    Series,
    checks_table,
    dispersion,
    outliers,
    uniformity,
    zeros,
)
from statsmodels_mcla.prediction.new_rows import (
    PredictionRows,
    fixed_predictions,
    fixed_rows,
    prediction_rows,
)
from statsmodels_mcla.prediction.predictive_distribution import PredictiveLaw
from statsmodels_mcla.prediction.random_effects import (
    EffectMoments,
    conditional_effects,
    conditional_modes_of,
    effect_covariances,
    effect_moments,
)
from statsmodels_mcla.prediction.residuals import (
    anscombe_residuals,
    deviance_residuals,
    glm_given_effects,
    pearson_residuals,
    proportions,
)
from statsmodels_mcla.prediction.simulated_residuals import LEAST, SimulatedResiduals

__all__ = [
    "LEAST",
    "LINEAR",
    "ConditionalAIC",
    "EffectMoments",
    "Groups",
    "JointRows",
    "Law",
    "LinearRows",
    "MixedPrediction",
    "MomentFunction",
    "Moments",
    "Placed",
    "Places",
    "Predicted",
    "PredictionRows",
    "PredictiveLaw",
    "Products",
    "Series",
    "SimulatedResiduals",
    "anscombe_residuals",
    "checks_table",
    "conditional_aic",
    "conditional_effects",
    "conditional_modes_of",
    "deviance_residuals",
    "dispersion",
    "effect_covariances",
    "effect_moments",
    "fixed_predictions",
    "fixed_rows",
    "glm_given_effects",
    "leverages",
    "moments",
    "moments_of",
    "outliers",
    "pearson_residuals",
    "predicted_from",
    "prediction_rows",
    "prior_basis",
    "proportions",
    "uniformity",
    "zeros",
]
