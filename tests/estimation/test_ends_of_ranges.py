"""Parameters of a family that go to the end of their range: what is told, and that all else is that of the limit."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from helpers import F, no_warnings

from statsmodels_mcla import MCLAMixedGLM, families
from statsmodels_mcla.exceptions import ConvergenceWarning, SingularFitWarning


@functools.cache
def data() -> pd.DataFrame:
    """Responses with lighter tails than normal ones (y), a variance of mu^3 (positive), heavy tails, and counts."""
    rng = np.random.default_rng(1)
    g, x = np.repeat(np.arange(20), 8), rng.normal(size=160)
    eta = 0.6 + 0.3 * x + 0.5 * rng.normal(size=20)[g]
    return pd.DataFrame(
        {
            "x": x,
            "g": g,
            "y": eta + rng.uniform(-1.0, 1.0, 160),
            "positive": rng.wald(np.exp(eta), 3.0),
            "heavy": eta + rng.standard_t(3, 160),
            "count": 2.5 * rng.poisson(np.exp(eta)),
        }
    )


def fitted(response: str, family: Any, method: str, **options: Any) -> Any:
    model = MCLAMixedGLM.from_formula(f"{response} ~ x + (1 | g)", data=data(), family=family)
    return model.fit(rng=1, **options) if method == "fit" else model.fit_laplace()


@pytest.mark.parametrize("method", ["fit", "fit_laplace"])
def test_degrees_of_freedom_without_bound_are_a_normal_response(method: str) -> None:
    """By statsmodels' MixedLM, whose likelihood is exact."""
    with pytest.warns(SingularFitWarning, match="'df' has gone to the end .* those of Gaussian") as caught:
        ours = fitted("y", families.StudentT(), method)
    assert len(caught) == 1
    truth = smf.mixedlm("y ~ x", data(), groups="g").fit(reml=False)
    assert ours.converged
    assert ours.llf == pytest.approx(truth.llf, abs=2e-3)
    assert ours.params["scale"] == pytest.approx(truth.scale, rel=2e-3)
    assert ours.params["g Var"] == pytest.approx(truth.cov_re.iloc[0, 0], rel=2e-3)
    np.testing.assert_allclose(ours.fe_params, truth.fe_params, atol=2e-3 * truth.bse_fe.max())
    np.testing.assert_allclose(ours.bse[["Intercept", "x"]], truth.bse_fe, rtol=5e-3)


@pytest.mark.parametrize("method", ["fit", "fit_laplace"])
def test_a_power_of_two_is_a_gamma_response(method: str) -> None:
    with pytest.warns(
        SingularFitWarning, match=r"'power' has gone to the end .* close to those of sm.families.Gamma"
    ):
        ours = fitted("positive", families.Tweedie(), method)
    with no_warnings():
        truth = fitted("positive", F.Gamma(F.links.Log()), method)
    assert ours.llf == pytest.approx(truth.llf, abs=0.05)  # at a power of 1.999
    others = list(truth.params.index)
    assert np.all(np.abs(ours.params[others] - truth.params) < 0.01 * truth.bse)
    np.testing.assert_allclose(ours.bse[others], truth.bse, rtol=5e-3)


def test_tails_that_are_heavy_are_not_at_the_end() -> None:
    """Negative control."""
    with no_warnings():
        ours = fitted("heavy", families.StudentT(), "fit")
    assert 1.0 < ours.params["df"] < 30.0


def test_a_power_of_one_has_no_bound() -> None:
    with pytest.warns((SingularFitWarning, ConvergenceWarning)) as caught:
        fitted("count", families.Tweedie(), "fit", max_seconds=1.0)
    assert any("'power' has gone to the end" in str(w.message) for w in caught)
    assert any("fit counts by Poisson" in str(w.message) for w in caught)
