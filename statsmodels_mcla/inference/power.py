"""Power of a test by simulation, for designs with more or fewer groups (Green and MacLeod, 2016; R's simr)."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from statsmodels_mcla.data import MixedModel, check_alpha
from statsmodels_mcla.execution import Executor
from statsmodels_mcla.inference.term_tests import wald_term_tests
from statsmodels_mcla.interface import ShownByTable
from statsmodels_mcla.numerics import Array, child
from statsmodels_mcla.plots import plot_power

Test = str | Callable[[Any], float]


@dataclass(frozen=True)
class PowerCurve(ShownByTable):
    """Power of a test for some sizes of a design.

    Attributes
    ----------
    column : str
        Whose number of levels is the size.
    pvalues : DataFrame
        A row a simulation, a column a size; NaN where a fit failed.
    alpha : float
        Level of the test.
    request : dict
        What was asked for, the seed among it: more simulations of the same are others, and these again.

    Examples
    --------
    >>> curve = results.power("week", {"ID": [20, 50]}, nsim=20, rng=1, n_jobs=1)
    >>> curve
    <PowerCurve: power by number of levels of ID, 20: 0.4, 50: 0.9; plot() draws it>
    """

    column: str
    pvalues: pd.DataFrame
    alpha: float
    request: Mapping[str, Any]

    def summary_frame(self, alpha: float = 0.05) -> pd.DataFrame:
        """Return the curve in a table.

        Parameters
        ----------
        alpha : float
            One minus the level of the intervals, which are Clopper and Pearson's.

        Returns
        -------
        DataFrame
            By size: ``power``, ``ci_lower``, ``ci_upper``, ``trials`` and ``failed``, fits without a p-value, which
            count as tests that find nothing.

        Examples
        --------
        >>> results.power("week", {"ID": [20, 50]}, nsim=20, rng=1, n_jobs=1).summary_frame().round(1)
            power  ci_lower  ci_upper  trials  failed
        ID
        20    0.4       0.2       0.6      20       0
        50    0.9       0.7       1.0      20       0
        """
        check_alpha(alpha)
        found, trials = (self.pvalues < self.alpha).sum(axis=0), len(self.pvalues)
        limits = [stats.binomtest(int(k), trials).proportion_ci(1.0 - alpha) for k in found]
        return pd.DataFrame(
            {
                "power": found / trials,
                "ci_lower": [limit.low for limit in limits],
                "ci_upper": [limit.high for limit in limits],
                "trials": trials,
                "failed": self.pvalues.isna().sum(axis=0),
            }
        ).rename_axis(self.column)

    def plot(self, alpha: float = 0.05, ax: Any = None) -> Any:
        """Draw the curve with its intervals.

        Parameters
        ----------
        alpha : float
            One minus the level of the intervals.
        ax : Axes, optional

        Returns
        -------
        matplotlib.figure.Figure

        Examples
        --------
        >>> figure = results.power("week", {"ID": [20, 50]}, nsim=20, rng=1, n_jobs=1).plot()
        """
        return plot_power(self.summary_frame(alpha), level=self.alpha, alpha=alpha, ax=ax)

    def __repr__(self) -> str:
        shown = ", ".join(f"{n}: {p:.2g}" for n, p in (self.pvalues < self.alpha).mean().items())
        return (
            f"<{type(self).__name__}: power by number of levels of {self.column}, {shown}; plot() draws it>"
        )

    def __str__(self) -> str:
        return str(self.summary_frame().to_string(float_format=lambda v: f"{v:.3g}"))


def rows_of_size(column: pd.Series, size: int) -> tuple[np.ndarray, list[Any]]:
    """Rows of a design with a number of levels, those of the data again and again, and their levels."""
    values = column.to_numpy(object)
    levels = list(dict.fromkeys(values))
    where = {level: np.flatnonzero(values == level) for level in levels}
    rows, names = [], []
    for k in range(size):
        level, again = levels[k % len(levels)], k // len(levels)
        rows.append(where[level])
        names += [f"{level}.{again}" if again else str(level)] * len(where[level])
    return np.concatenate(rows), names


def simulated_pvalues(
    model: MixedModel,
    params: Array,
    test: Test,
    method: str,
    options: Mapping[str, Any],
    seeds: Sequence[np.random.SeedSequence],
    executor: Executor,
) -> list[float]:
    """P-values of a test in fits to responses simulated from a model at given parameters."""
    return executor.map(partial(_pvalue, model, params, test, method, dict(options)), list(seeds))


def _pvalue(
    model: MixedModel,
    params: Array,
    test: Test,
    method: str,
    options: dict[str, Any],
    seed: np.random.SeedSequence,
) -> float:
    simulated = model.simulated(params, child(seed, 0))
    if method == "fit":
        options = {**options, "rng": child(seed, 1)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what fails has no p-value, and is counted
        try:
            found = getattr(simulated, method)(**options)
        except (FloatingPointError, np.linalg.LinAlgError):
            return float("nan")
        # a data set whose likelihood has no maximum has estimates without a covariance
        return float("nan") if np.isnan(found.estimates.cov.matrix).all() else pvalue_of(found, test)


def pvalue_of(results: Any, test: Test) -> float:
    """P-value of a test: a function of results, a term of the formula (type II), or a hypothesis.

    Raises
    ------
    ValueError
        If it is none of these.
    """
    if callable(test):
        return float(test(results))
    info = getattr(results.model.data, "model_spec", None)
    if info is not None and test in info.term_names:
        table = wald_term_tests(results.estimates, info, 2)
        return float(table["Pr(>Chisq)"].to_numpy()[list(table.index).index(test)])
    return float(np.squeeze(results.t_test(test).pvalue))
