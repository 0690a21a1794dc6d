"""What a fit says: statsmodels results, with the Monte Carlo error of everything that rests on draws.

`MixedGLMResults` is common to all fits of the model; `MCLAMixedGLMResults` adds what the draws tell.  Standard
errors say how estimates would change with other data, Monte Carlo errors (MCSE) how they would change with
other random numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from statsmodels_mcla.comparison import LikelihoodRatioTest, likelihood_ratio_test
from statsmodels_mcla.estimation import Fitted
from statsmodels_mcla.inference import covariance_matrices, var_corr
from statsmodels_mcla.numerics import standard_deviations
from statsmodels_mcla.results.methods import (
    BootstrapResults,
    EffectSizes,
    GLMAttributes,
    GroupMethods,
    InfluenceResults,
    Labelled,
    MarginMethods,
    MeansMethods,
    MonteCarloPlots,
    NestedFamilyMethods,
    PlotResults,
    PowerMethods,
    SimulationResults,
    TableMethods,
)
from statsmodels_mcla.results.monte_carlo_report import MonteCarloErrors

if TYPE_CHECKING:
    from statsmodels_mcla.numerics import Array


class MixedGLMResults(
    PlotResults,
    GLMAttributes,
    GroupMethods,
    MarginMethods,
    MeansMethods,
    EffectSizes,
    InfluenceResults,
    TableMethods,
    SimulationResults,
    BootstrapResults,
    NestedFamilyMethods,
    PowerMethods,
):
    """Fit of a generalized linear mixed model; parameters as `ResultsBase` has them."""

    @property
    def normalized_cov_params(self) -> Labelled:
        """Inverse observed information (P, P)."""
        return self.estimates.information.matrix

    @normalized_cov_params.setter
    def normalized_cov_params(self, value: None) -> None:
        """Statsmodels sets it to None when it makes results; it is what the estimates say."""

    @property
    def cov_params_default(self) -> Array:
        """Covariance of the estimates (P, P), of the kind ``cov_type``."""
        return self.estimates.cov.matrix

    @property
    def fitted(self) -> Fitted:
        """The maximum with the draws made there, in the parameters that were fitted."""
        return self.estimates.fitted

    def remove_data(self) -> None:
        """Remove the data, and with them what needs them: predictions, random effects, profiles."""
        self.estimates = self.estimates.without_data()
        super().remove_data()
        self.__dict__.pop("_maximum", None)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_maximum"}

    @property
    def fe_params(self) -> Labelled:
        """Fixed effects."""
        return self.estimates.params[self.estimates.layout.fixed]

    @property
    def vc_params(self) -> Labelled:
        """Variances and covariances of the random effects."""
        return self.estimates.params[self.estimates.layout.covariance]

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
        return var_corr(self.facts.terms, self.estimates)

    @property
    def bse_fe(self) -> Labelled:
        """Standard errors of the fixed effects."""
        return self.estimates.se[self.estimates.layout.fixed]

    @property
    def llf_mcse(self) -> float | None:
        """Monte Carlo standard error of the log-likelihood; None for fits without draws."""
        return self.estimates.llf_mcse

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


class MCLAMixedGLMResults(MonteCarloPlots, MixedGLMResults):
    """Maximum of the Monte Carlo likelihood."""

    monte_carlo: MonteCarloErrors

    @property
    def mcse(self) -> Labelled:
        """Monte Carlo standard errors of ``params``."""
        return standard_deviations(self.monte_carlo.cov_mcse)

    def cov_mcse(self) -> Labelled:
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
