"""What a fit says: statsmodels results, with the Monte Carlo error of everything that rests on draws.

`MixedGLMResults` is common to all fits of the model; `MCLAMixedGLMResults` adds what the draws tell.  Standard
errors say how estimates would change with other data, Monte Carlo errors (MCSE) how they would change with
other random numbers.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from statsmodels_mcla.comparison import LikelihoodRatioTest, likelihood_ratio_test
from statsmodels_mcla.estimation import Fitted
from statsmodels_mcla.estimation.boundary import Reduction
from statsmodels_mcla.estimation.constrained import ObjectiveMaximum
from statsmodels_mcla.inference import covariance_matrices, var_corr, var_corr_errors
from statsmodels_mcla.numerics import standard_deviations
from statsmodels_mcla.results.methods import (
    BootstrapResults,
    EffectSizes,
    InfluenceResults,
    InformationCriteria,
    MarginMethods,
    MonteCarloPlots,
    PlotResults,
    PredictionMethods,
    ProfileResults,
    RandomEffectResults,
    ResidualMethods,
    ScoreTestResults,
    SimulationResults,
)
from statsmodels_mcla.results.monte_carlo_report import MonteCarloErrors
from statsmodels_mcla.results.summary import summarise

if TYPE_CHECKING:
    from collections.abc import Callable

    from statsmodels.iolib.summary import Summary

    from statsmodels_mcla.design import MixedDesign
    from statsmodels_mcla.numerics import Array


class MixedGLMResults(
    PlotResults,
    ResidualMethods,
    PredictionMethods,
    MarginMethods,
    EffectSizes,
    InformationCriteria,
    RandomEffectResults,
    InfluenceResults,
    SimulationResults,
    BootstrapResults,
    ScoreTestResults,
    ProfileResults,
):
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
    reduction : Reduction, optional
        Ranks of the covariance matrices at the maximum; full by default.
    fitted : Fitted or callable
        The maximum with the draws made there, or what makes them when first asked for.
    """

    monte_carlo: MonteCarloErrors | None = None  # fits without draws have no Monte Carlo errors

    def __init__(
        self,
        model: Any,
        params: Array,
        cov_params: Any,
        llf: float,
        method: str,
        converged: bool,
        reduction: Reduction | None = None,
        mle_retvals: dict[str, Any] | None = None,
        mle_settings: dict[str, Any] | None = None,
        *,
        fitted: Fitted | Callable[[], Fitted],
    ) -> None:
        self._cov_source = cov_params
        self._fitted_source: Fitted | Callable[[], Fitted] | None = fitted
        super().__init__(model, params, None, scale=1.0)
        self._llf = llf
        self.method = method
        self.converged = converged
        self.reduction = Reduction.of(model.design) if reduction is None else reduction
        self.mle_retvals = mle_retvals or {}
        self.mle_settings = mle_settings or {}
        self.k_fe = model.design.n_fixed
        self.k_vc = model.design.covariance.size
        self.nobs = float(model.freq_weights[model.inputs.used].sum())
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

    @property
    def fitted(self) -> Fitted:
        """The maximum with the draws made there, in the parameters that were fitted."""
        if callable(self._fitted_source):
            self._fitted_source = self._fitted_source()
        if self._fitted_source is None:
            raise ValueError("the data of this fit were removed (remove_data): fit the model again for this")
        return self._fitted_source

    @property
    def _maximum(self) -> ObjectiveMaximum:
        """The likelihood that was maximised, and where it is largest."""
        params = np.asarray(self.params)
        return ObjectiveMaximum.of_laplace(
            params, self.reduction, self._checked_design(), np.asarray(self.bse)
        )

    def _checked_design(self) -> MixedDesign:
        design: MixedDesign | None = self.model.design
        if design is None:
            raise ValueError("the data of this fit were removed (remove_data): fit the model again for this")
        return design

    def remove_data(self) -> None:
        """Remove the data, and with them what needs them: predictions, random effects, profiles."""
        self.normalized_cov_params  # noqa: B018 - needs the data when first asked for
        self._variation  # noqa: B018 - the same
        super().remove_data()
        self._fitted_source = None
        self.__dict__.pop("_units", None)
        self.__dict__.pop("_maximum", None)

    def __getstate__(self) -> dict[str, Any]:
        self.normalized_cov_params  # noqa: B018 - a callable would not pickle
        if self._fitted_source is not None:
            self.fitted  # noqa: B018 - the same
        state: dict[str, Any] = super().__getstate__() if hasattr(super(), "__getstate__") else self.__dict__
        return {name: value for name, value in state.items() if name != "_maximum"}

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
            Columns group, effect, levels, estimate, std err and, for Monte Carlo fits, mcse and std err mcse.
        """
        at = slice(self.k_fe, self.k_fe + self.k_vc)
        monte_carlo, terms = self.monte_carlo, self.facts.terms
        cov = np.asarray(self.cov_params())
        if monte_carlo is None:
            return var_corr(terms, self.vc_params, cov[at, at], None)
        out = var_corr(terms, self.vc_params, cov[at, at], monte_carlo.cov_mcse[at, at])
        varied = self._varied(lambda params, cov: var_corr_errors(terms, params[at], cov[at, at]))
        return out.assign(**{"std err mcse": varied.mcse})

    @property
    def bse_fe(self) -> Array:
        """Standard errors of the fixed effects."""
        return np.asarray(self.bse)[: self.k_fe]

    @property
    def boundary(self) -> np.ndarray:
        """Variances that are zero at the maximum, and their covariances, (P,) bool; they have no standard error."""
        return ~self.reduction.keep

    @property
    def singular(self) -> bool:
        """Whether the maximum lies on the boundary: a variance or dispersion of zero, or a perfect correlation."""
        return bool(self.reduction.singular) or self.reduction.at_limit

    @property
    def llf_mcse(self) -> float | None:
        """Monte Carlo standard error of the log-likelihood; None for fits without draws."""
        return None

    def compare_lr_test(self, restricted: Any, rng: Any = 0) -> LikelihoodRatioTest:
        """Likelihood-ratio test against a model nested in this one.

        Parameters
        ----------
        restricted : results
            Fit of the restricted model to the same rows, by the same method; or of statsmodels' GLM, which has no
            random effects.
        rng : int or numpy.random.Generator
            Source of randomness of null distributions that are simulated.

        Returns
        -------
        LikelihoodRatioTest
            Where the restricted model sets variances to zero, the p-value is from a mixture of chi-square
            distributions (chi-bar-square), as its ``distribution`` says.

        Raises
        ------
        ValueError
            If the models have different rows, families or methods, or the other one is not nested in this.
        """
        return likelihood_ratio_test(self, restricted, rng)

    def summary(self, title: str | None = None, alpha: float = 0.05) -> Summary:
        """Tables of the fit: facts, fixed effects, variance components.

        Parameters
        ----------
        title : str, optional
        alpha : float
            One minus the level of the intervals.

        Returns
        -------
        statsmodels.iolib.summary.Summary
            With ``as_text``, ``as_html``, ``as_latex``.
        """
        return summarise(self, title, alpha)


class MCLAMixedGLMResults(MonteCarloPlots, MixedGLMResults):
    """Maximum of the Monte Carlo likelihood.

    Parameters
    ----------
    monte_carlo : MonteCarloErrors
    others
        As in `MixedGLMResults`.
    """

    monte_carlo: MonteCarloErrors

    def __init__(self, *args: Any, monte_carlo: MonteCarloErrors, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.monte_carlo = monte_carlo

    @cached_property
    def _maximum(self) -> ObjectiveMaximum:
        """See `MixedGLMResults`."""
        return ObjectiveMaximum.of_draws(self.fitted, self._checked_design(), np.asarray(self.bse))

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
        return self.monte_carlo.diagnostics()

    @property
    def mc_history(self) -> pd.DataFrame:
        """Round by round: draws, llf, MCSE/SE, smallest effective sample size, seconds."""
        return self.monte_carlo.history
