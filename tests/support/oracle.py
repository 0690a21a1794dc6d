"""Likelihoods of generalized linear mixed models by adaptive quadrature, for the tests to compare with.

Written apart from the package and importing nothing of it: densities come from `scipy.stats`, designs from
patsy, integrals from product rules laid over each group's conditional density of its random effects. It
covers one grouping factor with a few effects a group; a small crossed design is the case of a single group.

Arguments shared by every function that takes a model as arrays (`Problem.arguments` holds them as a dict):

==============  =========================================================================================
`y`             response, (n,); successes for the binomial
`X`, `Zg`       fixed-effects design (n, p); random-effects design (n, q) of each row's own group, where
                None is a random intercept
`group`         group label of each row, (n,)
`family`        "binomial", "poisson", "negativebinomial" (NB2), "gamma", "gaussian", "inversegaussian"
`link`          "logit", "probit", "cloglog", "cauchit", "log", "sqrt", "inverse", "identity"
`offset`        added to the linear predictor, (n,)
`weights`       frequency weights: each multiplies its row's log density, (n,)
`trials`        binomial trials, (n,); 1 unless given
`var_weights`   divide the scale of gamma, Gaussian and inverse Gaussian rows, (n,)
`structure`     "unstructured" (one q x q covariance) or q integers: independent effects, equal integers
                sharing one variance
`params`        fixed effects; the covariance's lower triangle row by row, or the variances in the order
                of the sorted integers of `structure`; the dispersion, if the family has one
`nodes`         quadrature points along each axis
`rule`          "hermite" (Gauss-Hermite) or "trapezoid" (equal steps), two rules that fail differently
==============  =========================================================================================

Both rules are laid around the mode and scaled by the curvature there. One effect a group takes the
trapezoidal rule unless told otherwise: it reaches round-off with 161 nodes also for a Bernoulli model of
large variance, where the poles of the logistic function leave 201 Gauss-Hermite nodes with an error of 1e-7.

The random effects are u = L z with L L' the covariance, so that a singular covariance needs no special case.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import patsy
from scipy import optimize, special, stats

Array = np.ndarray

DATASETS = Path(__file__).parents[2] / "statsmodels_mcla" / "datasets"

DEFAULT_RULE = {1: ("trapezoid", 161), 2: ("hermite", 41), 3: ("hermite", 21)}
REACH = 16.0  # the trapezoidal rule's half-width, in conditional standard deviations at the mode

# A binomial probability is the distribution function of a latent variable at eta, so that the far tails of
# both outcomes are as accurate as scipy's logcdf and logsf.
LATENT = {"logit": stats.logistic, "probit": stats.norm, "cloglog": stats.gumbel_l, "cauchit": stats.cauchy}
DISPERSION = {"negativebinomial": "alpha", "gamma": "scale", "gaussian": "scale", "inversegaussian": "scale"}
SUPPORTED = (
    *(("binomial", link) for link in LATENT),
    ("poisson", "log"),
    ("poisson", "sqrt"),
    ("negativebinomial", "log"),
    ("gamma", "log"),
    ("gamma", "inverse"),
    ("gaussian", "identity"),
    ("gaussian", "log"),
    ("inversegaussian", "log"),
)


# Conditional densities ------------------------------------------------------------------------------------


def mean(link: str, eta: Array) -> Array:
    """Conditional mean at a linear predictor (for the binomial, the probability of success)."""
    if link in LATENT:
        return LATENT[link].cdf(eta)
    if link == "log":
        return np.exp(np.minimum(eta, 600.0))  # beyond it no prior leaves any mass
    return {"identity": np.asarray, "sqrt": np.square, "inverse": np.reciprocal}[link](eta)


def link_function(link: str, mu: Array) -> Array:
    """Linear predictor at a conditional mean."""
    if link in LATENT:
        return LATENT[link].ppf(mu)
    return {"identity": np.asarray, "log": np.log, "sqrt": np.sqrt, "inverse": np.reciprocal}[link](mu)


def log_density(
    family: str, link: str, y: Array, eta: Array, phi: float, trials: Array, var_weights: Array
) -> Array:
    """Log density of each row, all constants included; arrays broadcast.

    Under the inverse link a row whose linear predictor is not positive has density zero.
    """
    if family == "binomial":
        coefficient = stats.binom.logpmf(y, trials, 0.5) + trials * np.log(2.0)
        successes, failures = LATENT[link].logcdf, LATENT[link].logsf
        return coefficient + _times(y, successes, eta) + _times(trials - y, failures, eta)
    if link == "inverse":
        inside = eta > 0
        mu = 1.0 / np.where(inside, eta, 1.0)
        return np.where(inside, log_density(family, "identity", y, mu, phi, trials, var_weights), -np.inf)
    mu = mean(link, eta)
    scale = phi / var_weights
    if family == "poisson":
        return stats.poisson.logpmf(y, mu)
    if family == "negativebinomial":
        return stats.nbinom.logpmf(y, 1.0 / phi, 1.0 / (1.0 + phi * mu))
    if family == "gamma":
        return stats.gamma.logpdf(y, 1.0 / scale, scale=mu * scale)
    if family == "gaussian":
        return stats.norm.logpdf(y, mu, np.sqrt(scale))
    return stats.invgauss.logpdf(y, mu * scale, scale=1.0 / scale)


def eta_derivative(
    family: str, link: str, y: Array, eta: Array, phi: float, trials: Array, var_weights: Array
) -> Array:
    """Derivative of `log_density` in the linear predictor."""
    if family == "binomial":
        latent = LATENT[link]
        rising = _times(y, lambda x: np.exp(latent.logpdf(x) - latent.logcdf(x)), eta)
        return rising - _times(trials - y, lambda x: np.exp(latent.logpdf(x) - latent.logsf(x)), eta)
    scale = phi / var_weights
    if link == "sqrt":
        return 2.0 * (y / eta - eta)
    if link == "inverse":
        return np.where(eta > 0, (1.0 / np.where(eta > 0, eta, 1.0) - y) / scale, 0.0)
    mu = mean(link, eta)
    slope = np.ones_like(mu) if link == "identity" else mu
    variance = {
        "poisson": lambda: mu,
        "negativebinomial": lambda: mu * (1.0 + phi * mu),
        "gamma": lambda: scale * mu**2,
        "gaussian": lambda: scale,
        "inversegaussian": lambda: scale * mu**3,
    }[family]()
    return (y - mu) * slope / variance


def log_phi_derivative(
    family: str, link: str, y: Array, eta: Array, phi: float, trials: Array, var_weights: Array
) -> Array:
    """Derivative of `log_density` in the logarithm of the dispersion."""
    if link == "inverse":
        inside = eta > 0
        mu = 1.0 / np.where(inside, eta, 1.0)
        return np.where(inside, log_phi_derivative(family, "identity", y, mu, phi, trials, var_weights), 0.0)
    mu = mean(link, eta)
    if family == "negativebinomial":
        r = 1.0 / phi
        in_r = special.digamma(y + r) - special.digamma(r) - np.log1p(mu / r) + (mu - y) / (r + mu)
        return -r * in_r
    shape = var_weights / phi
    if family == "gamma":
        return -shape * (np.log(y / mu) + np.log(shape) + 1.0 - y / mu - special.digamma(shape))
    if family == "gaussian":
        return 0.5 * shape * (y - mu) ** 2 - 0.5
    return 0.5 * shape * (y - mu) ** 2 / (mu**2 * y) - 0.5


def _times(count: Array, function: Callable[[Array], Array], eta: Array) -> Array:
    """Return count * function(eta), evaluated only where the count is not zero: 0 * inf would be NaN."""
    count, eta = np.broadcast_arrays(count, eta)
    used = count > 0
    values = np.zeros(eta.shape)
    values[used] = count[used] * function(eta[used])
    return values


# Models as sorted arrays ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Rows:
    """A model's rows, sorted by group; row arrays but the designs are columns, to broadcast over nodes."""

    y: Array
    X: Array
    Z: Array
    offset: Array
    weights: Array
    trials: Array
    var_weights: Array
    of_row: Array
    labels: Array
    starts: Array
    family: str
    link: str
    shared: tuple[int, ...] | None
    rule: str
    nodes: int

    @property
    def p(self) -> int:
        return self.X.shape[1]

    @property
    def q(self) -> int:
        return self.Z.shape[1]

    @property
    def n_theta(self) -> int:
        return self.q * (self.q + 1) // 2 if self.shared is None else max(self.shared) + 1

    @property
    def has_dispersion(self) -> bool:
        return self.family in DISPERSION

    def density(self, function: Callable[..., Array], eta: Array, phi: float) -> Array:
        """One of the three functions of the conditional density, times the frequency weights."""
        with np.errstate(all="ignore"):
            return self.weights * function(
                self.family, self.link, self.y, eta, phi, self.trials, self.var_weights
            )

    def sum_groups(self, values: Array) -> Array:
        return np.add.reduceat(values, self.starts, axis=0)


