"""Models in the parameters that are free at their maximum, at and near the boundary.

A covariance matrix G of d effects whose maximum has rank r < d is singular, and the density of the effects
degenerates; near such a maximum, the likelihood over draws of the effects knows little of the small variances.
What stays regular is to draw other effects and to let *loadings* turn them into those of the model:

    u_1 ~ N(0, G_1)            the *pivots*, coordinates whose own covariance matrix is well away from singular
    u_2 = A u_1 + D b          the others, combinations of the pivots and of few standard effects b ~ N(0, I)

with A free and D lower triangular, in the order of the coordinates that are left.  With r_1 pivots and r_2 standard
effects, G has rank r = r_1 + r_2, and

    G = C G_1 C' + E E',       C = [I; A],  E = [0; D]  in the order of the coordinates.

The parameters (G_1, A, D) are as many as a matrix of rank r has, and all are interior: standard errors are as
usual, and the derivatives of G carry them over to the variances and covariances of the model.  r = 0 is a term that
vanishes; r_1 = d is a term as it stands.

A dispersion of zero is left out likewise, where the family has a limit without one (negative binomial: Poisson).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice

import numpy as np
import scipy.sparse as sp

from statsmodels_mcla.covariance import Layout, ReducedTerm
from statsmodels_mcla.design import MixedDesign, RandomTerm
from statsmodels_mcla.numerics import Array


@dataclass(frozen=True)
class Reduction:
    """From the parameters of a model to those that are fitted, and back.

    Parameters of the model are (beta, variances and covariances, dispersion); *fitted* parameters, those of the
    reduced design, are (beta, variances and covariances of the pivots, loadings, dispersion).  Where all terms are
    drawn as they stand, they are the same.

    Attributes
    ----------
    terms : tuple of ReducedTerm
    n_fixed, n_dispersion : int
    at_limit : bool
        Whether the dispersion is zero.
    """

    terms: tuple[ReducedTerm, ...]
    n_fixed: int
    n_dispersion: int
    at_limit: bool = False

    @classmethod
    def of(cls, design: MixedDesign, layouts: Sequence[Layout] | None = None) -> Reduction:
        """Draw the terms of a model's design as told; by default, as they stand."""
        covariance = design.covariance.terms
        if layouts is None:
            layouts = [Layout.of(range(t.dim), t.dim) for t in covariance]
        terms = tuple(
            ReducedTerm(c, len(t.levels), layout)
            for c, t, layout in zip(covariance, design.terms, layouts, strict=True)
        )
        return cls(terms, design.n_fixed, design.n_dispersion)

    @property
    def n_free_dispersion(self) -> int:
        """Number of dispersion parameters that are not zero."""
        return 0 if self.at_limit else self.n_dispersion

    @property
    def shape(self) -> tuple[int, ...]:
        """Rank of each term, and whether there is a dispersion: what tells reductions of a design apart."""
        return (*self.ranks, self.n_free_dispersion)

    @property
    def layouts(self) -> tuple[Layout, ...]:
        """How the effects of each term are drawn."""
        return tuple(t.layout for t in self.terms)

    @property
    def pivots(self) -> tuple[tuple[int, ...], ...]:
        """Coordinates of each term that the rest are combinations of, as many as its rank."""
        return tuple(t.layout.leading for t in self.terms)

    def with_pivots(self, pivots: Sequence[Sequence[int]]) -> Reduction:
        """Change ranks; terms whose pivots are the same are drawn as before."""
        terms = tuple(
            t if t.layout.leading == tuple(new) else replace(t, layout=Layout.of(new, t.whole.dim))
            for t, new in zip(self.terms, pivots, strict=True)
        )
        return replace(self, terms=terms)

    @property
    def ranks(self) -> tuple[int, ...]:
        """Rank of the covariance matrix of each term."""
        return tuple(t.rank for t in self.terms)

    @property
    def singular(self) -> tuple[int, ...]:
        """Terms whose covariance matrix is singular."""
        return tuple(k for k, t in enumerate(self.terms) if t.singular)

    @property
    def vanished(self) -> tuple[int, ...]:
        """Terms whose variances are all zero."""
        return tuple(k for k, t in enumerate(self.terms) if not t.rank)

    @property
    def plain(self) -> bool:
        """Whether the fitted parameters are those of the model, and the drawn effects its effects."""
        return all(t.plain for t in self.terms) and not self.at_limit

    @cached_property
    def keep(self) -> np.ndarray:
        """Parameters of the model that are not zero by reduction, (P,) bool: those that have standard errors."""
        inside = [np.full(t.whole.size, t.rank > 0) for t in self.terms]
        dispersion = np.full(self.n_dispersion, not self.at_limit)
        return np.concatenate([np.ones(self.n_fixed, bool), *inside, dispersion])

    @cached_property
    def free_working(self) -> np.ndarray:
        """Which of (fixed effects, Cholesky entries, dispersion) are free, (P,) bool.

        The factor of a matrix of rank r has r columns; the others are zero.
        """
        inside = [t.whole.lower[1] < t.rank for t in self.terms]
        dispersion = np.full(self.n_dispersion, not self.at_limit)
        return np.concatenate([np.ones(self.n_fixed, bool), *inside, dispersion])

    def reduce(self, design: MixedDesign) -> MixedDesign:
        """Design of the effects that are drawn, with loadings that turn them into those of the model."""
        limit = design.family.limit(design.y, design.w) if self.at_limit else None
        if limit is not None:
            design = replace(design, family=limit[0], y=limit[1])
        if all(t.plain for t in self.terms):
            return design
        terms, standard, ties = [], set(), []
        width = sum(t.levels * t.rank for t in self.terms)
        start = 0
        for term, t in zip(design.terms, self.terms, strict=True):
            first = np.arange(t.levels) * t.whole.dim
            pivots, _, count = t.layout
            parts = ((len(pivots), t.free[0]), (count, t.free[1]))
            for size, entries in parts:
                for i, k in entries:
                    own = sp.csr_array(term.Z[:, first + i]).tocoo()
                    place = start + own.coords[1] * size + k
                    shape = (design.n_rows, width)
                    ties.append(sp.csr_array((own.data, (own.coords[0], place)), shape=shape))
                start += t.levels * size
            if pivots:
                own = term.Z[:, (first[:, None] + np.array(pivots)).ravel()]
                terms.append(RandomTerm(term.name, t.part.columns, term.levels, sp.csr_array(own), term.text))
            if count:
                standard.add(len(terms))
                names = tuple(t.whole.columns[i] for i in t.layout.others[:count])
                nothing = sp.csr_array((design.n_rows, t.levels * count))
                terms.append(RandomTerm(term.name, names, term.levels, nothing, term.text))
        return replace(design, terms=tuple(terms), ties=tuple(ties), standard=frozenset(standard))

    def _split(self, fitted: Array) -> tuple[Array, list[Array], list[Array], Array]:
        """Beta, covariance parameters and loadings of each term, dispersion."""
        sizes = [self.n_fixed, *(t.part.size for t in self.terms), *(t.n_loadings for t in self.terms)]
        beta, *inner, phi = np.split(fitted, np.cumsum(sizes))
        return beta, inner[: len(self.terms)], inner[len(self.terms) :], phi

    def restrict(self, params: Array) -> Array:
        """Fitted parameters of given parameters of the model; what G has beyond the rank of its term is lost.

        Raises
        ------
        numpy.linalg.LinAlgError
            If the rank of a covariance matrix is too low.
        """
        start = self.n_fixed
        theta, loadings = [], []
        for t in self.terms:
            own, A = t.restrict(t.whole.matrix(params[start : start + t.whole.size]))
            theta.append(own)
            loadings.append(A)
            start += t.whole.size
        phi = params[start : start + self.n_free_dispersion]
        return np.concatenate([params[: self.n_fixed], *theta, *loadings, phi])

    def extend(self, fitted: Array) -> Array:
        """Parameters of the model: natural scale, zero for vanished terms."""
        beta, theta, loadings, phi = self._split(fitted)
        parts = [
            t.whole.pack(t.extend(own, A)) for t, own, A in zip(self.terms, theta, loadings, strict=True)
        ]
        return np.concatenate([beta, *parts, phi, np.zeros(self.n_dispersion - self.n_free_dispersion)])

    def _places(self) -> list[tuple[ReducedTerm, slice, np.ndarray]]:
        """Where each term's parameters lie among the model's and among the fitted ones."""
        row = column = self.n_fixed
        tied = column + sum(t.part.size for t in self.terms)
        out = []
        for t in self.terms:
            columns = np.r_[column : column + t.part.size, tied : tied + t.n_loadings]
            out.append((t, slice(row, row + t.whole.size), columns))
            row, column, tied = row + t.whole.size, column + t.part.size, tied + t.n_loadings
        return out

    def _columns(self) -> list[np.ndarray]:
        """Where the columns of each term's D lie among the fitted parameters, the diagonal entry first."""
        out = []
        for t, _, places in self._places():
            column = np.array([k for _, k in t.free[1]], int)
            own = places[t.part.size + len(t.free[0]) :]
            out += [own[column == k] for k in range(t.layout.standard)]
        return out

    @property
    def diagonal_loadings(self) -> list[np.ndarray]:
        """Where each term's diagonal entries of D lie: zero where a standard effect adds nothing."""
        first = iter(column[0] for column in self._columns())
        return [np.array(list(islice(first, t.layout.standard)), int) for t in self.terms]

    @property
    def pivot_variances(self) -> list[np.ndarray]:
        """Where the variances of each term's pivots lie among the fitted parameters."""
        diagonal = [np.equal(*t.part.lower) for t, _, _ in self._places()]
        return [p[: t.part.size][d] for (t, _, p), d in zip(self._places(), diagonal, strict=True)]

    def with_signs_of(self, fitted: Array, other: Array) -> Array:
        """Fitted parameters of the same covariance matrices, with the signs of another's diagonal entries of D.

        The likelihood is even in the columns of D; its average over draws that were made for one sign is not.
        """
        out = fitted.copy()
        for column in self._columns():
            if fitted[column[0]] * other[column[0]] < 0:
                out[column] *= -1.0
        return out

    def jacobian(self, fitted: Array) -> Array:
        """Derivative of the model's parameters in the fitted ones, (P, P fitted); the identity where all is plain.

        Rows of vanished terms are zero.  A covariance matrix of the fitted parameters becomes one of the model's
        by it, J V J', where ``keep`` says which rows mean anything.
        """
        J = np.zeros((len(self.keep), len(fitted)))
        _, theta, loadings, _ = self._split(fitted)
        J[: self.n_fixed, : self.n_fixed] = np.eye(self.n_fixed)
        for (t, rows, columns), own, A in zip(self._places(), theta, loadings, strict=True):
            J[rows, columns] = np.hstack(t.jacobian(own, A))
        if not self.at_limit:
            J[len(J) - self.n_dispersion :, len(fitted) - self.n_dispersion :] = np.eye(self.n_dispersion)
        return J

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
        for t, rows, places in self._places():
            inside[rows], columns[places] = not t.singular, not t.singular
        inside[len(J) - self.n_dispersion :] = not self.at_limit
        inverse = np.linalg.inv(J[np.ix_(inside, columns)])
        out = np.full(len(J), np.nan)
        out[inside] = inverse.T @ score[columns]
        bent = hessian.copy()
        _, theta, loadings, _ = self._split(fitted)
        for (t, rows, places), own, A in zip(self._places(), theta, loadings, strict=True):
            bent[np.ix_(places, places)] -= t.curvature(own, A, out[rows])
        second = np.full((len(J), len(J)), np.nan)
        second[np.ix_(inside, inside)] = inverse.T @ bent[np.ix_(columns, columns)] @ inverse
        return out, second

    def effects(self, fitted: Array) -> sp.csr_array:
        """Matrix (Q, Q fitted) that turns drawn effects of the reduced design into the effects of the model.

        Columns are in the order of the columns of Z of the reduced design, rows in that of the model's.  Effects of
        vanished terms are zero.
        """
        _, _, loadings, _ = self._split(fitted)
        parts = []
        for t, A in zip(self.terms, loadings, strict=True):
            each = [sp.kron(sp.eye_array(t.levels), part) for part in t.combinations(A) if part.shape[1]]
            parts.append(sp.hstack(each) if each else sp.csr_array((t.levels * t.whole.dim, 0)))
        return sp.csr_array(sp.block_diag(parts)) if parts else sp.csr_array((0, 0))
