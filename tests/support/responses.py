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
from response_laws import (
    BETA,
    GAMMA,
    TRUNCATED_NB,
    TRUNCATED_POISSON,
    expit,
    generalized_poisson,
    hurdle,
    multinomial,
    nb2,
    of_law,
    ordered,
    ordered_beta,
    partial_odds,
    sample_generalized_poisson,
    sample_ordered_beta,
    sample_tweedie,
    tweedie,
    with_ends,
    zero_inflated,
)
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


ONE_PREDICTOR = [
    ResponseModel(
        "beta",
        families.Beta(),
        **of_law(lambda eta, psi, _n: stats.beta(expit(eta) * psi[0], expit(-eta) * psi[0]), "logpdf"),
        psi=(5.0,),
        discrete=False,
    ),
    ResponseModel(
        "ordered beta",
        families.OrderedBeta(),
        ordered_beta,
        sample_ordered_beta,
        psi=(5.0, -1.5, 2.0),
        discrete=False,
    ),
    ResponseModel(
        "betabinomial",
        families.BetaBinomial(),
        **of_law(lambda eta, psi, n: stats.betabinom(n, expit(eta) / psi[0], expit(-eta) / psi[0])),
        psi=(0.4,),
    ),
    ResponseModel(
        "nb1",
        families.NegativeBinomial1(),
        **of_law(lambda eta, psi, _n: stats.nbinom(np.exp(eta) / psi[0], 1 / (1 + psi[0]))),
        psi=(0.7,),
    ),
    ResponseModel(
        "genpoisson",
        families.GeneralizedPoisson(),
        lambda y, eta, psi, _n: generalized_poisson(y, np.exp(eta), psi[0]),
        lambda rng, eta, psi, _n: sample_generalized_poisson(rng, np.exp(eta), psi[0]),
        psi=(0.4,),
    ),
    ResponseModel("truncated poisson", families.TruncatedPoisson(), *TRUNCATED_POISSON, psi=()),
    ResponseModel(
        "truncated nb", families.TruncatedNegativeBinomial(), *TRUNCATED_NB, psi=(0.6,), intercept=1.2
    ),
    ResponseModel(
        "lognormal",
        families.LogNormal(),
        **of_law(lambda eta, psi, _n: stats.lognorm(np.sqrt(psi[0]), scale=np.exp(eta)), "logpdf"),
        psi=(0.5,),
        discrete=False,
    ),
    ResponseModel(
        "t",
        families.StudentT(),
        **of_law(lambda eta, psi, _n: stats.t(psi[1], eta, np.sqrt(psi[0])), "logpdf"),
        psi=(0.5, 4.0),
        discrete=False,
    ),
    ResponseModel(
        "t5",
        families.StudentT(5.0),
        **of_law(lambda eta, psi, _n: stats.t(5.0, eta, np.sqrt(psi[0])), "logpdf"),
        psi=(0.5,),
        discrete=False,
    ),
    ResponseModel(
        "tweedie",
        families.Tweedie(),
        lambda y, eta, psi, _n: tweedie(y, np.exp(eta), *psi),
        lambda rng, eta, psi, _n: sample_tweedie(rng, np.exp(eta), *psi),
        psi=(1.2, 1.6),
        discrete=False,
    ),
    ResponseModel(
        "cumulative logit",
        families.Cumulative(),
        **ordered(stats.logistic, list),
        psi=(-1.0, 0.5, 1.4),
        intercept=0.0,
    ),
    ResponseModel(
        "cumulative probit, symmetric",
        families.Cumulative("probit", "symmetric"),
        **ordered(stats.norm, lambda psi: [psi[0] - psi[1], psi[0], psi[0] + psi[1]]),
        psi=(0.2, 0.8),
        intercept=0.0,
    ),
    ResponseModel(
        "cumulative cloglog, equidistant",
        families.Cumulative("cloglog", "equidistant"),
        **ordered(stats.gumbel_l, lambda psi: [psi[0] + k * psi[1] for k in range(3)]),
        psi=(-1.0, 0.8),
        intercept=0.0,
    ),
]


_sm = sm.families


