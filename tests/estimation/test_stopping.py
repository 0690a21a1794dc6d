"""When a fit has enough draws."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from helpers import F, model_of

from statsmodels_mcla import MCLAMixedGLM
from statsmodels_mcla.estimation.search import monte_carlo_fit
from statsmodels_mcla.exceptions import SingularFitWarning
from statsmodels_mcla.likelihood.monte_carlo import evaluate

TOLERANCES = [0.05, 0.02, 0.01]


@pytest.mark.parametrize("name", ["epil_slopes", "cbpp", "bacteria"])
def test_a_fit_stops_when_the_error_of_the_log_likelihood_is_small_enough(name: str) -> None:
    fits = [model_of(name).fit(rng=1, llf_tol=tol) for tol in TOLERANCES]
    for fit, tol in zip(fits, TOLERANCES, strict=True):
        assert fit.converged
        assert fit.monte_carlo.draws.max() < 2**13  # premise: nothing else stopped it
        assert fit.llf_mcse <= tol


def test_without_a_tolerance_it_stops_earlier() -> None:
    free = model_of("epil_slopes").fit(rng=1, llf_tol=np.inf)
    bound = model_of("epil_slopes").fit(rng=1, llf_tol=free.llf_mcse / 3)
    assert bound.llf_mcse <= free.llf_mcse / 3
    assert bound.monte_carlo.draws.sum() > free.monte_carlo.draws.sum()
    assert np.all(free.mcse <= 0.0101 * free.bse)  # the estimates have theirs all the same


def test_a_variance_of_nearly_zero_costs_no_draws(capsys: pytest.CaptureFixture[str]) -> None:
    """It is left for zero as soon as its maximum is known, however many draws a standard error of it would take."""
    rng = np.random.default_rng(1)
    g, x = np.repeat(np.arange(25), 10), rng.normal(size=250)
    y = rng.poisson(np.exp(0.6 + 0.4 * x + 0.6 * rng.normal(size=25)[g]))
    data = pd.DataFrame({"y": y, "x": x, "g": g})
    model = MCLAMixedGLM.from_formula("y ~ x + (1 | g)", data, family=F.Poisson(), ziformula="~ 1 + (1 | g)")
    with pytest.warns(SingularFitWarning, match="variance of 'zi: g' is zero"):
        fit = model.fit(rng=1, disp=True)
    assert fit.converged
    draws = [int(n) for n in re.findall(r"draws +(\d+)", capsys.readouterr().out)]
    assert max(draws) <= 512


def test_draws_that_lead_nowhere_make_room_for_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Anchor after anchor is further from the maximum: the few draws of rows with an effect of their own are noisy."""
    seen: list[int] = []

    def counted(*args: Any, **kwargs: Any) -> Any:
        seen.append(1)
        return evaluate(*args, **kwargs)

    monkeypatch.setattr(monte_carlo_fit, "evaluate", counted)
    rng = np.random.default_rng(7)
    s, x = np.repeat(np.arange(60), 12), rng.normal(size=720)
    eta = np.log(1000.0) + 0.1 * x + 0.3 * rng.normal(size=60)[s] + 0.2 * rng.normal(size=720)
    data = pd.DataFrame({"y": rng.poisson(np.exp(eta)), "x": x, "s": s, "row": np.arange(720)})
    fit = MCLAMixedGLM.from_formula(
        "y ~ x + (1 | s) + (1 | row)", data=data, family=sm.families.Poisson()
    ).fit(rng=1)
    assert fit.converged
    assert np.all(fit.mcse <= 0.01 * fit.bse)
    assert len(seen) < 40  # 99 when it went on for 25 anchors


@pytest.mark.parametrize("bad", [0.0, -1.0, "x"])
def test_tolerances_are_positive(bad: object) -> None:
    with pytest.raises(ValueError, match="llf_tol"):
        model_of("cbpp").fit(llf_tol=bad)
