"""When a fit has enough draws."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import model_of

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


@pytest.mark.parametrize("bad", [0.0, -1.0, "x"])
def test_tolerances_are_positive(bad: object) -> None:
    with pytest.raises(ValueError, match="llf_tol"):
        model_of("cbpp").fit(llf_tol=bad)
