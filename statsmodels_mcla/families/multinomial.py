"""Categories without an order: multinomial logit (McFadden, 1974), with random effects a category.

The log odds of each category against the first are linear predictors; those of the first are zero.
"""

# Implementations of the interface that base.py documents: it also says what each argument is for.
# ruff: noqa: D102

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from scipy import special

from statsmodels_mcla.families.categories import Categories, probability_up_to, sampled_category
from statsmodels_mcla.families.distribution import Predictable
from statsmodels_mcla.families.jets import Jet, exp, log_add
from statsmodels_mcla.families.links import IDENTITY, LOGIT, MeanLink
from statsmodels_mcla.families.several_predictors import SeveralPredictors, first_direction
from statsmodels_mcla.families.surfaces import Surface
from statsmodels_mcla.numerics import Array, Number


@dataclass(frozen=True)
class CategoryChance(Surface):
    """Probability of a category, from the log odds of all but the first.

    Attributes
    ----------
    category : int
    """

    category: int

    def value(self, *etas: Jet) -> Jet:
        return exp(_log_chance(self.category, etas))


@dataclass(frozen=True)
class Multinomial(Categories, SeveralPredictors):
    """Unordered categories: text, a pandas Categorical (of which the first category is the reference), or integers.

    Each other category has a linear predictor with the effects of the formula, the random ones too: ``(1 | g)`` is an
    independent intercept a category, ``(1 | p | g)``, under a label, is correlated ones.  Independent effects depend on
    which category is the reference; correlated ones, whose covariance is free, do not.  With J categories a row costs
    about J^3 / 6 rows of one predictor.

    Parameters
    ----------
    labels, values : tuple, optional
        See `Categories`.

    Examples
    --------
    >>> import pandas as pd
    >>> from statsmodels_mcla.families import Multinomial
    >>> epil = datasets.epil.load_pandas().data
    >>> epil["kind"] = pd.cut(epil["y"], [-1, 0, 6, 200], labels=["none", "some", "many"]).astype(str)
    >>> model = smf.mcla_mixedglm("kind ~ trt + (1 | subject)", data=epil, family=Multinomial())
    >>> model.fit_laplace().fe_params.round(1)
    none: Intercept           -6.6
    none: trt[T.progabide]     0.7
    some: Intercept            1.0
    some: trt[T.progabide]     0.2
    dtype: float64
    """

    labels: tuple[str, ...] = ()
    values: tuple[float, ...] = ()

    name: ClassVar[str] = "Multinomial"
    ordered: ClassVar[bool] = False

    @property
    def log_concave(self) -> bool:
        return True

    @property
    def predictors(self) -> tuple[str, ...]:
        return self.labels[1:]

    @property
    def link_function(self) -> MeanLink:
        return LOGIT

    def log_density(self, y: Array, v: Number, eta: Jet, *psi: Jet) -> Jet:
        return _log_chance(self.category(y), (eta, *psi))

    def start_predictors(self, y: Array, w: Array, v: Number) -> tuple[Array, ...]:
        D = len(self.directions)
        y, w = (first_direction(np.asarray(part), D, -1) for part in (y, w))
        shares = np.array([np.average(y == value, weights=w) for value in self.values])
        odds = np.log(np.maximum(shares[1:], 1e-3) / max(shares[0], 1e-3))
        return ((self.ways(y) @ odds).ravel(),)

    # -- facts of the distribution -----------------------------------------------------------

    def predictable(self, phi: Any) -> dict[str, Predictable]:
        every = tuple(range(len(self.predictors)))
        chances = {
            f"prob: {label}": Predictable(CategoryChance(every, k), 0, LOGIT)
            for k, label in enumerate(self.labels)
        }
        return chances | {
            f"linear: {name}": Predictable(IDENTITY, k) for k, name in enumerate(self.predictors)
        }

    def probabilities(self, mu: Array) -> Array:
        """Return the probability of each category at linear predictors mu (K, ...), (..., J)."""
        return np.moveaxis(special.softmax(np.concatenate([0.0 * mu[:1], mu]), axis=0), 0, -1)

    def variance(self, mu: Array, phi: Any = 1.0, n_trials: Number = 1.0) -> Array:
        raise ValueError(f"family {self.name} has no mean and no variance: its categories are no numbers")

    def sample(
        self,
        rng: np.random.Generator,
        mu: Array,
        phi: Any = 1.0,
        n_trials: Number = 1.0,
        var_weights: Number = 1.0,
    ) -> Array:
        return sampled_category(rng, self.probabilities(mu), self.values)

    def cdf(
        self,
        endog: Array,
        mu: Array,
        phi: Any = 1.0,
        n_trials: Number = 1.0,
        var_weights: Number = 1.0,
    ) -> Array:
        return probability_up_to(endog, self.probabilities(mu), self.values)


def _log_chance(category: Any, etas: tuple[Jet, ...]) -> Jet:
    """Log probability of categories, 0 for the first."""
    total, own = Jet.constant(0.0), Jet.constant(0.0)
    for k, eta in enumerate(etas, 1):
        total = log_add(total, eta)
        own = own + eta * np.asarray(category == k, float)
    return own - total
