"""Separation: directions of the fixed effects in which the likelihood rises for ever.

A direction d of beta does that if X d never lowers the likelihood of any row: it is >= 0 where all trials
succeeded, <= 0 where all failed, 0 where both occurred (Albert and Anderson, 1984; Konis, 2007); for counts,
<= 0 where the count is 0 and 0 elsewhere.  Such a d is found by linear programming.  Random effects do not
change this: what holds for every row holds for every row whatever u is.

Most data have no such direction, and their fit without random effects proves it at no cost.  If X'r = 0 for
residuals r that are positive where all trials succeeded and negative where all failed, then d'X'r = 0 is a sum of
non-negative terms, so that X d = 0 in all of these rows: there is nothing to search for (Stiemke's lemma).  The
score equations of the fit are such an equation.

At the end of such a direction, rows with X d > 0 are certain and tell nothing any more; the others have the likelihood
of a smaller model, which has a maximum, or a direction of its own (the limit of Geyer, 2009, Electronic Journal of
Statistics 3).  So all but the coefficients along d are estimated as usual.

Random effects can separate the responses by themselves: where every level has successes only or failures only, the
likelihood rises as their variance grows.  The conditional modes of a Laplace fit with a large variance show it: they
classify every single row correctly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import scipy.linalg
import scipy.sparse as sp
from scipy.optimize import linprog

from statsmodels_mcla.design import DesignFacts, MixedDesign, RowRoot, row_root
from statsmodels_mcla.estimation.search import LaplaceFit
from statsmodels_mcla.execution import remade
from statsmodels_mcla.likelihood.laplace import Modes
from statsmodels_mcla.numerics import Array, unique_rows

MARGIN = 1e-9  # of the largest residual: smaller ones prove nothing
AT_A_TIME = 1000  # rows that a linear program begins with, and that are added where it breaks them
LARGE_SD = 1.5  # of a term's part of eta, in standard deviations of what one row tells about eta
NEARLY_FLAT = 1e-3  # of log-likelihood, that the rest of the way to infinity is worth
MOST_STEPS = 60  # of half as far again, which reach what is flat in rows that hardly change along a direction
FLAT = 1e-7  # of the largest entry: changes of X d and entries of d below are round-off


def overlapping(design: DesignFacts, beta: Array, phi: Any) -> bool:
    """Whether the linear predictors of a fit without random effects prove that there is no separation.

    So it is, too, where there is no row that could be separated.

    Parameters
    ----------
    design : DesignFacts
    beta : ndarray (p,)
        Fixed effects near the maximum.
    phi : float
    """
    rows = design.keep(partial(_residuals, beta, phi))
    parts = design.map(_score_sums, rows)
    if not any(part.signed for part in parts):
        return True
    if not all(part.finite for part in parts):
        return False
    information, score = (np.sum([getattr(part, name) for part in parts], axis=0) for name in _SCORES)
    # the least change of r, in units of its variance, that fulfils the score equations exactly
    change = np.linalg.lstsq(information, score, rcond=None)[0]
    proofs = design.map(partial(_proof, change), rows)
    left, size = (np.sum([getattr(proof, name) for proof in proofs], axis=0) for name in ("left", "size"))
    fulfilled = np.abs(left) <= 1e-3 * MARGIN * size
    largest = max(proof.largest for proof in proofs)
    return bool(fulfilled.all() and min(proof.smallest for proof in proofs) > MARGIN * largest)


class _Residuals(NamedTuple):
    """First derivative, curvature and sign of each row."""

    r: Array
    W: Array
    sign: Array


class _ScoreSums(NamedTuple):
    signed: bool
    finite: bool
    information: Array
    score: Array


_SCORES = "information", "score"


@remade
def _residuals(beta: Array, phi: Any, design: MixedDesign) -> _Residuals:
    y, w, v = design.y[:, None], design.w[:, None], design.v[:, None]
    terms = design.family.rows(y, w, v, (design.offset + design.X @ beta)[:, None], phi)
    return _Residuals(terms.d1[:, 0], np.maximum(-terms.d2[:, 0], 0.0), _signs(design))


def _score_sums(design: MixedDesign, rows: _Residuals) -> _ScoreSums:
    finite = bool(np.all(np.isfinite(rows.r)) and np.all(np.isfinite(rows.W)))
    information = design.X.T @ (design.X * rows.W[:, None])
    return _ScoreSums(bool(np.any(rows.sign)), finite, information, design.X.T @ rows.r)


class _Proof(NamedTuple):
    """X'r, the size of its terms, the largest r, and the smallest in the direction of its row."""

    left: Array
    size: Array
    largest: float
    smallest: float


