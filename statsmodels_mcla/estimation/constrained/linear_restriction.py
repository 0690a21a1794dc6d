r"""Linear equations R beta = q between the fixed effects, and fits that keep to them.

As many fixed effects as there are equations are functions of the others, the *free* ones gamma:

    beta = T gamma + a,        X beta + offset = (X T) gamma + (X a + offset),

so that a fit with other columns and another offset is the fit under the equations.  Its estimates, their covariance and
their Monte Carlo errors are carried to beta by T; the covariance is singular, of the rank of the free ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from scipy.linalg import block_diag, qr, solve_triangular

from statsmodels_mcla.design import MixedDesign
from statsmodels_mcla.estimation.boundary import Reduction
from statsmodels_mcla.estimation.error_propagation import Variation
from statsmodels_mcla.estimation.estimates import EstimateCovariance, Estimates, Later
from statsmodels_mcla.estimation.fitted import Fitted
from statsmodels_mcla.numerics import Array

DEPENDENT = 1e-10  # of the largest pivot, below which an equation follows from the others
ROUNDING = 1e-13  # of the terms of a sum, below which it is zero


@dataclass(frozen=True)
class AffineMap:
    """Parameters x -> M x + a, with all that is known of their errors."""

    M: Array
    a: Array

    def of(self, params: Array) -> Array:
        """Carry parameters (P,)."""
        return np.asarray(self.M @ params + self.a)

    def errors(self, values: Array) -> Array:
        """Carry an error (P,) or a covariance (..., P, P); NaN where it rests on something unknown."""
        vector = values.ndim == 1
        gone = np.isnan(values if vector else np.diagonal(values, axis1=-2, axis2=-1)).reshape(
            -1, self.M.shape[1]
        )
        lost = (self.M[:, gone.any(axis=0)] != 0).any(axis=1)
        known = np.nan_to_num(values)
        out = self.M @ known if vector else self.M @ known @ self.M.T
        out[..., lost] = np.nan
        if not vector:
            out[..., lost, :] = np.nan
        return np.asarray(out)


@dataclass(frozen=True)
class LinearRestriction:
    """Equations between fixed effects, solved for as many of them.

    Attributes
    ----------
    R, q : ndarray (k, p), (k,)
        The equations.
    T, a : ndarray (p, p - k), (p,)
        All fixed effects as functions of the free ones.
    free : ndarray of int (p - k,)
        Which of them are free; these rows of T are the identity.
    """

    R: Array
    q: Array
    T: Array
    a: Array
    free: np.ndarray

    @classmethod
    def of(cls, R: Array, q: Array) -> LinearRestriction:
        """Solve equations.

        Raises
        ------
        ValueError
            If one of them contradicts the others or follows from them.
        """
        k, p = R.shape
        Q, U, order = qr(R, mode="economic", pivoting=True)
        size = np.abs(np.diag(U))
        if k > p or not size[0] or size.min() < DEPENDENT * size[0]:
            raise ValueError(
                f"constraints: not all {k} equations say something new of the {p} fixed effects; leave out those that "
                "follow from others or contradict them"
            )
        inverse = solve_triangular(U[:, :k], np.eye(k))
        free = np.sort(order[k:])
        T, a = np.zeros((p, p - k)), np.zeros(p)
        T[free, np.arange(p - k)] = 1.0
        places = np.searchsorted(free, order[k:])
        T[np.ix_(order[:k], places)] = -_without_rounding(inverse, U[:, k:])
        a[order[:k]] = _without_rounding(inverse, (Q.T @ q)[:, None])[:, 0]
        return cls(R, q, T, a, free)

    def beside(self, n_others: int) -> AffineMap:
        """Map of all parameters, of which some number of others come after the fixed effects."""
        return AffineMap(block_diag(self.T, np.eye(n_others)), np.concatenate([self.a, np.zeros(n_others)]))

    def design(self, design: MixedDesign) -> MixedDesign:
        """Design of the free fixed effects, on the same rows and in the same blocks."""
        X, offset = np.ascontiguousarray(design.X @ self.T), design.offset + design.X @ self.a
        return replace(design, X=X, offset=offset)

    def estimates(
        self, found: Estimates, design: MixedDesign, names: Sequence[str], non_negative: np.ndarray
    ) -> Estimates:
        """Estimates of all parameters, from those of the design of the free ones.

        Parameters
        ----------
        found : Estimates
        design : MixedDesign
            Of all parameters.
        names, non_negative
            Of all parameters.
        """
        layout = replace(found.layout, fixed_effects=design.layout.fixed_effects)
        reduction = replace(found.reduction, layout=layout)
        natural = self.beside(layout.n_curved)
        fitted = self.beside(reduction.fitted_layout.n_curved)

        def carried(kind: EstimateCovariance) -> EstimateCovariance:
            return replace(
                kind,
                matrix_later=Later(partial(_errors, natural, kind.matrix_later)),
                variation_later=Later(partial(_variation, fitted, kind.variation_later)),
            )

        information = carried(found.information)
        endless = [found.names.index(name) for name in found.separated]
        moved = (natural.M[:, endless] != 0).any(axis=1)
        return replace(
            found,
            names=tuple(names),
            params=natural.of(found.params),
            non_negative=non_negative,
            reduction=reduction,
            information=information,
            cov=information if found.cov is found.information else carried(found.cov),
            maximum=Later(partial(_fitted, design, reduction, fitted, found.maximum)),
            cov_mcse=None if found.cov_mcse is None else natural.errors(found.cov_mcse),
            separated=tuple(name for name, on_the_way in zip(names, moved, strict=True) if on_the_way),
        )


def _without_rounding(A: Array, B: Array) -> Array:
    """Product A B, exactly zero where only rounding errors are left."""
    out = A @ B
    out[np.abs(out) <= ROUNDING * (np.abs(A) @ np.abs(B))] = 0.0
    return np.asarray(out)


def _errors(change: AffineMap, matrix: Later[Array]) -> Array:
    return change.errors(matrix())


def _variation(change: AffineMap, variation: Later[Variation | None]) -> Variation | None:
    found = variation()
    if found is None:
        return None
    return replace(
        found,
        params=change.of(found.params),
        cov=change.errors(found.cov),
        d_params=found.d_params @ change.M.T,
        d_cov=change.M @ found.d_cov @ change.M.T,
    )


def _fitted(design: MixedDesign, reduction: Reduction, change: AffineMap, maximum: Later[Fitted]) -> Fitted:
    """The same draws as those of all fixed effects, which linear predictors and modes are the same functions of."""
    found = maximum()
    sampler = replace(found.sampler, design=reduction.reduce(design))
    position = sampler.at(change.of(found.params))
    return Fitted(sampler.design, reduction, sampler, position, found.executor)
