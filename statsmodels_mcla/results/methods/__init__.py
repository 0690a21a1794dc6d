"""The methods of the results, one module a subject.

Each is a small class that `MixedGLMResults` inherits: it checks arguments, calls a function of a lower package, and
wraps what comes back.
The next of its kind: a method here, with its numbers below.
"""

from statsmodels_mcla.results.methods.base import Labelled
from statsmodels_mcla.results.methods.checks import CheckMethods, ModelChecks
from statsmodels_mcla.results.methods.covariance import BootstrapResults, InfluenceResults, RobustResults
from statsmodels_mcla.results.methods.criteria import InformationCriteria
from statsmodels_mcla.results.methods.glm_attributes import GLMAttributes
from statsmodels_mcla.results.methods.groups import GroupMethods
from statsmodels_mcla.results.methods.means import MeansMethods
from statsmodels_mcla.results.methods.nested_families import NestedFamilyMethods
from statsmodels_mcla.results.methods.plots import MonteCarloPlots, PlotResults
from statsmodels_mcla.results.methods.population import EffectSizes, MarginMethods
from statsmodels_mcla.results.methods.power import PowerMethods
from statsmodels_mcla.results.methods.prediction import PredictionMethods, SimulationResults
from statsmodels_mcla.results.methods.profile import ProfileResults
from statsmodels_mcla.results.methods.random_effects import RandomEffectResults
from statsmodels_mcla.results.methods.residuals import ResidualMethods
from statsmodels_mcla.results.methods.tables import TableMethods
from statsmodels_mcla.results.methods.wald import WaldResults

__all__ = [
    "BootstrapResults",
    "CheckMethods",
    "EffectSizes",
    "GLMAttributes",
    "GroupMethods",
    "InfluenceResults",
    "InformationCriteria",
    "Labelled",
    "MarginMethods",
    "MeansMethods",
    "ModelChecks",
    "MonteCarloPlots",
    "NestedFamilyMethods",
    "PlotResults",
    "PowerMethods",
    "PredictionMethods",
    "ProfileResults",
    "RandomEffectResults",
    "ResidualMethods",
    "RobustResults",
    "SimulationResults",
    "TableMethods",
    "WaldResults",
]
