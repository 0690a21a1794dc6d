"""Dense linear algebra on stacks of small symmetric matrices, one matrix a block.

LAPACK is called once per matrix, which for a million 1 x 1 matrices costs far more than the
arithmetic, so order one is done elementwise.  Shapes: ``(B, q, q)`` stacks, ``(B, q)`` vectors.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

__all__ = ["Array", "inverse_root", "transpose"]


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
