"""Response models: families of the package beside their laws as scipy has them, and truth by quadrature.

Each `ResponseModel` gives the log density and a sampler of its rows in terms of the linear predictor and the parameters
psi of the family, neither of which shares code with the package.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import special, stats

from statsmodels_mcla import MCLAMixedGLM, families

Array = np.ndarray
NODES = np.linspace(-8.5, 8.5, 103)
LOG_WEIGHTS = stats.norm.logpdf(NODES) + np.log(NODES[1] - NODES[0])


@dataclass(frozen=True)
class ResponseModel:
    """A family, the law that it should be, and where to look at it.

    Attributes
    ----------
    family : ConditionalFamily
    log_density : callable
        Of (y, eta, psi, trials).
    sample : callable
        Of (generator, eta, psi, trials).
    psi : tuple of float
    intercept, sd : float
        Of a simulated model with a random intercept.
    """

    name: str
    family: Any
    log_density: Callable[..., Any]
    sample: Callable[..., Any]
    psi: tuple[float, ...]
    intercept: float = 0.5
    sd: float = 0.6
    discrete: bool = True

    @property
    def phi(self) -> Any:
        """Parameters as the family takes them."""
        psi = np.array(self.psi)
        return psi if len(psi) > 1 else float(psi[0]) if len(psi) else 1.0

    @property
    def has_trials(self) -> bool:
        return "binomial" in self.name and "beta" in self.name

    def formula(self, fixed: str = "x") -> str:
        left = "y + failures" if self.has_trials else "y"
        return f"{left} ~ {fixed} + (1 | g)"

    def data(self, seed: int = 0, groups: int = 20, size: int = 8) -> pd.DataFrame:
        """Simulated rows."""
        rng = np.random.default_rng([seed, *self.name.encode()])
        g = np.repeat(np.arange(groups), size)
        x = rng.uniform(-1, 1, len(g))
        eta = self.intercept - 0.4 * x + rng.normal(0, self.sd, groups)[g]
        trials = rng.integers(2, 9, len(g))
        y = self.sample(rng, eta, self.psi, trials)
        return pd.DataFrame(
            {"y": y, "x": x, "g": [f"g{k:02d}" for k in g], "failures": trials - y, "trials": trials}
        )

    def model(self, data: pd.DataFrame, **rows: Any) -> MCLAMixedGLM:
        return MCLAMixedGLM.from_formula(self.formula(), data=data, family=self.family, **rows)

    def loglike(self, data: pd.DataFrame, params: Array) -> float:
        """Log-likelihood of (fixed effects, variance, psi), by the trapezoid rule over each random intercept."""
        has = 1 if self.family.intercept else 0
        beta = params[: has + 1]
        eta = beta[-1] * data["x"].to_numpy() + (beta[0] if has else 0.0)
        psi = tuple(params[has + 2 :])
        z = np.sqrt(params[has + 1]) * NODES
        column = (data[name].to_numpy()[:, None] for name in ("y", "trials"))
        y, trials = column
        with np.errstate(all="ignore"):
            logf = self.log_density(y, eta[:, None] + z, psi, trials)
        _, first = np.unique(data["g"], return_index=True)
        return float(special.logsumexp(np.add.reduceat(logf, first, axis=0) + LOG_WEIGHTS, axis=1).sum())


def newton(function: Callable[[Array], float], at: Array, step: Array) -> tuple[Array, Array]:
    """Gradient and Hessian by central differences of order four."""
    P = len(at)

    def along(t: Array) -> float:
        return function(at + step * t)

    eye, g, H = np.eye(P), np.zeros(P), np.zeros((P, P))
    here = function(at)
    for i in range(P):
        values = {k: along(k * eye[i]) for k in (-2, -1, 1, 2)}
        g[i] = (8 * (values[1] - values[-1]) - (values[2] - values[-2])) / 12
        H[i, i] = (16 * (values[1] + values[-1]) - (values[2] + values[-2]) - 30 * here) / 12
    for i in range(P):
        for j in range(i):
            cross = [
                along(a * (eye[i] + eye[j]))
                - along(a * (eye[i] - eye[j]))
                - along(a * (eye[j] - eye[i]))
                + along(-a * (eye[i] + eye[j]))
                for a in (1, 2)
            ]
            H[i, j] = H[j, i] = (16 * cross[0] - cross[1]) / 48
    return g / step, H / np.outer(step, step)


# Laws -------------------------------------------------------------------------------------------------


def _generalized_poisson(y: Array, mu: Array, alpha: float) -> Array:
    theta, lam = mu / (1 + alpha), alpha / (1 + alpha)
    return np.log(theta) + (y - 1) * np.log(theta + lam * y) - theta - lam * y - special.gammaln(y + 1)


def _sample_generalized_poisson(rng: Any, mu: Array, alpha: float) -> Array:
    k = np.arange(400)
    p = np.exp(_generalized_poisson(k, np.asarray(mu)[:, None], alpha))
    return (rng.random(len(mu))[:, None] > np.cumsum(p, axis=1)).sum(axis=1)


def _tweedie(y: Array, mu: Array, scale: float, power: float) -> Array:
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


def _sample_tweedie(rng: Any, mu: Array, scale: float, power: float) -> Array:
    count = rng.poisson(mu ** (2 - power) / (scale * (2 - power)))
    parts = (
        rng.gamma(np.maximum(count, 1) * (2 - power) / (power - 1)) * scale * (power - 1) * mu ** (power - 1)
    )
    return np.where(count > 0, parts, 0.0)


def _truncated(law: Callable[..., Any]) -> tuple[Callable[..., Any], Callable[..., Any]]:
    def log_density(y: Array, eta: Array, psi: Any, trials: Any) -> Array:
        whole = law(eta, psi)
        return whole.logpmf(y) - whole.logsf(0)

    def sample(rng: Any, eta: Array, psi: Any, trials: Any) -> Array:
        whole = law(eta, psi)
        return np.maximum(whole.ppf(rng.uniform(whole.cdf(0), 1.0)), 1.0)

    return log_density, sample


def _ordered(latent: Any, thresholds: Callable[[Any], list[float]]) -> dict[str, Callable[..., Any]]:
    def log_density(y: Array, eta: Array, psi: Any, trials: Any) -> Array:
        tau = np.array([-np.inf, *thresholds(psi), np.inf])
        k = np.asarray(y, int)
        return np.log(latent.cdf(tau[k] - eta) - latent.cdf(tau[k - 1] - eta))

    def sample(rng: Any, eta: Array, psi: Any, trials: Any) -> Array:
        value = eta + latent.rvs(size=np.shape(eta), random_state=rng)
        return 1 + (value[:, None] > np.array(thresholds(psi))).sum(axis=1)

    return {"log_density": log_density, "sample": sample}


def _of(law: Callable[..., Any], density: str = "logpmf") -> dict[str, Callable[..., Any]]:
    """Density and sampler of a scipy law of (eta, psi, trials)."""
    return {
        "log_density": lambda y, eta, psi, trials: getattr(law(eta, psi, trials), density)(y),
        "sample": lambda rng, eta, psi, trials: law(eta, psi, trials).rvs(random_state=rng),
    }


_expit = special.expit
_tp = _truncated(lambda eta, _psi: stats.poisson(np.exp(eta)))
_tnb = _truncated(lambda eta, psi: stats.nbinom(1 / psi[0], 1 / (1 + psi[0] * np.exp(eta))))

ONE_PREDICTOR = [
    ResponseModel(
        "beta",
        families.Beta(),
        **_of(lambda eta, psi, _n: stats.beta(_expit(eta) * psi[0], _expit(-eta) * psi[0]), "logpdf"),
        psi=(5.0,),
        discrete=False,
    ),
    ResponseModel(
        "betabinomial",
        families.BetaBinomial(),
        **_of(lambda eta, psi, n: stats.betabinom(n, _expit(eta) / psi[0], _expit(-eta) / psi[0])),
        psi=(0.4,),
    ),
    ResponseModel(
        "nb1",
        families.NegativeBinomial1(),
        **_of(lambda eta, psi, _n: stats.nbinom(np.exp(eta) / psi[0], 1 / (1 + psi[0]))),
        psi=(0.7,),
    ),
    ResponseModel(
        "genpoisson",
        families.GeneralizedPoisson(),
        lambda y, eta, psi, _n: _generalized_poisson(y, np.exp(eta), psi[0]),
        lambda rng, eta, psi, _n: _sample_generalized_poisson(rng, np.exp(eta), psi[0]),
        psi=(0.4,),
    ),
    ResponseModel("truncated poisson", families.TruncatedPoisson(), *_tp, psi=()),
    ResponseModel("truncated nb", families.TruncatedNegativeBinomial(), *_tnb, psi=(0.6,), intercept=1.2),
    ResponseModel(
        "lognormal",
        families.LogNormal(),
        **_of(lambda eta, psi, _n: stats.lognorm(np.sqrt(psi[0]), scale=np.exp(eta)), "logpdf"),
        psi=(0.5,),
        discrete=False,
    ),
    ResponseModel(
        "t",
        families.StudentT(),
        **_of(lambda eta, psi, _n: stats.t(psi[1], eta, np.sqrt(psi[0])), "logpdf"),
        psi=(0.5, 4.0),
        discrete=False,
    ),
    ResponseModel(
        "t5",
        families.StudentT(5.0),
        **_of(lambda eta, psi, _n: stats.t(5.0, eta, np.sqrt(psi[0])), "logpdf"),
        psi=(0.5,),
        discrete=False,
    ),
    ResponseModel(
        "tweedie",
        families.Tweedie(),
        lambda y, eta, psi, _n: _tweedie(y, np.exp(eta), *psi),
        lambda rng, eta, psi, _n: _sample_tweedie(rng, np.exp(eta), *psi),
        psi=(1.2, 1.6),
        discrete=False,
    ),
    ResponseModel(
        "cumulative logit",
        families.Cumulative(),
        **_ordered(stats.logistic, list),
        psi=(-1.0, 0.5, 1.4),
        intercept=0.0,
    ),
    ResponseModel(
        "cumulative probit, symmetric",
        families.Cumulative("probit", "symmetric"),
        **_ordered(stats.norm, lambda psi: [psi[0] - psi[1], psi[0], psi[0] + psi[1]]),
        psi=(0.2, 0.8),
        intercept=0.0,
    ),
    ResponseModel(
        "cumulative cloglog, equidistant",
        families.Cumulative("cloglog", "equidistant"),
        **_ordered(stats.gumbel_l, lambda psi: [psi[0] + k * psi[1] for k in range(3)]),
        psi=(-1.0, 0.8),
        intercept=0.0,
    ),
]
