"""Score and Hessian in the fitted parameters by differences, where draws were made and away from there."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from helpers import differences_of_both

from statsmodels_mcla import MCLAMixedGLM
from statsmodels_mcla.estimation.boundary import Reduction
from statsmodels_mcla.likelihood.monte_carlo import evaluate
from statsmodels_mcla.likelihood.sampling import BlockSampling, Position, Sampler

F = sm.families


@functools.cache
def data() -> pd.DataFrame:
    """Counts, positive numbers and zeros and ones in groups that are crossed with others."""
    rng = np.random.default_rng(0)
    g, h = np.repeat(np.arange(6), 6), np.tile(np.arange(4), 9)
    x, z = rng.uniform(-1, 1, (2, 36))
    eta = (
        0.6
        - 0.3 * x
        + 0.5 * rng.normal(size=6)[g]
        + 0.4 * rng.normal(size=6)[g] * x
        + 0.3 * rng.normal(size=4)[h]
    )
    return pd.DataFrame(
        {
            "x": x,
            "z": z,
            "g": g,
            "h": h,
            "binary": rng.binomial(1, 1 / (1 + np.exp(-eta))),
            "count": rng.poisson(np.exp(eta)),
            "positive": rng.gamma(3.0, np.exp(eta) / 3.0),
            "number": eta + 0.5 * rng.normal(size=36),
        }
    )


SLOPE = (0.5, 0.1, 0.3)
# Formula, family, variances and covariances (with the dispersion), and the pivots of every term (None: full rank)
CASES: dict[str, tuple[str, Any, tuple[float, ...], Any]] = {
    "binomial crossed": ("binary ~ x + (1 | g) + (1 | h)", F.Binomial(), (0.6, 0.3), None),
    "poisson slope": ("count ~ x + (1 + x | g)", F.Poisson(), SLOPE, None),
    "gamma slope": ("positive ~ x + (1 + x | g)", F.Gamma(F.links.Log()), (*SLOPE, 0.4), None),
    "gamma inverse": ("positive ~ x + (1 | g)", F.Gamma(F.links.InversePower()), (0.01, 0.4), None),
    "negative binomial": ("count ~ x + (1 | g)", F.NegativeBinomial(alpha=1.0), (0.4, 0.5), None),
    "negative binomial crossed": (
        "count ~ x + (1 | g) + (1 | h)",
        F.NegativeBinomial(alpha=1.0),
        (0.4, 0.2, 0.5),
        None,
    ),
    "independent slope": ("count ~ x + (x || g)", F.Poisson(), (0.5, 0.3), None),
    "independent slope of numbers": ("number ~ x + (x || g)", F.Gaussian(), (0.5, 0.3, 0.3), None),
    "three coordinates": (
        "count ~ x + (1 + x + z | g)",
        F.Poisson(),
        (0.5, 0.1, 0.4, -0.1, 0.05, 0.3),
        None,
    ),
    "rank 1 of 2": ("count ~ x + (1 + x | g)", F.Poisson(), SLOPE, ((0,),)),
    "rank 1 of 2, other pivot": (
        "positive ~ x + (1 + x | g)",
        F.Gamma(F.links.Log()),
        (*SLOPE, 0.4),
        ((1,),),
    ),
    "rank 2 of 3": (
        "binary ~ x + (1 + x + z | g)",
        F.Binomial(),
        (0.5, 0.1, 0.4, -0.1, 0.05, 0.3),
        ((0, 2),),
    ),
    "a term that vanishes": ("count ~ x + (1 + x | g) + (1 | h)", F.Poisson(), (*SLOPE, 0.2), ((0, 1), ())),
    "singular beside another": (
        "binary ~ x + (1 + x | g) + (1 | h)",
        F.Binomial(),
        (*SLOPE, 0.2),
        ((1,), (0,)),
    ),
}


def position_of(name: str, nsample: int = 64) -> tuple[Any, Position]:
    """Reduced design and draws of a case."""
    formula, family, theta, pivots = CASES[name]
    design = MCLAMixedGLM.from_formula(formula, data=data(), family=family).design
    reduction = Reduction.of(design, pivots)
    reduced = reduction.reduce(design)
    beta = [1.2, 0.1] if name == "gamma inverse" else [0.5, -0.2]
    at = reduction.restrict(np.array([*beta, *theta]))
    sampler = Sampler.start(reduced, BlockSampling(), np.random.SeedSequence(1), True, nsample)
    return reduced, sampler.at(at)


@pytest.mark.parametrize("away", [0.0, 0.1, -0.2], ids=["anchor", "near", "far"])
@pytest.mark.parametrize("name", CASES)
@pytest.mark.filterwarnings("ignore:.*does not respect the domain")
def test_derivatives_are_those_of_the_value(name: str, away: float) -> None:
    design, position = position_of(name)
    at = position.params
    at = at + away * np.maximum(np.abs(at), 0.1) * np.cos(np.arange(len(at)))
    found = evaluate(design, at, position.draws)
    assert len(at) == design.n_params == len(found.score)
    # premise: weights vary, so that second moments of scores matter
    assert away == 0.0 or np.min(found.blocks.ess / found.blocks.draws) < 1 - 1e-4
    step = 2e-3 * np.maximum(np.abs(at), 0.1)

    def value_and_score(x: np.ndarray) -> tuple[float, np.ndarray]:
        here = evaluate(design, x, position.draws)
        return here.value, here.score

    slope, bend = differences_of_both(value_and_score, at, step)
    np.testing.assert_allclose(found.score, slope, rtol=1e-6, atol=1e-6 * np.abs(slope).max())
    np.testing.assert_allclose(found.hessian, bend, rtol=1e-6, atol=1e-6 * np.abs(bend).max())
    np.testing.assert_allclose(found.hessian, found.hessian.T, rtol=1e-12, atol=1e-12 * np.abs(bend).max())
