"""From a maximum to the results that hold it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from statsmodels_mcla.estimation import (
    Estimates,
    Fitted,
    Later,
    inverse_information,
    with_expectation_draws,
)
from statsmodels_mcla.estimation.search import LaplaceFit, laplace_covariance, search_scale
from statsmodels_mcla.likelihood.laplace import evaluate_laplace
from statsmodels_mcla.likelihood.sampling import BlockSampling, Sampler
from statsmodels_mcla.results.mixed_glm_results import MCLAMixedGLMResults, MixedGLMResults
from statsmodels_mcla.results.monte_carlo_report import MonteCarloErrors

if TYPE_CHECKING:
    from statsmodels_mcla.data import MixedModel
    from statsmodels_mcla.design import MixedDesign
    from statsmodels_mcla.estimation import LaplaceMaximum, MonteCarloMaximum
    from statsmodels_mcla.estimation.search import DrawSettings, GLMStart
    from statsmodels_mcla.execution import Executor
    from statsmodels_mcla.numerics import Array


def _estimates(
    model: MixedModel,
    found: LaplaceMaximum | MonteCarloMaximum,
    start: GLMStart,
    method: str,
    converged: bool,
    matrix: Later[Array],
    maximum: Later[Fitted],
    monte_carlo: MonteCarloErrors | None = None,
    known: bool = True,
    separated: tuple[str, ...] = (),
) -> Estimates:
    drawn = monte_carlo is not None
    information = inverse_information(matrix, maximum, drawn=drawn, known=known)
    return Estimates(
        tuple(model.data.param_names),
        found.params,
        model.non_negative,
        found.reduction,
        start.sd,
        found.fit.evaluation.value,
        method,
        converged,
        information,
        information,
        maximum,
        None if monte_carlo is None else monte_carlo.cov_mcse,
        None if monte_carlo is None else monte_carlo.llf_mcse,
        separated=separated,
    )


def _separated(
    model: MixedModel, laplace: LaplaceMaximum, converged: bool, held: Sequence[int] = ()
) -> tuple[str, ...]:
    """Names of the fixed effects without a maximum, where all else has one: that of the limit."""
    columns = sorted({*held, *(laplace.separated if laplace.limit else ())})
    return tuple(model.exog_names[j] for j in columns) if converged else ()


def laplace_results(model: MixedModel, found: LaplaceMaximum, executor: Executor) -> MixedGLMResults:
    """Collect a Laplace fit into results; standard errors and draws are made when first asked for."""
    fit = found.fit
    estimates = _estimates(
        model,
        found,
        found.start,
        "Laplace",
        fit.converged and not found.endless,
        Later(partial(_laplace_covariance, model.design, found)),
        Later(partial(_draws_at, model.design, found, executor)),
        separated=_separated(model, found, fit.converged),
    )
    return MixedGLMResults(model, estimates, fit.mle_retvals, fit.mle_settings)


def _laplace_covariance(design: MixedDesign, found: LaplaceMaximum) -> Array:
    """Inverse observed information in the model's parameters; NaN at the boundary."""
    if found.without_zeros is not None:
        zeros, less = found.without_zeros
        return zeros.spread(_laplace_covariance(zeros.limit(design), less))
    return found.reduction.carry(found.fit.params, laplace_covariance(found.fit))


def _draws_at(design: MixedDesign, found: LaplaceMaximum, executor: Executor) -> Fitted:
    """Draws at a Laplace fit: what is said of random effects and predictions is exact given the estimates."""
    reduced = found.reduction.reduce(design)
    sampler = Sampler.start(reduced, BlockSampling(), np.random.SeedSequence(0), True, None)
    sampler = with_expectation_draws(sampler)
    position = sampler.at(found.fit.params)
    return Fitted(reduced, found.reduction, sampler, position, executor)


def _covariance(found: MonteCarloMaximum, start: GLMStart) -> Array:
    """Inverse observed information; by Laplace's approximation where the draws know no maximum."""
    fit, reduction, design = found.fit, found.reduction, found.design
    if fit.precision is not None:
        return reduction.spread(fit.precision.cov_params)
    params = fit.position.params
    try:
        here = evaluate_laplace(design, params)
        laplace = LaplaceFit(design, search_scale(design, start), params, here, {}, {})
        return reduction.carry(params, laplace_covariance(laplace))
    except (FloatingPointError, np.linalg.LinAlgError):
        return np.full((len(found.params), len(found.params)), np.nan)


def monte_carlo_results(
    model: MixedModel,
    found: MonteCarloMaximum,
    laplace: LaplaceMaximum,
    draws: DrawSettings,
    *,
    executor: Executor,
    mcse_tol: float,
) -> MCLAMixedGLMResults:
    """Collect a fit into results."""
    fit, reduction = found.fit, found.reduction
    cov = Later(partial(_covariance, found, laplace.start))
    fitted = Fitted(found.design, reduction, fit.sampler, fit.position, executor)
    quasi = draws.quasi and not draws.sampling.joint
    method = "MCLA, quasi-Monte Carlo" if quasi else "MCLA, Monte Carlo"
    monte_carlo = MonteCarloErrors.of(found, draws, mcse_tol)
    estimates = _estimates(
        model,
        found,
        laplace.start,
        method,
        fit.converged and not (laplace.endless or found.held.columns or found.held.terms),
        cov if fit.precision is None else Later.made(cov()),
        Later.made(fitted),
        monte_carlo,
        fit.precision is not None,
        _separated(model, laplace, fit.converged, found.held.columns),
    )
    return MCLAMixedGLMResults(model, estimates, fit.mle_retvals, fit.mle_settings, monte_carlo)
