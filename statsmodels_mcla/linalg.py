"""Dense linear algebra on stacks of small symmetric matrices, one matrix a block.

LAPACK is called once per matrix, which for a million 1 x 1 matrices costs far more than the
arithmetic, so order one is done elementwise.  Shapes: ``(B, q, q)`` stacks, ``(B, q)`` vectors.

Products over many draws run on this package's own threads.  A BLAS that started threads of its own for each
would have them wait for one another, so products are cut into pieces that BLAS libraries do on one thread, and
sums over draws are einsum's, which calls no BLAS.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

__all__ = ["Array", "inverse_root", "multiply_draws", "sum_of_products", "transpose", "weighted_sum"]

PIECE = 2**18  # multiplications: OpenBLAS and MKL start threads for larger products


def transpose(stack: Array) -> Array:
    """Transpose each matrix of a stack."""
    return np.swapaxes(stack, -1, -2)


def inverse_root(precision: Array) -> tuple[Array, Array]:
    """Root of the inverse and log-determinant of positive definite matrices.

    Parameters
    ----------
    precision : ndarray (B, q, q)
        Symmetric positive definite matrices ``A``.

    Returns
    -------
    root : ndarray (B, q, q)
        Upper triangular ``C`` with ``C C' = A^-1``.
    log_det : ndarray (B,)
        ``log |A|``.

    Raises
    ------
    numpy.linalg.LinAlgError
        If a matrix is not positive definite.
    """
    q = precision.shape[-1]
    if q == 1:
        if not np.all(precision > 0):
            raise np.linalg.LinAlgError("Matrix is not positive definite")
        return 1.0 / np.sqrt(precision), np.log(precision[:, 0, 0])
    lower = np.linalg.cholesky(precision)
    log_det = 2.0 * np.log(np.diagonal(lower, axis1=-2, axis2=-1)).sum(axis=-1)
    return transpose(np.linalg.inv(lower)), log_det


def multiply_draws(stack: Array, draws: Array, out: Array) -> Array:
    """Product of matrices (B, n, q) with draws (B, q, m) into ``out`` (B, n, m)."""
    n, q = stack.shape[-2:]
    m = draws.shape[-1]
    step = max(8, PIECE // max(1, n * q))
    for a in range(0, m, step):
        np.matmul(stack, draws[..., a : a + step], out=out[..., a : a + step])
    return out


def weighted_sum(values: Array, weights: Array) -> Array:
    """Sum over draws of values (B, n, m) times weights (B, m): (B, n)."""
    return np.asarray(np.einsum("bnm,bm->bn", values, weights))


def sum_of_products(left: Array, right: Array) -> Array:
    """Sum over blocks and draws of left (B, P, m) times right (B, Q, m): (P, Q)."""
    step = max(8, PIECE // max(1, left.shape[1] * right.shape[1]))
    out = np.zeros((left.shape[1], right.shape[1]))
    for a in range(0, left.shape[2], step):
        out += (left[..., a : a + step] @ transpose(right[..., a : a + step])).sum(axis=0)
    return out
