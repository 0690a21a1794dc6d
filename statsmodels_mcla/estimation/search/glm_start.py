"""Where a fit starts: the model without random effects, and the scale of the search around it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from statsmodels_mcla.design import MixedDesign, SearchScale
from statsmodels_mcla.numerics import Array

FIRST_SD = 0.4  # of a random effect's part of eta, in standard deviations of what one row tells about eta


@dataclass(frozen=True)
class GLMStart:
    """Fixed effects and dispersion of the GLM without random effects.

    Attributes
    ----------
    beta : ndarray (p,)
    phi : float or ndarray (m,)
    information : ndarray (p, p)
        X'WX.
    curvature : float
        Average of W: information about one row's linear predictor.
    eta : ndarray (N,)
    converged : bool
    size : float
        Of the random effects where a search starts, relative to what one row tells about eta.
    """

    beta: Array
    phi: Any
    information: Array
    curvature: float
    eta: Array
    converged: bool
    size: float = 1.0

    @property
    def sd(self) -> float:
        """Standard deviation of random effects, along the axes of their terms, where a search starts."""
        return self.size * FIRST_SD / np.sqrt(self.curvature)


def fit_without_random_effects(design: MixedDesign, maxiter: int = 30) -> GLMStart:
    """Fit the GLM without random effects by Newton's method with step halving."""
    family = design.family
    axes = design.fixed_axes
    X = design.X @ axes  # units and origins do not matter to any cut-off
    numbers = design.y, design.w, design.v
    targets = family.start_predictors(*numbers)
    phi = family.start_parameters(*numbers, targets[0])
    y, w, v = design.y[:, None], design.w[:, None], design.v[:, None]

    def at(beta: Array) -> tuple[float, Array, Array, Array]:
        eta = X @ beta + design.offset
        terms = family.rows(y, w, v, eta[:, None], phi)
        return float(terms.logf.sum()), terms.d1[:, 0], -terms.d2[:, 0], eta

    for target in targets:
        beta = np.linalg.lstsq(X, target - design.offset, rcond=None)[0]
        height, d1, W, eta = at(beta)
        if np.isfinite(height):
            break
    else:
        raise FloatingPointError(
            "no fixed effects were found where every response is possible under the link: use another link, or shift "
            "the offset"
        )
    converged = False
    for _ in range(maxiter):
        # negative curvature of a row (non-canonical links) counts as none
        information = X.T @ (X * np.maximum(W, 1e-8 * np.abs(W).max())[:, None])
        gradient = X.T @ d1
        step = np.linalg.lstsq(information, gradient, rcond=None)[0]
        if gradient @ step < 1e-8:
            converged = True
            break
        for shrink in 0.5 ** np.arange(30):
            trial = at(beta + shrink * step)
            if trial[0] >= height - 1e-12 * abs(height):
                break
        beta = beta + shrink * step
        height, d1, W, eta = trial
    if family.parameters:
        phi = family.start_parameters(*numbers, eta)
    back = np.linalg.inv(axes)
    curvature = float(np.maximum(W, 1e-8 * np.abs(W).max()).mean())
    return GLMStart(axes @ beta, phi, back.T @ information @ back, curvature, eta, converged)


def search_scale(design: MixedDesign, start: GLMStart) -> SearchScale:
    """Search coordinates around the GLM, with random effects of the size that `GLMStart` tells."""
    layout = design.layout
    origin, stretch = np.zeros(layout.size), np.zeros((layout.size, layout.size))
    origin[layout.fixed] = start.beta
    axes = design.fixed_axes
    information = axes.T @ start.information @ axes
    size = np.sqrt(np.diag(information))
    root = np.linalg.cholesky(information / np.outer(size, size) + 1e-10 * np.eye(len(size)))
    stretch[layout.fixed, layout.fixed] = axes @ (np.linalg.inv(root).T / size[:, None])
    for j, (k, i, column) in enumerate(design.loadings.entries, layout.covariance.start):
        term = design.loadings.terms[k]
        origin[j] = start.sd if term.order[column] == i else 0.0
        stretch[j, j] = start.sd / np.sqrt(term.levels)
    psi = design.family.parameter_scale
    origin[layout.family] = psi.free(np.atleast_1d(start.phi)[: layout.n_family])
    stretch[layout.family, layout.family] = np.sqrt(2.0 / design.n_rows) * np.eye(layout.n_family)
    return SearchScale(layout, psi, origin, stretch)
