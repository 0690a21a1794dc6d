"""Covariance of the random effects: scales and their derivatives, against differences, and factors of every rank."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import differences
from hypothesis import given, settings
from hypothesis import strategies as st

from statsmodels_mcla.covariance import Covariance, CovarianceTerm, Loadings, ReducedTerm

COVARIANCE = Covariance(
    (
        CovarianceTerm("g", ("Intercept", "x")),
        CovarianceTerm("F", ("F",)),
        CovarianceTerm("h", ("Intercept", "x", "z")),
    )
)

# Pivots of a term of three coordinates, in all ranks and several orders
PIVOTS = [(0, 1, 2), (2, 0, 1), (0, 1), (2, 1), (1, 2), (0,), (1,), (2,), ()]


def random_theta(seed: int, covariance: Covariance = COVARIANCE) -> np.ndarray:
    rng = np.random.default_rng(seed)
    parts = []
    for term in covariance.terms:
        L = np.tril(rng.normal(size=(term.dim, term.dim)))
        parts.append((L @ L.T + 0.3 * np.eye(term.dim))[np.tril_indices(term.dim)])
    return np.concatenate(parts)


def loadings_of(covariance: Covariance = COVARIANCE) -> Loadings:
    """Every term at full rank: the Cholesky factors."""
    return Loadings(tuple(ReducedTerm.of(term, 1) for term in covariance.terms))


def restricted(loadings: Loadings, theta: np.ndarray) -> np.ndarray:
    matrices = COVARIANCE.matrices(theta)
    return np.concatenate([t.restrict(G) for t, G in zip(loadings.terms, matrices, strict=True)])


def term_of(pivots: tuple[int, ...], along: bool = False) -> ReducedTerm:
    """A term, along the axes of covariates that are counted from far away if asked for."""
    axes = np.array([[1.0, -40.0, 30.0], [0.0, 0.1, 2.0], [0.0, 0.0, 5.0]]) if along else None
    return ReducedTerm.of(COVARIANCE.terms[2], 2, pivots, axes)


def random_loadings(term: ReducedTerm, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=term.size)


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


# Loadings: u = D b ------------------------------------------------------------------------------------


@given(st.integers(0, 10**6))
@settings(max_examples=30, deadline=None)
def test_loadings_of_full_rank_are_cholesky_factors(seed: int) -> None:
    theta = random_theta(seed)
    loadings = loadings_of()
    at = restricted(loadings, theta)
    assert loadings.size == COVARIANCE.size
    assert loadings.ranks == (2, 1, 3)
    factors = loadings.factors(at)
    for D, G in zip(factors, COVARIANCE.matrices(theta), strict=True):
        np.testing.assert_allclose(D, np.linalg.cholesky(G), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(COVARIANCE.pack([D @ D.T for D in factors]), theta, rtol=1e-10, atol=1e-12)
    np.testing.assert_array_equal(np.concatenate([D[np.tril_indices(len(D))] for D in factors]), at)


@pytest.mark.parametrize("pivots", PIVOTS, ids=str)
def test_factors_of_every_rank_and_order(pivots: tuple[int, ...]) -> None:
    term, r = term_of(pivots), len(pivots)
    at = random_loadings(term, 0)
    D = term.matrix(at)
    assert D.shape == (3, r)
    assert term.order[:r] == pivots
    assert sorted(term.order) == [0, 1, 2]
    assert (term.rank, term.leading) == (r, tuple(sorted(pivots)))
    # lower triangular in the order of the term, every other entry free and in its place
    ordered = D[list(term.order)]
    assert not np.triu(ordered, 1).any()
    assert np.count_nonzero(D) == term.size == 3 * r - r * (r - 1) // 2
    assert [D[i, k] for i, k in term.entries] == at.tolist()
    np.testing.assert_array_equal(at[term.diagonal], np.diagonal(ordered))
    assert term.singular == (r < 3)
    assert term.plain == (pivots == (0, 1, 2))
    G = term.whole.matrix(term.natural(at))
    np.testing.assert_allclose(G, D @ D.T, atol=1e-14)
    assert np.linalg.matrix_rank(G, tol=1e-10) == r


@pytest.mark.parametrize("along", [False, True], ids=["plain", "along axes"])
@pytest.mark.parametrize("pivots", PIVOTS, ids=str)
@pytest.mark.parametrize("seed", [0, 1])
def test_loadings_and_matrices_of_their_rank_are_inverse_to_each_other(
    pivots: tuple[int, ...], seed: int, along: bool
) -> None:
    term = term_of(pivots, along)
    at = random_loadings(term, seed)
    factor = term.factor(at)
    np.testing.assert_allclose(factor, term.axes @ term.matrix(at))
    G = term.whole.matrix(term.natural(at))
    np.testing.assert_allclose(G, factor @ factor.T, atol=1e-9)
    np.testing.assert_allclose(term.outer(term.inner(G)), G, atol=1e-9)
    back = term.restrict(G)
    np.testing.assert_allclose(term.natural(back), term.natural(at), rtol=1e-8, atol=1e-12)
    assert np.all(back[term.diagonal] > 0)
    # the same up to the signs of columns, which G does not know
    columns = np.array([k for _, k in term.entries], int)
    signs = np.sign(at[term.diagonal])[columns] if term.size else np.zeros(0)
    np.testing.assert_allclose(back, signs * at, rtol=1e-7, atol=1e-12)


@pytest.mark.parametrize("pivots", [(0, 1), (2,), ()], ids=str)
def test_what_is_beyond_the_rank_is_lost(pivots: tuple[int, ...]) -> None:
    """Rows and columns of the pivots stay; the rest is what they explain."""
    term = term_of(pivots)
    G = COVARIANCE.matrices(random_theta(3))[2]
    kept = term.whole.matrix(term.natural(term.restrict(G)))
    lead = list(pivots)
    np.testing.assert_allclose(kept[lead], G[lead], rtol=1e-10)
    explained = G[:, lead] @ np.linalg.solve(G[np.ix_(lead, lead)], G[lead])
    np.testing.assert_allclose(kept, explained, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("along", [False, True], ids=["plain", "along axes"])
@pytest.mark.parametrize("pivots", PIVOTS, ids=str)
@pytest.mark.parametrize("seed", [0, 1])
def test_derivatives_in_the_loadings(pivots: tuple[int, ...], seed: int, along: bool) -> None:
    term = term_of(pivots, along)
    at, step = random_loadings(term, seed), np.full(term.size, 1e-2)
    gradient = np.random.default_rng(seed).normal(size=term.whole.size)
    assert term.jacobian(at).shape == (6, term.size)
    assert term.curvature(gradient).shape == (term.size, term.size)
    if term.size:
        np.testing.assert_allclose(
            differences(term.natural, at, step), term.jacobian(at), rtol=1e-9, atol=1e-9
        )
        expected = differences(lambda x: gradient @ term.jacobian(x), at, step)
        np.testing.assert_allclose(term.curvature(gradient), expected, rtol=1e-8, atol=1e-9)


def test_zero_is_a_point_of_the_loadings() -> None:
    term = term_of((0, 1, 2))
    assert np.array_equal(term.natural(np.zeros(6)), np.zeros(6))
    assert np.array_equal(term.jacobian(np.zeros(6)), np.zeros((6, 6)))


def test_loadings_of_several_terms_lie_side_by_side() -> None:
    ranks = [(1,), (), (2, 0)]
    terms = tuple(ReducedTerm.of(t, 1, own) for t, own in zip(COVARIANCE.terms, ranks, strict=True))
    loadings = Loadings(terms)
    assert loadings.ranks == (1, 0, 2)
    assert loadings.size == 2 + 0 + 5
    assert [(s.start, s.stop) for s in loadings.slices] == [(0, 2), (2, 2), (2, 7)]
    at = np.arange(1.0, 8.0)
    factors = loadings.factors(at)
    assert [D.shape for D in factors] == [(2, 1), (1, 0), (3, 2)]
    assert [factors[t][i, k] for t, i, k in loadings.entries] == at.tolist()


@pytest.mark.parametrize("bad", [[1.0, 2.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 0.0, 1.0]])
def test_indefinite_matrices_are_refused(bad: list[float]) -> None:
    term = ReducedTerm.of(COVARIANCE.terms[0], 3)
    with pytest.raises(np.linalg.LinAlgError):
        term.restrict(term.whole.matrix(np.array(bad)))


def test_matrices_of_too_low_a_rank_are_refused() -> None:
    term = ReducedTerm.of(COVARIANCE.terms[0], 3, (1,))
    with pytest.raises(np.linalg.LinAlgError):
        term.restrict(np.diag([1.0, 0.0]))


def test_no_terms_is_no_covariance() -> None:
    """What remains when every variance has vanished."""
    empty = Covariance(())
    assert empty.size == 0
    assert empty.is_variance.shape == (0,)
    assert empty.pack([]).shape == (0,)
    loadings = loadings_of(empty)
    assert loadings.size == 0
    assert loadings.ranks == loadings.entries == ()
    assert loadings.factors(np.zeros(0)) == []
