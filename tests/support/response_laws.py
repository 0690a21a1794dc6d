"""Laws of responses as scipy has them: log densities and samplers in terms of linear predictors and parameters psi."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special, stats

Array = np.ndarray
expit = special.expit


def generalized_poisson(y: Array, mu: Array, alpha: float) -> Array:
    theta, lam = mu / (1 + alpha), alpha / (1 + alpha)
    return np.log(theta) + (y - 1) * np.log(theta + lam * y) - theta - lam * y - special.gammaln(y + 1)


def sample_generalized_poisson(rng: Any, mu: Array, alpha: float) -> Array:
    k = np.arange(400)
    p = np.exp(generalized_poisson(k, np.asarray(mu)[:, None], alpha))
    return (rng.random(len(mu))[:, None] > np.cumsum(p, axis=1)).sum(axis=1)


def tweedie(y: Array, mu: Array, scale: float, power: float) -> Array:
    rate = mu ** (2 - power) / (scale * (2 - power))
    shape, size = (2 - power) / (power - 1), scale * (power - 1) * mu ** (power - 1)
    out = np.where(y == 0, np.exp(-rate), 0.0)
    for k in range(1, 120):
        out = out + np.where(
            y > 0,
            np.exp(
                stats.poisson.logpmf(k, rate)
                + stats.gamma.logpdf(np.maximum(y, 1e-300), k * shape, scale=size)
            ),
            0.0,
        )
    return np.log(out)


def sample_tweedie(rng: Any, mu: Array, scale: float, power: float) -> Array:
    count = rng.poisson(mu ** (2 - power) / (scale * (2 - power)))
    parts = (
        rng.gamma(np.maximum(count, 1) * (2 - power) / (power - 1)) * scale * (power - 1) * mu ** (power - 1)
    )
    return np.where(count > 0, parts, 0.0)


def truncated(law: Callable[..., Any]) -> tuple[Callable[..., Any], Callable[..., Any]]:
    def log_density(y: Array, eta: Array, psi: Any, trials: Any) -> Array:
        whole = law(eta, psi)
        return whole.logpmf(y) - whole.logsf(0)

    def sample(rng: Any, eta: Array, psi: Any, trials: Any) -> Array:
        whole = law(eta, psi)
        return np.maximum(whole.ppf(rng.uniform(whole.cdf(0), 1.0)), 1.0)

    return log_density, sample


def ordered(latent: Any, thresholds: Callable[[Any], list[float]]) -> dict[str, Callable[..., Any]]:
    def log_density(y: Array, eta: Array, psi: Any, trials: Any) -> Array:
        tau = np.array([-np.inf, *thresholds(psi), np.inf])
        k = np.asarray(y, int)
        return np.log(latent.cdf(tau[k] - eta) - latent.cdf(tau[k - 1] - eta))

    def sample(rng: Any, eta: Array, psi: Any, trials: Any) -> Array:
        value = eta + latent.rvs(size=np.shape(eta), random_state=rng)
        return 1 + (value[:, None] > np.array(thresholds(psi))).sum(axis=1)

    return {"log_density": log_density, "sample": sample}


def ordered_beta(y: Array, eta: Array, psi: Any, _n: Any) -> Array:
    inside = (y > 0) & (y < 1)
    between = np.log(expit(eta - psi[1]) - expit(eta - psi[2]))
    between = between + stats.beta.logpdf(np.where(inside, y, 0.5), expit(eta) * psi[0], expit(-eta) * psi[0])
    zero, one = special.log_expit(psi[1] - eta), special.log_expit(eta - psi[2])
    return np.where(y <= 0, zero, np.where(y >= 1, one, between))


def sample_ordered_beta(rng: Any, eta: Array, psi: Any, _n: Any) -> Array:
    latent = eta + stats.logistic.rvs(size=np.shape(eta), random_state=rng)
    between = rng.beta(expit(eta) * psi[0], expit(-eta) * psi[0])
    return np.where(latent < psi[1], 0.0, np.where(latent > psi[2], 1.0, between))


def of_law(law: Callable[..., Any], density: str = "logpmf") -> dict[str, Callable[..., Any]]:
    """Density and sampler of a scipy law of (eta, psi, trials)."""
    return {
        "log_density": lambda y, eta, psi, trials: getattr(law(eta, psi, trials), density)(y),
        "sample": lambda rng, eta, psi, trials: law(eta, psi, trials).rvs(random_state=rng),
    }


TRUNCATED_POISSON = truncated(lambda eta, _psi: stats.poisson(np.exp(eta)))


TRUNCATED_NB = truncated(lambda eta, psi: stats.nbinom(1 / psi[0], 1 / (1 + psi[0] * np.exp(eta))))


def zero_inflated(law: Callable[..., Any]) -> dict[str, Callable[..., Any]]:
    """Zeros of probability expit(eta_1) on top of those of a law of (eta, psi)."""

    def log_density(y: Array, eta: Array, psi: Any, _n: Any) -> Array:
        p = expit(eta[1])
        return np.log(np.where(y == 0, p, 0.0) + (1 - p) * np.exp(law(eta, psi).logpmf(y)))

    def sample(rng: Any, eta: Array, psi: Any, _n: Any) -> Array:
        other = law(eta, psi).rvs(random_state=rng)
        return np.where(rng.random(other.shape) < expit(eta[1]), 0, other)

    return {"log_density": log_density, "sample": sample}


def hurdle(
    log_density: Callable[..., Any], sample: Callable[..., Any], least: float
) -> dict[str, Callable[..., Any]]:
    """All zeros of probability expit(eta_1)."""

    def joint(y: Array, eta: Array, psi: Any, n: Any) -> Array:
        seen = log_density(np.where(y == 0, least, y), eta[0], psi, n)
        return np.where(y == 0, special.log_expit(eta[1]), special.log_expit(-eta[1]) + seen)

    def both(rng: Any, eta: Array, psi: Any, n: Any) -> Array:
        other = sample(rng, eta[0], psi, n)
        return np.where(rng.random(other.shape) < expit(eta[1]), 0, other)

    return {"log_density": joint, "sample": both}


def with_ends(zi: bool) -> dict[str, Callable[..., Any]]:
    """Beta proportions, with zeros of probability expit(eta_1), and ones among those that are not zero."""

    def chances(eta: Array) -> tuple[Array, Array, Array]:
        zero = expit(eta[1]) if zi else 0.0 * eta[0]
        one = (1 - zero) * expit(eta[1 + zi])
        return zero, one, 1 - zero - one

    def log_density(y: Array, eta: Array, psi: Any, _n: Any) -> Array:
        zero, one, between = chances(eta)
        inside = np.where((y > 0) & (y < 1), y, 0.5)
        law = stats.beta(expit(eta[0]) * psi[0], expit(-eta[0]) * psi[0])
        return np.log(np.where(y == 0, zero, np.where(y == 1, one, between * law.pdf(inside))))

    def sample(rng: Any, eta: Array, psi: Any, _n: Any) -> Array:
        zero, one, _ = chances(eta)
        u = rng.random(zero.shape)
        between = rng.beta(expit(eta[0]) * psi[0], expit(-eta[0]) * psi[0])
        return np.where(u < zero, 0.0, np.where(u < zero + one, 1.0, between))

    return {"log_density": log_density, "sample": sample}


def nb2(eta: Array, alpha: Any) -> Any:
    return stats.nbinom(1 / alpha, 1 / (1 + alpha * np.exp(eta)))


GAMMA = of_law(lambda eta, psi, _n: stats.gamma(1 / psi[0], scale=psi[0] * np.exp(eta)), "logpdf")


BETA = of_law(
    lambda eta, _psi, _n: stats.beta(expit(eta[0]) * np.exp(eta[1]), expit(-eta[0]) * np.exp(eta[1])),
    "logpdf",
)


def partial_odds() -> dict[str, Callable[..., Any]]:
    """Thresholds eta[1:] of a logistic variable of location eta[0]."""

    def log_density(y: Array, eta: Array, psi: Any, _n: Any) -> Array:
        below = expit(eta[1:] - eta[0])
        below = np.concatenate([0 * below[:1], below, 0 * below[:1] + 1])
        k = np.broadcast_to(np.asarray(y, int), below.shape[1:])[None]
        return np.log(np.take_along_axis(below, k, 0) - np.take_along_axis(below, k - 1, 0))[0]

    def sample(rng: Any, eta: Array, psi: Any, _n: Any) -> Array:
        return 1 + (eta[0] + rng.logistic(size=eta.shape[1]) > eta[1:]).sum(axis=0)

    return {"log_density": log_density, "sample": sample}


def multinomial() -> dict[str, Callable[..., Any]]:
    """Categories 1, 2, ... of log odds eta against the first."""

    def log_density(y: Array, eta: Array, psi: Any, _n: Any) -> Array:
        odds = np.concatenate([0 * eta[:1], eta])
        k = np.broadcast_to(np.asarray(y, int), odds.shape[1:])[None]
        return np.take_along_axis(odds - special.logsumexp(odds, axis=0), k - 1, 0)[0]

    def sample(rng: Any, eta: Array, psi: Any, _n: Any) -> Array:
        return 1 + np.argmax(
            np.concatenate([0 * eta[:1], eta]) + rng.gumbel(size=(len(eta) + 1, eta.shape[1])), axis=0
        )

    return {"log_density": log_density, "sample": sample}
