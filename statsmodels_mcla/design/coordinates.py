"""The scale that optimisers move on.

Fitted parameters are (beta, loadings, psi).  The *search* coordinates x are (beta, loadings, free coordinates of psi:
the log dispersion), all unconstrained, shifted and stretched: x = 0 is the GLM without random effects, with standard
deviations of moderate size, and a step of length one is roughly a standard error in every direction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import null_space

from statsmodels_mcla.design.parameter_layout import ParameterLayout
from statsmodels_mcla.families import ParameterScale
from statsmodels_mcla.numerics import Array

AT_AN_END = 100.0  # times the curvature of the likelihood, that a parameter has from its score


@dataclass(frozen=True)
class SearchScale:
    """Coordinates of the search.

    Attributes
    ----------
    layout : ParameterLayout
        Of the fitted parameters.
    family : ParameterScale
        Of the parameters of the family.
    origin : ndarray (P,)
        Beta, loadings and free coordinates of psi at x = 0.
    stretch : ndarray (P, K)
        They are origin + stretch @ x; K < P where some of them are held (see `holding`).
    """

    layout: ParameterLayout
    family: ParameterScale
    origin: Array
    stretch: Array

    @classmethod
    def plain(
        cls, layout: ParameterLayout, family: ParameterScale, known: Array | None = None
    ) -> SearchScale:
        """Search coordinates that are not shifted, and not stretched but for ``known``, if given.

        These are coordinates of fixed effects and parameters of the family, as `DesignFacts.known_axes` has them.
        """
        stretch = np.eye(layout.size)
        if known is not None:
            stretch[np.ix_(layout.known, layout.known)] = known
        return cls(layout, family, np.zeros(layout.size), stretch)

    def fitted(self, x: Array) -> Array:
        """Beta, loadings and psi."""
        out = self._free(x)
        out[self.layout.family] = self.family.psi(out[self.layout.family])
        return out

    def from_fitted(self, params: Array) -> Array:
        """Return the search coordinates of beta, loadings and psi."""
        free = np.array(params, float)
        free[self.layout.family] = self.family.free(free[self.layout.family])
        size = np.linalg.norm(self.stretch, axis=1) + (~self.stretch.any(axis=1))
        return np.linalg.lstsq(self.stretch / size[:, None], (free - self.origin) / size, rcond=None)[0]

    def holding(self, columns: Sequence[int], params: Array) -> SearchScale:
        """Coordinates along which some fixed effects keep the values that they have in ``params``, if any are left."""
        inside = null_space(self.stretch[list(columns)]) if len(columns) else np.zeros((0, 0))
        if not inside.size:
            return self
        stretch = self.stretch @ inside
        stretch[list(columns)] = 0.0  # not round-off
        return replace(self, origin=self._free(self.from_fitted(params)), stretch=stretch)

    def gradient(self, x: Array, score: Array) -> Array:
        """Gradient in x from that in the fitted parameters."""
        return np.asarray(self.stretch.T @ (score @ self.slopes(x)))

    def covariance(self, x: Array, inner: Array) -> Array:
        """Covariance of the fitted parameters, from that of x at a maximum."""
        root = self.slopes(x) @ self.stretch
        return np.asarray(root @ inner @ root.T)

    def derivatives(self, x: Array, score: Array, hessian: Array) -> tuple[Array, Array]:
        """Gradient and Hessian in x from those in the fitted parameters."""
        slopes, psi = self.slopes(x), self.layout.family
        inner = slopes.T @ hessian @ slopes
        inner[psi, psi] += self.family.bend(self._free(x)[psi], score[psi])
        return self.gradient(x, score), self.stretch.T @ inner @ self.stretch

    def settled(self, params: Array, score: Array, hessian: Array) -> tuple[Array, np.ndarray]:
        """Hessian in the fitted parameters at a maximum over the coordinates of a search.

        That of the likelihood where its score is zero.  A parameter of the family at the end of its range has a score
        there, which makes its coordinate as precise as it then is: the others are those given its value.

        Returns
        -------
        hessian : ndarray (P, P)
        ends : ndarray of int
            Places of such parameters, from the last one.
        """
        out, psi = hessian.copy(), self.layout.family
        free = self._free(self.from_fitted(params))[psi]
        inverse = np.linalg.inv(self.family.jacobian(free))
        bend = inverse.T @ self.family.bend(free, score[psi]) @ inverse
        out[psi, psi] += bend
        ends = np.abs(np.diag(bend)) > AT_AN_END * np.abs(np.diag(hessian[psi, psi]))
        return out, np.flatnonzero(ends) - len(ends)

    def _free(self, x: Array) -> Array:
        return np.asarray(self.origin + self.stretch @ x)

    def slopes(self, x: Array) -> Array:
        """Derivative of the fitted parameters in origin + stretch @ x."""
        out, psi = np.eye(self.layout.size), self.layout.family
        out[psi, psi] = self.family.jacobian(self._free(x)[psi])
        return out
