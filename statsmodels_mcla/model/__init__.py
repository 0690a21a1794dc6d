"""What users call: `MCLAMixedGLM`, a statsmodels likelihood model.

Owns the constructor, ``fit`` and ``fit_laplace``, the draws that the model remembers, its clones for other responses,
and the warnings that a fit ends with.
The next of its kind: an argument of ``fit`` is checked in `fit_arguments`, a warning is written in `messages`.
"""

from statsmodels_mcla.model.mixed_glm import MCLAMixedGLM
from statsmodels_mcla.model.partitioned_glm import PartitionedMixedGLM

__all__ = ["MCLAMixedGLM", "PartitionedMixedGLM"]
