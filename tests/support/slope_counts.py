"""Counts with a random intercept and slope, and quick fits of them."""

from __future__ import annotations

import functools
import warnings
from typing import Any

import numpy as np
import pandas as pd
from helpers import F

from statsmodels_mcla import MCLAMixedGLM


def quietly(model: MCLAMixedGLM, **options: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(**({"rng": 1, "mcse_tol": 0.03} | options))


@functools.cache
def counts() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    g, x = np.repeat(np.arange(20), 6), np.tile(np.linspace(-1, 1, 6), 20)
    u = rng.normal(size=(20, 2)) * [0.4, 0.3]
    h = rng.permutation(np.arange(120) % 5)
    y = rng.poisson(np.exp(1 + 0.2 * x + u[g, 0] + u[g, 1] * x))
    return pd.DataFrame({"y": y, "x": x, "z": rng.normal(size=120), "g": g, "h": h})


@functools.cache
def poisson_fit(right: str) -> Any:
    return quietly(MCLAMixedGLM.from_formula(f"y ~ {right}", counts(), family=F.Poisson()))
