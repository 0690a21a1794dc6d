"""Pictures of a fit, by matplotlib (extra ``plots``): each function returns a Figure and takes ``ax``.

The functions draw tables and arrays; the methods of the results (`results.methods.plots`) make those and hand them
over.  The next of its kind: a function of arrays here, a method there.
"""

from statsmodels_mcla.plots.coefficients import plot_coefficients
from statsmodels_mcla.plots.curve_request import CurveRequest
from statsmodels_mcla.plots.curves import Curve, Points, plot_fit, plot_panels
from statsmodels_mcla.plots.effects import plot_random_effects
from statsmodels_mcla.plots.monte_carlo import plot_importance, plot_mc_history
from statsmodels_mcla.plots.power import plot_power
from statsmodels_mcla.plots.profiles import Profile, plot_profile
from statsmodels_mcla.plots.residuals import plot_checks, plot_residuals
from statsmodels_mcla.plots.style import canvas, shortened

__all__ = [
    "Curve",
    "CurveRequest",
    "Points",
    "Profile",
    "canvas",
    "plot_checks",
    "plot_coefficients",
    "plot_fit",
    "plot_importance",
    "plot_mc_history",
    "plot_panels",
    "plot_power",
    "plot_profile",
    "plot_random_effects",
    "plot_residuals",
    "shortened",
]
