r"""A zero part whose probability is zero at the maximum: the family without it, which is its limit.

As the linear predictor of a zero part goes to minus infinity in all rows, the likelihood of a zero-inflated family goes
to that of the family without it.  Where that is no lower, there is no finite maximum; all other parameters are those
of the limit, and the zero part stands where the likelihood is flat, at probabilities that no row can tell from zero.

There, a row with zero-part predictor z x_i'b adds p_i d_i to the log-likelihood, p_i = exp(x_i'b) and d_i its slope in
p_i at zero, so that with several effects the *tilt* b matters beside how far out it is: the limit is a maximum if the
weighted mean

    R(b) = sum d_i exp(x_i'b) / sum exp(x_i'b)

is negative for all b.  Where R is largest, sum p_i d_i x_i x_i' is R sum p_i x_i x_i' and a negative part: the Hessian
is negative definite, as at any maximum.  That tilt is where the zero part stands.  Random effects of the zero part have
no variance there: to the first order, they raise all p_i of a level alike.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import linprog, minimize
from scipy.special import logsumexp

from statsmodels_mcla.design import DesignFacts, MixedDesign, RandomTerm
from statsmodels_mcla.estimation.boundary import Reduction
from statsmodels_mcla.families import ConditionalFamily, not_zero_inflated
from statsmodels_mcla.likelihood.laplace import evaluate_laplace
from statsmodels_mcla.numerics import Array

SMALL = -4.0  # a linear predictor of the zero part from which on it is looked at: a probability of 2 %
FLAT = 25.0  # its largest less the log of the number of rows, where it stands in the end, with the other sign
STEEPEST = 9.0  # tilt, in standard deviations of the rows
LEVELS_SD = (
    3.0  # standard deviation of a zero part that has whole levels, from which to search, and less its mean
)
NEARER = np.arange(-7.0, -0.5)  # linear predictors from which a search may find a maximum with a zero part


@dataclass(frozen=True)
class VanishedZeros:
    """The zero part of a design, as something to leave out.

    Attributes
    ----------
    family : ConditionalFamily
        Without it.
    number : int
        Of its linear predictor.
    X : ndarray (n, k)
        Design of its fixed effects.
    columns : ndarray of int (k,)
        These, among all fixed effects.
    one : ndarray (k,)
        Coefficients that give a linear predictor of one in every row.
    effects : tuple of tuple of int
        Coordinates of each random-effect term that are part of it.
    variances : ndarray of int
        Their variances and covariances, among all parameters.
    """

    family: ConditionalFamily
    number: int
    X: Array
    columns: np.ndarray
    one: Array
    effects: tuple[tuple[int, ...], ...]
    variances: np.ndarray

    @classmethod
    def of(cls, facts: DesignFacts, params: Array | None = None) -> VanishedZeros | None:
        """Return the zero part if it inflates zeros, by probabilities that are small at any given (natural) parameters.

        None, too, where it cannot go to zero in all rows alike.
        """
        family = not_zero_inflated(facts.family)
        if family is None:
            return None
        k, design = facts.family.predictors.index("zi"), facts.here
        X = design.X[k :: len(design.family.directions)]
        columns = np.flatnonzero(np.abs(X).max(axis=0) > 0)
        own = X[:, columns]
        if not len(columns) or (params is not None and (own @ params[columns]).max() > SMALL):
            return None
        one = np.linalg.lstsq(own, np.ones(len(own)), rcond=None)[0]
        if not np.allclose(own @ one, 1.0):
            return None
        effects = tuple(tuple(j for j, p in enumerate(t.predictors) if p == k) for t in design.terms)
        whole = Reduction.of(design).without(effects)
        variances = np.flatnonzero(~whole.keep)
        return cls(family, k, own, columns, one, effects, variances)

    @property
    def touched(self) -> tuple[int, ...]:
        """Random-effect terms with effects that are part of it."""
        return tuple(j for j, own in enumerate(self.effects) if own)

    @property
    def parameters(self) -> np.ndarray:
        """All of its own, among those of the model."""
        return np.concatenate([self.columns, self.variances])

    def limit(self, design: MixedDesign) -> MixedDesign:
        """Return the design of the family without the zero part."""
        old, new, k = design.family.directions, self.family.directions, self.number
        within = np.insert(new.matrix, k, 0.0, axis=1)  # its directions, as those of the whole
        places = [int(np.flatnonzero((old.matrix == way).all(axis=1))[0]) for way in within]
        rows = (np.arange(0, design.n_rows, len(old))[:, None] + places).ravel()
        w = design.w[rows]
        return replace(
            design,
            y=w * design.y[rows] if self.family.mergeable else design.y[rows],
            w=w,
            v=design.v[rows],
            offset=design.offset[rows],
            X=np.ascontiguousarray(np.delete(design.X[rows], self.columns, axis=1)),
            terms=tuple(
                replace(t, Z=t.Z[rows], predictors=tuple(p - (p > k) for p in t.predictors))
                for t in map(self._left, design.terms)
                if t.dim
            ),
            family=self.family,
        )

    def _left(self, term: RandomTerm) -> RandomTerm:
        """Return the effects of a term that are no part of it."""
        return term.part(np.not_equal(term.predictors, self.number))

    def without(self, reduction: Reduction) -> Reduction:
        """Ranks without the random effects of the zero part."""
        return reduction.without(self.effects)

    def far(self, params: Array, tilt: Array | None = None) -> Array:
        """Parameters with the zero part where the likelihood is flat, and no variance of its effects."""
        out = params.copy()
        tilt = np.zeros(len(self.one)) if tilt is None else tilt
        highest = FLAT + np.log(len(self.X)) + (self.X @ tilt).max()
        out[self.columns], out[self.variances] = tilt - highest * self.one, 0.0
        return out

    def settled(self, design: DesignFacts, reduction: Reduction, params: Array) -> Array:
        """Parameters far out along the tilt of the largest R, its slopes taken at the conditional modes."""
        far = self.far(params)
        if len(self.columns) == 1:
            return far
        reduced = reduction.reduce(design).here
        d1 = np.empty(reduced.n_rows)
        for bucket, mode in zip(
            reduced.buckets, evaluate_laplace(reduced, reduction.restrict(far)).modes, strict=True
        ):
            inside = bucket.rows >= 0
            d1[bucket.rows[inside]] = mode.d1[inside]
        ways = reduced.family.directions.matrix
        return self.far(params, self._tilt((d1.reshape(-1, len(ways)) @ ways)[:, self.number]))

    def _tilt(self, slopes: Array) -> Array:
        """Coefficients b (k,) where R is largest."""
        d = slopes / np.abs(slopes).max()
        centred = self.X - self.X.mean(axis=0)
        _, size, along = np.linalg.svd(centred, full_matrices=False)
        axes = along[: len(size) - 1].T / size[:-1] * np.sqrt(len(d))

        def fall(c: Array) -> tuple[float, Array]:
            eta = centred @ axes @ c
            p = np.exp(eta - logsumexp(eta))
            return -float(p @ d), -axes.T @ (centred.T @ (p * (d - p @ d)))

        start = np.zeros(axes.shape[1])
        found = minimize(fall, start, jac=True, bounds=[(-STEEPEST, STEEPEST)] * len(start))
        return np.asarray(axes @ found.x)

    def beside(self, params: Array) -> Array:
        """Parameters of which those of the limit are a part, with the zero part where the likelihood is flat."""
        out = np.zeros(len(params) + len(self.parameters))
        out[self._others(len(out))] = params
        return self.far(out)

    def _others(self, size: int) -> np.ndarray:
        return np.delete(np.arange(size), self.parameters)

    def gone(self, params: Array) -> bool:
        """Whether no row can tell the zero part of these parameters from none."""
        return bool((self.X @ params[self.columns]).max() < -FLAT) and not params[self.variances].any()

    def nearer(self, params: Array, height: Callable[[Array], float]) -> Array | None:
        """Parameters with a small zero part that are higher than those without it, if any are.

        Away from a probability of zero there may be another maximum, which no search finds from where it is flat.
        """
        tilt = params[self.columns] - (self.X @ params[self.columns]).max() * self.one
        trials = []
        for b in [np.zeros_like(tilt), tilt][: len(tilt)]:
            for z in NEARER:
                trials.append(params.copy())
                trials[-1][self.columns] = b + z * self.one
        heights = [height(trial) for trial in trials]
        best = int(np.argmax(heights))
        return trials[best] if heights[best] > height(params) else None

    def _whole(self, design: DesignFacts) -> list[int]:
        """Terms with no other effects."""
        return [j for j, own in enumerate(self.effects) if len(own) == design.terms[j].dim]

    def ranks(self, design: DesignFacts, others: Sequence[int], *, gone: bool) -> list[int]:
        """Ranks of all terms from those of the limit: of terms with no other effects, none or all that there are."""
        left, whole = iter(others), self._whole(design)
        return [(0 if gone else t.dim) if k in whole else next(left) for k, t in enumerate(design.terms)]

    def other_levels(self, design: MixedDesign) -> MixedDesign | None:
        """Return the limit without levels of zeros only, None if effects of the zero part have none.

        Such levels make another maximum, where the zero part has them whole and the others tell of the mean, which no
        search finds from where the zero part is gone.
        """
        ways = len(design.family.directions)
        counts = design.y[::ways] != 0.0
        inside = np.zeros(len(counts), bool)
        for k in self._whole(design):
            member = abs(design.terms[k].Z[self.number :: ways]) > 0
            empty = np.asarray(member.T @ counts.astype(float)).ravel() == 0
            inside |= np.asarray(member @ empty.astype(float)).ravel() > 0
        if not inside.any() or inside.all():
            return None
        limit = self.limit(design)
        rows = np.flatnonzero(np.repeat(~inside, len(self.family.directions)))
        return replace(
            limit,
            y=limit.y[rows],
            w=limit.w[rows],
            v=limit.v[rows],
            offset=limit.offset[rows],
            X=limit.X[rows],
            terms=tuple(replace(t, Z=t.Z[rows]) for t in limit.terms),
        )

    def of_levels(self, design: MixedDesign, params: Array) -> Array:
        """Parameters with a zero part that has whole levels, from those of the limit without them."""
        out = self.beside(params)
        out[self.columns] = -LEVELS_SD * self.one
        matrices = [np.asarray(G) for G in design.covariance.matrices(design.split(out)[1])]
        for k in self._whole(design):
            matrices[k] = LEVELS_SD**2 * np.eye(len(matrices[k]))
        out[design.layout.covariance] = design.covariance.pack(matrices)
        return out

    def open_side(self, column: int) -> int:
        """Side to which an effect of the zero part goes where that vanishes; zero if it may be anything there."""
        j = int(np.flatnonzero(self.columns == column)[0])
        side = -int(np.sign(self.one[j])) if abs(self.one[j]) > 1e-9 else 0
        others = linprog(  # whether the zero part can vanish without this effect
            np.zeros(self.X.shape[1]),
            A_ub=self.X,
            b_ub=-np.ones(len(self.X)),
            bounds=[(0.0, 0.0) if i == j else (None, None) for i in range(self.X.shape[1])],
        )
        return 0 if others.status == 0 else side

    def spread(self, cov: Array) -> Array:
        """Covariance of all parameters from that of the limit; that of the zero part means nothing."""
        size = len(cov) + len(self.parameters)
        others, k = self._others(size), self.columns
        out = np.zeros((size, size))
        out[np.ix_(others, others)] = cov
        out[np.ix_(k, k)] = np.exp(FLAT) * np.linalg.inv(self.X.T @ self.X / len(self.X))
        out[self.variances] = out[:, self.variances] = np.nan
        return out
