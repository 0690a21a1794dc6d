"""Profiles of models whose zero part, or dispersion, has vanished at the maximum, against quadrature."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers import F, no_warnings
from scipy import optimize, special, stats

from statsmodels_mcla import MCLAMixedGLM, families
from statsmodels_mcla.exceptions import SingularFitWarning

NODES = np.linspace(-5.5, 5.5, 41)
WEIGHTS = stats.norm.logpdf(NODES) - special.logsumexp(stats.norm.logpdf(NODES))
NONE = -40.0  # a linear predictor of the zero part that no row can tell from none


def _negative_binomial(y: Any, mu: Any, alpha: float) -> Any:
    size = 1.0 / max(alpha, 1e-7)
    return stats.nbinom.logpmf(y, size, size / (size + mu))


def _generalized_poisson(y: Any, mu: Any, alpha: float) -> Any:
    """Consul and Jain's, of variance mu (1 + alpha)^2."""
    theta, rate = mu / (1.0 + alpha), alpha / (1.0 + alpha)
    inner = theta + rate * y
    return np.log(theta) + (y - 1) * np.log(inner) - inner - special.gammaln(y + 1)


LAWS: dict[str, tuple[Any, Callable[..., Any]]] = {
    "poisson": (F.Poisson(), lambda y, mu, _alpha: stats.poisson.logpmf(y, mu)),
    "nb": (F.NegativeBinomial(alpha=1.0), _negative_binomial),
    "genpoisson": (families.GeneralizedPoisson(), _generalized_poisson),
}


