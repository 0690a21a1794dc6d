"""Draws of all effects at once, from the density of the R package glmm or one of the user's own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp

from statsmodels_mcla.design import Bucket, MixedDesign
from statsmodels_mcla.likelihood.laplace import Modes
from statsmodels_mcla.likelihood.sampling.draws import JointDraws
from statsmodels_mcla.likelihood.sampling.moving_draws import standing
from statsmodels_mcla.likelihood.sampling.proposals import StandardisedProposal
from statsmodels_mcla.likelihood.sampling.settings import FixedSampling, JointSampling
from statsmodels_mcla.numerics import Array


def joint_draws(
    sampling: JointSampling | FixedSampling,
    seed: np.random.SeedSequence,
    design: MixedDesign,
    bucket: Bucket,
    params: Array,
    factors: Sequence[Array],
    modes: Modes,
    size: int,
) -> JointDraws:
    """Draws of all effects from the density at hand, which move so that the effects of the model stay."""
    proposal = sampling.proposal(modes)
    if isinstance(sampling, FixedSampling):
        loadings = design.loadings
        parts = zip(loadings.terms, loadings.slices, bucket.levels, strict=True)
        own = params[design.layout.covariance]
        each = [sp.kron(sp.eye_array(count), t.factor(own[s])) for t, s, count in parts]
        proposal = StandardisedProposal(proposal, sp.csr_array(sp.block_diag(each, format="csr")))
    anchor = standing(design, bucket, factors, params)
    return JointDraws(bucket, anchor, proposal, seed, size)
