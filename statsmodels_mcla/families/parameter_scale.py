"""How the parameters of a family go with coordinates that are free: what a search moves on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import special

from statsmodels_mcla.numerics import Array


class FreeCurve(NamedTuple):
    """A range of one parameter as a function of a free number, with two derivatives, and its inverse."""

    value: Callable[[Array], Array]
    d1: Callable[[Array], Array]
    d2: Callable[[Array], Array]
    inverse: Callable[[Array], Array]
    positive: bool


def _logistic_d1(x: Array) -> Array:
    return np.asarray(special.expit(x) * special.expit(-x))


POSITIVE = FreeCurve(np.exp, np.exp, np.exp, np.log, True)
REAL = FreeCurve(np.array, np.ones_like, np.zeros_like, np.array, False)
AWAY = 1e-3  # of both ends, as in R's mgcv::tw: nearer, the density is a sum of ever more terms
WIDTH = 1.0 - 2.0 * AWAY
ONE_TO_TWO = FreeCurve(
    lambda x: 1.0 + AWAY + WIDTH * special.expit(x),
    lambda x: WIDTH * _logistic_d1(x),
    lambda x: WIDTH * _logistic_d1(x) * (1.0 - 2.0 * special.expit(x)),
    lambda p: special.logit(np.clip((p - 1.0 - AWAY) / WIDTH, 1e-12, 1.0 - 1e-12)),
    True,
)


@dataclass(frozen=True)
class ParameterScale:
    """Parameters psi = mix @ g(x) of free coordinates x, with g one curve a coordinate.

    Attributes
    ----------
    curves : tuple of FreeCurve
    mix : tuple of tuples of float, optional
        (m, m); the identity by default.
    """

    curves: tuple[FreeCurve, ...]
    mix: tuple[tuple[float, ...], ...] | None = None

    @property
    def positive(self) -> np.ndarray:
        """Which parameters are positive by nature, and tested against zero, (m,) bool."""
        curves = np.array([curve.positive for curve in self.curves], bool)
        return np.all(curves | (self._mix == 0.0), axis=1)

    @property
    def _mix(self) -> Array:
        return np.eye(len(self.curves)) if self.mix is None else np.array(self.mix)

    def _each(self, part: str, x: Array) -> Array:
        return np.array([float(getattr(c, part)(np.asarray(v))) for c, v in zip(self.curves, x, strict=True)])

    def psi(self, x: Array) -> Array:
        """Parameters (m,) of free coordinates."""
        return self._mix @ self._each("value", x)

    def free(self, psi: Array) -> Array:
        """Return the free coordinates of parameters."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return self._each("inverse", np.linalg.solve(self._mix, psi) if self.mix else psi)

    def jacobian(self, x: Array) -> Array:
        """d psi / d x, (m, m)."""
        return self._mix * self._each("d1", x)

    def bend(self, x: Array, slope: Array) -> Array:
        """Second derivative (m, m) in x of a function whose slope in psi is given, for what psi bends."""
        return np.diag(self._each("d2", x) * (slope @ self._mix))
