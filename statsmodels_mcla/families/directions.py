r"""Several linear predictors a row, as rows of one predictor each: *directions*.

With K predictors eta = (eta_1 .. eta_K) the Hessian H of a row's log density is a K x K matrix, its third derivative a
cubic form.  Both are sums over directions c in R^K,

    t' H t = sum_c h_c (c't)^2,        T(t, t, t) = sum_c q_c (c't)^3,

with directions e_i, e_i + e_j, e_i - e_j and e_i + e_j + e_k.  A row of K predictors stands in the design as one row a
direction, whose linear predictor is c'eta; its first derivatives lie in the directions e_i, its curvatures are h, its
third derivatives q.  Everything made for rows of one predictor (modes, densities, paths, weights of draws) then holds
as it is.  Where the log density is a sum of functions of some predictors each, as that of a hurdle, only the directions
of these together are needed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import combinations

import numpy as np

from statsmodels_mcla.numerics import Array

Hessian = Mapping[tuple[int, int], Array]


@dataclass(frozen=True)
class Directions:
    """Directions of K predictors; rows are in the order (row, direction).

    Parameters
    ----------
    count : int
        K.
    alone : tuple of int
        Predictors of which the log density has a term for each, without the others.
    units : tuple of float, optional
        Of the predictors, all one by default: e_i + e_j stands for e_i / unit_i + e_j / unit_j, so that what is between
        predictors of different units does not drown what is known of one of them.
    """

    count: int
    alone: tuple[int, ...] = ()
    units: tuple[float, ...] | None = None

    @cached_property
    def matrix(self) -> Array:
        """Directions (D, K), the axes first."""
        return np.vstack([np.eye(self.count), self._unscaled[self.count :] / self._units])

    @cached_property
    def points(self) -> Array:
        """Predictors (D, K) along which `cubic` takes the cubic form."""
        return self._unscaled * self._units

    @property
    def _units(self) -> Array:
        return np.ones(self.count) if self.units is None else np.array(self.units)

    @cached_property
    def _unscaled(self) -> Array:
        axes = np.eye(self.count)
        pairs = [axes[i] + sign * axes[j] for i, j in self._pairs for sign in (1.0, -1.0)]
        triples = [axes[list(three)].sum(axis=0) for three in combinations(self._together, 3)]
        return np.array([*axes, *pairs, *triples])

    @property
    def _pairs(self) -> list[tuple[int, int]]:
        return list(combinations(self._together, 2))

    @property
    def _together(self) -> list[int]:
        return [k for k in range(self.count) if k not in self.alone]

    def __len__(self) -> int:
        return len(self.matrix)

    def apart(self, rows: Array) -> list[Array]:
        """Predictors (..., n, m) of rows (..., n D, m)."""
        return [rows[..., k :: len(self), :] for k in range(self.count)]

    def together(self, parts: Sequence[Array | float], like: Array) -> Array:
        """Rows (..., n D, m) of what each direction has (..., n, m); absent ones have nothing."""
        n = like.shape[-2] // len(self)
        out = np.zeros((*like.shape[:-2], n, len(self), like.shape[-1]))
        for k, part in enumerate(parts):
            out[..., k, :] = part
        return out.reshape(like.shape)

    def hessian(self, h: Hessian, like: Array, at: Hessian | None = None) -> Array:
        """Curvatures h of every direction.

        Of e_i + e_j and e_i - e_j the one is taken that leaves the other curvatures as they are for sure negative
        where H is diagonally dominant; ``at``, if given, is the H that says which, and h a change of it.
        """
        parts: list[Array | float] = [h.get((k, k), 0.0) for k in range(self.count)]
        for i, j in self._pairs:
            cross = h.get((i, j), 0.0)
            sign = np.sign(cross if at is None else at.get((i, j), 0.0))
            size, a, b = sign * cross, self._units[i], self._units[j]
            parts[i], parts[j] = parts[i] + size * (b / a), parts[j] + size * (a / b)
            parts += [np.where(sign < 0, cross * (a * b), 0.0), np.where(sign > 0, -cross * (a * b), 0.0)]
        return self.together(parts, like)

    def cubic(self, forms: Sequence[Array], like: Array) -> Array:
        """Third derivatives q of every direction, from the cubic form at each of the `points`."""
        solved = np.tensordot(self._from_forms, np.stack(forms), axes=1)
        return self.together(list(solved), like)

    @cached_property
    def _from_forms(self) -> Array:
        solved = np.linalg.inv((self._unscaled @ self._unscaled.T) ** 3)
        solved[: self.count] /= self._units[:, None] ** 3
        return np.asarray(solved)


@cache
def directions_of(
    count: int, alone: tuple[int, ...] = (), units: tuple[float, ...] | None = None
) -> Directions:
    """Directions of so many predictors, made once."""
    return Directions(count, alone, units)
