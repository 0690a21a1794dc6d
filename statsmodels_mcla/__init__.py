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

Modules, each using only those listed before it
-----------------------------------------------
exceptions, settings
    warnings; what a fit is told, and what it tells round by round
linalg, differences, streams, threads, progress
    stacks of small matrices; central differences; streams of random numbers; work on threads; progress bars
families, covariance
    the densities of y given u and of u, with exact derivatives
weights, points
    log-weight algebra; base random numbers
formula, validation
    reading formulas; checks of what users pass in
bucket, design, inputs
    `MixedDesign`: validated data, cut into independent blocks, stacked into buckets
scale, starting, search
    coordinates of the search around the model without random effects; statsmodels' optimisers
laplace, laplace_fit
    conditional modes; the maximum of Laplace's approximation
reduction, boundary, submodel
    singular covariance matrices in parameters that are free; ranks that lose nothing; nested models
separation
    coefficients and variances without a finite maximum
transport, loadings, proposals, draws, sampler, arguments
    draws that move along with the fixed effects; derivatives in loadings; importance densities around the modes;
    frozen draws made on demand, at any parameter value; what users pass to a fit
kernel, evaluation, likelihood, mcse
    weights and scores of draws: the work on rows x draws; one fused pass: value, score, Hessian, Monte Carlo errors
planning, frozen, fitting
    how many draws next; climb on frozen draws; polish and refine
fitted, variation, weighted
    the maximum with its draws; what other random numbers would make of it; the law of the effects given the data,
    chunk by chunk
outward, multimodal, maximum
    slopes out of the boundary; modes that draws do not reach; Laplace start, Monte Carlo fit, ranks
linear_rows, conditional, var_corr, random_effects
    rows of a linear predictor and the draws that they depend on; moments of functions of them given the data, with
    their errors; standard deviations and correlations; means and modes of every level
new_rows, predictive, predicted, prediction
    rows to predict for; the law of a new observation; means and linear predictors as functions of a fit, and with
    their intervals
margin_rows, parameter_functions, margins
    effects of columns row by row; functions of the parameters with their errors; averages over the population
units, robust, influence
    independent units with their scores; sandwich covariances; what leaving out a unit would change
simulation, cloning, bootstrap, residuals
    responses from the fit, and the model for them; refits; residuals given the data and among simulated responses
criteria, effect_sizes
    information criteria; shares of variance
objective, outer_scales, quantities, quantity_names, constrained, returning
    likelihoods to climb under a constraint; functions of the parameters; maxima with one of them held, at their ranks
monte_carlo, contrasts, wald, profiling, profile
    what the draws tell of the estimates; Wald tests and intervals; profile likelihoods and their limits
chi_bar, nesting, nested_fits, restricted, comparison, anova, score_test
    null distributions at the boundary; how one model lies in another; likelihood-ratio and score tests; tables
plots
    pictures (matplotlib, imported when one is asked for)
summary, results
    what the user reads
current, drawn_likelihood, notices, model
    what the user calls; the draws that a model remembers; progress lines and warnings
datasets
    data that come with the package

One evaluation: `Sampler.at(params)` finds the conditional modes of every block, builds a proposal around each and
returns a `Position` with frozen draws; `evaluate(design, params, draws)` makes the draws chunk by chunk, weighs
them, and returns an `Evaluation`.  A fit is a sequence of positions, each at the maximum seen from the last.
Frozen dataclasses hold all of this; only `MCLAMixedGLM` remembers its latest draws.
"""

from statsmodels_mcla import datasets
from statsmodels_mcla.comparison import anova
from statsmodels_mcla.likelihood.sampling import BlockSampling, JointSampling
from statsmodels_mcla.model import MCLAMixedGLM

__all__ = ["BlockSampling", "JointSampling", "MCLAMixedGLM", "__version__", "anova", "datasets"]

__version__ = "0.1.0"
