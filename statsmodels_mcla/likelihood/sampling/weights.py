"""Importance weights on the log scale: normalisation, effective sample size, Pareto k-hat."""

from __future__ import annotations

import numpy as np

from statsmodels_mcla.numerics import Array

MAX_K_HAT = 0.7  # beyond, a mean over the weights converges too slowly to be of use (see `pareto_k`)


def normalise(log_w: Array) -> tuple[Array, Array]:
    """Normalised weights and the log of the mean weight.

    Parameters
    ----------
    log_w : ndarray (B, m)
        Log weights; -inf is a weight of zero.

    Returns
    -------
    v : ndarray (B, m)
        Weights that add up to one in each row.
    log_mean : ndarray (B,)

    Raises
    ------
    FloatingPointError
        If a row has a NaN or no positive, finite weight.
    """
    top = log_w.max(axis=1)
    if not np.all(np.isfinite(top)):
        raise FloatingPointError("no draw of a block has positive, finite weight")
    w = np.exp(log_w - top[:, None])
    total = w.sum(axis=1)
    return w / total[:, None], top + np.log(total / log_w.shape[1])


def effective_sample_size(v: Array) -> Array:
    """Effective sample size 1 / sum v^2 of normalised weights (B, m) (Kong, 1992)."""
    return np.asarray(1.0 / (v * v).sum(axis=1))


def pareto_k(log_w: Array) -> Array:
    """Shape of a generalised Pareto distribution fitted to the largest weights.

    Above 0.7 the weights are so heavy-tailed that a mean over them is unreliable however many draws there
    are (Vehtari, Simpson, Gelman, Yao and Gabry, 2024; the fit is that of Zhang and Stephens, 2009).

    Parameters
    ----------
    log_w : ndarray (B, m)
        Log weights.

    Returns
    -------
    ndarray (B,)
        k-hat; NaN with fewer than 25 draws, -inf where the largest weights are all equal.
    """
    blocks, m = log_w.shape
    size = int(min(0.2 * m, 3.0 * np.sqrt(m)))
    if size < 5:
        return np.full(blocks, np.nan)
    tail = np.partition(log_w, m - size - 1, axis=1)[:, m - size - 1 :]
    tail.sort(axis=1)
    weight = np.exp(tail - tail[:, -1:])
    x = weight[:, 1:] - weight[:, :1]  # exceedances over the largest weight outside the tail, ascending
    flat = x[:, -1] <= 1e-12
    x = np.where(flat[:, None], 1.0, x)
    quarter = np.maximum(x[:, int(size / 4 + 0.5) - 1], 1e-300)
    count = 30 + int(np.sqrt(size))
    grid = 1.0 - np.sqrt(count / (np.arange(1, count + 1) - 0.5))
    theta = grid / (3.0 * quarter[:, None]) + 1.0 / x[:, -1:]
    k = np.stack([np.log1p(-theta[:, j : j + 1] * x).mean(axis=1) for j in range(count)], axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        profile = size * (np.log(-theta / k) - k - 1.0)
    profile = np.where(np.isfinite(profile), profile, -np.inf)
    weight = np.exp(profile - profile.max(axis=1, keepdims=True))
    mean = (theta * weight).sum(axis=1) / weight.sum(axis=1)
    k_hat = np.log1p(-mean[:, None] * x).mean(axis=1)
    # weakly informative prior: ten observations at one half
    return np.where(flat, -np.inf, (size * k_hat + 5.0) / (size + 10.0))
