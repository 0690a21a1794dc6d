"""What users of R and of its ports write after a fit, each with its name here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

COEFFICIENTS = "fe_params for the fixed effects, random_effects for those of groups"
HERE = {
    "ranef": "random_effects (random_effects_frame() with standard errors)",
    "fixef": "fe_params",
    "coef": COEFFICIENTS,
    "coefs": f"{COEFFICIENTS}; tidy() for a table",
    "coefficients": COEFFICIENTS,
    "VarCorr": "var_corr() for standard deviations and correlations, cov_re for covariance matrices",
    "sigma": "params['scale'], the dispersion (of a normal response the residual variance, sigma**2)",
    "logLik": "llf",
    "loglik": "llf",
    "AIC": "aic",
    "BIC": "bic",
    "vcov": "cov_params()",
    "confint": "conf_int(), with method='profile' for profile likelihood",
    "fitted_values": "fittedvalues",
    "residuals": "resid_pearson, resid_deviance, resid_response or resid_quantile()",
    "resids": "resid_pearson, resid_deviance, resid_response or resid_quantile()",
    "df_residual": "df_resid",
    "isSingular": "singular",
    "ngrps": "n_groups",
    "Anova": "anova(), with type=2 or 3",
    "joint_tests": "anova(type=3)",
    "lsmeans": "emmeans()",
    "bootMer": "bootstrap()",
    "refit": "update()",
    "profile": "conf_int(method='profile'), profile_likelihood() or plot_profile() for a curve",
    "formula": "model.formula",
}


class NamesOfR:
    """Object that knows what its attributes are called in R."""

    if not TYPE_CHECKING:  # type checkers find a misspelt attribute

        def __getattr__(self, name: str) -> Any:
            if name in HERE:
                raise AttributeError(f"results have no {name!r}: use {HERE[name]}", name=name, obj=self)
            return super().__getattribute__(name)  # which says what is wrong
