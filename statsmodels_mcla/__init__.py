"""Generalized linear mixed models by Monte Carlo likelihood approximation, for statsmodels.

Model: y_i | u follows a family with linear predictor eta = X beta + Z u + offset, u ~ N(0, Sigma(theta)).

Notation
--------
==================== =======================================================================================
y, w, v              response, weight and dispersion weight of a row (`families` says what they hold)
X, Z                 designs of the fixed effects beta and of the random effects u
eta                  linear predictor
G, L                 covariance matrix of one level's effects in a term, and its Cholesky factor: G = L L'
theta, phi           all variances and covariances; dispersion
params               (beta, theta, phi), natural scale
b, Lambda            standardised effects: u = Lambda b, b ~ N(0, I)
B, n, q, m           blocks of a bucket; rows, effects and draws of a block: arrays are (B, n, m) or (B, q, m)
g, log_w, v_k        importance density, log importance weight, normalised weight of draw k
U, V                 Hessian of the Monte Carlo log-likelihood, Monte Carlo variance of its score
==================== =======================================================================================

Modules, each using only those above it
---------------------------------------
==================== =======================================================================================
exceptions, linalg   warnings; stacks of small matrices
families, covariance the densities of y given u and of u, with exact derivatives
weights, formula     log-weight algebra; reading formulas
design               `MixedDesign`: validated data, cut into independent blocks, stacked into buckets
laplace, proposals   conditional modes; importance densities around them
points, draws        base random numbers; frozen draws made from them on demand
transport            how the draws move along with the fixed effects
kernel               weights and scores of draws: the work on rows x draws
likelihood, mcse     one fused pass: value, score, Hessian, Monte Carlo errors
weighted             the law of the effects given the data, chunk by chunk
linear_rows,         rows of a linear predictor and the draws that they depend on; moments of functions of them
  conditional        given the data, with their errors
random_effects       means, modes and standard deviations of every level
new_rows, predictive rows to predict for; the law of a new observation
prediction           means and linear predictors with their intervals
margin_rows, margins marginal effects and population averages
sampler, fitting     draws at any parameter value; climb, polish, refine
submodel, objective  nested models; their likelihoods as functions to climb under a constraint
constrained, profile maxima with a quantity held; profile likelihoods and their limits
nesting, chi_bar     how one model lies in another; null distributions of tests at the boundary
comparison, anova    likelihood-ratio tests and tables of models; `score_test`
reduction, loadings  terms of low rank and small variances in parameters that are free
boundary, outward    ranks that lose nothing; slopes out of the boundary
units, robust        independent units with their scores; sandwich covariances
influence            what leaving out a unit would change
simulation, cloning  responses from the fit, and the model for them; `bootstrap`
residuals, criteria, residuals given the data; information criteria; shares of variance
  effect_sizes
separation           coefficients and variances without a finite maximum
maximum              Laplace start, Monte Carlo fit, ranks of the covariance matrices
plots                pictures (matplotlib, imported when one is asked for)
model, results       what the user sees; `summary`, `var_corr`, `notices`
==================== =======================================================================================

One evaluation: `Sampler.at(params)` finds the conditional modes of every block, builds a proposal around each and
returns a `Position` with frozen draws; `evaluate(design, params, draws)` makes the draws chunk by chunk, weighs
them, and returns an `Evaluation`.  A fit is a sequence of positions, each at the maximum seen from the last.
Frozen dataclasses hold all of this; only `MCLAMixedGLM` remembers its latest draws.
"""

from statsmodels_mcla import datasets
from statsmodels_mcla.anova import anova
from statsmodels_mcla.model import MCLAMixedGLM
from statsmodels_mcla.proposals import BlockSampling, JointSampling

__all__ = ["BlockSampling", "JointSampling", "MCLAMixedGLM", "__version__", "anova", "datasets"]

__version__ = "0.1.0"
