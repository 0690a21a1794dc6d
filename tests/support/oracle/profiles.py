"""Profiles, and the intervals they give."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from scipy import optimize, stats

from .densities import Array
from .maximum import Maximum, free_parameters, maximise, quadrature_mle, starting_values, target_of
from .rows import Rows, from_natural, sorted_rows, to_natural, to_working

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
    held = _Held(index, sorted_rows(*model, **options), fit or quadrature_mle(*model, **options))
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
    held = _Held(index, sorted_rows(*model, **options), fit)
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

    def __init__(self, index: Index, rows: Rows, fit: Maximum):
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
        w, start = to_working(fit.beta, G, fit.dispersion or 1.0, self.rows), starting_values(self.rows)
        vanished = ~free_parameters(
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
            target = target_of(self.rows, lambda x: self.expand(x, value))
            x, hessian = maximise(target, near[2], 1e-16, near[3])
            near = (value, target(x)[0], x, hessian)
            self.known.append(near)
        return near[1], near[2], value

    def natural(self, x: Array, value: float) -> Array:
        """All natural parameters, effects in their own order."""
        params = to_natural(self.expand(x, value)[0], self.rows)[0]
        if self.rows.shared is None:
            G = from_natural(params, self.rows)[1][np.ix_(self.back, self.back)]
            params[self.rows.p : self.rows.p + self.rows.n_theta] = G[np.tril_indices(self.rows.q)]
        return params
