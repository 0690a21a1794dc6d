"""What a fit says: statsmodels results, with the Monte Carlo error of everything that rests on draws.

`MixedGLMResults` is common to all fits of the model; `MCLAMixedGLMResults` adds what the draws tell.  Standard
errors say how estimates would change with other data, Monte Carlo errors (MCSE) how they would change with
other random numbers.
"""

from __future__ import annotations

from collections.abc import Callable
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
from statsmodels_mcla.results.names_of_r import NamesOfR

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
    NamesOfR,
):
    """Fit of a generalized linear mixed model; parameters as `ResultsBase` has them.

    Examples
    --------
    >>> laplace = model.fit_laplace()
    >>> laplace
    <MixedGLMResults: (y == 'y') ~ trt + week + (1 | ID), Binomial (logit), 220 rows; Laplace, llf -98.885, converged>
    >>> laplace.llf_mcse is None
    True
    """

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

    def map_partitions(self, function: Callable[[Any], Any], to: Any = None) -> list[Any]:
        """What a function says of each partition of the data, made where its rows are.

        Parameters
        ----------
        function : callable
            Of the results as one partition sees them: the estimates are those of all rows, and random effects,
            predictions, residuals and simulations those of the rows of the partition, whose number is
            ``model.partition``.
        to : path, optional
            Directory; each value, a DataFrame or Series, is written there as ``part-00000.parquet``.

        Returns
        -------
        list
            Values of the function, or paths of the files, in the order of the partitions.

        Examples
        --------
        >>> results.map_partitions(lambda part: part.random_effects_frame(), "effects")  # doctest: +SKIP
        """
        return self.model.map_partitions(self, function, to)

    def remove_data(self) -> None:
        """Remove the data, and with them what needs them: predictions, random effects, profiles.

        Examples
        --------
        >>> import pickle
        >>> small = pickle.loads(pickle.dumps(results))
        >>> small.remove_data()
        >>> small.summary().tables[0].title
        'Generalized Linear Mixed Model Results'
        """
        self.estimates = self.estimates.without_data()
        if self.constrained is not None:
            self.constrained.free.remove_data()
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

    def var_corr(self, *, mcse: bool = False) -> pd.DataFrame:
        """Standard deviations and correlations of the random effects, with errors by the delta method.

        Parameters
        ----------
        mcse : bool
            Whether to give the Monte Carlo errors of standard errors too, which take a pass over the draws for each
            parameter.

        Returns
        -------
        DataFrame
            Columns group, effect, levels, estimate, std err, for Monte Carlo fits mcse, and std err mcse if asked for.

        Examples
        --------
        >>> results.var_corr()[["group", "effect", "levels", "estimate", "std err"]].round(2)
          group         effect  levels  estimate  std err
        0    ID  SD(Intercept)      50       1.2      0.4
        """
        return var_corr(self.facts.terms, self.estimates, of_errors=mcse)

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

        Examples
        --------
        >>> test = results.compare_lr_test(model.update(". ~ . - week").fit(rng=1))
        >>> round(test.statistic, 2), round(test.pvalue, 4), test.df
        (8.67, 0.0032, 1)
        >>> import statsmodels.api as sm
        >>> glm = sm.GLM(model.endog, model.exog, family=sm.families.Binomial()).fit()
        >>> test = results.compare_lr_test(glm)
        >>> round(test.pvalue, 4), str(test.distribution)
        (0.0057, 'chi-bar-square, 0.5 chi2(0) + 0.5 chi2(1)')
        """
        return likelihood_ratio_test(self, restricted, rng)


class MCLAMixedGLMResults(MonteCarloPlots, MixedGLMResults):
    """Maximum of the Monte Carlo likelihood.

    Examples
    --------
    >>> results.bse.round(2)
    Intercept         0.56
    trt[T.drug+]      0.67
    trt[T.placebo]    0.66
    week              0.05
    ID Var            0.96
    dtype: float64
    >>> results.mcse.round(4)
    Intercept         0.0002
    trt[T.drug+]      0.0002
    trt[T.placebo]    0.0002
    week              0.0000
    ID Var            0.0004
    dtype: float64
    """

    monte_carlo: MonteCarloErrors

    @property
    def mcse(self) -> Labelled:
        """Monte Carlo standard errors of ``params``."""
        return standard_deviations(self.monte_carlo.cov_mcse)

    def cov_mcse(self) -> Labelled:
        """Monte Carlo covariance of ``params``, U^-1 V U^-1.

        Examples
        --------
        >>> bool((results.cov_mcse() / results.cov_params()).abs().max().max() < 1e-4)
        True
        """
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
            Indexed by block: ``draws``, or pairs of points of an outer and an inner effect where nested effects are
            integrated one by one; ``ess``, the effective sample size; ``ess_ratio``, its fraction of the
            draws; ``k_hat``, the Pareto shape of the largest weights (above 0.7: unreliable); ``share`` of the
            Monte Carlo variance of the estimates, relative to their standard errors.

        Examples
        --------
        >>> results.mc_diagnostics().head(3).round(2)
                 draws    ess  ess_ratio  k_hat  share
        block
        ID: Z11    128  80.69       0.63  -1.38   0.06
        ID: X08    128  80.63       0.63  -1.24   0.04
        ID: X15    128  80.71       0.63  -1.12   0.04
        """
        return self.monte_carlo.diagnostics()

    @property
    def mc_history(self) -> pd.DataFrame:
        """Round by round: draws, llf, MCSE/SE, smallest effective sample size, seconds."""
        return self.monte_carlo.history
