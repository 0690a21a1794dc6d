"""What estimated marginal means are functions of: linear predictors, probabilities of categories, averages of them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from statsmodels_mcla.estimation import Estimates, Fitted, ParameterErrors
from statsmodels_mcla.families import MeanLink
from statsmodels_mcla.numerics import Array
from statsmodels_mcla.prediction.conditional_moments import LINEAR, moments, moments_of
from statsmodels_mcla.prediction.linear_predictors import JointRows, LinearRows
from statsmodels_mcla.prediction.population.reference_grid import ReferenceGrid

CHANCE = "prob: "  # what probabilities of categories are predicted by, before the name of the category


@dataclass(frozen=True)
class LinearPredictors:
    """Linear predictors of rows as a function of the fitted parameters.

    Attributes
    ----------
    fitted : Fitted
    rows : LinearRows
    errors : ParameterErrors
    averaged : bool
        Whether they are those whose mean is the average over the random effects, which otherwise are zero.
    which : str
        The mean that is averaged, a name among the family's `predictable`.
    joint : JointRows, optional
        All linear predictors that it depends on, where they are several.
    """

    fitted: Fitted
    rows: LinearRows
    errors: ParameterErrors
    averaged: bool = False
    which: str = "mean"
    joint: JointRows | None = None

    def __call__(self, params: Array) -> tuple[Array, Array]:
        """Values (N,) and their derivatives (N, P)."""
        there = replace(self.fitted, position=replace(self.fitted.position, params=params))
        if not self.averaged:
            (found,) = moments(there, self.rows, [LINEAR], self.errors)
            return found.mean, found.slope
        found = moments_of(there, self.rows, self.errors, self.which, self.joint)[-1]
        family = there.design.family
        link = family.link_function if self.joint else family.mean_curve(there.design.split(params)[2])
        linear = link.eta(found.mean)
        return linear, found.slope / link.mean_deriv(linear)[:, None]


@dataclass(frozen=True)
class CategoryProbabilities:
    """Probabilities of categories in rows as a function of the fitted parameters: all of the first category, and so on.

    Attributes
    ----------
    fitted : Fitted
    rows : LinearRows
    errors : ParameterErrors
    joint : dict
        Linear predictors that each probability depends on, None where that is the first alone; by the names among the
        family's `predictable`.
    """

    fitted: Fitted
    rows: LinearRows
    errors: ParameterErrors
    joint: dict[str, JointRows | None]

    @classmethod
    def of(cls, grid: ReferenceGrid, estimates: Estimates) -> CategoryProbabilities:
        """Probabilities in the cells of a grid."""
        fitted, source = estimates.fitted, grid.source
        of_family = fitted.design.family.predictable(fitted.design.split(fitted.params)[2])
        at = grid.cells, np.full(len(grid.cells), grid.offset)
        joint = {name: source.joint_rows(*at, name) for name in of_family if name.startswith(CHANCE)}
        return cls(fitted, grid.rows(), estimates.errors, joint)

    @property
    def categories(self) -> list[str]:
        """Their names."""
        return [name.removeprefix(CHANCE) for name in self.joint]

    def __call__(self, params: Array) -> tuple[Array, Array]:
        """Values (J N,) and their derivatives (J N, P)."""
        there = replace(self.fitted, position=replace(self.fitted.position, params=params))
        found = [moments_of(there, self.rows, self.errors, *item)[-1] for item in self.joint.items()]
        return np.concatenate([f.mean for f in found]), np.concatenate([f.slope for f in found])


@dataclass(frozen=True)
class Means:
    """Averages W eta of linear predictors or probabilities, on some scale, and combinations C of them.

    Attributes
    ----------
    predictors : LinearPredictors or CategoryProbabilities
    averages : ndarray (k, K)
    scale : MeanLink
        The averages are taken on the scale of the link, and then transformed.
    contrasts : ndarray (m, k), optional
    """

    predictors: LinearPredictors | CategoryProbabilities
    averages: Array
    scale: MeanLink
    contrasts: Array | None = None

    def __call__(self, params: Array) -> tuple[Array, Array]:
        """Values and their derivatives."""
        eta, slope = self.predictors(params)
        linear = self.averages @ eta
        value = self.scale.mean(linear)
        slope = self.scale.mean_deriv(linear)[:, None] * (self.averages @ slope)
        return (value, slope) if self.contrasts is None else (self.contrasts @ value, self.contrasts @ slope)
