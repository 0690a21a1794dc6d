"""Families that are given by their log density, against scipy.stats, finite differences and their own samples."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from family_cases import assert_complete
from responses import ONE_PREDICTOR, ResponseModel
from scipy import integrate, special, stats

from statsmodels_mcla import MCLAMixedGLM, families
from statsmodels_mcla.families.partial_odds import PartialOdds
from statsmodels_mcla.families.poisson import PoissonLog

MODELS = ONE_PREDICTOR
every = pytest.mark.parametrize("model", MODELS, ids=[m.name for m in MODELS])
with_parameters = [m for m in MODELS if m.psi]
N = 30


def central(f: Any, x: Any, step: Any) -> Any:
    """Fourth-order central difference."""
    return (8 * (f(x + step) - f(x - step)) - (f(x + 2 * step) - f(x - 2 * step))) / (12 * step)


class Rows:
    """Rows of a model, as its family's kernels take them."""

    def __init__(self, model: ResponseModel, seed: int = 0, weighted: bool = True) -> None:
        rng = np.random.default_rng([seed, *model.name.encode()])
        self.model = model
        self.eta = model.intercept + rng.uniform(-1.5, 1.5, (N, 3))
        self.trials = rng.integers(2, 9, N)
        self.endog = np.asarray(model.sample(rng, self.eta[:, 0], model.psi, self.trials), float)
        self.family = model.family.of_response(np.append(self.endog, [1.0, 2.0, 3.0, 4.0]))
        n = self.trials if model.has_trials else np.ones(N)
        self.freq = rng.integers(1, 4, N).astype(float) if weighted else np.ones(N)
        self.constant = self.family.constant(self.endog, n, self.freq, np.ones(N))
        self.data = [a[:, None] for a in self.family.row_data(self.endog, n, self.freq, np.ones(N))]

    def with_psi(self, k: int, value: float) -> Any:
        psi = np.array(self.model.psi)
        psi[k] = value
        return psi if len(psi) > 1 else float(psi[0])


@every
def test_log_density_is_that_of_scipy(model: ResponseModel) -> None:
    s = Rows(model)
    ours = s.family.rows(*s.data, s.eta, model.phi).logf.sum(axis=0) + s.constant
    truth = model.log_density(s.endog[:, None], s.eta, model.psi, s.trials[:, None])
    np.testing.assert_allclose(ours, (s.freq[:, None] * truth).sum(axis=0), rtol=1e-10)


@every
def test_eta_derivatives(model: ResponseModel) -> None:
    s = Rows(model)

    def rows(eta: Any) -> Any:
        return s.family.rows(*s.data, eta, model.phi)

    at = rows(s.eta)
    for actual, lower in ((at.d1, "logf"), (at.d2, "d1"), (s.family.third(*s.data, s.eta, model.phi), "d2")):
        wanted = central(lambda eta, lower=lower: getattr(rows(eta), lower), s.eta, 2e-3)
        np.testing.assert_allclose(actual, wanted, rtol=1e-6, atol=1e-7)
    same = s.family.blocks(*s.data, s.eta, model.phi)
    np.testing.assert_allclose(same.loglik, at.logf.sum(axis=0), rtol=1e-12)


@pytest.mark.parametrize("model", with_parameters, ids=[m.name for m in with_parameters])
def test_parameter_derivatives(model: ResponseModel) -> None:
    s = Rows(model)
    assert len(s.family.parameters) == len(model.psi)
    assert_complete(s.family, *s.data, s.eta, model.phi)
    at = s.family.parameter_rows(*s.data, s.eta, model.phi)
    bend = s.family.d2_parameters(*s.data, s.eta, model.phi)
    for k, value in enumerate(model.psi):
        h = 1e-3 * abs(value)

        def rows(psi: float, k: int = k) -> Any:
            return s.family.rows(*s.data, s.eta, s.with_psi(k, psi))

        def slopes(psi: float, k: int = k) -> Any:
            return s.family.parameter_rows(*s.data, s.eta, s.with_psi(k, psi)).dphi

        close = {"rtol": 1e-6, "atol": 1e-6}
        np.testing.assert_allclose(at.dphi[k], central(lambda p: rows(p).logf, value, h), **close)
        np.testing.assert_allclose(at.d1phi[k], central(lambda p: rows(p).d1, value, h), **close)
        np.testing.assert_allclose(at.dphi2[:, k], central(slopes, value, h), **close)
        np.testing.assert_allclose(bend[k], central(lambda p: rows(p).d2, value, h), **close)


