"""Laws of the effects with a second mode, which draws around the first do not reach."""

from __future__ import annotations

from typing import Any

import numpy as np
import oracle
import pandas as pd
import pytest
import statsmodels.api as sm
from helpers import assert_monte_carlo, no_warnings
from scipy import ndimage, special, stats
from statsmodels.genmod.families import links

from statsmodels_mcla import BlockSampling, MCLAMixedGLM
from statsmodels_mcla.estimation import Fitted, unreached_mode
from statsmodels_mcla.exceptions import ImportanceWeightWarning
from statsmodels_mcla.execution import SERIAL

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
        narrow = model.fit(rng=1, nsample=2**13, sampling=BlockSampling(df=15.0, inflate=1.1))
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


@pytest.mark.parametrize(("rows", "sd", "modes"), [(20, 1.5, 2), (40, 2.0, 2), (10, 2.5, 1)])
def test_draws_from_the_law_of_a_mean_and_its_zero_part_reach_all_of_its_modes(
    rows: int, sd: float, modes: int
) -> None:
    """Zeros only are from a small mean or from the zero part: two modes, of both of which the draws are."""
    rng = np.random.default_rng(1)
    g = np.repeat(np.arange(6), rows)
    y = rng.poisson(3.0, size=len(g)) * (rng.uniform(size=len(g)) < 0.6)
    y[:rows] = 0
    beta = np.array([2.5 if modes == 1 else 2.0, -1.0])
    x = np.linspace(-7.0, 7.0, 561)
    mu, zi = np.exp(beta[0] + sd * x)[:, None], (beta[1] + sd * x)[None, :]
    prior = stats.norm.logpdf(x)[:, None] + stats.norm.logpdf(x)
    truth = []
    for k in range(6):
        law = prior.copy()
        for value, times in zip(*np.unique(y[g == k], return_counts=True), strict=True):
            logf = value * np.log(mu) - mu - special.gammaln(value + 1) + special.log_expit(-zi)
            law += times * (np.logaddexp(logf, special.log_expit(zi)) if value == 0 else logf)
        peaks = (law == ndimage.maximum_filter(law, size=5)) & (law > law.max() - 10.0)
        assert k > 0 or peaks.sum() == modes  # premise
        truth.append(special.logsumexp(law) + 2.0 * np.log(x[1] - x[0]))
    model = MCLAMixedGLM.from_formula(
        "y ~ 1 + (1 | g)",
        pd.DataFrame({"y": y, "g": g}),
        family=sm.families.Poisson(),
        ziformula="~ 1 + (1 | g)",
    )
    params = np.array([*beta, sd**2, sd**2])
    model.draw(params, nsample=2**12, rng=1)
    assert model.loglike(params) == pytest.approx(sum(truth), abs=0.01)
    now = model._current
    assert unreached_mode(Fitted(now.design, now.reduction, now.sampler, now.position, SERIAL)) is None
