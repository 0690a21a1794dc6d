"""Response models: families of the package beside their laws as scipy has them, and truth by quadrature.

Each `ResponseModel` gives the log density and a sampler of its rows in terms of the linear predictor and the parameters
psi of the family, neither of which shares code with the package.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import statsmodels.api as sm
from scipy import special, stats

from statsmodels_mcla import MCLAMixedGLM, families

Array = np.ndarray
NODES = np.linspace(-8.5, 8.5, 103)
LOG_WEIGHTS = stats.norm.logpdf(NODES) + np.log(NODES[1] - NODES[0])
DENSE = np.linspace(-8.5, 8.5, 801)
DENSE_WEIGHTS = stats.norm.logpdf(DENSE) + np.log(DENSE[1] - DENSE[0])
FINE = np.linspace(-6.5, 6.5, 241)
FINE_WEIGHTS = stats.norm.logpdf(FINE) + np.log(FINE[1] - FINE[0])
COARSE = np.linspace(-7.0, 7.0, 43)
COARSE_WEIGHTS = stats.norm.logpdf(COARSE) + np.log(COARSE[1] - COARSE[0])
_expit = special.expit
FURTHER = ((-0.7, 0.5), (-0.4, 0.4))  # fixed effects of further predictors, in their order
CORRELATION = 0.6  # of the random intercepts of two predictors, where they share a covariance matrix


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
    formulas : tuple of (str, str)
        Further predictors, "zi", "oi" and "disp", and their formulas: "~ x" or "~ x + (1 | g)", or "~ x + (1 | p | g)"
        for an intercept that is correlated with that of the mean.  Their fixed effects are `FURTHER` where the model is
        simulated; eta then is (K, ...).
    """

    name: str
    family: Any
    log_density: Callable[..., Any]
    sample: Callable[..., Any]
    psi: tuple[float, ...]
    intercept: float = 0.5
    sd: float = 0.6
    discrete: bool = True
    formulas: tuple[tuple[str, str], ...] = ()
    fixed: tuple[dict[str, float], ...] = field(default=(), hash=False)
    """True effects of columns ("1" for an intercept) of each predictor, where they are others than `FURTHER`."""
    everywhere: bool = False
    """Whether every predictor has the random effects of the formula."""
    label: bool = False
    which: str = "mean"
    linear: str = "linear"

    @property
    def effects(self) -> tuple[dict[str, float], ...]:
        """True effects of each predictor."""
        first = {"1": self.intercept, "x": -0.4}
        return self.fixed or (
            first,
            *({"1": a, "x": b} for (a, b), _ in zip(FURTHER, self.formulas, strict=False)),
        )

    @property
    def random(self) -> list[bool]:
        """Which predictors have a random intercept."""
        if self.fixed:
            return [self.everywhere or k == 0 for k in range(len(self.fixed))]
        return [True, *("|" in formula for _, formula in self.formulas)]

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
        return f"{left} ~ {fixed} + {'(1 | p | g)' if self.correlated else '(1 | g)'}"

    @property
    def correlated(self) -> bool:
        return self.label or any("| p |" in formula for _, formula in self.formulas)

    def data(self, seed: int = 0, groups: int = 20, size: int = 8) -> pd.DataFrame:
        """Simulated rows."""
        rng = np.random.default_rng([seed, *self.name.encode()])
        g = np.repeat(np.arange(groups), size)
        x = rng.uniform(-1, 1, len(g))
        first = rng.normal(0, self.sd, groups)
        z = np.random.default_rng(seed + 99).uniform(-1, 1, len(g))
        columns, rho = {"1": 1.0, "x": x, "z": z}, CORRELATION if self.correlated else 0.0
        etas = [sum(value * columns[name] for name, value in effects.items()) for effects in self.effects]
        etas[0] = etas[0] + first[g]
        for k in range(1, len(etas)):
            if self.random[k]:
                own = rho * first + np.sqrt(1 - rho**2) * rng.normal(0, self.sd, groups)
                etas[k] = etas[k] + own[g]
        eta = np.stack([np.broadcast_to(one, len(g)) for one in etas]) if len(etas) > 1 else etas[0]
        trials = rng.integers(2, 9, len(g))
        y = self.sample(rng, eta, self.psi, trials)
        return pd.DataFrame(
            {"y": y, "x": x, "g": [f"g{k:02d}" for k in g], "failures": trials - y, "trials": trials, "z": z}
        )

    def model(self, data: pd.DataFrame, **rows: Any) -> MCLAMixedGLM:
        further = {
            name if name == "nominal" else f"{name}formula": formula for name, formula in self.formulas
        }
        return MCLAMixedGLM.from_formula(self.formula(), data=data, family=self.family, **further, **rows)

    def loglike(self, data: pd.DataFrame, params: Array, *, fine: bool = False) -> float:
        """Log-likelihood of (fixed effects, variance, psi), by the trapezoid rule over each random intercept."""
        if len(self.effects) > 1:
            return self._loglike_of_several(data, params, fine=fine)
        has = 1 if self.family.intercept else 0
        beta = params[: has + 1]
        eta = beta[-1] * data["x"].to_numpy() + (beta[0] if has else 0.0)
        psi = tuple(params[has + 2 :])
        nodes, log_weights = (DENSE, DENSE_WEIGHTS) if fine else (NODES, LOG_WEIGHTS)
        z = np.sqrt(params[has + 1]) * nodes
        column = (data[name].to_numpy()[:, None] for name in ("y", "trials"))
        y, trials = column
        with np.errstate(all="ignore"):
            logf = self.log_density(y, eta[:, None] + z, psi, trials)
        _, first = np.unique(data["g"], return_index=True)
        return float(special.logsumexp(np.add.reduceat(logf, first, axis=0) + log_weights, axis=1).sum())

    def _loglike_of_several(self, data: pd.DataFrame, params: Array, *, fine: bool) -> float:
        """As `loglike`, of models whose further predictors may have a random intercept each, one correlated."""
        random, columns = self.random, {"1": np.ones((len(data), 1))}
        columns |= {name: data[name].to_numpy()[:, None] for name in ("x", "z")}
        beta = iter(params)
        fixed = [sum(next(beta) * columns[name] for name in effects) for effects in self.effects]
        rest = np.array(list(beta))
        count, pairs = sum(random), int(self.correlated)
        theta, psi = rest[: count + pairs], tuple(rest[count + pairs :])
        L = np.linalg.cholesky(
            np.array([[theta[0], theta[1]], [theta[1], theta[2]]]) if pairs else np.diag(theta)
        )
        nodes, log_weights = (FINE, FINE_WEIGHTS) if fine else (COARSE, COARSE_WEIGHTS)
        if count == 1:
            nodes, log_weights = (DENSE, DENSE_WEIGHTS) if fine else (NODES, LOG_WEIGHTS)
        axes = np.meshgrid(*[nodes] * sum(random), indexing="ij")
        weights = sum(np.meshgrid(*[log_weights] * sum(random), indexing="ij")).ravel()
        points = iter(L @ np.stack([axis.ravel() for axis in axes]))
        eta = [own + (next(points) if has else 0.0) for own, has in zip(fixed, random, strict=True)]
        eta = np.stack(np.broadcast_arrays(*eta))
        with np.errstate(all="ignore"):
            logf = self.log_density(
                data["y"].to_numpy()[:, None], eta, psi, data["trials"].to_numpy()[:, None]
            )
        _, first = np.unique(data["g"], return_index=True)
        return float(special.logsumexp(np.add.reduceat(logf, first, axis=0) + weights, axis=1).sum())


