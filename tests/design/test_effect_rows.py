"""Rows of effects: sparse and dense ones give the same products."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from statsmodels_mcla.design.effect_rows import DenseRows, SparseRows

N, SIZES = 40, ((6, 2), (5, 1))


def both() -> tuple[DenseRows, SparseRows, DenseRows, SparseRows]:
    """Rows of two terms and other rows of them, as an array and as a sparse matrix."""
    rng = np.random.default_rng(3)
    first, second = np.zeros((N, 6, 2)), np.zeros((N, 5, 1))
    rows = np.arange(N)
    first[rows, rng.integers(0, 6, N)] = rng.normal(size=(N, 2))
    second[rows, rng.integers(0, 5, N)] = 1.0
    second[rows[:7], rng.integers(0, 5, 7)] = 0.5  # rows of two levels
    found: list[DenseRows | SparseRows] = []
    for array in (
        np.hstack([first.reshape(N, -1), second[..., 0]]),
        np.hstack([first.reshape(N, -1) * 0.3, 0 * second[..., 0]]),
    ):
        found += [DenseRows(array[None]), SparseRows.of([sp.csr_array(array)], SIZES)]
    return tuple(found)  # type: ignore[return-value]


def test_forms_row_by_row() -> None:
    dense, sparse, left, sparse_left = both()
    A = np.random.default_rng(1).normal(size=(1, 17, 17))
    Z, L = dense.array[0], left.array[0]
    np.testing.assert_allclose(sparse.quadratic(A)[0], np.einsum("ne,ef,nf->n", Z, A[0], Z), atol=1e-12)
    np.testing.assert_allclose(dense.quadratic(A)[0], np.einsum("ne,ef,nf->n", Z, A[0], Z), atol=1e-12)
    symmetric = A + A.swapaxes(1, 2)
    right = np.einsum("ne,ef,nf->n", L, symmetric[0], Z)
    np.testing.assert_allclose(sparse.quadratic(symmetric, sparse_left)[0], right, atol=1e-12)
    np.testing.assert_allclose(dense.quadratic(symmetric, left)[0], right, atol=1e-12)


def test_weighted_grams() -> None:
    dense, sparse, left, sparse_left = both()
    w = np.random.default_rng(2).uniform(0.5, 2.0, (1, N))
    Z, L = dense.array[0], left.array[0]
    np.testing.assert_allclose(sparse.gram(w)[0], Z.T @ (w[0][:, None] * Z), atol=1e-12)
    np.testing.assert_allclose(sparse.gram(w, sparse_left)[0], L.T @ (w[0][:, None] * Z), atol=1e-12)


@pytest.mark.parametrize("columns", [(2, 1), (1, 1)])
def test_factors_scale_levels(columns: tuple[int, int]) -> None:
    """Terms of scalar effects take another way than others."""
    rng = np.random.default_rng(4)
    levels, dims = (6, 5), columns
    Z = rng.normal(size=(N, levels[0] * dims[0] + levels[1] * dims[1]))
    Z[rng.random(Z.shape) < 0.6] = 0.0
    factors = [rng.normal(size=(d, d)) for d in dims]
    Lambda = np.asarray(
        sp.block_diag([np.kron(np.eye(c), D) for c, D in zip(levels, factors, strict=True)]).todense()
    )
    sizes = tuple(zip(levels, dims, strict=True))
    for rows in (DenseRows(Z[None]), SparseRows.of([sp.csr_array(Z)], sizes)):
        b = rng.normal(size=(1, Z.shape[1]))
        np.testing.assert_allclose(rows.scaled(factors, levels).times(b)[0], Z @ Lambda @ b[0], atol=1e-12)


@pytest.mark.parametrize("effects", [1, 2, 3, 17])
@pytest.mark.parametrize("directions", [1, 4])
def test_second_derivatives_along_velocities(effects: int, directions: int) -> None:
    """Few effects take another way than many: both are what the linear predictors give."""
    rng = np.random.default_rng(5)
    dense, sparse, *_ = both()
    Z = dense.array[0] if effects == 17 else rng.normal(size=(N, effects))
    d, weights = -rng.random((1, N, 24)), rng.random((1, 24))
    u = rng.normal(size=(1, directions, effects, 24))
    eta = np.einsum("ne,sec->snc", Z, u[0])
    expected = (
        np.einsum("nc,c->n", d[0], weights[0]),
        np.einsum("nc,snc,c->sn", d[0], eta, weights[0]),
        np.einsum("snc,nc,tnc,c->st", eta, d[0], eta, weights[0]),
    )
    for rows in (DenseRows(Z[None]), *((sparse,) if effects == 17 else ())):
        for found, right in zip(rows.along(d, u, weights), expected, strict=True):
            np.testing.assert_allclose(found[0], right, atol=1e-10)
