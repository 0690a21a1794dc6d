"""Rows whose fixed effects can be changed, and what that does to their means."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from statsmodels_mcla.covariance import CovarianceTerm
from statsmodels_mcla.data import MixedModel
from statsmodels_mcla.design import ParameterLayout
from statsmodels_mcla.families import MeanLink, NormalMean
from statsmodels_mcla.numerics import Array, extrapolated_differences
from statsmodels_mcla.prediction.linear_predictors import prior_basis_of, prior_basis_of_level, times
from statsmodels_mcla.prediction.new_rows import fixed_rows

STEP = 1e-4  # of differences in the parameters, relative to their size


@dataclass(frozen=True)
class MarginRows:
    """Rows whose fixed effects can be changed, and the random slopes that go with them.

    Attributes
    ----------
    layout : ParameterLayout
        Of the model.
    X : ndarray (N, p)
    offset : ndarray (N,)
    prior : ndarray (N, size)
        Derivative of the variance of Z u in the variances and covariances; zeros for random effects of zero.
    slopes : tuple
        Of each term with effects that go by the name of a fixed effect: its slice in the variances and covariances,
        the term, its design (N, d), and the column of X of each effect (-1: none).
    """

    layout: ParameterLayout
    X: Array
    offset: Array
    prior: Array
    slopes: tuple[tuple[slice, CovarianceTerm, Array, tuple[int, ...]], ...]

    @classmethod
    def of(cls, model: MixedModel, marginal: bool) -> MarginRows:
        """Rows of a model, for the average over the random effects or for random effects of zero."""
        fixed = fixed_rows(model)
        covariance = model.design.covariance
        prior = np.zeros((len(fixed), covariance.size))
        slopes = []
        if marginal:
            names = list(model.data.fe_names)
            for term, whole, at in zip(model.random_terms, covariance.terms, covariance.slices, strict=True):
                prior[:, at] = prior_basis_of(whole, term.Z)
                # a variance component goes by its own name, which says nothing of a covariate
                own = tuple(
                    names.index(c) if c in names and c != term.name and c != "Intercept" else -1
                    for c in term.columns
                )
                if max(own) >= 0:
                    d = term.dim
                    x = np.column_stack([np.asarray(term.Z[:, k::d].sum(axis=1)).ravel() for k in range(d)])
                    slopes.append((at, whole, x, own))
        return cls(model.design.layout, fixed.X, fixed.offset, prior, tuple(slopes))

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
            slopes=tuple((s, term, x.mean(axis=0, keepdims=True), own) for s, term, x, own in self.slopes),
        )
        return mean.with_fixed(X)

    def with_fixed(self, X: Array) -> MarginRows:
        """Rows with this X, and the random slopes that go with it."""
        prior, slopes = self.prior, []
        for at, term, old, own in self.slopes:
            x = np.broadcast_to(old, (len(X), old.shape[1])).copy()
            for k, j in enumerate(own):
                if j >= 0:
                    x[:, k] = X[:, j]
            prior = np.array(prior)
            prior[:, at] = prior_basis_of_level(term, x)
            slopes.append((at, term, x, own))
        return replace(self, X=X, prior=prior, slopes=tuple(slopes))

    def with_column(self, j: int, values: Any) -> MarginRows:
        """Rows with one column of X changed."""
        X = self.X.copy()
        X[:, j] = values
        return self.with_fixed(X)

    def spread_slope(self, j: int, theta: Array) -> Array:
        """Derivative of the variance of Z u in column j of X, (N,)."""
        out = np.zeros(len(self.X))
        for at, term, x, own in self.slopes:
            for value, a, b in zip(times(term) * theta[at], *term.lower, strict=True):
                out += value * ((own[a] == j) * x[:, b] + (own[b] == j) * x[:, a])
        return out

    def means(self, link: MeanLink, params: Array) -> NormalMean:
        """Mean of each row with its derivatives, at parameters of the model."""
        beta, theta, _ = self.layout.split(params)
        spread = np.maximum(self.prior @ theta, 0.0)
        return link.normal_mean(self.X @ beta + self.offset, spread)


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
        found = rows.means(link, params)
        theta = rows.layout.split(params).covariance
        out = found.d_eta * params[j] + found.d_var * rows.spread_slope(j, theta)
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
