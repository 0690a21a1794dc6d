"""The scale that optimisers move on.

Fitted parameters are (beta, loadings, dispersion).  The *search* coordinates x are (beta, loadings, log dispersion),
all unconstrained, shifted and stretched: x = 0 is the GLM without random effects, with standard deviations of moderate
size, and a step of length one is roughly a standard error in every direction.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from statsmodels_mcla.design.parameter_layout import ParameterLayout
from statsmodels_mcla.numerics import Array

FIRST_SD = 0.4  # of a random effect's part of eta, in standard deviations of what one row tells about eta


@dataclass(frozen=True)
class SearchScale:
    """Coordinates of the search.

    Attributes
    ----------
    layout : ParameterLayout
        Of the fitted parameters.
    origin : ndarray (P,)
        Beta, loadings and log dispersion at x = 0.
    stretch : ndarray (P, P)
        They are origin + stretch @ x.
    """

    layout: ParameterLayout
    origin: Array
    stretch: Array

    @classmethod
    def plain(cls, layout: ParameterLayout) -> SearchScale:
        """Search coordinates that are beta, loadings and log dispersion themselves."""
        return cls(layout, np.zeros(layout.size), np.eye(layout.size))

    def fitted(self, x: Array) -> Array:
        """Beta, loadings and dispersion."""
        out = np.asarray(self.origin + self.stretch @ x)
        out[self.layout.family] = np.exp(out[self.layout.family])
        return out

    def from_fitted(self, params: Array) -> Array:
        """Return the search coordinates of beta, loadings and dispersion."""
        free = np.array(params, float)
        free[self.layout.family] = np.log(free[self.layout.family])
        return np.linalg.solve(self.stretch, free - self.origin)

    def gradient(self, x: Array, score: Array) -> Array:
        """Gradient in x from that in the fitted parameters."""
        g = score.copy()
        g[self.layout.family] *= self.fitted(x)[self.layout.family]
        return np.asarray(self.stretch.T @ g)

    def covariance(self, x: Array, inner: Array) -> Array:
        """Covariance of the fitted parameters, from that of x at a maximum."""
        root = self.stretch.copy()
        root[self.layout.family] *= self.fitted(x)[self.layout.family][:, None]
        return np.asarray(root @ inner @ root.T)

    def derivatives(self, x: Array, score: Array, hessian: Array) -> tuple[Array, Array]:
        """Gradient and Hessian in x from those in the fitted parameters."""
        slope, bend = np.ones(len(x)), np.zeros(len(x))
        phi = self.layout.family
        slope[phi] = self.fitted(x)[phi]
        bend[phi] = score[phi] * slope[phi]
        inner = hessian * np.outer(slope, slope) + np.diag(bend)
        return self.gradient(x, score), self.stretch.T @ inner @ self.stretch
