"""Base random numbers: laws, structure, reproducibility."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from scipy import stats

from statsmodels_mcla.likelihood.sampling.base_numbers import (
    STREAM,
    GridNumbers,
    IndependentNumbers,
    SobolNumbers,
)

SEED = np.random.SeedSequence(7)
Numbers = SobolNumbers | GridNumbers | IndependentNumbers


def sobol(q: int, replicates: int = 16, seed: np.random.SeedSequence = SEED) -> SobolNumbers:
    return SobolNumbers(q, replicates, seed)


def grid(q: int, replicates: int = 16, seed: np.random.SeedSequence = SEED) -> GridNumbers:
    return GridNumbers(q, replicates, seed)


def whole(numbers: Numbers, df: float, blocks: int, draws: int) -> np.ndarray:
    return numbers.variates(df, np.arange(blocks), draws, slice(0, draws))


def uniforms(numbers: SobolNumbers | GridNumbers, blocks: int, draws: int) -> np.ndarray:
    """Points of every replicate before the quantile transform: (B, q, R, n)."""
    z = whole(numbers, np.inf, blocks, draws)
    return stats.norm.cdf(z).reshape(blocks, z.shape[1], numbers.replicates, -1)


# Shapes and sizes -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "made"), [(2, 16), (16, 16), (17, 32), (100, 128), (128, 128), (129, 256), (5000, 8192)]
)
def test_sobol_numbers_come_in_powers_of_two_a_replicate(wanted: int, made: int) -> None:
    assert sobol(2).draws(wanted) == made


def test_independent_numbers_come_in_any_number() -> None:
    assert IndependentNumbers(2, SEED).draws(77) == 77
    assert IndependentNumbers(2, SEED).replicates is None


@pytest.mark.parametrize("q", [1, 2, 5, 20])
def test_shapes(q: int) -> None:
    for numbers in (sobol(q), grid(q), IndependentNumbers(q, SEED)):
        t = numbers.variates(5.0, np.array([2, 0]), 64, slice(16, 48))
        assert t.shape == (2, q, 32)
        assert np.all(np.isfinite(t))


@pytest.mark.parametrize("df", [np.inf, 6.0])
@pytest.mark.parametrize("q", [1, 3])
def test_pieces_are_the_whole(q: int, df: float) -> None:
    """Blocks and sections can be made in any order."""
    draws = 2 * STREAM + 512
    shifted = [(make(q), make(q).draws(512)) for make in (sobol, grid)]
    cases = [*shifted, (IndependentNumbers(q, SEED), draws)]
    for numbers, m in cases:
        sections = numbers.sections(m, 128)
        assert sections[0].start == 0
        assert sections[-1].stop == m
        assert all(a.stop == b.start for a, b in pairwise(sections))
        pieces = [numbers.variates(df, np.array([1]), m, s) for s in reversed(sections)][::-1]
        every = np.concatenate(
            [numbers.variates(df, np.arange(3), m, s) for s in numbers.sections(m, 10**9)], axis=-1
        )
        assert np.array_equal(np.concatenate(pieces, axis=-1)[0], every[1])


def test_sections_are_whole_replicates() -> None:
    for longest in (1, 100, 256, 10**6):
        for s in sobol(2).sections(1024, longest):
            assert s.start % 64 == 0
            assert s.stop % 64 == 0


# Structure --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("each", [1, 8, 64])
def test_one_dimension_is_a_shifted_grid(each: int) -> None:
    u = np.sort(uniforms(grid(1), 3, 16 * each)[:, 0], axis=-1)
    np.testing.assert_allclose(np.diff(u, axis=-1), 1 / each, atol=1e-9)
    assert np.all(u[..., 0] < 1 / each)
    # the shifts are uniform over the step and differ between replicates and blocks
    shifts = (u[..., 0] * each).ravel()
    assert len(np.unique(shifts.round(12))) == len(shifts)
    assert stats.kstest(shifts, "uniform").pvalue > 1e-3


@pytest.mark.parametrize(
    ("q", "each", "apart"), [(2, 16, 4), (2, 32, np.sqrt(32)), (2, 64, 8), (3, 64, 4), (3, 2, 2 / np.sqrt(3))]
)
def test_few_dimensions_are_shifted_lattices(q: int, each: int, apart: float) -> None:
    """Squares, turned by 45 degrees at every other doubling; cubes, of which two make a body-centred lattice."""
    u = uniforms(grid(q), 2, 16 * each)  # (B, q, R, n)
    between = u[..., None] - u[..., None, :]
    between -= np.round(between)  # on a torus
    distance = np.sqrt((between**2).sum(axis=1))
    others = distance[..., ~np.eye(each, dtype=bool)].reshape(2, 16, each, -1)
    np.testing.assert_allclose(others.min(axis=-1), 1 / apart if each > 2 else np.sqrt(3) / 2, atol=1e-9)
    shifts = (u[..., 0] * each).ravel() % 1.0
    assert stats.kstest(shifts, "uniform").pvalue > 1e-3


def test_a_grid_integrates_what_vanishes_at_the_ends() -> None:
    """A standard normal law by independent t of twice its scale: to 1e-4 by 16 x 16 points, to 2 % by 8 x 4."""
    for each, error in ((32, 0.02), (256, 1e-4)):
        numbers = grid(2)
        t = whole(numbers, 6.0, 3, 16 * each)
        log_w = (
            stats.norm.logpdf(2 * t).sum(axis=1)
            + 2 * np.log(2.0)
            - numbers.log_density(t, 6.0, np.full((3, 1), 2))
        )
        np.testing.assert_allclose(np.exp(log_w).reshape(3, 16, each).mean(axis=-1), 1.0, atol=error)


@pytest.mark.parametrize("q", [2, 5])
def test_every_coordinate_is_stratified(q: int) -> None:
    """A digital shift keeps the property of a net: one point in every interval of length 1/n."""
    u = uniforms(sobol(q), 2, 16 * 64)
    cells = np.sort(np.floor(u * 64).astype(int), axis=-1)
    assert np.array_equal(cells, np.broadcast_to(np.arange(64), cells.shape))


def test_points_of_two_coordinates_are_a_net() -> None:
    """Scrambled Sobol' points beat independent ones at a smooth function of two coordinates."""
    u = uniforms(sobol(2, replicates=64), 1, 64 * 256)[0]
    means = np.prod(np.exp(u) - np.exp(1) + 2, axis=0).mean(axis=-1)
    f = np.prod(np.exp(np.random.default_rng(0).random((2, 10000))) - np.exp(1) + 2, axis=0)
    assert means.std() < 0.1 * f.std() / np.sqrt(256)
    assert abs(means.mean() - 1.0) < 4 * means.std() / 8


