"""Monte Carlo errors are honest: estimates over seeds scatter around the truth as their MCSEs say.

The whole comparison, 200 seeds on all data sets, is ``python -m tests.calibration.calibrate``; its table stands
beside it.  Here are fewer seeds.  With perfect MCSEs the n values (estimate - truth) / MCSE would be standard
normal, their variance a chi-square with n - 1 degrees of freedom over n - 1, and their mean normal with variance
1 / n: gates are the quantiles of these laws at 1e-4 on each side.  Seeds are fixed, so that a gate does not fail
by chance from one day to the next.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tests.benchmarks.problems import truth
from tests.calibration.calibrate import CASES, EXACT, Calibration, Fit, calibrations, fit, limits, run

BY_NAME = {case.name: case for case in CASES}
QUICK, SLOW = 30, 40  # seeds


def assert_honest(fits: list[Fit], dataset: str, mcse_ratio: float) -> list[Calibration]:
    """Assert that every fit converged with small errors, and that the errors are what they say."""
    assert all(f.converged for f in fits)
    found = calibrations(fits, truth(dataset))
    sd, mean = limits(len(fits))
    for c in found:
        # an error of the truth itself moves the mean by as much: a quarter of what is allowed hides nothing (the truth
        # of salamander, from draws too, has 0.1 of the MCSE of its most precise estimate)
        assert c.exact or c.blur < 0.25 * mean[1], c.parameter
        assert c.within(sd, mean), f"{dataset}, {c.parameter}: sd {c.sd:.2f}, mean {c.mean:.2f}"
    for c in found[:-1]:  # parameters, without the log-likelihood
        # in units of the true standard error, from which that of a fit may differ by its own error of 2 %
        assert np.max(c.ratios) <= 1.02 * mcse_ratio
    return found


@pytest.mark.parametrize("name", ["bacteria", "cbpp"])
def test_default_errors_are_honest(name: str) -> None:
    found = run([BY_NAME[name]], range(1, QUICK + 1))[name]
    assert not any(f.warnings for f in found)
    assert_honest(found, name, 0.01)


def test_an_estimate_that_needs_no_draws_is_exact() -> None:
    fits = run([BY_NAME["epil"]], range(1, 4))["epil"]
    by_name = {c.parameter: c for c in calibrations(fits, truth("epil"))}
    # within subjects the Poisson likelihood of V4 factorises from the random effects
    assert by_name["V4"].exact
    assert by_name["V4"].within()
    assert not by_name["subject"].exact
    assert np.min(by_name["subject"].ratios) > 1e3 * EXACT


@pytest.mark.slow
@pytest.mark.parametrize("name", ["salamander", "bacteria"])
def test_default_errors_are_honest_over_more_seeds(name: str) -> None:
    found = run([BY_NAME[name]], range(1001, 1001 + SLOW), jobs=2)[name]
    assert_honest(found, name, 0.01)


@pytest.mark.slow
@pytest.mark.parametrize("dataset", ["salamander", "bacteria"])
def test_errors_of_independent_draws_are_honest(dataset: str) -> None:
    name = f"{dataset}, plain"
    found = run([BY_NAME[name]], range(1001, 1001 + SLOW), jobs=2)[name]
    assert_honest(found, dataset, 0.06)


# Negative controls ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cbpp() -> list[Fit]:
    return run([BY_NAME["cbpp"]], range(1, QUICK + 1))["cbpp"]


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_wrong_errors_are_found(cbpp: list[Fit], factor: float) -> None:
    wrong = [f._replace(mcse=factor * f.mcse) for f in cbpp]
    with pytest.raises(AssertionError, match="sd"):
        assert_honest(wrong, "cbpp", 0.01)


def test_a_shift_is_found(cbpp: list[Fit]) -> None:
    wrong = [f._replace(params=f.params + f.mcse) for f in cbpp]
    with pytest.raises(AssertionError, match="mean"):
        assert_honest(wrong, "cbpp", 0.01)


def test_an_exact_estimate_that_is_off_is_found() -> None:
    fits = [fit(BY_NAME["epil"], seed) for seed in (1, 2)]
    found = {c.parameter: c for c in calibrations(fits, truth("epil"))}["V4"]
    assert not dataclasses.replace(found, errors=found.errors + 1e-5).within()


def test_limits_are_those_of_normals() -> None:
    rng = np.random.default_rng(0)
    z = rng.standard_normal((20000, QUICK))
    (low, high), (left, right) = limits(QUICK, 0.05)
    sd, mean = z.std(axis=1, ddof=1), z.mean(axis=1)
    for outside in (sd < low, sd > high, mean < left, mean > right):
        assert abs(outside.mean() - 0.05) < 0.006  # four binomial standard errors