@every
def test_free_coordinates(model: ResponseModel) -> None:
    family = Rows(model).family
    scale, psi = family.parameter_scale, np.array(model.psi)
    x = scale.free(psi)
    np.testing.assert_allclose(scale.psi(x), psi, rtol=1e-12)
    slope = np.linspace(1.0, 2.0, len(x))
    for k, step in enumerate(np.eye(len(x)) * 1e-3):
        found = [scale.psi(x + t * step) for t in (-2, -1, 1, 2)]
        np.testing.assert_allclose(
            scale.jacobian(x)[:, k], (8 * (found[2] - found[1]) - (found[3] - found[0])) / 12e-3, atol=1e-9
        )
        ends = [slope @ scale.jacobian(x + t * step) for t in (-2, -1, 1, 2)]
        np.testing.assert_allclose(
            scale.bend(x, slope)[k], (8 * (ends[2] - ends[1]) - (ends[3] - ends[0])) / 12e-3, atol=1e-9
        )


@every
def test_moments_law_and_mean_curve(model: ResponseModel) -> None:
    family = Rows(model).family
    eta, size, n = model.intercept + 0.2, 40_000, 5
    mu = family.mean(np.array([eta]))
    draws = family.sample(np.random.default_rng(3), np.full(size, mu[0]), model.phi, float(n))
    assert draws.dtype == np.float64
    if model.discrete:
        y = np.arange(0 if "cumulative" not in model.name else 1, 400)
        y = y[: n + 1] if model.has_trials else y[:4] if "cumulative" in model.name else y
        y = y[1:] if "truncated" in model.name else y
        p = np.exp(model.log_density(y, eta, model.psi, n))
        assert p.sum() == pytest.approx(1.0, abs=1e-9)
        mean, variance = p @ y, p @ y**2 - (p @ y) ** 2
        for k in y[:8]:
            assert family.cdf(np.array([float(k)]), mu, model.phi, n)[0] == pytest.approx(
                p[y <= k].sum(), abs=1e-9
            )
        assert family.cdf(np.array([-1.0]), mu, model.phi, n)[0] == 0.0
    else:
        atoms = (draws == 0.0) | (draws == 1.0)  # of laws that have any
        grid = np.quantile(draws[~atoms], [0.1, 0.4, 0.8])
        cdf = family.cdf(grid, np.repeat(mu, 3), model.phi)
        np.testing.assert_allclose(cdf, [(draws <= q).mean() for q in grid], atol=0.02)
        for low, high, part in zip(grid, grid[1:], np.diff(cdf), strict=False):
            whole = integrate.quad(lambda y: np.exp(model.log_density(y, eta, model.psi, n)), low, high)[0]
            assert whole == pytest.approx(part, abs=1e-7)
        mean, variance = float(family.mean_curve(model.phi).mean(np.array([eta]))[0]), None
    scale = n if model.has_trials else 1
    curve = family.mean_curve(model.phi)
    at = np.array([eta - 1.0, eta, eta + 1.0])
    assert scale * curve.mean(at)[1] == pytest.approx(mean, rel=1e-9)
    np.testing.assert_allclose(curve.mean_deriv(at), central(curve.mean, at, 1e-3), rtol=1e-8)
    np.testing.assert_allclose(curve.eta(curve.mean(at)), at, atol=1e-8)
    np.testing.assert_allclose(family.location(curve.mean(at), model.phi), family.mean(at), rtol=1e-8)
    own = scale * float(family.variance(mu, model.phi, n)[0])
    if variance is not None:
        assert own == pytest.approx(variance, rel=1e-8)
    spread = draws.std() / np.sqrt(size)
    assert abs(draws.mean() - mean) < 4.5 * spread
    kurtosis = max(float(((draws - mean) ** 4).mean() / own**2), 3.0)
    assert abs(draws.var() - own) < 6.0 * own * np.sqrt(kurtosis / size)


@every
def test_extreme_linear_predictors(model: ResponseModel) -> None:
    s = Rows(model, weighted=False)
    eta = np.array([-800.0, -60.0, 0.0, 60.0, 800.0]) * np.ones((N, 1))
    rows = s.family.rows(*s.data, eta, model.phi)
    assert not any(np.isnan(part).any() for part in rows)
    blocks = s.family.blocks(*s.data, eta, model.phi)
    assert np.all(np.isfinite(blocks.loglik) | (blocks.loglik == -np.inf))
    assert np.isfinite(blocks.d1).all()
    assert np.isfinite(blocks.d2).all()
    if model.psi:
        assert all(np.isfinite(part).all() for part in s.family.parameter_rows(*s.data, eta, model.phi))
    hidden = s.family.rows(*s.data, np.full((N, 1), np.nan), model.phi)
    assert np.isnan(hidden.logf).all()


