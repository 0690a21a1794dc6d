"""What a fit says when something is wrong: warnings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from statsmodels_mcla.data import MixedModel
from statsmodels_mcla.estimation import (
    LARGEST,
    NOTHING_HELD,
    Held,
    LaplaceMaximum,
    VanishedZeros,
    fading_mode,
    unreached_mode,
)
from statsmodels_mcla.estimation.boundary import Reduction
from statsmodels_mcla.exceptions import (
    ConvergenceWarning,
    ImportanceWeightWarning,
    PrecisionWarning,
    SeparationWarning,
    SingularFitWarning,
    warn_user,
)
from statsmodels_mcla.families import ConditionalFamily, SeveralPredictors
from statsmodels_mcla.likelihood.sampling import MAX_K_HAT
from statsmodels_mcla.numerics import Array
from statsmodels_mcla.results import MCLAMixedGLMResults

ZERO_PART, DISPERSION = "zi", "disp"
AT_ITS_END = 12.0  # a linear predictor beside that of the mean: a probability of 6e-6
FAR_OUT = 9.0  # a free coordinate of a parameter of the family: 8000 degrees of freedom, a power of 1.9999
LARGE_MCSE = 0.2  # in standard errors: with draws of the user's choice, larger errors are told
MIN_ESS = 20.0  # fewer effective draws in a block make its Monte Carlo error itself unreliable


def _names_of_terms(model: MixedModel) -> list[str]:
    """Names of random terms for messages: of several of one grouping, those of their effects too."""
    names = [t.name for t in model.random_terms]
    return [
        repr(t.name) if names.count(t.name) == 1 else f"{', '.join(map(repr, t.columns))} in {t.name!r}"
        for t in model.random_terms
    ]


def warn_maximum(
    model: MixedModel,
    laplace: LaplaceMaximum,
    params: Array,
    reduction: Reduction,
    converged: bool,
    *,
    drawn: bool,
    held: Held = NOTHING_HELD,
) -> None:
    """Tell of all that is wrong with a maximum, of the likelihood over draws or of Laplace's approximation."""
    terms, psi = _names_of_terms(model), model.conditional_family.parameters

    def named(names: Sequence[str], which: Iterable[int]) -> str:
        return ", ".join(names[k] for k in which)

    columns = sorted({*laplace.separated, *held.columns})
    separated, wide = named(model.exog_names, columns), named(terms, held.terms)
    separating = named(terms, laplace.separating)
    zeros = VanishedZeros.of(model.design, params)
    without = zeros if zeros is not None and zeros.gone(params) else None
    singular = named(terms, sorted({*reduction.vanished} - {*(() if without is None else without.touched)}))
    singular_terms = [k for k, t in enumerate(reduction.terms) if t.correlated]
    degenerate = named(terms, singular_terms)
    joint = [len({*model.random_terms[k].predictors}) > 1 for k in singular_terms]
    apart = [
        *(["(x || g) fits the effects"] if not all(joint) else []),
        *(["terms without the label, (... | g), fit those of different predictors"] if any(joint) else []),
    ]

    others = (
        ", and all others are those of the limit without the rows that are certain"
        if laplace.limit or held.columns
        else ""
    )

    stopped = not (converged or laplace.endless or held.columns or held.terms)
    where = "where the search stopped" if stopped else "at the maximum (a singular fit)"

    def tell(wrong: object, category: type[Warning], message: str) -> None:
        if wrong:
            warn_user(message, category)

    tell(
        separated,
        SeparationWarning,
        f"{separated} separate the responses perfectly, so the likelihood has no finite maximum: "
        f"their estimates and standard errors mean nothing{others}. Drop or merge categories, or use a prior "
        "(statsmodels BinomialBayesMixedGLM)",
    )
    tell(
        separating,
        SeparationWarning,
        f"the random effects of {separating} predict every response perfectly (as where each level has "
        "successes only, or failures only), so the variance has no finite maximum: the estimates mean nothing",
    )
    tell(
        wide,
        SeparationWarning,
        f"the random effects of {wide} make zeros certain (some levels have zeros only), so that the likelihood rises "
        f"with their variance without a finite maximum: it is held at a standard deviation of {LARGEST:g}. All effects "
        f"of {ZERO_PART!r} and their standard errors mean nothing, the log-likelihood is somewhat below its limit, and "
        "the other results are close to theirs; without the term they have a maximum",
    )
    tell(
        singular,
        SingularFitWarning,
        f"the variance of {singular} is zero {where}: it is reported "
        "as 0 without a standard error, and the other results are those of the model without it",
    )
    tell(
        degenerate,
        SingularFitWarning,
        f"the random effects of {degenerate} are perfectly correlated {where}: some of a level's effects are exact "
        "combinations of the others. Standard errors are those of the "
        f"covariance matrix of lower rank; {' and '.join(apart)} without correlations",
    )
    tell(
        reduction.at_limit,
        SingularFitWarning,
        f"the dispersion {named(list(map(repr, psi)), range(len(psi)))} is zero at the maximum (a singular fit): it is "
        "reported as 0 without a standard error, and the other results are those of the family without it",
    )
    for name, end in _at_their_ends(model.conditional_family, params[model.design.layout.family]).items():
        tell(
            end,
            SingularFitWarning,
            f"the parameter {name!r} has gone to the end of its range (a singular fit): its estimate and standard "
            f"error mean nothing, {end}",
        )
    far = running_off(model, params)
    if wide or any(model.exog_names[j].startswith(f"{ZERO_PART}: ") for j in columns):
        far.pop(ZERO_PART, None)  # it has been told
    vanished = "" if without is None else ZERO_PART
    tell(
        vanished,
        SingularFitWarning,
        f"the probability of the zero part, {vanished!r}, is zero at the maximum (a singular fit): its effects, and "
        "their standard errors, mean nothing, and the other results are those of the family without it",
    )
    for name, reach in far.items():
        end = "dispersion of zero or without bound" if name == DISPERSION else "probability of 0 or 1"
        tell(
            name != vanished,
            SeparationWarning,
            f"the linear predictor {name!r} reaches {reach:.3g}: what it stands for is at the end of its range in some "
            f"rows (a {end}), where the likelihood is flat. Estimates and standard errors of {name!r} "
            "effects mean nothing there; leave terms out of its formula, or the formula itself",
        )
    fading = None if drawn or laplace.endless else fading_mode(laplace.fit)
    tell(
        fading,
        ConvergenceWarning,
        f"Laplace's approximation has no maximum: the effects of block {fading!r} given the data have a mode that "
        "fades (its curvature goes to zero), where the approximation, and not the likelihood, rises without "
        "bounds. Use fit(), which maximises the likelihood",
    )
    tell(
        not (converged or laplace.endless or held.terms or fading),
        ConvergenceWarning,
        "the fit did not converge: raise maxiter or max_seconds, start elsewhere (start_params), or simplify the "
        "random effects",
    )


