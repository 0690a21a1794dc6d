"""The scale that optimisers move on.

Natural parameters are (beta, variances and covariances, loadings if the design has any, dispersion).  The
*working* ones are (beta, Cholesky entries, loadings, log dispersion), all unconstrained; the *search* coordinates
x are the working ones shifted and stretched so that the log-likelihood is roughly -|x|^2 / 2 around the start.
Units of the covariates, and their correlations, then do not matter to any optimiser.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from statsmodels_mcla.covariance import Covariance
from statsmodels_mcla.design.mixed_design import MixedDesign
from statsmodels_mcla.numerics import Array

FIRST_SD = 0.4  # of a random effect's part of eta, in standard deviations of what one row tells about eta


@dataclass(frozen=True)
class SearchScale:
    """Coordinates of the search.

    Attributes
    ----------
    covariance : Covariance
    n_fixed, n_dispersion : int
    origin : ndarray (P,)
        Working parameters at x = 0.
    stretch : ndarray (P, P)
        Working parameters are origin + stretch @ x.
    """

    covariance: Covariance
    n_fixed: int
    n_dispersion: int
    origin: Array
    stretch: Array

    @property
    def entries(self) -> slice:
        """Where the covariance parameters lie."""
        return slice(self.n_fixed, self.n_fixed + self.covariance.size)

    @property
    def positive(self) -> slice:
        """Where the dispersion lies, if there is one."""
        return slice(len(self.origin) - self.n_dispersion, len(self.origin))

    def working(self, x: Array) -> Array:
        """Beta, Cholesky entries and log dispersion."""
        return np.asarray(self.origin + self.stretch @ x)

    def semi_natural(self, x: Array) -> Array:
        """Beta, Cholesky entries and dispersion: what the Laplace approximation takes."""
        out = self.working(x)
        out[self.positive] = np.exp(out[self.positive])
        return out

    def natural(self, x: Array) -> Array:
        """Beta, variances and covariances, dispersion."""
        out = self.semi_natural(x)
        out[self.entries] = self.covariance.to_natural(out[self.entries])
        return out

    def from_natural(self, params: Array) -> Array:
        """Return the search coordinates of natural parameters.

        Raises
        ------
        numpy.linalg.LinAlgError
            If a covariance matrix is not positive definite.
        """
        working = np.array(params, float)
        working[self.entries] = self.covariance.to_working(working[self.entries])
        return self.from_semi_natural(working)

    def from_semi_natural(self, params: Array) -> Array:
        """Return the search coordinates of beta, Cholesky entries, loadings and dispersion."""
        working = np.array(params, float)
        working[self.positive] = np.log(working[self.positive])
        return np.linalg.solve(self.stretch, working - self.origin)

    def gradient_of_semi_natural(self, x: Array, gradient: Array) -> Array:
        """Gradient in x from that in (beta, Cholesky entries, dispersion)."""
        g = gradient.copy()
        g[self.positive] *= self.semi_natural(x)[self.positive]
        return np.asarray(self.stretch.T @ g)

    def derivatives(self, x: Array, score: Array, hessian: Array) -> tuple[Array, Array]:
        """Gradient and Hessian in x from those in the natural parameters."""
        working, natural = self.working(x), self.natural(x)
        J = np.eye(len(x))
        J[self.entries, self.entries] = self.covariance.working_jacobian(working[self.entries])
        curvature = np.zeros_like(J)
        curvature[self.entries, self.entries] = self.covariance.working_curvature(score[self.entries])
        for k in range(self.positive.start, self.positive.stop):
            J[k, k] = natural[k]
            curvature[k, k] = score[k] * natural[k]
        inner = J.T @ hessian @ J + curvature
        return self.stretch.T @ (J.T @ score), self.stretch.T @ inner @ self.stretch


def working_scale(design: MixedDesign) -> SearchScale:
    """Search coordinates that are the working parameters themselves."""
    P = design.n_params
    return SearchScale(design.covariance, design.n_fixed, design.n_dispersion, np.zeros(P), np.eye(P))
