"""From a Laplace fit to the maximum of the Monte Carlo likelihood, singular covariance matrices included.

The last step that every fit takes, whatever is done with the result: the fit at the ranks that the covariance
matrices have at the maximum.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from statsmodels_mcla.design import DesignFacts
from statsmodels_mcla.estimation.approximate_maximum import (
    LOST,
    LaplaceMaximum,
    laplace_height,
    without_effects,
)
from statsmodels_mcla.estimation.boundary import (
    LIMIT,
    Reduction,
    flat_terms,
    grown_reduction,
    reduction_to,
    reduction_without_loss,
)
from statsmodels_mcla.estimation.certain_zeros import NOTHING_HELD, CertainZeros, Held
from statsmodels_mcla.estimation.search import (
    DrawSettings,
    FitSettings,
    GLMStart,
    MonteCarloFit,
    fit_monte_carlo,
    search_scale,
)
from statsmodels_mcla.estimation.vanished_zeros import VanishedZeros
from statsmodels_mcla.likelihood.monte_carlo import evaluate
from statsmodels_mcla.likelihood.sampling import Sampler
from statsmodels_mcla.numerics import Array, standard_deviations

DOUBT = 3.0  # Monte Carlo errors of a log-likelihood that is not surely higher
NEARLY_ZERO = 1e-5  # dispersion at which the slope at zero is taken
MUCH = 1.0  # of log-likelihood, for which a fit that has not converged is better than a converged one


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
    held : Held
        What has no finite maximum.
    """

    params: Array
    reduction: Reduction
    design: DesignFacts
    fit: MonteCarloFit
    held: Held = NOTHING_HELD


def maximum_from(
    laplace: LaplaceMaximum,
    design: DesignFacts,
    draws: DrawSettings,
    settings_of: Callable[[LaplaceMaximum], FitSettings],
    params: Array,
    reduction: Reduction,
) -> tuple[MonteCarloMaximum, LaplaceMaximum]:
    """Maximise the Monte Carlo likelihood from a Laplace fit; also returns what is known of it then.

    Where responses are rare, Laplace's approximation may rise with the variances for ever when the likelihood does not:
    if that is not surely higher there than without random effects, a search starts from that model too.  Arguments are
    those of `monte_carlo_maximum`, with settings that depend on the fit.

    Raises
    ------
    ValueError
        If the likelihood rises for ever, and cannot be evaluated where it is flat.
    """
    held = laplace.separated if laplace.limit else ()
    first = np.where(np.isin(np.arange(len(params)), held), laplace.params, params)
    try:
        found = monte_carlo_maximum(
            design, draws, settings_of(laplace), laplace.start, first, reduction, held
        )
    except (FloatingPointError, np.linalg.LinAlgError) as error:
        if not laplace.without_limit:
            raise
        raise ValueError(
            "endog: effects of the model predict all responses perfectly, so that the likelihood rises for ever, and "
            "it is too flat for draws there; fit_laplace() says which effects these are"
        ) from error
    if not laplace.separating or laplace.separated:
        return found, laplace
    far, none = found.fit.evaluation, without_effects(design, laplace)
    surely = far.value - DOUBT * np.sqrt(far.value_var)
    if surely > none.fit.evaluation.value:
        return found, laplace
    nearer = maximum_from(none, design, draws, settings_of, none.params, none.reduction)
    value = nearer[0].fit.evaluation.value
    return nearer if value > (surely if nearer[0].fit.converged else far.value) else (found, laplace)


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
        if zeros is None or whole.held.terms:
            return whole
        reduction = zeros.without(whole.reduction)
        params = zeros.settled(design, reduction, whole.params)
    less = climb(params, reduction, zeros)
    if whole is None and less.fit.evaluation.score[zeros.columns] @ zeros.one > 0:
        nearer = zeros.nearer(less.params, partial(laplace_height, design, less.reduction))
        whole = None if nearer is None else climb(nearer, less.reduction)
    if whole is None:
        return less
    more = MUCH if less.fit.converged and not whole.fit.converged else LOST
    return whole if whole.fit.evaluation.value > less.fit.evaluation.value + more else less


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
    size, closed = start.sd, () if gone is None else gone.touched
    certain = CertainZeros.of(design)
    known = Held(tuple(held))
    reduction = Reduction.of(design) if reduction is None else reduction
    trail: list[MonteCarloMaximum] = []
    while True:
        if not draws.sampling.adapts:
            _check_full_rank(reduction)
        reduction = reduction if gone is None else gone.without(reduction)
        if certain is not None:
            known, params, reduction = certain.holding(known, params, reduction)
        reduced = reduction.reduce(design)
        first = reduction.restrict(params)
        away = (*known.columns, *(() if gone is None else gone.columns), *known.loadings(reduction))
        scale = search_scale(reduced, start).holding(away, first)
        search = settings
        if certain is not None:
            search = replace(
                settings,
                beyond=partial(_is_beyond, certain, known, reduction),
                idle=certain.idle(known, reduction),
            )
        flat = partial(_flat_terms, reduction)
        fit = fit_monte_carlo(
            scale,
            draws.sampler(reduced),
            first,
            search,
            lambda *at, flat=flat, known=known: not known.terms and bool(flat(*at)),
        )
        params = reduction.extend(fit.position.params)
        found = MonteCarloMaximum(params, reduction, reduced, fit, known)
        if certain is not None and certain.is_beyond(known, params) and not settings.late:
            continue
        trail.append(found)
        step = _after(design, size, trail, settings, closed)
        if isinstance(step, MonteCarloMaximum):
            return step
        reduction, params = step


def _is_beyond(certain: CertainZeros, known: Held, reduction: Reduction, fitted: Array) -> bool:
    params = reduction.extend(fitted)
    return certain.is_beyond(known, params) or certain.is_lost(params)


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
    if found.fit.precision is None or found.held.terms:
        return ()
    return _flat_terms(found.reduction, found.fit.position.params, found.fit.evaluation.hessian)


def _flat_terms(reduction: Reduction, fitted: Array, hessian: Array) -> tuple[int, ...]:
    try:
        return flat_terms(reduction, fitted, standard_deviations(np.linalg.inv(-hessian)))
    except np.linalg.LinAlgError:  # flat throughout, as where responses are separated
        return ()


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
