"""A zero part whose probability is zero at the maximum: the family without it, which is its limit.

As logit p goes to minus infinity the likelihood of a zero-inflated family is that of the family without a zero part.
Where that is no lower, there is no finite maximum; all other parameters are those of the limit, and the zero part
stands where the likelihood is flat, at a probability that no row can tell from zero.  That is so for a zero part of one
probability: one that depends on covariates may go to zero in some rows, and to one in others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from statsmodels_mcla.design import DesignFacts, MixedDesign
from statsmodels_mcla.families import ConditionalFamily, not_zero_inflated
from statsmodels_mcla.numerics import Array

SMALL = -4.0  # a linear predictor of the zero part from which on it is looked at: a probability of 2 %
FLAT = 25.0  # its logit less the log of the number of rows, where it stands in the end, with the other sign
NEARER = np.arange(-7.0, -0.5)  # linear predictors from which a search may find a maximum with a zero part


@dataclass(frozen=True)
class VanishedZeros:
    """The zero part of a design, as something to leave out.

    Attributes
    ----------
    family : ConditionalFamily
        Without it.
    column, kept : int, ndarray of int
        Its fixed effect, and all others.
    unit : float
        Its design, the same in every row.
    """

    family: ConditionalFamily
    column: int
    kept: np.ndarray
    unit: float

    @classmethod
    def of(cls, facts: DesignFacts, params: Array) -> VanishedZeros | None:
        """Return the zero part if it inflates zeros, by one probability that is small at these parameters."""
        family = not_zero_inflated(facts.family)
        if family is None:
            return None
        k = facts.family.predictors.index("zi")
        design = facts.here
        D = len(design.family.directions)
        X = design.X[k::D]
        columns = np.flatnonzero(np.abs(X).max(axis=0) > 0)
        one = (
            len(columns) == 1
            and np.ptp(X[:, columns]) == 0.0
            and not any(t.Z[k::D].nnz for t in design.terms)
        )
        if not one or (X @ params[: X.shape[1]]).max() > SMALL:
            return None
        column = int(columns[0])
        return cls(family, column, np.delete(np.arange(X.shape[1]), column), float(X[0, column]))

    def limit(self, design: MixedDesign) -> MixedDesign:
        """Return the design of the family without the zero part."""
        old, new, k = design.family.directions, self.family.directions, design.family.predictors.index("zi")
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
            X=np.ascontiguousarray(design.X[np.ix_(rows, self.kept)]),
            terms=tuple(replace(t, Z=t.Z[rows]) for t in design.terms),
            family=self.family,
        )

    def far(self, design: DesignFacts, params: Array) -> Array:
        """Parameters with the zero part where the likelihood is flat."""
        out = params.copy()
        out[self.column] = -(FLAT + np.log(design.n_rows)) / self.unit
        return out

    def beside(self, design: DesignFacts, params: Array) -> Array:
        """Parameters of which those of the limit are a part, with the zero part where the likelihood is flat."""
        return self.far(design, np.insert(params, self.column, 0.0))

    def gone(self, params: Array) -> bool:
        """Whether no row can tell the zero part of these parameters from none."""
        return bool(params[self.column] * self.unit < -FLAT)

    def nearer(self, params: Array, height: Callable[[Array], float]) -> Array | None:
        """Parameters with a small zero part that are higher than those without it, if any are.

        Away from a probability of zero there may be another maximum, which no search finds from where it is flat.
        """
        trials = [np.where(np.arange(len(params)) == self.column, z / self.unit, params) for z in NEARER]
        heights = [height(trial) for trial in trials]
        best = int(np.argmax(heights))
        return trials[best] if heights[best] > height(params) else None

    def spread(self, cov: Array) -> Array:
        """Covariance of all parameters from that of the limit; that of the zero part means nothing."""
        out = np.insert(np.insert(cov, self.column, 0.0, axis=0), self.column, 0.0, axis=1)
        out[self.column, self.column] = np.exp(FLAT) / self.unit**2
        return out
