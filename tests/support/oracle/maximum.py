"""Maximum likelihood, by Newton steps of the quadrature."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .densities import Array, link_function, mean
from .quadrature import working_scores
from .rows import Rows, by_variance, from_natural, from_working, root_of, sorted_rows, to_natural, to_working

Target = Callable[[Array], tuple[float, Array, Array]]


def target_of(rows: Rows, expand: Callable[[Array], tuple[Array, Array]]) -> Target:
    """Log-likelihood of free coordinates x, its gradient, and a scale: about 1 / the standard error of each.

    `expand` gives working parameters at x and their Jacobian. The scale is the root sum of squared scores;
    for entries of L at least what the size of the start gives, as their scores all vanish where L does.
    """
    least = np.full(rows.p + rows.n_theta + rows.has_dispersion, 1e-8)
    sd = np.diag(from_working(starting_values(rows), rows)[1])
    row = np.arange(rows.q) if rows.shared is not None else np.tril_indices(rows.q)[0]
    place = np.array(rows.shared) if rows.shared is not None else np.arange(rows.n_theta)
    least[rows.p + place] = 1.0 / sd[row]

    def evaluate(x: Array) -> tuple[float, Array, Array]:
        w, jacobian = expand(x)
        values, scores = working_scores(rows, w)
        scores = scores @ jacobian
        scale = np.maximum(np.sqrt(np.sum(scores**2, axis=0)), least @ np.abs(jacobian))
        return float(values.sum()), scores.sum(axis=0), scale

    return evaluate


def numerical_jacobian(function: Callable[[Array], Array], x: Array, h: Array, levels: int) -> Array:
    """Symmetrised Jacobian by central differences, with `levels` of Richardson's extrapolation."""
    columns = []
    for j, step in enumerate(np.eye(len(x)) * h):
        table = [
            (function(x + step / 2**k) - function(x - step / 2**k)) / (2.0 * h[j] / 2**k)
            for k in range(levels)
        ]
        for k in range(1, levels):
            table = [b + (b - a) / (4.0**k - 1.0) for a, b in itertools.pairwise(table)]
        columns.append(table[0])
    matrix = np.array(columns)
    return 0.5 * (matrix + matrix.T)


def _ascent(hessian: Array, gradient: Array) -> Array:
    """Newton step with every curvature made negative, at most 5 standard errors long in any direction."""
    scale = 1.0 / np.sqrt(np.maximum(np.abs(np.diag(hessian)), 1e-300))
    values, vectors = np.linalg.eigh(hessian * np.outer(scale, scale))
    along = vectors.T @ (gradient * scale)
    curvature = np.maximum(np.abs(values), 1e-8 * np.max(np.abs(values)))
    return scale * (vectors @ np.clip(along / curvature, -5.0, 5.0))


def maximise(target: Target, x: Array, tolerance: float, hessian: Array | None = None) -> tuple[Array, Array]:
    """Maximiser and Hessian, by Newton steps until gradient' step (squared standard errors) is small.

    The Hessian is kept for as long as it shrinks that number a hundredfold a step.
    """
    value, gradient, scale = target(x)
    if not np.isfinite(value):
        raise ValueError("the likelihood is zero at the start; give start_params")
    before = np.inf
    fresh = False
    for _ in range(300):
        if hessian is None:
            hessian = numerical_jacobian(lambda at: target(at)[1], x, 1e-3 / scale, 1)
            fresh = True
        step = _ascent(hessian, gradient)
        gain = float(gradient @ step)
        if gain <= tolerance or (fresh and before < 1e-14 and gain > 0.5 * before):
            return x, hessian
        if not fresh and gain > 0.01 * before:
            hessian = None
            continue
        while True:
            stepped = target(x + step)
            if stepped[0] >= value or (gain < 1e-9 and stepped[0] > value - 1e-6):
                break
            if np.max(np.abs(step)) < 1e-14 * np.max(np.abs(x)):
                raise ArithmeticError("no step increases the likelihood")
            step = 0.5 * step
        x = x + step
        value, gradient, scale = stepped
        before, fresh = gain, False
    raise ArithmeticError("no convergence in 300 Newton steps")


