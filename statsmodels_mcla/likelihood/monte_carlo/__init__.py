"""One pass over the draws: value, score, Hessian, their Monte Carlo errors, and conditional means.

Owns the work on rows x draws and the sums over blocks.  Draws come from `sampling`.
The next of its kind: another sum over draws is a function for `over_draws`; another integral of a block, a task that
weighs its own draws.
"""

from statsmodels_mcla.likelihood.monte_carlo.block_sums import by_replicate
from statsmodels_mcla.likelihood.monte_carlo.conditional_draws import WeightedDraws, over_draws
from statsmodels_mcla.likelihood.monte_carlo.evaluation import SETS, Evaluated, Evaluation, evaluate
from statsmodels_mcla.likelihood.monte_carlo.precision import SE_TOL, Precision

__all__ = [
    "SETS",
    "SE_TOL",
    "Evaluated",
    "Evaluation",
    "Precision",
    "WeightedDraws",
    "by_replicate",
    "evaluate",
    "over_draws",
]
