"""From a design to its maximum-likelihood fit, singular covariance matrices included.

The steps that every fit takes, whatever is done with the result: a GLM to start from, a check for separation,
the Laplace fit, and the Monte Carlo fit at the ranks that the covariance matrices have at the maximum.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from statsmodels_mcla.design import DesignFacts
from statsmodels_mcla.estimation.boundary import (
    LIMIT,
    Reduction,
    flat_terms,
    grown_reduction,
    reduction_to,
    reduction_without_loss,
    with_ranks,
)
from statsmodels_mcla.estimation.search import (
    DrawSettings,
    FitSettings,
    GLMStart,
    LaplaceFit,
    MonteCarloFit,
    fit_laplace,
    fit_monte_carlo,
    fit_without_random_effects,
    informed,
    search_scale,
    sized,
)
from statsmodels_mcla.estimation.separation import Recession, recession_of, separating_terms
from statsmodels_mcla.estimation.vanished_zeros import VanishedZeros
from statsmodels_mcla.likelihood.laplace import evaluate_laplace
from statsmodels_mcla.likelihood.monte_carlo import evaluate
from statsmodels_mcla.likelihood.sampling import Sampler
from statsmodels_mcla.numerics import Array, standard_deviations

LOST = 1e-3  # log-likelihood that a zero part has to be worth
NEARLY_ZERO = 1e-5  # dispersion at which the slope at zero is taken
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


@dataclass(frozen=True)
class MonteCarloMaximum:
    """Monte Carlo fit at the ranks that the covariance matrices have at the maximum.

    Attributes
    ----------
    params : ndarray (P,)
        Natural parameters of the whole model.
    reduction : Reduction
    design : DesignFacts
        The reduced one.
    fit : MonteCarloFit
        In the parameters that were fitted.
    """

    params: Array
    reduction: Reduction
    design: DesignFacts
    fit: MonteCarloFit


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
    zeros = VanishedZeros.of(design, params)
    if zeros is None or found.endless:
        return found
    less = laplace_maximum(zeros.limit(design.here), gtol, maxiter, disp, deadline)
    lost = fit.evaluation.value - less.fit.evaluation.value
    if lost > LOST or less.endless:
        return found
    gone = _without_zeros(design, zeros, found, less)
    nearer = zeros.nearer(gone.params, partial(_laplace_height, design, gone.reduction))
    if nearer is None:
        return gone
    near = informed(gone.reduction.reduce(design), start, gone.reduction.restrict(nearer))
    params, reduction, fit = _at_ranks_of_laplace(design, near, search, nearer)
    lost = fit.evaluation.value - less.fit.evaluation.value
    return replace(found, params=params, reduction=reduction, fit=fit) if lost > LOST else gone


def _at_ranks_of_laplace(
    design: DesignFacts, start: GLMStart, search: Callable[..., LaplaceFit], params: Array | None = None
) -> tuple[Array, Reduction, LaplaceFit]:
    """Parameters, ranks and fit of a search that goes to lower ranks where nothing is lost."""
    reduction, x = Reduction.of(design), np.zeros(design.n_params)
    if params is not None:
        reduction, params = reduction_without_loss(design, params, start.sd)
    while True:
        reduced = reduction.reduce(design)
        scale = search_scale(reduced, start)
        x = x if params is None else scale.from_fitted(reduction.restrict(params))
        fit = search(reduced, scale, x)
        lower, params = reduction_without_loss(design, reduction.extend(fit.params), start.sd)
        if lower.shape == reduction.shape:
            return reduction.extend(fit.params), reduction, fit
        reduction = lower


def _laplace_height(design: DesignFacts, reduction: Reduction, params: Array) -> float:
    """Laplace's approximation at parameters of the model; -inf where there is none."""
    try:
        with np.errstate(all="ignore"):
            return evaluate_laplace(reduction.reduce(design), reduction.restrict(params)).value
    except (FloatingPointError, np.linalg.LinAlgError):
        return -np.inf


