"""Laplace's approximation of the log-likelihood, with its gradient (see `modes` for the notation)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from statsmodels_mcla.covariance import ReducedTerm
from statsmodels_mcla.design import Bucket, MixedDesign
from statsmodels_mcla.likelihood.laplace.modes import Modes, modes_of_buckets
from statsmodels_mcla.numerics import Array, transpose


@dataclass(frozen=True)
class LaplaceEvaluation:
    """Laplace log-likelihood, its gradient in the working parameters, and the modes of every bucket."""

    value: float
    gradient: Array
    modes: tuple[Modes, ...]


def _bucket_gradient(bucket: Bucket, modes: Modes, terms: Sequence[ReducedTerm], phi: float) -> list[Array]:
    """Gradient of one bucket's Laplace log-likelihood in beta, the loadings and phi.

    The mode moves with the parameters, but h is flat there: only log|A| feels it, through
    d3 log f / d eta3.  ``leverage`` is the conditional variance of eta, ``pull`` the change of log|A|
    per unit of a row's eta that reaches it through the mode.
    """
    y, w, v = bucket.y[..., None], bucket.w[..., None], bucket.v[..., None]
    family, eta = bucket.family, modes.eta[..., None]
    b, d1, W = modes.b, modes.d1, modes.W
    A_inv = modes.root @ transpose(modes.root)
    P = modes.Z @ A_inv
    leverage = (P * modes.Z).sum(axis=-1)
    bend = -np.where(W != 0, leverage * family.third(y, w, v, eta, phi)[..., 0], 0.0)  # leverage * dW/deta
    r = (A_inv @ (transpose(modes.Z) @ bend[..., None]))[..., 0]
    pull = (modes.Z @ r[..., None])[..., 0]
    kappa = d1 - 0.5 * (bend - W * pull)
    parts = [bucket.X.reshape(-1, bucket.X.shape[2]).T @ kappa.ravel()]
    # dl/dLambda = Z'(kappa b' - W P - d1 r'/2), of which each term keeps its levels' diagonal blocks
    left = transpose(bucket.Z) @ np.stack([kappa, -0.5 * d1], axis=-1)
    right = np.stack([b, r], axis=-1)
    WP = W[..., None] * P
    for t, term in enumerate(terms):
        change = np.empty(term.size)
        for a, (i, k) in enumerate(term.entries):
            e, q = bucket.effects_of(t, i), bucket.drawn_of(t, k)
            change[a] = (left[:, e] * right[:, q]).sum() - (bucket.Z[..., e] * WP[..., q]).sum()
        parts.append(change)
    if family.dispersion is not None:
        rows = family.dispersion_rows(y, w, v, eta, phi)
        dW = np.where(W != 0, -family.d2_dispersion(y, w, v, eta, phi)[..., 0], 0.0)
        through_curvature = (leverage * dW).sum() + (pull * rows.d1phi[..., 0]).sum()
        parts.append(np.atleast_1d(rows.dphi.sum() - 0.5 * through_curvature))
    return parts


def evaluate_laplace(
    design: MixedDesign, working: Array, start: Sequence[Modes] | None = None
) -> LaplaceEvaluation:
    """Laplace log-likelihood (constants included) and its exact gradient.

    Parameters
    ----------
    design : MixedDesign
    working : ndarray (n_params,)
        Fixed effects, loadings, dispersion.
    start : sequence of Modes, optional
        Modes at nearby parameters.
    """
    beta, entries, phi = design.split(working)
    modes = modes_of_buckets(design.buckets, beta, design.loadings.factors(entries), phi, start)
    value = design.constant + sum(float(m.value.sum()) for m in modes)
    pieces = [
        _bucket_gradient(bucket, m, design.loadings.terms, phi)
        for bucket, m in zip(design.buckets, modes, strict=True)
    ]
    gradient = np.concatenate([sum(parts) for parts in zip(*pieces, strict=True)])
    return LaplaceEvaluation(value, gradient, modes)