def _at_their_ends(family: ConditionalFamily, psi: Array) -> dict[str, str]:
    """Parameters of a family that have gone to an end of their range, with what is to be said of that."""
    free = zip(family.parameters, family.parameter_scale.free(psi), strict=True)
    far = {name: int(x > 0) for name, x in free if name in family.ends and abs(x) > FAR_OUT}
    return {name: family.ends[name][upper] for name, upper in far.items()}


def running_off(model: MixedModel, params: Array) -> dict[str, float]:
    """Linear predictors beside the mean's that reach the end of their range, with the value that is farthest out."""
    family = model.conditional_family
    if not isinstance(family, SeveralPredictors) or len(family.predictors) == 1:
        return {}
    inputs = model.inputs
    none = np.zeros((inputs.Z.shape[1], 1))
    eta = inputs.linear_predictors(family, model.design.split(params)[0], none)[:, inputs.used, 0]
    extents = zip(family.predictors, family.extent(eta), strict=True)
    far = {name: float(row[np.argmax(np.abs(row))]) for name, row in extents}
    return {name: value for name, value in far.items() if name and abs(value) > AT_ITS_END}


def warn_monte_carlo(result: MCLAMixedGLMResults, mcse_tol: float | None) -> None:
    """Weights that a few draws dominate, and errors larger than asked for."""
    monte_carlo = result.monte_carlo
    worst = int(np.argmin(monte_carlo.ess))
    heavy = int(np.argmax(np.nan_to_num(monte_carlo.k_hat, nan=-np.inf)))
    second = unreached_mode(result.fitted) if result.converged else None
    if second is not None:
        warn_user(
            f"the effects of block {second.block!r} given the data have a second mode under "
            f"this link, with {100 * second.share:.2g} % of their law, that the draws do not reach: estimates leave it "
            "out, and Monte Carlo errors do not show that. Use another link, or draws as wide as "
            "BlockSampling(df=3, inflate=3)",
            ImportanceWeightWarning,
        )
    elif monte_carlo.k_hat[heavy] > MAX_K_HAT and monte_carlo.ess[heavy] < 0.9 * monte_carlo.draws[heavy]:
        # the default is wide already where few effects are on a grid
        wider = "df=4, inflate=3" if result.fitted.sampler.converges_fast else "df=10, inflate=1.2"
        warn_user(
            f"a few draws of block {monte_carlo.block_labels[heavy]!r} carry most of the weight (Pareto k-hat "
            f"{monte_carlo.k_hat[heavy]:.2f} > {MAX_K_HAT}): Monte Carlo errors may be understated. Use "
            f"{'' if monte_carlo.default_sampling else 'the default block sampling, or '}a density with heavier tails "
            f"such as BlockSampling({wider})",
            ImportanceWeightWarning,
        )
    elif monte_carlo.ess[worst] < min(MIN_ESS, 0.5 * monte_carlo.draws[worst]):
        warn_user(
            f"the effective sample size of block {monte_carlo.block_labels[worst]!r} is only "
            f"{monte_carlo.ess[worst]:.1f} of {monte_carlo.draws[worst]} draws, so its Monte Carlo error is itself "
            "uncertain: raise nsample, or lower mcse_tol",
            ImportanceWeightWarning,
        )
    ratio = monte_carlo.history["mcse_over_se"].iloc[-1]
    if mcse_tol is None and ratio > LARGE_MCSE:
        warn_user(
            f"the largest Monte Carlo error is {100 * ratio:.2g} % of its standard error: raise nsample, or leave it "
            "out to let the errors decide",
            PrecisionWarning,
        )
    if mcse_tol is not None and result.converged and not monte_carlo.precise:
        warn_user(
            f"the largest Monte Carlo error is {100 * ratio:.2g} % of its standard error, more than the "
            f"{100 * mcse_tol:.2g} % asked for: raise max_draws or max_seconds, or accept a larger mcse_tol",
            PrecisionWarning,
        )
