"""Models as sorted arrays, and their parameters: natural, and working ones that take any value."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .densities import DISPERSION, SUPPORTED, Array

DEFAULT_RULE = {1: ("trapezoid", 161), 2: ("hermite", 41), 3: ("hermite", 21)}


@dataclass(frozen=True)
class Rows:
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


def sorted_rows(
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
) -> Rows:
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
    return Rows(
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


def from_natural(params: Array, rows: Rows) -> tuple[Array, Array, float]:
    """Fixed effects, covariance and dispersion (1 if the family has none)."""
    params = np.asarray(params, dtype=float)
    n_params = rows.p + rows.n_theta + rows.has_dispersion
    if params.shape != (n_params,):
        raise ValueError(f"params must hold {n_params} numbers, not {params.shape}")
    theta = params[rows.p : rows.p + rows.n_theta]
    phi = float(params[-1]) if rows.has_dispersion else 1.0
    return params[: rows.p], np.tensordot(theta, _basis(rows), 1), phi


def from_working(w: Array, rows: Rows) -> tuple[Array, Array, float]:
    """Fixed effects, factor L and dispersion; w holds L (or SDs, of any sign) and the log dispersion."""
    factor = w[rows.p : rows.p + rows.n_theta]
    if rows.shared is None:
        L = np.zeros((rows.q, rows.q))
        L[np.tril_indices(rows.q)] = factor
    else:
        L = np.diag(factor[list(rows.shared)])
    return w[: rows.p], L, float(np.exp(w[-1])) if rows.has_dispersion else 1.0


def to_working(beta: Array, G: Array, phi: float, rows: Rows) -> Array:
    L = root_of(G)
    factor = L[np.tril_indices(rows.q)] if rows.shared is None else by_variance(np.diag(L), rows, np.max)
    return np.concatenate([beta, factor, [np.log(phi)] if rows.has_dispersion else []])


def to_natural(w: Array, rows: Rows) -> tuple[Array, Array]:
    """Natural parameters at working ones, and their Jacobian."""
    beta, L, phi = from_working(w, rows)
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


def _basis(rows: Rows) -> Array:
    """Matrices B_j, (k, q, q), such that the covariance is sum_j theta_j B_j."""
    if rows.shared is not None:
        return np.array([np.diag(np.equal(rows.shared, j).astype(float)) for j in range(rows.n_theta)])
    basis = np.zeros((rows.n_theta, rows.q, rows.q))
    for B, a, b in zip(basis, *np.tril_indices(rows.q), strict=True):
        B[a, b] = B[b, a] = 1.0
    return basis


def by_variance(diagonal: Array, rows: Rows, reduce: Callable[..., Any] = np.sum) -> Array:
    """Collect entries of a diagonal by the variance that they share."""
    return np.array([reduce(diagonal[np.equal(rows.shared, j)]) for j in range(rows.n_theta)])


def root_of(G: Array) -> Array:
    """Lower factor of a covariance that may be singular: a pivot that is round-off empties its column."""
    L = np.zeros_like(G)
    for j in range(len(G)):
        rest = G[j:, j] - L[j:, :j] @ L[j, :j]
        if rest[0] < -1e-10 * abs(G[j, j]) or (G[j, j] == 0 and np.any(G[j] != 0)):
            raise ValueError("the covariance is not positive semi-definite")
        if rest[0] > 1e-13 * G[j, j]:
            L[j:, j] = rest / np.sqrt(rest[0])
    return L
