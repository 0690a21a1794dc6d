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

LARGE, FEW_LEFT = (
    600,
    200,
)  # effects of a block from which a term is eliminated, and where hardly any are left
LEFT = 0.1  # of the effects: so few
COPIES, MORE = (
    24,
    6,
)  # arrays of the size of a root that a fit holds at once, for one block and for each that is like it


def eliminated(J: EffectRows) -> tuple[int, int, int] | None:
    """Start, levels and effects a level of the term that is eliminated from a block; None where none is."""
    if not isinstance(J, SparseRows) or len(J.blocks) > 1 or J.n_effects < FEW_LEFT:
        return None
    segment = J.eliminable()
    if segment is None or J.n_effects >= LARGE:
        return segment
    left = J.n_effects - segment[1] * segment[2]
    return segment if left <= LEFT * J.n_effects else None


def root_bytes(J: EffectRows, n_blocks: int) -> tuple[int, int]:
    """Memory that a fit takes for the roots of blocks, and how many effects of a block have a dense matrix."""
    segment = eliminated(J)
    rest = J.n_effects - (0 if segment is None else segment[1] * segment[2])
    return 8 * rest**2 * (COPIES + MORE * (n_blocks - 1)), rest


def conditional_root(J: EffectRows, W: Array) -> Root:
    """Root of the inverse of J' W J + I.

    Raises
    ------
    numpy.linalg.LinAlgError
        If that is not positive definite.
    """
    segment = eliminated(J)
    if isinstance(J, SparseRows) and segment is not None:
        return EliminatedRoot.of_rows(J, W, segment)
    P = J.gram(W) + np.eye(J.n_effects)
    degree = (P != 0.0).any(axis=0).sum(axis=0)
    if np.all(degree[1:] >= degree[:-1]):
        return DenseRoot(inverse_root(P)[0])
    order = np.argsort(degree, kind="stable")
    R = np.empty_like(P)
    R[:, order[:, None], order] = inverse_root(P[:, order[:, None], order])[0]
    return DenseRoot(R, order)
