"""Adaptive quadrature: product rules laid over each group."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from scipy import special

from .densities import Array, eta_derivative, log_density, log_phi_derivative
from .rows import Rows, by_variance, from_working

REACH = 16.0  # the trapezoidal rule's half-width, in conditional standard deviations at the mode


@functools.lru_cache(maxsize=32)
def grid(rule: str, nodes: int, q: int) -> tuple[Array, Array]:
    """Points (K, q) and log weights (K,): sum of exp(log weight) g(point) is about the integral of g."""
    if rule == "hermite":
        x, w = special.roots_hermitenorm(nodes)
        log_w = np.log(w) + 0.5 * x**2
    elif rule == "trapezoid":
        x = np.linspace(-REACH, REACH, nodes)
        log_w = np.full(nodes, np.log(x[1] - x[0]))
    else:
        raise ValueError(f"rule must be 'hermite' or 'trapezoid', not {rule!r}")
    points = np.stack([axis.ravel() for axis in np.meshgrid(*[x] * q, indexing="ij")], axis=1)
    return points, np.sum(np.meshgrid(*[log_w] * q, indexing="ij"), axis=0).ravel()


def _locate(rows: Rows, fixed: Array, ZL: Array, phi: float) -> tuple[Array, Array]:
    """Mode of each group's conditional density of z, (G, q), and a factor S of its inverse curvature S S'.

    Damped Newton on all groups at once. Rows whose log density is convex at a point count as flat there,
    which keeps every step uphill; the centre affects the quadrature's accuracy, not what it converges to.
    """
    z = np.zeros((len(rows.starts), rows.q))

    def eta_at(z: Array) -> Array:
        return fixed + np.sum(ZL * z[rows.of_row], axis=1, keepdims=True)

    def objective(z: Array) -> Array:
        return rows.sum_groups(rows.density(log_density, eta_at(z), phi))[:, 0] - 0.5 * np.sum(z**2, axis=1)

    def slopes(z: Array) -> tuple[Array, Array]:
        eta = eta_at(z)
        h = 1e-5 * np.maximum(np.abs(eta), 1e-2)
        d1, above, below = (rows.density(eta_derivative, at, phi) for at in (eta, eta + h, eta - h))
        information = np.maximum((below - above) / (2.0 * h), 0.0)
        curvature = rows.sum_groups(information[:, :, None] * ZL[:, :, None] * ZL[:, None, :])
        return rows.sum_groups(d1 * ZL) - z, curvature + np.eye(rows.q)

    value = objective(z)
    for _ in range(200):
        gradient, curvature = slopes(z)
        step = np.linalg.solve(curvature, gradient[:, :, None])[:, :, 0]
        for _ in range(40):
            stepped = objective(z + step)
            worse = ~(stepped >= value - 1e-12 * np.abs(value))
            if not worse.any():
                break
            step[worse] *= 0.5
        step[worse] = 0.0
        z = z + step
        value = np.where(worse, value, stepped)
        if np.max(np.abs(step)) < 1e-7:
            break
    scale = np.linalg.inv(np.linalg.cholesky(slopes(z)[1])).transpose(0, 2, 1)
    return z, scale


@dataclass(frozen=True)
class _Integral:
    """Every group's quadrature: log-likelihood (G,), points z (G, K, q) and weights v (G, K), eta (n, K)."""

    loglike: Array
    z: Array
    v: Array
    eta: Array
    mode: Array

    def moments(self) -> tuple[Array, Array]:
        """Conditional mean of z, (G, q), and of z z', (G, q, q)."""
        weighted = (self.v[:, :, None] * self.z).transpose(0, 2, 1)
        return weighted.sum(axis=2), weighted @ self.z


def integrate(rows: Rows, beta: Array, L: Array, phi: float) -> _Integral:
    """Integrate each group's rows over z ~ N(0, I), around the mode and scaled by the curvature there."""
    points, log_weights = grid(rows.rule, rows.nodes, rows.q)
    fixed = (rows.X @ beta)[:, None] + rows.offset
    ZL = rows.Z @ L
    mode, scale = _locate(rows, fixed, ZL, phi)
    z = mode[:, None, :] + points @ scale.transpose(0, 2, 1)
    eta = fixed + (z[rows.of_row] @ ZL[:, :, None])[:, :, 0]
    log_f = rows.sum_groups(rows.density(log_density, eta, phi)) + log_weights
    log_f += np.linalg.slogdet(scale)[1][:, None]
    log_f -= 0.5 * np.sum(z**2, axis=2) + 0.5 * rows.q * np.log(2.0 * np.pi)
    loglike = special.logsumexp(log_f, axis=1)
    with np.errstate(invalid="ignore"):
        v = np.exp(log_f - loglike[:, None])
    return _Integral(loglike, z, v, eta, mode)


def working_scores(rows: Rows, w: Array) -> tuple[Array, Array]:
    """Log-likelihood of each group, (G,), and its score on the working scale, (G, P).

    Fisher's identity: the score is the conditional mean of the derivative of the rows' log density, where
    eta = X beta + Z L z.
    """
    beta, L, phi = from_working(w, rows)
    integral = integrate(rows, beta, L, phi)
    v, z = integral.v, integral.z
    reached = (
        v[rows.of_row] > 0
    )  # a node without weight counts as nothing, also where its derivative overflows
    d1 = np.where(reached, rows.density(eta_derivative, integral.eta, phi), 0.0)
    in_beta = rows.sum_groups(np.sum(v[rows.of_row] * d1, axis=1)[:, None] * rows.X)
    by_effect = np.stack([rows.sum_groups(d1 * rows.Z[:, [j]]) for j in range(rows.q)], axis=1)
    in_L = (by_effect * v[:, None, :]) @ z
    if rows.shared is None:
        in_factor = in_L[(slice(None), *np.tril_indices(rows.q))]
    else:
        in_factor = by_variance(
            np.diagonal(in_L, axis1=1, axis2=2).T, rows, functools.partial(np.sum, axis=0)
        ).T
    scores = [in_beta, in_factor]
    if rows.has_dispersion:
        d_phi = np.where(reached, rows.density(log_phi_derivative, integral.eta, phi), 0.0)
        scores.append(np.sum(v * rows.sum_groups(d_phi), axis=1, keepdims=True))
    return integral.loglike, np.concatenate(scores, axis=1)
