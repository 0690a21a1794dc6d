"""Rows and effects as the likelihood takes them: frozen, numeric, cut into independent blocks.

Owns the random terms as matrices, blocks and buckets, where each parameter lies (`ParameterLayout`), the names of
covariance parameters and the coordinates of a search.  Users' data and formulas end before they get here.
The next of its kind: another way to hold a block is a class beside `Bucket`; another part of the parameters is one
more slice of `ParameterLayout`.
"""

from statsmodels_mcla.design.blocks import Stacking
from statsmodels_mcla.design.buckets import Bucket
from statsmodels_mcla.design.coordinates import SearchScale
from statsmodels_mcla.design.design_facts import DesignFacts, RowsElsewhere
from statsmodels_mcla.design.effect_rows import EffectRows, SparseRows, SplitRows
from statsmodels_mcla.design.mixed_design import MixedDesign
from statsmodels_mcla.design.names import Facts, TermFacts, facts_of, parameter_names, term_keys
from statsmodels_mcla.design.nesting import Nesting
from statsmodels_mcla.design.parameter_layout import ParameterLayout, Parameters
from statsmodels_mcla.design.random_terms import (
    NewRows,
    RandomTerm,
    RowRoot,
    TermDesign,
    axes_of_roots,
    index_dtype,
    level_major,
    row_root,
    rows_of_levels,
)
from statsmodels_mcla.design.row_merging import (
    distinct_rows,
    merge_identical_rows,
    merged_rows,
    row_groups,
    saves,
)

__all__ = [
    "Bucket",
    "DesignFacts",
    "EffectRows",
    "Facts",
    "MixedDesign",
    "Nesting",
    "NewRows",
    "ParameterLayout",
    "Parameters",
    "RandomTerm",
    "RowRoot",
    "RowsElsewhere",
    "SearchScale",
    "SparseRows",
    "SplitRows",
    "Stacking",
    "TermDesign",
    "TermFacts",
    "axes_of_roots",
    "distinct_rows",
    "facts_of",
    "index_dtype",
    "level_major",
    "merge_identical_rows",
    "merged_rows",
    "parameter_names",
    "row_groups",
    "row_root",
    "rows_of_levels",
    "saves",
    "term_keys",
]