def _rows(
    y: Array,
    X: Array,
    Zg: Array | None,
    group: Array,
    family: str,
    link: str,
    offset: Array | None = None,
    weights: Array | None = None,
    trials: Array | None = None,
    var_weights: Array | None = None,
    structure: str | Sequence[int] = "unstructured",
    nodes: int | None = None,
    rule: str | None = None,
) -> _Rows:
    if (family, link) not in SUPPORTED:
        raise ValueError(f"no {family} with {link} link here; there are {SUPPORTED}")
    n = len(y)
    Z = np.ones((n, 1)) if Zg is None else np.asarray(Zg, dtype=float).reshape(n, -1)
    q = Z.shape[1]
    shared = None
    if not isinstance(structure, str):
        shared = tuple(np.unique(np.asarray(structure), return_inverse=True)[1].tolist())
    if (shared is None and structure != "unstructured") or (shared is not None and len(shared) != q):
        raise ValueError(f"structure must be 'unstructured' or {q} integers")
    labels, of_row = np.unique(np.asarray(group), return_inverse=True)
    order = np.argsort(of_row, kind="stable")
    of_row = of_row[order]

    def column(values: Array | None, default: float) -> Array:
        full = np.full(n, default) if values is None else np.asarray(values, dtype=float)
        return full[order][:, None]

    default_rule, default_nodes = DEFAULT_RULE.get(q, ("hermite", 11))
    if rule not in (None, default_rule) and nodes is None:
        raise ValueError("give nodes with a rule that is not the default one")
    return _Rows(
        y=column(y, 0.0),
        X=np.asarray(X, dtype=float).reshape(n, -1)[order],
        Z=Z[order],
        offset=column(offset, 0.0),
        weights=column(weights, 1.0),
        trials=column(trials, 1.0),
        var_weights=column(var_weights, 1.0),
        of_row=of_row,
        labels=labels,
        starts=np.searchsorted(of_row, np.arange(len(labels))),
        family=family,
        link=link,
        shared=shared,
        rule=rule or default_rule,
        nodes=nodes or default_nodes,
    )