def newton(function: Callable[[Array], float], at: Array, step: Array) -> tuple[Array, Array]:
    """Gradient, and Hessian with its diagonal, by central differences of order four; of order two off the diagonal."""
    P = len(at)

    def along(t: Array) -> float:
        return function(at + step * t)

    eye, g, H = np.eye(P), np.zeros(P), np.zeros((P, P))
    here, near = function(at), np.zeros(P)
    for i in range(P):
        values = {k: along(k * eye[i]) for k in (-2, -1, 1, 2)}
        near[i] = values[1] + values[-1] - 2 * here
        g[i] = (8 * (values[1] - values[-1]) - (values[2] - values[-2])) / 12
        H[i, i] = (16 * near[i] - (values[2] + values[-2] - 2 * here)) / 12
    for i in range(P):
        for j in range(i):
            both = along(eye[i] + eye[j]) + along(-eye[i] - eye[j]) - 2 * here
            H[i, j] = H[j, i] = (both - near[i] - near[j]) / 2
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


def _ordered_beta(y: Array, eta: Array, psi: Any, _n: Any) -> Array:
    inside = (y > 0) & (y < 1)
    between = np.log(_expit(eta - psi[1]) - _expit(eta - psi[2]))
    between = between + stats.beta.logpdf(
        np.where(inside, y, 0.5), _expit(eta) * psi[0], _expit(-eta) * psi[0]
    )
    zero, one = special.log_expit(psi[1] - eta), special.log_expit(eta - psi[2])
    return np.where(y <= 0, zero, np.where(y >= 1, one, between))


def _sample_ordered_beta(rng: Any, eta: Array, psi: Any, _n: Any) -> Array:
    latent = eta + stats.logistic.rvs(size=np.shape(eta), random_state=rng)
    between = rng.beta(_expit(eta) * psi[0], _expit(-eta) * psi[0])
    return np.where(latent < psi[1], 0.0, np.where(latent > psi[2], 1.0, between))


