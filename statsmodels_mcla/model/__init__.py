"""model."""

from statsmodels_mcla.model.mixed_glm import MCLAMixedGLM

__all__ = ["MCLAMixedGLM"]
