"""Conditional families: the log density of a response given its linear predictor.

A family here is one density with one link: a small frozen class that gives, for rows with data
numbers ``y`` (response), ``w`` (weight) and ``v`` (variance weight), the log density and its exact
derivatives in the linear predictor ``eta`` and in the dispersion. `conditional_family` finds it for
a statsmodels family instance; `supported` lists what there is.

A response model may have several linear predictors and several parameters; ARCHITECTURE.md says how. `compose` adds
predictors of a zero part, of ones and of the dispersion to a family, and makes thresholds of `Cumulative` depend on
covariates; `Multinomial` has one a category.

Each density is written on the scale where it is most stable (counts, Gamma and inverse Gaussian in
the log of the mean, the Gaussian in the mean, binomial links as logs of both tails); a second link
is the chain rule on top (`ChangeOfLink`).

Adding a family or a link is one small class. A link of a probability gives the logs of its two tails
with their derivatives; here is the log-log link, P(success) = exp(-exp(-eta)), which statsmodels has
and this package does not:

>>> import numpy as np
>>> from dataclasses import dataclass
>>> from statsmodels_mcla.families import BinomialLink, BinomialTails, CLOGLOG, Tail
>>> @dataclass(frozen=True)
... class LogLog(BinomialLink):
...     name = "loglog"
...     def mean(self, eta):
...         return 1 - CLOGLOG.mean(-eta)
...     def mean_deriv(self, eta):
...         return CLOGLOG.mean_deriv(-eta)
...     def eta(self, mu):
...         return -CLOGLOG.eta(1 - mu)
...     def log_tails(self, eta):
...         success, failure = CLOGLOG.log_tails(-eta)
...         return (Tail(failure.value, -failure.d1, failure.d2),
...                 Tail(success.value, -success.d1, success.d2))
...     def log_tails_third(self, eta):
...         success, failure = CLOGLOG.log_tails_third(-eta)
...         return -failure, -success
>>> family = BinomialTails(LogLog())
>>> one = np.ones((1, 1))
>>> round(float(family.rows(one, one, 1.0, np.array([[0.0]])).logf[0, 0]), 3)
-1.0

A density outright is a subclass of `ConditionalFamily` with ``rows`` (log density and two
derivatives in ``eta``) and the facts of its distribution; a variant of a known one needs ``rows``
and ``link_function`` alone, for instance Poisson counts with the identity link:

>>> from statsmodels_mcla.families import IDENTITY, Poisson, RowTerms
>>> @dataclass(frozen=True)
... class PoissonIdentity(Poisson):
...     @property
...     def link_function(self):
...         return IDENTITY
...     def rows(self, y, w, v, eta, phi=1.0):
...         inside = eta > 0
...         mu = np.where(inside, eta, 1.0)
...         return RowTerms(np.where(inside, y * np.log(mu) - w * mu, -np.inf),
...                         np.where(inside, y / mu - w, 0.0),
...                         np.where(inside, -y / mu**2, 0.0))
>>> round(float(PoissonIdentity().rows(one, one, 1.0, 2 * one).logf[0, 0]), 3)
-1.307

Where speed is no matter, `SmoothDensity` takes the log density alone, as an expression in `jets`, and gives all
derivatives, those in parameters of the family too: here the Laplace distribution, with its absolute value rounded off,

>>> from statsmodels_mcla.families import Jet, SmoothDensity
>>> from statsmodels_mcla.families.jets import log, power
>>> @dataclass(frozen=True)
... class RoundedLaplace(SmoothDensity):
...     name, dispersion, far = "RoundedLaplace", "scale", np.inf
...     @property
...     def link_function(self):
...         return IDENTITY
...     def log_density(self, y, v, eta, scale):
...         miss = y - eta
...         return -power(miss * miss + 1e-2, 0.5) / scale - log(scale * 2.0)
...     def variance(self, mu, phi=1.0, n_trials=1.0):
...         return np.full_like(mu, 2 * phi**2)
...     def sample(self, rng, mu, phi=1.0, n_trials=1.0, var_weights=1.0):
...         return rng.laplace(mu, phi)
...     def cdf(self, endog, mu, phi=1.0, n_trials=1.0, var_weights=1.0):
...         tail = 0.5 * np.exp(-np.abs(endog - mu) / phi)
...         return np.where(endog < mu, tail, 1 - tail)

and a model of it, fitted:

>>> import pandas as pd
>>> from statsmodels_mcla import MCLAMixedGLM
>>> rng = np.random.default_rng(1)
>>> data = pd.DataFrame({"g": np.repeat(np.arange(12), 5), "x": rng.uniform(size=60)})
>>> data["y"] = data["x"] + rng.normal(size=12)[data["g"]] + rng.laplace(scale=0.5, size=60)
>>> fit = MCLAMixedGLM.from_formula("y ~ x + (1 | g)", data=data, family=RoundedLaplace()).fit(rng=1)
>>> list(fit.params.index), bool(fit.converged)
(['Intercept', 'x', 'g Var', 'scale'], True)

Such an instance is given as ``family`` where a statsmodels family is expected; entering it in
``registry.REGISTRY`` makes it the answer for a statsmodels family and link.
"""

