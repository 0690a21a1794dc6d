"""Conditional modes of the random effects, and Laplace's approximation.

Owns the search for the modes, the approximation with its gradient, and the Gaussian close to the conditional law.
The next of its kind: another way to find modes takes and gives `Modes`.
"""

from statsmodels_mcla.likelihood.laplace.approximation import LaplaceEvaluation, evaluate_laplace, modes_at
from statsmodels_mcla.likelihood.laplace.dense_root import DenseRoot
from statsmodels_mcla.likelihood.laplace.maps import Map, Root
from statsmodels_mcla.likelihood.laplace.modes import Modes, conditional_modes, modes_of_buckets
from statsmodels_mcla.likelihood.laplace.roots import root_bytes
from statsmodels_mcla.likelihood.laplace.second_order import Gaussian, gaussian_at_mode, gaussian_fit

__all__ = [
    "DenseRoot",
    "Gaussian",
    "LaplaceEvaluation",
    "Map",
    "Modes",
    "Root",
    "conditional_modes",
    "evaluate_laplace",
    "gaussian_at_mode",
    "gaussian_fit",
    "modes_at",
    "modes_of_buckets",
    "root_bytes",
]
