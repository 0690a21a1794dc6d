"""Where each part of a parameter vector lies: the one place that knows the order of the parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from statsmodels_mcla.numerics import Array, consecutive_slices


class Parameters(NamedTuple):
    """A parameter vector, taken apart."""

    fixed: Array
    covariance: Array
    family: Array


@dataclass(frozen=True)
class ParameterLayout:
    """Sizes of the parts, in their order.

    Attributes
    ----------
    fixed_effects : tuple of int
        Number of fixed effects of each linear predictor.
    n_covariance : int
        Variances and covariances, or whatever stands for them in the scale at hand.
    n_family : int
        Parameters of the family of responses: its dispersion, if it has one.
    """

    fixed_effects: tuple[int, ...]
    n_covariance: int
    n_family: int = 0

    @property
    def n_fixed(self) -> int:
        """Fixed effects of all predictors."""
        return sum(self.fixed_effects)

    @property
    def size(self) -> int:
        """Length of a parameter vector, P."""
        return self.family.stop

    @property
    def fixed(self) -> slice:
        """Fixed effects of all predictors."""
        return slice(0, self.n_fixed)

    @property
    def predictors(self) -> tuple[slice, ...]:
        """Fixed effects of each linear predictor."""
        return consecutive_slices(self.fixed_effects)

    @property
    def covariance(self) -> slice:
        """Variances and covariances."""
        return slice(self.n_fixed, self.n_fixed + self.n_covariance)

    @property
    def curved(self) -> slice:
        """All but the fixed effects: what linear predictors are not linear in."""
        return slice(self.n_fixed, self.size)

    @property
    def n_curved(self) -> int:
        """All but the fixed effects."""
        return self.n_covariance + self.n_family

    @property
    def family(self) -> slice:
        """Parameters of the family of responses."""
        return slice(self.covariance.stop, self.covariance.stop + self.n_family)

    @property
    def known(self) -> np.ndarray:
        """Places of fixed effects and parameters of the family."""
        return np.r_[self.fixed, self.family]

    @property
    def family_of_curved(self) -> slice:
        """Parameters of the family of responses among the `curved` ones."""
        return slice(self.n_covariance, self.n_curved)

    def split(self, params: Array) -> Parameters:
        """Take a vector (..., P) apart."""
        parts = (self.fixed, self.covariance, self.family)
        return Parameters(*(params[..., part] for part in parts))
