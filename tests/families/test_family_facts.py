"""Moments, laws, responses and names of the families."""

from __future__ import annotations

import warnings
from dataclasses import FrozenInstanceError
from typing import Any

import numpy as np
import pytest
from family_cases import (
    CASES,
    IDS,
    N_ROWS,
    Case,
    F,
    close,
    every,
    make,
)
from scipy import stats
from statsmodels.genmod.families import links

from statsmodels_mcla.families.registry import conditional_family, supported

# -- facts of the distribution -----------------------------------------------------------------------


@every
def test_mean_and_variance_are_those_of_statsmodels(case: Case) -> None:
    eta = np.linspace(case.low, case.high, 11)
    family, theirs = case.ours, case.sm_family
    mu = theirs.link.inverse(eta)
    close(family.mean(eta), mu, 1e-12)
    close(family.mean_deriv(eta), theirs.link.inverse_deriv(eta), 1e-12)
    close(family.link_function.eta(mu), eta, 1e-9, 1e-12)
    scale = case.phi if family.dispersion == "scale" else 1.0
    one_trial = F.Binomial().variance if family.name == "Binomial" else theirs.variance
    close(family.variance(mu, case.phi), scale * one_trial(mu), 1e-9)


@every
def test_unit_deviance_is_that_of_statsmodels(case: Case) -> None:
    s = make(case)
    mu = case.sm_family.link.inverse(s.eta[:, 0])
    endog = s.endog
    if case.name.startswith("binomial"):
        endog, _ = case.sm_family.initialize(np.column_stack([s.endog, s.n_trials - s.endog]), s.freq)
    ours = case.ours.unit_deviance(s.endog, mu, case.phi, s.n_trials)
    close(ours, case.sm_family.resid_dev(endog, mu) ** 2, 1e-7, 1e-9)
    assert np.all(ours >= -1e-13)


@every
def test_distribution_function_is_that_of_scipy(case: Case) -> None:
    s = make(case)
    mu = case.sm_family.link.inverse(s.eta[:, 0])
    var = np.ones(N_ROWS) if case.multiplies else s.var
    law = case.law(mu, case.phi, s.n_trials, var)
    for y in (s.endog, s.endog - 1, s.endog + 0.5, np.full(N_ROWS, -1.0)):
        close(case.ours.cdf(y, mu, case.phi, s.n_trials, var), law.cdf(y), 1e-9, 1e-13)


@every
def test_samples_have_the_moments_and_the_law(case: Case) -> None:
    eta = case.low + 0.6 * (case.high - case.low)
    mu = float(case.sm_family.link.inverse(eta))
    size, n, v = 20000, (6.0 if case.name.startswith("binomial") else 1.0), (1.0 if case.multiplies else 1.6)
    draws = case.ours.sample(np.random.default_rng(8), np.full(size, mu), case.phi, n, v)
    assert draws.dtype == np.float64
    assert draws.shape == (size,)
    law = case.law(mu, case.phi, n, v)
    close(case.ours.variance(np.array([mu]), case.phi)[0] * n / v, law.var(), 1e-9)
    se = np.sqrt(law.var() / size)
    assert abs(draws.mean() - law.mean()) < 4.5 * se
    kurtosis = float(law.stats("k"))
    assert abs(draws.var() - law.var()) < 4.5 * law.var() * np.sqrt((kurtosis + 2) / size)
    for p in (0.1, 0.5, 0.9):
        q = law.ppf(p)
        assert abs((draws <= q).mean() - law.cdf(q)) < 4.5 * 0.5 / np.sqrt(size)


def test_starting_dispersion() -> None:
    rng = np.random.default_rng(5)
    mu = rng.uniform(1, 5, 4000)
    for case in CASES:
        family = case.ours
        if family.dispersion != "scale":
            continue
        v = rng.uniform(0.5, 2, mu.size)
        y = family.sample(rng, mu, 0.3, 1.0, v)
        assert family.start_phi(y, mu, 1.0, 1.0, v) == pytest.approx(0.3, rel=0.2)
        assert family.start_phi(mu, mu) == 1.0  # a perfect fit says nothing
    assert CASES[6].ours.start_phi(mu, mu) == 0.7
    assert CASES[0].ours.start_phi(mu, mu) == 1.0


# -- the response ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("case_name", "endog", "message"),
    [
        ("binomial-logit", [0, 1, 0.5], "endog: family Binomial needs integers .*got 0.5 at row 2"),
        ("binomial-logit", [0, 1, -1], "endog: family Binomial needs 0 or 1 .*got -1 at row 2"),
        ("binomial-probit", [0, 2, 1], "endog: family Binomial needs 0 or 1 .*got 2 at row 1"),
        ("binomial-logit", ["yes", "no"], "endog: family Binomial needs numbers; got 'yes' at row 0"),
        ("binomial-logit", np.array([0, "1"], dtype=object), "got '1' at row 1"),
        ("binomial-logit", [[1, 2], [3, -1]], "non-negative counts; got -1 at row 1, column 1"),
        ("binomial-logit", [[0, 0], [0, 0]], "at least one trial in some row"),
        ("binomial-logit", [[1, 2, 3]], r"endog must be one column, or two .*shape \(1, 3\)"),
        ("binomial-logit", np.zeros((1, 2, 2)), "endog must be one- or two-dimensional"),
        ("poisson-log", [1, 2.5], "endog: family Poisson needs non-negative integers; got 2.5 at row 1"),
        ("poisson-log", [1, -2], "endog: family Poisson needs non-negative integers; got -2 at row 1"),
        ("poisson-log", [[1, 2]], "endog must have one column for family Poisson"),
        ("nb-log", [0.1], "endog: family NegativeBinomial needs non-negative integers; got 0.1 at row 0"),
        ("gamma-log", [1, 0.0], "endog: family Gamma needs positive numbers; got 0 at row 1"),
        (
            "inverse-gaussian-log",
            [1, 2, -3],
            "InverseGaussian needs positive numbers; got -3 at row 2",
        ),
        ("gaussian-identity", [1, np.nan], "endog: family Gaussian needs finite numbers; got nan at row 1"),
        ("gaussian-identity", [1, np.inf], "got inf at row 1"),
        ("gaussian-identity", [1, None], "endog: family Gaussian needs numbers; got None at row 1"),
        ("gaussian-identity", [1 + 2j], "needs numbers"),
    ],
)
def test_response_outside_the_family(case_name: str, endog: Any, message: str) -> None:
    family = CASES[IDS.index(case_name)].ours
    with pytest.raises(ValueError, match=message):
        family.check_response(endog)


