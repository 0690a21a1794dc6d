"""Roots of conditional covariances: R with R R' = A^-1, A = J' W J + I.

`DenseRoot` holds R as one array; `EliminatedRoot` is for one large block whose effects are crossed.  Both are
triangular in an order of their own.
"""

from __future__ import annotations

import numpy as np

from statsmodels_mcla.design import EffectRows, SparseRows
from statsmodels_mcla.likelihood.laplace.dense_root import DenseRoot
from statsmodels_mcla.likelihood.laplace.eliminated_root import EliminatedRoot
from statsmodels_mcla.likelihood.laplace.maps import Root
from statsmodels_mcla.numerics import Array, inverse_root

LARGE = 600  # effects of a block from which a term is eliminated


def conditional_root(J: EffectRows, W: Array) -> Root:
    """Root of the inverse of J' W J + I.

    Raises
    ------
    numpy.linalg.LinAlgError
        If that is not positive definite.
    """
    if isinstance(J, SparseRows) and len(J.blocks) == 1 and J.n_effects >= LARGE:
        segment = J.eliminable()
        if segment is not None:
            return EliminatedRoot.of_rows(J, W, segment)
    P = J.gram(W) + np.eye(J.n_effects)
    degree = (P != 0.0).any(axis=0).sum(axis=0)
    if np.all(degree[1:] >= degree[:-1]):
        return DenseRoot(inverse_root(P)[0])
    order = np.argsort(degree, kind="stable")
    R = np.empty_like(P)
    R[:, order[:, None], order] = inverse_root(P[:, order[:, None], order])[0]
    return DenseRoot(R, order)
