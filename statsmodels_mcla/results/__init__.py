"""What users read: statsmodels' results classes, their tables and their labels.

No numbers are computed here: methods check their arguments, hand `Estimates` on, and wrap what comes back.
The next of its kind: a thin method in the module of `methods` whose subject it is.
"""

from statsmodels_mcla.results.build import laplace_results, monte_carlo_results
from statsmodels_mcla.results.mixed_glm_results import MCLAMixedGLMResults, MixedGLMResults
from statsmodels_mcla.results.side_by_side import summary_col
from statsmodels_mcla.results.wrappers import MCLAMixedGLMResultsWrapper, MixedGLMResultsWrapper

__all__ = [
    "MCLAMixedGLMResults",
    "MCLAMixedGLMResultsWrapper",
    "MixedGLMResults",
    "MixedGLMResultsWrapper",
    "laplace_results",
    "monte_carlo_results",
    "summary_col",
]
