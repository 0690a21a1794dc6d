"""Randomised quantile residuals of the data and of data simulated from the fit: what a true model would show."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from statsmodels_mcla.data import MixedModel, inputs_of, simulate_responses
from statsmodels_mcla.numerics import Array

NUMBERS = 2**24  # simulated responses at most
LEAST = 39  # simulated data sets at least: with these, 95 % limits are the most extreme ones


@dataclass(frozen=True)
class SimulatedResiduals:
    """The data and data simulated from the fit, side by side: alike under the model.

    A residual is the place of a response among itself and the others of its row, ties broken at random (Dunn and
    Smyth, 1996; the R package DHARMa), as a normal quantile.  Random effects are fresh in each simulated data set, so
    that dependence within groups is in all of them, or the same in all, drawn once given the data.

    Attributes
    ----------
    responses : ndarray (N, 1 + nsim)
        The data first.
    rank : ndarray of int (N, 1 + nsim)
        Place of each response in its row, from 0.
    normal : ndarray (N, 1 + nsim)
        Normal quantile residuals.
    """

    responses: Array
    rank: np.ndarray
    normal: Array

    @classmethod
    def of(
        cls,
        model: MixedModel,
        params: Array,
        generator: np.random.Generator,
        nsim: int,
        effects: Array | None = None,
    ) -> SimulatedResiduals:
        """Simulate data sets with fresh random effects, or given ones; fewer than ``nsim`` if there are many rows.

        Parameters
        ----------
        model : MCLAMixedGLM
        params : ndarray (P,)
        generator : numpy.random.Generator
        nsim : int
        effects : ndarray (Q, 1), optional
            Random effects of all data sets.
        """
        inputs = inputs_of(model)
        y = inputs.endog.to_numpy()
        nsim = min(nsim, max(LEAST, NUMBERS // len(y)))
        u = None if effects is None else np.repeat(effects, nsim, axis=1)
        family = model.conditional_family
        others = simulate_responses(inputs, model.design, family, params, generator, nsim, u)
        both = np.column_stack([y, others])
        order = np.lexsort((generator.random(both.shape), both), axis=1)
        rank = np.empty_like(order)
        np.put_along_axis(rank, order, np.arange(nsim + 1)[None], axis=1)
        return cls(both, rank, special.ndtri((rank + generator.random(rank.shape)) / (nsim + 1.0)))

    @property
    def residuals(self) -> Array:
        """Of the data, (N,)."""
        return self.normal[:, 0]

    @property
    def simulated(self) -> Array:
        """Of the simulated data sets, (N, nsim)."""
        return self.normal[:, 1:]
