"""Comparison of nested models by their likelihoods."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from statsmodels_mcla.comparison.chi_bar_square import ChiBarSquare, chi_bar_square
from statsmodels_mcla.comparison.compared_fits import (
    MixedFit,
    NestedFit,
    check_same_data,
    fit_of,
    known_effects,
    mixed_fit_of,
)
from statsmodels_mcla.comparison.nesting import Nesting, nesting_of
from statsmodels_mcla.comparison.restricted_model import Information, RestrictedModel, at_its_ranks
from statsmodels_mcla.estimation.constrained import difference_error
from statsmodels_mcla.exceptions import warn_user
from statsmodels_mcla.interface import WithoutInternals
from statsmodels_mcla.numerics import Array, generator, seed_of

WRONG_WAY = 0.1  # statistic below zero by more than this, and by four Monte Carlo errors, is told


@dataclass(frozen=True, repr=False)
class RestrictionTest(WithoutInternals):
    """Test of a restricted model; unpacks as ``statistic, pvalue, df``.

    Attributes
    ----------
    statistic : float
    pvalue : float
        Upper tail of ``distribution``.
    df : int
        Number of restrictions.
    mcse : float
        Monte Carlo standard error of the statistic; 0 for fits without draws.
    pvalue_mcse : float
        Of the p-value, from the statistic and from simulated weights of the null distribution.
    distribution : ChiBarSquare
        Chi-square, or chi-bar-square where the restricted model sets variances to zero; its text says which.
    """

    statistic: float
    pvalue: float
    df: int
    mcse: float
    pvalue_mcse: float
    distribution: ChiBarSquare

    title: ClassVar[str] = "Test"
    _internal: ClassVar = frozenset({"of", "title"})

    @classmethod
    def of(cls, statistic: float, mcse: float, distribution: ChiBarSquare) -> Any:
        """Test with the p-value of a statistic."""
        error = np.hypot(distribution.slope(statistic) * mcse, distribution.mcse(statistic))
        return cls(statistic, distribution.sf(statistic), distribution.df, mcse, float(error), distribution)

    def __repr__(self) -> str:
        return f"<{self}>"

    def __iter__(self) -> Iterator[float]:
        return iter((self.statistic, self.pvalue, self.df))

    def __str__(self) -> str:
        return (
            f"{self.title}: statistic {self.statistic:.4g} (MCSE {self.mcse:.2g}), "
            f"{self.df} restriction{'s' if self.df > 1 else ''}, "
            f"p-value {self.pvalue:.4g} (MCSE {self.pvalue_mcse:.2g}) from {self.distribution}"
        )

    def summary(self) -> str:
        """Say it in one line.

        Examples
        --------
        >>> print(results.score_test("hilo").summary())
        Score test: statistic 0.5442 (MCSE 0.0064), 1 restriction, p-value 0.4607 (MCSE 0.0027) from chi2(1)
        """
        return str(self)


class LikelihoodRatioTest(RestrictionTest):
    """Likelihood-ratio test, 2 (llf - restricted llf), with common random numbers if the random effects are alike.

    Examples
    --------
    >>> test = results.compare_lr_test(model.update(". ~ . - week").fit(rng=1))
    >>> statistic, pvalue, df = test
    >>> round(statistic, 2), round(pvalue, 4), df
    (8.67, 0.0032, 1)
    """

    title: ClassVar[str] = "Likelihood-ratio test"


def null_distribution(
    nesting: Nesting, information: Callable[[], Information], seed: np.random.SeedSequence
) -> ChiBarSquare:
    """Distribution of a statistic if the restricted model is true.

    Parameters
    ----------
    nesting : Nesting
    information : callable
        Asked for only where the distribution depends on it.
    seed : numpy.random.SeedSequence
        Of weights without a closed form.
    """
    free = nesting.free.shape[1]
    sizes = tuple(len(cone.columns) for cone in nesting.cones)
    rng = generator(seed)
    if sizes in ((), (1,)):
        return chi_bar_square(free, sizes, None, np.zeros(0), rng)
    found = information()
    return chi_bar_square(free, sizes, found.cone, found.cone_replicates, rng)


def _test_of_family(full: MixedFit, restricted: NestedFit, known: Array) -> LikelihoodRatioTest:
    """Test whether one parameter of the family is at the end of its range: an even mixture of chi2(0) and chi2(1)."""
    if not isinstance(restricted, MixedFit) or len(full.params) != len(restricted.params) + 1:
        raise ValueError(
            f"restricted has family {restricted.family.name}, and full, {full.family.name}: they may differ in one "
            "parameter only, a dispersion or the intercept of '~ 1' of a zero part, and in no other effect"
        )
    (X, terms), (its_X, its_terms) = ((np.asarray(f.inputs.exog, float), f.terms) for f in (full, restricted))
    kept = [
        full.family.predictors[k] in restricted.family.predictors for k in full.inputs.predictor_of_column
    ]
    X = X[:, np.array(kept, bool)]
    alike = not known.any() and X.shape == its_X.shape and np.allclose(X, its_X)
    if not (
        alike
        and all(a.name == b.name and a.columns == b.columns for a, b in zip(terms, its_terms, strict=True))
    ):
        raise ValueError(
            "restricted has other fixed or random effects: families are compared with the same ones"
        )
    statistic = 2.0 * (full.llf() - restricted.llf())
    mcse = 2.0 * float(np.hypot(full.llf_mcse or 0.0, restricted.llf_mcse or 0.0))
    if statistic < -max(WRONG_WAY, 4.0 * mcse):
        warn_user(
            f"the restricted model has the higher likelihood, by {-0.5 * statistic:.3g}: fit the larger one again"
        )
    return LikelihoodRatioTest.of(max(statistic, 0.0), mcse, ChiBarSquare(1, (0.5, 0.5), 0))


def likelihood_ratio_test(full: Any, restricted: Any, rng: Any = 0) -> LikelihoodRatioTest:
    """Test a restricted model against the one that it is nested in.

    Parameters
    ----------
    full : MixedGLMResults
    restricted : MixedGLMResults or GLMResults
        The latter for a model without random effects; its dispersion, if it has one, is estimated again by maximum
        likelihood.
    rng : int or numpy.random.Generator
        Source of randomness of simulated null distributions.

    Raises
    ------
    ValueError
        If the models cannot be compared; the message says why.
    """
    seed = seed_of(rng)
    mine = mixed_fit_of(full, "full")
    its = fit_of(restricted, "restricted").within(mine.family)
    check_same_data(mine, its)
    known = known_effects(mine, its)
    if its.family != mine.family:
        return _test_of_family(mine, its, known)
    nesting = nesting_of(mine.design, *mine.effects(), *its.effects(), known)
    if nesting.df <= 0:
        raise ValueError(
            f"restricted has {len(its.params)} parameters, not fewer than the {len(mine.params)} here"
        )
    # 1. the restricted maximum in the parameters of the larger model, with its draws
    maximum = mine.maximum
    objective = maximum.objective
    params = nesting.whole(its.maximum_within(mine, nesting))
    submodel = at_its_ranks(maximum.whole.without(nesting.zero), params)
    if nesting.zero or submodel.reduction != objective.submodel.reduction:
        objective = objective.on(submodel)
    point = objective.at(objective.locate(params))
    # 2. the statistic, and the law that it has if the restricted model is true
    statistic, mcse = 2.0 * (maximum.top.value - point.value), 2.0 * difference_error(maximum.top, point)
    if statistic < -max(WRONG_WAY, 4.0 * mcse):
        warn_user(
            f"the restricted model has the higher likelihood, by {-0.5 * statistic:.3g}: the larger one did not reach "
            "its maximum; fit it again from the restricted estimates (start_params)"
        )
    statistic = max(statistic, 0.0)

    def information() -> Information:
        model = RestrictedModel(mine.design, mine.family, params, nesting, seed, full.fitted.executor)
        return model.information(model.simulated_scores(mine.unit_inputs()))

    return LikelihoodRatioTest.of(statistic, mcse, null_distribution(nesting, information, seed))
