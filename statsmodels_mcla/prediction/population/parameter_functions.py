"""Functions of the parameters with their standard and Monte Carlo errors by the delta method."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.iolib.summary import Summary
from statsmodels.iolib.table import SimpleTable

from statsmodels_mcla.data import check_alpha
from statsmodels_mcla.estimation import (
    STEP,
    EstimateErrors,
    Estimates,
    Varied,
    wald_limits,
    wald_pvalues,
    z_of,
)
from statsmodels_mcla.interface import ShownByTable
from statsmodels_mcla.numerics import Array, standard_deviations


@dataclass(frozen=True)
class ParameterFunctions:
    """Functions of the parameters with their errors.

    Attributes
    ----------
    names : list of str
    estimate : ndarray (k,)
    cov, cov_mcse : ndarray (k, k)
        Sampling and Monte Carlo covariance.
    drawn : bool
        Whether they rest on draws; otherwise there are no Monte Carlo errors.
    """

    names: list[str]
    estimate: Array
    cov: Array
    cov_mcse: Array
    drawn: bool
    _vary: Callable[[], Varied] | None

    @cached_property
    def errors(self) -> EstimateErrors:
        """Monte Carlo errors of what follows from estimates and covariance, computed when first asked for."""
        if self._vary is None:
            raise AttributeError("a fit without draws has no Monte Carlo errors")
        return EstimateErrors(self._vary())

    def __getstate__(self) -> dict[str, Any]:
        if self.drawn:
            self.errors  # noqa: B018 - functions do not pickle
        return {**self.__dict__, "_vary": None}

    @property
    def se(self) -> Array:
        """Standard errors."""
        return standard_deviations(self.cov)

    @property
    def z(self) -> Array:
        """Estimates over their standard errors."""
        return z_of(np.column_stack([self.estimate, self.se]))

    @property
    def mcse(self) -> Array:
        """Monte Carlo standard errors of the estimates."""
        return standard_deviations(self.cov_mcse)

    @classmethod
    def of(
        cls,
        names: list[str],
        function: Callable[[Array], tuple[Array, Array]],
        estimates: Estimates,
    ) -> ParameterFunctions:
        """Delta method, for a function of the fitted parameters that gives its value (k,) and slope (k, P)."""
        errors = estimates.errors
        estimate, slope = function(estimates.fitted.params)
        cov = slope @ errors.cov_params @ slope.T
        if not estimates.drawn or errors.cov_mcse is None:
            return cls(names, estimate, cov, np.zeros_like(cov), False, None)

        def vary() -> Varied:
            variation = estimates.cov.variation
            assert variation is not None  # noqa: S101 - the estimates rest on draws
            both = np.column_stack([estimate, standard_deviations(cov)])
            if not variation.known:
                return Varied.unknown(both)
            steps = STEP * np.sqrt(np.diag(variation.cov))
            bends = np.zeros((len(steps), *slope.shape))  # of the slope in each parameter that is not known
            for j in np.flatnonzero(steps):
                move = np.where(np.arange(len(steps)) == j, steps, 0.0)
                bends[j] = (function(variation.params + move)[1] - slope) / steps[j]
            d_value, d_slope = variation.d_params @ slope.T, np.tensordot(variation.d_params, bends, axes=1)
            slopes, covs = (
                slope + variation.scale * d_slope,
                variation.cov + variation.scale * variation.d_cov,
            )
            squares = np.einsum("gkp,gpq,gkq->gk", slopes, covs, slopes)
            d_se = (np.sqrt(np.maximum(squares, 0.0)) - both[:, 1]) / variation.scale
            return Varied(both, np.stack([d_value, d_se], axis=-1))

        return cls(names, estimate, cov, slope @ errors.cov_mcse @ slope.T, True, vary)

    def limits(self, alpha: float) -> Array:
        """Wald limits (k, 2)."""
        check_alpha(alpha)
        return wald_limits(np.column_stack([self.estimate, self.se]), stats.norm.isf(0.5 * alpha))

    def table(self, alpha: float, heads: Sequence[str]) -> pd.DataFrame:
        """Numbers, then the Monte Carlo error of each where there are any."""
        z = self.z
        columns = [self.estimate, self.se, z, wald_pvalues(z), *self.limits(alpha).T, self.mcse]
        if not self.drawn:
            return pd.DataFrame(dict(zip(heads, columns, strict=True)), index=self.names)
        of = self.errors
        columns += [of.se, of.z, of.pvalues(), *of.limits(alpha).T]
        names = [*heads, *(f"{name} {heads[-1]}" for name in heads[1:-1])]
        return pd.DataFrame(dict(zip(names, columns, strict=True)), index=self.names)


class FunctionTables(ShownByTable):
    """Limits and tables of `ParameterFunctions`, for classes that show them by their own names."""

    title: ClassVar[str]
    _internal: ClassVar = frozenset({"estimates", "facts", "functions", "heads", "title"})

    def __str__(self) -> str:
        return str(self.summary())

    @property
    def functions(self) -> ParameterFunctions:
        """What is shown."""
        raise NotImplementedError

    @property
    def facts(self) -> list[tuple[str, str]]:
        """What the summary says above the table."""
        raise NotImplementedError

    @property
    def heads(self) -> list[str]:
        """Headings of the table: the functions, standard errors, z, p-values, both limits, Monte Carlo errors."""
        raise NotImplementedError

    def _labelled(self, values: Array) -> Any:
        return values

    def conf_int(self, alpha: float = 0.05) -> Any:
        """Confidence intervals, (k, 2), with one minus the level of the intervals ``alpha``.

        Examples
        --------
        >>> results.population_averaged().conf_int().round(2)
                           0     1
        Intercept       0.64  2.31
        trt[T.drug+]   -0.64  1.49
        trt[T.placebo]  0.05  2.15
        week           -0.20 -0.04
        """
        return self._labelled(self.functions.limits(alpha))

    def conf_int_mcse(self, alpha: float = 0.05) -> Any:
        """Monte Carlo standard errors of the limits of `conf_int`, (k, 2).

        Examples
        --------
        >>> bool((results.population_averaged().conf_int_mcse() < 0.01).all().all())
        True
        """
        return self._labelled(self.functions.errors.limits(alpha))

    def summary_frame(self, alpha: float = 0.05) -> pd.DataFrame:
        """Return a table with a row for each of them; ``alpha`` is one minus the level of the intervals.

        Examples
        --------
        >>> results.population_averaged().summary_frame().iloc[:, :4].round(3)
                         coef  std err      z  P>|z|
        Intercept       1.475    0.427  3.456  0.001
        trt[T.drug+]    0.422    0.544  0.776  0.438
        trt[T.placebo]  1.099    0.537  2.046  0.041
        week           -0.120    0.041 -2.942  0.003
        """
        return self.functions.table(alpha, self.heads)

    def summary(self, alpha: float = 0.05) -> Summary:
        """Return the table as text, HTML or LaTeX; ``alpha`` is one minus the level of the intervals.

        Examples
        --------
        >>> print(results.get_margeff().summary())
        MCLAMixedGLM Marginal Effects
        ===============
            At: overall
        Method:    dydx
        Random:    none
        =============================================================================
                        dy/dx   std err    z     P>|z|    [0.025    0.975]     mcse
        -----------------------------------------------------------------------------
        trt[T.drug+]    0.07962   0.1028 0.7746  0.4386   -0.1218    0.2811 2.217e-05
        trt[T.placebo]   0.1619  0.08749   1.85 0.06427 -0.009598    0.3334 2.034e-05
        week           -0.01733 0.006176 -2.806 0.00501  -0.02943 -0.005227 6.068e-07
                      MCSE of the other numbers
        ======================================================
                       std err    z     P>|z|   [0.025  0.975]
        ------------------------------------------------------
        trt[T.drug+]   5.1e-06 0.00022 0.00013 2.5e-05 2.4e-05
        trt[T.placebo] 4.3e-06  0.0003 4.3e-05 2.6e-05 2.1e-05
        week           1.5e-07 5.9e-05 9.2e-07 9.8e-07 4.5e-07
        ------------------------------------------------------
        """
        heads = [self.heads[0], "std err", "z", "P>|z|", f"[{0.5 * alpha:g}", f"{1 - 0.5 * alpha:g}]", "mcse"]
        table, shown = self.summary_frame(alpha), len(heads)
        stubs, values = list(table.index), table.to_numpy()
        out = Summary()
        out.tables.append(SimpleTable([[f"{k}:", v] for k, v in self.facts], title=self.title))
        cells = [[f"{v:.4g}" for v in row] for row in values[:, :shown]]
        out.tables.append(SimpleTable(cells, headers=heads, stubs=stubs))
        if values.shape[1] > shown:
            cells = [[f"{v:.2g}" for v in row] for row in values[:, shown:]]
            errors = SimpleTable(cells, headers=heads[1:-1], stubs=stubs, title="MCSE of the other numbers")
            out.tables.append(errors)
        return out
