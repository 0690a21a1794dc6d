"""Where a search may start: at singular fits too, which are what stopped fits go on from."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from helpers import model_of

from statsmodels_mcla import MCLAMixedGLM
from statsmodels_mcla.exceptions import SingularFitWarning


def crossed() -> Any:
    """Slopes that are perfectly correlated with intercepts at the maximum."""
    r = np.random.default_rng(0)
    s, i, x = np.repeat(np.arange(25), 16), np.tile(np.arange(16), 25), r.integers(0, 3, 400) * 1.0
    eta = -0.3 + 0.4 * x + r.normal(size=25)[s] + 0.6 * r.normal(size=16)[i]
    data = pd.DataFrame({"y": r.binomial(1, 1 / (1 + np.exp(-eta))), "x": x, "s": s, "i": i})
    return MCLAMixedGLM.from_formula("y ~ x + (1 + x | s) + (1 | i)", data=data, family="binomial")


def counts(family: Any) -> Any:
    """Counts of which nothing is left between groups, nor beyond Poisson's variance."""
    rng = np.random.default_rng(3)
    data = pd.DataFrame({"x": rng.normal(size=60), "g": np.arange(60) % 12})
    data["y"] = rng.binomial(9, 0.4, 60)
    return MCLAMixedGLM.from_formula("y ~ x + (1 | g)", data=data, family=family)


MODELS = {
    "correlation": crossed,
    "variance": lambda: counts("poisson"),
    "dispersion": lambda: counts(sm.families.NegativeBinomial(alpha=1.0)),
}


@pytest.mark.parametrize("kind", MODELS)
def test_singular_fits_are_places_to_start_from(kind: str) -> None:
    model = MODELS[kind]()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SingularFitWarning)
        first, laplace = model.fit(rng=1), model.fit_laplace()
        assert first.singular
        for start in (first, laplace):
            again = model.fit(rng=1, start_params=start.params)
            assert again.converged
            assert again.llf == pytest.approx(first.llf, abs=1e-3)
            np.testing.assert_allclose(again.params, first.params, atol=0.02 * np.nanmax(first.bse))
    model.draw(first.params, rng=2)
    assert model.loglike(first.params) == pytest.approx(first.llf, abs=0.05)
    model.draw(rng=2)  # at the Laplace fit
    assert model.loglike(laplace.params) == pytest.approx(first.llf, abs=0.5)


def test_a_search_leaves_a_singular_start() -> None:
    model = model_of("cbpp")
    fit = model.fit(rng=1)
    start = fit.params.where(fit.params.index != "herd Var", 0.0)
    again = model.fit(rng=1, start_params=start)
    assert again.llf == pytest.approx(fit.llf, abs=1e-6)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("epil_slopes", {-2: 10.0}, "the covariance matrix of 'subject' has a negative eigenvalue"),
        ("cbpp", {4: -0.1}, "'herd Var' must not be negative, got -0.1"),
        ("sleepstudy_gamma", {-1: 0.0}, "'scale' must be positive, got 0"),
    ],
)
def test_what_no_fit_has_is_refused(name: str, change: dict[int, float], message: str) -> None:
    model = model_of(name)
    start = np.array(model.fit_laplace().params, float)
    for place, value in change.items():
        start[place] = value
    with pytest.raises(ValueError, match=f"start_params: {message}"):
        model.fit(rng=1, start_params=start)
