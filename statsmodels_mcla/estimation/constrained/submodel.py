"""Models nested in a model: effects left out, covariance matrices of lower rank.

Parameters of the *whole* model are (beta, variances and covariances, dispersion), zero where an effect is left out.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from statsmodels_mcla.design import MixedDesign, RandomTerm
from statsmodels_mcla.estimation.boundary import Reduction, singular_working
from statsmodels_mcla.estimation.vanished_zeros import VanishedZeros
from statsmodels_mcla.likelihood.laplace import evaluate_laplace
from statsmodels_mcla.numerics import Array


def parameters_of_effect(design: MixedDesign, term: int, column: int) -> tuple[int, ...]:
    """Entries of ``params`` that are zero where one effect of a term has no variance: its row of G."""
    rows, cols = design.covariance.terms[term].lower
    first = design.layout.covariance.start + design.covariance.slices[term].start
    return tuple(int(first + a) for a in np.flatnonzero((rows == column) | (cols == column)))


@dataclass(frozen=True)
class Submodel:
    """A model nested in the whole one.

    Attributes
    ----------
    model : MixedDesign
        The whole model's, less effects that are left out.
    keep : ndarray of bool (P,)
        Parameters of the whole model that ``model`` has.
    reduction : Reduction
        Ranks of the covariance matrices of ``model``.
    size : float
        Standard deviation along the axes of the terms where a search would start: what others are measured by.
    """

    model: MixedDesign
    keep: np.ndarray
    reduction: Reduction
    size: float = 1.0

    @cached_property
    def design(self) -> MixedDesign:
        """Design whose parameters are the fitted ones."""
        return self.reduction.reduce(self.model)

    def natural(self, fitted: Array) -> Array:
        """Parameters of the whole model (P,) of those of ``design``."""
        return self.spread(self.reduction.extend(fitted))

    @cached_property
    def smooth(self) -> MixedDesign:
        """Return ``model``, or its limit without a dispersion where that is zero."""
        return self.model.lowered(None, at_limit=self.reduction.at_limit)

    def inner(self, params: Array) -> Array:
        """Return the parameters of ``smooth`` of those of the whole model."""
        return params[self.keep][: self.smooth.n_params]

    def laplace_height(self, params: Array) -> float:
        """Laplace log-likelihood at natural parameters of the whole model."""
        working = singular_working(self.smooth, self.inner(params))
        return evaluate_laplace(self.smooth, working).value

    def zeros(self, params: Array) -> VanishedZeros | None:
        """Zero part of small probabilities at natural parameters of the whole model, if there is one."""
        found = VanishedZeros.of(self.model, params[self.keep])
        return found and replace(found, variances=np.flatnonzero(self.keep)[found.variances])

    def spread(self, params: Array) -> Array:
        """Parameters of the whole model (P,) of those of ``model`` or ``smooth``."""
        out = np.zeros(len(self.keep))
        out[np.flatnonzero(self.keep)[: len(params)]] = params
        return out

    def restrict(self, params: Array) -> Array:
        """Return the parameters of ``design`` of those of the whole model."""
        return self.reduction.restrict(params[self.keep])

    def pull_back(self, fitted: Array, gradient: Array, hessian: Array) -> tuple[Array, Array]:
        """Derivatives in the parameters of ``design`` of a function of those of the whole model."""
        gradient, hessian = gradient[self.keep], hessian[np.ix_(self.keep, self.keep)]
        J = self.reduction.jacobian(fitted)
        return J.T @ gradient, J.T @ hessian @ J + self.reduction.bend(gradient)

    def parameters(self, term: int) -> np.ndarray:
        """Places of a term's variances and covariances among the whole model's parameters."""
        own = np.flatnonzero(self.keep)[self.model.layout.covariance]
        return own[self.model.covariance.slices[term]]

    @property
    def family(self) -> np.ndarray:
        """Places of the parameters of the family of responses among the whole model's."""
        return np.flatnonzero(self.keep)[self.model.layout.family]

    def with_pivots(self, pivots: Sequence[tuple[int, ...]], at_limit: bool | None = None) -> Submodel:
        """Return the same effects with covariance matrices of other ranks, and a dispersion of zero or not."""
        limit = self.reduction.at_limit if at_limit is None else at_limit
        return replace(self, reduction=replace(self.reduction.with_pivots(pivots), at_limit=limit))

    def without(self, zero: Collection[int]) -> Submodel:
        """Leave out the effects whose variances, entries of the whole model's parameters, are zero."""
        keep = self.keep.copy()
        terms: list[RandomTerm] = []
        pivots: list[tuple[int, ...]] = []
        for k, (term, shape) in enumerate(zip(self.model.terms, self.model.covariance.terms, strict=True)):
            rows, cols = shape.lower
            index = self.parameters(k)
            stays = np.array([int(v) not in zero for v in index[rows == cols]], bool)
            keep[index] = stays[rows] & stays[cols]
            if not stays.any():
                continue
            terms.append(term if stays.all() else _columns(term, stays))
            places = np.cumsum(stays) - 1
            drawn = [int(places[c]) for c in self.reduction.pivots[k] if stays[c]]
            spare = [int(p) for p in places[stays] if int(p) not in drawn]
            wanted = min(self.reduction.ranks[k], int(stays.sum()))
            pivots.append(tuple(sorted(drawn + spare[: wanted - len(drawn)])))
        model = replace(self.model, terms=tuple(terms))
        limit = self.reduction.at_limit or any(int(phi) in zero for phi in self.family)
        return Submodel(
            model, keep, replace(Reduction.of(model).with_pivots(pivots), at_limit=limit), self.size
        )


def _columns(term: RandomTerm, stays: np.ndarray) -> RandomTerm:
    """Return the term with some of its effects."""
    return replace(term.part(stays), design=None)
