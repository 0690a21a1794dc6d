"""Where searches start: rows that tell much about eta have effects that are large beside what one of them tells."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from helpers import no_warnings

from statsmodels_mcla import MCLAMixedGLM


@pytest.mark.parametrize("height", [3, 8, 13, 16, 20])
def test_counts_of_any_size(height: int) -> None:
    """Large counts are all but lognormal: the moments of their logarithms are the answer."""
    rng = np.random.default_rng(3)
    g, x = np.repeat(np.arange(30), 8), rng.normal(size=240)
    y = rng.poisson(np.exp(height + 0.3 * x + 0.5 * rng.normal(size=30)[g])).astype(float)
    data = pd.DataFrame({"y": y, "x": x, "g": g})
    model = MCLAMixedGLM.from_formula("y ~ x + (1 | g)", data=data, family=sm.families.Poisson())
    with no_warnings():
        result = model.fit(rng=1)
    means = (np.log(np.maximum(y, 0.5)) - 0.3 * x).reshape(30, 8).mean(axis=1)
    rough = 0.1 if height == 3 else 1e-3
    assert result.converged
    assert result.params["Intercept"] == pytest.approx(means.mean(), abs=rough)
    assert result.params["g Var"] == pytest.approx(means.var(), abs=rough)
    assert result.params["x"] == pytest.approx(0.3, abs=4 * result.bse["x"])


def test_counts_with_slopes() -> None:
    """A rough Laplace fit must not end on the plateau where random effects are too small."""
    rng = np.random.default_rng(1)
    g, x = np.repeat(np.arange(20), 10), rng.uniform(-1, 1, 200)
    u = rng.normal(size=(20, 2)) * [0.6, 0.4]
    y = rng.poisson(np.exp(8 + 0.3 * x + u[g, 0] + u[g, 1] * x))
    data = pd.DataFrame({"y": y, "x": x, "g": g})
    model = MCLAMixedGLM.from_formula("y ~ x + (1 + x | g)", data=data, family=sm.families.Poisson())
    with no_warnings():
        result = model.fit(rng=1)
    lines = np.array([np.polyfit(x[g == k], np.log(y[g == k]), 1)[::-1] for k in range(20)])
    np.testing.assert_allclose(result.fe_params, lines.mean(axis=0), atol=0.01)
    (G,) = result.cov_re.values()
    np.testing.assert_allclose(G, np.cov(lines.T, bias=True), atol=0.01)