@functools.cache
def data(kind: str, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    g, x = np.repeat(np.arange(25), 10), rng.normal(size=250)
    mu = np.exp(0.6 + 0.4 * x + 0.6 * rng.normal(size=25)[g])
    y = rng.poisson(mu * (rng.gamma(2, 1 / 2, size=250) if kind == "overdispersed" else 1.0))
    return pd.DataFrame({"y": y, "x": x, "g": g})


@functools.cache
def fit(kind: str, seed: int, law: str, ziformula: str = "~ 1") -> Any:
    model = MCLAMixedGLM.from_formula(
        "y ~ x + (1 | g)", data(kind, seed), family=LAWS[law][0], ziformula=ziformula
    )
    with pytest.warns(SingularFitWarning) as caught:
        found = model.fit(rng=1)
    assert any("zero part, 'zi', is zero" in str(w.message) for w in caught)
    return found


@functools.cache
def quadrature(kind: str, seed: int, law: str, held: str | None = None, value: float = 0.0) -> float:
    """Largest log-likelihood with or without zeros of their own, with one parameter at a value if one is named."""
    table, log_density = data(kind, seed), LAWS[law][1]
    y, x = table["y"].to_numpy()[:, None], table["x"].to_numpy()[:, None]
    names = ["Intercept", "x", "log sd", "log alpha", "zi: Intercept"]

    def loglike(p: dict[str, float]) -> float:
        mu = np.exp(p["Intercept"] + p["x"] * x + np.exp(p["log sd"]) * NODES)
        logf = log_density(y, mu, np.exp(p["log alpha"])) + special.log_expit(-p["zi: Intercept"])
        logf = np.where(y == 0, np.logaddexp(logf, special.log_expit(p["zi: Intercept"])), logf)
        return float(
            np.maximum(
                special.logsumexp(np.add.reduceat(logf, np.arange(0, 250, 10)) + WEIGHTS, axis=1), -1e6
            ).sum()
        )

    fixed = {} if held is None else {held: value}
    best = -np.inf
    for zi, alpha in itertools.product((NONE, -2.5), (-2.0, -11.0)[: 1 + (kind == "equidispersed")]):
        own = {"zi: Intercept": zi, "log alpha": alpha} | fixed
        still = (
            set(fixed)
            | ({"zi: Intercept"} if zi == NONE else set())
            | ({"log alpha"} if law == "poisson" else set())
        )
        free = [name for name in names if name not in still]
        start = {"Intercept": 0.5, "x": 0.4, "log sd": -0.5} | own
        found = optimize.minimize(
            lambda v, free=free, start=start: -loglike(start | dict(zip(free, v, strict=True))),
            [start[name] for name in free],
            method="L-BFGS-B",
            bounds=[(-12.0, 4.0)] * len(free),
            options={"eps": 1e-5},
        )
        best = max(best, -found.fun)
    return best


HALF = 0.5 * stats.chi2.isf(0.05, 1)


@pytest.mark.parametrize(
    ("kind", "seed", "law"),
    [
        ("equidispersed", 2, "poisson"),
        ("equidispersed", 3, "nb"),  # the dispersion has vanished, too
        ("equidispersed", 3, "genpoisson"),
        ("overdispersed", 1, "genpoisson"),
    ],
)
def test_limits_of_a_zero_part_that_has_vanished(kind: str, seed: int, law: str) -> None:
    """The lower one is minus infinity, where the estimate is; the upper one is where 1.92 of log-likelihood is lost."""
    ours = fit(kind, seed, law)
    with no_warnings():
        lower, upper = ours.conf_int(method="profile", parm="zi: Intercept").iloc[0]
    assert lower == -np.inf
    top = quadrature(kind, seed, law)
    assert ours.llf == pytest.approx(top, abs=2e-3)
    assert top - quadrature(kind, seed, law, "zi: Intercept", float(upper)) == pytest.approx(HALF, abs=0.02)


def test_profile_of_a_zero_part_that_has_vanished() -> None:
    """Its points are those of quadrature; it is flat at its end, which is the estimate."""
    ours = fit("overdispersed", 1, "nb")
    found = ours.profile_likelihood("zi: Intercept")
    assert found.table.index[0] == pytest.approx(ours.params["zi: Intercept"])
    assert found.table["zeta"].iloc[0] == 0.0
    assert found.conf_int()["lower"] == -np.inf
    one = found.conf_int()["upper"]
    assert one == pytest.approx(ours.conf_int(method="profile", parm="zi: Intercept").iloc[0, 1], abs=0.02)
    some = found.table[found.table.index > -6.0].iloc[::2]
    truth = [quadrature("overdispersed", 1, "nb", "zi: Intercept", value) for value in some.index]
    np.testing.assert_allclose(some["llf"], truth, atol=0.01)
    assert len(found.table) < 25


@pytest.mark.parametrize("law", ["nb", "genpoisson"])
def test_a_zero_part_returns_where_another_parameter_is_held(law: str) -> None:
    """A larger intercept than the estimate leaves zeros that are those of a zero part."""
    ours = fit("overdispersed", 1, law)
    with no_warnings():
        limits = ours.conf_int(method="profile", parm="Intercept").iloc[0]
    for limit in limits:
        loss = quadrature("overdispersed", 1, law) - quadrature(
            "overdispersed", 1, law, "Intercept", float(limit)
        )
        assert loss == pytest.approx(HALF, abs=0.02)


def test_limits_of_a_dispersion_that_has_vanished_beside_the_zero_part() -> None:
    ours = fit("equidispersed", 3, "genpoisson")
    assert ours.params["alpha"] == 0.0
    with no_warnings():
        lower, upper = ours.conf_int(method="profile", parm="alpha").iloc[0]
    assert lower == 0.0
    case = ("equidispersed", 3, "genpoisson")
    loss = quadrature(*case) - quadrature(*case, "log alpha", float(np.log(upper)))
    assert loss == pytest.approx(HALF, abs=0.02)


def test_a_function_of_a_zero_part_that_has_vanished_says_what_to_do() -> None:
    ours = fit("equidispersed", 2, "poisson")
    with pytest.raises(
        ValueError, match=r"depends on the zero part alone.*transform the limits of 'zi: Intercept'"
    ):
        ours.profile_likelihood(lambda p: special.expit(p["zi: Intercept"]))
    found = ours.profile_likelihood(lambda p: special.expit(-p["zi: Intercept"]) * np.exp(p["Intercept"]))
    plain = ours.profile_likelihood("Intercept").conf_int()
    np.testing.assert_allclose(
        found.conf_int()[["lower", "upper"]], np.exp(plain[["lower", "upper"]]), rtol=2e-3
    )


def _poisson_with_zeros_of_a_slope(seed: int, intercept: float) -> float:
    """Largest log-likelihood of ``ziformula="~ x"`` at an intercept of the zero part."""
    table = data("equidispersed", seed)
    y, x = table["y"].to_numpy()[:, None], table["x"].to_numpy()[:, None]

    def fall(v: Any) -> float:
        zi = intercept + v[3] * x
        logf = stats.poisson.logpmf(y, np.exp(v[0] + v[1] * x + np.exp(v[2]) * NODES)) + special.log_expit(
            -zi
        )
        logf = np.where(y == 0, np.logaddexp(logf, special.log_expit(zi)), logf)
        return -float(special.logsumexp(np.add.reduceat(logf, np.arange(0, 250, 10)) + WEIGHTS, axis=1).sum())

    return -min(optimize.minimize(fall, [0.7, 0.4, -0.6, slope]).fun for slope in (-2.0, 0.0, 2.0))


def test_limits_of_a_zero_part_of_a_covariate_that_has_vanished() -> None:
    """Whatever its slope is, an intercept may go to minus infinity; from 10 away, both may be anything."""
    ours = fit("equidispersed", 14, "poisson", "~ x")
    with no_warnings():
        limits = ours.conf_int(method="profile", parm=["zi: Intercept", "zi: x"])
    assert limits.loc["zi: x"].tolist() == [-np.inf, np.inf]
    assert limits.loc["zi: Intercept", 0] == -np.inf
    top = quadrature("equidispersed", 14, "poisson")
    assert ours.llf == pytest.approx(top, abs=2e-3)
    loss = top - _poisson_with_zeros_of_a_slope(14, float(limits.loc["zi: Intercept", 1]))
    assert loss == pytest.approx(HALF, abs=0.02)
    with no_warnings():
        away = fit("equidispersed", 14, "poisson", "~ I(x - 10)").conf_int(
            method="profile", parm="zi: Intercept"
        )
    assert away.iloc[0].tolist() == [-np.inf, np.inf]
    with pytest.raises(
        ValueError, match="the same for all values of 'zi: x', since the probability of the zero"
    ):
        ours.profile_likelihood("zi: x")


def test_limits_of_a_variance_of_a_zero_part_that_has_vanished() -> None:
    """There is nothing that it could change: its interval is its range, and its standard deviation has no profile."""
    ours = fit("equidispersed", 3, "poisson", "~ 1 + (1 | g)")
    with no_warnings():
        limits = ours.conf_int(method="profile")
    assert limits.loc["zi: g Var"].tolist() == [0.0, np.inf]
    assert limits.loc["zi: Intercept", 0] == -np.inf
    plain = fit("equidispersed", 3, "poisson").conf_int(method="profile")
    np.testing.assert_allclose(
        limits.loc[["Intercept", "x", "g Var"]], plain.loc[["Intercept", "x", "g Var"]], atol=2e-3
    )
    with pytest.raises(ValueError, match=r"same for all values of 'zi: g: SD\(Intercept\)'"):
        ours.profile_likelihood("zi: g: SD(Intercept)")
