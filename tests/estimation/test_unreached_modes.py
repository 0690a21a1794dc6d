"""Laws of the effects with a second mode, which draws around the first do not reach."""

from __future__ import annotations

from typing import Any

import numpy as np
import oracle
import pandas as pd
import pytest
import statsmodels.api as sm
from helpers import assert_monte_carlo, no_warnings
from statsmodels.genmod.families import links

from statsmodels_mcla import BlockSampling, MCLAMixedGLM
from statsmodels_mcla.exceptions import ImportanceWeightWarning

pytestmark = pytest.mark.filterwarnings("ignore:.*does not respect the domain")


def counts(sd: float) -> tuple[MCLAMixedGLM, dict[str, Any]]:
    """Counts whose square-root link does not tell eta from -eta, in groups of two effects."""
    rng = np.random.default_rng(3)
    g, z = np.repeat(np.arange(12), 5), rng.normal(size=60)
    u = rng.normal(size=(12, 2)) * sd
    y = rng.poisson((2.4 + u[g, 0] + 0.3 * u[g, 1] * z) ** 2)
    data = pd.DataFrame({"y": y, "z": z, "g": g})
    model = MCLAMixedGLM.from_formula("y ~ 1 + (z || g)", data=data, family=sm.families.Poisson(links.Sqrt()))
    arguments = {
        "y": y.astype(float),
        "X": np.ones((60, 1)),
        "Zg": np.column_stack([np.ones(60), z]),
        "group": g,
        "family": "poisson",
        "link": "sqrt",
        "structure": [0, 1],
        "rule": "trapezoid",
        "nodes": 161,
    }
    return model, arguments


def test_a_second_mode_is_told_and_reached_by_wide_draws() -> None:
    model, arguments = counts(0.9)
    with pytest.warns(ImportanceWeightWarning, match="second mode"):
        narrow = model.fit(rng=1, nsample=2**13, sampling=BlockSampling(df=15.0))
    params = np.asarray(narrow.params)
    missing = oracle.quadrature_loglike(params, **arguments) - narrow.llf
    assert missing > 5 * narrow.llf_mcse  # premise: the draws do leave something out
    model.draw(params, nsample=2**15, rng=1, sampling=BlockSampling(df=3, inflate=3.0))
    assert model.loglike(params) - narrow.llf == pytest.approx(missing, rel=0.1)


def test_no_second_mode_no_warning() -> None:
    model, arguments = counts(0.3)
    with no_warnings():
        result = model.fit(rng=1)
    expected = oracle.quadrature_loglike(np.asarray(result.params), **arguments)
    assert_monte_carlo(result.llf, result.llf_mcse, expected, small=0.05, error=1e-4)
