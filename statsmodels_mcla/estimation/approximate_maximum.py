"""The maximum of Laplace's approximation: from the GLM without random effects, by way of what has no finite maximum."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from statsmodels_mcla.design import DesignFacts
from statsmodels_mcla.estimation.boundary import (
    Reduction,
    reduction_at,
    reduction_without_loss,
    with_ranks,
)
from statsmodels_mcla.estimation.certain_zeros import FAR, CertainZeros
from statsmodels_mcla.estimation.search import (
    GLMStart,
    LaplaceFit,
    fit_laplace,
    fit_without_random_effects,
    informed,
    search_scale,
    sized,
)
from statsmodels_mcla.estimation.separation import Recession, recession_of, separating_terms
from statsmodels_mcla.estimation.vanished_zeros import VanishedZeros
from statsmodels_mcla.likelihood.laplace import evaluate_laplace
from statsmodels_mcla.numerics import Array

LOST = 1e-3  # log-likelihood that a zero part has to be worth
SEPARATED_STEPS = (
    6  # of Newton's method where there is no maximum; linear predictors grow by about one a step
)


@dataclass(frozen=True)
class LaplaceMaximum:
    """Laplace fit with what was found on the way.

    Attributes
    ----------
    params : ndarray (P,)
        Natural parameters; covariance matrices have exactly the ranks of the reduction.
    reduction : Reduction
    separated, separating : tuple of int
        Fixed effects, and random-effect terms whose variance, without a finite maximum.
    start : GLMStart
    fit : LaplaceFit
    limit : bool
        Whether all but the separated coefficients are those of the limit.
    without_zeros : (VanishedZeros, LaplaceMaximum), optional
        A zero part that has vanished, and the maximum without it, whose parameters are those here.
    """

    params: Array
    reduction: Reduction
    separated: tuple[int, ...]
    separating: tuple[int, ...]
    start: GLMStart
    fit: LaplaceFit
    limit: bool = False
    without_zeros: tuple[VanishedZeros, LaplaceMaximum] | None = None

    @property
    def endless(self) -> bool:
        """Whether the likelihood rises for ever."""
        return bool(self.separated or self.separating)

    @property
    def without_limit(self) -> bool:
        """Whether it does so with nothing left that has a maximum."""
        return self.endless and not self.limit


def laplace_maximum(
    design: DesignFacts,
    gtol: float = 1e-4,
    maxiter: int = 200,
    disp: bool = False,
    deadline: float = np.inf,
) -> LaplaceMaximum:
    """Maximise the Laplace approximation from the GLM without random effects, then at lower ranks if they do.

    After the deadline, a reading of `now`, the best parameters so far are returned.
    """
    start = fit_without_random_effects(design)
    recession = recession_of(design, start.beta, start.phi)
    if recession is not None and recession.has_limit:
        limit = laplace_maximum(recession.limit(design), gtol, maxiter, disp, deadline)
        return _far_out(design, recession, limit)
    if recession is not None:  # nothing is left to estimate: go where it is nearly flat, and no further
        start = fit_without_random_effects(design, SEPARATED_STEPS)
        maxiter = min(maxiter, SEPARATED_STEPS)
    else:
        start = sized(design, start)
    search = partial(fit_laplace, gtol=gtol, maxiter=maxiter, disp=disp, deadline=deadline)
    params, reduction, fit = _at_ranks_of_laplace(design, start, search)
    separating = tuple(separating_terms(design, fit, params, start.curvature))
    separated = () if recession is None else tuple(recession.columns)
    found = LaplaceMaximum(params, reduction, separated, separating, start, fit)
    if found.endless:
        return found
    again = partial(laplace_maximum, gtol=gtol, maxiter=maxiter, disp=disp, deadline=deadline)
    found = _without_lost_zeros(design, found, search, again) or _at_certain_zeros(design, found, search)
    return _with_whole_levels(design, found, search, again)


Search = Callable[..., LaplaceFit]
Again = Callable[[DesignFacts], LaplaceMaximum]


def _without_lost_zeros(
    design: DesignFacts, found: LaplaceMaximum, search: Search, again: Again
) -> LaplaceMaximum | None:
    """Maximum of a family whose zero part may have vanished; None if it has not."""
    zeros = VanishedZeros.of(design, found.params)
    if zeros is None:
        return None
    less = again(zeros.limit(design.here))
    if found.fit.evaluation.value - less.fit.evaluation.value > LOST or less.endless:
        return found
    gone = _without_zeros(design, zeros, found, less)
    nearer = zeros.nearer(gone.params, partial(laplace_height, design, gone.reduction))
    return gone if nearer is None else _higher(design, gone, nearer, gone.reduction, search)


def _with_whole_levels(
    design: DesignFacts, found: LaplaceMaximum, search: Search, again: Again
) -> LaplaceMaximum:
    """Maximum at which the zero part has the levels that have zeros only, if it is higher than one without them."""
    zeros = VanishedZeros.of(design) if len(design.family.predictors) > 1 else None
    if zeros is None or (found.fit.converged and not {*zeros.touched} & {*found.reduction.vanished}):
        return found
    other = zeros.other_levels(design.here)
    if other is None:
        return found
    less = again(other)
    params = zeros.of_levels(design.here, less.params)
    ranks = zeros.ranks(design, less.reduction.ranks, gone=False)
    reduction = replace(with_ranks(design, params, ranks), at_limit=less.reduction.at_limit)
    return _higher(design, found, params, reduction, search)


def _higher(
    design: DesignFacts, found: LaplaceMaximum, params: Array, reduction: Reduction, search: Search
) -> LaplaceMaximum:
    """Maximum that a search from other parameters and ranks ends at, if it is higher."""
    start = informed(reduction.reduce(design), found.start, reduction.restrict(params))
    params, reduction, fit = _at_ranks_of_laplace(design, start, search, params)
    if not fit.evaluation.value > found.fit.evaluation.value + LOST:
        return found
    return LaplaceMaximum(params, reduction, (), (), found.start, fit)


def _at_ranks_of_laplace(
    design: DesignFacts,
    start: GLMStart,
    search: Callable[..., LaplaceFit],
    params: Array | None = None,
    held: Sequence[int] = (),
) -> tuple[Array, Reduction, LaplaceFit]:
    """Parameters, ranks and fit of a search that goes to lower ranks where nothing is lost."""
    reduction, x = Reduction.of(design), np.zeros(design.n_params)
    if params is not None:
        reduction, params = reduction_without_loss(design, params, start.sd)
    while True:
        reduced = reduction.reduce(design)
        scale = search_scale(reduced, start)
        if params is not None:
            scale = scale.holding(held, reduction.restrict(params))
            x = scale.from_fitted(reduction.restrict(params))
        fit = search(reduced, scale, x)
        lower, params = reduction_without_loss(design, reduction.extend(fit.params), start.sd)
        if lower.shape == reduction.shape:
            return reduction.extend(fit.params), reduction, fit
        reduction = lower


def _at_certain_zeros(
    design: DesignFacts, found: LaplaceMaximum, search: Callable[..., LaplaceFit]
) -> LaplaceMaximum:
    """Maximum with a zero part held at the ends of its range, where one went there and nothing is lost."""
    zeros = CertainZeros.of(design)
    far = zeros is not None and zeros.is_far(found.params, FAR)
    settled = zeros.settled(found.params) if zeros is not None and far else None
    if zeros is None or settled is None:
        return found
    params, held, all_certain = settled
    if all_certain:
        params[zeros.parameters(zeros.terms)] = 0.0
    params, reduction, fit = _at_ranks_of_laplace(design, found.start, search, params, held)
    if fit.evaluation.value < found.fit.evaluation.value - LOST:
        return found
    return replace(found, params=params, reduction=reduction, fit=fit, separated=held, limit=True)


def laplace_height(design: DesignFacts, reduction: Reduction, params: Array) -> float:
    """Laplace's approximation at parameters of the model; -inf where there is none."""
    try:
        with np.errstate(all="ignore"):
            return evaluate_laplace(reduction.reduce(design), reduction.restrict(params)).value
    except (FloatingPointError, np.linalg.LinAlgError):
        return -np.inf


