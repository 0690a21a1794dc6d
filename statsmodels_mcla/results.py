"""What a fit says: statsmodels results, with the Monte Carlo error of everything that rests on draws.

`MixedGLMResults` is common to all fits of the model; `MCLAMixedGLMResults` adds what the draws tell.  Standard
errors say how estimates would change with other data, Monte Carlo errors (MCSE) how they would change with
other random numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.base.model import LikelihoodModelResults, LikelihoodResultsWrapper
from statsmodels.base.wrapper import populate_wrapper, union_dicts

from statsmodels_mcla.comparison import LikelihoodRatioTest, likelihood_ratio_test
from statsmodels_mcla.laplace_fit import laplace_covariance
from statsmodels_mcla.mcse import standard_deviations
from statsmodels_mcla.summary import summarise
from statsmodels_mcla.var_corr import covariance_matrices, var_corr

if TYPE_CHECKING:
    from statsmodels.iolib.summary import Summary

    from statsmodels_mcla.linalg import Array
    from statsmodels_mcla.maximum import Draws, LaplaceMaximum, MonteCarloMaximum

__all__ = [
    "MCLAMixedGLMResults",
    "MixedGLMResults",
    "MonteCarloErrors",
    "laplace_results",
    "monte_carlo_results",
]


@dataclass(frozen=True)
class MonteCarloErrors:
    """What the draws at the maximum tell, as arrays (labels are attached by the results).

    Attributes
    ----------
    cov_mcse : ndarray (P, P)
    bias : ndarray (P,)
    llf_mcse : float
    ess, draws, k_hat, share : ndarray (B,)
        Effective sample size, draws, Pareto k-hat and share of the Monte Carlo variance of each block.
    block_labels : list of str
    history : DataFrame
    sampling : str
        Description of the importance density.
    precise : bool
        Whether the Monte Carlo errors are as small as asked for.
    """

    cov_mcse: Array
    bias: Array
    llf_mcse: float
    ess: Array
    draws: Array
    k_hat: Array
    share: Array
    block_labels: list[str]
    history: pd.DataFrame
    sampling: str
    precise: bool


class MixedGLMResults(LikelihoodModelResults):
    """Fit of a generalized linear mixed model.

    Parameters
    ----------
    model : MCLAMixedGLM
    params : ndarray (P,)
        Fixed effects, variances and covariances, dispersion.
    cov_params : ndarray (P, P) or callable
        Inverse observed information, or what computes it when first asked for.
    llf : float
        Log-likelihood at ``params``, all constants included.
    method : str
        Name of the approximation.
    converged : bool
    boundary : ndarray of bool (P,), optional
        Parameters at the boundary, such as variances of zero; they have no standard error.
    """

    def __init__(
        self,
        model: Any,
        params: Array,
        cov_params: Any,
        llf: float,
        method: str,
        converged: bool,
        boundary: np.ndarray | None = None,
        mle_retvals: dict[str, Any] | None = None,
        mle_settings: dict[str, Any] | None = None,
    ) -> None:
        self._cov_source = cov_params
        super().__init__(model, params, None, scale=1.0)
        self._llf = llf
        self.method = method
        self.converged = converged
        self.boundary = np.zeros(len(params), bool) if boundary is None else boundary
        self.mle_retvals = mle_retvals or {}
        self.mle_settings = mle_settings or {}
        self.k_fe = model.design.n_fixed
        self.k_vc = model.design.covariance.size
        self.nobs = float(model.freq_weights.sum())
        self.df_resid = self.nobs - len(params)
        self.family = model.family
        self.facts = model.facts
        self.use_t = False
        self.df_model = len(params) - model.k_constant
        self.model_non_negative = model.non_negative
        self._data_in_cache: list[str] = []

    @property
    def normalized_cov_params(self) -> Array | None:
        """Inverse observed information (P, P)."""
        if callable(self._cov_source):
            self._cov_source = self._cov_source()
        source: Array | None = self._cov_source
        return source

    @normalized_cov_params.setter
    def normalized_cov_params(self, value: Array | None) -> None:
        if value is not None:
            self._cov_source = value

    def __getstate__(self) -> dict[str, Any]:
        self.normalized_cov_params  # noqa: B018 - a callable would not pickle
        state: dict[str, Any] = super().__getstate__() if hasattr(super(), "__getstate__") else self.__dict__
        return state

    @property
    def llf(self) -> float:
        """Log-likelihood at ``params``, all constants included."""
        return self._llf

    @property
    def fe_params(self) -> Array:
        """Fixed effects."""
        return np.asarray(self.params)[: self.k_fe]

    @property
    def vc_params(self) -> Array:
        """Variances and covariances of the random effects."""
        return np.asarray(self.params)[self.k_fe : self.k_fe + self.k_vc]

    @property
    def cov_re(self) -> dict[str, pd.DataFrame]:
        """Covariance matrix of each random-effect term."""
        return covariance_matrices(self.facts.terms, self.vc_params)

    def var_corr(self) -> pd.DataFrame:
        """Standard deviations and correlations of the random effects, with errors by the delta method.

        Returns
        -------
        DataFrame
            Columns group, effect, levels, estimate, std err and, for Monte Carlo fits, mcse.
        """
        at = slice(self.k_fe, self.k_fe + self.k_vc)
        mcse = getattr(self, "monte_carlo", None)
        cov = np.asarray(self.cov_params())
        return var_corr(
            self.facts.terms, self.vc_params, cov[at, at], None if mcse is None else mcse.cov_mcse[at, at]
        )

    @property
    def bse_fe(self) -> Array:
        """Standard errors of the fixed effects."""
        return np.asarray(self.bse)[: self.k_fe]

    @cached_property
    def pvalues(self) -> Array:
        """Two-sided p-values; one-sided for variances and dispersions, which cannot be negative."""
        one_sided = self.model_non_negative
        t = np.asarray(self.tvalues)
        return np.where(one_sided, stats.norm.sf(t), 2.0 * stats.norm.sf(np.abs(t)))

    @property
    def aic(self) -> float:
        """Akaike's information criterion, -2 llf + 2 P."""
        return float(-2.0 * self.llf + 2.0 * len(self.params))

    @property
    def bic(self) -> float:
        """Schwarz's information criterion, -2 llf + P log(nobs)."""
        return float(-2.0 * self.llf + np.log(self.nobs) * len(self.params))

    @property
    def singular(self) -> bool:
        """Whether the maximum lies on the boundary."""
        return bool(self.boundary.any())

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
        if not 0 < alpha < 1:
            raise ValueError(
                f"alpha must lie between 0 and 1, such as 0.05 for 95 % intervals; got {alpha!r}"
            )
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

    def t_test(self, r_matrix: Any, cov_p: Array | None = None, use_t: bool | None = None) -> Any:
        """Wald z-test of linear hypotheses about the parameters.

        Parameters
        ----------
        r_matrix : str, list of str or array_like
            A hypothesis such as ``"Cross[R/R] = Cross[W/W]"``, or contrasts (k, p) of the fixed effects or
            (k, P) of all parameters.
        """
        return super().t_test(self._full_length(r_matrix), cov_p=cov_p, use_t=use_t)

    def wald_test(self, r_matrix: Any, *args: Any, **kwargs: Any) -> Any:
        """Joint Wald test of linear hypotheses; contrasts as in `t_test`."""
        kwargs.setdefault("scalar", True)
        return super().wald_test(self._full_length(r_matrix), *args, **kwargs)

    def f_test(self, r_matrix: Any, *args: Any, **kwargs: Any) -> Any:
        """Joint F-test of linear hypotheses; contrasts as in `t_test`."""
        return super().f_test(self._full_length(r_matrix), *args, **kwargs)

    @property
    def llf_mcse(self) -> float | None:
        """Monte Carlo standard error of the log-likelihood; None for fits without draws."""
        return None

    def compare_lr_test(self, restricted: Any) -> LikelihoodRatioTest:
        """Likelihood-ratio test against a model nested in this one.

        Parameters
        ----------
        restricted : results
            Fit of the restricted model to the same rows, by the same method.

        Returns
        -------
        LikelihoodRatioTest

        Raises
        ------
        ValueError
            If the models have different rows, families or methods, or the other one is not nested in this.
        """
        return likelihood_ratio_test(self, getattr(restricted, "_results", restricted))

    def summary(self, title: str | None = None, alpha: float = 0.05) -> Summary:
        """Tables of the fit: facts, fixed effects, variance components.

        Returns
        -------
        statsmodels.iolib.summary.Summary
            With ``as_text``, ``as_html``, ``as_latex``.
        """
        return summarise(self, title, alpha)


