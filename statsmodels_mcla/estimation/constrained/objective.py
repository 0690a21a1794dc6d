"""Likelihoods as functions of working parameters, to climb under a constraint: Monte Carlo and Laplace.

An objective is the likelihood of a `Submodel` in unconstrained coordinates x; a `Point` is everything that one
evaluation tells.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple, Protocol

import numpy as np

from statsmodels_mcla.design import DesignFacts, MixedDesign, SearchScale
from statsmodels_mcla.estimation.boundary import Reduction
from statsmodels_mcla.estimation.constrained.submodel import Submodel
from statsmodels_mcla.estimation.estimates import Estimates
from statsmodels_mcla.estimation.vanished_zeros import VanishedZeros
from statsmodels_mcla.execution import Executor
from statsmodels_mcla.likelihood.laplace import evaluate_laplace
from statsmodels_mcla.likelihood.monte_carlo import Evaluated, evaluate
from statsmodels_mcla.likelihood.sampling import Sampler
from statsmodels_mcla.numerics import Array, differences

DRAWS = 1024  # a block, where those of a fit are no use


class Point(NamedTuple):
    """Log-likelihood at one place.

    Attributes
    ----------
    x : ndarray (k,)
        Working parameters.
    params : ndarray (P,)
        Natural parameters of the whole model.
    value : float
    gradient, hessian : ndarray (k,), (k, k)
        In x.
    value_var : float
        Monte Carlo variance of ``value``.
    replicates : Evaluated, optional
        What replicates add, where draws are comparable.
    state : object
        Where the next evaluation nearby starts from.
    design : DesignFacts
        Whose rows were evaluated.
    """

    x: Array
    params: Array
    value: float
    gradient: Array
    hessian: Array
    value_var: float
    replicates: Any
    state: Any
    design: DesignFacts


class Objective(Protocol):
    """A log-likelihood to climb."""

    @property
    def submodel(self) -> Submodel:
        """Data, effects and ranks."""

    @property
    def deviations(self) -> np.ndarray:
        """Coordinates that are standard deviations, or alike: zero is the boundary, and the sign does not matter."""

    def at(self, x: Array, near: Any = None) -> Point:
        """Evaluate."""

    def natural(self, x: Array) -> Array:
        """Natural parameters of the whole model (P,)."""

    def locate(self, params: Array) -> Array:
        """Coordinates of natural parameters of the whole model."""

    def pull_back(self, x: Array, gradient: Array, hessian: Array) -> tuple[Array, Array]:
        """Derivatives in x of a function of the natural parameters of the whole model."""

    def on(self, submodel: Submodel) -> Objective:
        """Return the same approximation for another model of the same rows."""


@dataclass(frozen=True)
class ObjectiveMaximum:
    """A likelihood at its maximum.

    Attributes
    ----------
    objective : Objective
    top : Point
    full : MixedDesign
        Of the whole model.
    se : ndarray (P,)
        Standard errors, NaN at the boundary.
    """

    objective: Objective
    top: Point
    full: MixedDesign
    se: Array

    @classmethod
    def of(cls, estimates: Estimates, full: MixedDesign) -> ObjectiveMaximum:
        """Maximum of the likelihood of a fit; joint draws, too noisy to move, give way to blocks."""
        full.refuse_part()
        submodel = Submodel(full, np.ones(full.n_params, bool), estimates.reduction, estimates.size)
        if not estimates.drawn:
            laplace = LaplaceObjective(submodel)
            return cls(laplace, laplace.at(laplace.locate(estimates.params)), full, estimates.se)
        fitted = estimates.fitted
        joint = fitted.sampler.sampling.joint
        sampler = fitted.sampler.by_blocks().with_size(DRAWS) if joint else fitted.sampler
        near = None if joint else fitted.position
        objective = MonteCarloObjective(submodel, sampler, fitted.executor)
        return cls(
            objective, objective.at(objective.scale.from_fitted(fitted.params), near), full, estimates.se
        )

    @property
    def params(self) -> Array:
        """Natural parameters of the whole model."""
        return self.top.params

    @property
    def vanished_zeros(self) -> VanishedZeros | None:
        """The zero part, if it has vanished."""
        zeros = self.objective.submodel.zeros(self.params)
        return zeros if zeros is not None and zeros.gone(self.params) else None

    @property
    def whole(self) -> Submodel:
        """Return all effects, at full rank."""
        return replace(self.objective.submodel, reduction=Reduction.of(self.full))

    @property
    def reduction(self) -> Reduction:
        """Ranks at the maximum."""
        return self.objective.submodel.reduction


def difference_error(one: Point, other: Point) -> float:
    """Monte Carlo standard error of the difference of two log-likelihoods.

    With the same base numbers in both, replicate by replicate, most of the error cancels; draws that have
    nothing to do with each other add up their variances.
    """
    if one.replicates is None or other.replicates is None:
        return float(np.sqrt(one.value_var + other.value_var))
    parts = one.design.map(_squared_difference, one.replicates, other.replicates)
    known = [part for part in parts if part is not None]
    alike = len(known) == len(parts)
    return float(np.sqrt(sum(known) if alike else one.value_var + other.value_var))


def _squared_difference(design: MixedDesign, one: Evaluated, other: Evaluated) -> float | None:
    """Sum of the squared differences of what the same replicates add; None where they are not the same."""
    mine, its = one.replicates, other.replicates
    if [r.shape for r in mine] != [r.shape for r in its]:
        return None
    R = [a.shape[1] for a in mine]
    squares = [float(((a - b) ** 2).sum()) for a, b in zip(mine, its, strict=True)]
    return sum(r / (r - 1.0) * square if r > 1 else np.inf for r, square in zip(R, squares, strict=True))


@dataclass(frozen=True)
class _Working:
    """A likelihood of a submodel in its loadings, log dispersion and fixed effects of orthonormal columns."""

    submodel: Submodel

    @cached_property
    def scale(self) -> SearchScale:
        """From x to the fitted parameters."""
        design = self.submodel.design
        return SearchScale.plain(design.layout, design.family.parameter_scale, design.known_axes)

    @cached_property
    def deviations(self) -> np.ndarray:
        """See `Objective`."""
        return np.concatenate([np.zeros(0, int), *self.submodel.reduction.diagonal])

    def natural(self, x: Array) -> Array:
        """See `Objective`."""
        return self.submodel.natural(self.scale.fitted(x))

    def locate(self, params: Array) -> Array:
        """See `Objective`."""
        return self.scale.from_fitted(self.submodel.restrict(params))

    def pull_back(self, x: Array, gradient: Array, hessian: Array) -> tuple[Array, Array]:
        """See `Objective`."""
        return self.scale.derivatives(x, *self.submodel.pull_back(self.scale.fitted(x), gradient, hessian))


@dataclass(frozen=True)
class MonteCarloObjective(_Working):
    """Monte Carlo log-likelihood, its draws made again at every place from the same base numbers."""

    sampler: Sampler
    executor: Executor

    def at(self, x: Array, near: Any = None) -> Point:
        """See `Objective`."""
        position = self.sampler.at(self.scale.fitted(x), near)
        keep = self.sampler.quasi and not self.sampler.sampling.joint
        found = evaluate(
            self.sampler.design, position.params, position.draws, replicates=keep, executor=self.executor
        )
        g, H = self.scale.derivatives(x, found.score, found.hessian)
        params = self.submodel.natural(position.params)
        return Point(
            x,
            params,
            found.value,
            g,
            H,
            found.value_var,
            found.kept if keep else None,
            position,
            self.sampler.design,
        )

    def on(self, submodel: Submodel) -> MonteCarloObjective:
        """See `Objective`; every block gets as many draws as most have here."""
        return MonteCarloObjective(submodel, self.sampler.on(submodel.design), self.executor)


@dataclass(frozen=True)
class LaplaceObjective(_Working):
    """Laplace log-likelihood; its Hessian is by differences of the exact gradient."""

    def at(self, x: Array, near: Any = None) -> Point:
        """See `Objective`."""
        scale, design = self.scale, self.submodel.design
        found = evaluate_laplace(design, scale.fitted(x), near)

        def gradient(x: Array) -> Array:
            return scale.gradient(x, evaluate_laplace(design, scale.fitted(x), found.modes).gradient)

        H = differences(gradient, x, 1e-4 * np.maximum(np.abs(x), 0.1))
        g = scale.gradient(x, found.gradient)
        return Point(x, self.natural(x), found.value, g, 0.5 * (H + H.T), 0.0, None, found.modes, design)

    def on(self, submodel: Submodel) -> LaplaceObjective:
        """See `Objective`."""
        return LaplaceObjective(submodel)
