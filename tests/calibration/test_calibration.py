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

from statsmodels_mcla.likelihood.monte_carlo.precision import Precision
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
        # an error of the truth itself moves the mean by as much
        assert c.exact or c.blur < 0.1, c.parameter
        assert c.within(sd, mean), f"{dataset}, {c.parameter}: sd {c.sd:.2f}, mean {c.mean:.2f}"
    for c in found[:-1]:  # parameters, without the log-likelihood
        assert np.max(c.ratios) <= mcse_ratio  # in units of the true standard error
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


def test_fits_do_not_stop_where_standard_errors_look_large_by_chance() -> None:
    """Stopped by their own standard errors as they are, these would have 1.00 to 1.02 % of the true ones."""
    found = run([BY_NAME["salamander"]], [5, 7, 39, 1027])["salamander"]
    for c in calibrations(found, truth("salamander"))[:-1]:
        assert np.max(c.ratios) <= 0.01


def test_the_rule_to_stop_by_counts_errors_of_standard_errors() -> None:
    """With k times the draws, r / sqrt(k) (1 + 3 e / sqrt(k)) is the tolerance."""
    r, e, tol = np.array([0.03, 0.02, 0.0]), np.array([0.05, 0.3, 1.0]), 0.01
    k = Precision(np.eye(3), np.diag(r**2), np.zeros(3), e, llf_mcse=0.0, unit=np.ones(3)).excess(tol)
    upper = r / np.sqrt(k) * (1 + 3 * e / np.sqrt(k))
    assert np.max(upper) == pytest.approx(tol)
    for more, enough in ((1.01, True), (0.99, False)):
        errors = np.diag(r**2) / (more * k), np.zeros(3), e / np.sqrt(more * k)
        grown = Precision(np.eye(3), *errors, llf_mcse=0.0, unit=np.ones(3))
        assert grown.meets(tol)
        assert grown.surely_meets(tol) == enough


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
