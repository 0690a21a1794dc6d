"""Responses simulated from the model, with random effects that the model has a mean for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from statsmodels_mcla.data.inputs import ModelInputs
from statsmodels_mcla.design import MixedDesign
from statsmodels_mcla.families import ConditionalFamily
from statsmodels_mcla.numerics import Array, covariance_root

MAX_TRIES = 200  # of random effects for which the family has no mean


def draw_effects(design: MixedDesign, matrices: Sequence[Array], rng: np.random.Generator, n: int) -> Array:
    """Random effects from N(0, Sigma), (Q, n), in the order of the columns of Z.

    Parameters
    ----------
    design : MixedDesign
    matrices : sequence of ndarray (d, d)
        Covariance matrix of each term, possibly singular.
    rng : numpy.random.Generator
    n : int
    """
    parts = []
    for term, G in zip(design.terms, matrices, strict=True):
        z = rng.standard_normal((len(term.levels), len(G), n))
        parts.append((covariance_root(G) @ z).reshape(-1, n))
    return np.concatenate(parts)


def simulate_responses(
    inputs: ModelInputs,
    design: MixedDesign,
    family: ConditionalFamily,
    params: Array,
    rng: np.random.Generator,
    nsim: int,
    effects: Array | None = None,
) -> Array:
    """Simulate responses of every row, (N, nsim); binomial: successes.

    Parameters
    ----------
    inputs : ModelInputs
    design : MixedDesign
        Of the whole model.
    family : ConditionalFamily
    params : ndarray (P,)
        Natural parameters; variances may be zero.
    rng : numpy.random.Generator
    nsim : int
    effects : ndarray (Q, nsim), optional
        Random effects; fresh ones from their distribution by default.  Those of a block for which the family has
        no mean (inverse link, eta <= 0) are drawn again: the model gives them no likelihood.

    Raises
    ------
    ValueError
        If the fixed effects leave hardly any random effects for which the family has a mean.
    """
    beta, _, phi = design.split(params)
    if effects is None:
        effects = _allowed_effects(inputs, design, family, params, rng, nsim)
    mu = family.mean(inputs.linear_predictors(family, beta, effects))
    trials, v = inputs.n_trials[:, None], inputs.var_weights[:, None]
    return family.sample(rng, mu, phi, np.broadcast_to(trials, mu.shape[-2:]), v)


def _allowed_effects(
    inputs: ModelInputs,
    design: MixedDesign,
    family: ConditionalFamily,
    params: Array,
    rng: np.random.Generator,
    nsim: int,
) -> Array:
    beta, theta, phi = design.split(params)
    matrices = design.covariance.matrices(theta)
    u = draw_effects(design, matrices, rng, nsim)
    if len(family.predictors) > 1:  # all of them have their mean anywhere
        return u
    fixed = (np.asarray(inputs.exog) @ beta + inputs.offset)[:, None]
    # a row's density at its own response is zero exactly where the family has no mean
    used = inputs.used
    data = inputs.row_data(family, used)
    y, w, v = data.y[:, None], data.w[:, None], np.broadcast_to(data.v, data.y.shape)[:, None]
    of_effect = design.graph.of_effect
    Z = inputs.Z[np.flatnonzero(used)]
    touches = abs(Z)
    touches.data[:] = 1.0
    for _ in range(MAX_TRIES):
        with np.errstate(all="ignore"):
            lost = family.rows(y, w, v, fixed[used] + Z @ u, phi).logf == -np.inf
        if not lost.any():
            return u
        hit = (touches.T @ lost.astype(float)) > 0  # (Q, nsim): effects of rows that are lost
        blocks = np.zeros((design.n_blocks + 1, nsim), bool)
        np.logical_or.at(blocks, of_effect, hit)
        again = np.where((of_effect >= 0)[:, None], blocks[of_effect], False)
        u = np.where(again, draw_effects(design, matrices, rng, nsim), u)
    raise ValueError(
        "simulate: the fitted linear predictor is too often where the family has no mean (inverse link, eta <= 0); "
        "use a log link"
    )