def _from_natural(params: Array, rows: _Rows) -> tuple[Array, Array, float]:
    """Fixed effects, covariance and dispersion (1 if the family has none)."""
    params = np.asarray(params, dtype=float)
    n_params = rows.p + rows.n_theta + rows.has_dispersion
    if params.shape != (n_params,):
        raise ValueError(f"params must hold {n_params} numbers, not {params.shape}")
    theta = params[rows.p : rows.p + rows.n_theta]
    phi = float(params[-1]) if rows.has_dispersion else 1.0
    return params[: rows.p], np.tensordot(theta, _basis(rows), 1), phi


def _from_working(w: Array, rows: _Rows) -> tuple[Array, Array, float]:
    """Fixed effects, factor L and dispersion; w holds L (or SDs, of any sign) and the log dispersion."""
    factor = w[rows.p : rows.p + rows.n_theta]
    if rows.shared is None:
        L = np.zeros((rows.q, rows.q))
        L[np.tril_indices(rows.q)] = factor
    else:
        L = np.diag(factor[list(rows.shared)])
    return w[: rows.p], L, float(np.exp(w[-1])) if rows.has_dispersion else 1.0


def _to_working(beta: Array, G: Array, phi: float, rows: _Rows) -> Array:
    L = _cholesky(G)
    factor = L[np.tril_indices(rows.q)] if rows.shared is None else _by_variance(np.diag(L), rows, np.max)
    return np.concatenate([beta, factor, [np.log(phi)] if rows.has_dispersion else []])


