"""One record of a fit: what everything that is computed afterwards takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any, Generic, NoReturn, TypeVar

import numpy as np

from statsmodels_mcla.design import ParameterLayout
from statsmodels_mcla.estimation.boundary import Reduction
from statsmodels_mcla.estimation.error_propagation import Around, ParameterErrors, Variation, Varied
from statsmodels_mcla.estimation.fitted import Fitted
from statsmodels_mcla.numerics import Array

T = TypeVar("T")


def _nothing_to_make() -> NoReturn:
    raise NotImplementedError


class Later(Generic[T]):
    """A value that is made when it is first asked for, and shared by all that hold this."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make: Callable[[], T] | None = make

    @classmethod
    def made(cls, value: T) -> Later[T]:
        """Return one whose value is known."""
        out = cls(_nothing_to_make)
        out._value, out._make = value, None
        return out

    def __call__(self) -> T:
        """Return the value."""
        if self._make is not None:
            self._value, self._make = self._make(), None  # what it was made from is no longer held
        return self._value


@dataclass(frozen=True)
class EstimateCovariance:
    """A covariance of the estimates, and what other random numbers would make of it.

    Attributes
    ----------
    matrix_later : Later (P, P)
        NaN for parameters at the boundary.
    variation_later : Later
        `Variation` of the fitted parameters and their covariance; None for fits without draws.
    kind : str
        As users ask for it.
    options : dict
        What it was made with.
    """

    matrix_later: Later[Array]
    variation_later: Later[Variation | None]
    kind: str = "nonrobust"
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def matrix(self) -> Array:
        """The covariance (P, P)."""
        return self.matrix_later()

    @property
    def variation(self) -> Variation | None:
        """Deviations of the fitted parameters and their covariance."""
        return self.variation_later()


@dataclass(frozen=True)
class Estimates:
    """A fit.

    Attributes
    ----------
    names : tuple of str
        Of the parameters of the model.
    params : ndarray (P,)
        Fixed effects, variances and covariances, dispersion.
    non_negative : ndarray of bool (P,)
        Variances and dispersions.
    reduction : Reduction
        Ranks of the covariance matrices at the maximum.
    size : float
        Standard deviation of random effects, along the axes of their terms, where a search would start.
    llf : float
        Log-likelihood at ``params``, all constants included.
    method : str
        Name of the approximation.
    converged : bool
    information : EstimateCovariance
        Inverse observed information.
    cov : EstimateCovariance
        What standard errors are from: the same, or a sandwich.
    maximum : Later
        The maximum with the draws made there.
    cov_mcse : ndarray (P, P) or None
        Monte Carlo covariance of the estimates; None for fits without draws.
    llf_mcse : float or None
        Monte Carlo standard error of ``llf``.
    request : dict
        Arguments that the fit was asked for with, by name, its seed among them: other fits like it take the same.
    separated : tuple of str
        Fixed effects without a finite maximum; all other numbers are those of the limit.
    """

    names: tuple[str, ...]
    params: Array
    non_negative: np.ndarray
    reduction: Reduction
    size: float
    llf: float
    method: str
    converged: bool
    information: EstimateCovariance
    cov: EstimateCovariance
    maximum: Later[Fitted]
    cov_mcse: Array | None = None
    llf_mcse: float | None = None
    request: Mapping[str, Any] = field(default_factory=dict)
    separated: tuple[str, ...] = ()

    @property
    def layout(self) -> ParameterLayout:
        """Where each part of the parameters lies."""
        return self.reduction.layout

    @property
    def drawn(self) -> bool:
        """Whether the estimates rest on draws."""
        return self.cov_mcse is not None

    @property
    def fit_method(self) -> str:
        """Name of the model's method that makes such estimates."""
        return "fit" if self.drawn else "fit_laplace"

    @property
    def fitted(self) -> Fitted:
        """The maximum with the draws made there, in the parameters that were fitted."""
        return self.maximum()

    @cached_property
    def se(self) -> Array:
        """Standard errors (P,), NaN at the boundary."""
        with np.errstate(invalid="ignore"):
            return np.asarray(np.sqrt(np.diag(self.cov.matrix)))

    @property
    def cov_of_fitted(self) -> Array:
        """Inverse information of the parameters that were fitted."""
        return self.fitted.covariance_of_fitted(self.information.matrix)

    @cached_property
    def errors(self) -> ParameterErrors:
        """Errors of the parameters that were fitted."""
        carried = self.fitted.covariance_of_fitted
        return ParameterErrors(
            carried(self.cov.matrix), None if self.cov_mcse is None else carried(self.cov_mcse)
        )

    def varied(self, function: Callable[[Array, Array], Array], *, slow: bool = False) -> Varied:
        """Deviations of a function of the model's parameters and their covariance; in fewer groups if it is slow."""
        return (self._around_in_few if slow else self._around).through(function)

    @cached_property
    def _around(self) -> Around:
        return self._carried(self._variation)

    @cached_property
    def _around_in_few(self) -> Around:
        return self._carried(self._variation.merged())

    @property
    def _variation(self) -> Variation:
        if self.cov.variation is None:
            raise ValueError(f"a fit by {self.method} rests on no draws and has no Monte Carlo errors")
        return self.cov.variation

    def _carried(self, variation: Variation) -> Around:
        extend, carry = self.reduction.extend, self.reduction.carry
        return variation.at(lambda params, cov: (extend(params), carry(params, cov)))

    def sent(self) -> Estimates:
        """Estimates that can be sent: all that is made later has been made, and the draws stay where they are."""
        made = [
            replace(c, matrix_later=Later.made(c.matrix), variation_later=Later.made(c.variation))
            for c in (self.information, self.cov)
        ]
        return replace(self, information=made[0], cov=made[1], maximum=Later(_nothing_to_make))

    def of_part(self, fitted: Fitted) -> Estimates:
        """The fit as a part of the rows sees it."""
        return replace(self, reduction=fitted.reduction, maximum=Later.made(fitted))

    def without_data(self) -> Estimates:
        """Keep what can be known without the data, and drop the draws."""
        for covariance in (self.information, self.cov):
            covariance.matrix, covariance.variation  # noqa: B018 - made now, while the data are there
        return replace(self, maximum=Later(_data_were_removed))


def _data_were_removed() -> NoReturn:
    """Refuse what needs the data of a fit that has lost them."""
    raise ValueError("the data of this fit were removed (remove_data): fit the model again for this")


def inverse_information(
    matrix: Later[Array], maximum: Later[Fitted], *, drawn: bool, known: bool
) -> EstimateCovariance:
    """Inverse observed information of a fit, from draws or not, that knows its Monte Carlo errors or not."""
    return EstimateCovariance(matrix, Later(partial(_variation, matrix, maximum, drawn, known)))


def _variation(matrix: Later[Array], maximum: Later[Fitted], drawn: bool, known: bool) -> Variation | None:
    if not drawn:
        return None
    if not known or np.isnan(matrix()).all():
        return Variation.unknown(maximum().params)
    # of the covariance that is told, which is known from before the last step of the fit (see `maximum_of_paths`)
    return replace(Variation.of(maximum()), cov=maximum().covariance_of_fitted(matrix()))
