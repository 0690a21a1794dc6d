"""Zero parts at the ends of their range: the maximum is that of the limit, in seconds, and is reported as such."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers import F, no_warnings
from scipy import optimize, special, stats

from statsmodels_mcla import MCLAMixedGLM
from statsmodels_mcla.exceptions import MCLAWarning, SeparationWarning, SingularFitWarning

NB = F.NegativeBinomial(alpha=1.0)
COUNTS = "y ~ x + (1 | g)"


@functools.cache
def separated(seed: int) -> pd.DataFrame:
    """Poisson responses, but zeros below a value of x."""
    rng = np.random.default_rng(seed)
    g, x = np.repeat(np.arange(20), 8), rng.normal(size=160)
    y = rng.poisson(np.exp(1.2 + 0.3 * x + 0.5 * rng.normal(size=20)[g]))
    return pd.DataFrame({"y": np.where(x < -0.5, 0, y), "x": x, "g": g})


@functools.cache
def with_empty_levels(seed: int, sd: float = 0.5) -> pd.DataFrame:
    """Poisson responses, five of twenty levels without any."""
    rng = np.random.default_rng(seed)
    g, x = np.repeat(np.arange(20), 8), rng.normal(size=160)
    y = rng.poisson(np.exp(0.6 + 0.3 * x + sd * rng.normal(size=20)[g]))
    return pd.DataFrame({"y": np.where(g < 5, 0, y), "x": x, "g": g})


def model(data: pd.DataFrame, family: Any, **options: Any) -> MCLAMixedGLM:
    return MCLAMixedGLM.from_formula(COUNTS, data=data, family=family, **options)


def fitted(of: MCLAMixedGLM, method: str) -> Any:
    return of.fit(rng=1, max_seconds=60) if method == "fit" else of.fit_laplace()


@pytest.mark.parametrize("method", ["fit", "fit_laplace"])
@pytest.mark.parametrize("zi", ["~ x", "~ x + (1 | g)"])
@pytest.mark.parametrize(("family", "seed"), [(F.Poisson(), 1), (NB, 2), (NB, 3)])
def test_rows_that_are_zeros_for_certain_tell_nothing(family: Any, seed: int, zi: str, method: str) -> None:
    """The rest is the fit of the other rows without a zero part."""
    data = separated(seed)
    with no_warnings():
        truth = fitted(model(data[data["x"] >= -0.5], F.Poisson()), method)
    with pytest.warns(MCLAWarning) as caught:
        ours = fitted(model(data, family, ziformula=zi), method)
    told = [str(w.message) for w in caught if issubclass(w.category, SeparationWarning)]
    assert len(told) == 1
    assert told[0].startswith("zi: Intercept, zi: x separate the responses perfectly")
    assert "all others are those of the limit" in told[0]
    kept = list(truth.params.index)
    assert ours.llf == pytest.approx(truth.llf, abs=1e-4)
    np.testing.assert_allclose(ours.params[kept], truth.params, atol=2e-3 * truth.bse.max())
    np.testing.assert_allclose(ours.bse[kept], truth.bse, rtol=5e-3)
    zeros = ours.predict(which="zprob").to_numpy()
    np.testing.assert_allclose(zeros, data["x"] < -0.5, atol=1e-9)
    assert "No finite maximum: zi: Intercept, zi: x." in ours.summary().as_text()


def test_rows_between_keep_their_zero_part() -> None:
    """One level of a factor has zeros only, one has none, the third some: by quadrature."""
    rng = np.random.default_rng(4)
    g, f = np.repeat(np.arange(30), 6), np.tile(["all", "none", "some"], 60)
    y = 3 + rng.poisson(np.exp(1.0 + 0.6 * rng.normal(size=30)[g]))
    y = np.where((f == "all") | ((f == "some") & (rng.random(180) < 0.4)), 0, y)
    data = pd.DataFrame({"y": y, "f": f, "g": g, "x": rng.normal(size=180)})
    with pytest.warns(SeparationWarning, match=r"zi: f\[T.none\]|zi: Intercept") as caught:
        ours = model(data, F.Poisson(), ziformula="~ f").fit(rng=1)
    assert len(caught) == 1
    z = np.linspace(-8.0, 8.0, 201)
    log_w = np.log(stats.norm.pdf(z) * (z[1] - z[0]))

    def minus_llf(p: np.ndarray) -> float:
        eta = p[0] + p[1] * data["x"].to_numpy()[:, None] + p[2] * z
        logf = stats.poisson.logpmf(y[:, None], np.exp(eta))
        mixed = np.where(
            y[:, None] == 0, np.logaddexp(np.log(p[3]), np.log1p(-p[3]) + logf), np.log1p(-p[3]) + logf
        )
        rows = np.select([(f == "all")[:, None], (f == "none")[:, None]], [0.0 * logf, logf], mixed)
        return -float(special.logsumexp(pd.DataFrame(rows).groupby(g).sum().to_numpy() + log_w, axis=1).sum())

    start = np.array([1.5, 0.0, 0.3, 0.4])
    truth = optimize.minimize(minus_llf, start, bounds=[(None, None)] * 2 + [(0.01, 2), (0.01, 0.99)])
    assert ours.llf == pytest.approx(-truth.fun, abs=5e-3)
    kept = ours.params[["Intercept", "x"]]
    np.testing.assert_allclose(kept, truth.x[:2], atol=0.02 * ours.bse[kept.index].max())
    assert ours.params["g Var"] == pytest.approx(truth.x[2] ** 2, abs=0.03 * ours.bse["g Var"])
    zeros = ours.predict(which="zprob").groupby(f).first()
    np.testing.assert_allclose(zeros, [1.0, 0.0, truth.x[3]], atol=2e-3)


def limit_of_levels(data: pd.DataFrame) -> tuple[float, np.ndarray]:
    """Log-likelihood and parameters of a mixture: a level has zeros only by a probability, or is a Poisson one."""
    y, x, g = (data[name].to_numpy() for name in ("y", "x", "g"))
    z = np.linspace(-8.0, 8.0, 401)
    log_w = np.log(stats.norm.pdf(z) * (z[1] - z[0]))
    empty = pd.Series(y).groupby(g).sum().to_numpy() == 0

    def minus_llf(p: np.ndarray) -> float:
        eta = p[0] + p[1] * x[:, None] + p[2] * z
        rows = pd.DataFrame(stats.poisson.logpmf(y[:, None], np.exp(eta))).groupby(g).sum().to_numpy()
        level = np.log1p(-p[3]) + special.logsumexp(rows + log_w, axis=1)
        return -float(np.where(empty, np.logaddexp(np.log(p[3]), level), level).sum())

    bounds = [(None, None), (None, None), (0.01, 3.0), (0.001, 0.999)]
    found = optimize.minimize(minus_llf, [0.6, 0.3, 0.5, 0.2], bounds=bounds)
    return -found.fun, found.x


@pytest.mark.parametrize("seed", [1, 2])
def test_levels_of_zeros_only_are_near_the_limit(seed: int) -> None:
    """From where the zero part has vanished no search finds them, and the log-likelihood is ten lower."""
    data = with_empty_levels(seed)
    with no_warnings():
        less = model(data, F.Poisson()).fit(rng=1)
    with pytest.warns(
        SeparationWarning, match="'zi: g' make zeros certain .* held at a standard deviation of 8"
    ):
        ours = model(data, F.Poisson(), ziformula="~ 1 + (1 | g)").fit(rng=1, max_seconds=60)
    height, truth = limit_of_levels(data)
    assert height > less.llf + 5.0
    assert height - 3.0 < ours.llf < height
    assert np.isfinite(ours.bse).all()
    others, se = ours.params[["Intercept", "x", "g Var"]], ours.bse[["Intercept", "x", "g Var"]]
    assert np.all(np.abs(others - [*truth[:2], truth[2] ** 2]) < 0.25 * se)
    assert np.all(ours.mcse[others.index] < 0.01 * se)
    assert ours.params["zi: g Var"] == pytest.approx(64.0)


def test_levels_of_zeros_only_beside_others_that_do_not_differ() -> None:
    """The variance of the mean's effects vanishes at the limit, as the start has to know."""
    data = with_empty_levels(2, 0.0)
    with pytest.warns(MCLAWarning) as caught:
        ours = model(data, F.Poisson(), ziformula="~ 1 + (1 | g)").fit(rng=1, max_seconds=60)
    assert {w.category for w in caught} >= {SeparationWarning, SingularFitWarning}
    height, truth = limit_of_levels(data)
    assert truth[2] == pytest.approx(0.01)  # the least that it may be
    assert height - 3.0 < ours.llf < height
    assert ours.params["g Var"] == 0.0
    assert np.all(np.abs(ours.params[["Intercept", "x"]] - truth[:2]) < 0.5 * ours.bse[["Intercept", "x"]])
