"""Randomised quantile residuals of the data and of data simulated from the fit: what a true model would show."""

from __future__ import annotations

import numpy as np
from scipy import stats

from statsmodels_mcla.data import MixedModel, inputs_of, simulate_responses
from statsmodels_mcla.numerics import Array

NUMBERS = 2**24  # simulated responses at most
LEAST = 39  # simulated data sets at least: with these, 95 % limits are the most extreme ones


def residuals_with_envelope(
    model: MixedModel, params: Array, generator: np.random.Generator, nsim: int
) -> tuple[Array, Array]:
    """Normal quantile residuals of the responses and of as many simulated ones.

    A residual is the place of a response among itself and the others of its row, ties broken at random (Dunn and
    Smyth, 1996), as a normal quantile.  Under the model, the data and the simulated data sets are alike, dependence
    within groups included; so are their residuals.

    Parameters
    ----------
    model : MCLAMixedGLM
    params : ndarray (P,)
    generator : numpy.random.Generator
    nsim : int
        Data sets to simulate, with fresh random effects; fewer if there are very many rows.

    Returns
    -------
    residuals : ndarray (N,)
    simulated : ndarray (N, nsim)
    """
    inputs = inputs_of(model)
    y = inputs.endog.to_numpy()
    nsim = min(nsim, max(LEAST, NUMBERS // len(y)))
    others = simulate_responses(inputs, model.design, model.conditional_family, params, generator, nsim)
    both = np.column_stack([y, others])
    order = np.lexsort((generator.random(both.shape), both), axis=1)
    rank = np.empty_like(order)
    np.put_along_axis(rank, order, np.arange(nsim + 1)[None], axis=1)
    found = stats.norm.ppf((rank + generator.random(rank.shape)) / (nsim + 1.0))
    return found[:, 0], found[:, 1:]
