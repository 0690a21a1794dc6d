r"""Information criteria, and the conditional AIC with its effective degrees of freedom.

The conditional AIC (Vaida and Blanchard, 2005) judges predictions for the levels at hand,

    caic = -2 log f(y | eta^) + 2 (rho + number of dispersion parameters),      eta^_i = E(eta_i | y),

and rho is the covariance penalty of eta^ (Efron, 2004): the sum over rows of cov(eta^_i, y_i), in natural
parameters.  With d eta^_i / dy_i for the covariance (exact for Gaussian responses, by Stein's lemma; of first order
otherwise) and W_i the information of a row about its linear predictor,

    rho = sum_i W_i [ Var(eta_i | y) + g_i' I^-1 g_i ],        g_i = dE(eta_i | y) / dpsi,

since by exponential tilting dE(eta_i | y)/dy_i is the conditional variance, and the estimates move with y_i by I^-1
g_i.  The first part is the trace of the hat matrix where everything but the random effects is known; the second
counts the estimation of fixed effects and of variances (Greven and Kneib, 2010; for non-Gaussian responses Säfken,
Kneib, van Waveren and Greven, 2014), without which the larger model is favoured.  A scale phi adds the sum of g_i'
I^-1 e r_i / phi, with e its unit vector and r_i the score of eta_i, as residuals move it.  All of it comes
from moments and Hessians over draws.

Other families have no natural parameter; what takes the place of y_i is the score of the row in everything that its
density depends on, all its linear predictors and the parameters of the family, so that rho + their number becomes the
sum over rows of tr(W_i V_i), with W_i the observed information of the row about them and V_i their covariance: the same
to first order.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse as sp

from statsmodels_mcla.data import ModelInputs, in_directions
from statsmodels_mcla.design import SearchScale
from statsmodels_mcla.estimation import Fitted, ParameterErrors
from statsmodels_mcla.families import ConditionalFamily, RowData
from statsmodels_mcla.likelihood.sampling import Sampler
from statsmodels_mcla.numerics import Array, child, covariance_root, generator
from statsmodels_mcla.prediction.conditional_moments import LINEAR, Moments, moments
from statsmodels_mcla.prediction.linear_predictors import LinearRows

SETS = 8  # of draws that it is computed from, each half as large as for other expectations
STREAM = 7_211  # key of their random numbers


@dataclass(frozen=True)
class ConditionalAIC:
    """Conditional AIC with its parts.

    Attributes
    ----------
    value, mcse : float
    llf : float
        Conditional log-likelihood log f(y | eta^).
    effective_df, effective_df_mcse : float
        rho: without dispersion parameters.
    """

    value: float
    mcse: float
    llf: float
    effective_df: float
    effective_df_mcse: float


@dataclass(frozen=True)
class _Rows:
    """Rows of positive weight as the family takes them."""

    family: ConditionalFamily
    y: Array
    w: Array
    v: Array
    size: Array  # weight of the mean of a row: frequency x variance weight x trials
    constant: float

    @classmethod
    def of(cls, inputs: ModelInputs, family: ConditionalFamily, used: np.ndarray) -> _Rows:
        data = RowData(*(np.repeat(part, len(family.directions)) for part in inputs.row_data(family, used)))
        size = (inputs.freq_weights * inputs.var_weights * inputs.n_trials)[used]
        v = np.broadcast_to(data.v, data.y.shape)
        return cls(family, data.y, data.w, v, size, inputs.constant(family, used))

    @property
    def _numbers(self) -> tuple[Array, Array, Array]:
        return self.y[:, None], self.w[:, None], self.v[:, None]

    def penalty(self, found: Moments, phi: Any, cov: Array) -> tuple[Array, Array]:
        """Log density and part of rho of each row, at the means of its linear predictors given the data."""
        eta, spread = found.mean, found.var + found.estimation_var(cov)
        terms = self.family.rows(*self._numbers, eta[:, None], phi)
        logf, r = terms.logf[:, 0], terms.d1[:, 0]
        if not self.family.exponential:
            return logf, -terms.d2[:, 0] * spread + self._of_parameters(found, phi, cov)
        mu = self.family.mean(eta)
        rho = self.size * self.family.mean_deriv(eta) ** 2 / self.family.variance(mu, phi) * spread
        if self.family.dispersion == "scale":
            rho = rho + r / phi * (found.slope @ cov[:, -1])
        return logf, rho

    def _of_parameters(self, found: Moments, phi: Any, cov: Array) -> Array | float:
        """Part of the parameters of the family, less one each."""
        m = len(self.family.parameters)
        if not m:
            return 0.0
        own = self.family.parameter_rows(*self._numbers, found.mean[:, None], phi)
        cross = -2.0 * np.einsum("kn,nk->n", own.d1phi[..., 0], found.slope @ cov[:, -m:])
        return cross - np.einsum("kln,kl->n", own.dphi2[..., 0], cov[-m:, -m:]) - m / len(found.mean)


def conditional_aic(inputs: ModelInputs, fitted: Fitted, cov_mcse: Array | None) -> ConditionalAIC:
    """Conditional AIC, averaged over independent sets of draws.

    Parameters
    ----------
    inputs : ModelInputs
    fitted : Fitted
        With draws of its own (`Fitted.fresh`).
    cov_mcse : ndarray (k, k) or None
        Monte Carlo covariance of the fitted parameters.

    Notes
    -----
    Each set is used twice, with the parameters moved to either side of the estimates by a draw of their Monte Carlo
    error.  Averages of the two vary over sets with the draws, differences with the estimates: both parts of the
    Monte Carlo error, whatever the criterion does with weights, moments and Hessians.
    """
    setting = _Setting.of(inputs, fitted)
    design, k = fitted.design, len(fitted.params)
    scale = SearchScale.plain(design.layout, design.family.parameter_scale)
    x = scale.from_fitted(fitted.params)
    root = np.zeros((k, k)) if cov_mcse is None else _root_of(scale, x, cov_mcse)
    means, halves = [], []
    for index in range(SETS):
        seed = child(fitted.sampler.seed, STREAM, index)
        moved = root @ generator(seed).standard_normal(k)
        sampler = fitted.sampler.with_rule(seed=seed).halved()
        once = setting.parts(sampler, scale.fitted(x + moved))
        again = once if cov_mcse is None else setting.parts(sampler, scale.fitted(x - moved))
        means.append(0.5 * (once + again))
        halves.append(0.5 * (once - again))
    llf, rho = np.mean(means, axis=0)

    def error(weights: Array) -> float:
        of_draws = np.var(np.array(means) @ weights, ddof=1) / SETS
        return float(np.sqrt(of_draws + np.mean((np.array(halves) @ weights) ** 2)))

    return ConditionalAIC(
        float(-2.0 * llf + 2.0 * (rho + design.n_family)),
        error(np.array([-2.0, 2.0])),
        float(llf),
        float(rho),
        error(np.array([0.0, 1.0])),
    )


def leverages(inputs: ModelInputs, fitted: Fitted) -> Array:
    """Rows' parts (N,) of the effective degrees of freedom, from the draws at hand; zero without weight."""
    out = np.zeros(len(inputs.endog))
    ways = len(fitted.design.family.directions)
    out[inputs.used] = _Setting.of(inputs, fitted).of_rows(fitted)[1].reshape(-1, ways).sum(axis=1)
    return out


