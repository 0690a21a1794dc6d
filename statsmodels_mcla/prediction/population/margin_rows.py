"""Rows whose fixed effects can be changed, and what that does to their means."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from statsmodels_mcla.design import ParameterLayout
from statsmodels_mcla.estimation.boundary import Reduction
from statsmodels_mcla.families import MeanLink, NormalMean
from statsmodels_mcla.numerics import Array, extrapolated_differences
from statsmodels_mcla.prediction.linear_predictors import prior_basis
from statsmodels_mcla.prediction.new_rows import fixed_rows

STEP = 1e-4  # of differences in the parameters, relative to their size


@dataclass(frozen=True)
class MarginRows:
    """Rows whose fixed effects can be changed, and the random slopes that go with them.

    Attributes
    ----------
    X : ndarray (N, p)
    offset : ndarray (N,)
    prior : ndarray (N, size)
        Derivative of the variance of Z u in the variances and covariances; zeros for random effects of zero.
    slopes : tuple
        Of each term with effects that go by the name of a fixed effect: its slice in the variances and covariances,
        indices of their lower triangle, its design (N, d), and the column of X of each effect (-1: none).
    """

    X: Array
    offset: Array
    prior: Array
    slopes: tuple[tuple[slice, tuple[Array, Array], Array, tuple[int, ...]], ...]

    @classmethod
    def of(cls, model: Any, reduction: Reduction, marginal: bool) -> MarginRows:
        """Rows of a model, for the average over the random effects or for random effects of zero."""
        fixed = fixed_rows(model)
        size = sum(t.whole.size for t in reduction.terms)
        prior = np.zeros((len(fixed), size))
        slopes = []
        if marginal:
            start = 0
            names = list(model.data.fe_names)
            for term, reduced in zip(model.random_terms, reduction.terms, strict=True):
                at = slice(start, start + reduced.whole.size)
                start = at.stop
                alone = Reduction((reduced,), ParameterLayout((), reduced.whole.size))
                prior[:, at] = prior_basis(alone, term.Z)
                # a variance component goes by its own name, which says nothing of a covariate
                own = tuple(
                    names.index(c) if c in names and c != term.name and c != "Intercept" else -1
                    for c in term.columns
                )
                if max(own) >= 0:
                    d = term.dim
                    x = np.column_stack([np.asarray(term.Z[:, k::d].sum(axis=1)).ravel() for k in range(d)])
                    slopes.append((at, reduced.whole.lower, x, own))
        return cls(fixed.X, fixed.offset, prior, tuple(slopes))

    def replaced(self, atexog: Any) -> MarginRows:
        """Rows with other values of the fixed effects."""
        if atexog is None:
            return self
        X = self.X.copy()
        if isinstance(atexog, dict):
            for key, value in atexog.items():
                X[:, key] = value
        else:
            given = np.atleast_2d(np.asarray(atexog, dtype=float))
            if given.shape[1] != X.shape[1]:
                raise ValueError(f"atexog has {given.shape[1]} columns, but exog has {X.shape[1]}")
            if len(given) not in (1, len(X)):
                raise ValueError(
                    f"atexog has {len(given)} rows, but exog has {len(X)}; give one row or as many"
                )
            X = np.broadcast_to(given, X.shape).copy()
        return self.with_fixed(X)

    def at(self, at: str, columns: Array) -> MarginRows:
        """One row at the mean, the median or zero, or all of them."""
        if at in ("overall", "all"):
            return self
        if at == "zero":
            X = np.ones((1, self.X.shape[1]))
            X[0, columns] = 0.0
        else:
            X = np.atleast_2d(getattr(np, at)(self.X, axis=0))
        mean = replace(
            self,
            offset=self.offset.mean(keepdims=True),
            prior=self.prior.mean(axis=0, keepdims=True),
            slopes=tuple((s, lower, x.mean(axis=0, keepdims=True), own) for s, lower, x, own in self.slopes),
        )
        return mean.with_fixed(X)

    def with_fixed(self, X: Array) -> MarginRows:
        """Rows with this X, and the random slopes that go with it."""
        prior, slopes = self.prior, []
        for at, lower, old, own in self.slopes:
            x = np.broadcast_to(old, (len(X), old.shape[1])).copy()
            for k, j in enumerate(own):
                if j >= 0:
                    x[:, k] = X[:, j]
            prior = np.array(prior)
            prior[:, at] = np.column_stack(
                [x[:, a] * x[:, b] * (1.0 if a == b else 2.0) for a, b in zip(*lower, strict=True)]
            )
            slopes.append((at, lower, x, own))
        return replace(self, X=X, prior=prior, slopes=tuple(slopes))

    def with_column(self, j: int, values: Any) -> MarginRows:
        """Rows with one column of X changed."""
        X = self.X.copy()
        X[:, j] = values
        return self.with_fixed(X)

    def spread_slope(self, j: int, theta: Array) -> Array:
        """Derivative of the variance of Z u in column j of X, (N,)."""
        out = np.zeros(len(self.X))
        for at, lower, x, own in self.slopes:
            for value, a, b in zip(theta[at], *lower, strict=True):
                twice = 1.0 if a == b else 2.0
                out += twice * value * ((own[a] == j) * x[:, b] + (own[b] == j) * x[:, a])
        return out

    def means(self, link: MeanLink, params: Array) -> NormalMean:
        """Mean of each row with its derivatives, at parameters of the model."""
        p = self.X.shape[1]
        spread = np.maximum(self.prior @ params[p : p + self.prior.shape[1]], 0.0)
        return link.normal_mean(self.X @ params[:p] + self.offset, spread)


def kind_of_column(x: Array, dummy: bool, count: bool) -> str:
    """How a column changes, by statsmodels' rules."""
    whole = bool(np.all(x % 1.0 == 0))
    binary = whole and x.min() == 0 and x.max() == 1
    if dummy and binary:
        return "dummy"
    return "count" if count and whole and not binary and x.min() >= 0 else "continuous"


def effect_of_column(
    rows: MarginRows, link: MeanLink, params: Array, j: int, kind: str, method: str
) -> Array:
    """Effect of one column in every row."""
    if kind == "continuous":
        p = rows.X.shape[1]
        found = rows.means(link, params)
        out = found.d_eta * params[j] + found.d_var * rows.spread_slope(
            j, params[p : p + rows.prior.shape[1]]
        )
        if method.endswith("ex"):
            out = out * rows.X[:, j]
        return out / found.mean if method.startswith("ey") else out
    x = rows.X[:, j]
    low, high, step = (0.0, 1.0, 1.0) if kind == "dummy" else (x - 1.0, x + 1.0, 2.0)
    ends = [rows.with_column(j, value).means(link, params).mean for value in (low, high)]
    if method.startswith("ey"):
        ends = [np.log(end) for end in ends]
    return (ends[1] - ends[0]) / step


def slope_of(function: Callable[[Array], Array], at: Array) -> Array:
    """Derivative (k, P) of a smooth function of the parameters, with steps that suit each."""
    return extrapolated_differences(function, at, STEP * np.where(at == 0, 1.0, np.abs(at)))