def test_successes_and_trials() -> None:
    family = CASES[0].ours
    with pytest.raises(ValueError, match=r"endog: family Binomial needs successes .*got 4 at row 1"):
        family.check_response([1, 4], n_trials=[3, 3])
    with pytest.raises(ValueError, match=r"integer numbers of trials; got 2.5 at row 0"):
        family.check_response([1, 2], n_trials=[2.5, 3])
    with pytest.raises(ValueError, match="n_trials is for the Binomial family only; got family Poisson"):
        CASES[4].ours.check_response([1, 2], n_trials=3)
    y, n = family.check_response([1, 3], n_trials=3)
    assert (y.tolist(), n.tolist()) == ([1.0, 3.0], [3.0, 3.0])
    y, n = family.check_response([[1, 2], [0, 4]])
    assert (y.tolist(), n.tolist()) == ([1.0, 0.0], [3.0, 4.0])
    y, n = family.check_response(np.array([True, False]))
    assert (y.tolist(), n.tolist()) == ([1.0, 0.0], [1.0, 1.0])


@every
def test_response_of_the_family_passes(case: Case) -> None:
    s = make(case)
    trials = s.n_trials if case.name.startswith("binomial") else None
    response = case.ours.check_response(s.endog[:, None], trials)
    assert np.array_equal(response.endog, s.endog)
    assert np.array_equal(response.n_trials, s.n_trials)
    as_objects = case.ours.check_response(s.endog.astype(object), trials)
    assert as_objects.endog.dtype == np.float64


# -- the registry ----------------------------------------------------------------------------------


def test_names() -> None:
    assert [(c.ours.name, c.ours.link, c.ours.dispersion) for c in CASES] == [
        ("Binomial", "logit", None),
        ("Binomial", "probit", None),
        ("Binomial", "cloglog", None),
        ("Binomial", "cauchy", None),
        ("Poisson", "log", None),
        ("Poisson", "sqrt", None),
        ("NegativeBinomial", "log", "alpha"),
        ("Gamma", "log", "scale"),
        ("Gamma", "inverse", "scale"),
        ("Gaussian", "identity", "scale"),
        ("Gaussian", "log", "scale"),
        ("InverseGaussian", "log", "scale"),
    ]


def test_equivalent_links_of_statsmodels() -> None:
    assert conditional_family(F.Gamma(links.Power(-1), check_link=False)) == CASES[8].ours
    assert conditional_family(F.Gaussian(links.Power(1), check_link=False)) == CASES[9].ours
    assert conditional_family(F.Binomial(links.CDFLink(), check_link=False)) == CASES[1].ours
    assert conditional_family(F.Binomial(links.CDFLink(stats.cauchy), check_link=False)) == CASES[3].ours
    alias = getattr(links, "probit", None)
    if alias is not None:  # removed after statsmodels 0.15
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            assert conditional_family(F.Binomial(alias())) == CASES[1].ours


@pytest.mark.parametrize(
    "family",
    [
        F.Binomial(links.LogLog()),
        F.Binomial(links.CDFLink(stats.logistic), check_link=False),
        F.Poisson(links.Identity()),
        F.Gamma(links.Power(0.3), check_link=False),
        F.Tweedie(var_power=1.5),
    ],
    ids=["loglog", "cdf-logistic", "poisson-identity", "gamma-power", "tweedie"],
)
def test_unknown_family_or_link_lists_the_known_ones(family: Any) -> None:
    with pytest.raises(ValueError, match=r"family .* is not supported") as error:
        conditional_family(family)
    for name, known in supported().items():
        assert f"{name}: {', '.join(known)}" in str(error.value)


def test_statsmodels_classes_that_inherit_are_not_mistaken() -> None:
    class Other(F.Binomial):
        """A family of the user's own, whose likelihood may be anything."""

    with pytest.raises(ValueError, match="Other with link Logit is not supported"):
        conditional_family(Other())


@pytest.mark.parametrize("family", [F.Binomial, "binomial", None])
def test_family_must_be_an_instance(family: Any) -> None:
    with pytest.raises(TypeError, match="family must be the name or an instance"):
        conditional_family(family)


def test_families_are_frozen_and_pass_through() -> None:
    for case in CASES:
        family = case.ours
        assert conditional_family(family) is family
        with pytest.raises(FrozenInstanceError):
            family.anything = 1
        assert hash(family) == hash(case.ours)
