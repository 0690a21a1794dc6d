"""Covariances of the estimates, and tests and intervals from them.

Owns contrasts, sandwich covariances, influence, the bootstrap, and standard deviations and correlations.  Tests that
fit a second model are `comparison`'s.
The next of its kind: a function of `Estimates`, and a thin method in `results.methods`.
"""

from statsmodels_mcla.inference.bootstrap import Bootstrap
from statsmodels_mcla.inference.contrasts import (
    MonteCarloContrasts,
    MonteCarloTermTests,
    MonteCarloWaldTest,
    effects_of,
    wald_statistic,
)
from statsmodels_mcla.inference.independent_units import (
    STEP,
    RowUnits,
    Units,
    block_draws,
    laplace_scores,
    unit_hessians,
    unit_scores,
    units_of,
)
from statsmodels_mcla.inference.influence import BlockInfluence, leave_one_out
from statsmodels_mcla.inference.sandwich import Sandwich, check_covariance, group_codes, small_sample_factor
from statsmodels_mcla.inference.standard_deviations import covariance_matrices, var_corr, var_corr_errors

__all__ = [
    "STEP",
    "BlockInfluence",
    "Bootstrap",
    "MonteCarloContrasts",
    "MonteCarloTermTests",
    "MonteCarloWaldTest",
    "RowUnits",
    "Sandwich",
    "Units",
    "block_draws",
    "check_covariance",
    "covariance_matrices",
    "effects_of",
    "group_codes",
    "laplace_scores",
    "leave_one_out",
    "small_sample_factor",
    "unit_hessians",
    "unit_scores",
    "units_of",
    "var_corr",
    "var_corr_errors",
    "wald_statistic",
]
