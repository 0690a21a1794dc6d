"""Tests of nested models: likelihood ratios, scores, and tables of them.

Owns how one model lies in another, and the null distributions where variances are zero (chi-bar-square).
The next of its kind: another test of a restriction is a function from two fits to a `RestrictionTest`.
"""

from statsmodels_mcla.comparison.anova_table import anova
from statsmodels_mcla.comparison.chi_bar_square import project
from statsmodels_mcla.comparison.compared_fits import MixedFit, mixed_fit_of
from statsmodels_mcla.comparison.likelihood_ratio import (
    LikelihoodRatioTest,
    RestrictionTest,
    likelihood_ratio_test,
    null_distribution,
)
from statsmodels_mcla.comparison.nesting import nesting_of
from statsmodels_mcla.comparison.restricted_model import Information, RestrictedModel, schur
from statsmodels_mcla.comparison.score_tests import ScoreTest, added_by_arrays, added_by_formula, score_test
from statsmodels_mcla.comparison.term_tables import single_term_table, table_of_tests, term_test

__all__ = [
    "Information",
    "LikelihoodRatioTest",
    "MixedFit",
    "RestrictedModel",
    "RestrictionTest",
    "ScoreTest",
    "added_by_arrays",
    "added_by_formula",
    "anova",
    "likelihood_ratio_test",
    "mixed_fit_of",
    "nesting_of",
    "null_distribution",
    "project",
    "schur",
    "score_test",
    "single_term_table",
    "table_of_tests",
    "term_test",
]
