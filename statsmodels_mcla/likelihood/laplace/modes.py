r"""Conditional modes of the random effects, and the Laplace approximation that they give.

Effects are written u = Lambda b with b ~ N(0, I) and Lambda block diagonal in the Cholesky factors of
`covariance`, as lme4 does (Bates et al., 2015, J. Stat. Softw. 67(1), sec. 3): nothing is inverted, so that
a variance of zero is a point like any other.  With h(b) = log f(y | Lambda b) - b'b / 2, mode b^ and curvature
A = Lambda' Z' W Z Lambda + I, W = -d2 log f / d eta2,

    l(psi) = sum over blocks of h(b^) - log|A| / 2.

Links that are not canonical have rows of negative W.  Blocks whose A is not positive definite for that reason
(away from the mode, as a rule) take those W as zero.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from statsmodels_mcla.design import Bucket, EffectRows
from statsmodels_mcla.likelihood.laplace.maps import Root
from statsmodels_mcla.likelihood.laplace.roots import conditional_root
from statsmodels_mcla.numerics import Array

NEWTON_TOLERANCE = 1e-13  # on the decrement: an error of about 1e-13 in h, 3e-7 conditional SDs in the mode
MAX_NEWTON = 100
REUSED = 100  # effects of a block from which a curvature serves for several steps,
REUSED_TOLERANCE = (
    1e-17  # on the decrement then: steps are cheap, and log|A| has the error of the mode itself
)
QUICK = 0.05  # as long as each leaves no more than this part of the decrement
# decrement of a last step, which needs no higher value: of terms of billions the value has larger errors of rounding
LAST = 1e-6


@dataclass(frozen=True)
class Modes:
    """Conditional modes of one bucket and the curvature there, for effects b with unit prior variance.

    Attributes
    ----------
    b : ndarray (B, q)
        Conditional modes.
    J : EffectRows
        Design of b, Z Lambda.
    root : Root
        R with R R' = A^-1, the conditional covariance of b by Laplace's approximation.
    value : ndarray (B,)
        Each block's Laplace log-likelihood.
    eta, d1, W : ndarray (B, n)
        Linear predictor, first derivative and curvature of the log density of the rows.
    """

    b: Array
    J: EffectRows
    root: Root
    value: Array
    eta: Array
    d1: Array
    W: Array


def conditional_modes(
    bucket: Bucket,
    J: EffectRows,
    eta_fixed: Array,
    phi: float,
    start: Array | None = None,
    root: Root | None = None,
) -> Modes:
    """Maximise h(b) in every block by Newton's method with step halving.

    In large blocks the curvature costs far more than a step: that of earlier steps is used while that is quick.

    Parameters
    ----------
    bucket : Bucket
    J : EffectRows
        Z Lambda.
    eta_fixed : ndarray (B, n)
        X beta + offset.
    phi : float
        Dispersion.
    start : ndarray (B, q), optional
        Where to start; zero by default.
    root : Root, optional
        Of the curvature nearby.

    Returns
    -------
    Modes

    Raises
    ------
    FloatingPointError
        If h is not finite at the start.
    """
    b = np.zeros((bucket.n_blocks, bucket.n_drawn)) if start is None else start
    y, w, v = bucket.y[..., None], bucket.w[..., None], bucket.v[..., None]

    def height(b: Array) -> tuple[Array, ...]:
        eta = eta_fixed + J.times(b)
        loglik, d1, d2 = bucket.family.blocks(y, w, v, eta[..., None], phi)
        return loglik[..., 0] - 0.5 * (b * b).sum(axis=-1), eta, d1[..., 0], -d2[..., 0]

    h, eta, d1, W = height(b)
    if not np.all(np.isfinite(h)):
        raise FloatingPointError("the log-likelihood is not finite where the search for the modes starts")
    reused = J.n_effects >= REUSED
    tolerance = REUSED_TOLERANCE if reused else NEWTON_TOLERANCE
    # the root in use, whether it is of the curvature at b, and the decrement before its last step
    root, here, before = root if reused else None, False, np.inf
    for _ in range(MAX_NEWTON):
        gradient = J.back(d1) - b
        if root is None:
            (root, W), here = _curvature(J, W), True
        whitened = root.back(gradient)
        decrement = (whitened * whitened).sum(axis=-1)
        left = decrement.max(initial=0.0)
        if here and (left < tolerance or before <= left < LAST):
            break
        if not here and (left < tolerance or left > QUICK * before):
            root, before = None, np.inf  # it has done what it can
            continue
        step = root.of(whitened)
        length, (h, eta, d1, W) = _climbed(height, b, h, step, decrement)
        b = b + length[:, None] * step
        if length.any():
            root, here, before = root if reused else None, False, left
        elif here:
            break
        else:
            root, before = None, np.inf
    if not here or root is None:
        root, W = _curvature(J, W)
    return Modes(b, J, root, h + root.log_det, eta, d1, W)


def _climbed(
    height: Callable[[Array], tuple[Array, ...]], b: Array, h: Array, step: Array, decrement: Array
) -> tuple[Array, tuple[Array, ...]]:
    """Parts of a step (B,) that climb from heights (B,), halved until they do or left out, and what is there."""
    slack = 1e-12 * (1.0 + np.abs(h)) + np.where(decrement < LAST, LAST, 0.0)
    length = np.ones_like(h)
    for _ in range(40):  # blocks that did not climb are halved, the others stay
        trial = height(b + length[:, None] * step)
        short = ~(trial[0] >= h - slack)
        if not short.any():
            return length, trial
        length = np.where(short, 0.5 * length, length)
    length = np.where(short, 0.0, length)
    return length, height(b + length[:, None] * step)


def _curvature(J: EffectRows, W: Array) -> tuple[Root, Array]:
    """Root of A^-1, and the W that it is made with."""
    try:
        return conditional_root(J, W), W
    except np.linalg.LinAlgError:
        smallest = np.linalg.eigvalsh(J.gram(W) + np.eye(J.n_effects))[:, 0]
        W = np.where((smallest > 1e-8)[:, None], W, np.maximum(W, 0.0))
        return conditional_root(J, W), W


def modes_of_buckets(
    buckets: Sequence[Bucket],
    beta: Array,
    factors: Sequence[Array],
    phi: float,
    start: Sequence[Modes] | None = None,
) -> tuple[Modes, ...]:
    """Conditional modes of every bucket, from the modes found at nearby parameters if given."""
    out = []
    for k, bucket in enumerate(buckets):
        J = bucket.standardised(factors)
        near = (None, None) if start is None else (start[k].b, start[k].root)
        out.append(conditional_modes(bucket, J, bucket.offset + bucket.X @ beta, phi, *near))
    return tuple(out)
