"""Slices of a law: their means, and those of a sum with a normal law, against closed forms."""

import numpy as np
import pytest

from statsmodels_mcla.prediction.sliced_laws import NORMAL_SLICES, WEIGHTS, slice_means, widened


def test_slices_of_draws_are_those_of_their_law() -> None:
    draws = np.random.default_rng(1).normal(size=(2, 200_000))
    weights = np.exp(0.5 * draws[0] - 0.125)  # of a normal law with mean 0.5
    found = slice_means(draws, np.stack([weights, np.ones_like(weights)]))
    middle = slice(8, -8)
    np.testing.assert_allclose(found[0, middle], 0.5 + NORMAL_SLICES[middle], atol=0.05)
    np.testing.assert_allclose(found[1, middle], NORMAL_SLICES[middle], atol=0.05)


@pytest.mark.parametrize("sd", [0.05, 0.3, 0.49, 0.51, 1.0, 4.0])
def test_a_normal_law_widened_is_a_normal_law(sd: float) -> None:
    """On both sides of where the second law is taken at few points."""
    found = widened(1.0 + 2.0 * NORMAL_SLICES[None], np.array([2.0 * sd]), np.array([True]))[0]
    total = 2.0 * np.hypot(1.0, sd)
    np.testing.assert_allclose((found - 1.0) / total, NORMAL_SLICES, atol=0.06)
    np.testing.assert_allclose(found @ WEIGHTS, 1.0, atol=1e-10)
    np.testing.assert_allclose((found - 1.0) ** 2 @ WEIGHTS, total**2, rtol=0.01)


def test_a_point_widened_is_the_normal_law() -> None:
    found = widened(np.full((1, len(WEIGHTS)), 3.0), np.array([0.7]), np.array([False]))
    np.testing.assert_allclose(found[0], 3.0 + 0.7 * NORMAL_SLICES)
