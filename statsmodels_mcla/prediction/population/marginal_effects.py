"""Average marginal effects of columns of the design, in the way of statsmodels' discrete models."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import ClassVar

from statsmodels_mcla.estimation import wald_pvalues
from statsmodels_mcla.numerics import Array
from statsmodels_mcla.prediction.population.parameter_functions import FunctionTables, ParameterFunctions

METHODS = {"dydx": "dy/dx", "eyex": "d(lny)/d(lnx)", "dyex": "dy/d(lnx)", "eydx": "d(lny)/dx"}


@dataclass(frozen=True, repr=False)
class MarginalEffects(FunctionTables):
    """Marginal effects of the columns of ``exog`` on the mean, as statsmodels' discrete models give them.

    Attributes
    ----------
    margeff : ndarray (k,), or (N, k) for ``at="all"``
    margeff_se : ndarray (k,)
        Standard errors.
    mcse : ndarray of the shape of margeff
        Monte Carlo standard errors.
    margeff_cov, cov_mcse : ndarray (k, k)
    names : list of str
    margeff_options : dict
        What was asked for.

    Examples
    --------
    >>> margins = results.get_margeff()
    >>> margins
    <MarginalEffects: of trt[T.drug+], trt[T.placebo], week, overall; summary() has them>
    >>> margins.margeff.round(3), margins.margeff_se.round(3)
    (array([ 0.08 ,  0.162, -0.017]), array([0.103, 0.087, 0.006]))
    """

    margeff: Array
    names: list[str]
    margeff_options: dict[str, str]
    estimates: ParameterFunctions | None
    mcse: Array

    title: ClassVar[str] = "MCLAMixedGLM Marginal Effects"

    def __repr__(self) -> str:
        where = "margeff has those of every row" if self.estimates is None else "summary() has them"
        return f"<{type(self).__name__}: of {', '.join(self.names)}, {self.margeff_options['at']}; {where}>"

    def __str__(self) -> str:
        return repr(self) if self.estimates is None else super().__str__()

    def _repr_html_(self) -> str:
        return html.escape(repr(self)) if self.estimates is None else super()._repr_html_()

    @property
    def functions(self) -> ParameterFunctions:
        """See `FunctionTables`; the effects of every row have none.

        Raises
        ------
        ValueError
            If the effects are those of every row (``at="all"``), which have no standard errors.
        """
        if self.estimates is None:
            raise ValueError(
                "at='all' gives the effects of every row without standard errors; use at='overall'"
            )
        return self.estimates

    @property
    def facts(self) -> list[tuple[str, str]]:
        """See `FunctionTables`."""
        return [(k.capitalize(), v) for k, v in self.margeff_options.items()]

    @property
    def heads(self) -> list[str]:
        """See `FunctionTables`; those of statsmodels."""
        head = METHODS[self.margeff_options["method"]]
        return [head, "Std. Err.", "z", "Pr(>|z|)", "Conf. Int. Low", "Cont. Int. Hi.", "MCSE"]

    @property
    def margeff_se(self) -> Array:
        """Standard errors."""
        return self.functions.se

    @property
    def margeff_cov(self) -> Array:
        """Covariance of the effects."""
        return self.functions.cov

    @property
    def cov_mcse(self) -> Array:
        """Monte Carlo covariance of the effects."""
        return self.functions.cov_mcse

    @property
    def margeff_se_mcse(self) -> Array:
        """Monte Carlo standard errors of ``margeff_se``."""
        return self.functions.errors.se

    @property
    def pvalues_mcse(self) -> Array:
        """Monte Carlo standard errors of ``pvalues``."""
        return self.functions.errors.pvalues()

    @property
    def tvalues(self) -> Array:
        """Effects over their standard errors."""
        return self.margeff / self.margeff_se

    @property
    def pvalues(self) -> Array:
        """Two-sided p-values."""
        return wald_pvalues(self.tvalues)
