"""Quantiles of many laws at once, against scipy's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from statsmodels_mcla.prediction.quantile_search import quantiles

P = [1e-4, 0.025, 0.5, 0.9, 0.9999]
SIZE = np.geomspace(0.05, 5e4, 60)


@pytest.mark.parametrize("p", P)
@pytest.mark.parametrize(
    "law",
    [stats.poisson(SIZE), stats.nbinom(0.3, 1 / (1 + SIZE)), stats.binom(np.ceil(SIZE), 0.3)],
    ids=["poisson", "nbinom", "binom"],
)
def test_quantiles_of_counts(law: stats.rv_discrete, p: float) -> None:
    def cdf(y: np.ndarray, rows: np.ndarray) -> np.ndarray:
        calls.append(len(rows))
        at = np.zeros(len(SIZE))
        at[rows] = y
        return law.cdf(at)[rows]

    calls: list[int] = []
    start = np.zeros(len(SIZE)), np.ceil(SIZE), np.ones(len(SIZE))
    np.testing.assert_array_equal(quantiles(cdf, p, *start, discrete=True), law.ppf(p))
    assert sum(calls) < 25 * len(SIZE)


@pytest.mark.parametrize("p", P)
@pytest.mark.parametrize(
    "law",
    [stats.gamma(SIZE), stats.norm(-SIZE, SIZE), stats.t(3, scale=SIZE), stats.beta(SIZE, 2.0)],
    ids=["gamma", "norm", "t", "beta"],
)
def test_quantiles_of_numbers(law: stats.rv_continuous, p: float) -> None:
    def cdf(y: np.ndarray, rows: np.ndarray) -> np.ndarray:
        at = np.zeros(len(SIZE))
        at[rows] = y
        return law.cdf(at)[rows]

    mean, sd = law.mean(), law.std()
    found = quantiles(cdf, p, mean - sd, mean + sd, sd, discrete=False)
    np.testing.assert_allclose(found / sd, law.ppf(p) / sd, rtol=1e-7, atol=1e-10)


@pytest.mark.parametrize("p", [0.1, 0.3, 0.5, 0.9, 0.99])
def test_quantiles_of_numbers_with_atoms(p: float) -> None:
    """Zero with probability .3, one with .2, uniform between them: a search would creep towards the ends."""
    calls: list[int] = []

    def cdf(y: np.ndarray, rows: np.ndarray) -> np.ndarray:
        calls.append(len(rows))
        return np.where(y < 0, 0.0, np.where(y < 1, 0.3 + 0.5 * np.clip(y, 0, 1), 1.0))

    start = np.zeros(7), np.ones(7), np.ones(7)
    found = quantiles(cdf, p, *start, discrete=False, atoms=(0.0, 1.0))
    np.testing.assert_allclose(found, np.clip((p - 0.3) / 0.5, 0.0, 1.0), rtol=1e-9, atol=0.0)
    assert sum(calls) < 30 * 7
