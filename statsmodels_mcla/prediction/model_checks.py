"""Tests of a fit by simulated residuals: statistics of the data among those of data simulated from the fit.

Every statistic is a function of one data set's residuals (or responses), and under the model the data and the
simulated data sets are exchangeable, whatever the dependence within groups: the place of the data's statistic among the
others is uniform (Barnard, 1963; Besag and Clifford, 1989), up to the error of the estimates.  The list of checks is
that of the R package DHARMa.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy.sparse as sp
from scipy import special
from scipy.spatial import distance

from statsmodels_mcla.numerics import Array
from statsmodels_mcla.prediction.simulated_residuals import SimulatedResiduals

LEVEL = 0.95


def uniformity(found: SimulatedResiduals) -> Array:
    """Kolmogorov and Smirnov's distance of uniform residuals from uniformity, (1 + nsim,)."""
    u = np.sort(special.ndtr(found.normal), axis=0)
    n = len(u)
    upper = (np.arange(1, n + 1)[:, None] / n - u).max(axis=0)
    lower = (u - np.arange(n)[:, None] / n).max(axis=0)
    return np.asarray(np.maximum(upper, lower))


def dispersion(found: SimulatedResiduals) -> Array:
    """Mean square of responses about their simulated means, in their simulated variances."""
    y = found.responses
    var = y.var(axis=1, keepdims=True)
    away = np.divide((y - y.mean(axis=1, keepdims=True)) ** 2, var, out=np.zeros_like(y), where=var > 0)
    return np.asarray(away.mean(axis=0))


def zeros(found: SimulatedResiduals) -> Array:
    """Number of zeros."""
    return np.asarray((found.responses == 0).sum(axis=0), dtype=float)


def outliers(found: SimulatedResiduals) -> Array:
    """Number of responses beyond all others of their rows."""
    last = found.rank.shape[1] - 1
    return np.asarray(((found.rank == 0) | (found.rank == last)).sum(axis=0), dtype=float)


@dataclass(frozen=True)
class Groups:
    """Rows by group.

    Attributes
    ----------
    codes : ndarray of int (N,)
        Group of each row; -1 for none.
    """

    codes: np.ndarray

    @classmethod
    def of(cls, values: pd.Series, bins: int = 10) -> Groups:
        """Groups of equal values; of numbers with many values, bins of about equal count."""
        if pd.api.types.is_numeric_dtype(values) and values.nunique() > bins:
            return cls(np.asarray(pd.qcut(values, bins, labels=False, duplicates="drop")))
        return cls(np.asarray(pd.factorize(values, sort=True)[0]))

    def _sums(self, r: Array) -> tuple[Array, Array]:
        rows = np.flatnonzero(self.codes >= 0)
        member = sp.csr_array(
            (np.ones(len(rows)), (self.codes[rows], rows)), shape=(self.codes.max() + 1, len(self.codes))
        )
        return np.asarray(member @ r), np.bincount(self.codes[rows])[:, None]

    def centred(self, r: Array) -> Array:
        """Residuals less the averages of their groups."""
        total, count = self._sums(r)
        return np.asarray(r - (total / np.maximum(count, 1))[self.codes])

    def means(self, found: SimulatedResiduals) -> Array:
        """Mean square of the groups' average residuals, each as often as it has rows."""
        total, count = self._sums(found.normal)
        return np.asarray((total**2 / count).sum(axis=0) / count.sum())

    @property
    def repeated(self) -> bool:
        """Whether there are groups of three rows or more, which alone tell of the spread within."""
        return bool((np.bincount(self.codes[self.codes >= 0]) > 2).any())

    def spread(self, found: SimulatedResiduals) -> Array:
        """Variance over groups of their mean squared residuals about the group's average."""
        total, count = self._sums(found.normal)
        squares, _ = self._sums(found.normal**2)
        some = count[:, 0] > 2
        within = ((squares - total**2 / count) / np.maximum(count - 1, 1))[some]
        return np.asarray(np.average((within - within.mean(axis=0)) ** 2, axis=0, weights=count[some, 0] - 1))


@dataclass(frozen=True)
class Series:
    """Rows in the order of time, within groups.

    Attributes
    ----------
    groups : Groups
    before, after : ndarray of int (M,)
        Rows that follow each other.
    """

    groups: Groups
    before: np.ndarray
    after: np.ndarray

    @classmethod
    def of(cls, time: pd.Series, codes: np.ndarray) -> Series:
        """Neighbours in time of the same group."""
        order = np.lexsort((pd.factorize(time, sort=True)[0], codes))
        same = codes[order[1:]] == codes[order[:-1]]
        return cls(Groups(codes), order[:-1][same], order[1:][same])

    def autocorrelation(self, found: SimulatedResiduals) -> Array:
        """Lag-1 autocorrelation of residuals less the averages of their groups."""
        r = self.groups.centred(found.normal)
        return np.asarray((r[self.before] * r[self.after]).mean(axis=0) / (r**2).mean(axis=0))


@dataclass(frozen=True)
class Places:
    """Rows in space.

    Attributes
    ----------
    weights : ndarray (N, N)
        Inverse distances, rows of the same place left out, each row of sum one.
    """

    weights: Array

    @classmethod
    def of(cls, coordinates: Array) -> Places:
        """Places by their coordinates (N, d)."""
        apart = distance.cdist(coordinates, coordinates)
        weights = np.divide(1.0, apart, out=np.zeros_like(apart), where=apart > 0)
        total = weights.sum(axis=1, keepdims=True)
        return cls(np.divide(weights, total, out=weights, where=total > 0))

    def autocorrelation(self, found: SimulatedResiduals) -> Array:
        """Moran's I of residuals."""
        r = found.normal - found.normal.mean(axis=0)
        return np.asarray(np.einsum("nk,nk->k", r, self.weights @ r) / (r**2).sum(axis=0))


def checks_table(statistics: Mapping[str, Array], one_sided: frozenset[str] = frozenset()) -> pd.DataFrame:
    """Place each statistic of the data among the simulated ones.

    Parameters
    ----------
    statistics : mapping of str to ndarray (1 + nsim,)
        By name of the check, the data first.
    one_sided : frozenset of str
        Checks for which only large values are wrong.

    Returns
    -------
    DataFrame
        Indexed by check: ``statistic``; ``expected``, its mean over the simulated data sets; ``lower`` and ``upper``,
        between which 95 % of these lie; ``pvalue``, and ``mcse`` of it.
    """
    rows = {}
    for name, values in statistics.items():
        here, others = values[0], values[1:]
        n = len(others)
        above, below = (1.0 + np.sum(others >= here)) / (n + 1), (1.0 + np.sum(others <= here)) / (n + 1)
        p = float(above if name in one_sided else min(1.0, 2.0 * min(above, below)))
        limits = np.quantile(others, [0.5 * (1 - LEVEL), 0.5 * (1 + LEVEL)])
        rows[name] = (here, others.mean(), *limits, p, np.sqrt(p * (1.0 - p) / n))
    columns = ["statistic", "expected", "lower", "upper", "pvalue", "mcse"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("check")
