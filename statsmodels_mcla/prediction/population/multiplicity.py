"""Adjustments of p-values and intervals for the number of comparisons.

Those of single steps have a critical value, and intervals of their own; p-values of the others (Holm and its like) are
statsmodels', with Bonferroni's intervals, as R has them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import optimize, stats
from scipy.stats import qmc
from statsmodels.stats.multitest import multipletests, multitest_alias

from statsmodels_mcla.numerics import Array, generator, holm, seed_of

DRAWS, MEMORY = 2**16, 2**22  # of normal vectors, and most numbers that they hold
RANK = 1e-10  # smallest eigenvalue of correlations, relative to the largest
SEED = 0  # of these: p-values are the same whenever they are asked for


@dataclass(frozen=True)
class Comparisons:
    """Comparisons that are adjusted together.

    Attributes
    ----------
    correlation : ndarray (m, m)
    means : int
        How many means all pairs of which are compared; 0 where it is not all pairs.
    """

    correlation: Array
    means: int

    @property
    def count(self) -> int:
        """Number of comparisons."""
        return len(self.correlation)

    @cached_property
    def _draws(self) -> tuple[Array, np.ndarray, Array]:
        """Normal vectors, for each a comparison at random, and a uniform number."""
        values, vectors = np.linalg.eigh(self.correlation)
        kept = values > RANK * values[-1]
        root = vectors[:, kept] * np.sqrt(values[kept])
        size = int(np.log2(max(min(DRAWS, MEMORY // self.count), 2**10)))
        uniform = qmc.Sobol(root.shape[1] + 2, rng=generator(seed_of(SEED))).random_base2(size)
        uniform = np.clip(uniform, np.finfo(float).eps, 1.0 - np.finfo(float).eps)
        chosen = np.minimum((uniform[:, 0] * self.count).astype(int), self.count - 1)
        return stats.norm.ppf(uniform[:, 2:]) @ root.T, chosen, uniform[:, 1]

    def exceedance(self, q: float) -> float:
        """Chance that some of the statistics exceeds q > 0 in size.

        In the tails, with N of them beyond q, it is the sum over comparisons of P(|z_i| > q) E[1 / N given |z_i| > q]
        (Naiman and Priebe, 2001, J. Comput. Graph. Stat. 10(2)), whose relative error does not grow.
        """
        z, chosen, uniform = self._draws
        tail = float(stats.norm.sf(q))
        if 2.0 * self.count * tail > 1.0:
            return float(np.mean((np.abs(z) > q).any(axis=1)))
        rows, beyond = np.arange(len(z)), np.maximum(stats.norm.isf(uniform * tail), q)
        moved = z + self.correlation[chosen] * (beyond - z[rows, chosen])[:, None]
        exceeding = np.maximum((np.abs(moved) >= q * (1.0 - 1e-12)).sum(axis=1), 1)
        return float(2.0 * self.count * tail * np.mean(1.0 / exceeding))


@dataclass(frozen=True)
class Adjustment:
    """How p-values and limits are adjusted.

    Attributes
    ----------
    name : str
        As the notes of a table say it.
    pvalues : callable
        Of statistics (..., m) and their comparisons.
    critical : callable
        Of alpha and the comparisons: how many standard errors the limits lie away.
    """

    name: str
    pvalues: Callable[[Array, Comparisons], Array]
    critical: Callable[[float, Comparisons], float]


def _two_sided(z: Array) -> Array:
    return np.asarray(2.0 * stats.norm.sf(np.abs(z)))


def _bonferroni_limits(alpha: float, family: Comparisons) -> float:
    return float(stats.norm.isf(0.5 * alpha / family.count))


def _mvt_critical(alpha: float, family: Comparisons) -> float:
    low, high = stats.norm.isf(0.5 * alpha), _bonferroni_limits(alpha, family) + 1e-3
    if family.count == 1:
        return float(low)
    return float(optimize.brentq(lambda q: family.exceedance(q) - alpha, low - 1e-3, high, xtol=1e-6))


def _mvt_pvalues(z: Array, family: Comparisons) -> Array:
    """Between those of one comparison and Bonferroni's, which they lie between."""
    one = _two_sided(z)
    found = np.array([family.exceedance(q) if q > 0 else 1.0 for q in np.abs(z).ravel()]).reshape(z.shape)
    return np.clip(found, one, np.minimum(family.count * one, 1.0))


def _tukey_pvalues(z: Array, family: Comparisons) -> Array:
    return np.asarray(stats.studentized_range.sf(np.sqrt(2.0) * np.abs(z), family.means, np.inf))


def _tukey_critical(alpha: float, family: Comparisons) -> float:
    return float(stats.studentized_range.isf(alpha, family.means, np.inf) / np.sqrt(2.0))


ADJUSTMENTS = {
    "none": Adjustment("none", lambda z, _: _two_sided(z), lambda a, _: float(stats.norm.isf(0.5 * a))),
    "bonferroni": Adjustment(
        "Bonferroni", lambda z, f: np.minimum(f.count * _two_sided(z), 1.0), _bonferroni_limits
    ),
    "sidak": Adjustment(
        "Šidák",
        lambda z, f: -np.expm1(f.count * np.log1p(-_two_sided(z))),
        lambda a, f: float(stats.norm.isf(-0.5 * np.expm1(np.log1p(-a) / f.count))),
    ),
    "holm": Adjustment("holm (limits: Bonferroni)", lambda z, _: holm(_two_sided(z)), _bonferroni_limits),
    "scheffe": Adjustment(
        "Scheffé",
        lambda z, f: np.asarray(stats.chi2.sf(z**2, np.linalg.matrix_rank(f.correlation, tol=1e-8))),
        lambda a, f: float(np.sqrt(stats.chi2.isf(a, np.linalg.matrix_rank(f.correlation, tol=1e-8)))),
    ),
    "tukey": Adjustment("Tukey", _tukey_pvalues, _tukey_critical),
    "mvt": Adjustment("multivariate normal", _mvt_pvalues, _mvt_critical),
}


def adjustment_of(name: str, *, all_pairs: bool) -> Adjustment:
    """Adjustment by its name, of these or of `statsmodels.stats.multitest.multipletests`.

    Raises
    ------
    ValueError
        If there is none, or it is for comparisons of all pairs.
    """
    if name == "tukey" and not all_pairs:
        raise ValueError(
            "adjust='tukey' is for all pairwise differences: use 'mvt', 'sidak' or 'holm' for others"
        )
    if name in ADJUSTMENTS:
        return ADJUSTMENTS[name]
    if name not in multitest_alias:
        longest = {
            method: alias for alias, method in sorted(multitest_alias.items(), key=lambda a: len(a[0]))
        }
        known = ", ".join(dict.fromkeys([*ADJUSTMENTS, *longest.values()]))
        raise ValueError(f"adjust must be one of {known}, got {name!r}")

    def pvalues(z: Array, _: Comparisons) -> Array:
        return np.apply_along_axis(lambda p: multipletests(p, method=name)[1], -1, _two_sided(z))

    return Adjustment(f"{name} (limits: Bonferroni)", pvalues, _bonferroni_limits)
