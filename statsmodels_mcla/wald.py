"""Wald inference: tests and intervals from the estimates and their covariance."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from scipy import stats
from statsmodels.base.model import LikelihoodModelResults
from statsmodels.formula._manager import FormulaManager
from statsmodels.stats.multitest import multitest_alias

from statsmodels_mcla.arguments import check_alpha
from statsmodels_mcla.contrasts import with_monte_carlo_errors
from statsmodels_mcla.linalg import Array

__all__ = ["WaldResults"]


class WaldResults(LikelihoodModelResults):
    """The part of the results that rests on the estimates and their covariance alone."""

    k_fe: int
    model_non_negative: np.ndarray

    @cached_property
    def pvalues(self) -> Array:
        """Two-sided p-values; one-sided for variances and dispersions, which cannot be negative."""
        one_sided = self.model_non_negative
        t = np.asarray(self.tvalues)
        return np.where(one_sided, stats.norm.sf(t), 2.0 * stats.norm.sf(np.abs(t)))

    def conf_int(self, alpha: float = 0.05, cols: Any = None) -> Array:
        """Wald confidence intervals.

        Parameters
        ----------
        alpha : float
            One minus the confidence level.
        cols : array_like, optional
            Which parameters.

        Returns
        -------
        ndarray (k, 2)
            Limits on the scale of ``params``; those of variances are cut off at zero.
        """
        check_alpha(alpha)
        half = stats.norm.isf(0.5 * alpha) * np.asarray(self.bse)
        params = np.asarray(self.params)
        limits = np.column_stack([params - half, params + half])
        limits[:, 0] = np.where(self.model_non_negative, np.maximum(limits[:, 0], 0.0), limits[:, 0])
        return limits if cols is None else limits[np.asarray(cols)]

    def _full_length(self, r_matrix: Any) -> Any:
        """Fill up contrasts of the fixed effects with zeros for the other parameters."""
        if isinstance(r_matrix, (str, list)) and np.asarray(r_matrix).dtype.kind in "US":
            return r_matrix
        if isinstance(r_matrix, tuple):
            return (self._full_length(r_matrix[0]), *r_matrix[1:])
        array = np.atleast_2d(np.asarray(r_matrix, dtype=float))
        if array.shape[1] == len(self.params):
            return array
        if array.shape[1] != self.k_fe:
            raise ValueError(
                f"r_matrix has {array.shape[1]} columns; give one for each of the {self.k_fe} fixed effects or the "
                f"{len(self.params)} parameters"
            )
        return np.column_stack([array, np.zeros((len(array), len(self.params) - self.k_fe))])

    def cov_params(self, r_matrix: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Covariance of the estimates, or of contrasts r_matrix of them; see statsmodels.

        Parameters without standard errors (variances of zero) do not stand in the way of contrasts without them.
        Their rows are NaN; packages that multiply the whole matrix (marginaleffects) take
        ``vcov=results.cov_params().fillna(0).to_numpy()``, the covariance with these parameters held where they are.
        """
        covariance = super().cov_params
        if r_matrix is None or args:
            return covariance(r_matrix, *args, **kwargs)
        contrasts = [np.atleast_2d(c) for c in (r_matrix, kwargs.get("other")) if c is not None]
        used = np.any(np.vstack(contrasts) != 0, axis=0)
        whole = np.asarray(covariance(cov_p=kwargs.pop("cov_p", None)))
        return covariance(r_matrix, cov_p=np.where(np.outer(used, used), whole, 0.0), **kwargs)

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
            For Monte Carlo fits with ``mcse``, the Monte Carlo error of each contrast, also in its tables.
        """
        full = self._full_length(r_matrix)
        found = super().t_test(full, cov_p=cov_p, use_t=use_t)
        mcse = self.monte_carlo
        if mcse is None:
            return found
        contrasts = FormulaManager().get_linear_constraints(full, self.model.data.cov_names)
        return with_monte_carlo_errors(found, np.asarray(contrasts.constraint_matrix), mcse.cov_mcse)

    def t_test_pairwise(
        self, term_name: str, method: str = "hs", alpha: float = 0.05, factor_labels: Any = None
    ) -> Any:
        """Tests of the differences between all levels of a factor, adjusted for their number.

        Parameters
        ----------
        term_name : str
            Name of the factor in the formula, such as ``"C(site)"``.
        method : str
            Adjustment, one of those of `statsmodels.stats.multitest.multipletests`.
        alpha : float
            Familywise error, or false discovery rate.
        factor_labels : list of str, optional
            Labels of the levels in the table.

        Returns
        -------
        MultiCompResult
            Its ``result_frame`` holds a row a pair.

        Raises
        ------
        ValueError
            If there is no such factor, or no such method.
        """
        check_alpha(alpha)
        if method not in multitest_alias:
            raise ValueError(f"method must be one of {', '.join(multitest_alias)}, got {method!r}")
        info = getattr(self.model.data, "model_spec", None)
        if info is None:
            raise ValueError("term_name: the model was not made from a formula; use t_test with contrasts")
        factors = [
            t.name()
            for t in info.terms
            if len(t.factors) == 1 and info.factor_infos[t.factors[0]].type == "categorical"
        ]
        if term_name not in factors:
            known = ", ".join(factors) or "none"
            raise ValueError(
                f"term_name: there is no factor {term_name!r} in the fixed effects; there are: {known}"
            )
        return super().t_test_pairwise(term_name, method=method, alpha=alpha, factor_labels=factor_labels)

    def wald_test(self, r_matrix: Any, *args: Any, **kwargs: Any) -> Any:
        """Joint Wald test of linear hypotheses; contrasts as in `t_test`."""
        kwargs.setdefault("scalar", True)
        return super().wald_test(self._full_length(r_matrix), *args, **kwargs)

    def f_test(self, r_matrix: Any, *args: Any, **kwargs: Any) -> Any:
        """Joint F-test of linear hypotheses; contrasts as in `t_test`."""
        return super().f_test(self._full_length(r_matrix), *args, **kwargs)
