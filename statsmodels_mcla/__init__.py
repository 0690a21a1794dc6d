"""Generalized linear mixed models by Monte Carlo likelihood approximation, for statsmodels."""

from statsmodels_mcla import datasets
from statsmodels_mcla.model import MCLAMixedGLM
from statsmodels_mcla.proposals import BlockSampling, JointSampling

__all__ = ["BlockSampling", "JointSampling", "MCLAMixedGLM", "__version__", "datasets"]

__version__ = "0.1.0"
