"""What all methods of results have: the model, the record of its fit, and what statsmodels gives."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np
from statsmodels.base._constraints import LinearConstraints

from statsmodels_mcla.data import MixedModel, described
from statsmodels_mcla.estimation import Estimates
from statsmodels_mcla.estimation.constrained import LinearRestriction
from statsmodels_mcla.interface import WithoutInternals

Labelled = Any  # an array here, which users see with its labels, as a Series or DataFrame

if TYPE_CHECKING:
    from statsmodels_mcla.results.monte_carlo_report import MonteCarloErrors

    class LikelihoodModelResults:
        """What the class of statsmodels, which has no types, gives to type checkers."""

        params: Labelled
        scale: float
        df_model: float
        df_resid: float
        nobs: float
        use_t: bool

        def __init__(self, model: MixedModel, params: Any, cov: None = None, scale: float = 1.0) -> None: ...
        @property
        def bse(self) -> Labelled: ...  # noqa: D102
        @property
        def tvalues(self) -> Labelled: ...  # noqa: D102
        def remove_data(self) -> None: ...  # noqa: D102
        def save(self, fname: Any, remove_data: bool = False) -> None: ...  # noqa: D102
        @classmethod
        def load(cls, fname: Any) -> Any: ...  # noqa: D102
        def cov_params(self, *args: Any, **kwargs: Any) -> Labelled: ...  # noqa: D102
        def t_test(self, r_matrix: Any, cov_p: Any = None, use_t: bool | None = None) -> Any: ...  # noqa: D102
        def t_test_pairwise(self, term_name: str, *args: Any, **kwargs: Any) -> Any: ...  # noqa: D102
        def f_test(self, r_matrix: Any, *args: Any, **kwargs: Any) -> Any: ...  # noqa: D102
        def wald_test(self, r_matrix: Any, *args: Any, **kwargs: Any) -> Any: ...  # noqa: D102
        def wald_test_terms(self, *args: Any, **kwargs: Any) -> Any: ...  # noqa: D102

else:
    from statsmodels.base.model import LikelihoodModelResults

Own = TypeVar("Own", bound="ResultsBase")


@dataclass(frozen=True)
class Constrained:
    """What a fit under linear constraints rests on.

    Attributes
    ----------
    restriction : LinearRestriction
    free : ResultsBase
        The same fit with the coefficients that the constraints leave free.
    """

    restriction: LinearRestriction
    free: ResultsBase


class ResultsBase(WithoutInternals, LikelihoodModelResults):
    """A fit of a model, as statsmodels has it.

    Parameters
    ----------
    model : MCLAMixedGLM
    estimates : Estimates
        The record of the fit, which all functions of lower packages take.
    mle_retvals, mle_settings : dict
        Of the optimiser.
    monte_carlo : MonteCarloErrors, optional
        What the draws at the maximum tell.
    constrained : Constrained, optional
        Linear constraints on the fixed effects; see `under`.
    """

    _internal: ClassVar = frozenset(
        {
            "default_model_infos",
            "estimates",
            "constrained",
            "facts",
            "fitted",
            "fitted_part",
            "free_fit",
            "initialize",
            "labelled",
            "model_non_negative",
            "monte_carlo",
            "reduction",
            "refuse_constrained",
            "simulated_residuals",
            "under",
            "wald_limits",
            "with_estimates",
        }
    )

    def __init__(
        self,
        model: MixedModel,
        estimates: Estimates,
        mle_retvals: dict[str, Any],
        mle_settings: dict[str, Any],
        monte_carlo: MonteCarloErrors | None = None,
        constrained: Constrained | None = None,
    ) -> None:
        self.estimates, self.constrained = estimates, constrained
        super().__init__(model, estimates.params, None, scale=1.0)
        self.model: MixedModel = model
        self.method, self.converged = estimates.method, estimates.converged
        self.reduction, self.monte_carlo = estimates.reduction, monte_carlo
        self.mle_retvals, self.mle_settings = mle_retvals, mle_settings
        self.k_fe, self.k_vc = estimates.layout.n_fixed, estimates.layout.n_covariance
        self.nobs, self.df_resid = model.nobs, model.df_resid + self.k_constr
        self.df_model = len(estimates.params) - self.k_constr - model.k_constant
        self.family, self.facts = model.family, model.facts
        self.use_t = False
        self.model_non_negative: np.ndarray = estimates.non_negative
        self._data_in_cache: list[str] = []

    def __repr__(self) -> str:
        mcse = self.estimates.llf_mcse
        error = "" if mcse is None else f" (MCSE {mcse:.2g})"
        outcome = ("not converged", "converged")[self.converged] + (", singular" if self.singular else "")
        return f"<{type(self).__name__}: {described(self.model)}; {self.method}, llf {self.llf:.3f}{error}, {outcome}>"

    @property
    def llf(self) -> float:
        """Log-likelihood at ``params``, all constants included."""
        return self.estimates.llf

    @property
    def boundary(self) -> np.ndarray:
        """Variances that are zero at the maximum, and their covariances, (P,) bool; they have no standard error."""
        return ~self.reduction.keep

    @property
    def singular(self) -> bool:
        """Whether the maximum lies on the boundary: a variance or dispersion of zero, or a perfect correlation."""
        return bool(self.reduction.singular) or self.reduction.at_limit

    def with_estimates(self: Own, estimates: Estimates) -> Own:  # noqa: PYI019 - Self is Python 3.11's
        """Results of the same fit with another record of it."""
        found = self.mle_retvals, self.mle_settings, self.monte_carlo, self.constrained
        return type(self)(self.model, estimates, *found)

    # -- linear constraints ----------------------------------------------------------------------

    @classmethod
    def under(cls: type[Own], model: MixedModel, restriction: LinearRestriction, free: Own) -> Own:  # noqa: PYI019
        """Results of all coefficients, from the fit of those that constraints leave free."""
        names = model.data.param_names
        estimates = restriction.estimates(free.estimates, model.design, names, model.non_negative)
        monte_carlo = free.monte_carlo
        if monte_carlo is not None:
            errors = restriction.beside(estimates.layout.n_curved).errors
            monte_carlo = replace(
                monte_carlo, cov_mcse=errors(monte_carlo.cov_mcse), bias=errors(monte_carlo.bias)
            )
        constrained = Constrained(restriction, free)
        return cls(model, estimates, free.mle_retvals, free.mle_settings, monte_carlo, constrained)

    @property
    def k_constr(self) -> int:
        """Number of linear constraints on the fixed effects, as of the model's `fit_constrained`."""
        return 0 if self.constrained is None else len(self.constrained.restriction.q)

    @property
    def constraints(self) -> LinearConstraints | None:
        """Linear constraints on the fixed effects, as statsmodels keeps them; None without any."""
        if self.constrained is None:
            return None
        restriction = self.constrained.restriction
        return LinearConstraints(restriction.R, restriction.q, list(self.model.data.fe_names))

    @property
    def results_constrained(self) -> Any:
        """The same fit of the coefficients that linear constraints leave free; None without any."""
        return None if self.constrained is None else self.constrained.free

    @property
    def free_fit(self) -> Any:
        """The same fit in parameters that are free to move: itself, unless there are constraints."""
        return self if self.constrained is None else self.constrained.free

    def refuse_constrained(self, what: str) -> None:
        """Refuse what would fit again without the constraints."""
        if self.constrained is not None:
            raise ValueError(
                f"{what} would not keep to the constraints: ask it of results_constrained, the same fit of the "
                "coefficients that they leave free (as if made from arrays), or write the constraints into the formula"
            )