def _to_natural(w: Array, rows: _Rows) -> tuple[Array, Array]:
    """Natural parameters at working ones, and their Jacobian."""
    beta, L, phi = _from_working(w, rows)
    G, basis = L @ L.T, _basis(rows)
    jacobian = np.eye(len(w))
    at = slice(rows.p, rows.p + rows.n_theta)
    if rows.shared is None:
        theta = G[np.tril_indices(rows.q)]
        for j, (a, b) in enumerate(zip(*np.tril_indices(rows.q), strict=True)):
            dL = np.zeros_like(L)
            dL[a, b] = 1.0
            jacobian[at, rows.p + j] = (dL @ L.T + L @ dL.T)[np.tril_indices(rows.q)]
    else:
        theta = np.array([np.max(np.diag(G) * np.diag(B)) for B in basis])
        jacobian[at, at] = np.diag(2.0 * w[at])
    if rows.has_dispersion:
        jacobian[-1, -1] = phi
    return np.concatenate([beta, theta, [phi] if rows.has_dispersion else []]), jacobian


def _basis(rows: _Rows) -> Array:
    """Matrices B_j, (k, q, q), such that the covariance is sum_j theta_j B_j."""
    if rows.shared is not None:
        return np.array([np.diag(np.equal(rows.shared, j).astype(float)) for j in range(rows.n_theta)])
    basis = np.zeros((rows.n_theta, rows.q, rows.q))
    for B, a, b in zip(basis, *np.tril_indices(rows.q), strict=True):
        B[a, b] = B[b, a] = 1.0
    return basis


def _by_variance(diagonal: Array, rows: _Rows, reduce: Callable[..., Any] = np.sum) -> Array:
    """Collect entries of a diagonal by the variance that they share."""
    return np.array([reduce(diagonal[np.equal(rows.shared, j)]) for j in range(rows.n_theta)])


def _cholesky(G: Array) -> Array:
    """Lower factor of a covariance that may be singular: a pivot that is round-off empties its column."""
    L = np.zeros_like(G)
    for j in range(len(G)):
        rest = G[j:, j] - L[j:, :j] @ L[j, :j]
        if rest[0] < -1e-10 * abs(G[j, j]) or (G[j, j] == 0 and np.any(G[j] != 0)):
            raise ValueError("the covariance is not positive semi-definite")
        if rest[0] > 1e-13 * G[j, j]:
            L[j:, j] = rest / np.sqrt(rest[0])
    return L


# Quadrature -----------------------------------------------------------------------------------------------


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


def _locate(rows: _Rows, fixed: Array, ZL: Array, phi: float) -> tuple[Array, Array]:
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


def _integrate(rows: _Rows, beta: Array, L: Array, phi: float) -> _Integral:
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


