r"""Shapes of coordinates: base numbers that lean like the conditional law.

With z standard normal and w = sqrt(1 + z^2), sinh(asinh z + eps) = z cosh(eps) + w sinh(eps) is Jones and Pewsey's
(2009, Biometrika 96(4)) sinh-arcsinh transform; standardised to mean 0 and variance 1 as before, its skewness is about
kappa eps where that is small, kappa = 3 cov(z^2, w) = 1.69.  The log density of the effects along a column r_j of the
root has the third derivative gamma_j = sum over rows of d3 log f (J r_j)^3, which is the skewness of that coordinate to
first order: eps_j = gamma_j / kappa.

The effects of one level bend each other: with T_abc the third derivative along three of its columns, the law of the
third coordinate given two others moves by T_abc z_a z_b, and its scale, by T_acc z_a / 2, from those of a normal.  To
first order in T, the triangular map

    t_c = T_c(z_c) exp(sum_a T_acc z_a / 2) + sum_a T_aac (z_a^2 - 1) / 2 + sum_ab T_abc z_a z_b,     a < b < c,

of the standard normal has this law (each term is the Hermite polynomial of the Edgeworth expansion that it takes to
zero).

Where a column moves one effect alone, the density along it is that of the effect given all others, and no
approximation is needed: T_j = F_j^-1 (Phi(z)) with F_j its distribution function, location and scale included, as a
monotone cubic through knots (see `slices`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from statsmodels_mcla.likelihood.sampling.quantiles import KNOTS, through_knots
from statsmodels_mcla.numerics import Array

REACH = 3.5  # of base numbers that bend others: the law does not go on as it begins
MOST = 0.5  # of eps: beyond, third derivatives tell little of the law
MOST_BEND = 0.5  # of T_abc
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(61)
_WEIGHTS /= _WEIGHTS.sum()
_MEAN_ROOT = float(np.sqrt(1.0 + _NODES**2) @ _WEIGHTS)  # E sqrt(1 + z^2)
_KAPPA = 3.0 * float((_NODES**2 - 1.0) * np.sqrt(1.0 + _NODES**2) @ _WEIGHTS)


@dataclass(frozen=True)
class Bends:
    """How the coordinates of each level of a term bend each other.

    Attributes
    ----------
    places : ndarray of int (r, L)
        Coordinates of each level.
    thirds : ndarray (B, r, r, r, L)
        T_abc for a <= b <= c.
    """

    places: np.ndarray
    thirds: Array

    @classmethod
    def of(cls, places: np.ndarray, along: Callable[..., Array]) -> Bends:
        """From the third derivatives (B, k) along three columns each, given by three arrays of places."""
        r, levels = places.shape
        triples = np.array([(a, b, c) for c in range(r) for b in range(c + 1) for a in range(b + 1)])
        found = along(*(places[each].ravel() for each in triples.T))
        thirds = np.zeros((len(found), r, r, r, levels))
        a, b, c = triples.T
        thirds[:, a, b, c] = np.nan_to_num(found).reshape(len(found), len(triples), levels)
        return cls(places, np.clip(thirds, -MOST_BEND, MOST_BEND))

    def take(self, index: np.ndarray | slice) -> Bends:
        """Of some of the blocks."""
        return Bends(self.places, self.thirds[index])

    def apply(self, z: Array, t: Array) -> Array:
        """Bend coordinates t (B, q, m), in place, by the base numbers z; return the log derivative (B, m)."""
        near = [np.clip(z[:, each], -REACH, REACH) for each in self.places]  # (B, L, m)
        total = np.zeros((len(z), z.shape[2]))
        for c in range(1, len(near)):
            T = self.thirds[:, :, :, c, :, None]
            log_scale = sum(0.5 * self.thirds[:, a, c, c, :, None] * near[a] for a in range(c))
            shift = sum(0.5 * T[:, a, a] * (near[a] * near[a] - 1.0) for a in range(c))
            shift += sum(T[:, a, b] * near[a] * near[b] for b in range(c) for a in range(b))
            t[:, self.places[c]] = t[:, self.places[c]] * np.exp(log_scale) + shift
            total += np.asarray(log_scale).sum(axis=1)
        return total


@dataclass(frozen=True)
class Shapes:
    """Transform of the base numbers of each coordinate.

    Attributes
    ----------
    eps : ndarray (B, q)
        Of the sinh-arcsinh transform.
    own : ndarray of int (k,)
        Coordinates with knots, which stand in place of that.
    knots, slopes : ndarray (B, k, KNOTS)
        T and dT/dz where z is FIRST, FIRST + STEP, ...
    bends : tuple of Bends
        Of the terms with several effects a level.
    """

    exact = False  # base numbers may be heavier than normal ones

    eps: Array
    own: np.ndarray
    knots: Array
    slopes: Array
    bends: tuple[Bends, ...] = ()

    @classmethod
    def plain(cls, blocks: int, q: int) -> Shapes:
        """Base numbers as they are."""
        return cls.leaning(np.zeros((blocks, q)))

    @classmethod
    def leaning(cls, gamma: Array, bends: tuple[Bends, ...] = ()) -> Shapes:
        """From third derivatives (B, q) along the columns of the root."""
        empty = np.zeros((len(gamma), 0, KNOTS))
        eps = np.clip(np.nan_to_num(gamma) / _KAPPA, -MOST, MOST)
        return cls(eps, np.zeros(0, int), empty, empty, bends)

    def take(self, index: np.ndarray | slice) -> Shapes:
        """Shapes of some of the blocks."""
        bends = tuple(each.take(index) for each in self.bends)
        return Shapes(self.eps[index], self.own, self.knots[index], self.slopes[index], bends)

    def apply(self, z: Array) -> tuple[Array, Array | float]:
        """Transform base numbers (B, q, m); return them and the log derivative, summed over coordinates, (B, m)."""
        if not self.eps.any() and not len(self.own):
            return z, 0.0
        out, log_slope = skewed(z, self.eps)
        if len(self.own):
            out[:, self.own], more = through_knots(z[:, self.own], self.knots, self.slopes)
            log_slope = log_slope + more
        for each in self.bends:
            log_slope = log_slope + each.apply(z, out)
        return out, log_slope


def skewed(z: Array, eps: Array) -> tuple[Array, Array]:
    """Sinh-arcsinh transform of base numbers (B, q, m) and its log derivative, summed over coordinates, (B, m)."""
    c, s = np.cosh(eps)[..., None], np.sinh(eps)[..., None]
    sd = np.sqrt(c * c + s * s * (2.0 - _MEAN_ROOT**2))
    w = np.sqrt(1.0 + z * z)
    out = z * c
    out += (w - _MEAN_ROOT) * s
    out /= sd
    slope = (c + s * (z / w)) / sd
    return out, np.log(slope, out=slope).sum(axis=1)
