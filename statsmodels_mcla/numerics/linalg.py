"""Dense linear algebra on stacks of small symmetric matrices, one matrix a block.

LAPACK is called once per matrix, which for a million 1 x 1 matrices costs far more than the
arithmetic, so order one is done elementwise.  Shapes: ``(B, q, q)`` stacks, ``(B, q)`` vectors.

Products over many draws run on this package's own threads.  A BLAS that started threads of its own for each
would have them wait for one another, so products are cut into pieces that BLAS libraries do on one thread.  All
pieces are one call: between calls, Python's threads do wait for one another.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

Array = NDArray[Any]


PIECE = 2**18  # multiplications: OpenBLAS and MKL start threads for larger products of matrices,
VECTOR_PIECE = 2**13  # and for these numbers in a product of a matrix and a vector, or of two vectors
LARGE = 50  # from which a triangular inverse is worth a call of its own
RELEASES = 500  # results of a product for which numpy lets other threads run


def transpose(stack: Array) -> Array:
    """Transpose each matrix of a stack."""
    return stack.swapaxes(-1, -2)


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
    return transpose(inverse_of_lower(lower)), log_det


def inverse_of_lower(lower: Array) -> Array:
    """Inverses of lower triangular matrices (B, q, q)."""
    if lower.shape[-1] < LARGE:
        return np.linalg.inv(lower)
    # the transpose of an array in C order is one in Fortran's, in which LAPACK works in place
    return np.stack([transpose(lapack.dtrtri(transpose(one), lower=0)[0]) for one in lower])


def is_positive_definite(A: Array) -> bool:
    """Whether a symmetric matrix (d, d) has a Cholesky factor."""
    try:
        np.linalg.cholesky(A)
    except np.linalg.LinAlgError:
        return False
    return True


def independent_columns(X: Array, extra: Array) -> np.ndarray:
    """Numbers of the columns of extra (n, k) that add to the span of X (n, p) and of those before."""
    basis = np.linalg.qr(X)[0]
    keep = []
    for j, column in enumerate(extra.T):
        left = column - basis @ (basis.T @ column)
        left = left - basis @ (basis.T @ left)
        size = float(np.linalg.norm(left))
        if size > 1e-8 * max(float(np.linalg.norm(column)), 1e-300):
            keep.append(j)
            basis = np.column_stack([basis, left / size])
    return np.array(keep, int)


def covariance_root(G: Array) -> Array:
    """Root R with R R' = G of covariance matrices (..., d, d) that may be singular."""
    values, vectors = np.linalg.eigh(G)
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0.0))[..., None, :])


def homogeneous(draws: Array) -> Array:
    """Draws (B, q, m) with a last row of ones: one product then turns and shifts them."""
    blocks, q, m = draws.shape
    out = np.empty((blocks, q + 1, m))
    out[:, :q], out[:, q] = draws, 1.0
    return out


def multiply_draws(stack: Array, draws: Array, out: Array) -> Array:
    """Product of matrices (B, n, q) with draws (B, q, m) into ``out`` (B, n, m)."""
    n, q = stack.shape[-2:]
    m = draws.shape[-1]
    if q == 1:
        return np.multiply(stack, draws, out=out)
    step = _power_of_two(VECTOR_PIECE // max(1, q) if n == 1 else PIECE // max(1, n * q))
    whole = m // step * step
    if whole:
        pieces = _cut(draws[..., :whole], step), _cut(out[..., :whole], step)
        np.matmul(stack[..., None, :, :], pieces[0], out=pieces[1])
    if whole < m:
        np.matmul(stack, draws[..., whole:], out=out[..., whole:])
    return out


def inner_products(left: Array, right: Array) -> Array:
    """Sums over draws of left (B, P, m) times right (B, Q, m): (B, P, Q)."""
    (P, m), Q = left.shape[1:], right.shape[1]
    longest = PIECE // (P * Q) if min(P, Q) > 1 else VECTOR_PIECE // max(P, Q, 1)
    step, whole = _long_pieces(m, left.size * Q, longest)
    total = np.matmul(left[..., whole:], transpose(right[..., whole:]))
    if whole:
        total += np.matmul(_cut(left[..., :whole], step), transpose(_cut(right[..., :whole], step))).sum(
            axis=1
        )
    return np.asarray(total)


def weighted_sum(values: Array, weights: Array) -> Array:
    """Sum over draws of values (B, n, m) times weights (B, m): (B, n)."""
    return inner_products(values, weights[:, None])[..., 0]


def sum_of_products(left: Array, right: Array) -> Array:
    """Sum over blocks and draws of left (B, P, m) times right (B, Q, m): (P, Q)."""
    return np.asarray(inner_products(left, right).sum(axis=0))


def _long_pieces(m: int, products: int, longest: int) -> tuple[int, int]:
    """Draws of the pieces that a sum over m draws is cut into, and how many draws are in them; the rest is short.

    numpy keeps Python's other threads waiting during products with few *results*, however long their sums are.
    """
    step = _power_of_two(min(longest, products // RELEASES))
    return step, m // step * step if m > step else 0


def _power_of_two(size: int) -> int:
    """Round down to a power of two, at least 8."""
    return max(8, 1 << (max(size, 1).bit_length() - 1))


def _cut(draws: Array, step: int) -> Array:
    """View draws (..., q, m) as pieces (..., m / step, q, step)."""
    return draws.reshape(*draws.shape[:-1], draws.shape[-1] // step, step).swapaxes(-2, -3)