@pytest.mark.parametrize("name", ["betabinomial", "nb1", "genpoisson", "truncated nb"])
@pytest.mark.parametrize("alpha", [1e-9, 0.0])
def test_limit_without_dispersion(name: str, alpha: float) -> None:
    model = next(m for m in MODELS if m.name == name)
    s = Rows(model)
    y, w, v = (a[:, 0] for a in s.data)
    limit, data = s.family.limit(y, w, v)
    wanted = limit.rows(*(a[:, None] for a in data), s.eta).logf.sum(axis=0)
    np.testing.assert_allclose(s.family.rows(*s.data, s.eta, alpha).logf.sum(axis=0), wanted, rtol=1e-6)
    mu = s.family.mean(s.eta[:, 0])
    n = s.trials.astype(float)
    draws = s.family.sample(np.random.default_rng(1), mu, 0.0, n)
    assert np.isfinite(draws).all()
    at = limit.cdf(s.endog, mu, 1.0, n)
    np.testing.assert_allclose(s.family.cdf(s.endog, mu, 0.0, n), at, atol=1e-6)


@pytest.mark.parametrize(
    ("family", "endog", "message"),
    [
        (families.Beta(), [0.2, 1.0], "family Beta needs proportions between 0 and 1, .*got 1 at row 1"),
        (
            families.OrderedBeta(),
            [0.0, 1.1],
            "family OrderedBeta needs proportions from 0 to 1; got 1.1 at row 1",
        ),
        (
            families.TruncatedPoisson(),
            [1, 0],
            "family TruncatedPoisson needs positive integers; got 0 at row 1",
        ),
        (families.LogNormal(), [1, -1], "family LogNormal needs positive numbers; got -1 at row 1"),
        (families.Tweedie(), [0, -1], "family Tweedie needs numbers that are not negative; got -1 at row 1"),
        (families.BetaBinomial(), [2], "family BetaBinomial needs 0 or 1"),
        (families.NegativeBinomial1(), [0.5], "family NegativeBinomial1 needs non-negative integers"),
    ],
)
def test_response_outside_the_family(family: Any, endog: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        family.check_response(endog)


def test_categories() -> None:
    family = families.Cumulative()
    low_high = pd.Categorical(["mid", "low", "high"], ["low", "mid", "high", "never"], ordered=True)
    known = family.of_response(pd.Series(low_high))
    assert known.labels == ("low", "mid", "high")
    assert known.parameters == ("low|mid", "mid|high")
    assert known.check_response(low_high).endog.tolist() == [2.0, 1.0, 3.0]
    assert known.check_response([1, 3]).endog.tolist() == [1.0, 3.0]
    assert known.of_response([7, 8, 9]) is known
    assert family.of_response(np.array([3, 0, 5])).parameters == ("0|3", "3|5")
    with pytest.raises(ValueError, match="the categories low, mid, high; got 'none' at row 0"):
        known.check_response(np.array(["none"], object))
    for endog, message in (
        (pd.Series(["a", "b"]), "needs an ordered pandas Categorical or integers"),
        (pd.Series(pd.Categorical(["a", "b"])), "have no order; make it pd.Categorical"),
        (np.array([0.5, 1.0]), "got 0.5 at row 0"),
        (np.array([1, 1]), "two categories or more"),
    ):
        with pytest.raises(ValueError, match=message):
            family.of_response(endog)


@pytest.mark.parametrize(
    "family", [families.Cumulative(), families.Multinomial(), PartialOdds(families.Cumulative())]
)
def test_codes_are_integers_but_for_the_error_of_arithmetic(family: Any) -> None:
    codes = np.array([0.0, 1.0, 3.0, 1.0])
    for near in (
        np.nextafter(codes, 9.0),
        np.nextafter(codes, -9.0),
        codes * (1.0 + 1e-8),
        codes.astype(object),
    ):
        known = family.of_response(near)
        assert known == family.of_response(codes)
        assert known.check_response(near).endog.tolist() == codes.tolist()
        assert PoissonLog().check_response(near).endog.tolist() == codes.tolist()
    with pytest.raises(ValueError, match=r"needs .*integers that are not negative; got 1.01 at row 1 "):
        family.of_response(np.array([0.0, 1.01, 3.0]))
    with pytest.raises(ValueError, match=r"needs .*integers that are not negative; got -2 at row 2 "):
        family.of_response(np.array([4, 1, -2]))
    with pytest.raises(ValueError, match="got inf at row 1 "):
        family.of_response(np.array([0.0, np.inf]))
    for outside in (2.5, 1.01, np.inf):
        with pytest.raises(ValueError, match=f"needs the categories 0, 1, 3; got {outside} at row 1 "):
            known.check_response(np.array([1.0, outside]))


def test_arguments_of_families() -> None:
    with pytest.raises(ValueError, match="df must be positive"):
        families.StudentT(-1.0)
    with pytest.raises(ValueError, match="latent must be one of 'logit', 'probit', 'cloglog', got 'log'"):
        families.Cumulative("log")
    with pytest.raises(ValueError, match="threshold must be one of"):
        families.Cumulative(threshold="equal")
    with pytest.raises(ValueError, match="family Beta has no deviance"):
        families.Beta().unit_deviance(np.array([0.5]), np.array([0.5]))


def test_threshold_structures() -> None:
    labels = np.arange(6)
    assert families.Cumulative(threshold="symmetric").of_response(labels).parameters == (
        "central",
        "spacing.1",
        "spacing.2",
    )
    even = families.Cumulative(threshold="symmetric").of_response(labels[:5])
    assert even.parameters == ("central.1", "central.2", "spacing.1")
    curve = even.mean_curve(np.array([-0.5, 0.5, 1.0]))
    assert curve.thresholds == (-1.5, -0.5, 0.5, 1.5)
    assert even.parameter_scale.positive.tolist() == [False, False, True]
    assert families.Cumulative(threshold="equidistant").of_response([0, 1]).parameters == ("0|1",)


def test_ordered_beta_without_zeros_or_ones_has_one_cutpoint() -> None:
    """The other is infinite; what is mirrored has mirrored estimates, and the limit of both is the likelihood."""
    rng = np.random.default_rng(1)
    g, x = np.repeat(np.arange(15), 8), rng.normal(size=120)
    mu = special.expit(0.3 * x + rng.normal(size=15)[g])
    y = np.where(rng.uniform(size=120) < 0.15, 0.0, rng.beta(4 * mu, 4 * (1 - mu)).clip(0.01, 0.99))
    data = pd.DataFrame({"y": y, "x": x, "g": g})

    def fitted(rows: pd.DataFrame) -> Any:
        return MCLAMixedGLM.from_formula("y ~ x + (1 | g)", rows, family=families.OrderedBeta()).fit_laplace()

    zeros, ones = fitted(data), fitted(data.assign(y=1 - y))
    assert list(zeros.params.index[-2:]) == ["precision", "lower"]
    assert list(ones.params.index[-2:]) == ["precision", "upper"]
    signs = np.array([-1, -1, 1, 1, -1])
    np.testing.assert_allclose(zeros.params, signs * ones.params, atol=1e-4)
    np.testing.assert_allclose(zeros.bse, ones.bse, rtol=1e-3)
    at = y[:, None], np.ones((120, 1)), np.ones((120, 1)), np.linspace(-3, 3, 120)[:, None]
    own = families.OrderedBeta((True, False)).rows(*at, np.array([4.0, -2.0]))
    limit = families.OrderedBeta().rows(*at, np.array([4.0, -2.0, 60.0]))
    np.testing.assert_allclose(own.logf, limit.logf, atol=1e-12)
    np.testing.assert_allclose(own.d2, limit.d2, atol=1e-10)
    assert zeros.bootstrap(2, rng=1).estimates.shape == (2, 5)
    with pytest.raises(ValueError, match=r"endog has no zeros and no ones.*use Beta\(\)"):
        fitted(data[data["y"] > 0])


@pytest.mark.parametrize("alpha", [1e-3, 0.05, 1.0, 30.0])
def test_distribution_function_of_beta_binomial_counts_of_thousands(alpha: float) -> None:
    rng = np.random.default_rng(0)
    n = rng.integers(1, 2000, 80)
    k, mu = np.floor(rng.uniform(-0.5, 1.1, 80) * n), rng.beta(0.5, 0.5, 80)
    found = families.BetaBinomial().cdf(k, mu, alpha, n)
    np.testing.assert_allclose(found, stats.betabinom.cdf(k, n, mu / alpha, (1 - mu) / alpha), atol=1e-10)


def test_weights_of_log_normal_responses_are_refused():
    """Means would be others in rows of other weights: exp(eta + scale / (2 w))."""
    data = pd.DataFrame(
        {"y": np.exp(np.arange(24.0) % 5), "g": np.arange(24) // 4, "w": 1.0 + np.arange(24) % 2}
    )
    with pytest.raises(
        ValueError, match=r"var_weights: means of log-normal .* np.log\(y\) with family='gaussian'"
    ):
        MCLAMixedGLM.from_formula("y ~ 1 + (1 | g)", data=data, family=families.LogNormal(), var_weights="w")
    kept = MCLAMixedGLM.from_formula(
        "y ~ 1 + (1 | g)", data=data, family=families.LogNormal(), var_weights=np.sign(data["w"] - 1.0)
    )
    assert kept.nobs == 12  # weights of zero leave rows out
