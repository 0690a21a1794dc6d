"""The facts of a distribution that residuals and predictions use: mean, variance, sampling, distribution function."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple

import numpy as np

from statsmodels_mcla.families.links import IDENTITY, MeanLink
from statsmodels_mcla.families.surfaces import Surface
from statsmodels_mcla.numerics import Array, Number


class Predictable(NamedTuple):
    """A function of linear predictors that can be predicted."""

    curve: MeanLink | Surface
    predictor: int = 0
    """Number of the linear predictor, of which a surface knows its own."""
    interval: MeanLink | None = None
    """Scale of its intervals, which surfaces need; None for that of the linear predictor."""


class AsPredictors(NamedTuple):
    """Parameters of a family that are linear predictors of another."""

    numbers: tuple[int, ...]
    """Of the predictors; the parameters are the first ones."""
    link: MeanLink
    """From the predictors to the parameters."""


class Distribution(ABC):
    """Law of a response given its location mu = `mean` of the linear predictor ``eta``.

    The location is the mean of the response, but for families that say otherwise by `mean_curve`.

    Attributes
    ----------
    simple_mean : bool
        Whether the mean of the response is mu.
    atoms : tuple of float
        Values of positive probability, where the others are continuous.
    link_function : MeanLink
        Mu as a function of ``eta``.
    ends : mapping of str to (str, str)
        Of parameters that may go to the end of their range: what a warning says of the lower end, and of the upper one.
    """

    simple_mean: ClassVar[bool] = True
    atoms: ClassVar[tuple[float, ...]] = ()
    ends: ClassVar[Mapping[str, tuple[str, str]]] = MappingProxyType({})

    @property
    @abstractmethod
    def link_function(self) -> MeanLink:
        """Location mu as a function of ``eta``."""

    @property
    def link(self) -> str:
        """Name of the link."""
        return self.link_function.name

    def mean_curve(self, phi: Any) -> MeanLink:
        """Return the mean of the response as a function of ``eta``."""
        del phi
        return self.link_function

    def predictable(self, phi: Any) -> dict[str, Predictable]:
        """Return what can be predicted, by the names that users give."""
        found = {"mean": Predictable(self.mean_curve(phi)), "linear": Predictable(IDENTITY)}
        return found if self.simple_mean else {**found, "conditional": Predictable(self.link_function)}

    def location(self, mean: Array, phi: Any) -> Array:
        """Return the mu at which the mean of the response is this."""
        return mean if self.simple_mean else self.link_function.mean(self.mean_curve(phi).eta(mean))

    def mean(self, eta: Array) -> Array:
        """Return the mean of the response (binomial: the probability) at ``eta``."""
        return self.link_function.mean(eta)

    def concentrated_at(self, y: Array) -> Array:
        """Return ``eta`` at which all responses are y where their variance vanishes."""
        return self.link_function.eta(y)

    def mean_deriv(self, eta: Array) -> Array:
        """Return d mean/d eta."""
        return self.link_function.mean_deriv(eta)

    @abstractmethod
    def variance(self, mu: Array, phi: Any = 1.0, n_trials: Number = 1.0) -> Array:
        """Return the variance of a response of weight one with mean mu (binomial: of the fraction, times trials)."""

    def inverse_variance(self, mu: Array, phi: Any, n_trials: Number, var_weights: Number) -> Array:
        """Return one over the variance of responses of other weights, which divide it, as in statsmodels' GLM."""
        return var_weights / self.variance(mu, phi, n_trials)

    @abstractmethod
    def unit_deviance(self, endog: Array, mu: Array, phi: Any = 1.0, n_trials: Number = 1.0) -> Array:
        """Return twice the log-likelihood ratio of a perfect fit to ``mu``, per row.

        As in statsmodels it is not divided by a scale parameter; ``phi`` matters only to the
        negative binomial, whose shape depends on it.

        Parameters
        ----------
        endog, mu : ndarray
            Response (binomial: successes) and mean (binomial: probability).
        phi : float, optional
            Dispersion.
        n_trials : ndarray or float, optional
            Numbers of trials.

        Returns
        -------
        ndarray
            Non-negative.
        """

    @abstractmethod
    def sample(
        self,
        rng: np.random.Generator,
        mu: Array,
        phi: Any = 1.0,
        n_trials: Number = 1.0,
        var_weights: Number = 1.0,
    ) -> Array:
        """Draw one response at each mean.

        Parameters
        ----------
        rng : numpy.random.Generator
            Source of randomness.
        mu : ndarray
            Means (binomial: probabilities).
        phi : float, optional
            Dispersion.
        n_trials, var_weights : ndarray or float, optional
            Numbers of trials; variance weights (used by families with a scale).

        Returns
        -------
        ndarray
            Shape of ``mu`` (broadcast with the rest), float64.
        """

    @abstractmethod
    def cdf(
        self,
        endog: Array,
        mu: Array,
        phi: Any = 1.0,
        n_trials: Number = 1.0,
        var_weights: Number = 1.0,
    ) -> Array:
        """Return P(response <= endog), for quantile residuals; arguments as in `sample`.

        Any real ``endog`` is accepted, so that a discrete family can be asked at ``endog - 1``.
        """
