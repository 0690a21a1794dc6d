r"""Second derivatives of the paths of draws: standard errors, too, with hardly any Monte Carlo error.

Along an affine path (see `moving_draws`) the score of a draw does not depend on the draw if the conditional law moves
like the path, to first order in the parameters.  The Hessian asks for the second order: a loading that grows pulls
standard effects towards zero, ever more slowly, and what an affine path misses of that is noise in the curvature, as
large as the curvature where rows say much of the effects or the variance is near zero.  With accelerations n_ij of the
centre and G_ij of the turn,

    b_k(theta) = M + sum_j d_j m_j + sum_ij d_i d_j n_ij / 2 + R K t_k,
    K          = I + sum_j d_j F_j + sum_ij d_i d_j G_ij / 2,

where d = theta - theta_0.  Differentiating J' d1 = b and (K K')^-1 = R' (J' W J + I) R a second time,

    n_ij = C (J' diag(d3) eta_i eta_j - J_i' W eta_j - J_j' W eta_i - J' W (J_i m_j + J_j m_i)),
    G_ij + G_ij' = P_i P_j + P_j P_i - R' (J_i' W J_j + J_j' W J_i) R - F_i F_j' - F_j F_i',      P_j = -(F_j + F_j'),

for loadings i and for loadings and fixed effects j (of which G is zero), eta_j = E_j + J m_j and d3 the third
derivative of the log density.  Curvatures that move on the way are left out of G: that is enough.  Any n and G leave
the likelihood as it is, as any m and F do.
"""

from __future__ import annotations

import math
from itertools import combinations_with_replacement
from typing import NamedTuple

import numpy as np

from statsmodels_mcla.design import Bucket, EffectRows, MixedDesign
from statsmodels_mcla.likelihood.laplace import DenseRoot, Gaussian, Root
from statsmodels_mcla.numerics import Array

MOST_BYTES = 2**28  # of the accelerations of a bucket
MOST_EFFECTS = 200  # of a block whose root is one array: products of its turns take long


class Accelerations(NamedTuple):
    """Second derivatives of the paths of B blocks in the s parameters after the fixed effects, and in one more.

    Attributes
    ----------
    shifts : ndarray (B, q, s, P)
        n_ij.
    turns : ndarray (B, s, s, ...), optional
        G_ij as the root takes them; None, for zero, in the largest blocks: the centre has most of the noise.
    """

    shifts: Array
    turns: Array | None

    def take(self, index: np.ndarray | slice) -> Accelerations:
        """Those of some of the blocks."""
        return Accelerations(self.shifts[index], None if self.turns is None else self.turns[index])


def accelerates(bucket: Bucket, design: MixedDesign) -> bool:
    """Whether paths of a bucket can be accelerated: it has effects that are drawn together, and few enough of them."""
    q, s = bucket.n_drawn, design.layout.n_curved
    fits = 8 * bucket.n_blocks * q * s * design.layout.size <= MOST_BYTES
    needless = bucket.family.quadratic or not design.loadings.entries
    return q >= 2 and fits and not needless and len(bucket.family.directions) == 1


def _turns_too(root: Root, blocks: int, q: int, s: int) -> bool:
    """Whether turns are accelerated, too, which are large matrices."""
    numbers = math.prod(root.still.shape)
    dense = isinstance(root, DenseRoot) and q >= MOST_EFFECTS
    return not dense and 8 * blocks * s * s * numbers <= MOST_BYTES


def accelerations(
    design: MixedDesign,
    bucket: Bucket,
    J: EffectRows,
    gaussian: Gaussian,
    params: Array,
    slopes: Array,
    turns: Array,
) -> Accelerations:
    """Accelerations of paths with given slopes (B, q, P) and turns (B, s, ...)."""
    layout, family, (M, root, _, W, third) = design.layout, bucket.family, gaussian
    factors = design.loadings.factors(params[layout.covariance])
    centre = design.fixed_centre  # nothing may depend on where covariates are counted from
    X, slopes = bucket.X - centre, slopes.copy()
    slopes[..., layout.fixed] += (slopes[..., layout.family] @ family.intercept_in_parameters)[
        ..., None
    ] * centre
    moves = {j: X[..., j] + J.times(slopes[..., j]) for j in range(layout.n_fixed)}  # d eta
    along: dict[int, EffectRows] = {}
    for j, entry in enumerate(design.loadings.entries, layout.covariance.start):
        along[j] = bucket.derivative(factors, entry)
        moves[j] = along[j].times(M) + J.times(slopes[..., j])
    blocks, q, P = slopes.shape
    s, first = turns.shape[1], P - turns.shape[1]
    shifts = np.zeros((blocks, q, s, P))
    for i, J_i in along.items():
        for j, move in moves.items():
            if j in along and j < i:
                continue
            pull = J.back(third * moves[i] * move - W * J_i.times(slopes[..., j])) - J_i.back(W * move)
            if j in along:
                pull -= J.back(W * along[j].times(slopes[..., i])) + along[j].back(W * moves[i])
            n = root.of(root.back(pull))
            shifts[:, :, i - first, j] = n
            if j in along:
                shifts[:, :, j - first, i] = n
    second = None
    if _turns_too(root, blocks, q, s):
        second = np.zeros((*turns.shape[:2], *turns.shape[1:]))
        for i, j in combinations_with_replacement(along, 2):
            a, b = i - first, j - first
            second[:, a, b] = second[:, b, a] = root.bend((along[i], along[j]), W, (turns[:, a], turns[:, b]))
        second[~np.isfinite(second).reshape(blocks, -1).all(axis=1)] = 0.0
    shifts[~np.isfinite(shifts).all(axis=(1, 2, 3))] = 0.0
    return Accelerations(shifts, second)


class Accelerated(NamedTuple):
    """What accelerations change in the paths of blocks at some parameters."""

    centre: Array  # (B, q), to be added to those of affine paths,
    slopes: Array  # (B, q, P)
    change: Array | float  # (B, ...) of K
    turns: Array | float  # (B, s, ...)


def accelerated(found: Accelerations, step: Array) -> Accelerated:
    """Changes at a step (P,) from where the draws were made."""
    shifts, turns = found
    s = shifts.shape[2]
    own, first = step[len(step) - s :], len(step) - s
    drift = shifts @ step  # (B, q, s)
    centre = drift @ own - 0.5 * (shifts[..., first:] @ own) @ own
    slopes = np.concatenate([np.einsum("kqsp,s->kqp", shifts[..., :first], own), drift], axis=-1)
    if turns is None:
        return Accelerated(centre, slopes, 0.0, 0.0)
    more = np.einsum("kij...,j->ki...", turns, own)
    return Accelerated(centre, slopes, 0.5 * np.einsum("ki...,i->k...", more, own), more)