def starting_values(rows: Rows) -> Array:
    """Working parameters from a least-squares fit on the link scale."""
    y = rows.y
    if rows.family == "binomial":
        y = (y + 0.5) / (rows.trials + 1.0)
    elif rows.link != "identity":
        y = np.maximum(y, 0.1 * np.mean(np.abs(y)) + 1e-3)
    eta = link_function(rows.link, y) - rows.offset
    root = np.sqrt(rows.weights)
    beta = np.linalg.lstsq(rows.X * root, (eta * root)[:, 0], rcond=None)[0]
    sd = np.std(eta[:, 0] - rows.X @ beta) + 1e-3
    mu = mean(rows.link, (rows.X @ beta)[:, None] + rows.offset)
    power = {"gaussian": 0.0, "gamma": 2.0, "inversegaussian": 3.0}.get(rows.family)
    phi = 0.5 if power is None else float(np.mean((rows.y - mu) ** 2 / np.abs(mu) ** power))
    diagonal = 0.5 * sd / np.sqrt(np.mean(rows.Z**2, axis=0))
    if rows.shared is not None:
        diagonal = by_variance(diagonal, rows, np.mean)[list(rows.shared)]
    return to_working(beta, np.diag(diagonal**2), phi, rows)


@dataclass(frozen=True)
class Maximum:
    """A maximum-likelihood fit; standard errors are from the observed information.

    At a singular maximum `cov_params` and `bse` hold the rank of the covariance fixed, `bse` is NaN for a
    variance at zero, and `score` is on the working scale of the parameters that stay free.
    """

    params: Array
    bse: Array
    cov_params: Array
    llf: float
    score: Array
    singular: bool
    beta: Array
    cov_re: Array
    dispersion: float | None
    se_beta: Array
    se_theta: Array
    se_dispersion: float | None

    @property
    def max_abs_score(self) -> float:
        return float(np.max(np.abs(self.score)))


def quadrature_mle(*model: Any, start_params: Array | None = None, **options: Any) -> Maximum:
    """Maximum-likelihood fit of a model (arguments as in the module's docstring).

    Newton's method on an unconstrained scale (factor of the covariance, log dispersion), first with few
    nodes. The Hessian behind the standard errors is extrapolated differences of the exact score.
    """
    rows = sorted_rows(*model, **options)
    start = (
        starting_values(rows) if start_params is None else to_working(*from_natural(start_params, rows), rows)
    )
    eye = np.eye(len(start))
    coarse = replace(rows, rule="hermite", nodes={1: 25, 2: 11}.get(rows.q, 7))
    w, hessian = maximise(target_of(coarse, lambda x: (x, eye)), start, 1e-4)
    w, hessian = maximise(target_of(rows, lambda x: (x, eye)), w, 1e-20, hessian)

    free = free_parameters(w, start, rows)
    if not free.all():
        beta, L, phi = from_working(w, rows)
        w = np.where(free, to_working(beta, L @ L.T, phi, rows), 0.0)
        hessian = None
    inject = eye[:, free]
    target = target_of(rows, lambda x: (w * ~free + inject @ x, inject))
    x, hessian = maximise(target, w[free], 1e-20, hessian)
    hessian = numerical_jacobian(lambda at: target(at)[1], x, 0.03 / np.sqrt(np.abs(np.diag(hessian))), 3)
    w = w * ~free + inject @ x
    value, score, _ = target(x)

    params, jacobian = to_natural(w, rows)
    jacobian = jacobian[:, free]
    cov_params = jacobian @ np.linalg.inv(-hessian) @ jacobian.T
    with np.errstate(invalid="ignore"):
        bse = np.where(np.any(jacobian != 0, axis=1), np.sqrt(np.diag(cov_params)), np.nan)
    beta, cov_re, phi = from_natural(params, rows)
    theta = slice(rows.p, rows.p + rows.n_theta)
    return Maximum(
        params=params,
        bse=bse,
        cov_params=cov_params,
        llf=value,
        score=np.linalg.solve(jacobian.T, score) if free.all() else score,
        singular=not free.all(),
        beta=beta,
        cov_re=cov_re,
        dispersion=phi if rows.has_dispersion else None,
        se_beta=bse[: rows.p],
        se_theta=bse[theta],
        se_dispersion=float(bse[-1]) if rows.has_dispersion else None,
    )


def free_parameters(w: Array, start: Array, rows: Rows) -> Array:
    """Which working parameters a maximum leaves free: all but those of a vanished covariance direction."""
    free = np.ones(len(w), dtype=bool)
    at = slice(rows.p, rows.p + rows.n_theta)
    if rows.shared is not None:
        free[at] = np.abs(w[at]) > 1e-5 * np.abs(start[at])
        return free
    L, first = from_working(w, rows)[1], from_working(start, rows)[1]
    vanished = np.abs(np.diag(L)) <= 1e-5 * np.diag(first)
    if vanished.any():
        L = root_of(L @ L.T)
        vanished = np.abs(np.diag(L)) <= 1e-5 * np.diag(first)
    free[at] = ~vanished[np.tril_indices(rows.q)[1]]
    return free