SEVERAL_PREDICTORS = [
    ResponseModel(
        "partial proportional odds",
        families.Cumulative(),
        **partial_odds(),
        psi=(),
        intercept=0.0,
        formulas=(("nominal", "~ z"),),
        fixed=({"x": -0.4}, {"1": -1.0, "z": 0.3}, {"1": 0.4, "z": 0.6}, {"1": 1.5, "z": -0.2}),
        sd=0.8,
    ),
    ResponseModel(
        "multinomial",
        families.Multinomial(),
        **multinomial(),
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
        **multinomial(),
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
        **zero_inflated(lambda eta, _psi: stats.poisson(np.exp(eta[0]))),
        psi=(),
        formulas=(("zi", "~ x"),),
    ),
    ResponseModel(
        "zero-inflated poisson, both random",
        _sm.Poisson(),
        **zero_inflated(lambda eta, _psi: stats.poisson(np.exp(eta[0]))),
        psi=(),
        formulas=(("zi", "~ x + (1 | g)"),),
        intercept=1.0,
    ),
    ResponseModel(
        "zero-inflated poisson, one covariance",
        _sm.Poisson(),
        **zero_inflated(lambda eta, _psi: stats.poisson(np.exp(eta[0]))),
        psi=(),
        formulas=(("zi", "~ x + (1 | p | g)"),),
        intercept=1.0,
        sd=1.0,
    ),
    ResponseModel(
        "zero-one-inflated beta",
        families.Beta(),
        **with_ends(zi=True),
        psi=(5.0,),
        formulas=(("zi", "~ x"), ("oi", "~ x")),
        discrete=False,
    ),
    ResponseModel(
        "one-inflated beta, correlated",
        families.Beta(),
        **with_ends(zi=False),
        psi=(5.0,),
        formulas=(("oi", "~ x + (1 | p | g)"),),
        discrete=False,
        sd=0.8,
    ),
    ResponseModel(
        "zero-inflated nb",
        _sm.NegativeBinomial(alpha=1.0),
        **zero_inflated(lambda eta, psi: nb2(eta[0], psi[0])),
        psi=(0.4,),
        formulas=(("zi", "~ x"),),
        intercept=1.5,
    ),
    ResponseModel(
        "zero-inflated nb, dispersed",
        _sm.NegativeBinomial(alpha=1.0),
        **zero_inflated(lambda eta, _psi: nb2(eta[0], np.exp(eta[2]))),
        psi=(),
        formulas=(("zi", "~ x"), ("disp", "~ x")),
        intercept=1.8,
    ),
    ResponseModel(
        "hurdle poisson, both random",
        families.TruncatedPoisson(),
        **hurdle(*TRUNCATED_POISSON, 1.0),
        psi=(),
        formulas=(("zi", "~ x + (1 | g)"),),
    ),
    ResponseModel(
        "hurdle nb",
        families.TruncatedNegativeBinomial(),
        **hurdle(*TRUNCATED_NB, 1.0),
        psi=(0.6,),
        formulas=(("zi", "~ x"),),
        intercept=1.2,
    ),
    ResponseModel(
        "hurdle gamma",
        _sm.Gamma(sm.families.links.Log()),
        **hurdle(GAMMA["log_density"], GAMMA["sample"], 1.0),
        psi=(0.4,),
        formulas=(("zi", "~ x"),),
        discrete=False,
    ),
    ResponseModel(
        "nb, dispersed",
        _sm.NegativeBinomial(alpha=1.0),
        **of_law(lambda eta, _psi, _n: nb2(eta[0], np.exp(eta[1]))),
        psi=(),
        formulas=(("disp", "~ x"),),
        intercept=1.2,
    ),
    ResponseModel(
        "gaussian, dispersed",
        _sm.Gaussian(),
        **of_law(lambda eta, _psi, _n: stats.norm(eta[0], np.exp(0.5 * eta[1])), "logpdf"),
        psi=(),
        formulas=(("disp", "~ x"),),
        discrete=False,
    ),
    ResponseModel(
        "beta, dispersed",
        families.Beta(),
        BETA["log_density"],
        lambda rng, eta, psi, n: np.clip(BETA["sample"](rng, eta, psi, n), 1e-6, 1 - 1e-6),
        psi=(),
        formulas=(("disp", "~ x"),),
        discrete=False,
    ),
]