def _of(law: Callable[..., Any], density: str = "logpmf") -> dict[str, Callable[..., Any]]:
    """Density and sampler of a scipy law of (eta, psi, trials)."""
    return {
        "log_density": lambda y, eta, psi, trials: getattr(law(eta, psi, trials), density)(y),
        "sample": lambda rng, eta, psi, trials: law(eta, psi, trials).rvs(random_state=rng),
    }


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
        "ordered beta",
        families.OrderedBeta(),
        _ordered_beta,
        _sample_ordered_beta,
        psi=(5.0, -1.5, 2.0),
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


def _zero_inflated(law: Callable[..., Any]) -> dict[str, Callable[..., Any]]:
    """Zeros of probability expit(eta_1) on top of those of a law of (eta, psi)."""

    def log_density(y: Array, eta: Array, psi: Any, _n: Any) -> Array:
        p = _expit(eta[1])
        return np.log(np.where(y == 0, p, 0.0) + (1 - p) * np.exp(law(eta, psi).logpmf(y)))

    def sample(rng: Any, eta: Array, psi: Any, _n: Any) -> Array:
        other = law(eta, psi).rvs(random_state=rng)
        return np.where(rng.random(other.shape) < _expit(eta[1]), 0, other)

    return {"log_density": log_density, "sample": sample}


def _hurdle(
    log_density: Callable[..., Any], sample: Callable[..., Any], least: float
) -> dict[str, Callable[..., Any]]:
    """All zeros of probability expit(eta_1)."""

    def joint(y: Array, eta: Array, psi: Any, n: Any) -> Array:
        seen = log_density(np.where(y == 0, least, y), eta[0], psi, n)
        return np.where(y == 0, special.log_expit(eta[1]), special.log_expit(-eta[1]) + seen)

    def both(rng: Any, eta: Array, psi: Any, n: Any) -> Array:
        other = sample(rng, eta[0], psi, n)
        return np.where(rng.random(other.shape) < _expit(eta[1]), 0, other)

    return {"log_density": joint, "sample": both}


def _with_ends(zi: bool) -> dict[str, Callable[..., Any]]:
    """Beta proportions, with zeros of probability expit(eta_1), and ones among those that are not zero."""

    def chances(eta: Array) -> tuple[Array, Array, Array]:
        zero = _expit(eta[1]) if zi else 0.0 * eta[0]
        one = (1 - zero) * _expit(eta[1 + zi])
        return zero, one, 1 - zero - one

    def log_density(y: Array, eta: Array, psi: Any, _n: Any) -> Array:
        zero, one, between = chances(eta)
        inside = np.where((y > 0) & (y < 1), y, 0.5)
        law = stats.beta(_expit(eta[0]) * psi[0], _expit(-eta[0]) * psi[0])
        return np.log(np.where(y == 0, zero, np.where(y == 1, one, between * law.pdf(inside))))

    def sample(rng: Any, eta: Array, psi: Any, _n: Any) -> Array:
        zero, one, _ = chances(eta)
        u = rng.random(zero.shape)
        between = rng.beta(_expit(eta[0]) * psi[0], _expit(-eta[0]) * psi[0])
        return np.where(u < zero, 0.0, np.where(u < zero + one, 1.0, between))

    return {"log_density": log_density, "sample": sample}


def _nb2(eta: Array, alpha: Any) -> Any:
    return stats.nbinom(1 / alpha, 1 / (1 + alpha * np.exp(eta)))


_sm = sm.families
_gamma = _of(lambda eta, psi, _n: stats.gamma(1 / psi[0], scale=psi[0] * np.exp(eta)), "logpdf")

_beta = _of(
    lambda eta, _psi, _n: stats.beta(_expit(eta[0]) * np.exp(eta[1]), _expit(-eta[0]) * np.exp(eta[1])),
    "logpdf",
)


def _partial_odds() -> dict[str, Callable[..., Any]]:
    """Thresholds eta[1:] of a logistic variable of location eta[0]."""

    def log_density(y: Array, eta: Array, psi: Any, _n: Any) -> Array:
        below = _expit(eta[1:] - eta[0])
        below = np.concatenate([0 * below[:1], below, 0 * below[:1] + 1])
        k = np.broadcast_to(np.asarray(y, int), below.shape[1:])[None]
        return np.log(np.take_along_axis(below, k, 0) - np.take_along_axis(below, k - 1, 0))[0]

    def sample(rng: Any, eta: Array, psi: Any, _n: Any) -> Array:
        return 1 + (eta[0] + rng.logistic(size=eta.shape[1]) > eta[1:]).sum(axis=0)

    return {"log_density": log_density, "sample": sample}


def _multinomial() -> dict[str, Callable[..., Any]]:
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


