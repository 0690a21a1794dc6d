"""covariance."""

from statsmodels_mcla.covariance.effect_density import EffectDensity, EffectLaw, effect_law
from statsmodels_mcla.covariance.low_rank import Layout, ReducedTerm
from statsmodels_mcla.covariance.sigma import Covariance
from statsmodels_mcla.covariance.unstructured import CovarianceTerm

__all__ = [
    "Covariance",
    "CovarianceTerm",
    "EffectDensity",
    "EffectLaw",
    "Layout",
    "ReducedTerm",
    "effect_law",
]
