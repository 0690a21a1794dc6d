"""Randomisations of a block's points: fewer for blocks that have many like them, and errors that show all the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import special

from statsmodels_mcla import MCLAMixedGLM
from statsmodels_mcla.estimation.error_propagation import vary_draws
from statsmodels_mcla.likelihood.monte_carlo import evaluate
from statsmodels_mcla.likelihood.sampling import BlockSampling, Sampler

GROUPS = {10: 16, 100: 8, 600: 4}  # blocks, and randomisations of each


def design_of(groups: int) -> Any:
    rng = np.random.default_rng(groups)
    g = np.repeat(np.arange(groups), 4)
    x = rng.normal(size=len(g))
    y = rng.binomial(1, special.expit(0.3 + 0.5 * x + rng.normal(size=groups)[g]))
    return MCLAMixedGLM.from_formula("y ~ x + (1 | g)", data=pd.DataFrame({"y": y, "x": x, "g": g}))


def sampler_of(model: Any, seed: int, nsample: int | None = None) -> Sampler:
    return Sampler.start(model.design, BlockSampling(), np.random.SeedSequence(seed), True, nsample)


@pytest.mark.parametrize("groups", GROUPS)
def test_errors_are_those_over_repeats(groups: int) -> None:
    """With few randomisations, too, in which each block says little of its own error."""
    model, params = design_of(groups), np.array([0.3, 0.5, 1.0])
    (part,) = sampler_of(model, 0).at(params).draws
    assert part.size // part.replicate == GROUPS[groups]
    found = []
    for seed in range(100):
        sampler = sampler_of(model, seed, 32)  # few draws: errors that are not round-off
        found.append(evaluate(model.design, params, sampler.at(params).draws))
    spread = np.std([e.value for e in found]) / np.sqrt(np.mean([e.value_var for e in found]))
    assert 0.8 < spread < 1.2
    scores = np.std([e.score for e in found], axis=0)
    told = np.sqrt(np.mean([np.diag(e.score_var) for e in found], axis=0))
    assert np.all((scores > 0.8 * told) & (scores < 1.2 * told))


@pytest.mark.parametrize("groups", GROUPS)
def test_batches_add_up_to_the_variance(groups: int) -> None:
    """By themselves, and merged over sets of blocks, where those of different blocks are independent."""
    model, params = design_of(groups), np.array([0.3, 0.5, 1.0])
    ratios = []
    for seed in range(20):
        draws = sampler_of(model, seed).at(params).draws
        found = evaluate(model.design, params, draws, score_errors=True)
        merged = found.score_errors.sum(axis=0)
        assert np.count_nonzero(np.any(merged != 0, axis=0)) == 16
        squares = (found.score_errors**2).sum(axis=(0, 2)), (merged**2).sum(axis=1)
        ratios.append(squares / np.diag(found.score_var))
    mean = np.mean(ratios, axis=0)
    assert np.all((mean > 0.75) & (mean < 1.3))


@pytest.mark.parametrize("groups", GROUPS)
def test_tilted_draws_are_the_derivative_of_a_mean(groups: int) -> None:
    """A sum over blocks has the same error by tilting its draws and by its replicates."""
    model = design_of(groups)
    fit = model.fit(rng=1, nsample=32)
    drawn = fit.estimates.fitted
    varied = vary_draws(
        drawn,
        fit.estimates.cov_of_fitted,
        None,
        lambda one, _: evaluate(one.design, one.params, one.position.draws).score,
    )
    found = evaluate(drawn.design, drawn.params, drawn.position.draws, score_errors=True)
    np.testing.assert_allclose(
        varied.deviations.T, found.score_errors.sum(axis=0), rtol=0.1, atol=0.02 * varied.mcse.max()
    )
