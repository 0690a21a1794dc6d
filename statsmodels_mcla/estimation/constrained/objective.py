"""Likelihoods as functions of working parameters, to climb under a constraint: Monte Carlo and Laplace.

An objective is the likelihood of a `Submodel` in unconstrained coordinates x; a `Point` is everything that one
evaluation tells.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple, Protocol

import numpy as np

from statsmodels_mcla.design import MixedDesign, SearchScale, working_scale
from statsmodels_mcla.estimation.boundary import Reduction, singular_working
from statsmodels_mcla.estimation.constrained.submodel import Submodel
from statsmodels_mcla.estimation.fitted import Fitted
from statsmodels_mcla.estimation.search import fit_without_random_effects, search_scale
from statsmodels_mcla.likelihood.laplace import evaluate_laplace
from statsmodels_mcla.likelihood.monte_carlo import evaluate
from statsmodels_mcla.likelihood.sampling import BlockSampling, Sampler
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
    replicates : tuple of ndarray
        See `Evaluation`.
    state : object
        Where the next evaluation nearby starts from.
    """

    x: Array
    params: Array
    value: float
    gradient: Array
    hessian: Array
    value_var: float
    replicates: tuple[Array, ...]
    state: Any


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
    def of_draws(cls, fitted: Fitted, full: MixedDesign, se: Array) -> ObjectiveMaximum:
        """Maximum of a Monte Carlo likelihood; joint draws, too noisy to move, give way to blocks."""
        sampler, near = fitted.sampler, fitted.position
        submodel = _whole(full, fitted.reduction)
        if sampler.sampling.joint:
            objective = MonteCarloObjective(submodel, sampler.by_blocks().with_size(DRAWS), fitted.n_jobs)
            top = objective.at(objective.scale.from_natural(fitted.params))
        else:
            objective = MonteCarloObjective(submodel, sampler, fitted.n_jobs)
            top = objective.at(objective.scale.from_natural(fitted.params), near)
        return cls(objective, top, full, se)

    @classmethod
    def of_laplace(
        cls, params: Array, reduction: Reduction, full: MixedDesign, se: Array
    ) -> ObjectiveMaximum:
        """Maximum of a Laplace likelihood."""
        objective = LaplaceObjective(_whole(full, reduction))
        return cls(objective, objective.at(objective.locate(params)), full, se)

    @property
    def params(self) -> Array:
        """Natural parameters of the whole model."""
        return self.top.params

    @property
    def whole(self) -> Submodel:
        """Return all effects, at full rank."""
        return replace(self.objective.submodel, reduction=Reduction.of(self.full))

    @property
    def reduction(self) -> Reduction:
        """Ranks at the maximum."""
        return self.objective.submodel.reduction


def _whole(full: MixedDesign, reduction: Reduction) -> Submodel:
    origin = search_scale(full, fit_without_random_effects(full)).origin
    return Submodel(full, np.ones(full.n_params, bool), reduction, origin)


def difference_error(one: Point, other: Point) -> float:
    """Monte Carlo standard error of the difference of two log-likelihoods.

    With the same base numbers in both, replicate by replicate, most of the error cancels; draws that have
    nothing to do with each other add up their variances.
    """
    shapes = [tuple(r.shape for r in point.replicates) for point in (one, other)]
    if shapes[0] != shapes[1] or not shapes[0]:
        return float(np.sqrt(one.value_var + other.value_var))
    total = 0.0
    for a, b in zip(one.replicates, other.replicates, strict=True):
        R = a.shape[1]
        total += R / (R - 1.0) * float(((a - b) ** 2).sum()) if R > 1 else np.inf
    return float(np.sqrt(total))