SEVERAL_PREDICTORS = [
    ResponseModel(
        "partial proportional odds",
        families.Cumulative(),
        **_partial_odds(),
        psi=(),
        intercept=0.0,
        formulas=(("nominal", "~ z"),),
        fixed=({"x": -0.4}, {"1": -1.0, "z": 0.3}, {"1": 0.4, "z": 0.6}, {"1": 1.5, "z": -0.2}),
        sd=0.8,
    ),
    ResponseModel(
        "multinomial",
        families.Multinomial(),
        **_multinomial(),
        psi=(),
        fixed=({"1": 0.2, "x": -0.4}, {"1": -0.2, "x": 0.7}),
        everywhere=True,
        sd=1.0,
        which="prob: 2",
        linear="linear: 3",
    ),
    ResponseModel(
        "multinomial, correlated",
        families.Multinomial(),
        **_multinomial(),
        psi=(),
        fixed=({"1": 0.2, "x": -0.4}, {"1": -0.2, "x": 0.7}),
        everywhere=True,
        label=True,
        sd=1.2,
        which="prob: 2",
        linear="linear: 3",
    ),
    ResponseModel(
        "zero-inflated poisson",
        _sm.Poisson(),
        **_zero_inflated(lambda eta, _psi: stats.poisson(np.exp(eta[0]))),
        psi=(),
        formulas=(("zi", "~ x"),),
    ),
    ResponseModel(
        "zero-inflated poisson, both random",
        _sm.Poisson(),
        **_zero_inflated(lambda eta, _psi: stats.poisson(np.exp(eta[0]))),
        psi=(),
        formulas=(("zi", "~ x + (1 | g)"),),
        intercept=1.0,
    ),
    ResponseModel(
        "zero-inflated poisson, one covariance",
        _sm.Poisson(),
        **_zero_inflated(lambda eta, _psi: stats.poisson(np.exp(eta[0]))),
        psi=(),
        formulas=(("zi", "~ x + (1 | p | g)"),),
        intercept=1.0,
        sd=1.0,
    ),
    ResponseModel(
        "zero-one-inflated beta",
        families.Beta(),
        **_with_ends(zi=True),
        psi=(5.0,),
        formulas=(("zi", "~ x"), ("oi", "~ x")),
        discrete=False,
    ),
    ResponseModel(
        "one-inflated beta, correlated",
        families.Beta(),
        **_with_ends(zi=False),
        psi=(5.0,),
        formulas=(("oi", "~ x + (1 | p | g)"),),
        discrete=False,
        sd=0.8,
    ),
    ResponseModel(
        "zero-inflated nb",
        _sm.NegativeBinomial(alpha=1.0),
        **_zero_inflated(lambda eta, psi: _nb2(eta[0], psi[0])),
        psi=(0.4,),
        formulas=(("zi", "~ x"),),
        intercept=1.5,
    ),
    ResponseModel(
        "zero-inflated nb, dispersed",
        _sm.NegativeBinomial(alpha=1.0),
        **_zero_inflated(lambda eta, _psi: _nb2(eta[0], np.exp(eta[2]))),
        psi=(),
        formulas=(("zi", "~ x"), ("disp", "~ x")),
        intercept=1.8,
    ),
    ResponseModel(
        "hurdle poisson, both random",
        families.TruncatedPoisson(),
        **_hurdle(*_tp, 1.0),
        psi=(),
        formulas=(("zi", "~ x + (1 | g)"),),
    ),
    ResponseModel(
        "hurdle nb",
        families.TruncatedNegativeBinomial(),
        **_hurdle(*_tnb, 1.0),
        psi=(0.6,),
        formulas=(("zi", "~ x"),),
        intercept=1.2,
    ),
    ResponseModel(
        "hurdle gamma",
        _sm.Gamma(sm.families.links.Log()),
        **_hurdle(_gamma["log_density"], _gamma["sample"], 1.0),
        psi=(0.4,),
        formulas=(("zi", "~ x"),),
        discrete=False,
    ),
    ResponseModel(
        "nb, dispersed",
        _sm.NegativeBinomial(alpha=1.0),
        **_of(lambda eta, _psi, _n: _nb2(eta[0], np.exp(eta[1]))),
        psi=(),
        formulas=(("disp", "~ x"),),
        intercept=1.2,
    ),
    ResponseModel(
        "gaussian, dispersed",
        _sm.Gaussian(),
        **_of(lambda eta, _psi, _n: stats.norm(eta[0], np.exp(0.5 * eta[1])), "logpdf"),
        psi=(),
        formulas=(("disp", "~ x"),),
        discrete=False,
    ),
    ResponseModel(
        "beta, dispersed",
        families.Beta(),
        _beta["log_density"],
        lambda rng, eta, psi, n: np.clip(_beta["sample"](rng, eta, psi, n), 1e-6, 1 - 1e-6),
        psi=(),
        formulas=(("disp", "~ x"),),
        discrete=False,
    ),
]