def _working_scores(rows: _Rows, w: Array) -> tuple[Array, Array]:
    """Log-likelihood of each group, (G,), and its score on the working scale, (G, P).

    Fisher's identity: the score is the conditional mean of the derivative of the rows' log density, where
    eta = X beta + Z L z.
    """
    beta, L, phi = _from_working(w, rows)
    integral = _integrate(rows, beta, L, phi)
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
        in_factor = _by_variance(
            np.diagonal(in_L, axis1=1, axis2=2).T, rows, functools.partial(np.sum, axis=0)
        ).T
    scores = [in_beta, in_factor]
    if rows.has_dispersion:
        d_phi = np.where(reached, rows.density(log_phi_derivative, integral.eta, phi), 0.0)
        scores.append(np.sum(v * rows.sum_groups(d_phi), axis=1, keepdims=True))
    return integral.loglike, np.concatenate(scores, axis=1)


# Maximum likelihood ---------------------------------------------------------------------------------------

Target = Callable[[Array], tuple[float, Array, Array]]


def _target(rows: _Rows, expand: Callable[[Array], tuple[Array, Array]]) -> Target:
    """Log-likelihood of free coordinates x, its gradient, and a scale: about 1 / the standard error of each.

    `expand` gives working parameters at x and their Jacobian. The scale is the root sum of squared scores;
    for entries of L at least what the size of the start gives, as their scores all vanish where L does.
    """
    least = np.full(rows.p + rows.n_theta + rows.has_dispersion, 1e-8)
    sd = np.diag(_from_working(_start(rows), rows)[1])
    row = np.arange(rows.q) if rows.shared is not None else np.tril_indices(rows.q)[0]
    place = np.array(rows.shared) if rows.shared is not None else np.arange(rows.n_theta)
    least[rows.p + place] = 1.0 / sd[row]

    def evaluate(x: Array) -> tuple[float, Array, Array]:
        w, jacobian = expand(x)
        values, scores = _working_scores(rows, w)
        scores = scores @ jacobian
        scale = np.maximum(np.sqrt(np.sum(scores**2, axis=0)), least @ np.abs(jacobian))
        return float(values.sum()), scores.sum(axis=0), scale

    return evaluate


def _jacobian(function: Callable[[Array], Array], x: Array, h: Array, levels: int) -> Array:
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


def _maximise(
    target: Target, x: Array, tolerance: float, hessian: Array | None = None
) -> tuple[Array, Array]:
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
            hessian = _jacobian(lambda at: target(at)[1], x, 1e-3 / scale, 1)
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


def _start(rows: _Rows) -> Array:
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
        diagonal = _by_variance(diagonal, rows, np.mean)[list(rows.shared)]
    return _to_working(beta, np.diag(diagonal**2), phi, rows)


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
    rows = _rows(*model, **options)
    start = _start(rows) if start_params is None else _to_working(*_from_natural(start_params, rows), rows)
    eye = np.eye(len(start))
    coarse = replace(rows, rule="hermite", nodes={1: 25, 2: 11}.get(rows.q, 7))
    w, hessian = _maximise(_target(coarse, lambda x: (x, eye)), start, 1e-4)
    w, hessian = _maximise(_target(rows, lambda x: (x, eye)), w, 1e-20, hessian)

    free = _free(w, start, rows)
    if not free.all():
        beta, L, phi = _from_working(w, rows)
        w = np.where(free, _to_working(beta, L @ L.T, phi, rows), 0.0)
        hessian = None
    inject = eye[:, free]
    target = _target(rows, lambda x: (w * ~free + inject @ x, inject))
    x, hessian = _maximise(target, w[free], 1e-20, hessian)
    hessian = _jacobian(lambda at: target(at)[1], x, 0.03 / np.sqrt(np.abs(np.diag(hessian))), 3)
    w = w * ~free + inject @ x
    value, score, _ = target(x)

    params, jacobian = _to_natural(w, rows)
    jacobian = jacobian[:, free]
    cov_params = jacobian @ np.linalg.inv(-hessian) @ jacobian.T
    with np.errstate(invalid="ignore"):
        bse = np.where(np.any(jacobian != 0, axis=1), np.sqrt(np.diag(cov_params)), np.nan)
    beta, cov_re, phi = _from_natural(params, rows)
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


