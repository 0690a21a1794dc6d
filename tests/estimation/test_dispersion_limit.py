"""Negative binomial models without overdispersion: the maximum is the Poisson model, and is reported as such."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from helpers import no_warnings

from statsmodels_mcla import MCLAMixedGLM
from statsmodels_mcla.exceptions import SingularFitWarning

F = sm.families


def counts(seed: int, family: Any) -> MCLAMixedGLM:
    """Poisson counts: by chance less dispersed than Poisson in half of all data."""
    rng = np.random.default_rng(seed)
    g, x = np.repeat(np.arange(15), 6), rng.normal(size=90)
    y = rng.poisson(np.exp(0.8 + 0.3 * x + 0.6 * rng.normal(size=15)[g]))
    data = pd.DataFrame({"y": y, "x": x, "g": g, "w": np.tile([1.0, 2.0, 1.0], 30)})
    return MCLAMixedGLM.from_formula("y ~ x + (1 | g)", data=data, family=family, freq_weights="w")


@lru_cache
def fits() -> tuple[Any, Any]:
    with pytest.warns(SingularFitWarning, match="'alpha' is zero"):
        ours = counts(1, F.NegativeBinomial(alpha=1.0)).fit(rng=1)
    with no_warnings():
        poisson = counts(1, F.Poisson()).fit(rng=1)
    return ours, poisson


def test_no_overdispersion_is_the_poisson_fit() -> None:
    ours, poisson = fits()
    assert ours.converged
    assert ours.singular
    assert not poisson.singular
    assert ours.params["alpha"] == 0.0
    assert np.isnan(ours.bse["alpha"])
    assert np.isnan(ours.mcse["alpha"])
    # the two searches start elsewhere, and either may end with 3 % of the Monte Carlo error left of the way: that is
    # 3e-4 of the variance, so 1e-5 are left of it
    np.testing.assert_allclose(ours.params.iloc[:-1], poisson.params, rtol=1e-5)
    np.testing.assert_allclose(ours.bse.iloc[:-1], poisson.bse, rtol=1e-5)
    assert ours.llf == pytest.approx(poisson.llf, abs=1e-8)
    assert "alpha at the boundary" in ours.summary().as_text()


def test_what_follows_a_fit_without_overdispersion() -> None:
    ours, poisson = fits()
    np.testing.assert_allclose(ours.predict(), poisson.predict(), rtol=1e-6)
    assert np.isnan(ours.model.score(np.asarray(ours.params))[-1])
    np.testing.assert_allclose(ours.model.score(np.asarray(ours.params))[:-1], 0.0, atol=1e-4)
    for random in (
        "none",
        "conditional",
        "marginal",
    ):  # of new counts, which no dispersion of zero divides by
        limits, wanted = (f.get_prediction(random=random).obs_conf_int() for f in (ours, poisson))
        np.testing.assert_array_equal(limits, wanted)
        assert np.isfinite(limits).all()
    ours_re, poisson_re = ours.random_effects, poisson.random_effects
    assert ours_re.keys() == poisson_re.keys()


def test_laplace_fit_without_overdispersion() -> None:
    with pytest.warns(SingularFitWarning, match="'alpha' is zero"):
        ours = counts(1, F.NegativeBinomial(alpha=1.0)).fit_laplace()
    poisson = counts(1, F.Poisson()).fit_laplace()
    np.testing.assert_allclose(ours.params.iloc[:-1], poisson.params, rtol=1e-3)
    np.testing.assert_allclose(ours.bse.iloc[:-1], poisson.bse, rtol=1e-2)
    assert ours.params["alpha"] == 0.0
    assert ours.llf == pytest.approx(poisson.llf, abs=1e-5)


def test_a_small_dispersion_is_not_the_limit() -> None:
    """Negative control: about its own standard error, and not zero."""
    with no_warnings():
        ours = counts(8, F.NegativeBinomial(alpha=1.0)).fit(rng=1)
        poisson = counts(8, F.Poisson()).fit(rng=1)
    assert ours.params["alpha"] > 10 * ours.mcse["alpha"]
    assert ours.params["alpha"] < 1.5 * ours.bse["alpha"]
    assert ours.llf > poisson.llf
