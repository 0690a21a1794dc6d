"""Pictures of a fit, by matplotlib (extra ``plots``): each function returns a Figure and takes ``ax``.

The functions draw tables and arrays; the methods of the results (`results.methods.plots`) make those and hand them
over.  The next of its kind: a function of arrays here, a method there.
"""

from statsmodels_mcla.plots.curve_request import CurveRequest
from statsmodels_mcla.plots.curves import Curve, Points, plot_fit
from statsmodels_mcla.plots.effects import plot_random_effects
from statsmodels_mcla.plots.envelope import LEAST, residuals_with_envelope
from statsmodels_mcla.plots.monte_carlo import plot_importance, plot_mc_history
from statsmodels_mcla.plots.power import plot_power
from statsmodels_mcla.plots.profiles import Profile, plot_profile
from statsmodels_mcla.plots.residuals import plot_residuals

__all__ = [
    "LEAST",
    "Curve",
    "CurveRequest",
    "Points",
    "Profile",
    "plot_fit",
    "plot_importance",
    "plot_mc_history",
    "plot_power",
    "plot_profile",
    "plot_random_effects",
    "plot_residuals",
    "residuals_with_envelope",
]
