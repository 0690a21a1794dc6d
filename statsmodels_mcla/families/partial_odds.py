"""Ordered categories whose thresholds depend on covariates: partial proportional odds.

The category of a row is k or lower with probability F(tau_k - eta), as in `ordered`, but each threshold tau_k has a
linear predictor of its own (Peterson and Harrell, 1990, Appl. Stat. 39, 205-217; ``nominal`` of R's ordinal).
"""

# Implementations of the interface that base.py documents: it also says what each argument is for.
# ruff: noqa: D102

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from statsmodels_mcla.families.base import ConditionalFamily
from statsmodels_mcla.families.categories import probability_up_to, sampled_category
from statsmodels_mcla.families.directions import Directions, directions_of
from statsmodels_mcla.families.distribution import AsPredictors, Predictable
from statsmodels_mcla.families.jets import Jet
from statsmodels_mcla.families.links import IDENTITY, LOGIT, MeanLink
from statsmodels_mcla.families.ordered import Cumulative
from statsmodels_mcla.families.row_terms import Response
from statsmodels_mcla.families.several_predictors import SeveralPredictors, first_direction
from statsmodels_mcla.families.surfaces import Surface, along
from statsmodels_mcla.numerics import Array, Number


@dataclass(frozen=True)
class BetweenThresholds(Surface):
    """Sum of values of categories times their probabilities; predictors are the location and some thresholds.

    Attributes
    ----------
    link : MeanLink
    steps : tuple of float
        What is added from the first value on, threshold by threshold.
    first : float
    """

    link: MeanLink
    steps: tuple[float, ...]
    first: float

    def value(self, *etas: Jet) -> Jet:
        location, *thresholds = etas
        total = Jet.constant(self.first)
        for step, tau in zip(self.steps, thresholds, strict=True):
            total = total + (1.0 - along(self.link, tau - location)) * step
        return total


@dataclass(frozen=True)
class PartialOdds(SeveralPredictors):
    """Ordered categories with a predictor a threshold, beside that of the location.

    A row depends on two arguments only: the thresholds above and below its category, less the location.

    Parameters
    ----------
    base : Cumulative
        With flexible thresholds.

    Raises
    ------
    ValueError
        If the thresholds of ``base`` have a structure.
    """

    base: Cumulative

    discrete: ClassVar[bool] = True
    categorical: ClassVar[bool] = True
    intercept: ClassVar[bool] = False
    far: ClassVar[float] = np.inf

    def __post_init__(self) -> None:
        if self.base.threshold != "flexible":
            raise ValueError(
                f"nominal needs thresholds that are 'flexible', got threshold={self.base.threshold!r}"
            )

    @property
    def name(self) -> str:  # type: ignore[override]
        return self.base.name

    @property
    def predictors(self) -> tuple[str, ...]:
        return ("", *self.base.parameters)

    @property
    def directions(self) -> Directions:
        return directions_of(2)

    def ways(self, endog: Array) -> Array:
        K = len(self.predictors)
        of_threshold = np.eye(K)
        of_threshold[:, 0] = -1.0
        of_threshold[0] = 0.0  # below the lowest category, and above the highest one
        category = self.base.category(endog)
        lower, upper = of_threshold[category], np.roll(of_threshold, -1, axis=0)[category]
        return np.einsum("da,ank->ndk", self.directions.matrix, np.stack([upper, lower]))

    def extent(self, etas: Array) -> Array:
        return np.vstack([etas[:1], etas[1:] - etas[0]])  # a threshold is as far as it is from the location

    @property
    def link(self) -> str:
        return self.base.link

    @property
    def link_function(self) -> MeanLink:
        return self.base.link_function

    def parameters_of(self, other: ConditionalFamily) -> AsPredictors | None:
        return AsPredictors(tuple(range(1, len(self.predictors))), IDENTITY) if other == self.base else None

    # -- data --------------------------------------------------------------------------------

    def of_response(self, endog: Any) -> PartialOdds:
        return replace(self, base=self.base.of_response(endog))

    def check_response(self, endog: Any, n_trials: Any = None) -> Response:
        return self.base.check_response(endog, n_trials)

    def blank_row(self) -> tuple[float, float, float]:
        return self.base.blank_row()

    def start_predictors(self, y: Array, w: Array, v: Number) -> tuple[Array, ...]:
        D = len(self.directions)
        y, w = (first_direction(np.asarray(part), D, -1) for part in (y, w))
        tau = np.atleast_1d(self.base.start_phi(y, np.zeros(len(y)), freq_weights=w))
        return ((self.ways(y) @ np.append(0.0, tau)).ravel(),)

    # -- density -----------------------------------------------------------------------------

    def log_density(self, y: Array, v: Number, eta: Jet, *psi: Jet) -> Jet:
        category, last = self.base.category(y), len(self.base.labels) - 1
        a = np.where(category == last, np.inf, eta.value)
        b = np.where(category == 0, -np.inf, psi[0].value)
        found = self.base.latent_law.between(a, b, np.zeros(()))
        da, db, daa, dab, dbb, *_ = found.ends()
        return Jet.of_two(eta, psi[0], found.value, (da, db), (daa, dab, dab, dbb))

    # -- facts of the distribution -----------------------------------------------------------

    def predictable(self, phi: Any) -> dict[str, Predictable]:
        link, values, K = self.base.latent_law.link, self.base.values, len(self.predictors)
        steps = tuple(np.diff(values).tolist())
        mean = BetweenThresholds(tuple(range(K)), link, steps, values[0])
        found = {"mean": Predictable(mean, 0, IDENTITY), "linear": Predictable(IDENTITY)}
        for c, label in enumerate(self.base.labels):
            around = [k for k in (c, c + 1) if 0 < k < K]
            chance = BetweenThresholds(
                (0, *around), link, tuple(1.0 if k == c else -1.0 for k in around), float(c == 0)
            )
            found[f"prob: {label}"] = Predictable(chance, 0, LOGIT)
        return found

    def probabilities(self, mu: Array) -> Array:
        """Return the probability of each category at linear predictors mu (K, ...), (..., J)."""
        below = self.base.latent_law.link.mean(np.moveaxis(mu[1:] - mu[0], 0, -1))
        return np.diff(below, prepend=0.0, append=1.0)

    def variance(self, mu: Array, phi: Any = 1.0, n_trials: Number = 1.0) -> Array:
        p, values = self.probabilities(mu), np.array(self.base.values)
        return np.asarray(p @ values**2 - (p @ values) ** 2)

    def sample(
        self,
        rng: np.random.Generator,
        mu: Array,
        phi: Any = 1.0,
        n_trials: Number = 1.0,
        var_weights: Number = 1.0,
    ) -> Array:
        return sampled_category(rng, self.probabilities(mu), self.base.values)

    def cdf(
        self,
        endog: Array,
        mu: Array,
        phi: Any = 1.0,
        n_trials: Number = 1.0,
        var_weights: Number = 1.0,
    ) -> Array:
        return probability_up_to(endog, self.probabilities(mu), self.base.values)
