"""results."""

from statsmodels_mcla.results.build import laplace_results, monte_carlo_results
from statsmodels_mcla.results.mixed_glm_results import MCLAMixedGLMResults
from statsmodels_mcla.results.wrappers import MCLAMixedGLMResultsWrapper, MixedGLMResultsWrapper

__all__ = [
    "MCLAMixedGLMResults",
    "MCLAMixedGLMResultsWrapper",
    "MixedGLMResultsWrapper",
    "laplace_results",
    "monte_carlo_results",
]
