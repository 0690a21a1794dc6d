"""Covariances of the estimates, and tests and intervals from them.

Owns contrasts, tests of terms, sandwich covariances, influence, the bootstrap, power, and standard deviations and
correlations.  Tests that
fit a second model are `comparison`'s.
The next of its kind: a function of `Estimates`, and a thin method in `results.methods`.
"""

from statsmodels_mcla.inference.bootstrap import Bootstrap
from statsmodels_mcla.inference.contrasts import (
    MonteCarloContrasts,
    MonteCarloTermTests,
    MonteCarloWaldTest,
    are_known,
    contrast_errors,
    linear_hypothesis,
    rejected_for_sure,
    wald_errors,
    wald_statistic,
    with_known,
)
from statsmodels_mcla.inference.independent_units import scores_of_fit, units_of
from statsmodels_mcla.inference.influence import BlockInfluence, influence_of
from statsmodels_mcla.inference.power import PowerCurve, power_curve, rows_of_size
from statsmodels_mcla.inference.sandwich import check_covariance, covariance_of_kind
from statsmodels_mcla.inference.simulated_refits import of_refit
from statsmodels_mcla.inference.standard_deviations import covariance_matrices, var_corr
from statsmodels_mcla.inference.term_tests import columns_of, places_of, tested_terms, wald_term_tests
from statsmodels_mcla.inference.tidy import tidy_fixed, tidy_random

__all__ = [
    "BlockInfluence",
    "Bootstrap",
    "MonteCarloContrasts",
    "MonteCarloTermTests",
    "MonteCarloWaldTest",
    "PowerCurve",
    "are_known",
    "check_covariance",
    "columns_of",
    "contrast_errors",
    "covariance_matrices",
    "covariance_of_kind",
    "influence_of",
    "linear_hypothesis",
    "of_refit",
    "places_of",
    "power_curve",
    "rejected_for_sure",
    "rows_of_size",
    "scores_of_fit",
    "tested_terms",
    "tidy_fixed",
    "tidy_random",
    "units_of",
    "var_corr",
    "wald_errors",
    "wald_statistic",
    "wald_term_tests",
    "with_known",
]