def _free(w: Array, start: Array, rows: _Rows) -> Array:
    """Which working parameters a maximum leaves free: all but those of a vanished covariance direction."""
    free = np.ones(len(w), dtype=bool)
    at = slice(rows.p, rows.p + rows.n_theta)
    if rows.shared is not None:
        free[at] = np.abs(w[at]) > 1e-5 * np.abs(start[at])
        return free
    L, first = _from_working(w, rows)[1], _from_working(start, rows)[1]
    vanished = np.abs(np.diag(L)) <= 1e-5 * np.diag(first)
    if vanished.any():
        L = _cholesky(L @ L.T)
        vanished = np.abs(np.diag(L)) <= 1e-5 * np.diag(first)
    free[at] = ~vanished[np.tril_indices(rows.q)[1]]
    return free


# What the tests ask of a model ----------------------------------------------------------------------------


def quadrature_loglike(params: Array, *model: Any, **options: Any) -> float:
    """Log-likelihood at natural parameters, all constants included; variances may be zero."""
    rows = _rows(*model, **options)
    beta, G, phi = _from_natural(params, rows)
    return float(_integrate(rows, beta, _cholesky(G), phi).loglike.sum())


def quadrature_score(params: Array, *model: Any, by_group: bool = False, **options: Any) -> Array:
    """Score at natural parameters with a covariance of full rank, (P,) or by group in sorted order (G, P)."""
    rows = _rows(*model, **options)
    w = _to_working(*_from_natural(params, rows), rows)
    scores = np.linalg.solve(_to_natural(w, rows)[1].T, _working_scores(rows, w)[1].T).T
    return scores if by_group else scores.sum(axis=0)


def loglike_and_score_by_group(params: Array, *model: Any, **options: Any) -> tuple[Array, Array]:
    """Log-likelihood (G,) and score (G, P) of each group, in sorted order, at natural parameters."""
    rows = _rows(*model, **options)
    w = _to_working(*_from_natural(params, rows), rows)
    values, scores = _working_scores(rows, w)
    return values, np.linalg.solve(_to_natural(w, rows)[1].T, scores.T).T


