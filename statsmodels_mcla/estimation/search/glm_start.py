"""Where a fit starts: the model without random effects, and the scale of the search around it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from statsmodels_mcla.design import DesignFacts, MixedDesign, SearchScale
from statsmodels_mcla.execution import remade
from statsmodels_mcla.numerics import Array, is_positive_definite

FIRST_SD = 0.4  # of a random effect's part of eta, in standard deviations of what one row tells about eta


@dataclass(frozen=True)
class GLMStart:
    """Fixed effects and dispersion of the GLM without random effects.

    Attributes
    ----------
    beta : ndarray (p,)
    phi : float or ndarray (m,)
    information : ndarray (p + m, p + m)
        In the coordinates `DesignFacts.known_axes`: about the fixed effects, X'WX, and the family's parameters: of a
        log scale, n / 2.
    curvature : float
        Average of W: information about one row's first linear predictor.
    converged : bool
    size : float
        Of the random effects where a search starts, relative to what one row tells about eta.
    """

    beta: Array
    phi: Any
    information: Array
    curvature: float
    converged: bool
    size: float = 1.0

    @property
    def sd(self) -> float:
        """Standard deviation of random effects, along the axes of their terms, where a search starts."""
        return self.size * FIRST_SD / np.sqrt(self.curvature)


def fit_without_random_effects(design: DesignFacts, maxiter: int = 30) -> GLMStart:
    """Fit the GLM without random effects by Newton's method with step halving.

    The last step is taken beyond convergence, so that the answer does not depend on where the search began.
    """
    axes = design.fixed_axes  # units and origins do not matter to any cut-off
    centre = design.fixed_centre @ axes
    rows = design.keep(partial(_glm_rows, axes, centre))
    begun = design.map(_begun, rows)
    phi = _mean_phi(begun)

    def at(beta: Array) -> _GLMSums:
        parts = design.map(partial(_glm_sums, beta, phi), rows)
        return _GLMSums(*(np.sum(x, axis=0) for x in zip(*parts, strict=True)))

    for products in zip(*(part.products for part in begun), strict=True):
        gram, projected = (np.sum(x, axis=0) for x in zip(*products, strict=True))
        beta = np.linalg.lstsq(gram, projected, rcond=None)[0]
        here = at(beta)
        if np.isfinite(here.height):
            break
    else:
        raise FloatingPointError(
            "no fixed effects were found where every response is possible under the link: use another link, or shift "
            "the offset"
        )
    converged = False
    for _ in range(maxiter):
        step = np.linalg.lstsq(here.information, here.gradient, rcond=None)[0]
        converged = bool(here.gradient @ step < 1e-8)
        for shrink in 0.5 ** np.arange(30):
            trial = at(beta + shrink * step)
            if trial.height >= here.height - 1e-12 * abs(here.height):
                break
        beta, here = beta + shrink * step, trial
        if converged:
            break
    if design.family.parameters:
        phi = _mean_phi(design.map(partial(_glm_phi, beta, float(centre @ beta)), rows))
    curvature = float(here.curvature * len(design.family.directions) / design.n_rows)
    p, m = len(beta), design.layout.n_family
    information = np.diag(np.full(p + m, 0.5 * design.n_rows))
    information[:p, :p] = here.information
    return GLMStart(axes @ beta, phi, information, curvature, converged)


class _GLMRows(NamedTuple):
    """Rows along the axes of the fixed effects."""

    X: Array
    targets: tuple[Array, ...]  # linear predictors to start from
    phi: Any


class _Begun(NamedTuple):
    """Where some rows would start."""

    phi: Any
    weight: float
    products: list[tuple[Array, Array]]  # X'X and X'(target - offset)


class _GLMSums(NamedTuple):
    """Sums over rows."""

    height: float
    gradient: Array
    information: Array
    curvature: float


@remade
def _glm_rows(axes: Array, centre: Array, design: MixedDesign) -> _GLMRows:
    numbers = design.y, design.w, design.v
    targets = design.family.start_predictors(*numbers)
    return _GLMRows(design.X @ axes - centre, targets, design.family.start_parameters(*numbers, targets[0]))


def _begun(design: MixedDesign, rows: _GLMRows) -> _Begun:
    gram = rows.X.T @ rows.X
    products = [(gram, rows.X.T @ (target - design.offset)) for target in rows.targets]
    return _Begun(rows.phi, float(design.w.sum()), products)


def _glm_sums(beta: Array, phi: Any, design: MixedDesign, rows: _GLMRows) -> _GLMSums:
    y, w, v = design.y[:, None], design.w[:, None], design.v[:, None]
    eta = rows.X @ beta + design.offset
    terms = design.family.rows(y, w, v, eta[:, None], phi)
    # curvature of each predictor, in its own units; a negative one of a row (non-canonical links) counts as none
    matrix = design.family.directions.matrix
    own = terms.d2.reshape(-1, len(matrix)) @ matrix**2
    W = np.zeros((len(own), len(matrix)))
    W[:, : own.shape[1]] = np.maximum(-own, 1e-8 * np.abs(own).max(axis=0))
    information = rows.X.T @ (rows.X * W.reshape(-1, 1))
    if len(matrix) > 1:  # and what is between them, where that is a maximum
        whole = -rows.X.T @ (rows.X * terms.d2)
        information = whole if is_positive_definite(whole) else information
    height, curvature = float(terms.logf.sum()), float(W[:, 0].sum())
    return _GLMSums(height, rows.X.T @ terms.d1[:, 0], information, curvature)


def _glm_phi(beta: Array, origin: float, design: MixedDesign, rows: _GLMRows) -> _Begun:
    eta = rows.X @ beta + design.offset + origin
    phi = design.family.start_parameters(design.y, design.w, design.v, eta)
    return _Begun(phi, float(design.w.sum()), [])


def _mean_phi(parts: Sequence[_Begun]) -> Any:
    """Average over parts of the rows, by the weights of these."""
    if len(parts) == 1:
        return parts[0].phi
    phi = np.average([part.phi for part in parts], axis=0, weights=[part.weight for part in parts])
    return phi if np.ndim(phi) else float(phi)


def search_scale(design: DesignFacts, start: GLMStart) -> SearchScale:
    """Search coordinates around the GLM, with random effects of the size that `GLMStart` tells."""
    layout = design.layout
    origin, stretch = np.zeros(layout.size), np.zeros((layout.size, layout.size))
    origin[layout.fixed] = start.beta
    for j, (k, i, column) in enumerate(design.loadings.entries, layout.covariance.start):
        term = design.loadings.terms[k]
        origin[j] = start.sd if term.order[column] == i else 0.0
        stretch[j, j] = start.sd / np.sqrt(term.levels)
    psi = design.family.parameter_scale
    origin[layout.family] = psi.free(np.atleast_1d(start.phi)[: layout.n_family])
    # orthonormal in the information about fixed effects and family
    axes = design.known_axes
    information = start.information[: len(axes), : len(axes)]  # a limit has fewer parameters
    size = np.sqrt(np.diag(information))
    root = np.linalg.cholesky(information / np.outer(size, size) + 1e-10 * np.eye(len(size)))
    stretch[np.ix_(layout.known, layout.known)] = axes @ (np.linalg.inv(root).T / size[:, None])
    return SearchScale(layout, psi, origin, stretch)
