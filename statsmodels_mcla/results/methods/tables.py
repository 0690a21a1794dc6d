"""Methods that give tables: printed ones, and data frames for other programs."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pandas as pd

from statsmodels_mcla.data import check_alpha
from statsmodels_mcla.inference import tidy_fixed, tidy_random
from statsmodels_mcla.results.methods.covariance import RobustResults
from statsmodels_mcla.results.methods.criteria import InformationCriteria
from statsmodels_mcla.results.methods.profile import ProfileResults
from statsmodels_mcla.results.summary import groups_of, information, summarise, summarise_experimentally
from statsmodels_mcla.results.tables import FrameSummary, MixedSummary

EFFECTS = ("fixed", "random", "all")


def _information_of(name: str, results: TableMethods) -> str:
    return f"{information(results)[name]:.3f}"


class TableMethods(InformationCriteria, RobustResults, ProfileResults):
    """Tables of a fit."""

    def summary(
        self,
        title: str | None = None,
        alpha: float = 0.05,
        mcse: bool | str = False,
        *,
        exponentiate: bool = False,
        variance_tests: bool = False,
    ) -> MixedSummary:
        """Tables of the fit: facts, fixed effects, variance components.

        Parameters
        ----------
        title : str, optional
        alpha : float
            One minus the level of the intervals.
        mcse : bool or "all"
            Whether to show the Monte Carlo errors of the estimates, and how the draws fit, rather than one line about
            them; "all" adds those of standard errors, p-values and limits, which take a few passes over the draws.
        exponentiate : bool
            Whether fixed effects are shown as odds ratios, rate ratios, ...: exp(coef), its limits, and its standard
            error by the delta method; z and P are those of the coefficients.
        variance_tests : bool
            Whether z and P of variances are shown, one-tailed, as in R's package glmm. Estimates of variances near
            zero are not normal: `compare_lr_test` of the model without the term is the better test.

        Returns
        -------
        MixedSummary
            With ``as_text``, ``as_html``, ``as_latex``, ``as_csv``, ``as_markdown``.

        Raises
        ------
        ValueError
            If an argument is out of range.

        Examples
        --------
        >>> print(results.summary(mcse=True).tables[-1])
                                    Variances
        ==================================================================
                     estimate    std err     [0.025     0.975]        MCSE
        ------------------------------------------------------------------
        ID Var         1.4459     0.9592     0.0000     3.3259     4.3e-04
        ==================================================================
        >>> odds_ratios = results.summary(exponentiate=True)
        """
        check_alpha(alpha)
        return summarise(self, title, alpha, mcse, exponentiate, variance_tests)

    def summary2(
        self, title: str | None = None, alpha: float = 0.05, float_format: str = "%.4f"
    ) -> FrameSummary:
        """Summary in statsmodels' other form: facts, coefficients and other parameters, as data frames.

        Parameters
        ----------
        title : str, optional
        alpha : float
            One minus the level of the intervals.
        float_format : str

        Returns
        -------
        FrameSummary
            A ``statsmodels.iolib.summary2.Summary``; with ``as_csv`` and ``as_markdown``, too.

        Examples
        --------
        >>> print(results.summary2().tables[1].round(2))
                        Coef.  Std.Err.     z  P>|z|  [0.025  0.975]
        Intercept        1.84      0.56  3.26   0.00    0.73    2.95
        trt[T.drug+]     0.52      0.67  0.78   0.44   -0.79    1.83
        trt[T.placebo]   1.32      0.66  2.01   0.04    0.04    2.61
        week            -0.15      0.05 -2.83   0.00   -0.25   -0.04
        ID Var           1.45      0.96   NaN    NaN    0.00    3.33
        """
        check_alpha(alpha)
        return summarise_experimentally(self, title, alpha, float_format)

    @property
    def default_model_infos(self) -> dict[str, Callable[[Any], str]]:
        """Rows that statsmodels' ``summary_col`` adds below the coefficients, as functions of results."""
        rows: dict[str, Callable[[Any], str]] = {
            "Observations": lambda r: f"{r.facts.n_rows}",
            "Groups": groups_of,
        }
        for name in information(self):
            rows[name] = partial(_information_of, name)
        return rows

    def tidy(
        self,
        effects: str = "all",
        *,
        exponentiate: bool = False,
        conf_int: bool = True,
        alpha: float = 0.05,
    ) -> pd.DataFrame:
        """Estimates as a data frame, a row a parameter, as R's broom.mixed has them.

        Parameters
        ----------
        effects : {"all", "fixed", "random"}
            Fixed effects; standard deviations (``sd__...``) and correlations (``cor__...``) of the random effects and
            the dispersion.
        exponentiate : bool
            Whether fixed effects are given as exp(coef), with standard errors by the delta method.
        conf_int : bool
            Whether to give limits.
        alpha : float
            One minus their level.

        Returns
        -------
        DataFrame
            ``effect``, ``group``, ``term``, ``estimate``, ``std_error``, ``statistic``, ``p_value``, ``conf_low``,
            ``conf_high`` and, for Monte Carlo fits, ``mcse`` of the estimate.

        Raises
        ------
        ValueError
            If an argument is out of range.

        Notes
        -----
        Limits are Wald limits: of coefficients, of logarithms of standard deviations and dispersions, and of Fisher's z
        of correlations, the last two carried back. There is no statistic of a standard deviation, as in R.

        Examples
        --------
        >>> results.tidy("fixed", exponentiate=True).iloc[:, :5].round(2)
          effect group            term  estimate  std_error
        0  fixed             Intercept      6.30       3.56
        1  fixed          trt[T.drug+]      1.68       1.12
        2  fixed        trt[T.placebo]      3.76       2.47
        3  fixed                  week      0.86       0.04
        """
        check_alpha(alpha)
        if effects not in EFFECTS:
            raise ValueError(f"effects must be one of {', '.join(map(repr, EFFECTS))}, got {effects!r}")
        parts = []
        if effects != "random":
            parts.append(tidy_fixed(self.estimates, alpha, exponentiate=exponentiate))
        if effects != "fixed":
            parts.append(tidy_random(self.facts.terms, self.estimates, alpha))
        out = pd.concat(parts, ignore_index=True)
        return out if conf_int else out.drop(columns=["conf_low", "conf_high"])

    def glance(self) -> pd.DataFrame:
        """One row about the whole fit, as R's broom.mixed has it.

        Returns
        -------
        DataFrame
            ``nobs``, ``n_groups`` (of the term with most levels), ``llf``, ``deviance`` (-2 llf), ``aic``, ``bic``,
            ``df_resid``, ``converged``, ``singular``, and ``llf_mcse`` of Monte Carlo fits.

        Examples
        --------
        >>> results.glance().iloc[:, :4].round(1)
            nobs  n_groups   llf  deviance
        0  220.0        50 -98.7     197.4
        """
        row: dict[str, Any] = {
            "nobs": self.nobs,
            "n_groups": max(t.levels for t in self.facts.terms),
            "llf": self.llf,
            "deviance": -2.0 * self.llf,
            "aic": self.aic,
            "bic": self.bic,
            "df_resid": int(self.df_resid),
            "converged": self.converged,
            "singular": self.singular,
        }
        if self.estimates.llf_mcse is not None:
            row["llf_mcse"] = self.estimates.llf_mcse
        return pd.DataFrame([row])
