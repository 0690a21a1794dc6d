"""design."""

from statsmodels_mcla.design.buckets import Bucket
from statsmodels_mcla.design.coordinates import FIRST_SD, SearchScale, working_scale
from statsmodels_mcla.design.mixed_design import MixedDesign
from statsmodels_mcla.design.names import TermFacts, covariance_names, facts_of, term_keys
from statsmodels_mcla.design.random_terms import NewRows, RandomTerm, TermDesign, index_dtype, level_major
from statsmodels_mcla.design.row_merging import merge_identical_rows

__all__ = [
    "FIRST_SD",
    "Bucket",
    "MixedDesign",
    "NewRows",
    "RandomTerm",
    "SearchScale",
    "TermDesign",
    "TermFacts",
    "covariance_names",
    "facts_of",
    "index_dtype",
    "level_major",
    "merge_identical_rows",
    "term_keys",
    "working_scale",
]
