"""Intervals for new observations where several linear predictors have random effects, against simulated responses."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers import F

from statsmodels_mcla import MCLAMixedGLM

ERROR = 0.02  # of a probability: of 4000 simulated responses, and what errors of the estimates and normal laws add


@functools.cache
def fit(label: str, part: str) -> Any:
    """Counts of which small means go with many zeros, or much variance."""
    rng, groups = np.random.default_rng(3), 40 if part == "ziformula" else 20
    n = 12 * groups
    g, x = np.repeat(np.arange(groups), 12), rng.normal(size=n)
    u = rng.multivariate_normal([0.0, 0.0], [[0.5, -0.7], [-0.7, 2.0]], size=groups)[g].T
    y = rng.poisson(np.exp(1.2 + 0.3 * x + u[0]))
    if part == "ziformula":
        y = y * (rng.uniform(size=n) > 1.0 / (1.0 + np.exp(0.5 - u[1])))
        family: Any = F.Poisson()
    else:
        size = np.exp(0.3 + 0.5 * u[1])
        y = rng.poisson(np.exp(1.2 + 0.3 * x + u[0]) * rng.gamma(size, 1.0 / size))
        family = F.NegativeBinomial(alpha=1.0)
    data = pd.DataFrame({"y": y, "x": x, "g": g})
    bar = f"(1 | {label}g)"
    return MCLAMixedGLM.from_formula(f"y ~ x + {bar}", data, family=family, **{part: f"~ 1 + {bar}"}).fit(
        rng=1, max_seconds=10
    )


@pytest.mark.parametrize(
    ("label", "part", "random"),
    [
        ("", "ziformula", "conditional"),
        ("", "ziformula", "marginal"),
        ("p | ", "ziformula", "conditional"),
        ("p | ", "ziformula", "marginal"),
        ("", "dispformula", "conditional"),
        ("", "dispformula", "marginal"),
        ("p | ", "dispformula", "marginal"),
    ],
)
def test_limits_are_quantiles_of_simulated_responses(label: str, part: str, random: str) -> None:
    """A limit is the smallest count that leaves no more than 5 % above, or below."""
    ours, some = fit(label, part), slice(None, None, 7)
    found = ours.get_prediction(ours.model.data.frame[some], random=random).obs_conf_int(0.1)
    draws = {"conditional": "conditional", "marginal": "new"}[random]
    simulated = ours.simulate(4000, rng=1, random=draws).to_numpy()[some]
    for limit, p in zip(found.T[..., None], (0.05, 0.95), strict=True):
        at, below = (simulated <= limit).mean(axis=1), (simulated < limit).mean(axis=1)
        assert np.all(at > p - ERROR)
        assert np.all(below < p + ERROR)
