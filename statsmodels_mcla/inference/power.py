"""Power of a test by simulation, for designs with more or fewer groups (Green and MacLeod, 2016; R's simr)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from statsmodels_mcla.data import MixedModel, check_alpha, checked_count
from statsmodels_mcla.execution import Processes, checked_n_jobs, executor_of
from statsmodels_mcla.inference.contrasts import linear_hypothesis
from statsmodels_mcla.inference.simulated_refits import of_refit
from statsmodels_mcla.inference.term_tests import places_of, wald_term_tests
from statsmodels_mcla.interface import ShownByTable
from statsmodels_mcla.numerics import Array, child, seed_of
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
        >>> figure = results.power("week", {"ID": [20, 50]}, nsim=5, rng=1, n_jobs=1).plot()
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


def power_curve(
    model: MixedModel,
    estimates: Array,
    test: Test,
    n: Mapping[str, Sequence[int]],
    effects: Mapping[str, float] | None,
    method: str,
    *,
    nsim: int,
    alpha: float,
    rng: Any,
    start: PowerCurve | None,
    n_jobs: int | None,
    executor: Any,
    **options: Any,
) -> PowerCurve:
    """Power of a test in designs like that of a model: see ``power`` of the results.

    Parameters
    ----------
    model : MixedModel
        Made by a formula.
    estimates : ndarray (P,)
        Values of the parameters that ``effects`` does not give; NaN where it has to.
    test, n, effects, nsim, alpha, rng, start, n_jobs, executor, **options
        As there.
    method : {"fit", "fit_laplace"}
        Which fit the data sets have.
    """
    nsim = checked_count("nsim", nsim)
    check_alpha(alpha)
    if not isinstance(n, Mapping) or len(n) != 1:
        raise ValueError(
            f"n must be a dict of one column and numbers of its levels, such as {{'g': [20, 40]}}, got {n!r}"
        )
    ((column, sizes),) = n.items()
    frame = getattr(model.data, "frame", None)
    if frame is None or column not in frame.columns:
        known = "none" if frame is None else ", ".join(map(str, frame.columns))
        missing = f"the data have no column {column!r}; they have {known}"
        raise ValueError(f"n: {'the model was not made by a formula' if frame is None else missing}")
    sizes = [checked_count("n", size, 2) for size in np.atleast_1d(np.asarray(sizes, object))]
    effects = {} if effects is None else _numbers_by_name(effects)
    params = parameters_with(model, estimates, effects)
    check_test(model, test)
    work = (
        Processes(1 if n_jobs is None else checked_n_jobs(n_jobs))
        if executor is None
        else executor_of(executor)
    )
    options = {**({"mcse_tol": 0.1, "n_jobs": 1} if method == "fit" else {}), **options}
    request = {"test": test, "effects": effects, "column": column, "options": options}
    seed = seed_of(rng)
    if start is not None:
        seed = start.request["seed"]
        differing = [name for name, value in request.items() if start.request[name] != value]
        if differing:
            raise ValueError(f"start: it was asked for with another {', '.join(differing)}")
    found = {}
    for size in sizes:
        done = [] if start is None or size not in start.pvalues else list(start.pvalues[size][:nsim])
        rows, labels = rows_of_size(frame[column], size)
        try:
            design = model.with_rows(rows, {column: labels})
        except ValueError as error:
            raise ValueError(
                f"n: {size} levels of {column!r}, the first of the data, make no design ({error}); give larger "
                "numbers, or data whose first levels have all categories"
            ) from error
        if list(design.data.param_names) != list(model.data.param_names):
            raise ValueError(f"n: a design of {size} levels has other parameters than the model")
        seeds = [child(seed, size, k) for k in range(len(done), nsim)]
        call = partial(of_refit, design, params, method, options, partial(_pvalue, test))
        found[size] = done + [float("nan") if p is None else p for p in work.map(call, seeds)]
    return PowerCurve(column, pd.DataFrame(found), alpha, {**request, "seed": seed})


def _numbers_by_name(effects: Any) -> dict[str, float]:
    try:
        return {str(name): float(value) for name, value in dict(effects).items()}
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"effects must be a dict of numbers by names of parameters, got {effects!r}"
        ) from error


def parameters_with(model: MixedModel, params: Array, effects: Mapping[str, float]) -> Array:
    """Parameters of a model, some of whose values are given by name.

    Raises
    ------
    ValueError
        If a name is no parameter's, a parameter has no value, or the model cannot have the value.
    """
    names = list(model.data.param_names)
    values = dict(zip(names, params.tolist(), strict=True))
    for name, value in effects.items():
        if name not in values:
            raise ValueError(f"effects: {name!r} is no parameter; they are {', '.join(names)}")
        values[name] = value
    missing = [name for name, value in values.items() if not np.isfinite(value)]
    if missing:
        raise ValueError(
            f"effects: every parameter needs a value to simulate from; missing: {', '.join(missing)} (the parameters "
            f"are {', '.join(names)})"
        )
    out = np.array(list(values.values()))
    _, theta, _ = model.design.split(out)
    for term, G in zip(model.random_terms, model.design.covariance.matrices(theta), strict=True):
        spectrum = np.linalg.eigvalsh(G)
        if spectrum[0] < -1e-10 * max(1.0, spectrum[-1]):
            raise ValueError(
                f"effects: the random effects of {term.name!r} have no such variances and covariances"
            )
    family, psi = model.conditional_family, out[len(out) - len(model.conditional_family.parameters) :]
    if not np.all(np.isfinite(family.parameter_scale.free(psi))):
        shown = ", ".join(f"{name} = {value:g}" for name, value in zip(family.parameters, psi, strict=True))
        raise ValueError(f"effects: family {family.name} has no {shown}")
    return out


def _pvalue(test: Test, results: Any) -> float:
    # a data set whose likelihood has no maximum has estimates without a covariance
    return float("nan") if np.isnan(results.estimates.cov.matrix).all() else pvalue_of(results, test)


def _is_term(model: MixedModel, test: Test) -> bool:
    info = getattr(model.data, "model_spec", None)
    return info is not None and test in info.term_names


def check_test(model: MixedModel, test: Test) -> None:
    """Refuse what is none of a function of results, a term of the formula, and a hypothesis.

    Raises
    ------
    ValueError
        With the names that there are.
    """
    if not callable(test) and not _is_term(model, test):
        terms = ", ".join(model.data.model_spec.term_names)
        linear_hypothesis(test, model.data.param_names, "test", f"; the terms, {terms}")


def pvalue_of(results: Any, test: Test) -> float:
    """P-value of a test: a function of results, a term of the formula (type II), or a hypothesis."""
    if callable(test):
        found = test(results)
        if not (isinstance(found, (float, int, np.number)) and (0.0 <= found <= 1.0 or np.isnan(found))):
            raise ValueError(f"test must return a p-value of results, a number from 0 to 1, got {found!r}")
        return float(found)
    if _is_term(results.model, test):
        info = results.model.data.model_spec
        table = wald_term_tests(results.estimates, info, 2, places_of(info, results.model.conditional_family))
        return float(table["Pr(>Chisq)"].to_numpy()[list(table.index).index(test)])
    return float(results.wald_test(test).pvalue)
