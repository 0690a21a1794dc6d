"""From a likelihood to its maximum, the ranks there, the draws made there, and what other draws would give.

Owns `Estimates`, the record that all that is computed after a fit takes.  `search` climbs at given ranks, `boundary`
finds the ranks, `constrained` holds a quantity at a value.
The next of its kind: another stage of a fit is a function from one frozen record to the next.
"""

from statsmodels_mcla.estimation.approximate_maximum import LaplaceMaximum, laplace_maximum
from statsmodels_mcla.estimation.certain_zeros import LARGEST, NOTHING_HELD, Held
from statsmodels_mcla.estimation.error_propagation import (
    STEP,
    EstimateErrors,
    ParameterErrors,
    Variation,
    Varied,
    vary_draws,
    wald_limits,
    wald_pvalues,
    z_of,
)
from statsmodels_mcla.estimation.estimates import (
    EstimateCovariance,
    Estimates,
    Later,
    inverse_information,
)
from statsmodels_mcla.estimation.fitted import Fitted, with_expectation_draws
from statsmodels_mcla.estimation.laplace_spike import fading_mode
from statsmodels_mcla.estimation.maximum import MonteCarloMaximum, maximum_from
from statsmodels_mcla.estimation.unreached_modes import unreached_mode
from statsmodels_mcla.estimation.vanished_zeros import VanishedZeros

__all__ = [
    "LARGEST",
    "NOTHING_HELD",
    "STEP",
    "EstimateCovariance",
    "EstimateErrors",
    "Estimates",
    "Fitted",
    "Held",
    "LaplaceMaximum",
    "Later",
    "MonteCarloMaximum",
    "ParameterErrors",
    "VanishedZeros",
    "Variation",
    "Varied",
    "fading_mode",
    "inverse_information",
    "laplace_maximum",
    "maximum_from",
    "unreached_mode",
    "vary_draws",
    "wald_limits",
    "wald_pvalues",
    "with_expectation_draws",
    "z_of",
]
