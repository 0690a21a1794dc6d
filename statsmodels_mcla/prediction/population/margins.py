"""Changes of covariates and what they do to means: derivatives of numbers, differences between levels of factors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from statsmodels_mcla.estimation import Fitted, ParameterErrors
from statsmodels_mcla.exceptions import warn_user
from statsmodels_mcla.numerics import Array
from statsmodels_mcla.prediction.conditional_moments import moments_of
from statsmodels_mcla.prediction.linear_predictors import JointRows, LinearRows
from statsmodels_mcla.prediction.population.covariates import Covariate, CovariateRows


@dataclass(frozen=True)
class MarginalChange:
    """An effect as a weighted sum of means, or of their logarithms, over rows whose data have been changed.

    Attributes
    ----------
    name : str
    rows : LinearRows (K N,)
        K copies of N rows, one after another.
    weights : ndarray (K, N)
    scale : ndarray (N,)
        Values that the sum is multiplied by: those of the covariate in elasticities.
    joint : JointRows (K N,), optional
        All linear predictors that the means depend on, where they are several.
    """

    name: str
    rows: LinearRows
    weights: Array
    scale: Array
    joint: JointRows | None = None

    def values(self, fitted: Fitted, errors: ParameterErrors, *, relative: bool) -> tuple[Array, Array]:
        """Effects in every row (N,), and their derivatives (N, P) in the fitted parameters."""
        found = moments_of(fitted, self.rows, errors, joint=self.joint)[-1]
        mean, slope = found.mean, found.slope
        if relative:  # the derivative of log |mean| is that of the mean over it, whatever the sign
            with np.errstate(divide="ignore", invalid="ignore"):
                mean, slope = np.log(np.abs(_of_one_sign(mean, len(self.weights)))), slope / mean[:, None]
        weights = self.weights * self.scale
        effect = (weights * mean.reshape(weights.shape)).sum(axis=0)
        return effect, np.einsum("kn,knp->np", weights, slope.reshape(*weights.shape, -1))


def _of_one_sign(mean: Array, copies: int) -> Array:
    """Means of copies of rows, NaN where they differ in sign: there are no relative changes across zero."""
    signs = np.sign(mean).reshape(copies, -1)
    return np.where(np.tile((signs == signs[0]).all(axis=0), copies), mean, np.nan)


@dataclass(frozen=True)
class Margins:
    """Changes of the covariates of a model around some rows.

    Attributes
    ----------
    source : CovariateRows
    frame : DataFrame (N, .)
        Data around which they change.
    offset, weights : ndarray (N,)
        Weights in averages over the rows.
    """

    source: CovariateRows
    frame: pd.DataFrame
    offset: Array
    weights: Array

    @classmethod
    def of(cls, source: CovariateRows, at: str, atexog: Any) -> Margins:
        """Changes around the rows of a model, around other values in all of them, or around one row.

        Raises
        ------
        ValueError
            If atexog does not fit.
        """
        frame, offset, weights = replaced(source, atexog), source.offset, source.weights
        if at not in ("overall", "all"):
            centre = _centred(source, frame, at)
            prior = None if source.prior is None else source.prior.mean(axis=0, keepdims=True)
            source = replace(source, prior=prior)
            frame, offset, weights = centre, np.average(offset, weights=weights, keepdims=True), np.ones(1)
        return cls(source, frame, offset, weights)

    def changes(
        self, names: Sequence[str], *, dummy: bool, count: bool, elastic: bool
    ) -> list[MarginalChange]:
        """Changes of some covariates: derivatives of numbers, differences between levels of factors.

        Warns
        -----
        MCLAWarning
            If the data do not tell some of them, which become NaN.
        """
        out, untold = [], []
        for name in names:
            scale = self.frame[name].to_numpy(float) if elastic else np.ones(len(self.frame))
            for label, frames, weights in self._steps(self.source.covariates[name], dummy=dummy, count=count):
                changed = pd.concat(frames, ignore_index=True)
                at = changed, np.tile(self.offset, len(frames))
                rows, joint = self.source.rows(*at), self.source.joint_rows(*at)
                known = np.logical_and.reduce(np.split(self.source.estimable(changed), len(frames)))
                untold += [] if known[self.weights > 0].all() else [label]
                out.append(MarginalChange(label, rows, weights, np.where(known, scale, np.nan), joint))
        if untold:
            warn_user(
                f"the effects of {', '.join(untold)} are NaN: they need combinations of factors without rows in the "
                "fit, about which the data tell nothing; ask for others by variables= or atexog="
            )
        return out

    def _steps(
        self, covariate: Covariate, *, dummy: bool, count: bool
    ) -> Iterator[tuple[str, list[pd.DataFrame], Array]]:
        name, ones = covariate.name, np.ones(len(self.frame))
        if covariate.levels is not None:
            for level in covariate.levels:
                if level != covariate.base:
                    ends = [self.frame.assign(**{name: [v] * len(ones)}) for v in (level, covariate.base)]
                    yield f"{name}[T.{level}]", ends, np.stack([ones, -ones])
            return
        known, x = self.source.frame[name].to_numpy(float), self.frame[name].to_numpy(float)
        kind = kind_of_column(known, dummy, count)
        if kind == "continuous":
            yield (name, *self.source.derivative(name, self.frame))
            return
        low, high, step = (0.0 * x, 0.0 * x + 1.0, 1.0) if kind == "dummy" else (x - 1.0, x + 1.0, 2.0)
        ends = [self.frame.assign(**{name: values}) for values in (high, low)]
        yield name, ends, np.stack([ones, -ones]) / step


def replaced(source: CovariateRows, atexog: Any) -> pd.DataFrame:
    """Rows with other values of their covariates.

    Raises
    ------
    ValueError
        If there is no such covariate, or the number of values does not fit.
    """
    if atexog is None:
        return source.frame
    if isinstance(atexog, (Mapping, pd.DataFrame)):
        columns = list(source.model.data.fe_names)
        out: Any = source.frame.copy()
        for key, values in atexog.items():
            name = source.named(columns[key] if isinstance(key, int) else key, "atexog").name
            out[name] = np.asarray(values) if np.ndim(values) else [values] * len(out)
        return out
    values = np.atleast_2d(np.asarray(atexog, dtype=float))
    names = list(source.frame.columns) if source.prior is not None else list(source.covariates)
    if source.prior is None and any(c.levels is not None for c in source.covariates.values()):
        raise ValueError(f"atexog must be a dict of columns of the data, such as {{{names[0]!r}: value}}")
    if values.shape[1] != len(names):
        raise ValueError(f"atexog has {values.shape[1]} columns, but there are {len(names)}: {names}")
    if len(values) not in (1, len(source.frame)):
        raise ValueError(
            f"atexog has {len(values)} rows, but exog has {len(source.frame)}; give one row or as many"
        )
    wide = np.broadcast_to(values, (len(source.frame), len(names)))
    return source.frame.assign(**dict(zip(names, wide.T, strict=True)))


def _centred(source: CovariateRows, frame: pd.DataFrame, at: str) -> pd.DataFrame:
    """One row: numbers at their mean, median or zero, factors at the most frequent level."""
    row, weights = frame.iloc[[0]].copy(), source.weights
    for name, covariate in source.covariates.items():
        column = frame[name]
        if covariate.levels is not None:
            codes, levels = pd.factorize(column, sort=True)
            most = levels[[int(np.argmax(np.bincount(codes, weights)))]]
            row[name] = pd.Series(most, index=row.index).astype(column.dtype)
        elif np.ptp(column.to_numpy(float)) > 0:
            row[name] = {"zero": lambda *_: 0.0, "mean": _mean, "median": weighted_median}[at](
                column.to_numpy(float), weights
            )
    return row


def _mean(x: Array, weights: Array) -> float:
    return float(np.average(x, weights=weights))


def weighted_median(x: Array, weights: Array) -> float:
    """Median of values that count as often as their weights say."""
    order = np.argsort(x)
    below = np.cumsum(weights[order]) / weights.sum()
    half = int(np.searchsorted(below, 0.5 - 1e-12))
    upper = half + 1 if abs(below[half] - 0.5) < 1e-12 and half + 1 < len(x) else half
    return float(0.5 * (x[order][half] + x[order][upper]))


def kind_of_column(x: Array, dummy: bool, count: bool) -> str:
    """How a column of numbers changes, by statsmodels' rules."""
    whole = bool(np.all(x % 1.0 == 0))
    binary = whole and x.min() == 0 and x.max() == 1
    if dummy and binary:
        return "dummy"
    return "count" if count and whole and not binary and x.min() >= 0 else "continuous"
