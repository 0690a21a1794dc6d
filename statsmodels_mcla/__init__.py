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

One fit
-------
`formula.read_model` reads formula and frame, or users give arrays; `data` checks and aligns them:
`ModelInputs`.  `ModelInputs.design` makes the `MixedDesign`: numbers alone, cut into independent blocks, which
lie stacked by shape in buckets.  `laplace_maximum` gives the start and the first ranks of the covariance
matrices.  `monte_carlo_maximum` goes from position to position: `Sampler.at(params)` finds the conditional
modes of every block, builds an importance density around each, and returns a `Position` with frozen draws;
`evaluate(design, params, draws)` makes the draws chunk by chunk, weighs them, and returns an `Evaluation`:
value, score, Hessian and their Monte Carlo errors.  The next position is at the maximum seen from the last,
with more draws where the error comes from, until it is small enough.  `Estimates` is the fit as a record, which
all that is computed afterwards takes, and `results` what users read of it.  Frozen dataclasses hold all of
this; only `MCLAMixedGLM` remembers its latest draws.

Packages, lowest first
----------------------
================ =======================================================================================
numerics         arithmetic that knows nothing of models: arrays, small matrices, random streams
execution        who does the work, in which order, and what is shown meanwhile
datasets         data that come with the package
exceptions       warnings
families         densities of y given eta, with exact derivatives
covariance       the covariance Sigma(theta) of the effects, and its factors
design           rows and effects as the likelihood takes them: frozen, numeric, in blocks
likelihood       the integral over the effects: Laplace's approximation, draws, sums over draws
data, formula    what users hand over, checked and aligned; reading formulas
estimation       from a likelihood to its maximum, the ranks there, and the draws made there
plots            pictures (matplotlib, imported when one is asked for)
inference        covariances of the estimates, tests and intervals
prediction       linear predictors and functions of them: given the data, for new rows, over the population
profile          profile likelihoods
comparison       tests of nested models
results          what users read: statsmodels' results classes
model            what users call: `MCLAMixedGLM`
================ =======================================================================================

``help(statsmodels_mcla.design)`` and so on say what each owns; ARCHITECTURE.md in the repository says where new code
goes.
"""

from statsmodels_mcla import datasets
from statsmodels_mcla.comparison import anova
from statsmodels_mcla.likelihood.sampling import BlockSampling, JointSampling
from statsmodels_mcla.model import MCLAMixedGLM

__all__ = ["BlockSampling", "JointSampling", "MCLAMixedGLM", "__version__", "anova", "datasets"]

__version__ = "0.1.0"
