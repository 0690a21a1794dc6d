"""profile."""

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