class MCLAMixedGLMResults(MixedGLMResults):
    """Maximum of the Monte Carlo likelihood.

    Parameters
    ----------
    monte_carlo : MonteCarloErrors
    others
        As in `MixedGLMResults`.
    """

    def __init__(self, *args: Any, monte_carlo: MonteCarloErrors, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.monte_carlo = monte_carlo

    @property
    def mcse(self) -> Array:
        """Monte Carlo standard errors of ``params``."""
        return standard_deviations(self.monte_carlo.cov_mcse)

    def cov_mcse(self) -> Array:
        """Monte Carlo covariance of ``params``, U^-1 V U^-1."""
        return self.monte_carlo.cov_mcse

    @property
    def llf_mcse(self) -> float:
        """Monte Carlo standard error of ``llf``."""
        return self.monte_carlo.llf_mcse

    @property
    def ess(self) -> pd.Series:
        """Effective sample size of each block."""
        return pd.Series(self.monte_carlo.ess, index=self.monte_carlo.block_labels, name="ess")

    def mc_diagnostics(self) -> pd.DataFrame:
        """How well the importance density fits, block by block, the worst first.

        Returns
        -------
        DataFrame
            Indexed by block: ``draws``; ``ess``, the effective sample size; ``ess_ratio``, its fraction of the
            draws; ``k_hat``, the Pareto shape of the largest weights (above 0.7: unreliable); ``share`` of the
            Monte Carlo variance of the estimates, relative to their standard errors.
        """
        mc = self.monte_carlo
        table = pd.DataFrame(
            {
                "draws": mc.draws,
                "ess": mc.ess,
                "ess_ratio": mc.ess / mc.draws,
                "k_hat": mc.k_hat,
                "share": mc.share,
            },
            index=pd.Index(mc.block_labels, name="block"),
        )
        return table.sort_values("share", ascending=False, kind="stable")

    @property
    def mc_history(self) -> pd.DataFrame:
        """Round by round: draws, llf, MCSE/SE, smallest effective sample size, seconds."""
        return self.monte_carlo.history


def laplace_results(model: Any, found: LaplaceMaximum) -> MixedGLMResults:
    """Collect a Laplace fit into results; standard errors are computed when first asked for."""
    fit = found.fit
    return MixedGLMResults(
        model,
        found.params,
        partial(laplace_covariance, model.design, fit, found.keep),
        fit.evaluation.value,
        "Laplace",
        fit.converged and not found.separated,
        ~found.keep,
        fit.mle_retvals,
        fit.mle_settings,
    )


def monte_carlo_results(
    model: Any, found: MonteCarloMaximum, draws: Draws, *, separated: bool
) -> MCLAMixedGLMResults:
    """Collect a fit into results: spread over all parameters, with NaN where one is at the boundary."""
    fit, keep = found.fit, found.keep
    evaluation, precision, P = fit.evaluation, fit.precision, len(found.keep)
    blocks = evaluation.blocks
    cov, cov_mcse, bias = np.full((P, P), np.nan), np.full((P, P), np.nan), np.full(P, np.nan)
    share = np.full(len(blocks.ess), np.nan)
    if precision is not None:
        cov[np.ix_(keep, keep)], cov_mcse[np.ix_(keep, keep)] = precision.cov_params, precision.cov_mcse
        bias[keep] = precision.bias
        relative = (blocks.score_var / precision.se**2).sum(axis=1)
        share = relative / max(float(relative.sum()), np.finfo(float).tiny)
    joint = draws.sampling.joint
    monte_carlo = MonteCarloErrors(
        cov_mcse,
        bias,
        float(np.sqrt(evaluation.value_var)),
        blocks.ess,
        blocks.draws,
        blocks.k_hat,
        share,
        ["all effects"] if joint else found.design.block_labels,
        pd.DataFrame(fit.history),
        type(draws.sampling).__name__,
        fit.precise or draws.nsample is not None,
    )
    return MCLAMixedGLMResults(
        model,
        found.params,
        cov,
        evaluation.value,
        "MCLA, quasi-Monte Carlo" if draws.quasi and not joint else "MCLA, Monte Carlo",
        fit.converged and not separated,
        ~keep,
        fit.mle_retvals,
        fit.mle_settings,
        monte_carlo=monte_carlo,
    )


class MixedGLMResultsWrapper(LikelihoodResultsWrapper):
    """Labels for `MixedGLMResults`."""

    _attrs: ClassVar = {
        "fe_params": ("generic_columns", "fe_names"),
        "bse_fe": ("generic_columns", "fe_names"),
        "vc_params": ("generic_columns", "vc_names"),
        "mcse": "columns",
    }
    _wrap_attrs = union_dicts(LikelihoodResultsWrapper._wrap_attrs, _attrs)  # noqa: SLF001
    _methods: ClassVar = {"cov_mcse": "cov"}
    _wrap_methods = union_dicts(LikelihoodResultsWrapper._wrap_methods, _methods)  # noqa: SLF001


class MCLAMixedGLMResultsWrapper(MixedGLMResultsWrapper):
    """Labels for `MCLAMixedGLMResults`."""


populate_wrapper(MixedGLMResultsWrapper, MixedGLMResults)
populate_wrapper(MCLAMixedGLMResultsWrapper, MCLAMixedGLMResults)
