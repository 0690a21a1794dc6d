"""Fitted values given the data, residuals from them, and randomised quantile residuals by simulation."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
from scipy import stats

from statsmodels_mcla.data import ModelInputs, checked_count, inputs_of, simulate_responses
from statsmodels_mcla.families import ConditionalFamily
from statsmodels_mcla.numerics import Array, generator_of
from statsmodels_mcla.prediction import (
    LINEAR,
    deviance_residuals,
    fixed_rows,
    moments,
    pearson_residuals,
    prediction_rows,
    proportions,
)
from statsmodels_mcla.results.methods.base import Labelled
from statsmodels_mcla.results.methods.prediction import PredictionMethods

AT_A_TIME = 2**22  # simulated numbers
STEP = 1e-2  # of differences in the mean, in its MCSE


class ResidualMethods(PredictionMethods):
    """Fitted values and residuals of a fit."""

    @cached_property
    def _fitted_values(self) -> tuple[Array, Array]:
        found = self.get_prediction(random="conditional")
        return found.predicted_mean, found.mcse

    @property
    def _phi(self) -> float:
        phi: float = self.model.design.split(self.estimates.params)[2]
        return phi

    @property
    def fittedvalues(self) -> Labelled:
        """Mean of each row given the data, E(mu | y), (N,); binomial: probabilities.

        Conditional means are what squared error is least for; lme4 takes the mean at the conditional modes.  As with
        MixedLM, `predict` with nothing said of random effects leaves them out.
        """
        return self._fitted_values[0]

    @property
    def fittedvalues_mcse(self) -> Labelled:
        """Monte Carlo standard errors of ``fittedvalues``, and so of ``resid_response``."""
        return self._fitted_values[1]

    @property
    def resid_response(self) -> Labelled:
        """Response (binomial: proportion of successes) less ``fittedvalues``, (N,)."""
        return proportions(self.model.inputs) - self.fittedvalues

    @property
    def resid_pearson(self) -> Labelled:
        """Response residuals over the conditional standard deviation of the response, (N,).

        As in GLM the scale of families that have one is left out, and variance weights and numbers of trials are in.
        """
        model = self.model
        return self._pearson(model.inputs, model.conditional_family, self.fittedvalues, self._phi)

    @property
    def resid_deviance(self) -> Labelled:
        """Signed roots of the deviance of each row at ``fittedvalues``, (N,); the scale is left out as in GLM."""
        model = self.model
        return deviance_residuals(model.inputs, model.conditional_family, self.fittedvalues, self._phi)

    @property
    def resid_pearson_mcse(self) -> Labelled:
        """Monte Carlo standard errors of ``resid_pearson`` from those of ``fittedvalues``, (N,)."""
        return self._mcse_of_residuals(self._pearson)

    @property
    def resid_deviance_mcse(self) -> Labelled:
        """Monte Carlo standard errors of ``resid_deviance`` from those of ``fittedvalues``, (N,)."""
        return self._mcse_of_residuals(deviance_residuals)

    def _pearson(self, inputs: ModelInputs, family: ConditionalFamily, mean: Array, phi: Any) -> Array:
        return pearson_residuals(inputs, family, mean, phi, self._location)

    @cached_property
    def _location(self) -> Array | None:
        """Linear predictors (K, N) given the data, of a family of several."""
        fitted, errors = self.estimates.fitted.fresh, self.estimates.errors
        count = len(self.model.conditional_family.predictors)
        if count == 1:
            return None
        rows = (
            prediction_rows(self.model, fitted, fixed_rows(self.model), "conditional", predictors=(k,)).rows
            for k in range(count)
        )
        return np.stack([moments(fitted, own, [LINEAR], errors)[0].mean for own in rows])

    def _mcse_of_residuals(self, residuals: Callable[..., Array]) -> Array:
        """Half the difference of residuals between means an MCSE apart on both sides."""
        model, mu, mcse = self.model, self.fittedvalues, self.fittedvalues_mcse
        low, high = (
            residuals(model.inputs, model.conditional_family, mu + sign * STEP * mcse, self._phi)
            for sign in (-1, 1)
        )
        return np.abs(high - low) / (2.0 * STEP)

    def resid_quantile(self, nsim: int = 250, rng: Any = None, scale: str = "uniform") -> Labelled:
        """Randomised quantile residuals: the place of each response among simulated ones, ties broken at random.

        Parameters
        ----------
        nsim : int
            Simulations of each row from the fitted model, with fresh random effects.
        rng : int or numpy.random.Generator, optional
            Source of randomness.
        scale : {"uniform", "normal"}
            Uniform on (0, 1) or standard normal if the model is true.

        Returns
        -------
        ndarray (N,)

        Raises
        ------
        ValueError
            If an argument is out of range.

        Notes
        -----
        Dunn and Smyth (1996) for discrete responses; by simulation as in the R package DHARMa.  Each residual has
        its law exactly (up to the error of the estimates) for any ``nsim``; rows of one level depend on each other.
        Other simulations move a uniform residual u by about sqrt(u (1 - u) / nsim).

        Examples
        --------
        >>> results.resid_quantile(nsim=100, rng=1).describe().round(1)
        count    220.0
        mean       0.5
        std        0.3
        min        0.0
        25%        0.2
        50%        0.5
        75%        0.7
        max        1.0
        dtype: float64
        """
        nsim = checked_count("nsim", nsim)
        if scale not in ("uniform", "normal"):
            raise ValueError(f"scale must be 'uniform' or 'normal', got {scale!r}")
        model, inputs = self.model, inputs_of(self.model)
        y = inputs.endog.to_numpy()
        generator = generator_of(rng)
        below, equal = np.zeros(len(y)), np.zeros(len(y))
        step = max(1, AT_A_TIME // len(y))
        for start in range(0, nsim, step):
            simulated = simulate_responses(
                inputs,
                model.design,
                model.conditional_family,
                self.estimates.params,
                generator,
                min(step, nsim - start),
            )
            below += (simulated < y[:, None]).sum(axis=1)
            equal += (simulated == y[:, None]).sum(axis=1)
        out = (below + generator.random(len(y)) * (equal + 1.0)) / (nsim + 1.0)
        return np.asarray(stats.norm.ppf(out) if scale == "normal" else out)
