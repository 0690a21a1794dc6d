"""Reading model formulas: fixed effects by patsy, random effects into sparse matrices.

==================== =============================================================================
`split_formula`      ``y ~ x + (1 + x | g)`` into a formula for patsy and the bar terms' text
`incomplete_rows`    rows where anything that takes part is missing
`read_random_terms`  bar terms into random terms
`read_vc_formulas`   statsmodels' ``vc_formulas`` into random terms
`mixedlm_terms`      MixedLM's ``groups`` and ``re_formula`` into a random term
==================== =============================================================================

The random terms themselves, as matrices, are `design`'s.  The next of its kind: a notation that becomes random terms
is a reader beside these, called by `read_model`.
"""

from statsmodels_mcla.formula.bar_design import check_independent
from statsmodels_mcla.formula.bars import split_formula
from statsmodels_mcla.formula.design_terms import conditions_of, relatives_of, term_named
from statsmodels_mcla.formula.estimable import estimable_columns, refuse_infinite, whole_design, with_columns
from statsmodels_mcla.formula.factors import environment, lost_in_comparisons, names_in, reading
from statsmodels_mcla.formula.learnt_formula import LearntFormula, WrittenFormula, bars_of
from statsmodels_mcla.formula.missing import incomplete_rows
from statsmodels_mcla.formula.model_reader import (
    FormulaData,
    further_formulas,
    read_model,
    with_design_info,
    without_design_info,
)
from statsmodels_mcla.formula.random_effects import mixedlm_terms, read_random_effects, read_random_terms
from statsmodels_mcla.formula.row_functions import of_other_rows
from statsmodels_mcla.formula.tables import as_frame, by_label, labelled_like, rows_of
from statsmodels_mcla.formula.terms import BarTerm, FormulaError, FormulaWarning
from statsmodels_mcla.formula.updating import FormulaCall, updated_formula
from statsmodels_mcla.formula.variance_components import read_vc_formulas

__all__ = [
    "BarTerm",
    "FormulaCall",
    "FormulaData",
    "FormulaError",
    "FormulaWarning",
    "LearntFormula",
    "WrittenFormula",
    "as_frame",
    "bars_of",
    "by_label",
    "check_independent",
    "conditions_of",
    "environment",
    "estimable_columns",
    "further_formulas",
    "incomplete_rows",
    "labelled_like",
    "lost_in_comparisons",
    "mixedlm_terms",
    "names_in",
    "of_other_rows",
    "read_model",
    "read_random_effects",
    "read_random_terms",
    "read_vc_formulas",
    "reading",
    "refuse_infinite",
    "relatives_of",
    "rows_of",
    "split_formula",
    "term_named",
    "updated_formula",
    "whole_design",
    "with_columns",
    "with_design_info",
    "without_design_info",
]
