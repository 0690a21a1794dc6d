"""Profile likelihoods of parameters and of functions of them, and their limits.

Owns the quantities that can be profiled, the scales on which they are nearly quadratic, and the search for limits.
Maxima with a quantity held are found by `estimation.constrained`.
The next of its kind: another quantity is a class with the interface of `Quantity`.
"""

from statsmodels_mcla.profile.profile_likelihood import ProfileLikelihood, profile, profile_limits
from statsmodels_mcla.profile.profiler import Limit, Profiler
from statsmodels_mcla.profile.quantities import End
from statsmodels_mcla.profile.quantity_lookup import quantity_of
from statsmodels_mcla.profile.scales import OuterScale

__all__ = [
    "End",
    "Limit",
    "OuterScale",
    "ProfileLikelihood",
    "Profiler",
    "profile",
    "profile_limits",
    "quantity_of",
]