@pytest.mark.parametrize("make", [sobol, grid])
@pytest.mark.parametrize("q", [1, 2, 6])
def test_each_point_is_uniform_over_randomisations(q: int, make: Callable[[int], Numbers]) -> None:
    u = uniforms(make(q), 200, 16 * 4)  # (200, q, 16, 4)
    for j in range(q):
        for k in range(4):
            assert stats.kstest(u[:, j, :, k].ravel(), "uniform").pvalue > 1e-4
    if q > 1:
        pairs = np.corrcoef(u[..., 0].transpose(1, 0, 2).reshape(q, -1))
        assert np.abs(pairs - np.eye(q)).max() < 4 / np.sqrt(3200)


@pytest.mark.parametrize("make", [sobol, grid])
@pytest.mark.parametrize("q", [1, 3])
def test_replicates_and_blocks_are_independent(q: int, make: Callable[[int], Numbers]) -> None:
    """Means of an asymmetric function over replicates: uncorrelated between replicates and between blocks."""
    z = whole(make(q), np.inf, 3000, 16 * 4).reshape(3000, q, 16, 4)
    means = np.exp(z).sum(axis=1).mean(axis=-1)
    between_replicates = np.corrcoef(means.T)
    np.testing.assert_allclose(between_replicates, np.eye(16), atol=4.5 / np.sqrt(3000))
    flat = means.ravel()
    for lag in (16, 32):
        assert abs(np.corrcoef(flat[:-lag], flat[lag:])[0, 1]) < 4.5 / np.sqrt(48000)


