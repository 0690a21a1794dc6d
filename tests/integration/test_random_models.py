"""Models drawn at random: each is the quadrature maximum, or says what is wrong with it."""

from __future__ import annotations

import warnings
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from helpers import KIND
from hypothesis import HealthCheck, Phase, given, settings
from random_models import STRUCTURES, Drawn, Recipe, build, recipes, truth_of
from statsmodels.tools.sm_exceptions import DomainWarning

from statsmodels_mcla import MCLAMixedGLM
from statsmodels_mcla.exceptions import (
    ConvergenceWarning,
    ImportanceWeightWarning,
    MCLAWarning,
    PrecisionWarning,
    SeparationWarning,
    SingularFitWarning,
)


def check(recipe: Recipe, anywhere: bool = True) -> str:
    """Fit and compare; the outcome is "matches" or the names of the warnings that were given."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DomainWarning)  # statsmodels' word on links that leave the family
        drawn = build(recipe)
        model = drawn.model()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("error")
        for category in (MCLAWarning, ConvergenceWarning):
            warnings.simplefilter("always", category)
        result = model.fit(rng=recipe.seed % 1000)
    told = {w.category for w in caught}
    assert result.converged or told & {ConvergenceWarning, SeparationWarning}
    if result.converged and not told & {ImportanceWeightWarning, SeparationWarning}:
        compare(drawn, result, told, anywhere)
    return " ".join(sorted(c.__name__ for c in told)) or "matches"


def compare(drawn: Drawn, result: Any, told: set[type[Warning]], anywhere: bool) -> None:
    params, mcse, bse = (np.asarray(getattr(result, name)) for name in ("params", "mcse", "bse"))
    free = ~result.boundary
    assert np.all(np.isfinite(params))
    if drawn.arguments["family"] == "negativebinomial" and params[-1] == 0:
        drawn = replace(drawn, arguments=drawn.arguments | {"family": "poisson"})
        params, mcse, bse, free = params[:-1], mcse[:-1], bse[:-1], free[:-1]
    truth = truth_of(
        drawn, params, anywhere and not told
    )  # where one is told of, there may be several maxima
    if truth is None:
        assert SingularFitWarning in told, "a maximum where quadrature finds none"
        return
    assert result.llf_mcse < 0.1
    slack = 5 * np.hypot(result.llf_mcse, 1e-4)
    if (
        result.reduction.singular and not truth.singular
    ):  # told, and no worse than the resolution of the search
        assert -slack <= truth.llf - result.llf <= 2e-3 + slack, (result.llf, truth.llf)
        return
    assert np.abs(result.llf - truth.llf) <= slack, (result.llf, truth.llf)
    assert not truth.singular or result.singular, (params, truth)
    size = np.where(np.isfinite(truth.bse), truth.bse, bse)[free]
    error = np.hypot(mcse[free], 2e-4 * size)
    if PrecisionWarning not in told:
        assert np.all(mcse[free] <= 0.0101 * bse[free])
    distance = np.abs(params - truth.params)[free] / error
    assert np.all(distance <= 5), (distance, params, truth, mcse)
    np.testing.assert_allclose(bse[free], size, rtol=0.1)


QUICK = ("(1 | g)", "(0 + x | g)", "(1 | g:h)", "(x || g)", "shared", "vc and bars", "row")
OPTIONS = {
    "deadline": None,
    "derandomize": True,
    "database": None,
    "phases": (Phase.generate,),
    "suppress_health_check": list(HealthCheck),
}


def outcomes(count: int, structures: tuple[str, ...], anywhere: bool) -> Counter[str]:
    """What became of so many models."""
    seen: Counter[str] = Counter()

    @settings(max_examples=count, **OPTIONS)
    @given(recipes(structures=structures))
    def run(recipe: Recipe) -> None:
        seen[check(recipe, anywhere)] += 1

    run()
    return seen


def test_random_models_match_quadrature_or_warn() -> None:
    seen = outcomes(12, QUICK, anywhere=False)
    assert seen.total() == 12
    assert seen["matches"] >= 3, seen


@pytest.mark.slow
def test_two_hundred_random_models_match_quadrature_or_warn() -> None:
    seen = outcomes(200, tuple(STRUCTURES), anywhere=True)
    assert seen.total() == 200
    assert seen["matches"] >= 60, seen


def test_a_search_far_from_the_maximum_ends() -> None:
    """Where the log-likelihood is -10^17, scipy's trust-exact can factorise no Hessian, and says so by a bug."""
    shape = KIND["gaussian-log"], "(f | g)", 12, "uneven", "skewed", 1.0, 0.2, 2.5, 4.0, 40
    recipe = Recipe(*shape, "small", "fractions", var_weights=True, by_name=True, seed=577)
    assert check(recipe, True) == "SingularFitWarning"


def test_a_saturated_gaussian_model_is_told_of() -> None:
    """Five rows for five parameters: the scale runs to zero and the likelihood has no maximum."""
    data = pd.DataFrame(
        {"y": [1.0, 2.5, 0.3, 4.0, 1.1], "x": [0.0, 1.0, 2.0, 3.0, 5.0], "z": [0.3, -1, 2, 0.1, 1.4]}
    ).assign(g=list("aabbc"))
    model = MCLAMixedGLM.from_formula(
        "y ~ x + (1 | g) + (0 + z | g)", data=data, family=sm.families.Gaussian()
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = model.fit(rng=1)
    assert {w.category for w in caught} & {ConvergenceWarning, SingularFitWarning, ImportanceWeightWarning}
    assert np.all(np.isfinite(result.params))


def test_a_variance_that_only_noise_holds_up_is_zero() -> None:
    """Its maximum is at 2 % of its standard error: what Monte Carlo errors cannot tell from zero is told of as zero."""
    recipe = Recipe(
        KIND["poisson-sqrt"],
        structure="crossed",
        groups=4,
        sizes="even",
        covariate="shifted",
        unit=1e-5,
        size_of_effects=0.2,
        rarity=0.0,
        noise=0.1,
        trials=3,
        offset=None,
        weights=None,
        var_weights=False,
        by_name=True,
        seed=4,
    )
    assert check(recipe) == "SingularFitWarning"
