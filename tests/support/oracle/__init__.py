"""Likelihoods of generalized linear mixed models by adaptive quadrature, for the tests to compare with.

Written apart from the package and importing nothing of it: densities come from `scipy.stats`, designs from
patsy, integrals from product rules laid over each group's conditional density of its random effects. It
covers one grouping factor with a few effects a group; a small crossed design is the case of a single group.

Arguments shared by every function that takes a model as arrays (`Problem.arguments` holds them as a dict):

==============  =========================================================================================
`y`             response, (n,); successes for the binomial
`X`, `Zg`       fixed-effects design (n, p); random-effects design (n, q) of each row's own group, where
                None is a random intercept
`group`         group label of each row, (n,)
`family`        "binomial", "poisson", "negativebinomial" (NB2), "gamma", "gaussian", "inversegaussian"
`link`          "logit", "probit", "cloglog", "cauchit", "log", "sqrt", "inverse", "identity"
`offset`        added to the linear predictor, (n,)
`weights`       frequency weights: each multiplies its row's log density, (n,)
`trials`        binomial trials, (n,); 1 unless given
`var_weights`   divide the scale of gamma, Gaussian and inverse Gaussian rows, (n,)
`structure`     "unstructured" (one q x q covariance) or q integers: independent effects, equal integers
                sharing one variance
`params`        fixed effects; the covariance's lower triangle row by row, or the variances in the order
                of the sorted integers of `structure`; the dispersion, if the family has one
`nodes`         quadrature points along each axis
`rule`          "hermite" (Gauss-Hermite) or "trapezoid" (equal steps), two rules that fail differently
==============  =========================================================================================

Both rules are laid around the mode and scaled by the curvature there. One effect a group takes the
trapezoidal rule unless told otherwise: it reaches round-off with 161 nodes also for a Bernoulli model of
large variance, where the poles of the logistic function leave 201 Gauss-Hermite nodes with an error of 1e-7.

The random effects are u = L z with L L' the covariance, so that a singular covariance needs no special case.
"""

from .densities import (
    DISPERSION,
    SUPPORTED,
    eta_derivative,
    link_function,
    log_density,
    log_phi_derivative,
    mean,
)
from .maximum import Maximum, quadrature_mle
from .problems import MODELS, RESPONSES, Problem, problem
from .profiles import Profile, profile, profile_interval
from .quadrature import grid
from .quantities import (
    PosteriorMoments,
    loglike_and_score_by_group,
    marginal_mean,
    posterior_moments,
    quadrature_hessian,
    quadrature_loglike,
    quadrature_score,
)
from .rows import DEFAULT_RULE

__all__ = [
    "DEFAULT_RULE",
    "DISPERSION",
    "MODELS",
    "RESPONSES",
    "SUPPORTED",
    "Maximum",
    "PosteriorMoments",
    "Problem",
    "Profile",
    "eta_derivative",
    "grid",
    "link_function",
    "log_density",
    "log_phi_derivative",
    "loglike_and_score_by_group",
    "marginal_mean",
    "mean",
    "posterior_moments",
    "problem",
    "profile",
    "profile_interval",
    "quadrature_hessian",
    "quadrature_loglike",
    "quadrature_mle",
    "quadrature_score",
]