def _without_zeros(
    design: DesignFacts, zeros: VanishedZeros, found: LaplaceMaximum, less: LaplaceMaximum
) -> LaplaceMaximum:
    """Maximum of a family whose zero part vanishes, from that of the family without it."""
    params = zeros.beside(less.params)
    left = iter(less.reduction.ranks)
    ranks = [0 if k in zeros.terms else next(left) for k in range(len(design.terms))]
    reduction = replace(with_ranks(design, params, ranks), at_limit=less.reduction.at_limit)
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


def monte_carlo_maximum(
    design: DesignFacts,
    draws: DrawSettings,
    settings: FitSettings,
    start: GLMStart,
    params: Array,
    reduction: Reduction | None = None,
    held: Sequence[int] = (),
) -> MonteCarloMaximum:
    """Maximise the Monte Carlo likelihood, and find the ranks of the covariance matrices at its maximum.

    A covariance matrix that becomes singular is fitted at its rank (see `reduction`).  There, the slope of the
    Monte Carlo likelihood out of the boundary is looked at: where it rises, the fit goes on at a higher rank.  A zero
    part that vanishes is held where the likelihood is flat, unless that rises with it.

    Parameters
    ----------
    design : DesignFacts
        Of the whole model.
    draws : DrawSettings
    settings : FitSettings
    start : GLMStart
        Sets the scale of the search.
    params : ndarray (P,)
        Where to start.
    reduction : Reduction, optional
        Ranks to start with; full by default.
    held : sequence of int
        Fixed effects without a maximum, which stay where they are, as far out as matters.

    Raises
    ------
    ValueError
        If a covariance matrix becomes singular and the importance density is the user's own.
    """

    def climb(
        params: Array, reduction: Reduction | None, less: VanishedZeros | None = None
    ) -> MonteCarloMaximum:
        return _at_ranks_of_draws(design, draws, settings, start, params, reduction, held, less)

    zeros, whole = VanishedZeros.of(design, params), None
    if zeros is None or not zeros.gone(params):
        whole = climb(params, reduction)
        zeros = VanishedZeros.of(design, whole.params)
        if zeros is None:
            return whole
        reduction = zeros.without(whole.reduction)
        params = zeros.settled(design, reduction, whole.params)
    less = climb(params, reduction, zeros)
    if whole is None and less.fit.evaluation.score[zeros.columns] @ zeros.one > 0:
        nearer = zeros.nearer(less.params, partial(_laplace_height, design, less.reduction))
        whole = None if nearer is None else climb(nearer, less.reduction)
    if whole is None or not whole.fit.converged:
        return less
    return whole if whole.fit.evaluation.value > less.fit.evaluation.value + LOST else less


def _at_ranks_of_draws(
    design: DesignFacts,
    draws: DrawSettings,
    settings: FitSettings,
    start: GLMStart,
    params: Array,
    reduction: Reduction | None,
    held: Sequence[int],
    gone: VanishedZeros | None,
) -> MonteCarloMaximum:
    """Maximum over draws from some parameters and ranks, with some fixed effects held, and a zero part that is gone."""
    size, closed = start.sd, () if gone is None else gone.terms
    held = (*held, *(() if gone is None else gone.columns))
    reduction = Reduction.of(design) if reduction is None else reduction
    trail: list[MonteCarloMaximum] = []
    while True:
        if not draws.sampling.adapts:
            _check_full_rank(reduction)
        reduced = reduction.reduce(design)
        first = reduction.restrict(params)
        scale = search_scale(reduced, start).holding(held, first)
        flat = partial(_flat_terms, reduction)
        fit = fit_monte_carlo(
            scale, draws.sampler(reduced), first, settings, lambda *at, flat=flat: bool(flat(*at))
        )
        params = reduction.extend(fit.position.params)
        trail.append(MonteCarloMaximum(params, reduction, reduced, fit))
        step = _after(design, size, trail, settings, closed)
        if isinstance(step, MonteCarloMaximum):
            return step
        reduction, params = step


