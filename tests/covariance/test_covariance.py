"""Covariance of the random effects: scales, density and derivatives against scipy and differences."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import differences
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels_mcla.covariance.effect_density import effect_law

from statsmodels_mcla.covariance.sigma import Covariance
from statsmodels_mcla.covariance.unstructured import CovarianceTerm

COVARIANCE = Covariance(
    (
        CovarianceTerm("g", ("Intercept", "x")),
        CovarianceTerm("F", ("F",)),
        CovarianceTerm("h", ("Intercept", "x", "z")),
    )
)
LEVELS = (3, 4, 2)


def random_theta(seed: int, covariance: Covariance = COVARIANCE) -> np.ndarray:
    rng = np.random.default_rng(seed)
    parts = []
    for term in covariance.terms:
        L = np.tril(rng.normal(size=(term.dim, term.dim)))
        parts.append((L @ L.T + 0.3 * np.eye(term.dim))[np.tril_indices(term.dim)])
    return np.concatenate(parts)


def dense(theta: np.ndarray, levels: tuple[int, ...] = LEVELS) -> np.ndarray:
    """Sigma of a block, written out."""
    blocks, at = [], 0
    for d, count in zip((2, 1, 3), levels, strict=True):
        size = d * (d + 1) // 2
        G = np.zeros((d, d))
        G[np.tril_indices(d)] = theta[at : at + size]
        G = G + np.tril(G, -1).T
        blocks += [G] * count
        at += size
    out = np.zeros((sum(map(len, blocks)),) * 2)
    at = 0
    for G in blocks:
        out[at : at + len(G), at : at + len(G)] = G
        at += len(G)
    return out


def test_sizes_and_order() -> None:
    assert COVARIANCE.size == 3 + 1 + 6
    assert [s.start for s in COVARIANCE.slices] == [0, 3, 4]
    assert COVARIANCE.is_variance.tolist() == [True, False, True, True, True, False, True, False, False, True]


def test_matrices_are_read_row_by_row() -> None:
    theta = np.array([1.0, 0.5, 2.0, 3.0, 4.0, 0.1, 5.0, 0.2, 0.3, 6.0])
    g, f, h = COVARIANCE.matrices(theta)
    assert np.array_equal(g, [[1.0, 0.5], [0.5, 2.0]])
    assert np.array_equal(f, [[3.0]])
    assert np.array_equal(h, [[4.0, 0.1, 0.2], [0.1, 5.0, 0.3], [0.2, 0.3, 6.0]])
    assert np.array_equal(COVARIANCE.pack([g, f, h]), theta)


@given(st.integers(0, 10**6))
@settings(max_examples=30, deadline=None)
def test_scales_are_inverse_to_each_other(seed: int) -> None:
    theta = random_theta(seed)
    working = COVARIANCE.to_working(theta)
    np.testing.assert_allclose(COVARIANCE.to_natural(working), theta, rtol=1e-10, atol=1e-12)
    flipped = working.copy()
    flipped[:3] *= [-1, -1, 1]  # the sign of a column of L
    np.testing.assert_allclose(COVARIANCE.to_natural(flipped), theta, rtol=1e-10, atol=1e-12)


def test_zero_is_a_point_of_the_working_scale() -> None:
    assert np.array_equal(COVARIANCE.to_natural(np.zeros(10)), np.zeros(10))
    assert np.array_equal(COVARIANCE.working_jacobian(np.zeros(10)), np.zeros((10, 10)))


@pytest.mark.parametrize("seed", [0, 1])
def test_working_derivatives(seed: int) -> None:
    working = COVARIANCE.to_working(random_theta(seed))
    step = np.full(10, 1e-2)
    J = COVARIANCE.working_jacobian(working)
    np.testing.assert_allclose(differences(COVARIANCE.to_natural, working, step), J, atol=1e-9)
    gradient = np.random.default_rng(seed).normal(size=10)
    expected = differences(lambda w: gradient @ COVARIANCE.working_jacobian(w), working, step)
    np.testing.assert_allclose(COVARIANCE.working_curvature(gradient), expected, atol=1e-9)


@pytest.mark.parametrize("levels", [LEVELS, (1, 0, 1), (0, 5, 0)])
def test_log_density_is_that_of_scipy(levels: tuple[int, ...]) -> None:
    theta = random_theta(3)
    Sigma = dense(theta, levels)
    u = np.random.default_rng(4).normal(size=(2, len(Sigma), 6))
    density = effect_law(COVARIANCE, theta).density(levels)
    found = density.logpdf(density.scatter(u))
    assert found.shape == (2, 6)
    law = stats.multivariate_normal(np.zeros(len(Sigma)), Sigma)
    np.testing.assert_allclose(found, [law.logpdf(block.T) for block in u], rtol=1e-10)


def test_derivatives_of_the_log_density() -> None:
    theta = random_theta(5)
    u = np.random.default_rng(6).normal(size=(2, 16, 3))
    step = 1e-3 * np.ones(10)

    def logpdf(at: np.ndarray) -> np.ndarray:
        density = effect_law(COVARIANCE, at).density(LEVELS)
        return density.logpdf(density.scatter(u))

    def score(at: np.ndarray) -> np.ndarray:
        density = effect_law(COVARIANCE, at).density(LEVELS)
        return density.score(density.scatter(u))

    by_value = differences(logpdf, theta, step)  # (2, 3, 10)
    np.testing.assert_allclose(score(theta), by_value.transpose(0, 2, 1), rtol=1e-6, atol=1e-7)
    density = effect_law(COVARIANCE, theta).density(LEVELS)
    total = density.scatter(u).sum(axis=(0, 2))
    hessian = effect_law(COVARIANCE, theta).hessian(tuple(6 * c for c in LEVELS), total)
    by_score = differences(lambda at: score(at).sum(axis=(0, 2)), theta, step)
    np.testing.assert_allclose(hessian, by_score, rtol=1e-6, atol=1e-6)


def test_log_determinants() -> None:
    theta = random_theta(7)
    for G, (precision, log_det, _) in zip(
        COVARIANCE.matrices(theta), effect_law(COVARIANCE, theta).terms, strict=True
    ):
        np.testing.assert_allclose(precision @ G, np.eye(len(G)), atol=1e-10)
        assert log_det == pytest.approx(np.linalg.slogdet(G)[1], abs=1e-12)


@pytest.mark.parametrize("bad", [[1.0, 2.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 0.0, 1.0]])
def test_indefinite_matrices_are_refused(bad: list[float]) -> None:
    theta = random_theta(8)
    theta[:3] = bad
    for refused in (
        lambda: COVARIANCE.to_working(theta),
        lambda: effect_law(COVARIANCE, theta).density(LEVELS),
    ):
        with pytest.raises(np.linalg.LinAlgError):
            refused()


def test_no_terms_is_no_covariance() -> None:
    """What remains when every variance has vanished."""
    empty = Covariance(())
    assert empty.size == 0
    assert empty.to_natural(np.zeros(0)).shape == (0,)
    density = effect_law(empty, np.zeros(0)).density(())
    u = np.zeros((2, 0, 5))
    scatter = density.scatter(u)
    assert np.broadcast_to(density.logpdf(scatter), (2, 5)).sum() == 0.0
    assert density.score(scatter).shape == (2, 0, 5)
    assert density.law.hessian((), np.zeros(0)).shape == (0, 0)
