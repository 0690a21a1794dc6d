"""What statsmodels' GLM results have besides: names and shapes are theirs, with the random effects in mind."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from statsmodels_mcla.data import inputs_of
from statsmodels_mcla.families import estimated_family
from statsmodels_mcla.numerics import Array
from statsmodels_mcla.prediction import anscombe_residuals, leverages
from statsmodels_mcla.results.methods.base import Labelled
from statsmodels_mcla.results.methods.criteria import InformationCriteria
from statsmodels_mcla.results.methods.residuals import ResidualMethods


class GLMAttributes(ResidualMethods, InformationCriteria):
    """Attributes of GLM results."""

    @property
    def deviance(self) -> float:
        """-2 llf, as the summaries of lme4 and glmmTMB have it: the saturated model is not subtracted.

        The GLM's deviance at the fitted values is ``(resid_deviance**2).sum()``.
        """
        return -2.0 * self.llf

    @cached_property
    def _null_fit(self) -> Any:
        null = self.model.null_model()
        return null.fit(rng=0) if self.estimates.drawn else null.fit_laplace()

    @property
    def llnull(self) -> float:
        """Log-likelihood with an intercept alone and the same random effects; fitted when first asked for."""
        return float(self._null_fit.llf)

    @property
    def llnull_mcse(self) -> float | None:
        """Monte Carlo standard error of ``llnull``; None for fits without draws."""
        mcse: float | None = self._null_fit.llf_mcse
        return mcse

    @property
    def null_deviance(self) -> float:
        """-2 ``llnull``."""
        return -2.0 * self.llnull

    def pseudo_rsquared(self, kind: str = "cs") -> float:
        """Pseudo R squared against the model of ``llnull``: what fixed effects explain.

        Parameters
        ----------
        kind : {"cs", "mcf"}
            Cox and Snell's 1 - exp((llnull - llf) (2 / nobs)), or McFadden's 1 - llf / llnull. `r2` has those of
            Nakagawa, Johnson and Schielzeth, with the random effects' part.

        Returns
        -------
        float

        Raises
        ------
        ValueError
            If there is no such kind.

        Examples
        --------
        >>> round(results.pseudo_rsquared("mcf"), 3)
        0.061
        """
        name = kind.lower()
        if name.startswith("mcf"):
            return 1.0 - self.llf / self.llnull
        if name.startswith("cox") or name in ("cs", "lr"):
            return 1.0 - float(np.exp((self.llnull - self.llf) * (2.0 / self.nobs)))
        raise ValueError(f"kind must be 'cs' or 'mcf', got {kind!r}")

    def info_criteria(self, crit: str, dk_params: float = 0) -> float:
        """Information criterion by name.

        Parameters
        ----------
        crit : {"aic", "bic", "caic"}
        dk_params : float
            Parameters to count besides, in the first two.

        Returns
        -------
        float

        Raises
        ------
        ValueError
            If there is no such criterion; QAIC has no meaning where overdispersion is modelled by random effects.

        Examples
        --------
        >>> round(results.info_criteria("aic"), 1), round(results.info_criteria("bic"), 1)
        (207.4, 224.4)
        """
        per_parameter = {"aic": 2.0, "bic": float(np.log(self.nobs)), "caic": 0.0}
        name = crit.lower()
        if name not in per_parameter:
            raise ValueError(f"crit must be one of {', '.join(map(repr, per_parameter))}, got {crit!r}")
        return float(getattr(self, name)) + per_parameter[name] * dk_params

    @property
    def fit_history(self) -> dict[str, Any]:
        """Rounds of a Monte Carlo fit, as ``mc_history``; "iteration" counts them, or steps of the search."""
        if self.monte_carlo is None:
            return {"iteration": self.mle_retvals["gcalls"]}
        history = self.monte_carlo.history
        return {str(name): list(history[name]) for name in history} | {"iteration": len(history)}

    @property
    def mu(self) -> Labelled:
        """Mean of each row given the data: ``fittedvalues``."""
        return self.fittedvalues

    @property
    def resid(self) -> Labelled:
        """Response less mean given the data: ``resid_response``."""
        return self.resid_response

    @property
    def pearson_chi2(self) -> float:
        """Sum of squared Pearson residuals, which are those given the data, each as often as its weight says."""
        return float(np.nansum(self.model.freq_weights * np.asarray(self.resid_pearson) ** 2))

    def _needs_one_mean(self, what: str) -> None:
        if not self.model.conditional_family.simple_mean or len(self.facts.predictors) > 1:
            raise ValueError(
                f"{what} is for families whose mean is a function of one linear predictor, not for {self.facts.family}"
            )

    @property
    def resid_working(self) -> Labelled:
        """Response residuals on the scale of the linear predictor: over d mu / d eta at ``fittedvalues``, (N,)."""
        self._needs_one_mean("resid_working")
        link = self.model.conditional_family.link_function
        return self.resid_response / link.mean_deriv(link.eta(self.fittedvalues))

    @property
    def resid_anscombe(self) -> Labelled:
        """Anscombe residuals at ``fittedvalues``, (N,); the scale is left out as in GLM."""
        self._needs_one_mean("resid_anscombe")
        model = self.model
        return anscombe_residuals(model.inputs, model.conditional_family, self.fittedvalues, self._phi)

    def get_distribution(
        self,
        exog: Any = None,
        offset: Any = None,
        exposure: Any = None,
        var_weights: Any = 1.0,
        n_trials: Any = 1,
    ) -> Any:
        """Law of a response at random effects of zero.

        Parameters
        ----------
        exog, offset, exposure
            As in `predict`.
        var_weights, n_trials : array_like
            Of the responses.

        Returns
        -------
        frozen distribution of scipy.stats
            At the estimates. `get_prediction` has intervals that count their errors and the random effects.

        Examples
        --------
        >>> results.get_distribution().mean()[:3].round(3)
        array([0.96 , 0.947, 0.93 ])
        """
        self._needs_one_mean("get_distribution")
        if not hasattr(self.family, "get_distribution"):
            raise ValueError(
                f"get_distribution is for families of statsmodels, not for {self.facts.family}: use simulate()"
            )
        mu = np.asarray(self.predict(exog, offset=offset, exposure=exposure))
        trials = {"n_trials": n_trials} if np.any(np.asarray(n_trials) != 1) else {}
        family = estimated_family(self.family, self._phi)
        return family.get_distribution(mu, self._phi, var_weights=var_weights, **trials)

    @cached_property
    def _leverages(self) -> Array:
        free = self.free_fit
        return leverages(inputs_of(free.model), free.estimates.fitted.fresh)

    def get_hat_matrix_diag(self, observed: bool = True) -> Array:
        """What each row adds to ``effective_df``: W_i [Var(eta_i | y) + g_i' I^-1 g_i], see `effective_df`.

        Parameters
        ----------
        observed : bool
            Of GLM: rows count with their expected information here (observed where the family is not exponential),
            and True is as False.

        Returns
        -------
        ndarray (N,)
            Zero in rows without weight.

        Examples
        --------
        >>> results.get_hat_matrix_diag()[:3].round(3)
        array([0.04 , 0.049, 0.062])
        """
        del observed
        self._needs_one_mean("get_hat_matrix_diag")
        return self._leverages
