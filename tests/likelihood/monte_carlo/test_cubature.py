"""Gaussian responses: points with the right moments instead of draws, and no Monte Carlo error at all."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from helpers import no_warnings

from statsmodels_mcla import MCLAMixedGLM


def simulated() -> pd.DataFrame:
    rng = np.random.default_rng(2)
    g, x = np.repeat(np.arange(30), 6), rng.normal(size=180)
    u = rng.normal(size=(30, 2)) @ np.array([[0.8, 0.3], [0.0, 0.6]])
    y = 1.0 + 0.5 * x + u[g, 0] + u[g, 1] * x + 0.7 * rng.normal(size=180)
    return pd.DataFrame({"y": y, "x": x, "g": g})


@pytest.mark.parametrize("bar", ["1", "1 + x"])
def test_gaussian_fits_are_exact_and_those_of_mixedlm(bar: str) -> None:
    data = simulated()
    with no_warnings():
        result = MCLAMixedGLM.from_formula(
            f"y ~ x + ({bar} | g)", data=data, family=sm.families.Gaussian()
        ).fit(rng=1)
    assert np.all(result.mcse <= 1e-12 * result.bse)
    assert result.llf_mcse < 1e-12  # round-off
    other = sm.MixedLM.from_formula("y ~ x", data, groups="g", re_formula="~ " + bar).fit(
        reml=False, method="bfgs", gtol=1e-8
    )
    assert result.llf == pytest.approx(other.llf, abs=1e-6)
    np.testing.assert_allclose(result.fe_params, other.fe_params, rtol=1e-4)
    (G,) = result.cov_re.values()
    np.testing.assert_allclose(G, other.cov_re, rtol=1e-3)
    assert result.params["scale"] == pytest.approx(other.scale, rel=1e-3)
    np.testing.assert_allclose(result.bse[:2], other.bse_fe, rtol=1e-3)


def test_the_seed_does_not_matter() -> None:
    model = MCLAMixedGLM.from_formula("y ~ x + (1 + x | g)", data=simulated(), family=sm.families.Gaussian())
    one, two = model.fit(rng=1), model.fit(rng=2)
    np.testing.assert_array_equal(one.params, two.params)
    np.testing.assert_array_equal(one.bse, two.bse)
    assert one.llf == two.llf


def test_draws_of_ones_own_are_draws() -> None:
    """Independent draws have the same likelihood, for the proposal is the law of the effects."""
    model = MCLAMixedGLM.from_formula("y ~ x + (1 + x | g)", data=simulated(), family=sm.families.Gaussian())
    exact, plain = model.fit(rng=1), model.fit(rng=1, quasi=False, nsample=500)
    assert exact.monte_carlo.draws.max() == 8  # twice the 2 q points
    assert plain.monte_carlo.draws.max() == 500
    assert plain.llf == pytest.approx(exact.llf, abs=1e-6)
    np.testing.assert_allclose(plain.params, exact.params, rtol=1e-4, atol=1e-5)
