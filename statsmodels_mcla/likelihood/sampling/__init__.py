"""Importance sampling: which draws, from which density, with which random numbers.

Owns densities around the modes, base random numbers, how many draws a block has, and how draws move with the
parameters.  What is averaged over them is `monte_carlo`'s.
The next of its kind: another density is a `Proposal`, another choice of densities a `Sampling`.
"""

from statsmodels_mcla.likelihood.sampling.draw_rule import DrawRule
from statsmodels_mcla.likelihood.sampling.draws import (
    BATCHES,
    BlockDraws,
    DrawPart,
    NumbersMade,
    TiltedDraws,
    batch_of,
    batch_scale,
)
from statsmodels_mcla.likelihood.sampling.moving_draws import Anchor, Moved
from statsmodels_mcla.likelihood.sampling.nested_draws import NestedNodes
from statsmodels_mcla.likelihood.sampling.proposals import Proposal
from statsmodels_mcla.likelihood.sampling.sampler import Position, Sampler
from statsmodels_mcla.likelihood.sampling.settings import (
    BlockSampling,
    FixedSampling,
    JointSampling,
    Sampling,
)
from statsmodels_mcla.likelihood.sampling.weights import MAX_K_HAT, effective_sample_size, normalise, pareto_k

__all__ = [
    "BATCHES",
    "MAX_K_HAT",
    "Anchor",
    "BlockDraws",
    "BlockSampling",
    "DrawPart",
    "DrawRule",
    "FixedSampling",
    "JointSampling",
    "Moved",
    "NestedNodes",
    "NumbersMade",
    "Position",
    "Proposal",
    "Sampler",
    "Sampling",
    "TiltedDraws",
    "batch_of",
    "batch_scale",
    "effective_sample_size",
    "normalise",
    "pareto_k",
]
