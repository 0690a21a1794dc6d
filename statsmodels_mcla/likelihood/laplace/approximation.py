"""Laplace's approximation of the log-likelihood, with its gradient (see `modes` for the notation)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from statsmodels_mcla.covariance import Loadings
from statsmodels_mcla.design import Bucket, DesignFacts, MixedDesign
from statsmodels_mcla.execution import on_one_blas_thread
from statsmodels_mcla.likelihood.laplace.modes import Modes, modes_of_buckets
from statsmodels_mcla.numerics import Array


@dataclass(frozen=True)
class LaplaceEvaluation:
    """Laplace log-likelihood, its gradient in the working parameters, and the modes of every bucket, kept."""

    value: float
    gradient: Array
    modes: Any


def _bucket_gradient(
    bucket: Bucket, modes: Modes, loadings: Loadings, factors: Sequence[Array], phi: Any
) -> list[Array]:
    """Gradient of one bucket's Laplace log-likelihood in beta, the loadings and phi.

    The mode moves with the parameters, but h is flat there: only log|A| feels it, through
    d3 log f / d eta3.  ``leverage`` is the conditional variance of eta, ``pull`` the change of log|A|
    per unit of a row's eta that reaches it through the mode.
    """
    y, w, v = bucket.y[..., None], bucket.w[..., None], bucket.v[..., None]
    family, eta, J = bucket.family, modes.eta[..., None], modes.J
    b, d1, W = modes.b, modes.d1, modes.W
    leverage = modes.root.leverage(J)
    live = (W != 0) | (len(family.directions) > 1)  # not taken as zero by the search for the modes
    bend = -np.where(live, leverage * family.third(y, w, v, eta, phi)[..., 0], 0.0)  # leverage * dW/deta
    r = modes.root.of(modes.root.back(J.back(bend)))
    pull = J.times(r)
    kappa = d1 - 0.5 * (bend - W * pull)
    parts = [np.einsum("bnp,bn->p", bucket.X, kappa)]
    # dl / d loading = kappa' J_j b - d1' J_j r / 2 - tr(J_j' W J A^-1)
    change = np.empty(loadings.size)
    for j, entry in enumerate(loadings.entries):
        J_j = bucket.derivative(factors, entry)
        change[j] = (kappa * J_j.times(b)).sum() - 0.5 * (d1 * J_j.times(r)).sum()
        change[j] -= modes.root.trace(J, J_j, W)
    parts.append(change)
    if family.parameters:
        rows = family.parameter_rows(y, w, v, eta, phi)
        dW = np.where(live, -family.d2_parameters(y, w, v, eta, phi)[..., 0], 0.0)
        through_curvature = (leverage * dW + pull * rows.d1phi[..., 0]).sum(axis=(1, 2))
        parts.append(rows.dphi.sum(axis=(1, 2, 3)) - 0.5 * through_curvature)
    return parts


@on_one_blas_thread
def evaluate_laplace(design: DesignFacts, working: Array, start: Any = None) -> LaplaceEvaluation:
    """Laplace log-likelihood (constants included) and its exact gradient.

    Parameters
    ----------
    design : DesignFacts
    working : ndarray (n_params,)
        Fixed effects, loadings, dispersion.
    start : optional
        Kept modes at nearby parameters.
    """
    modes = design.keep(partial(modes_at, working), start)
    values, gradients = zip(*design.map(partial(_sums, working), modes), strict=True)
    return LaplaceEvaluation(design.constant + sum(values), np.sum(gradients, axis=0), modes)


def modes_at(working: Array, design: MixedDesign, start: Sequence[Modes] | None) -> tuple[Modes, ...]:
    """Modes of every bucket at working parameters."""
    beta, entries, phi = design.split(working)
    return modes_of_buckets(design.buckets, beta, design.loadings.factors(entries), phi, start)


def _sums(working: Array, design: MixedDesign, modes: tuple[Modes, ...]) -> tuple[float, Array]:
    """Value without constants, and gradient."""
    _, entries, phi = design.split(working)
    factors = design.loadings.factors(entries)
    pieces = [
        _bucket_gradient(bucket, m, design.loadings, factors, phi)
        for bucket, m in zip(design.buckets, modes, strict=True)
    ]
    gradient = np.concatenate([sum(parts) for parts in zip(*pieces, strict=True)])
    return sum(float(m.value.sum()) for m in modes), gradient
