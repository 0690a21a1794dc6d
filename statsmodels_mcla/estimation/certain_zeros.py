"""A zero part at the ends of its range: probabilities of one in some rows and of zero in others.

As its linear predictor goes to infinity along a direction d, to either side, rows with x_i'd > 0 are zeros for certain
and tell nothing, and rows with x_i'd < 0 have no zero part; the others are as they were.  Where the likelihood rises
all the way, there is no finite maximum, and all other parameters are those of that limit.  It is made by holding the
zero part so far out along d that rows cannot tell.  The d taken leaves rows as far from zero as it can for its size.

Random effects of a zero part may do the same by themselves: where all responses of some levels are zeros, these may be
certain zeros given the effects, and the likelihood rises with the variance, though less and less: by a part of the
share of levels whose probability is neither, which falls like one over the standard deviation.  That is held at
`LARGEST`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
from scipy.optimize import linprog

from statsmodels_mcla.design import DesignFacts, MixedDesign
from statsmodels_mcla.estimation.boundary import Reduction
from statsmodels_mcla.numerics import Array, unique_rows

ZERO_PART = "zi"
FAR = 15.0  # linear predictor of the zero part from which on it is looked at, and nothing may be lost
VERY_FAR = 50.0  # that from which on nothing can be lost
SURE = 8.0  # that of rows that are certain: a probability of 3e-4
REACH = 25.0  # that of these in the end, at least
LARGEST = 8.0  # standard deviation of a term's part of the linear predictor
CLEAR = 1e-4  # least distance of certain rows from zero, of the largest there may be


@dataclass(frozen=True)
class Held:
    """What has no finite maximum, and is held.

    Attributes
    ----------
    columns : tuple of int
        Fixed effects.
    terms : tuple of int
        Random-effect terms.
    looked_at : bool
        Whether fixed effects of the zero part have been looked at.
    """

    columns: tuple[int, ...] = ()
    terms: tuple[int, ...] = ()
    looked_at: bool = False

    def loadings(self, reduction: Reduction) -> list[int]:
        """Places of the loadings of the terms among the fitted parameters."""
        return [
            int(j) for k in self.terms for j in np.arange(reduction.fitted_layout.size)[reduction.places[k]]
        ]


NOTHING_HELD = Held()


@dataclass(frozen=True)
class CertainZeros:
    """The zero part of a design, as something that may go to the ends of its range.

    Attributes
    ----------
    X : ndarray (n, k)
        Design of its fixed effects.
    columns : ndarray of int (k,)
        These, among all fixed effects.
    design : MixedDesign
    number : int
        Of its linear predictor.
    """

    X: Array
    columns: np.ndarray
    design: MixedDesign
    number: int

    @classmethod
    def of(cls, facts: DesignFacts) -> CertainZeros | None:
        """Return the zero part of a design, None if there is none."""
        if ZERO_PART not in facts.family.predictors:
            return None
        k, design = facts.family.predictors.index(ZERO_PART), facts.here
        X = design.X[k :: len(design.family.directions)]
        columns = np.flatnonzero(np.abs(X).max(axis=0, initial=0.0) > 0)
        return cls(X[:, columns], columns, design, k) if len(columns) else None

    @property
    def terms(self) -> tuple[int, ...]:
        """Random-effect terms that are in no other predictor."""
        return tuple(j for j, t in enumerate(self.design.terms) if {*t.predictors} == {self.number})

    def parameters(self, terms: tuple[int, ...]) -> np.ndarray:
        """Variances and covariances of terms, among all parameters."""
        places = np.arange(self.design.layout.size)[self.design.layout.covariance]
        return np.concatenate([np.zeros(0, int), *(places[self.design.covariance.slices[j]] for j in terms)])

    def spread(self, params: Array, term: int) -> float:
        """Standard deviation of a term's part of the linear predictor, over rows."""
        G = self.design.covariance.matrices(self.design.split(params)[1])[term]
        Z = self.design.terms[term].Z[self.number :: len(self.design.family.directions)]
        variance = (Z @ sp.kron(sp.eye_array(Z.shape[1] // len(G)), G)).multiply(Z).sum()
        return float(np.sqrt(variance / len(self.X)))

    def is_far(self, params: Array, far: float = VERY_FAR) -> bool:
        """Whether fixed effects have gone so far that it should be looked at."""
        return bool(np.abs(self.X @ params[self.columns]).max() > far)

    def wide(self, params: Array) -> tuple[int, ...]:
        """Terms whose standard deviation is larger than what they are held at."""
        return tuple(j for j in self.terms if self.spread(params, j) > 1.001 * LARGEST)

    def is_beyond(self, known: Held, params: Array) -> bool:
        """Whether there is more to hold."""
        return bool({*self.wide(params)} - {*known.terms}) or (self.is_far(params) and not known.looked_at)

    def is_lost(self, params: Array) -> bool:
        """Whether effects that are shared with other predictors have gone so far that no search ends."""
        return any(self.spread(params, j) > VERY_FAR for j in range(len(self.design.terms)))

    def holding(self, known: Held, params: Array, reduction: Reduction) -> tuple[Held, Array, Reduction]:
        """Hold what has gone too far: the widest terms, the rest of the zero part in proportion; or fixed effects."""
        wide = self.wide(params)
        if {*wide} - {*known.terms}:
            out, ratio = params.copy(), LARGEST / max(self.spread(params, j) for j in wide)
            out[self.columns] *= ratio
            out[self.parameters(self.terms)] *= ratio * ratio
            return replace(known, terms=tuple(sorted({*known.terms, *wide}))), out, reduction
        if known.looked_at or not self.is_far(params):
            return known, params, reduction
        known = replace(known, looked_at=True)
        if {*known.columns} & {*self.columns.tolist()}:
            return known, params, reduction
        settled = self.settled(params)
        if settled is None:
            return known, params, reduction
        params, held, all_certain = settled
        if all_certain and not known.terms:
            pivots = [() if k in self.terms else p for k, p in enumerate(reduction.pivots)]
            params[self.parameters(self.terms)], reduction = 0.0, reduction.with_pivots(pivots)
        return replace(known, columns=tuple(sorted({*known.columns, *held}))), params, reduction

    def idle(self, known: Held, reduction: Reduction) -> tuple[int, ...]:
        """Parameters that mean nothing, and need no precision: those of the zero part, where some of it is held."""
        if not known.terms and not known.looked_at:
            return ()
        own = [*self.columns, *self.parameters(self.terms)]
        return tuple(int(j) for j in np.flatnonzero(np.isin(np.flatnonzero(reduction.keep), own)))

    def settled(self, params: Array) -> tuple[Array, tuple[int, ...], bool] | None:
        """Fixed effects as far out as matters, None if that is no direction of theirs.

        Returns
        -------
        params : ndarray
        held : tuple of int
            Fixed effects to hold there; the others are what rows that are not certain depend on.
        all_certain : bool
            Whether there are no such rows.
        """
        eta = self.X @ params[self.columns]
        sure = np.abs(eta) > SURE
        size = np.abs(self.X).max(axis=0)
        between, rows = self.X[~sure] / size, unique_rows(np.sign(eta[sure, None]) * self.X[sure] / size).rows
        k = len(size)
        found = linprog(
            np.append(np.zeros(k), -1.0),
            A_ub=np.column_stack([-rows, np.ones(len(rows))]),
            b_ub=np.zeros(len(rows)),
            A_eq=np.column_stack([between, np.zeros(len(between))]) if len(between) else None,
            b_eq=np.zeros(len(between)) if len(between) else None,
            bounds=[(-1.0, 1.0)] * k + [(None, None)],
        )
        if found.x is None or not found.x[-1] > CLEAR:
            return None
        along, distance = found.x[:-1], found.x[-1]
        kept: list[int] = []
        for j in np.argsort(np.abs(along), kind="stable"):
            if np.linalg.matrix_rank(between[:, [*kept, j]]) > len(kept):
                kept.append(int(j))
        own = np.zeros(k)
        own[kept] = np.linalg.lstsq(between[:, kept], eta[~sure], rcond=None)[0]
        own += along * (REACH + np.abs(self.X / size @ own).max()) / distance
        out = params.copy()
        out[self.columns] = own / size
        held = tuple(int(self.columns[j]) for j in range(k) if j not in kept)
        return out, held, not len(between)