def quadrature_hessian(params: Array, *model: Any, **options: Any) -> Array:
    """Hessian at natural parameters, (P, P), by Richardson's method on the exact score."""
    scores = quadrature_score(params, *model, by_group=True, **options)
    step = 0.03 / np.sqrt(np.sum(scores**2, axis=0))
    return _jacobian(
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
    rows = _rows(*model, **options)
    beta, G, phi = _from_natural(params, rows)
    L = _cholesky(G)
    integral = _integrate(rows, beta, L, phi)
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


# Profiles -------------------------------------------------------------------------------------------------

Index = int | tuple[str, int, int]


class Profile(NamedTuple):
    """Profile log-likelihood, and all parameters, (len(values), P), at values of one of them."""

    values: Array
    llf: Array
    params: Array


def profile(index: Index, values: Array, *model: Any, fit: Maximum | None = None, **options: Any) -> Profile:
    """Maximise over the others with one parameter held at each of the values.

    `index` is a position in params, or ("correlation", j, k) for effects j, k of an unstructured covariance.
    The end of a range where the likelihood vanishes or a correlation is 1 gives -inf.
    """
    held = _Held(index, _rows(*model, **options), fit or quadrature_mle(*model, **options))
    values = np.asarray(values, dtype=float)
    found = {value: held.at(value) for value in sorted(values, key=lambda value: abs(value - held.estimate))}
    return Profile(
        values,
        np.array([found[v][0] for v in values]),
        np.array([held.natural(*found[v][1:]) for v in values]),
    )


def profile_interval(
    index: Index, *model: Any, level: float = 0.95, fit: Maximum | None = None, **options: Any
) -> tuple[float, float]:
    """Profile-likelihood interval; a limit cut off by the parameter's range is the end of that range."""
    fit = fit or quadrature_mle(*model, **options)
    held = _Held(index, _rows(*model, **options), fit)
    threshold = float(stats.chi2.ppf(level, 1))

    def excess(value: float) -> float:
        return 2.0 * (fit.llf - held.at(value)[0]) - threshold

    def limit(sign: int, end: float) -> float:
        inner, width = held.estimate, held.step * np.sqrt(threshold)
        while inner != end:
            outer = sign * min(sign * inner + width, sign * end)
            above = excess(outer)
            if np.isposinf(above):
                width = 0.5 * abs(outer - inner)
            elif above > 0:
                return float(optimize.brentq(excess, inner, outer, xtol=1e-9 * held.step, rtol=1e-14))
            else:
                inner = outer
            if width < 1e-9 * held.step:
                return end
        return end

    return limit(-1, held.ends[0]), limit(1, held.ends[1])


class _Held:
    """Maximum over the other parameters with one held; each starts from the nearest maximum that is known.

    An entry of an unstructured covariance is held by moving its effects to the front, where it is a function
    of the first row or the first two rows of the factor L.
    """

    def __init__(self, index: Index, rows: _Rows, fit: Maximum):
        theta = range(rows.p, rows.p + rows.n_theta)
        front: list[int] = []
        if isinstance(index, tuple):
            self.kind, front = index[0], list(index[1:])
        elif index not in theta:
            self.kind = "dispersion" if rows.has_dispersion and index == theta.stop else "effect"
        elif rows.shared is not None:
            self.kind = "variance"
        else:
            j, k = (int(t[index - theta.start]) for t in np.tril_indices(rows.q))
            self.kind, front = ("variance", [j]) if j == k else ("covariance", [k, j])
        order = front + [j for j in range(rows.q) if j not in front]
        self.back = np.argsort(order)
        self.rows = replace(rows, Z=rows.Z[:, order])
        if not front:
            self.position = int(index)
        else:
            self.position = theta.start + (self.kind != "variance")

        if self.kind == "correlation":
            G = fit.cov_re[np.ix_(front, front)]
            self.estimate, self.step, self.ends = (
                float(G[0, 1] / np.sqrt(G[0, 0] * G[1, 1])),
                0.2,
                (-1.0, 1.0),
            )
        else:
            self.estimate, self.step = float(fit.params[index]), float(fit.bse[index])
            self.ends = (0.0 if self.kind in ("variance", "dispersion") else -np.inf, np.inf)

        G = fit.cov_re[np.ix_(order, order)]
        w, start = _to_working(fit.beta, G, fit.dispersion or 1.0, self.rows), _start(self.rows)
        vanished = ~_free(
            w, start, self.rows
        )  # the likelihood is flat there, and need not be at other values
        w = np.where(vanished, 0.1 * start, w)
        if np.isnan(self.step):
            self.step = float(start[self.position] ** 2)
        self.known: list[tuple[float, float, Array, Array | None]] = [
            (self.estimate + np.inf, -np.inf, np.delete(w, self.position), None)
        ]

    def expand(self, x: Array, value: float) -> tuple[Array, Array]:
        """Working parameters at the free ones, and their Jacobian."""
        at = self.position
        w, jacobian = np.insert(x, at, value), np.insert(np.eye(len(x)), at, 0.0, axis=0)
        if self.kind == "dispersion":
            w[at] = np.log(value)
        elif self.kind == "variance":
            w[at] = np.sqrt(value)
        elif self.kind == "covariance":
            w[at], jacobian[at] = value / w[at - 1], -value / w[at - 1] ** 2 * jacobian[at - 1]
        elif self.kind == "correlation":
            slope = value / np.sqrt(1.0 - value**2)
            w[at], jacobian[at] = slope * w[at + 1], slope * jacobian[at + 1]
        return w, jacobian

    def at(self, value: float) -> tuple[float, Array, float]:
        """Profile log-likelihood, the free parameters and the value."""
        if value in self.ends and self.kind in ("dispersion", "correlation"):
            return -np.inf, self.known[0][2], self.estimate
        near = min(self.known, key=lambda entry: abs(entry[0] - value))
        if near[0] != value:
            target = _target(self.rows, lambda x: self.expand(x, value))
            x, hessian = _maximise(target, near[2], 1e-16, near[3])
            near = (value, target(x)[0], x, hessian)
            self.known.append(near)
        return near[1], near[2], value

    def natural(self, x: Array, value: float) -> Array:
        """All natural parameters, effects in their own order."""
        params = _to_natural(self.expand(x, value)[0], self.rows)[0]
        if self.rows.shared is None:
            G = _from_natural(params, self.rows)[1][np.ix_(self.back, self.back)]
            params[self.rows.p : self.rows.p + self.rows.n_theta] = G[np.tril_indices(self.rows.q)]
        return params


# Models of the reference values ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Problem:
    """A model on one of the data sets, as arrays; `names` are the columns of X and `data` is the table."""

    y: Array
    X: Array
    names: list[str]
    group: Array
    family: str
    link: str
    data: pd.DataFrame
    Zg: Array | None = None
    trials: Array | None = None

    @property
    def arguments(self) -> dict[str, Any]:
        """Keyword arguments for the functions of this module."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("names", "data")}


EPIL = 'lbase * C(trt, Treatment("placebo")) + lage + '
MODELS = {
    "bacteria": ("binomial", "logit", 'C(trt, Treatment("placebo")) + late', "ID"),
    "cbpp": ("binomial", "logit", "C(period)", "herd"),
    "cbpp_cloglog": ("binomial", "cloglog", "C(period)", "herd"),
    "epil": ("poisson", "log", EPIL + "V4", "subject"),
    "epil_nb": ("negativebinomial", "log", EPIL + "V4", "subject"),
    "epil_slopes": ("poisson", "log", EPIL + "visit", "subject"),
    "toenail": ("binomial", "logit", "C(treatment) * time", "patientID"),
    "toenail_probit": ("binomial", "probit", "C(treatment) * time", "patientID"),
    "sleepstudy_gamma": ("gamma", "log", "Days", "Subject"),
}
RESPONSES: dict[str, Callable[[pd.DataFrame], pd.Series]] = {
    "bacteria": lambda data: data["y"] == "y",
    "cbpp": lambda data: data["incidence"],
    "epil": lambda data: data["y"],
    "toenail": lambda data: data["outcome"] != "none or mild",
    "sleepstudy": lambda data: data["Reaction"],
}


def problem(name: str) -> Problem:
    """Model of an entry of mle.json, built with pandas and patsy from the table that the package ships."""
    family, link, formula, group = MODELS[name]
    source = name.split("_")[0]
    data = pd.read_csv(DATASETS / source / f"{source}.csv")
    if source == "bacteria":
        data["late"] = (data["week"] > 2).astype(float)
    if source == "epil":
        data["visit"] = (2 * data["period"] - 5) / 10
    X = patsy.dmatrix(formula, data)
    return Problem(
        y=RESPONSES[source](data).to_numpy(dtype=float),
        X=np.asarray(X),
        names=X.design_info.column_names,
        group=data[group].to_numpy(),
        family=family,
        link=link,
        data=data,
        Zg=np.asarray(patsy.dmatrix("visit", data)) if name == "epil_slopes" else None,
        trials=data["size"].to_numpy(dtype=float) if source == "cbpp" else None,
    )
