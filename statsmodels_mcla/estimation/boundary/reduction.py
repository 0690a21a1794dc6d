"""From the parameters of a model to those that are fitted, and back.

Parameters of the model are (beta, variances and covariances, dispersion); *fitted* ones are (beta, loadings,
dispersion), with as many loadings as the ranks of the covariance matrices ask for (`covariance.low_rank`).  All are
interior: standard errors are as usual, and the derivatives of G carry them over to the variances and covariances of
the model.  A dispersion of zero is left out likewise, where the family has a limit without one (negative binomial:
Poisson).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeVar

import numpy as np
import scipy.sparse as sp

from statsmodels_mcla.covariance import Loadings, ReducedTerm
from statsmodels_mcla.design import DesignFacts, ParameterLayout
from statsmodels_mcla.numerics import Array

Design = TypeVar("Design", bound=DesignFacts)

LOST = 1e-9  # of a covariance, in units of the standard deviations, that is round-off


@dataclass(frozen=True)
class Reduction:
    """Ranks of the covariance matrices of a model, and whether its dispersion is zero.

    Attributes
    ----------
    terms : tuple of ReducedTerm
    layout : ParameterLayout
        Where the model's parameters lie.
    at_limit : bool
        Whether the dispersion is zero.
    """

    terms: tuple[ReducedTerm, ...]
    layout: ParameterLayout
    at_limit: bool = False

    @classmethod
    def of(cls, design: DesignFacts, pivots: Sequence[Sequence[int]] | None = None) -> Reduction:
        """Terms of a model's design with the pivots given, in that order; at full rank by default."""
        covariance = design.covariance.terms
        chosen = [None] * len(covariance) if pivots is None else pivots
        terms = tuple(
            ReducedTerm.of(c, t.n_levels, own, t.axes)
            for c, t, own in zip(covariance, design.terms, chosen, strict=True)
        )
        return cls(terms, replace(design.layout, n_covariance=design.covariance.size))

    @cached_property
    def fitted_layout(self) -> ParameterLayout:
        """Where the fitted parameters lie."""
        n_family = 0 if self.at_limit else self.layout.n_family
        return replace(self.layout, n_covariance=self._loadings.size, n_family=n_family)

    @cached_property
    def _loadings(self) -> Loadings:
        return Loadings(self.terms)

    @property
    def shape(self) -> tuple[int, ...]:
        """Rank of each term, and whether there is a dispersion: what tells reductions of a design apart."""
        return (*self.ranks, self.fitted_layout.n_family)

    @property
    def pivots(self) -> tuple[tuple[int, ...], ...]:
        """Coordinates of each term that the rest are combinations of, as many as its rank."""
        return tuple(t.leading for t in self.terms)

    def with_pivots(self, pivots: Sequence[Sequence[int]]) -> Reduction:
        """Change ranks; terms whose pivots are the same stay as they are."""
        terms = tuple(
            t if t.leading == tuple(new) else t.with_pivots(new)
            for t, new in zip(self.terms, pivots, strict=True)
        )
        return replace(self, terms=terms)

    def without(self, absent: Sequence[tuple[int, ...]]) -> Reduction:
        """Return the same without the effects of some coordinates of each term."""
        terms = tuple(
            t.without(own) if own and own != t.absent else t
            for t, own in zip(self.terms, absent, strict=True)
        )
        return replace(self, terms=terms)

    @property
    def ranks(self) -> tuple[int, ...]:
        """Rank of the covariance matrix of each term."""
        return self._loadings.ranks

    @property
    def singular(self) -> tuple[int, ...]:
        """Terms whose covariance matrix is singular."""
        return tuple(k for k, t in enumerate(self.terms) if t.singular)

    @property
    def vanished(self) -> tuple[int, ...]:
        """Terms whose variances are all zero."""
        return tuple(k for k, t in enumerate(self.terms) if not t.rank)

    @cached_property
    def keep(self) -> np.ndarray:
        """Parameters of the model that are not zero by reduction, (P,) bool: those that have standard errors."""
        out = np.ones(self.layout.size, bool)
        for t, rows, _ in self._places():
            out[rows] = t.present
        out[self.layout.family] = not self.at_limit
        return out

    def reduce(self, design: Design) -> Design:
        """Design whose parameters are the fitted ones, without the terms that vanish."""
        plain = all(t.plain for t in self.terms)
        if plain and not self.at_limit:
            return design
        return design.lowered(None if plain else self.terms, at_limit=self.at_limit)  # type: ignore[return-value]

    def of_levels(self, levels: Sequence[int]) -> Reduction:
        """The same for terms with other numbers of levels."""
        terms = tuple(replace(t, levels=n) for t, n in zip(self.terms, levels, strict=True))
        return replace(self, terms=terms)

    def restrict(self, params: Array) -> Array:
        """Fitted parameters of given parameters of the model; what G has beyond the rank of its term is lost.

        Raises
        ------
        numpy.linalg.LinAlgError
            If the rank of a covariance matrix is too low.
        """
        beta, _, phi = self.layout.split(params)
        loadings = [t.restrict(t.whole.matrix(params[s])) for t, s, _ in self._places()]
        return np.concatenate([beta, *loadings, phi[: self.fitted_layout.n_family]])

    def extend(self, fitted: Array) -> Array:
        """Parameters of the model: natural scale, zero for vanished terms."""
        beta, _, phi = self.fitted_layout.split(fitted)
        parts = [t.natural(fitted[own]) for t, _, own in self._places()]
        return np.concatenate([beta, *parts, phi, np.zeros(self.layout.n_family - len(phi))])

    def covers(self, params: Array) -> bool:
        """Whether `restrict` loses nothing of parameters of the model but round-off."""
        try:
            own = self.extend(self.restrict(params))
        except np.linalg.LinAlgError:
            return False
        for t, rows, _ in self._places():
            G, found = t.whole.matrix(params[rows]), t.whole.matrix(own[rows])
            size = np.sqrt(np.maximum(np.diag(G), 0.0))
            if np.any(np.abs(G - found) > LOST * np.outer(size, size)):
                return False
        return bool(np.array_equal(own[self.layout.family], params[self.layout.family]))

    def extend_all(self, fitted: Array) -> Array:
        """Parameters of the model (N, P) from fitted ones (N, P fitted); NaN at the boundary."""
        out = np.stack([self.extend(p) for p in fitted])
        out[:, ~self.keep] = np.nan
        return out

    def _places(self) -> list[tuple[ReducedTerm, slice, slice]]:
        """Where each term's parameters lie among the model's and among the fitted ones."""
        row = column = self.layout.covariance.start
        out = []
        for t in self.terms:
            out.append((t, slice(row, row + t.whole.size), slice(column, column + t.size)))
            row, column = row + t.whole.size, column + t.size
        return out

    @property
    def places(self) -> list[slice]:
        """Where each term's loadings lie among the fitted parameters."""
        return [own for _, _, own in self._places()]

    @property
    def diagonal(self) -> list[np.ndarray]:
        """Where each term's diagonal loadings lie: zero where a standard effect adds nothing."""
        return [own.start + t.diagonal for t, _, own in self._places()]

    def with_signs_of(self, fitted: Array, other: Array) -> Array:
        """Fitted parameters of the same covariance matrices, with the signs of another's diagonal loadings.

        The likelihood is even in the columns of D; its average over draws that were made for one sign is not.
        """
        out = fitted.copy()
        for t, _, own in self._places():
            for k, first in enumerate(own.start + t.diagonal):
                if fitted[first] * other[first] < 0:
                    out[own.start + np.array([a for a, (_, c) in enumerate(t.entries) if c == k])] *= -1.0
        return out

    def jacobian(self, fitted: Array) -> Array:
        """Derivative of the model's parameters in the fitted ones, (P, P fitted).

        Rows of vanished terms are zero.  A covariance matrix of the fitted parameters becomes one of the model's
        by it, J V J', where ``keep`` says which rows mean anything.
        """
        J = np.zeros((self.layout.size, len(fitted)))
        J[self.layout.fixed, self.layout.fixed] = np.eye(self.layout.n_fixed)
        for t, rows, own in self._places():
            J[rows, own] = t.jacobian(fitted[own])
        n_family = self.fitted_layout.n_family
        J[self.layout.family, self.fitted_layout.family] = np.eye(self.layout.n_family)[:, :n_family]
        return J

    def bend(self, gradient: Array) -> Array:
        """Sum over the model's parameters of gradient times their second derivatives in the fitted ones."""
        out = np.zeros((self.fitted_layout.size,) * 2)
        for t, rows, own in self._places():
            out[own, own] = t.curvature(gradient[rows])
        return out

    def spread(self, values: Array) -> Array:
        """Errors of the parameters that are kept, or their covariance, among all of the model's: NaN for the others."""
        kept = np.flatnonzero(self.keep)
        out = np.full((self.layout.size,) * values.ndim, np.nan)
        out[np.ix_(*(kept,) * values.ndim)] = values
        return out

    def carry(self, fitted: Array, values: Array) -> Array:
        """Carry an error of the fitted parameters (P fitted,), or a covariance, over to the model's.

        NaN for vanished terms.
        """
        J = self.jacobian(fitted)
        out = J @ values if values.ndim == 1 else J @ values @ J.T
        for axis in range(values.ndim):
            np.moveaxis(out, axis, 0)[~self.keep] = np.nan
        return np.asarray(out)

    def derivatives(self, fitted: Array, score: Array, hessian: Array) -> tuple[Array, Array]:
        """Score and Hessian in the model's parameters from those in the fitted ones: NaN for singular terms."""
        J = self.jacobian(fitted)
        inside, columns = np.ones(len(J), bool), np.ones(len(fitted), bool)
        for t, rows, own in self._places():
            inside[rows], columns[own] = not t.singular, not t.singular
        inside[self.layout.family] = not self.at_limit
        inverse = np.linalg.inv(J[np.ix_(inside, columns)])
        out = np.full(len(J), np.nan)
        out[inside] = inverse.T @ score[columns]
        bent = hessian - self.bend(np.where(inside, out, 0.0))
        second = np.full((len(J), len(J)), np.nan)
        second[np.ix_(inside, inside)] = inverse.T @ bent[np.ix_(columns, columns)] @ inverse
        return out, second

    def effects(self, fitted: Array) -> sp.csr_array:
        """Matrix (Q, Q drawn) that turns standard effects into the effects of the model: zero for vanished terms."""
        parts = [
            sp.kron(sp.eye_array(t.levels), t.factor(fitted[own]))
            if t.rank
            else sp.csr_array((t.levels * t.whole.dim, 0))
            for t, _, own in self._places()
        ]
        return sp.csr_array(sp.block_diag(parts)) if parts else sp.csr_array((0, 0))