def _check_full_rank(reduction: Reduction) -> None:
    """Refuse effects that are not those of the model, the only ones that a density of the user's own is for."""
    if reduction.singular:
        names = ", ".join(repr(reduction.terms[k].whole.name) for k in reduction.singular)
        raise ValueError(
            f"sampling: the covariance matrix of {names} is singular at the maximum, where the model has fewer effects "
            "than the density: leave effects out of the model, or use BlockSampling()"
        )


Step = MonteCarloMaximum | tuple[Reduction, Array]  # where to stop, or how to go on


def _after(
    design: DesignFacts,
    size: float,
    trail: list[MonteCarloMaximum],
    settings: FitSettings,
    closed: Sequence[int],
) -> Step:
    """Say where to go after some fits, the last of which is the latest."""
    found, before = trail[-1], trail[-2] if len(trail) > 1 else None
    fit, reduction = found.fit, found.reduction
    raised = before is not None and sum(before.reduction.shape) < sum(reduction.shape)
    if before is not None and raised and (_flat(found) or (settings.late and not fit.converged)):
        return before  # the likelihood did not rise, only its noise, or there was no time to see
    step = None if raised else _down(design, size, trail)
    if step is not None:
        return step
    at_boundary = bool(reduction.singular) or reduction.at_limit
    return _up(design, size, trail, closed) if fit.converged and at_boundary and not settings.late else found


def _flat(found: MonteCarloMaximum) -> tuple[int, ...]:
    """Terms of a maximum with less variance than its Monte Carlo errors can tell from none."""
    if found.fit.precision is None:
        return ()
    return _flat_terms(found.reduction, found.fit.position.params, found.fit.evaluation.hessian)


def _flat_terms(reduction: Reduction, fitted: Array, hessian: Array) -> tuple[int, ...]:
    return flat_terms(reduction, fitted, standard_deviations(np.linalg.inv(-hessian)))


def _down(design: DesignFacts, size: float, trail: list[MonteCarloMaximum]) -> Step | None:
    """Lower ranks where nothing is lost."""
    found = trail[-1]
    lower, params = reduction_without_loss(design, found.params, size)
    flat = _flat(found)
    if flat and lower.shape == found.reduction.shape:
        ranks = [rank - (k in flat) for k, rank in enumerate(lower.ranks)]
        at_limit = lower.at_limit
        lower, params = reduction_to(design, params, ranks)
        lower = replace(lower, at_limit=at_limit)
    if lower.shape != found.reduction.shape:
        known = [m for m in trail if m.reduction.shape == lower.shape]
        return known[-1] if known else (lower, params)
    return None


def _up(design: DesignFacts, size: float, trail: list[MonteCarloMaximum], closed: Sequence[int]) -> Step:
    """Higher ranks where the likelihood rises; a maximum left because little was lost did not lose nothing."""
    found = trail[-1]
    grown = grown_reduction(design, found.reduction, found.design, found.fit.position, size, closed)
    if grown is None and found.reduction.at_limit:
        grown = with_dispersion(design, found)
    if grown is None:
        return found
    known = [m for m in trail if m.reduction.shape == grown[0].shape]
    if not known:
        return grown
    return known[-1] if known[-1].fit.converged and not _flat(known[-1]) else found


def with_dispersion(design: DesignFacts, found: MonteCarloMaximum) -> tuple[Reduction, Array] | None:
    """Leave a dispersion of zero where the likelihood rises from there, and say where to go on."""
    free = replace(found.reduction, at_limit=False)
    params, phi = found.params.copy(), free.layout.family
    params[phi] = NEARLY_ZERO
    reduced, fitted = free.reduce(design), free.restrict(params)
    like = found.fit.sampler
    sampler = Sampler.start(reduced, like.sampling, like.seed, like.quasi, None)
    at_zero = evaluate(reduced, fitted, sampler.at(fitted).draws)
    own = reduced.layout.family
    slope, information = float(at_zero.score[own][0]), abs(float(at_zero.hessian[own, own][0, 0]))
    if slope <= 0 or 0.5 * slope * slope <= LIMIT * information:
        return None
    params[phi] = np.clip(slope / information, 1e-3, 1.0)
    return free, params