def _proof(change: Array, design: MixedDesign, rows: _Residuals) -> _Proof:
    X, r = design.X, rows.r - rows.W * (design.X @ change)
    signed = rows.sign != 0.0
    smallest = float((rows.sign * r)[signed].min()) if signed.any() else np.inf
    return _Proof(X.T @ r, np.abs(X).T @ np.abs(r), float(np.abs(r).max()), smallest)


@dataclass(frozen=True)
class Recession:
    """A direction of the fixed effects in which the likelihood rises for ever.

    Attributes
    ----------
    direction : ndarray (p,)
        The largest entry is 1 in size.
    flat : float
        Change of a linear predictor along it that is round-off.
    kept : ndarray of int (k,)
        Columns of X that the rows need whose linear predictors do not change.
    has_limit : bool
        Whether there are such rows, and columns.
    """

    direction: Array
    flat: float
    kept: np.ndarray
    has_limit: bool

    @property
    def columns(self) -> list[int]:
        """Columns of X whose coefficients have no finite maximum."""
        return [int(j) for j in np.flatnonzero(self.direction)]

    def certain(self, design: MixedDesign) -> np.ndarray:
        """Rows whose linear predictor changes along the direction."""
        return np.abs(design.X @ self.direction) > self.flat

    def limit(self, design: DesignFacts) -> DesignFacts:
        """Return the design of the other rows, with the columns that they need."""
        return design.chosen(self._left)

    def _left(self, design: MixedDesign) -> MixedDesign:
        rows = np.flatnonzero(~self.certain(design))
        return replace(
            design,
            y=design.y[rows],
            w=design.w[rows],
            v=design.v[rows],
            offset=design.offset[rows],
            X=design.X[np.ix_(rows, self.kept)],
            terms=tuple(replace(t, Z=t.Z[rows]) for t in design.terms),
        )

    def far(self, design: DesignFacts, params: Array) -> Array:
        """Parameters of the design from those of the limit: as far along the direction as is nearly flat."""
        beta = np.zeros(design.n_fixed)
        beta[self.kept] = params[: len(self.kept)]
        params = np.concatenate([beta, params[len(self.kept) :]])
        steepest = max(design.map(partial(_steepest, self)))
        distances = 1.5 ** np.arange(MOST_STEPS) / steepest
        rises = (sum(design.map(partial(_rise, self, params, float(d)))) for d in distances)
        distance = next(
            (d for d, rise in zip(distances, rises, strict=True) if rise < NEARLY_FLAT), distances[0]
        )
        params[design.layout.fixed] += distance * self.direction
        return params


def _steepest(recession: Recession, design: MixedDesign) -> float:
    return float(np.abs(design.X @ recession.direction).max(initial=0.0))


def _rise(recession: Recession, params: Array, distance: float, design: MixedDesign) -> float:
    """Log-likelihood that rows gain as their linear predictors go twice as far along a direction."""
    rows = np.flatnonzero(recession.certain(design))
    y, w, v = design.y[rows, None], design.w[rows, None], design.v[rows, None]
    X, phi = design.X[rows], design.split(params)[2]
    eta, slope = design.offset[rows] + X @ params[design.layout.fixed], X @ recession.direction
    near, far = ((eta + t * slope)[:, None] for t in (distance, 2.0 * distance))
    rise = design.family.rows(y, w, v, far, phi).logf - design.family.rows(y, w, v, near, phi).logf
    return float(rise.sum())


def recession_of(design: DesignFacts, beta: Array | None = None, phi: Any = 1.0) -> Recession | None:
    """Find a direction of the fixed effects without a finite maximum; None if there is none.

    Parameters
    ----------
    design : DesignFacts
    beta : ndarray (p,), optional
        Of a fit without random effects, which spares the search where it can.
    phi : float
        Dispersion of that fit.
    """
    if beta is not None and overlapping(design, beta, phi):
        return None
    signed, sizes = zip(*design.map(_sizes), strict=True)
    if not any(signed):
        return None
    size = np.max(sizes, axis=0)
    free = np.concatenate(design.map(partial(_free_root, size)))
    # directions that leave the rows alone that no direction may touch
    basis = scipy.linalg.null_space(free) if len(free) else np.eye(len(size))
    if not basis.shape[1]:
        return None
    rows = design.keep(partial(_signed_rows, size, basis))
    x = _rising_direction(design, rows)
    if x is None or max(design.map(partial(_highest, x), rows)) < FLAT:
        return None
    direction = basis @ x
    largest = np.abs(direction).max()
    direction[np.abs(direction) < FLAT * largest] = 0.0
    direction, flat = direction / size, FLAT * largest
    unit = np.abs(direction).max()
    found = Recession(direction / unit, flat / unit, np.arange(0), has_limit=False)
    # the coefficients of the direction are what the other rows do without
    order = np.argsort(np.abs(direction * size), kind="stable")
    left = design.map(partial(_left_root, found, size, order))
    kept = np.sort(order[_independent(left)])
    return replace(found, kept=kept, has_limit=bool(len(kept)))