def _root_of(scale: SearchScale, x: Array, cov: Array) -> Array:
    """Root of a covariance of fitted parameters on the scale where every value is allowed."""
    k = len(x)
    J = np.stack([scale.derivatives(x, e, np.zeros((k, k)))[0] for e in np.eye(k)])
    back = np.linalg.inv(J)
    return covariance_root(back @ cov @ back.T)


@dataclass(frozen=True)
class _Setting:
    """What does not depend on draws."""

    fitted: Fitted
    rows: LinearRows
    data: _Rows

    @classmethod
    def of(cls, inputs: ModelInputs, fitted: Fitted) -> _Setting:
        family = fitted.design.family
        used = np.flatnonzero(inputs.used)
        X, offset = inputs.fixed_rows(family, used)
        kept = [replace(term, Z=sp.csr_array(term.Z[used])) for term in inputs.terms]
        Z = sp.csr_array(
            sp.hstack([term.Z for term in in_directions(kept, inputs.ways(family, used))], format="csr")
        )
        prior = np.zeros((len(X), sum(t.whole.size for t in fitted.reduction.terms)))
        return cls(fitted, LinearRows.of(fitted, X, offset, Z, prior), _Rows.of(inputs, family, used))

    def parts(self, sampler: Sampler, params: Array) -> Array:
        """Conditional log-likelihood and rho, from one set of draws."""
        data, position = self.data, sampler.at(params)
        fitted = replace(self.fitted, sampler=sampler, position=position)
        logf, rho = self.of_rows(fitted)
        return np.array([data.constant + float(logf.sum()), float(rho.sum())])

    def of_rows(self, fitted: Fitted) -> tuple[Array, Array]:
        """Log density and part of rho of each row, from the draws at hand."""
        phi = fitted.design.split(fitted.params)[2]
        cov = np.linalg.inv(-fitted.evaluation.hessian)
        found = moments(fitted, self.rows, [LINEAR], ParameterErrors(cov, None))[0]
        return self.data.penalty(found, phi, cov)
