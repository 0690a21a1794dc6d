r"""Derivatives of densities that are a function of another one's: zeros of a process of their own, or no zeros at all.

With g = log f0(y | eta, psi) of a family of one predictor and z = logit p, a response with a zero part has

    l = log(p [y = 0] + (1 - p) e^g),

and one without zeros l = g - log(1 - e^h), h the g of y = 0.  Everything follows from the derivatives of g by the chain
rule, by hand, as these are the densities that are evaluated most.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import numpy as np

from statsmodels_mcla.families.base import ConditionalFamily
from statsmodels_mcla.families.jets import Jet
from statsmodels_mcla.families.row_terms import DispersionTerms, RowTerms
from statsmodels_mcla.families.smooth_density import FAR
from statsmodels_mcla.numerics import Array, Number, logistic

ONE = np.ones(())  # weight
_Terms = TypeVar("_Terms", RowTerms, DispersionTerms)


class _Shares(NamedTuple):
    """The zero part at a row: p, and the probability q that a response like this comes from it."""

    value: Array  # l
    p: Array
    spread: Array  # p (1 - p)
    q: Array
    rest: Array  # 1 - q
    both: Array  # q (1 - q), the derivative of q in z
    skew: Array  # q (1 - q) (1 - 2 q), its second one


@dataclass(frozen=True)
class ZeroPart:
    """A zero part beside a family of one linear predictor; variables are (eta, z), then those of the family.

    Parameters
    ----------
    base : ConditionalFamily
    hurdle : bool
        Whether all zeros are from the zero part.
    """

    base: ConditionalFamily
    hurdle: bool

    def _inside(self, y: Array, etas: list[Array]) -> tuple[Array, Array, Array]:
        """Return the response of the base, and both predictors within reach."""
        own = np.where(y == 0, self.base.blank_row()[0], y) if self.hurdle else y
        return own, np.clip(etas[0], -FAR, FAR), np.clip(etas[1], -FAR, FAR)

    def _shares(self, y: Array, g: Array, z: Array) -> _Shares:
        zero = y == 0
        p, other, minus_log_other = logistic(z)
        if self.hurdle:
            q, rest, joint = np.where(zero, 1.0, 0.0), np.where(zero, 0.0, 1.0), z
        else:
            rest, q, excess = logistic(g - z)  # g may be far below
            q, rest, joint = np.where(zero, q, 0.0), np.where(zero, rest, 1.0), z + excess
        both = q * rest
        value = np.where(zero, joint, g) - minus_log_other
        return _Shares(value, p, p * other, q, rest, both, both * (rest - q))

    def second(self, y: Array, v: Number, etas: list[Array], phi: Any) -> Jet:
        """Return l with its derivatives in both predictors."""
        own, eta, z = self._inside(y, etas)
        g = self.base.rows(own, ONE, v, eta, phi)
        return _in_predictors(g, self._shares(y, g.logf, z))

    def complete(self, y: Array, v: Number, etas: list[Array], phi: Any) -> Jet:
        """Return l with all its derivatives."""
        own, eta, z = self._inside(y, etas)
        g, more = self.base.complete_rows(own, ONE, v, eta, phi)
        s = self._shares(y, g.logf, z)
        d, h, m = {}, {}, len(more.dphi)
        for i in range(m):
            pull = s.both * more.dphi[i]
            d[2 + i] = s.rest * more.dphi[i]
            h[0, 2 + i] = pull * g.d1 + s.rest * more.d1phi[i]
            h[1, 2 + i] = -pull
            for j in range(i, m):
                h[2 + i, 2 + j] = pull * more.dphi[j] + s.rest * more.dphi2[i, j]
        own_part = _in_predictors(g, s)
        return Jet(own_part.value, own_part.d | d, own_part.h | h)

    def cubes(self, y: Array, v: Number, etas: list[Array], phi: Any, ways: Array) -> list[Array]:
        """Return the third derivative of l along each direction (a, b)."""
        own, eta, z = self._inside(y, etas)
        g, g3 = self.base.rows(own, ONE, v, eta, phi), self.base.third(own, ONE, v, eta, phi)
        s = self._shares(y, g.logf, z)
        # l is a function of x = z - g, whose derivatives along the direction are x1, x2, and of z and g
        bend, turn, twist = 3.0 * s.both * g.d2, s.rest * g3, s.spread * (1.0 - 2.0 * s.p)
        out = []
        for a, b in ways:
            x1 = b - a * g.d1
            out.append(s.skew * x1 * x1 * x1 - a**2 * bend * x1 + a**3 * turn - b**3 * twist)
        return out

    def bends(self, y: Array, v: Number, etas: list[Array], phi: Any) -> list[dict[tuple[int, int], Array]]:
        """Return the derivative of the Hessian in both predictors by each parameter of the family."""
        own, eta, z = self._inside(y, etas)
        g, more = self.base.complete_rows(own, ONE, v, eta, phi)
        change = self.base.d2_parameters(own, ONE, v, eta, phi)
        s = self._shares(y, g.logf, z)
        out = []
        for dphi, d1phi, d2phi in zip(more.dphi, more.d1phi, change, strict=True):
            skewed, mixed = s.skew * dphi, s.both * d1phi
            own_part = 2.0 * mixed * g.d1 - skewed * g.d1 * g.d1 + s.both * dphi * g.d2 + s.rest * d2phi
            out.append({(0, 0): own_part, (0, 1): skewed * g.d1 - mixed, (1, 1): -skewed})
        return out


def _in_predictors(g: RowTerms, s: _Shares) -> Jet:
    pull = s.both * g.d1
    h = {(0, 0): pull * g.d1 + s.rest * g.d2, (0, 1): -pull, (1, 1): s.both - s.spread}
    return Jet(s.value, {0: s.rest * g.d1, 1: s.q - s.p}, h)


class _Truncation(NamedTuple):
    """-log(1 - e^h) with three derivatives in h < 0."""

    value: Array
    d1: Array
    d2: Array
    d3: Array

    @classmethod
    def at(cls, h: Array) -> _Truncation:
        """Return them at h."""
        d1 = 1.0 / np.expm1(np.minimum(-h, 700.0))
        d2 = d1 * (1.0 + d1)
        return cls(np.log1p(d1), d1, d2, d2 * (1.0 + 2.0 * d1))


@dataclass(frozen=True)
class WithoutZeros:
    """A family of counts given that they are not zero.

    Parameters
    ----------
    whole : ConditionalFamily
        With zeros.
    """

    whole: ConditionalFamily

    def rows(self, y: Array, v: Number, eta: Array, phi: Any) -> RowTerms:
        """Return the log density and its derivatives in eta."""
        g, h = _of_both(self.whole.rows(_both(y), ONE, v, eta[..., None, :, :], phi))
        return _truncated(g, h, _Truncation.at(h.logf))

    def complete_rows(self, y: Array, v: Number, eta: Array, phi: Any) -> tuple[RowTerms, DispersionTerms]:
        """Return the log density with all its derivatives."""
        rows, more = self.whole.complete_rows(_both(y), ONE, v, eta[..., None, :, :], phi)
        (g, h), (own, zero) = _of_both(rows), _of_both(more)
        t = _Truncation.at(h.logf)
        return _truncated(g, h, t), DispersionTerms(
            own.dphi + t.d1 * zero.dphi,
            own.dphi2 + t.d1 * zero.dphi2 + t.d2 * zero.dphi[:, None] * zero.dphi,
            own.d1phi + t.d1 * zero.d1phi + t.d2 * zero.dphi * h.d1,
        )

    def third(self, y: Array, v: Number, eta: Array, phi: Any) -> Array:
        """Return the third derivative in eta."""
        none = np.zeros_like(y)
        h, (g3, h3) = (
            self.whole.rows(none, ONE, v, eta, phi),
            (self.whole.third(part, ONE, v, eta, phi) for part in (y, none)),
        )
        t = _Truncation.at(h.logf)
        return np.asarray(g3 + t.d1 * h3 + 3.0 * t.d2 * h.d1 * h.d2 + t.d3 * h.d1 * h.d1 * h.d1)

    def d2_parameters(self, y: Array, v: Number, eta: Array, phi: Any) -> Array:
        """Return the derivatives of the second derivative in eta by the parameters."""
        none = np.zeros_like(y)
        h, zero = self.whole.complete_rows(none, ONE, v, eta, phi)
        own, other = (self.whole.d2_parameters(part, ONE, v, eta, phi) for part in (y, none))
        t = _Truncation.at(h.logf)
        inner = h.d2 * zero.dphi + 2.0 * h.d1 * zero.d1phi
        return np.asarray(own + t.d1 * other + t.d2 * inner + t.d3 * h.d1 * h.d1 * zero.dphi)


def _both(y: Array) -> Array:
    """Responses, and zero in their place, on a new axis before those of rows and draws."""
    return np.stack([y, np.zeros_like(y)], axis=-3)


def _of_both(terms: _Terms) -> tuple[_Terms, _Terms]:
    """Terms at the responses, and at zero, where they differ."""
    own, zero = (type(terms)(*(part[..., k, :, :] for part in terms)) for k in (0, -1))
    return own, zero


def _truncated(g: RowTerms, h: RowTerms, t: _Truncation) -> RowTerms:
    return RowTerms(g.logf + t.value, g.d1 + t.d1 * h.d1, g.d2 + t.d1 * h.d2 + t.d2 * h.d1 * h.d1)