from statsmodels_mcla.families.base import ConditionalFamily
from statsmodels_mcla.families.beta import Beta, BetaBinomial
from statsmodels_mcla.families.binomial import Binomial, BinomialTails
from statsmodels_mcla.families.change_of_link import ChangeOfLink, Curve
from statsmodels_mcla.families.composed import Composed, compose, without_predictors
from statsmodels_mcla.families.counts import GeneralizedPoisson, NegativeBinomial1
from statsmodels_mcla.families.distribution import AsPredictors, Predictable
from statsmodels_mcla.families.gamma import Gamma
from statsmodels_mcla.families.gaussian import Gaussian
from statsmodels_mcla.families.jets import Jet
from statsmodels_mcla.families.links import (
    CLOGLOG,
    IDENTITY,
    INVERSE,
    LOG,
    LOGIT,
    SQRT,
    BinomialLink,
    MeanLink,
    Tail,
)
from statsmodels_mcla.families.lognormal import LogNormal
from statsmodels_mcla.families.multinomial import Multinomial
from statsmodels_mcla.families.nested_families import (
    not_overdispersed,
    not_zero_inflated,
    overdispersed,
    zero_inflated,
)
from statsmodels_mcla.families.normal_means import NormalMean
from statsmodels_mcla.families.ordered import Cumulative
from statsmodels_mcla.families.ordered_beta import OrderedBeta
from statsmodels_mcla.families.parameter_scale import ParameterScale
from statsmodels_mcla.families.poisson import Poisson
from statsmodels_mcla.families.registry import (
    conditional_family,
    estimated_family,
    family_instance,
    supported,
)
from statsmodels_mcla.families.response_checks import ResponseError
from statsmodels_mcla.families.row_terms import (
    BlockTerms,
    DispersionTerms,
    Response,
    RowData,
    RowTerms,
    Workspace,
)
from statsmodels_mcla.families.several_predictors import SeveralPredictors
from statsmodels_mcla.families.smooth_density import SmoothDensity
from statsmodels_mcla.families.student import StudentT
from statsmodels_mcla.families.surfaces import Surface
from statsmodels_mcla.families.truncated import TruncatedNegativeBinomial, TruncatedPoisson
from statsmodels_mcla.families.tweedie import Tweedie

__all__ = [
    "CLOGLOG",
    "IDENTITY",
    "INVERSE",
    "LOG",
    "LOGIT",
    "SQRT",
    "AsPredictors",
    "Beta",
    "BetaBinomial",
    "Binomial",
    "BinomialLink",
    "BinomialTails",
    "BlockTerms",
    "ChangeOfLink",
    "Composed",
    "ConditionalFamily",
    "Cumulative",
    "Curve",
    "DispersionTerms",
    "Gamma",
    "Gaussian",
    "GeneralizedPoisson",
    "Jet",
    "LogNormal",
    "MeanLink",
    "Multinomial",
    "NegativeBinomial1",
    "NormalMean",
    "OrderedBeta",
    "ParameterScale",
    "Poisson",
    "Predictable",
    "Response",
    "ResponseError",
    "RowData",
    "RowTerms",
    "SeveralPredictors",
    "SmoothDensity",
    "StudentT",
    "Surface",
    "Tail",
    "TruncatedNegativeBinomial",
    "TruncatedPoisson",
    "Tweedie",
    "Workspace",
    "compose",
    "conditional_family",
    "estimated_family",
    "family_instance",
    "not_overdispersed",
    "not_zero_inflated",
    "overdispersed",
    "supported",
    "without_predictors",
    "zero_inflated",
]
