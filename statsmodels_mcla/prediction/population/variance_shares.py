r"""Shares of variance on the scale of the linear predictor: R squared and intraclass correlations.

With the variance of the fixed part var(X beta) over rows, that of each random-effect term averaged over rows, mean of
z_i' G z_i (Johnson, 2014, for random slopes), and the observation-level variance s (Nakagawa, Johnson and
Schielzeth, 2017),

    marginal R2 = fixed / (fixed + random + s),    conditional R2 = (fixed + random) / (fixed + random + s),
    adjusted ICC of a term = its variance / (random + s),    unadjusted: the fixed part in the denominator too.

s is that of the latent response of a binomial link (pi^2/3 for logit, 1 for probit, pi^2/6 for cloglog), and
otherwise the variance of the response on the link scale, at the mean of the response over rows and random effects
(eqs. 5.8 to 5.14 there): log(1 + V/mu^2) for log links ("lognormal"), trigamma(mu^2/V) ("trigamma"), or the delta
method ("delta").  With several linear predictors these are those of the first, and of the responses that are not of a
zero part or a part of ones; where the dispersion has a predictor, s is an average over rows.  Standard and Monte Carlo
errors are by the delta method: all of these are smooth functions of the estimates.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy.sparse as sp
from scipy import special

from statsmodels_mcla.data import ModelInputs
from statsmodels_mcla.design import MixedDesign
from statsmodels_mcla.estimation import Estimates
from statsmodels_mcla.estimation.boundary import Reduction
from statsmodels_mcla.families import ConditionalFamily
from statsmodels_mcla.numerics import Array, delta_method, differences
from statsmodels_mcla.prediction.linear_predictors import prior_basis

STEP = 1e-4  # of differences, in standard errors
METHODS = ("theoretical", "lognormal", "trigamma", "delta")


@dataclass(frozen=True)
class VarianceShares:
    """Variances on the link scale as functions of the parameters.

    Attributes
    ----------
    design : MixedDesign
        Of the whole model.
    family : ConditionalFamily
        Of the first linear predictor.
    X : ndarray (N, p)
        Zero in columns of other predictors.
    offset, weights : ndarray (N,)
    of_row : ndarray (N, size of theta)
        Derivative of the variance of each row's random part in the variances and covariances.
    terms : tuple of int
        Those with effects in the first predictor.
    dispersion : tuple of two ndarrays, optional
        Rows like ``X`` and ``of_row`` of the predictor of the dispersion, if it has one.
    method : str
        Of the observation-level variance.
    """

    design: MixedDesign
    family: ConditionalFamily
    X: Array
    offset: Array
    weights: Array
    of_row: Array
    terms: tuple[int, ...]
    dispersion: tuple[Array, Array] | None
    method: str

    @classmethod
    def of(cls, inputs: ModelInputs, design: MixedDesign, method: str | None) -> VarianceShares:
        """Set up for the rows of a model.

        Raises
        ------
        ValueError
            If the method is unknown or does not suit the family and link.
        """
        whole, family = design.family, design.family.of_first_predictor()
        if family is None:
            raise ValueError(
                f"family {whole.name} has no variance shares: its fixed effects are in the predictors of all its "
                "categories or thresholds; var_corr() has the standard deviations"
            )
        # what is beyond a threshold has a latent variable; a proportion that is seen has none
        latent = family.link_function.latent_variance if family.discrete else None
        if not family.simple_mean and latent is None:
            raise ValueError(
                f"family {family.name} has no variance shares on the scale of the link: its mean is not that of the "
                "linear predictor alone"
            )
        default = "theoretical" if latent is not None else "delta"
        default = "lognormal" if family.link == "log" else default
        method = default if method is None else method
        if not family.simple_mean and method != "theoretical":
            raise ValueError(f"method={method!r} is not known for family {family.name}; use {default!r}")
        if method not in METHODS:
            raise ValueError(f"method must be one of {', '.join(METHODS)}, got {method!r}")
        if method == "theoretical" and latent is None:
            raise ValueError(
                f"method='theoretical' is for links of binomial and ordered responses with a latent variance; use "
                f"{default!r}"
            )
        if method in ("lognormal", "trigamma") and family.link != "log":
            raise ValueError(f"method={method!r} is for log links; use {default!r}")

        def rows_of(number: int) -> tuple[Array, Array]:
            mine = sp.diags_array((inputs.predictor_of_effect == number).astype(float))
            X = np.asarray(inputs.exog) * (inputs.predictor_of_column == number)
            return X, prior_basis(Reduction.of(design), sp.csr_array(inputs.Z @ mine))

        spread = rows_of(whole.predictors.index("disp")) if "disp" in whole.predictors else None
        X, basis = rows_of(0)
        terms = tuple(k for k, t in enumerate(inputs.terms) if 0 in t.predictors)
        weights = inputs.freq_weights
        return cls(design, family, X, inputs.offset, weights, basis, terms, spread, method)

    def fixed(self, params: Array) -> float:
        """Variance of the fixed part over rows, offset excluded."""
        eta = self.X @ self.design.split(params)[0]
        centre = np.average(eta, weights=self.weights)
        return float(self.weights @ (eta - centre) ** 2 / (self.weights.sum() - 1.0))

    def random(self, params: Array) -> Array:
        """Variance of each term of the first predictor, averaged over rows."""
        theta = self.design.split(params)[1]
        mean = np.average(self.of_row, axis=0, weights=self.weights) * theta
        return np.array([mean[self.design.covariance.slices[k]].sum() for k in self.terms])

    def observation(self, params: Array) -> float:
        """Observation-level variance on the link scale."""
        family = self.family
        if self.method == "theoretical":
            return float(family.link_function.latent_variance or 0.0)
        beta, theta, phi = self.design.split(params)
        eta = self.X @ beta + self.offset
        link = family.link_function
        if family.link == "inverse":  # has no mean over normal effects
            mu = np.average(link.mean(eta), weights=self.weights)
        else:
            mu = np.average(link.normal_mean(eta, self.of_row @ theta).mean, weights=self.weights)
        if self.dispersion is not None:
            of_spread, its_variance = self.dispersion
            phi = np.exp(of_spread @ beta + 0.5 * its_variance @ theta)
        at = np.full(np.size(phi), mu)
        variance = family.variance(at, phi)
        variance = np.where(np.isfinite(variance), variance, np.nan)  # of Student's t there may be none
        if self.method == "lognormal":
            each = np.log1p(variance / mu**2)
        elif self.method == "trigamma":
            each = special.polygamma(1, mu**2 / variance)
        else:
            each = variance / link.mean_deriv(link.eta(at)) ** 2
        return float(np.average(each, weights=None if self.dispersion is None else self.weights))

    def r2(self, params: Array) -> Array:
        """Marginal and conditional R squared."""
        fixed, random = self.fixed(params), float(self.random(params).sum())
        total = fixed + random + self.observation(params)
        return np.array([fixed, fixed + random]) / total

    def icc(self, params: Array) -> Array:
        """Adjusted and unadjusted ICC of each term and of all together, (2 x (terms + 1),)."""
        each = self.random(params)
        each = np.append(each, each.sum())
        within = each[-1] + self.observation(params)
        return np.concatenate([each / within, each / (within + self.fixed(params))])


def with_errors(
    estimates: Estimates, function: Callable[[Array], Array], index: list[str], *, of_errors: bool
) -> pd.DataFrame:
    """Values of a function of the model's parameters with errors by the delta method, and the errors of these."""
    keep = estimates.reduction.keep & (np.diag(estimates.cov.matrix) != 0)  # known ones have no errors
    at = np.ix_(keep, keep)

    def gradient(params: Array, cov: Array) -> Array:
        def of_kept(values: Array) -> Array:
            full = params.copy()
            full[keep] = values
            return function(full)

        return differences(of_kept, params[keep], STEP * np.sqrt(np.diag(cov[at])))

    def errors(params: Array, cov: Array) -> Array:
        return delta_method(gradient(params, cov), cov[at])

    params, cov = estimates.params, estimates.cov.matrix
    out = pd.DataFrame({"estimate": function(params), "std err": errors(params, cov)}, index=index)
    if estimates.cov_mcse is not None:
        out["mcse"] = delta_method(gradient(params, cov), estimates.cov_mcse[at])
        if of_errors:
            out["std err mcse"] = estimates.varied(errors, slow=True).mcse
    return out
