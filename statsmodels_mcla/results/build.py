"""From a maximum to the results that hold it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from statsmodels_mcla.estimation import Fitted, with_expectation_draws
from statsmodels_mcla.estimation.search import laplace_covariance
from statsmodels_mcla.likelihood.sampling import BlockSampling, Sampler
from statsmodels_mcla.results.mixed_glm_results import MCLAMixedGLMResults, MixedGLMResults
from statsmodels_mcla.results.monte_carlo_report import MonteCarloErrors

if TYPE_CHECKING:
    from statsmodels_mcla.design import MixedDesign
    from statsmodels_mcla.estimation import LaplaceMaximum, MonteCarloMaximum
    from statsmodels_mcla.estimation.search import DrawSettings
    from statsmodels_mcla.execution import Executor
    from statsmodels_mcla.numerics import Array


def laplace_results(model: Any, found: LaplaceMaximum, executor: Executor) -> MixedGLMResults:
    """Collect a Laplace fit into results; standard errors and draws are made when first asked for."""
    fit = found.fit
    return MixedGLMResults(
        model,
        found.params,
        partial(_laplace_covariance, found),
        fit.evaluation.value,
        "Laplace",
        fit.converged and not found.endless,
        found.reduction,
        fit.mle_retvals,
        fit.mle_settings,
        fitted=partial(_draws_at, model.design, found, executor),
    )


def _laplace_covariance(found: LaplaceMaximum) -> Array:
    """Inverse observed information in the model's parameters; NaN at the boundary."""
    return found.reduction.carry(found.fit.params, laplace_covariance(found.fit))


def _draws_at(design: MixedDesign, found: LaplaceMaximum, executor: Executor) -> Fitted:
    """Draws at a Laplace fit: what is said of random effects and predictions is exact given the estimates."""
    reduced = found.reduction.reduce(design)
    sampler = Sampler.start(reduced, BlockSampling(), np.random.SeedSequence(0), True, None)
    sampler = with_expectation_draws(sampler)
    position = sampler.at(found.fit.params)
    return Fitted(reduced, found.reduction, sampler, position, executor)


def monte_carlo_results(
    model: Any,
    found: MonteCarloMaximum,
    draws: DrawSettings,
    *,
    separated: bool,
    executor: Executor,
    mcse_tol: float,
) -> MCLAMixedGLMResults:
    """Collect a fit into results."""
    fit, reduction = found.fit, found.reduction
    cov = np.full((len(found.params), len(found.params)), np.nan)
    if fit.precision is not None:
        cov = reduction.carry(fit.position.params, fit.precision.cov_params)
    quasi = draws.quasi and not draws.sampling.joint
    return MCLAMixedGLMResults(
        model,
        found.params,
        cov,
        fit.evaluation.value,
        "MCLA, quasi-Monte Carlo" if quasi else "MCLA, Monte Carlo",
        fit.converged and not separated,
        reduction,
        fit.mle_retvals,
        fit.mle_settings,
        fitted=Fitted(found.design, reduction, fit.sampler, fit.position, executor),
        monte_carlo=MonteCarloErrors.of(found, draws, mcse_tol),
    )