def without_effects(design: DesignFacts, found: LaplaceMaximum) -> LaplaceMaximum:
    """The model without random effects in the place of a maximum, at which the approximation is exact."""
    start = found.start
    params = np.concatenate(
        [start.beta, np.zeros(design.covariance.size), np.atleast_1d(start.phi)[: design.n_family]]
    )
    reduction, params = reduction_at(design, params)
    reduced, fitted = reduction.reduce(design), reduction.restrict(params)
    fit = LaplaceFit(reduced, search_scale(reduced, start), fitted, evaluate_laplace(reduced, fitted), {}, {})
    return LaplaceMaximum(params, reduction, (), (), start, fit)


def _without_zeros(
    design: DesignFacts, zeros: VanishedZeros, found: LaplaceMaximum, less: LaplaceMaximum
) -> LaplaceMaximum:
    """Maximum of a family whose zero part vanishes, from that of the family without it."""
    params = zeros.beside(less.params)
    ranks = zeros.ranks(design, less.reduction.ranks, gone=True)
    reduction = replace(with_ranks(design, params, ranks), at_limit=less.reduction.at_limit)
    reduction = zeros.without(reduction)
    params = zeros.settled(design, reduction, params)
    reduced, fitted = reduction.reduce(design), reduction.restrict(params)
    scale = search_scale(reduced, found.start)
    there = evaluate_laplace(reduced, fitted)
    fit = replace(less.fit, design=reduced, scale=scale, params=fitted, evaluation=there)
    return replace(found, params=params, reduction=reduction, fit=fit, without_zeros=(zeros, less))


def _far_out(design: DesignFacts, recession: Recession, limit: LaplaceMaximum) -> LaplaceMaximum:
    """Maximum of a likelihood that rises for ever, from that of its limit: where it is nearly flat, and no further."""
    params = recession.far(design, limit.params)
    reduction = replace(with_ranks(design, params, limit.reduction.ranks), at_limit=limit.reduction.at_limit)
    start = replace(
        fit_without_random_effects(design, SEPARATED_STEPS),
        beta=params[design.layout.fixed],
        phi=limit.start.phi,
        curvature=limit.start.curvature,
        size=limit.start.size,
    )
    reduced = reduction.reduce(design)
    fitted = reduction.restrict(params)
    found = evaluate_laplace(reduced, fitted)
    fit = replace(
        limit.fit, design=reduced, scale=search_scale(reduced, start), params=fitted, evaluation=found
    )
    separated = tuple(sorted({*recession.columns, *(int(recession.kept[j]) for j in limit.separated)}))
    return LaplaceMaximum(params, reduction, separated, limit.separating, start, fit, not limit.without_limit)
