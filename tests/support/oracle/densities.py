"""Conditional densities, from scipy.stats."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import special, stats

Array = np.ndarray

# A binomial probability is the distribution function of a latent variable at eta, so that the far tails of
# both outcomes are as accurate as scipy's logcdf and logsf.
LATENT = {"logit": stats.logistic, "probit": stats.norm, "cloglog": stats.gumbel_l, "cauchit": stats.cauchy}
DISPERSION = {"negativebinomial": "alpha", "gamma": "scale", "gaussian": "scale", "inversegaussian": "scale"}
SUPPORTED = (
    *(("binomial", link) for link in LATENT),
    ("poisson", "log"),
    ("poisson", "sqrt"),
    ("negativebinomial", "log"),
    ("gamma", "log"),
    ("gamma", "inverse"),
    ("gaussian", "identity"),
    ("gaussian", "log"),
    ("inversegaussian", "log"),
)


# Conditional densities ------------------------------------------------------------------------------------


def mean(link: str, eta: Array) -> Array:
    """Conditional mean at a linear predictor (for the binomial, the probability of success)."""
    if link in LATENT:
        return LATENT[link].cdf(eta)
    if link == "log":
        return np.exp(np.minimum(eta, 600.0))  # beyond it no prior leaves any mass
    return {"identity": np.asarray, "sqrt": np.square, "inverse": np.reciprocal}[link](eta)


def link_function(link: str, mu: Array) -> Array:
    """Linear predictor at a conditional mean."""
    if link in LATENT:
        return LATENT[link].ppf(mu)
    return {"identity": np.asarray, "log": np.log, "sqrt": np.sqrt, "inverse": np.reciprocal}[link](mu)


def log_density(
    family: str, link: str, y: Array, eta: Array, phi: float, trials: Array, var_weights: Array
) -> Array:
    """Log density of each row, all constants included; arrays broadcast.

    Under the inverse link a row whose linear predictor is not positive has density zero.
    """
    if family == "binomial":
        coefficient = stats.binom.logpmf(y, trials, 0.5) + trials * np.log(2.0)
        successes, failures = LATENT[link].logcdf, LATENT[link].logsf
        return coefficient + _times(y, successes, eta) + _times(trials - y, failures, eta)
    if link == "inverse":
        inside = eta > 0
        mu = 1.0 / np.where(inside, eta, 1.0)
        return np.where(inside, log_density(family, "identity", y, mu, phi, trials, var_weights), -np.inf)
    mu = mean(link, eta)
    scale = phi / var_weights
    if family == "poisson":
        return stats.poisson.logpmf(y, mu)
    if family == "negativebinomial":
        return stats.nbinom.logpmf(y, 1.0 / phi, 1.0 / (1.0 + phi * mu))
    if family == "gamma":
        return stats.gamma.logpdf(y, 1.0 / scale, scale=mu * scale)
    if family == "gaussian":
        return stats.norm.logpdf(y, mu, np.sqrt(scale))
    return stats.invgauss.logpdf(y, mu * scale, scale=1.0 / scale)


def eta_derivative(
    family: str, link: str, y: Array, eta: Array, phi: float, trials: Array, var_weights: Array
) -> Array:
    """Derivative of `log_density` in the linear predictor."""
    if family == "binomial":
        latent = LATENT[link]
        rising = _times(y, lambda x: np.exp(latent.logpdf(x) - latent.logcdf(x)), eta)
        return rising - _times(trials - y, lambda x: np.exp(latent.logpdf(x) - latent.logsf(x)), eta)
    scale = phi / var_weights
    if link == "sqrt":
        return 2.0 * (y / eta - eta)
    if link == "inverse":
        return np.where(eta > 0, (1.0 / np.where(eta > 0, eta, 1.0) - y) / scale, 0.0)
    mu = mean(link, eta)
    slope = np.ones_like(mu) if link == "identity" else mu
    variance = {
        "poisson": lambda: mu,
        "negativebinomial": lambda: mu * (1.0 + phi * mu),
        "gamma": lambda: scale * mu**2,
        "gaussian": lambda: scale,
        "inversegaussian": lambda: scale * mu**3,
    }[family]()
    return (y - mu) * slope / variance


def log_phi_derivative(
    family: str, link: str, y: Array, eta: Array, phi: float, trials: Array, var_weights: Array
) -> Array:
    """Derivative of `log_density` in the logarithm of the dispersion."""
    if link == "inverse":
        inside = eta > 0
        mu = 1.0 / np.where(inside, eta, 1.0)
        return np.where(inside, log_phi_derivative(family, "identity", y, mu, phi, trials, var_weights), 0.0)
    mu = mean(link, eta)
    if family == "negativebinomial":
        r = 1.0 / phi
        in_r = special.digamma(y + r) - special.digamma(r) - np.log1p(mu / r) + (mu - y) / (r + mu)
        return -r * in_r
    shape = var_weights / phi
    if family == "gamma":
        return -shape * (np.log(y / mu) + np.log(shape) + 1.0 - y / mu - special.digamma(shape))
    if family == "gaussian":
        return 0.5 * shape * (y - mu) ** 2 - 0.5
    return 0.5 * shape * (y - mu) ** 2 / (mu**2 * y) - 0.5


def _times(count: Array, function: Callable[[Array], Array], eta: Array) -> Array:
    """Return count * function(eta), evaluated only where the count is not zero: 0 * inf would be NaN."""
    count, eta = np.broadcast_arrays(count, eta)
    used = count > 0
    values = np.zeros(eta.shape)
    values[used] = count[used] * function(eta[used])
    return values