def _signs(design: MixedDesign) -> Array:
    sign = design.family.open_direction(design.y, design.w)
    return np.zeros(design.n_rows) if sign is None else sign


def _sizes(design: MixedDesign) -> tuple[bool, Array]:
    """Whether any row could be separated, and the largest entry of each column."""
    return bool(np.any(_signs(design))), np.abs(design.X).max(axis=0, initial=0.0)


def _free_root(size: Array, design: MixedDesign) -> Array:
    """Root of the rows that no direction may touch."""
    return row_root(design.X[_signs(design) == 0.0] / size).R


def _left_root(recession: Recession, size: Array, order: np.ndarray, design: MixedDesign) -> RowRoot:
    """Root of the rows that a direction does not touch."""
    return row_root((design.X / size)[~recession.certain(design)][:, order])


@remade
def _signed_rows(size: Array, basis: Array, design: MixedDesign) -> Array:
    """Distinct rows, in the direction in which their likelihood rises."""
    sign = _signs(design)
    rows = sign != 0.0
    return unique_rows((sign[rows, None] * (design.X[rows] / size)) @ basis).rows


def _independent(roots: Sequence[RowRoot]) -> np.ndarray:
    """Columns that are no combinations of those before them."""
    R = np.asarray(np.linalg.qr(np.concatenate([root.R for root in roots]), mode="r"))
    least = FLAT * np.sqrt(sum(root.rows for root in roots))
    kept: list[int] = []
    for j, column in enumerate(R.T):
        left = column - R[:, kept] @ np.linalg.lstsq(R[:, kept], column, rcond=None)[0]
        if np.linalg.norm(left) > least:
            kept.append(j)
    return np.array(kept, int)


def _rising_direction(design: DesignFacts, rows: Any) -> Array | None:
    """Maximise the sum of rows @ x within a box where none is negative, on as few rows as will do."""
    totals = design.map(_total, rows)
    total = np.sum(totals, axis=0) / max(np.abs(totals).max(), 1e-300)
    active = np.concatenate(design.map(partial(_spread, -(-AT_A_TIME // len(totals))), rows))
    while True:
        found = linprog(-total, A_ub=-active, b_ub=np.zeros(len(active)), bounds=(-1.0, 1.0), method="highs")
        if found.x is None:
            return None
        broken = design.map(partial(_broken, found.x), rows)
        more = unique_rows(np.concatenate([active, *broken])).rows
        if len(more) == len(active):
            return np.asarray(found.x)
        active = more


def _total(design: MixedDesign, rows: Array) -> Array:
    return np.asarray(rows.sum(axis=0))


def _spread(most: int, design: MixedDesign, rows: Array) -> Array:
    """Rows from all over."""
    return rows[np.unique(np.linspace(0, len(rows) - 1, most).astype(int))] if len(rows) else rows


def _broken(x: Array, design: MixedDesign, rows: Array) -> Array:
    """Rows that a direction lowers, the worst of them."""
    values = rows @ x
    order = np.argsort(values, kind="stable")[:AT_A_TIME]
    return rows[order[values[order] < -0.01 * FLAT]]


def _highest(x: Array, design: MixedDesign, rows: Array) -> float:
    return float((rows @ x).max(initial=0.0))


def separating_terms(design: DesignFacts, fit: LaplaceFit, params: Array, curvature: float) -> list[int]:
    """Random-effect terms whose variances have no finite maximum; empty if there is none.

    Parameters
    ----------
    design : MixedDesign
    fit : LaplaceFit
        Maximum of the Laplace approximation.
    params : ndarray (P,)
        The same, natural scale.
    curvature : float
        Information about one row's linear predictor.
    """
    if not all(fit.design.map(_classified, fit.evaluation.modes)):
        return []
    out = []
    matrices = design.covariance.matrices(design.split(params)[1])
    for k, G in enumerate(matrices):
        variance = sum(design.map(partial(_variance, k, G))) / design.n_rows
        if variance * curvature > LARGE_SD**2:
            out.append(k)
    return out


def _classified(design: MixedDesign, modes: Sequence[Modes]) -> bool:
    """Whether the conditional modes classify every single row correctly."""
    sign = design.family.open_direction(design.y, design.w)
    if sign is None or not np.all(sign):
        return False
    eta = np.empty(design.n_rows)
    for bucket, mode in zip(design.buckets, modes, strict=True):
        inside = bucket.rows >= 0
        eta[bucket.rows[inside]] = mode.eta[inside]
    return bool(np.all(sign * (eta - design.offset) > 0))


def _variance(k: int, G: Array, design: MixedDesign) -> float:
    """Sum over rows of the prior variance of a term's part of eta."""
    term = design.terms[k]
    return float((term.Z @ sp.kron(sp.eye_array(len(term.levels)), G)).multiply(term.Z).sum())
