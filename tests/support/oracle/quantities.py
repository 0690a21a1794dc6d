"""What the tests ask of a model."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from .densities import Array, mean
from .maximum import numerical_jacobian
from .quadrature import grid, integrate, working_scores
from .rows import from_natural, root_of, sorted_rows, to_natural, to_working


def quadrature_loglike(params: Array, *model: Any, **options: Any) -> float:
    """Log-likelihood at natural parameters, all constants included; variances may be zero."""
    rows = sorted_rows(*model, **options)
    beta, G, phi = from_natural(params, rows)
    return float(integrate(rows, beta, root_of(G), phi).loglike.sum())


def quadrature_score(params: Array, *model: Any, by_group: bool = False, **options: Any) -> Array:
    """Score at natural parameters with a covariance of full rank, (P,) or by group in sorted order (G, P)."""
    rows = sorted_rows(*model, **options)
    w = to_working(*from_natural(params, rows), rows)
    scores = np.linalg.solve(to_natural(w, rows)[1].T, working_scores(rows, w)[1].T).T
    return scores if by_group else scores.sum(axis=0)


def loglike_and_score_by_group(params: Array, *model: Any, **options: Any) -> tuple[Array, Array]:
    """Log-likelihood (G,) and score (G, P) of each group, in sorted order, at natural parameters."""
    rows = sorted_rows(*model, **options)
    w = to_working(*from_natural(params, rows), rows)
    values, scores = working_scores(rows, w)
    return values, np.linalg.solve(to_natural(w, rows)[1].T, scores.T).T


def quadrature_hessian(params: Array, *model: Any, **options: Any) -> Array:
    """Hessian at natural parameters, (P, P), by Richardson's method on the exact score."""
    scores = quadrature_score(params, *model, by_group=True, **options)
    step = 0.03 / np.sqrt(np.sum(scores**2, axis=0))
    return numerical_jacobian(
        lambda at: quadrature_score(at, *model, **options), np.asarray(params, dtype=float), step, 3
    )


class PosteriorMoments(NamedTuple):
    """Random effects given the data: groups in sorted order along the first axis."""

    levels: Array
    mean: Array
    sd: Array
    cov: Array
    mode: Array


def posterior_moments(params: Array, *model: Any, **options: Any) -> PosteriorMoments:
    """Conditional mean, SD, covariance and mode of each group's random effects at natural parameters."""
    rows = sorted_rows(*model, **options)
    beta, G, phi = from_natural(params, rows)
    L = root_of(G)
    integral = integrate(rows, beta, L, phi)
    first, second = integral.moments()
    cov = L @ (second - first[:, :, None] * first[:, None, :]) @ L.T
    sd = np.sqrt(np.diagonal(cov, axis1=1, axis2=2))
    return PosteriorMoments(rows.labels, first @ L.T, sd, cov, integral.mode @ L.T)


def marginal_mean(eta_fixed: Array, sd: Array | float, link: str, nodes: int = 801) -> Array:
    """Mean of the response over a normal random part of the linear predictor with mean 0 and this SD."""
    if link == "inverse":
        raise ValueError("the mean of 1 / eta over a normal eta does not exist")
    points, log_weights = grid("trapezoid", nodes, 1)
    z = points[:, 0]
    eta = np.asarray(eta_fixed, dtype=float)[..., None] + np.asarray(sd, dtype=float)[..., None] * z
    return mean(link, eta) @ np.exp(log_weights + stats.norm.logpdf(z))