@dataclass(frozen=True)
class MonteCarloObjective:
    """Monte Carlo log-likelihood, its draws made again at every place from the same base numbers."""

    submodel: Submodel
    sampler: Sampler
    n_jobs: int

    @cached_property
    def scale(self) -> SearchScale:
        """From x to the parameters of the design whose effects are drawn."""
        return working_scale(self.sampler.design)

    @cached_property
    def deviations(self) -> np.ndarray:
        """See `Objective`."""
        return self.scale.n_fixed + np.flatnonzero(self.scale.covariance.is_variance)

    def at(self, x: Array, near: Any = None) -> Point:
        """See `Objective`."""
        position = self.sampler.at(self.scale.natural(x), near)
        keep = self.sampler.quasi and not self.sampler.sampling.joint
        found = evaluate(
            self.sampler.design, position.params, position.draws, replicates=keep, n_jobs=self.n_jobs
        )
        g, H = self.scale.derivatives(x, found.score, found.hessian)
        params = self.submodel.natural(position.params)
        return Point(x, params, found.value, g, H, found.value_var, found.replicates, position)

    def natural(self, x: Array) -> Array:
        """See `Objective`."""
        return self.submodel.natural(self.scale.natural(x))

    def locate(self, params: Array) -> Array:
        """See `Objective`."""
        return self.scale.from_natural(self.submodel.restrict(params))

    def pull_back(self, x: Array, gradient: Array, hessian: Array) -> tuple[Array, Array]:
        """See `Objective`."""
        return self.scale.derivatives(x, *self.submodel.pull_back(self.scale.natural(x), gradient, hessian))

    def on(self, submodel: Submodel) -> MonteCarloObjective:
        """See `Objective`; every block gets as many draws as most have here."""
        old = self.sampler
        size = max((int(np.median(s)) for s in old.sizes), default=2)
        sampler = Sampler.start(submodel.design, BlockSampling(), old.seed, old.quasi, None).with_size(size)
        return MonteCarloObjective(submodel, sampler, self.n_jobs)


@dataclass(frozen=True)
class LaplaceObjective:
    """Laplace log-likelihood; its Hessian is by differences of the exact gradient.

    The Cholesky factor of a singular covariance matrix has columns of zeros, which are no coordinates.
    """

    submodel: Submodel

    @cached_property
    def scale(self) -> SearchScale:
        """Working parameters, those that are zero included."""
        return working_scale(self.submodel.smooth)

    @cached_property
    def free(self) -> np.ndarray:
        """Places of x among the working parameters."""
        return np.flatnonzero(self.submodel.reduction.free_working[: self.submodel.smooth.n_params])

    @cached_property
    def deviations(self) -> np.ndarray:
        """See `Objective`."""
        diagonal = self.scale.n_fixed + np.flatnonzero(self.scale.covariance.is_variance)
        return np.flatnonzero(np.isin(self.free, diagonal))

    def _all(self, x: Array) -> Array:
        out = np.zeros(len(self.scale.origin))
        out[self.free] = x
        return out

    def at(self, x: Array, near: Any = None) -> Point:
        """See `Objective`."""
        scale, design = self.scale, self.submodel.smooth
        found = evaluate_laplace(design, scale.semi_natural(self._all(x)), near)

        def gradient(x: Array) -> Array:
            w = self._all(x)
            there = evaluate_laplace(design, scale.semi_natural(w), found.modes)
            return scale.gradient_of_semi_natural(w, there.gradient)[self.free]

        H = differences(gradient, x, 1e-4 * np.maximum(np.abs(x), 0.1))
        g = scale.gradient_of_semi_natural(self._all(x), found.gradient)[self.free]
        return Point(x, self.natural(x), found.value, g, 0.5 * (H + H.T), 0.0, (), found.modes)

    def natural(self, x: Array) -> Array:
        """See `Objective`."""
        return self.submodel.spread(self.scale.natural(self._all(x)))

    def locate(self, params: Array) -> Array:
        """See `Objective`."""
        semi_natural = singular_working(self.submodel.smooth, self.submodel.inner(params))
        return self.scale.from_semi_natural(semi_natural)[self.free]

    def pull_back(self, x: Array, gradient: Array, hessian: Array) -> tuple[Array, Array]:
        """See `Objective`."""
        keep = np.flatnonzero(self.submodel.keep)[: self.submodel.smooth.n_params]
        g, H = self.scale.derivatives(self._all(x), gradient[keep], hessian[np.ix_(keep, keep)])
        return g[self.free], H[np.ix_(self.free, self.free)]

    def on(self, submodel: Submodel) -> LaplaceObjective:
        """See `Objective`."""
        return LaplaceObjective(submodel)
