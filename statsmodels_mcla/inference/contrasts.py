"""Tests of linear hypotheses with the Monte Carlo errors of all their numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from patsy import DesignInfo, PatsyError
from scipy import stats
from statsmodels.iolib.table import SimpleTable
from statsmodels.stats.contrast import ContrastResults, WaldTestResults

from statsmodels_mcla.estimation import EstimateErrors, Estimates, Later, Varied, wald_pvalues, z_of
from statsmodels_mcla.numerics import Array, delta_method

DEPENDENT = 1e-12  # eigenvalue of a correlation matrix of contrasts that depend on each other
KNOWN = 1e-14  # variance of a contrast that linear constraints fix, as a part of that of its terms
OFF = 1e-8  # from its value under a hypothesis, that is no rounding
STEP = 1e-6  # of differences in p-values, relative to them


class MonteCarloContrasts(ContrastResults):
    """Result of a t-test of contrasts, as statsmodels has it, with their Monte Carlo errors.

    Attributes
    ----------
    mcse, sd_mcse, statistic_mcse, pvalue_mcse : ndarray (k,)
        Monte Carlo standard errors of effects, standard errors, statistics and p-values.

    Examples
    --------
    >>> test = results.t_test("week = 0")
    >>> float(test.effect[0].round(3)), bool(test.mcse[0] < 1e-4)
    (-0.146, True)
    """

    def __init__(
        self, found: ContrastResults, contrasts: Array, cov_mcse: Array, errors: Later[EstimateErrors]
    ) -> None:
        """Add Monte Carlo errors to a result.

        Parameters
        ----------
        found : ContrastResults
        contrasts : ndarray (k, P)
        cov_mcse : ndarray (P, P)
            Monte Carlo covariance of the parameters, NaN at the boundary.
        errors : Later[EstimateErrors] (k,)
            Of the effects, less their values under the hypothesis, and their standard errors: made when asked for, as
            a large part of a fit goes into them.
        """
        law = {"t": found.statistic} if found.distribution == "t" else _as_given(found)
        super().__init__(effect=found.effect, sd=found.sd, df_denom=getattr(found, "df_denom", None), **law)
        used = np.flatnonzero(np.any(contrasts != 0, axis=0))
        self.mcse = delta_method(contrasts[:, used], cov_mcse[np.ix_(used, used)])
        self._made_later = errors
        self._law = stats.t(found.df_denom) if found.distribution == "t" else stats.norm

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_made_later": Later.made(self._errors)}

    @property
    def _errors(self) -> EstimateErrors:
        return self._made_later()

    @property
    def sd_mcse(self) -> Array:
        """Of the standard errors."""
        return self._errors.se

    @property
    def statistic_mcse(self) -> Array:
        """Of the statistics."""
        return self._errors.z

    @property
    def pvalue_mcse(self) -> Array:
        """Of the p-values."""
        return self._errors.pvalues(law=self._law)

    def conf_int_mcse(self, alpha: float = 0.05) -> Array:
        """Monte Carlo standard errors of the limits that ``conf_int`` gives, (k, 2).

        Examples
        --------
        >>> bool((results.t_test("week = 0").conf_int_mcse() < 1e-4).all())
        True
        """
        return self._errors.limits(alpha, law=self._law)

    def adjusted_pvalues_mcse(self, pvalues: Array, adjust: Callable[[Array], Array]) -> Array:
        """Monte Carlo standard errors of p-values (k,) after an adjustment for their number.

        Examples
        --------
        >>> from statsmodels.stats.multitest import multipletests
        >>> test = results.t_test(["trt[T.placebo] = 0", "week = 0"])
        >>> errors = test.adjusted_pvalues_mcse(test.pvalue, lambda p: multipletests(p, method="hs")[1])
        >>> bool((errors < 1e-3).all())
        True
        """
        inwards = np.where(pvalues > 0.5, -STEP, STEP)  # there is no adjustment beyond 1
        here, step = adjust(pvalues), inwards * np.maximum(pvalues, np.finfo(float).tiny)
        slopes = [(adjust(pvalues + move) - here) / move.sum() for move in np.diag(step)]
        raw = self._errors.both.through(lambda both: wald_pvalues(z_of(both), law=self._law))
        return Varied(here, raw.deviations @ np.array(slopes)).mcse

    def _columns(self, alpha: float) -> list[Array]:
        return [
            self.mcse,
            self.sd_mcse,
            self.statistic_mcse,
            self.pvalue_mcse,
            *self.conf_int_mcse(alpha).T,
        ]

    def summary_frame(self, xname: Any = None, alpha: float = 0.05, *, mcse: bool = False) -> pd.DataFrame:
        """Table of the contrasts; with ``mcse``, after statsmodels' columns come the Monte Carlo errors of each.

        Examples
        --------
        >>> results.t_test("week = 0").summary_frame(mcse=True)[["coef", "mcse", "std err mcse"]].round(4)
              coef  mcse  std err mcse
        c0 -0.1455   0.0           0.0
        """
        frame: pd.DataFrame = super().summary_frame(xname=xname, alpha=alpha)
        if not mcse:
            return frame
        names = ["mcse", *(f"{name} mcse" for name in frame.columns[1:])]
        return frame.assign(**dict(zip(names, self._columns(alpha), strict=True)))

    def summary(
        self, xname: Any = None, alpha: float = 0.05, title: str | None = None, *, mcse: bool = False
    ) -> SimpleTable:
        """Table of the contrasts; with ``mcse``, below each row of numbers their Monte Carlo errors.

        Examples
        --------
        >>> print(results.t_test("week = 0").summary(mcse=True))
                                     Test for Constraints
        ==============================================================================
                         coef    std err          z      P>|z|      [0.025      0.975]
        ------------------------------------------------------------------------------
        c0            -0.1455      0.051     -2.834      0.005      -0.246      -0.045
          MCSE        9.4e-06    3.7e-06    3.9e-05    5.6e-07     1.7e-05     3.3e-06
        ==============================================================================
        """
        table = super().summary(xname=xname, alpha=alpha, title=title)
        if not mcse:
            return table
        rows = [[f"{value:.2g}" for value in row] for row in zip(*self._columns(alpha), strict=True)]
        errors = SimpleTable(rows, stubs=["  MCSE"] * len(rows), datatypes=[0] * len(rows[0]))
        first = len(table) - len(rows)
        for k, row in enumerate(errors):
            table.insert(first + 2 * k + 1, row)
        return table


class MonteCarloWaldTest(ContrastResults):
    """Result of a joint Wald test, as statsmodels has it, with Monte Carlo errors.

    Attributes
    ----------
    statistic_mcse, pvalue_mcse : ndarray or float

    Examples
    --------
    >>> test = results.wald_test("week = 0")
    >>> round(float(test.pvalue), 4), test.pvalue_mcse < 1e-5
    (0.0046, True)
    """

    def __init__(self, found: ContrastResults, statistic: Later[Varied]) -> None:
        """Add Monte Carlo errors to a result, from the chi-square statistic (before division by its df)."""
        if found.distribution == "F":
            super().__init__(F=found.fvalue, df_denom=found.df_denom, df_num=found.df_num)
            self._law, self._divisor = stats.f(found.df_num, found.df_denom), float(found.df_num)
        else:
            super().__init__(df_denom=found.df_denom, **_as_given(found))
            self._law, self._divisor = stats.chi2(found.df_denom), 1.0
        self._made_later = statistic

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_made_later": Later.made(self._made_later())}

    @property
    def _varied(self) -> Varied:
        return self._made_later().through(lambda x: x / self._divisor)

    @property
    def statistic_mcse(self) -> float:
        """Of the statistic."""
        return float(self._varied.mcse)

    @property
    def pvalue_mcse(self) -> float:
        """Of the p-value."""
        return float(self._varied.through(self._law.sf).mcse)


class MonteCarloTermTests(WaldTestResults):
    """Wald tests of all terms, as statsmodels has them, with Monte Carlo errors in the table.

    Examples
    --------
    >>> results.wald_test_terms(mcse=True).table.round(3)
               statistic  pvalue  df_constraint  statistic mcse  pvalue mcse
    Intercept     10.624   0.001              1           0.002          0.0
    trt            4.121   0.127              2           0.001          0.0
    week           8.030   0.005              1           0.000          0.0
    """

    def __init__(self, found: WaldTestResults, tests: Sequence[MonteCarloWaldTest]) -> None:
        """Add Monte Carlo errors to a table, from the test in each of its rows."""
        errors = {
            f"{name} mcse": [getattr(t, f"{name}_mcse") for t in tests] for name in ("statistic", "pvalue")
        }
        super().__init__(None, found.distribution, found.dist_args, table=found.table.assign(**errors))
        self.temp = found.temp

    @property
    def col_names(self) -> list[str]:
        """Names of the columns when printed."""
        shown = super().col_names
        return [*shown, *(f"{name} mcse" for name in shown[:2])]


def _as_given(found: ContrastResults) -> dict[str, Any]:
    return {"statistic": found.statistic, "distribution": found.distribution}


def contrast_errors(estimates: Estimates, contrasts: Array, values: Array) -> Later[EstimateErrors]:
    """Monte Carlo errors of effects, less their values under the hypothesis, and of their standard errors."""
    effects = partial(effects_of, contrasts, values)
    return Later(lambda: EstimateErrors(estimates.varied(effects)))


def wald_errors(estimates: Estimates, contrasts: Array, values: Array) -> Later[Varied]:
    """Deviations of the chi-square statistic of a joint hypothesis."""
    statistic = partial(wald_statistic, contrasts, values)
    return Later(lambda: estimates.varied(statistic))


def effects_of(contrasts: Array, values: Array, params: Array, cov: Array) -> Array:
    """Effects less their values under the hypothesis, and their standard errors, (k, 2)."""
    used = np.flatnonzero(np.any(contrasts != 0, axis=0))
    contrasts = contrasts[:, used]
    return np.column_stack(
        [contrasts @ params[used] - values, delta_method(contrasts, cov[np.ix_(used, used)])]
    )


def wald_statistic(contrasts: Array, values: Array, params: Array, cov: Array) -> Array:
    """Chi-square statistic of a joint hypothesis; of contrasts that depend on each other, as many as `rank_of` says.

    It is infinite if linear constraints, of the fit or among the contrasts, exclude the hypothesis.
    """
    matrix, se = _correlations(contrasts, cov)
    terms = np.where(contrasts != 0, contrasts * params, 0.0)
    away = (terms.sum(axis=1) - values) / se
    size, axes = np.linalg.eigh(matrix)
    free = size > DEPENDENT * size.max()
    scale = (np.abs(terms).sum(axis=1) + np.abs(values)) / se
    along = axes.T @ away
    if np.any(np.abs(along[~free]) > OFF * scale.max()):
        return np.asarray(np.inf)
    return np.asarray((along[free] ** 2 / size[free]).sum())


def are_known(contrasts: Array, cov: Array) -> np.ndarray:
    """Whether linear constraints fix contrasts (k,), so that no data could change them."""
    used = np.flatnonzero(np.any(contrasts != 0, axis=0))
    parts = contrasts[:, used] * np.sqrt(np.maximum(np.diag(cov)[used], 0.0))
    variance = np.einsum("kp,pq,kq->k", contrasts[:, used], cov[np.ix_(used, used)], contrasts[:, used])
    return np.asarray(variance <= KNOWN * np.abs(parts).sum(axis=1) ** 2)


def with_known(found: ContrastResults, values: Array, known: np.ndarray) -> ContrastResults:
    """Result of a t-test whose known contrasts (k,) differ from their values for sure, or not at all."""
    if not known.any():
        return found
    away = np.atleast_1d(found.effect) - values
    z = np.where(np.abs(away) > OFF * (1.0 + np.abs(values)), np.copysign(np.inf, away), np.nan)
    z = np.where(known, z, np.ravel(found.statistic)).reshape(np.shape(found.statistic))
    sd = np.where(known, 0.0, np.ravel(found.sd)).reshape(np.shape(found.sd))
    law: dict[str, Any] = {"t": z} if found.distribution == "t" else {"statistic": z, "distribution": "norm"}
    return ContrastResults(effect=found.effect, sd=sd, df_denom=getattr(found, "df_denom", None), **law)


def rejected_for_sure(found: ContrastResults) -> ContrastResults:
    """Result of a joint test of a hypothesis that linear constraints exclude."""
    if found.distribution == "F":
        return ContrastResults(F=np.inf, df_denom=found.df_denom, df_num=max(found.df_num, 1))
    return ContrastResults(statistic=np.inf, df_denom=max(found.df_denom, 1), distribution="chi2")


def rank_of(contrasts: Array, cov: Array) -> int:
    """Number of contrasts that vary independently: all, unless linear constraints join or fix some."""
    return int(np.linalg.matrix_rank(_correlations(contrasts, cov)[0], tol=DEPENDENT, hermitian=True))


def _correlations(contrasts: Array, cov: Array) -> tuple[Array, Array]:
    """Correlations of contrasts, with zeros for known ones, and their standard errors, which are 1 there."""
    used = np.flatnonzero(np.any(contrasts != 0, axis=0))
    matrix = contrasts[:, used] @ cov[np.ix_(used, used)] @ contrasts[:, used].T
    known = are_known(contrasts, cov)
    se = np.where(known, 1.0, np.sqrt(np.diag(matrix)))
    return np.where(known | known[:, None], 0.0, matrix / np.outer(se, se)), se


def linear_hypothesis(given: Any, names: Sequence[str], argument: str, hint: str = "") -> tuple[Array, Array]:
    """Read linear equations between parameters: R (k, P) and their values q (k,).

    Parameters
    ----------
    given : str, list of str, dict, array_like (k, P) or tuple (R, q)
        As patsy takes them.
    names : sequence of str
        Of the parameters.
    argument, hint : str
        Name of the argument, and what else might help, for the message.

    Raises
    ------
    ValueError
        If they cannot be read; the message lists the names.
    """
    try:
        found = DesignInfo(list(names)).linear_constraint(given)
    except (PatsyError, ValueError) as error:
        raise ValueError(
            f"{argument}: {given!r} cannot be read ({str(error).splitlines()[0]}); the parameters are "
            f"{', '.join(names)}{hint}"
        ) from error
    return np.asarray(found.coefs, float), np.asarray(found.constants, float).ravel()
