"""A second link for a density that is already written on its most stable scale.

If ``h(eta)`` is the linear predictor of the home link at which the mean is that of the new link at
``eta``, every derivative follows by the chain rule.
"""

# Implementations of the interface that base.py documents: it also says what each argument is for.
# ruff: noqa: D102

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from statsmodels_mcla.families.base import ConditionalFamily
from statsmodels_mcla.families.row_terms import DispersionTerms, RowTerms, without_lost_rows
from statsmodels_mcla.numerics import Array, Number


class Curve(NamedTuple):
    """Home linear predictor as a function of the new one, with three derivatives."""

    h: Array
    d1: Array
    d2: Array
    d3: Array


class ChangeOfLink(ConditionalFamily):
    """Chain rule over a family with another link.

    A subclass gives ``home``, ``link_function`` and `curve`; where the new link allows only some
    ``eta`` it also overrides `allowed`. Outside, the log density is -inf and its derivatives are
    zero, so such a draw carries no weight.
    """

    home: ClassVar[ConditionalFamily]

    @abstractmethod
    def curve(self, eta: Array) -> Curve:
        """Return the home linear predictor and its derivatives at an allowed ``eta``."""

    def allowed(self, eta: Array) -> NDArray[np.bool_]:
        """Return where ``eta`` gives a mean that the family has."""
        return np.ones(eta.shape, dtype=bool)

    def _inside(self, eta: Array) -> tuple[NDArray[np.bool_], Array]:
        """Return where eta is allowed, and eta with the rest replaced by one."""
        inside = self.allowed(eta)
        return inside, eta if inside.all() else np.where(inside, eta, 1.0)

    def rows(self, y: Array, w: Array, v: Number, eta: Array, phi: float = 1.0) -> RowTerms:
        inside, safe = self._inside(eta)
        c = self.curve(safe)
        with np.errstate(over="ignore"):
            f = self.home.rows(y, w, v, c.h, phi)
            terms = RowTerms(f.logf, f.d1 * c.d1, f.d2 * c.d1**2 + f.d1 * c.d2)
        return RowTerms(
            np.where(inside, terms.logf, -np.inf),
            np.where(inside, terms.d1, 0.0),
            np.where(inside, terms.d2, 0.0),
        )

    def third(self, y: Array, w: Array, v: Number, eta: Array, phi: float = 1.0) -> Array:
        inside, safe = self._inside(eta)
        c = self.curve(safe)
        with np.errstate(over="ignore"):
            f = self.home.rows(y, w, v, c.h, phi)
            f3 = self.home.third(y, w, v, c.h, phi)
            # factor by factor: the cube alone may overflow where the home third derivative is 0
            value = f3 * c.d1 * c.d1 * c.d1 + 3.0 * (f.d2 * c.d1 * c.d2) + f.d1 * c.d3
        return np.where(inside, value, 0.0)

    def dispersion_rows(self, y: Array, w: Array, v: Number, eta: Array, phi: float) -> DispersionTerms:
        inside, safe = self._inside(eta)
        c = self.curve(safe)
        with np.errstate(over="ignore"):
            f = self.home.dispersion_rows(y, w, v, c.h, phi)
            mixed = f.d1phi * c.d1
        return without_lost_rows(
            np.where(inside, f.dphi, 0.0),
            np.where(inside, f.dphi2, 0.0),
            np.where(inside, mixed, 0.0),
        )

    def d2_dispersion(self, y: Array, w: Array, v: Number, eta: Array, phi: float) -> Array:
        inside, safe = self._inside(eta)
        c = self.curve(safe)
        with np.errstate(over="ignore"):
            f = self.home.dispersion_rows(y, w, v, c.h, phi)
            curvature = self.home.d2_dispersion(y, w, v, c.h, phi)
            value = curvature * c.d1**2 + f.d1phi * c.d2
        return np.where(inside, value, 0.0)
