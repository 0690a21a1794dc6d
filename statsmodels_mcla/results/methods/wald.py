"""Wald inference: tests and intervals from the estimates and their covariance."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from patsy import DesignInfo
from scipy import stats
from statsmodels.stats.contrast import MultiCompResult, t_test_multi
from statsmodels.stats.multitest import multipletests, multitest_alias

from statsmodels_mcla.data import check_alpha
from statsmodels_mcla.estimation import EstimateErrors, wald_limits, wald_pvalues
from statsmodels_mcla.exceptions import warn_user
from statsmodels_mcla.formula import conditions_of, relatives_of, term_named
from statsmodels_mcla.inference import (
    MonteCarloContrasts,
    MonteCarloTermTests,
    MonteCarloWaldTest,
    are_known,
    contrast_errors,
    linear_hypothesis,
    rejected_for_sure,
    wald_errors,
    wald_statistic,
    with_known,
)
from statsmodels_mcla.numerics import Array, holm, standard_deviations
from statsmodels_mcla.prediction.population import CovariateRows, ReferenceGrid
from statsmodels_mcla.results.methods.base import Labelled, ResultsBase


class WaldResults(ResultsBase):
    """The part of the results that rests on the estimates and their covariance alone."""

    @cached_property
    def pvalues(self) -> Labelled:
        """Two-sided p-values, those of `t_test`.

        They are no tests of variances, whose estimates are not normal at zero: `compare_lr_test` is.
        """
        return wald_pvalues(np.asarray(self.tvalues))

    def wald_limits(self, alpha: float) -> Array:
        """Wald limits (P, 2) on the scale of ``params``, those of variances cut off at zero."""
        check_alpha(alpha)
        both = np.column_stack([self.estimates.params, self.estimates.se])
        return wald_limits(both, stats.norm.isf(0.5 * alpha), self.estimates.non_negative)

    def conf_int_mcse(self, alpha: float = 0.05) -> Labelled:
        """Monte Carlo standard errors of Wald limits, (P, 2): zero where they are cut off at zero.

        Parameters
        ----------
        alpha : float
            One minus the confidence level.

        Returns
        -------
        ndarray (P, 2)

        Examples
        --------
        >>> bool((results.conf_int_mcse() < 0.01).all().all())
        True
        """
        check_alpha(alpha)
        return self._estimate_errors.limits(alpha, self.estimates.non_negative)

    @property
    def bse_mcse(self) -> Labelled:
        """Monte Carlo standard errors of ``bse``."""
        return self._estimate_errors.se

    @property
    def tvalues_mcse(self) -> Labelled:
        """Monte Carlo standard errors of ``tvalues``."""
        return self._estimate_errors.z

    @property
    def pvalues_mcse(self) -> Labelled:
        """Monte Carlo standard errors of ``pvalues``."""
        return self._estimate_errors.pvalues()

    @cached_property
    def _estimate_errors(self) -> EstimateErrors:
        if not self.estimates.drawn:
            raise AttributeError(f"a fit by {self.method} rests on no draws and has no Monte Carlo errors")
        varied = self.estimates.varied
        return EstimateErrors(varied(lambda params, cov: np.column_stack([params, standard_deviations(cov)])))

    def mcse_of(self, function: Callable[[pd.Series, pd.DataFrame], Any]) -> Array:
        """Monte Carlo standard error of any smooth function of estimates and their covariance.

        Parameters
        ----------
        function : callable
            Of a Series like ``params`` and a DataFrame like ``cov_params()``, with a number or an array as value, such
            as ``lambda params, cov: params["x"] / params["z"]``.

        Returns
        -------
        ndarray
            Of the shape of the value.

        Raises
        ------
        ValueError
            If the fit has no draws (Laplace), and so no Monte Carlo error.

        Examples
        --------
        >>> ratio = lambda params, cov: params["trt[T.placebo]"] / params["week"]
        >>> round(float(ratio(results.params, results.cov_params())), 2), bool(results.mcse_of(ratio) < 0.01)
        (-9.1, True)
        """
        names = list(self.estimates.names)

        def labelled(params: Array, cov: Array) -> Array:
            given = pd.Series(params.copy(), names), pd.DataFrame(cov.copy(), names, names)
            return np.asarray(function(*given), float)

        return self.estimates.varied(labelled).mcse

    def _hypothesis(self, r_matrix: Any) -> tuple[Array, Array]:
        """Contrasts (k, P) and their values (k,); contrasts of the fixed effects are filled up with zeros."""
        P, values = len(self.estimates.params), None
        if isinstance(r_matrix, tuple):
            r_matrix, values = r_matrix
        if not isinstance(r_matrix, Mapping) and np.asarray(r_matrix).dtype.kind not in "US":
            r_matrix = np.atleast_2d(np.asarray(r_matrix, dtype=float))
            k = r_matrix.shape[1]
            if k not in (self.k_fe, P):
                raise ValueError(
                    f"r_matrix has {k} columns; give one for each of the {self.k_fe} fixed effects or the "
                    f"{P} parameters"
                )
            r_matrix = np.pad(r_matrix, ((0, 0), (0, P - k)))
        given = r_matrix if values is None else (r_matrix, values)
        hint = ". wald_test_terms() tests whole terms of the formula"
        return linear_hypothesis(given, self.model.data.cov_names, "r_matrix", hint)

    def cov_params(self, r_matrix: Any = None, *args: Any, **kwargs: Any) -> Labelled:
        """Covariance of the estimates, or of contrasts r_matrix of them; see statsmodels.

        Parameters without standard errors (variances of zero) do not stand in the way of contrasts without them.
        Their rows are NaN; packages that multiply the whole matrix (marginaleffects) take
        ``vcov=results.cov_params().fillna(0).to_numpy()``, the covariance with these parameters held where they are.

        Examples
        --------
        >>> results.cov_params().round(3)
                        Intercept  trt[T.drug+]  trt[T.placebo]   week  ID Var
        Intercept           0.319        -0.207          -0.178 -0.015   0.202
        trt[T.drug+]       -0.207         0.447           0.217 -0.001   0.016
        trt[T.placebo]     -0.178         0.217           0.432 -0.004   0.119
        week               -0.015        -0.001          -0.004  0.003  -0.014
        ID Var              0.202         0.016           0.119 -0.014   0.920
        """
        covariance = super().cov_params
        if r_matrix is None or args:
            return covariance(r_matrix, *args, **kwargs)
        other = kwargs.get("other")
        whole = np.asarray(covariance(cov_p=kwargs.pop("cov_p", None)))
        known = ~np.isnan(np.diag(whole))
        found = covariance(r_matrix, cov_p=np.where(np.outer(known, known), whole, 0.0), **kwargs)
        # contrasts of parameters without standard errors have none either
        rows, columns = (
            np.any(np.asarray(c)[..., ~known] != 0, axis=-1)
            for c in (r_matrix, r_matrix if other is None else other)
        )
        return np.where(np.logical_or.outer(rows, columns), np.nan, found)

    def t_test(self, r_matrix: Any, cov_p: Array | None = None, use_t: bool | None = None) -> Any:
        """Wald z-test of linear hypotheses about the parameters.

        Parameters
        ----------
        r_matrix : str, list of str or array_like
            A hypothesis such as ``"Cross[R/R] = Cross[W/W]"``, or contrasts (k, p) of the fixed effects or
            (k, P) of all parameters.

        Returns
        -------
        ContrastResults
            For Monte Carlo fits with ``mcse``, the Monte Carlo error of each contrast; those of the other numbers are
            made when they are asked for, as ``summary(mcse=True)`` and ``summary_frame(mcse=True)`` do.

        Examples
        --------
        >>> print(results.t_test("trt[T.placebo] = trt[T.drug+]"))
                                     Test for Constraints
        ==============================================================================
                         coef    std err          z      P>|z|      [0.025      0.975]
        ------------------------------------------------------------------------------
        c0             0.8049      0.667      1.206      0.228      -0.503       2.113
        ==============================================================================
        """
        contrasts, values = self._hypothesis(r_matrix)
        found = super().t_test((contrasts, values), cov_p=cov_p, use_t=use_t)
        cov = self.estimates.cov.matrix if cov_p is None else np.asarray(cov_p)
        found = with_known(found, values, are_known(contrasts, cov))
        cov_mcse = self.estimates.cov_mcse
        if cov_mcse is None or cov_p is not None:
            return found
        errors = contrast_errors(self.estimates, contrasts, values)
        return MonteCarloContrasts(found, contrasts, cov_mcse, errors)

    def t_test_pairwise(
        self,
        term_name: str,
        method: str = "hs",
        alpha: float = 0.05,
        factor_labels: Any = None,
        *,
        mcse: bool = False,
    ) -> Any:
        """Tests of the differences between all levels of a factor, adjusted for their number.

        Parameters
        ----------
        term_name : str
            Name of the factor in the formula, such as ``"C(site)"``, or of an interaction of factors, ``"a:b"``, all of
            whose combinations are compared.
        method : str
            Adjustment, one of those of `statsmodels.stats.multitest.multipletests`.
        alpha : float
            Familywise error, or false discovery rate.
        factor_labels : list of str, optional
            Labels of the levels in the table.
        mcse : bool
            Whether the table has the Monte Carlo errors of all numbers.

        Returns
        -------
        MultiCompResult
            Its ``result_frame`` holds a row a pair.

        Raises
        ------
        ValueError
            If there is no such factor, or no such method.

        Warns
        -----
        MCLAWarning
            If the factor is part of an interaction: differences are those at one place of the other covariates.

        Notes
        -----
        Combinations are compared with other covariates at their mean and averaged over other factors; `emmeans` says
        more about means.

        Examples
        --------
        >>> results.t_test_pairwise("trt").result_frame[["coef", "std err", "pvalue-hs"]].round(3)
                        coef  std err  pvalue-hs
        drug+-drug     0.520    0.668      0.437
        placebo-drug   1.325    0.657      0.126
        placebo-drug+  0.805    0.667      0.404
        """
        check_alpha(alpha)
        if method not in multitest_alias:
            raise ValueError(f"method must be one of {', '.join(multitest_alias)}, got {method!r}")
        info = getattr(self.model.data, "model_spec", None)
        if info is None:
            raise ValueError("term_name: the model was not made from a formula; use t_test with contrasts")
        self._refuse_categories(
            "t_test_pairwise", f"emmeans({term_name!r}).contrasts(), or t_test of their names"
        )
        coded = [t for t in info.terms if t.factors and all(_has_levels(info, f) for f in t.factors)]
        term = term_named(info, term_name)
        if term is None or term not in coded:
            known = ", ".join(t.name() for t in coded) or "none"
            raise ValueError(
                f"term_name: there is no factor {term_name!r} in the fixed effects; there are: {known}"
            )
        if len(term.factors) == 1:
            _warn_of_interactions(info, term)
            found = super().t_test_pairwise(
                term.name(), method=method, alpha=alpha, factor_labels=factor_labels
            )
        else:
            found = self._all_combinations(info, term, method, alpha, factor_labels)
        if mcse and self.estimates.drawn:
            tests = self.t_test(found.contrasts)
            errors = tests.summary_frame(mcse=True).filter(like="mcse").to_numpy()
            names = ["mcse", *(f"{name} mcse" for name in found.result_frame.columns[1:6])]
            found.result_frame[names] = errors
            found.result_frame[f"pvalue-{method} mcse"] = tests.adjusted_pvalues_mcse(
                np.atleast_1d(tests.pvalue),
                holm
                if multitest_alias[method] == "h"
                else lambda p: multipletests(p, method=method, alpha=alpha)[1],
            )
        return found

    def _all_combinations(self, info: Any, term: Any, method: str, alpha: float, labels: Any) -> Any:
        """Pairwise tests of the combinations of factors."""
        source = CovariateRows.of(self.model, self.estimates.fitted, "none")
        factors = [source.named(f.name(), "term_name").name for f in term.factors]
        grid = ReferenceGrid.of(source, None, 0.0)
        rows, averages = grid.rows(), grid.averages(factors, "equal")
        if not grid.estimable(averages).all():
            raise ValueError(
                f"term_name: some combinations of {term.name()} do not occur and cannot be compared; use "
                f"emmeans({term.name()!r}), which leaves them out"
            )
        names = [":".join(map(str, row)) for row in grid.levels(factors).itertuples(index=False)]
        if labels is not None and len(labels) != len(names):
            raise ValueError(f"factor_labels has the wrong length, should be {len(names)}")
        names, cells = list(labels or names), averages @ rows.X
        pairs = list(combinations(range(len(names)), 2))
        contrasts = np.array([cells[j] - cells[i] for i, j in pairs])
        contrasts = np.pad(contrasts, ((0, 0), (0, len(self.estimates.params) - self.k_fe)))
        shown = [f"{names[j]}-{names[i]}" for i, j in pairs]
        table = t_test_multi(self, contrasts, method=method, alpha=alpha, contrast_names=shown)
        return MultiCompResult(table, contrasts, term, shown, cells)

    def wald_test(
        self,
        r_matrix: Any,
        cov_p: Any = None,
        invcov: Any = None,
        use_f: bool | None = None,
        df_constraints: Any = None,
        scalar: bool = True,
    ) -> Any:
        """Joint Wald test of linear hypotheses; contrasts as in `t_test`, the rest as in statsmodels.

        Examples
        --------
        >>> test = results.wald_test("trt[T.placebo] = 0, trt[T.drug+] = 0")
        >>> round(float(test.statistic), 2), round(float(test.pvalue), 2)
        (4.12, 0.13)
        """
        contrasts, values = self._hypothesis(r_matrix)
        if cov_p is None and np.isnan(self.estimates.cov.matrix).all():
            raise ValueError("the estimates have no covariance (no maximum was found): there is no Wald test")
        with np.errstate(invalid="ignore"):  # nothing of a hypothesis is free
            found = super().wald_test(
                (contrasts, values), cov_p, invcov, use_f, df_constraints, scalar=scalar
            )
        others = (cov_p, invcov, df_constraints)
        cov = self.estimates.cov.matrix if cov_p is None else np.asarray(cov_p)
        if np.isinf(wald_statistic(contrasts, values, self.estimates.params, cov)):
            warn_user("the constraints of the fit, or among these hypotheses, exclude that they all hold")
            found = rejected_for_sure(found)
        if not self.estimates.drawn or any(value is not None for value in others):
            return found
        return MonteCarloWaldTest(found, wald_errors(self.estimates, contrasts, values))

    def wald_test_terms(self, *args: Any, mcse: bool = False, **kwargs: Any) -> Any:
        """Joint Wald tests of all terms, as in statsmodels; with ``mcse``, the table has the Monte Carlo errors too.

        Examples
        --------
        >>> results.wald_test_terms().table.round(3)
                   statistic  pvalue  df_constraint
        Intercept     10.624   0.001              1
        trt            4.121   0.127              2
        week           8.030   0.005              1
        """
        self._refuse_categories("wald_test_terms", "anova(), drop1(), or wald_test of their names")
        found = super().wald_test_terms(*args, **kwargs)
        if not (mcse and self.estimates.drawn):
            return found
        return MonteCarloTermTests(found, [self.wald_test(contrasts) for _, contrasts in found.temp])

    def _refuse_categories(self, what: str, instead: str) -> None:
        """Refuse what knows one predictor with the formula's terms."""
        family = self.model.conditional_family
        if family.predictors[0]:
            raise ValueError(
                f"{what} is not known for family {family.name}, whose terms are in the predictors of all categories: "
                f"use {instead}"
            )

    def f_test(self, r_matrix: Any, *args: Any, **kwargs: Any) -> Any:
        """Joint F-test of linear hypotheses; contrasts as in `t_test`.

        Examples
        --------
        >>> round(float(results.f_test("week = 0").pvalue), 4)
        0.005
        """
        return super().f_test(self._hypothesis(r_matrix), *args, **kwargs)


def _has_levels(info: DesignInfo, factor: Any) -> bool:
    return bool(info.factor_infos[factor].type == "categorical")


def _warn_of_interactions(info: DesignInfo, term: Any) -> None:
    """Say where the differences between the levels of a factor hold, if it is part of an interaction."""
    found, name = conditions_of(info, term), term.name()
    places = [place for place in found.values() if place is not None]
    if places:
        terms = ", ".join(t.name() for t in relatives_of(info, term))
        warn_user(
            f"{name} is part of {terms}: these differences are those where {' and '.join(places)}. "
            f"emmeans({name!r}).contrasts() averages over the other factors, and emmeans({name!r}, by=...) or "
            f"t_test_pairwise of the interaction compares within their levels"
        )
