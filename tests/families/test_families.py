"""Families against scipy.stats, statsmodels and finite differences: none of them shares code with ours."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from family_cases import (
    CASES,
    N_ROWS,
    Case,
    F,
    Sample,
    assert_complete,
    central,
    close,
    every,
    make,
    one_row,
    with_dispersion,
)
from scipy import special, stats

import statsmodels_mcla.families as package
from statsmodels_mcla.families.registry import conditional_family
from statsmodels_mcla.families.stirling import remainder, remainder_d1, remainder_d2

# -- log density and constants ---------------------------------------------------------------------


@every
@pytest.mark.parametrize("weighted", [False, True])
def test_log_density_is_that_of_scipy(case: Case, weighted: bool) -> None:
    s = make(case, weighted=weighted)
    family = case.ours
    y, w, v = s.data(family)
    ours = family.rows(y, w, v, s.eta, case.phi).logf.sum(axis=0)
    ours = ours + family.constant(s.endog, s.n_trials, s.freq, s.var)
    mu = case.sm_family.link.inverse(s.eta)
    column = (a[:, None] for a in (s.endog, s.n_trials, s.var))
    endog, n, var = column
    truth = (s.freq[:, None] * case.log_density(endog, mu, case.phi, n, var)).sum(axis=0)
    close(ours, truth, 1e-11, 1e-11)


@every
def test_log_density_is_that_of_statsmodels(case: Case) -> None:
    s = make(case)
    family = case.ours
    mu = case.sm_family.link.inverse(s.eta[:, 0])
    if case.name.startswith("binomial"):
        endog, _ = case.sm_family.initialize(np.column_stack([s.endog, s.n_trials - s.endog]), s.freq)
    else:
        endog = s.endog
    scale = 1.0 if family.dispersion == "alpha" else case.phi
    theirs = case.sm_family.loglike_obs(endog, mu, var_weights=s.var, scale=scale)
    for i in range(0, N_ROWS, 7):
        one = slice(i, i + 1)
        arguments = s.endog[one], s.n_trials[one], 1.0, s.var[one]
        y, w, v = (a[:, None] for a in family.row_data(*arguments))
        row = family.rows(y, w, v, s.eta[one, :1], case.phi).logf[0, 0] + family.constant(*arguments)
        close(row, theirs[i], 1e-10, 1e-11)


@every
def test_frequency_weight_two_is_the_row_twice(case: Case) -> None:
    s = make(case, weighted=False)
    family = case.ours
    twice = np.repeat(np.arange(N_ROWS), 2)
    double = Sample(s.endog, s.n_trials, 2 * s.freq, s.var, s.eta)
    repeated = Sample(s.endog[twice], s.n_trials[twice], s.freq[twice], s.var[twice], s.eta[twice])
    total = [
        family.blocks(*a.data(family), a.eta, case.phi).loglik
        + family.constant(a.endog, a.n_trials, a.freq, a.var)
        for a in (double, repeated)
    ]
    close(total[0], total[1], 1e-12)


@every
def test_mergeable_rows_add_up(case: Case) -> None:
    s = make(case, draws=1)
    family = case.ours
    y, w, v = s.data(family)
    same = np.full((N_ROWS, 1), 0.7)
    apart = family.blocks(y, w, v, same, case.phi)
    whole = family.blocks(y.sum(0, keepdims=True), w.sum(0, keepdims=True), v[:1], same[:1], case.phi)
    agree = np.allclose(apart.loglik, whole.loglik, rtol=1e-12) and np.allclose(
        apart.d1.sum(), whole.d1.sum(), rtol=1e-9
    )
    assert agree == family.mergeable


# -- derivatives -----------------------------------------------------------------------------------


@every
def test_eta_derivatives(case: Case) -> None:
    s = make(case)
    family = case.ours
    y, w, v = s.data(family)

    def terms(eta: Any) -> Any:
        return family.rows(y, w, v, eta, case.phi)

    at = terms(s.eta)
    step = 2e-3 if case.low < 0 else 5e-4
    close(at.d1, central(lambda e: terms(e).logf, s.eta, step), 1e-7, 1e-8)
    close(at.d2, central(lambda e: terms(e).d1, s.eta, step), 1e-7, 1e-8)
    close(family.third(y, w, v, s.eta, case.phi), central(lambda e: terms(e).d2, s.eta, step), 1e-6, 1e-7)


def test_third_derivative_of_the_base_class() -> None:
    case = CASES[0]
    s = make(case)
    family = case.ours
    y, w, v = s.data(family)
    numeric = package.ConditionalFamily.third(family, y, w, v, s.eta)
    close(numeric, family.third(y, w, v, s.eta), 1e-7, 1e-9)


@with_dispersion
@pytest.mark.parametrize("phi", [0.05, 0.7, 3.0])
def test_dispersion_derivatives(case: Case, phi: float) -> None:
    s = make(case)
    family = case.ours
    y, w, v = s.data(family)
    at = family.dispersion_rows(y, w, v, s.eta, phi)
    assert_complete(family, y, w, v, s.eta, phi)
    h = 1e-3 * phi
    size = 1 + np.abs(at.dphi).max()
    close(at.dphi, central(lambda p: family.rows(y, w, v, s.eta, p).logf, phi, h), 1e-8, 1e-9 * size)
    second = central(lambda p: family.dispersion_rows(y, w, v, s.eta, p).dphi, phi, h)
    close(at.dphi2, second, 1e-8, 1e-9 * np.abs(at.dphi2).max())
    close(at.d1phi, central(lambda p: family.rows(y, w, v, s.eta, p).d1, phi, h), 1e-8, 1e-8)
    mixed = central(lambda p: family.rows(y, w, v, s.eta, p).d2, phi, h)
    close(family.d2_dispersion(y, w, v, s.eta, phi), mixed, 1e-8, 1e-8)


def test_no_dispersion_is_an_error() -> None:
    one = np.ones((1, 1))
    for family in (conditional_family(F.Poisson()), conditional_family(F.Binomial())):
        with pytest.raises(TypeError, match="no dispersion"):
            family.dispersion_rows(one, one, 1.0, one, 1.0)
        with pytest.raises(TypeError, match="no dispersion"):
            family.d2_dispersion(one, one, 1.0, one, 1.0)


@pytest.mark.parametrize("alpha", [1e-4, 1e-6, 1e-8])
def test_negative_binomial_tends_to_poisson(alpha: float) -> None:
    rng = np.random.default_rng(3)
    eta = rng.uniform(-1, 3, (50, 1))
    mu = np.exp(eta)
    y = rng.poisson(mu).astype(float)
    one = np.ones_like(y)
    family = conditional_family(CASES[6].sm_family)
    poisson = conditional_family(F.Poisson()).rows(y, one, one, eta)
    slope = 0.5 * ((y - mu) ** 2 - y)  # of the log density in alpha, at alpha = 0
    largest = 1 + np.abs(y).max() ** 3
    ours = family.rows(y, one, one, eta, alpha)
    close(ours.logf, poisson.logf + alpha * slope, 1e-12, alpha**2 * largest + 1e-12)
    derivatives = family.dispersion_rows(y, one, one, eta, alpha)
    close(derivatives.dphi, slope, 1e-6, alpha * largest + 1e-12 / alpha)
    close(derivatives.d1phi, -mu * (y - mu), 1e-12, alpha * largest * 2)


@pytest.mark.parametrize("x", [0.3, 7.0, 49.9, 50.1, 300.0])
def test_stirling_remainder_by_binet_integral(x: float) -> None:
    # Binet's second formula: 2 int arctan(t/x)/(exp(2 pi t) - 1) dt, here with its x-derivatives.
    t, weight = np.polynomial.legendre.leggauss(400)
    t, weight = 4 * (t + 1), 4 * weight
    kernel = 2 * weight / np.expm1(2 * np.pi * t)
    at = np.asarray(x)
    close(remainder(at), (kernel * np.arctan(t / x)).sum(), 1e-11, 1e-13)
    close(remainder_d1(at), -(kernel * t / (x**2 + t**2)).sum(), 1e-11, 1e-15)
    close(remainder_d2(at), (kernel * 2 * x * t / (x**2 + t**2) ** 2).sum(), 1e-11, 1e-15)


# -- extremes --------------------------------------------------------------------------------------

EXTREMES = np.array([-800.0, -700.0, -355.0, -40.0, -1e-9, 0.0, 1e-9, 40.0, 355.0, 700.0, 800.0])


@every
def test_extreme_linear_predictors(case: Case) -> None:
    family = case.ours
    positive = case.name.startswith(("gamma", "inverse"))
    for endog in (1.0, 3.0) if positive else (0.0, 1.0, 3.0):
        y, w, v = family.row_data(np.array([endog]), 3.0, 1.0, 1.0)
        arguments = (y[:, None], w[:, None], v[:, None], EXTREMES[None, :], case.phi)
        rows = family.rows(*arguments)
        assert not any(np.isnan(a).any() for a in rows)
        blocks = family.blocks(*arguments)
        assert np.all(np.isfinite(blocks.loglik) | (blocks.loglik == -np.inf))
        assert np.isfinite(blocks.d1).all()
        assert np.isfinite(blocks.d2).all()
        close(
            blocks.loglik[np.isfinite(blocks.loglik)], rows.logf[0][np.isfinite(blocks.loglik)], 1e-12, 1e-12
        )
        if family.dispersion:
            terms = family.dispersion_rows(*arguments)
            assert all(np.isfinite(a).all() for a in terms)


def test_tails_are_accurate() -> None:
    logit, probit, cloglog, cauchy, poisson = CASES[:5]
    close(one_row(logit, 1, 1, -700)[:2], [-700.0, 1.0], 1e-15)
    close(one_row(logit, 0, 1, 700)[:2], [-700.0, -1.0], 1e-15)
    close(one_row(logit, 1, 1, 700), [-np.exp(-700), 0.0, -np.exp(-700)], 1e-12)
    for x in (-5.0, -38.0, -150.0, -700.0):
        a = -x
        log_f, d1, d2 = one_row(probit, 1, 1, x)
        close(log_f, special.log_ndtr(x), 1e-13)
        hazard = np.exp(-0.5 * x * x - 0.5 * np.log(2 * np.pi) - special.log_ndtr(x))
        close(d1, hazard, 1e-9)
        if a > 30:  # the hazard's continued fraction a + 1/(a + 2/(a + 3/(a + ...)))
            rest = 1 / (a + 2 / (a + 3 / (a + 4 / (a + 5 / (a + 6 / a)))))
            close(d1, a + rest, 1e-13)
            close(d2, -(a + rest) * rest, 2e-12)
        mirrored = one_row(probit, 0, 1, -x)
        close(mirrored, [log_f, -d1, d2], 1e-15)
    far = one_row(probit, 1, 1, 30.0)
    close(far[:2], [-special.ndtr(-30.0), stats.norm.pdf(30.0)], 1e-12)
    for x in (-1e3, -1e6):
        close(one_row(cauchy, 1, 1, x), [np.log(-np.arctan(1 / x) / np.pi), -1 / x, 1 / x**2], 1e-5)
    close(one_row(cauchy, 0, 1, -1e6)[0], np.log1p(-1e-6 / np.pi), 1e-10)
    close(one_row(cloglog, 1, 1, -700)[:2], [-700.0, 1.0], 1e-15)
    close(one_row(cloglog, 1, 1, -40)[2], -0.5 * np.exp(-40), 1e-12)
    close(one_row(cloglog, 1, 1, 3.0)[0], np.log1p(-np.exp(-np.exp(3.0))), 1e-14)
    close(one_row(cloglog, 0, 1, 700), [-np.exp(700.0)] * 3, 1e-12)
    close(one_row(poisson, 3, 1, -700), [-2100.0, 3.0, -np.exp(-700)], 1e-15)


@pytest.mark.parametrize(("switch", "which"), [(-50.0, "d2"), (-30.0, "third")])
def test_probit_is_smooth_where_its_tail_series_take_over(switch: float, which: str) -> None:
    around = np.array([[switch - 1e-9, switch + 1e-9]])
    one = np.ones((1, 1))
    family = CASES[1].ours
    values = family.rows(one, one, one, around).d2 if which == "d2" else family.third(one, one, one, around)
    close(values[0, 0], values[0, 1], 2e-12 if which == "d2" else 1e-6)


def test_gamma_inverse_has_no_density_below_zero() -> None:
    terms = one_row(CASES[8], 2.0, 1.0, -0.5)
    assert terms == [-np.inf, 0.0, 0.0]
