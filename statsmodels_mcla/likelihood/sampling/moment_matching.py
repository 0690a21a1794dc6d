"""Base numbers made to have the moments of what they stand for: whitened, with normal fourth moments."""

from __future__ import annotations

import numpy as np

from statsmodels_mcla.numerics import Array

ENOUGH = 32  # draws of a replicate that fourth moments can be asked of


def match_moments(t: Array, replicate: int, rounds: int = 2) -> Array:
    """Move the draws of each replicate so that they have moments of a standard normal.

    Where the effects given the data are exactly normal, all weights are equal and the score is quadratic in
    the draws: with mean 0 and covariance I it has no Monte Carlo error at all.  Its variance, which the standard
    errors rest on, is of third and fourth order, and points that share their cut-off tails would understate it in
    all replicates alike.  So half of the draws mirror the others, which makes all odd moments 0, and
    E|t|^4 = q (q + 2) is matched by t (1 + c |t|^2).
    """
    blocks, q, m = t.shape
    parts = t.reshape(blocks, q, m // replicate, replicate).transpose(0, 2, 1, 3)
    half = parts[..., : replicate // 2]
    parts = _whiten(np.concatenate([half, -half], axis=-1))
    for _ in range(rounds if replicate >= ENOUGH else 0):
        parts = _whiten(parts * _stretch((parts * parts).sum(axis=2, keepdims=True), (q + 2.0) / q))
    return np.ascontiguousarray(parts.transpose(0, 2, 1, 3)).reshape(t.shape)


def _whiten(parts: Array) -> Array:
    """Give draws (..., q, m) of mean 0 the covariance I."""
    lower = np.linalg.cholesky(parts @ np.swapaxes(parts, -1, -2) / parts.shape[-1])
    return np.asarray(np.linalg.solve(lower, parts))


def _stretch(s: Array, kurtosis: float) -> Array:
    """1 + c s with E[s^2 (1 + c s)^4] / E[s (1 + c s)^2]^2 the kurtosis, by Newton's method in c."""
    c = np.zeros((*s.shape[:-1], 1))
    for _ in range(4):
        f = 1.0 + c * s
        top, bottom = (s**2 * f**4).mean(axis=-1, keepdims=True), (s * f**2).mean(axis=-1, keepdims=True)
        slope = 4.0 * (s**3 * f**3).mean(axis=-1, keepdims=True) / top
        slope = slope - 4.0 * (s**2 * f).mean(axis=-1, keepdims=True) / bottom
        c = c - np.log(top / (bottom**2 * kurtosis)) / slope
    return np.asarray(1.0 + c * s)
