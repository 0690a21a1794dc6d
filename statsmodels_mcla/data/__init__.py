"""What users hand over: checked, aligned, complete; and other responses for the same rows.

Owns the checks of arrays and arguments, the inputs that a design is made of, and responses simulated for them.
Formulas are read in `formula`.
The next of its kind: a check that names the argument and the way out, called before any work starts.
"""

from statsmodels_mcla.data.argument_checks import (
    check_alpha,
    check_missing,
    check_positive,
    checked_count,
    checked_numbers,
)
from statsmodels_mcla.data.array_checks import (
    check_full_rank,
    check_start_params,
    finite_matrix,
    refuse_saturated,
    response_rows,
    row_vector,
    terms_of_arrays,
)
from statsmodels_mcla.data.inputs import (
    ModelInputs,
    check_whole,
    effect_rows,
    in_directions,
    inputs_of,
    read_rows,
    refuse_removed,
    refuse_residual_effects,
    total_offset,
)
from statsmodels_mcla.data.mixed_model import MixedModel, described
from statsmodels_mcla.data.simulated_responses import draw_effects, simulate_responses
from statsmodels_mcla.data.unidentified import (
    refuse_uncounted,
    refuse_unidentified_covariance,
    refuse_unidentified_terms,
    seen_by_levels,
    seen_together,
)

__all__ = [
    "MixedModel",
    "ModelInputs",
    "check_alpha",
    "check_full_rank",
    "check_missing",
    "check_positive",
    "check_start_params",
    "check_whole",
    "checked_count",
    "checked_numbers",
    "described",
    "draw_effects",
    "effect_rows",
    "finite_matrix",
    "in_directions",
    "inputs_of",
    "read_rows",
    "refuse_removed",
    "refuse_residual_effects",
    "refuse_saturated",
    "refuse_uncounted",
    "refuse_unidentified_covariance",
    "refuse_unidentified_terms",
    "response_rows",
    "row_vector",
    "seen_by_levels",
    "seen_together",
    "simulate_responses",
    "terms_of_arrays",
    "total_offset",
]