# Laws -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("df", [3.0, 6.0, 40.0])
def test_coordinates_of_a_grid_are_t_quantiles(df: float) -> None:
    z = whole(grid(2), np.inf, 50, 16 * 64)
    t = whole(grid(2), df, 50, 16 * 64)
    expected = np.where(z < 0, stats.t.ppf(stats.norm.cdf(z), df), stats.t.isf(stats.norm.sf(z), df))
    np.testing.assert_allclose(t, expected, rtol=1e-10, atol=1e-12)
    assert np.abs(z).max() > 4  # premise: the tails were reached


def test_t_quantiles_reach_the_ends_of_the_points() -> None:
    """52 bits reach normal quantiles of +-8.2; the spline must be right up to there."""
    from statsmodels_mcla.likelihood.sampling.base_numbers import _t_of_normal, _t_scale_of_normal

    z = np.array([-8.2, -7.0, -5.0, -1.0, 0.0, 0.3, 2.0, 6.5, 8.2])
    for df in (2.5, 6.0, 40.0):
        side = np.where(z < 0, stats.t.ppf(stats.norm.cdf(z), df), stats.t.isf(stats.norm.sf(z), df))
        np.testing.assert_allclose(_t_of_normal(df)(z), side, rtol=1e-9, atol=1e-12)
        chi2 = np.where(z < 0, stats.chi2.ppf(stats.norm.cdf(z), df), stats.chi2.isf(stats.norm.sf(z), df))
        np.testing.assert_allclose(_t_scale_of_normal(df)(z), np.sqrt(df / chi2), rtol=1e-8)


@pytest.mark.parametrize("df", [5.0, 40.0, np.inf])
@pytest.mark.parametrize("q", [2, 4])
def test_several_dimensions_are_a_spherical_t(q: int, df: float) -> None:
    for numbers in (sobol(q), IndependentNumbers(q, SEED)):
        # one point of every replicate, or of every stream: independent over blocks
        t = numbers.variates(df, np.arange(300), 64, slice(0, 64))[..., ::4].transpose(1, 0, 2).reshape(q, -1)
        radius = (t**2).sum(axis=0)
        law = stats.chi2(q) if np.isinf(df) else stats.f(q, df)
        assert stats.kstest(radius if np.isinf(df) else radius / q, law.cdf).pvalue > 1e-4
        for j in range(q):
            assert stats.kstest(t[j], stats.norm.cdf if np.isinf(df) else stats.t(df).cdf).pvalue > 1e-4
        direction = t / np.sqrt(radius)
        assert np.abs(direction.mean(axis=1)).max() < 4.5 / np.sqrt(q * t.shape[1])


# Reproducibility --------------------------------------------------------------------------------------


@pytest.mark.parametrize("q", [1, 3])
@pytest.mark.parametrize("df", [np.inf, 6.0])
def test_same_seed_same_numbers(q: int, df: float) -> None:
    for make in (sobol, grid, IndependentNumbers):
        again = [whole(make(q, seed=np.random.SeedSequence(s)), df, 3, 64) for s in (1, 1, 2)]
        assert np.array_equal(again[0], again[1])
        assert not np.any(again[0] == again[2])


@pytest.mark.parametrize("q", [1, 3])
@pytest.mark.parametrize("df", [np.inf, 6.0])
def test_doubling_keeps_the_earlier_draws(q: int, df: float) -> None:
    for make in (sobol, grid):
        few, many = (whole(make(q), df, 3, m).reshape(3, q, 16, -1) for m in (128, 256))
        assert np.array_equal(few, many[..., :8])
    numbers = IndependentNumbers(q, SEED)
    few, many = whole(numbers, df, 3, 1000), whole(numbers, df, 3, 2000)
    assert np.array_equal(few, many[..., :1000])
