"""A design as a fit sees it: parameters and their places, and functions that go to where the rows are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from scipy.linalg import block_diag

from statsmodels_mcla.covariance import Covariance, CovarianceTerm, Loadings, ReducedTerm
from statsmodels_mcla.design.parameter_layout import ParameterLayout
from statsmodels_mcla.families import ConditionalFamily
from statsmodels_mcla.numerics import Array

if TYPE_CHECKING:
    from statsmodels_mcla.design.mixed_design import MixedDesign

T = TypeVar("T")


class RowsElsewhere(NotImplementedError):  # noqa: N818 - says what is so
    """What was asked for needs all rows in one process, and they are in parts."""


class DesignFacts:
    """What a design knows of its parameters, wherever its rows are.

    Attributes
    ----------
    terms : tuple
        Random-effect terms, with name, columns, number of levels and axes.
    family : ConditionalFamily
    reduced : tuple of ReducedTerm, optional
    constant : float
    n_rows, n_fixed : int
    fixed_axes : ndarray (p, p)
    fixed_centre : ndarray (p,)

    Notes
    -----
    All work on rows is done by functions of a `MixedDesign`, which `keep` and `map` call where the rows are: here, or
    where each of several parts of them lives.
    """

    terms: tuple[Any, ...]
    family: ConditionalFamily
    reduced: tuple[ReducedTerm, ...] | None
    constant: float
    n_told: int | None = None  # blocks of a part that are told of one by one; all by default
    n_rows: Any
    n_fixed: Any
    fixed_axes: Any
    fixed_centre: Any

    def keep(self, function: Callable[..., Any], *kept: Any, **here: Any) -> Any:
        """Value of a function of the design and of other kept values, to stay where the rows are.

        Parameters
        ----------
        function : callable
            Of a `MixedDesign` and what was kept for its rows; can be pickled.
        kept
            What `keep` returned, or None.
        here
            Further arguments that have a meaning in this process alone: an ``executor``.
        """
        raise NotImplementedError

    def map(self, function: Callable[..., T], *kept: Any, **here: Any) -> list[T]:
        """Value of such a function for each part of the rows, in order; small enough to be sent."""
        raise NotImplementedError

    @property
    def here(self) -> MixedDesign:
        """The design with its rows.

        Raises
        ------
        RowsElsewhere
            If they are not in this process.
        """
        raise NotImplementedError

    def refuse_part(self) -> None:
        """Refuse what is a sum over all rows, where these are a part of them.

        Raises
        ------
        RowsElsewhere
        """

    def lowered(self, reduced: Sequence[ReducedTerm] | None, *, at_limit: bool) -> DesignFacts:
        """Design of lower ranks, without terms of rank zero; None leaves them.

        Parameters
        ----------
        reduced : sequence of ReducedTerm, optional
            One a term of this design.
        at_limit : bool
            Whether the family is the one without a dispersion.
        """
        raise NotImplementedError

    def chosen(self, function: Callable[[MixedDesign], MixedDesign]) -> DesignFacts:
        """Design of the rows and columns that a function, which can be pickled, chooses; the terms stay."""
        raise NotImplementedError

    @property
    def known_axes(self) -> Array:
        """Coordinates (p + m, p + m) of fixed effects and the family's free parameters, without origins and units.

        The fixed-effects design is orthonormal in them, and counted from its mean where a parameter of the family, as
        the first of some thresholds, is in the place of the intercept: that one follows the fixed effects.
        """
        p, axes = self.n_fixed, np.eye(self.n_fixed + self.n_family)
        axes[:p, :p] = self.fixed_axes
        axes[p : p + 1, :p] = self.fixed_centre @ self.fixed_axes
        return axes

    @property
    def n_family(self) -> int:
        """Number of parameters of the family."""
        return len(self.family.parameters)

    @property
    def positive(self) -> np.ndarray:
        """Places of the family's parameters that are positive."""
        return np.arange(self.n_params)[self.layout.family][self.family.parameter_scale.positive]

    @property
    def has_limit(self) -> bool:
        """Whether the family becomes another one as its dispersion goes to zero."""
        return self.family.limit(np.ones(1), np.ones(1), np.ones(1)) is not None

    @property
    def n_params(self) -> int:
        """Length of params."""
        return self.layout.size

    @cached_property
    def layout(self) -> ParameterLayout:
        """Where each parameter lies: fixed effects, loadings (or what has as many: see `Loadings`), dispersion."""
        return ParameterLayout((self.n_fixed,), self.loadings.size, self.n_family)

    @cached_property
    def covariance(self) -> Covariance:
        """Structure of the covariance of the effects."""
        return Covariance(tuple(CovarianceTerm(t.name, t.columns) for t in self.terms))

    @cached_property
    def loadings(self) -> Loadings:
        """How the effects are made of standard ones."""
        if self.reduced is not None:
            return Loadings(self.reduced)
        pairs = zip(self.covariance.terms, self.terms, strict=True)
        return Loadings(tuple(ReducedTerm.of(c, t.n_levels, axes=t.axes) for c, t in pairs))

    def split(self, params: Array) -> tuple[Array, Array, Any]:
        """Fixed effects, loadings and dispersion: 1.0 if the family has none, psi if it has several parameters."""
        parts = self.layout.split(params)
        psi = parts.family
        return parts.fixed, parts.covariance, psi if len(psi) > 1 else float(psi[0]) if len(psi) else 1.0

    def jacobian(self, params: Array) -> Array:
        """Derivative of (beta, variances and covariances, dispersion) in the parameters, (P natural, P).

        Variances of effects that there are not are left out.
        """
        parts = self.layout.split(params)
        inner = [
            t.jacobian(parts.covariance[s])[t.present]
            for t, s in zip(self.loadings.terms, self.loadings.slices, strict=True)
        ]
        return block_diag(np.eye(self.n_fixed), *inner, np.eye(self.n_family))
