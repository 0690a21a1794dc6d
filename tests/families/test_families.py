"""Families against scipy.stats, statsmodels and finite differences: none of them shares code with ours."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import FrozenInstanceError, dataclass
from typing import Any

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats
from statsmodels.genmod.families import links

import statsmodels_mcla.families as package
from statsmodels_mcla.families.registry import conditional_family, supported
from statsmodels_mcla.families.row_terms import Workspace
from statsmodels_mcla.families.stirling import remainder, remainder_d1, remainder_d2

N_ROWS = 40


@dataclass(frozen=True)
class Case:
    """A family instance of statsmodels, with the law that scipy.stats has for it."""

    name: str
    sm_family: Any
    law: Callable[[Any, Any, Any, Any], Any]  # (mu, phi, n_trials, var_weights) -> frozen distribution
    multiplies: bool  # whether variance weights multiply the log density instead of dividing a scale
    phi: float = 1.0
    low: float = -2.5
    high: float = 2.5

    @property
    def ours(self) -> Any:
        return conditional_family(self.sm_family)

    def log_density(self, y: Any, mu: Any, phi: float, n: Any, v: Any) -> Any:
        if self.multiplies:
            law = self.law(mu, phi, n, 1.0)
            return v * law.logpmf(y)
        return self.law(mu, phi, n, v).logpdf(y)


def _binomial(mu: Any, phi: Any, n: Any, v: Any) -> Any:
    return stats.binom(np.asarray(n, dtype=int), mu)


def _poisson(mu: Any, phi: Any, n: Any, v: Any) -> Any:
    return stats.poisson(mu)


def _nb2(mu: Any, phi: Any, n: Any, v: Any) -> Any:
    return stats.nbinom(1 / phi, 1 / (1 + phi * mu))


def _gamma(mu: Any, phi: Any, n: Any, v: Any) -> Any:
    return stats.gamma(v / phi, scale=mu * phi / v)


def _gaussian(mu: Any, phi: Any, n: Any, v: Any) -> Any:
    return stats.norm(mu, np.sqrt(phi / v))


def _inverse_gaussian(mu: Any, phi: Any, n: Any, v: Any) -> Any:
    return stats.invgauss(mu * phi / v, scale=v / phi)


F = sm.families
CASES = [
    Case("binomial-logit", F.Binomial(), _binomial, True),
    Case("binomial-probit", F.Binomial(links.Probit()), _binomial, True),
    Case("binomial-cloglog", F.Binomial(links.CLogLog()), _binomial, True, low=-4, high=1.5),
    Case("binomial-cauchy", F.Binomial(links.Cauchy()), _binomial, True, low=-20, high=20),
    Case("poisson-log", F.Poisson(), _poisson, True),
    Case("poisson-sqrt", F.Poisson(links.Sqrt()), _poisson, True, low=0.3, high=4),
    Case("nb-log", F.NegativeBinomial(links.Log(), alpha=0.7), _nb2, True, phi=0.7),
    Case("gamma-log", F.Gamma(links.Log()), _gamma, False, phi=0.4),
    Case("gamma-inverse", F.Gamma(links.InversePower()), _gamma, False, phi=0.4, low=0.2, high=4),
    Case("gaussian-identity", F.Gaussian(), _gaussian, False, phi=1.7),
    Case("gaussian-log", F.Gaussian(links.Log()), _gaussian, False, phi=1.7),
    Case("inverse-gaussian-log", F.InverseGaussian(links.Log()), _inverse_gaussian, False, phi=0.3),
]
IDS = [case.name for case in CASES]
every = pytest.mark.parametrize("case", CASES, ids=IDS)
with_dispersion = pytest.mark.parametrize(
    "case", [c for c in CASES if c.ours.dispersion], ids=[c.name for c in CASES if c.ours.dispersion]
)


@dataclass(frozen=True)
class Sample:
    """Data of a case: response, trials, weights, and linear predictors of several draws."""

    endog: Any
    n_trials: Any
    freq: Any
    var: Any
    eta: Any

    def data(self, family: Any) -> tuple[Any, Any, Any]:
        y, w, v = family.row_data(self.endog, self.n_trials, self.freq, self.var)
        return y[:, None], w[:, None], v[:, None]


def make(case: Case, *, weighted: bool = True, draws: int = 3, seed: int = 0) -> Sample:
    rng = np.random.default_rng([seed, *case.name.encode()])
    eta = rng.uniform(case.low, case.high, (N_ROWS, draws))
    n = rng.integers(1, 9, N_ROWS).astype(float) if case.name.startswith("binomial") else np.ones(N_ROWS)
    freq = rng.integers(1, 4, N_ROWS).astype(float) if weighted else np.ones(N_ROWS)
    var = rng.uniform(0.5, 2.0, N_ROWS) if weighted else np.ones(N_ROWS)
    mu = case.sm_family.link.inverse(eta[:, 0])
    endog = np.asarray(case.law(mu, case.phi, n, 1.0).rvs(size=N_ROWS, random_state=rng), dtype=float)
    return Sample(endog, n, freq, var, eta)


def close(actual: Any, wanted: Any, rtol: float, atol: float = 0.0) -> None:
    np.testing.assert_allclose(actual, wanted, rtol=rtol, atol=atol)


def central(f: Callable[[Any], Any], x: Any, step: Any) -> Any:
    """Fourth-order central difference."""
    return (8 * (f(x + step) - f(x - step)) - (f(x + 2 * step) - f(x - 2 * step))) / (12 * step)


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


def one_row(case: Case, y: float, w: float, eta: float) -> Any:
    terms = case.ours.rows(*(np.array([[a]]) for a in (y, w, 1.0, eta)), case.phi)
    return [float(a[0, 0]) for a in terms]


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


# -- the kernels -----------------------------------------------------------------------------------


@every
@pytest.mark.parametrize("shape", [(N_ROWS, 5), (2, 20, 5), (1, N_ROWS, 1)])
def test_blocks_sum_the_rows(case: Case, shape: tuple[int, ...]) -> None:
    s = make(case)
    family = case.ours
    column = (*shape[:-1], 1)
    y, w, v = (a.reshape(column) for a in s.data(family))
    eta = np.random.default_rng(1).uniform(case.low, case.high, shape)
    rows = family.rows(y, w, v, eta, case.phi)
    work = Workspace()
    for scratch in (None, work, work):
        blocks = family.blocks(y, w, v, eta, case.phi, scratch)
        close(blocks.loglik, rows.logf.sum(axis=-2), 1e-12, 1e-12)
        close(blocks.d1, rows.d1, 1e-12, 1e-13)
        close(blocks.d2, rows.d2, 1e-12, 1e-13)


@pytest.mark.parametrize("n", [1, 16, 63, 64, 65, 150])
@pytest.mark.parametrize("scale", [1.0, 30.0, 600.0])
def test_product_kernel_equals_the_plain_one(n: int, scale: float) -> None:
    rng = np.random.default_rng(n)
    y = rng.integers(0, 2, (2, n, 1)).astype(float)
    w = np.ones_like(y)
    plain = conditional_family(F.Binomial())
    fast = plain.specialise(y, w)
    assert type(fast) is not type(plain)
    eta = scale * rng.uniform(-1.3, 1.3, (2, n, 9))
    rows = plain.rows(y, w, 1.0, eta)
    blocks = fast.blocks(y, w, 1.0, eta)
    close(blocks.loglik, rows.logf.sum(axis=-2), 1e-13, 1e-12)
    close(blocks.d1, rows.d1, 1e-15, 1e-15)
    close(blocks.d2, rows.d2, 1e-15, 1e-15)


def test_product_kernel_premise_some_products_overflow() -> None:
    with np.errstate(over="ignore"):
        assert np.isinf(np.prod(1 + np.exp(np.full(64, 30.0))))


def test_nan_is_not_hidden() -> None:
    y = np.ones((2, 1))
    eta = np.array([[0.0, 1.0], [np.nan, 1.0]])
    blocks = conditional_family(F.Binomial()).specialise(y, y).blocks(y, y, 1.0, eta)
    assert np.isnan(blocks.loglik).tolist() == [True, False]


def test_specialise_needs_unit_rows() -> None:
    family = conditional_family(F.Binomial())
    zero_one = np.array([0.0, 1.0])
    assert family.specialise(zero_one, np.array([1.0, 2.0])) is family
    assert family.specialise(np.array([0.0, 0.5]), np.ones(2)) is family
    special_one = family.specialise(zero_one, np.ones(2))
    assert special_one.specialise(zero_one, np.ones(2)).name == "Binomial"
    for case in CASES[1:]:
        assert case.ours.specialise(zero_one, np.ones(2)) == case.ours


def test_threads_with_their_own_workspaces_agree() -> None:
    rng = np.random.default_rng(4)
    y = rng.integers(0, 2, (60, 1)).astype(float)
    w = np.ones_like(y)
    family = conditional_family(F.Binomial()).specialise(y, w)
    chunks = rng.normal(scale=200, size=(16, 60, 64))

    def task(start: int) -> list[Any]:
        work = Workspace()
        return [
            [a.copy() for a in family.blocks(y, w, 1.0, chunks[i], 1.0, work)] for i in range(start, 16, 4)
        ]

    alone = [task(i) for i in range(4)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(task, range(4)))
    for a, b in zip(alone, together, strict=True):
        for x, z in zip(a, b, strict=True):
            assert all(np.array_equal(p, q) for p, q in zip(x, z, strict=True))


def test_workspace_keeps_names_apart_and_grows() -> None:
    work = Workspace()
    a = work.array("a", (2, 3))
    a[:] = 1.0
    work.array("b", (2, 3))[:] = 2.0
    assert np.all(work.array("a", (3, 2)) == 1.0)
    assert work.array("a", (4, 5)).shape == (4, 5)
    assert work.array("a", (4, 5)).ctypes.data % 64 == 0


def test_kernels_leave_their_arguments_alone() -> None:
    for case in CASES:
        s = make(case)
        arrays = [*s.data(case.ours), s.eta]
        before = [a.copy() for a in arrays]
        case.ours.blocks(*arrays, case.phi)
        assert all(np.array_equal(a, b) for a, b in zip(arrays, before, strict=True))


symmetric = st.sampled_from([CASES[0], CASES[1], CASES[3]])


@settings(max_examples=60, deadline=None)
@given(symmetric, st.floats(-600, 600), st.integers(0, 20), st.integers(0, 20))
def test_swapping_success_and_failure_flips_eta(case: Case, eta: float, k: int, rest: int) -> None:
    w = float(k + rest)
    log_f, d1, d2 = one_row(case, k, w, eta)
    flipped = one_row(case, rest, w, -eta)
    close(flipped, [log_f, -d1, d2], 1e-12, 1e-10)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(CASES[:4]), st.floats(-700, 700), st.integers(0, 9))
def test_binomial_log_density_is_never_positive_and_binary_links_bend_down(
    case: Case, eta: float, k: int
) -> None:
    log_f, _, d2 = one_row(case, k, 9.0, eta)
    assert log_f <= 0
    assert d2 <= 0 or case.name == "binomial-cauchy"  # the Cauchy link alone is not log-concave


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
