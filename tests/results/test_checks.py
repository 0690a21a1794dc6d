"""Checks by simulated residuals: statistics by their definitions, right under the model, and found when it is wrong."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers import fit_of, laplace_of
from matplotlib import pyplot as plt
from scipy import stats
from statsmodels.stats.stattools import durbin_watson

from statsmodels_mcla import MCLAMixedGLM
from statsmodels_mcla.families import Multinomial
from statsmodels_mcla.prediction import (
    Groups,
    Places,
    Series,
    SimulatedResiduals,
    checks_table,
    dispersion,
    outliers,
    uniformity,
    zeros,
)


def simulated(seed: int = 0, n: int = 30, nsim: int = 40) -> SimulatedResiduals:
    rng = np.random.default_rng(seed)
    y = rng.poisson(2.0, (n, nsim + 1)).astype(float)
    order = np.lexsort((rng.random(y.shape), y), axis=1)
    rank = np.empty_like(order)
    np.put_along_axis(rank, order, np.arange(nsim + 1)[None], axis=1)
    return SimulatedResiduals(y, rank, stats.norm.ppf((rank + rng.random(rank.shape)) / (nsim + 1.0)))


# Statistics by their definitions ----------------------------------------------------------------------


def test_statistics_are_those_of_scipy_and_statsmodels() -> None:
    found = simulated()
    r, y = found.normal, found.responses
    for k in (0, 7):
        distance = stats.kstest(stats.norm.cdf(r[:, k]), "uniform").statistic
        assert uniformity(found)[k] == pytest.approx(distance)
        assert zeros(found)[k] == np.sum(y[:, k] == 0)
        inside = (r[:, k] > np.delete(r, k, axis=1).min(axis=1)) & (
            r[:, k] < np.delete(r, k, axis=1).max(axis=1)
        )
        assert outliers(found)[k] == np.sum(~inside)
        expected = np.mean((y[:, k] - y.mean(axis=1)) ** 2 / y.var(axis=1))
        assert dispersion(found)[k] == pytest.approx(expected)
    codes = np.repeat([0, 1, 2], 10)
    frame = pd.DataFrame({"g": codes, "r": r[:, 3]}).groupby("g")["r"]
    assert Groups(codes).means(found)[3] == pytest.approx((frame.mean() ** 2).mean())
    assert Groups(codes).spread(found)[3] == pytest.approx(frame.var().var(ddof=0))


def test_autocorrelation_in_time_is_that_of_durbin_and_watson() -> None:
    """D = 2 (1 - r) less the ends, which do not count here."""
    found = simulated(n=400)
    time = pd.Series(np.random.default_rng(1).permutation(400))
    series = Series.of(time, np.zeros(400, int))
    r = found.normal[np.argsort(time), 0]
    r = r - r.mean()
    ends = (r[0] ** 2 + r[-1] ** 2) / (r**2).sum()
    lag = series.autocorrelation(found)[0] * 399 / 400
    assert durbin_watson(r) == pytest.approx(2 - 2 * lag - ends)
    two = Series.of(pd.Series([3, 1, 2, 1]), np.array([0, 0, 1, 1]))
    assert list(zip(two.before, two.after, strict=True)) == [(1, 0), (3, 2)]


def test_autocorrelation_in_space_is_morans() -> None:
    found = simulated(n=12)
    xy = np.random.default_rng(2).uniform(size=(12, 2))
    r = found.normal[:, 0] - found.normal[:, 0].mean()
    top = 0.0
    for i in range(12):
        w = np.array([0 if i == j else 1 / np.linalg.norm(xy[i] - xy[j]) for j in range(12)])
        top += r[i] * (w / w.sum()) @ r
    assert Places.of(xy).autocorrelation(found)[0] == pytest.approx(top / (r @ r))


def test_places_among_simulated_statistics() -> None:
    others = np.arange(1.0, 100.0)
    table = checks_table(
        {"high": np.append(200.0, others), "low": np.append(0.0, others)}, frozenset({"low"})
    )
    assert table.loc["high", "pvalue"] == pytest.approx(0.02)
    assert table.loc["low", "pvalue"] == 1.0
    assert table.loc["high", "expected"] == 50.0
    assert table.loc["low", "mcse"] == 0.0


# Under the model, and not -----------------------------------------------------------------------------

GROUPS, ROWS = 30, 8


def counts(seed: int, wrong: str = "") -> pd.DataFrame:
    """Counts of a Poisson model with random intercepts, or of another."""
    rng = np.random.default_rng(seed)
    n = GROUPS * ROWS
    g, t = np.repeat(np.arange(GROUPS), ROWS), np.tile(np.arange(ROWS), GROUPS)
    x, z, xy = rng.normal(size=n), rng.normal(size=n), rng.uniform(size=(n, 2))
    eta = 1.0 + 0.4 * x + rng.normal(0, 0.5, GROUPS)[g]
    if wrong == "covariate":
        eta += 0.5 * z
    if wrong == "curve":
        eta += 0.4 * x**2
    if wrong == "time":
        noise = np.zeros(n)
        for k in range(n):
            noise[k] = (0.9 * noise[k - 1] if t[k] else 0.0) + rng.normal(0, 0.6)
        eta += noise
    if wrong == "space":
        eta += 1.2 * np.sin(6 * xy[:, 0]) * np.cos(6 * xy[:, 1])
    mu = np.exp(eta)
    y = rng.poisson(mu)
    if wrong == "dispersion":
        y = rng.negative_binomial(1.5, 1.5 / (1.5 + mu))
    if wrong == "too even":
        y = rng.binomial(np.maximum(np.round(2 * mu), 1).astype(int), 0.5)
    if wrong == "zeros":
        y = np.where(rng.random(n) < 0.3, 0, y)
    if wrong == "outliers":
        y = np.where(np.arange(n) % 24 == 0, y + 40, y)
    return pd.DataFrame({"y": y, "x": x, "z": z, "g": g, "t": t, "lon": xy[:, 0], "lat": xy[:, 1]})


OPTIONS: dict[str, Any] = {"by": ["x", "z"], "time": "t", "space": ("lon", "lat")}


def checked(seed: int, wrong: str = "", nsim: int = 199) -> pd.DataFrame:
    made = MCLAMixedGLM.from_formula("y ~ x + (1 | g)", data=counts(seed, wrong), family="poisson")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return made.fit_laplace().check(nsim, rng=seed, **OPTIONS).table


@pytest.mark.parametrize(
    ("wrong", "check"),
    [
        ("dispersion", "dispersion"),
        ("zeros", "zeros"),
        ("outliers", "outliers"),
        ("covariate", "means by z"),
        ("curve", "means by x"),
        ("time", "autocorrelation in time"),
        ("space", "autocorrelation in space"),
    ],
)
def test_what_is_wrong_is_found(wrong: str, check: str) -> None:
    row = checked(3, wrong).loc[check]
    assert row["pvalue"] <= 0.02
    assert row["statistic"] > row["upper"]


def test_counts_that_are_too_even_are_found() -> None:
    row = checked(3, "too even").loc["dispersion"]
    assert row["pvalue"] <= 0.02
    assert row["statistic"] < row["lower"]


def test_a_true_model_passes_as_often_as_it_should() -> None:
    """Estimates are fitted to the data, so that p-values are rather too large than too small."""
    tables = [checked(seed, nsim=60)["pvalue"] for seed in range(30)]
    p = pd.concat(tables, axis=1)
    assert set(p.index) == {
        *("uniformity", "dispersion", "zeros", "outliers", "levels of g", "spread within g"),
        *("means by x", "spread by x", "means by z", "spread by z"),
        *("autocorrelation in time", "autocorrelation in space"),
    }
    assert (p < 0.05).to_numpy().mean() < 0.06
    assert (p < 0.05).mean(axis=1).max() < 0.2
    assert p.to_numpy().mean() > 0.45


def test_levels_that_are_no_sample_of_a_normal_law() -> None:
    """Means of groups vary as the model has it, residuals within some of them do not."""
    rng = np.random.default_rng(0)
    data = counts(0).assign(wild=np.repeat(np.arange(GROUPS) % 5 == 0, ROWS))
    data["y"] = np.where(data["wild"], rng.negative_binomial(0.5, 0.1, len(data)), rng.poisson(4, len(data)))
    made = MCLAMixedGLM.from_formula("y ~ x + (1 | g)", data=data, family="poisson").fit_laplace()
    assert made.check(99, rng=1).table.loc["spread within g", "pvalue"] <= 0.02
    assert made.check(99, rng=1, by="wild").table.loc["spread by wild", "pvalue"] <= 0.02


def test_effects_of_single_rows_have_no_spread_within() -> None:
    """Two rows less their average have but one residual between them: three are the fewest that can spread."""
    data = counts(0).assign(row=np.arange(GROUPS * ROWS), pair=np.arange(GROUPS * ROWS) // 2)
    data["y"] = np.random.default_rng(0).poisson(
        data["y"] * np.exp(np.random.default_rng(1).normal(size=len(data)))
    )
    made = MCLAMixedGLM.from_formula("y ~ x + (1 | g) + (1 | row)", data=data, family="poisson").fit_laplace()
    found = made.check(99, rng=1, by="pair").table
    assert {"levels of g", "levels of row", "spread within g"} <= set(found.index)
    assert "spread within row" not in found.index
    assert np.isfinite(found["statistic"]).all()


# What users see ---------------------------------------------------------------------------------------


def test_table_and_figure() -> None:
    found = fit_of("cbpp").check(99, rng=1, by="period")
    text = str(found)
    assert "against 99 simulated data sets" in text
    assert "means by period" in text
    assert "<table" in found._repr_html_()
    again = fit_of("cbpp").check(99, rng=1, by="period")
    pd.testing.assert_frame_equal(found.table, again.table)
    fig = found.plot()
    assert len(fig.axes) == 3
    shown = [t.get_text() for t in fig.axes[2].get_yticklabels()]
    assert shown == list(found.table.index)
    plt.close(fig)


def test_continuous_responses_have_no_zeros_to_count() -> None:
    table = laplace_of("sleepstudy_gamma").check(49, rng=1, time="Days").table
    assert "zeros" not in table.index
    assert np.isfinite(table.drop(columns="random").to_numpy()).all()


def test_checks_of_an_array_fit() -> None:
    rng = np.random.default_rng(0)
    Z = np.kron(np.eye(10), np.ones((5, 1)))
    y = rng.poisson(np.repeat(rng.uniform(1, 9, 10), 5))
    found = MCLAMixedGLM(y, np.ones((50, 1)), Z, np.zeros(10, int), family="poisson").fit_laplace()
    table = found.check(49, rng=1, time=np.arange(50)).table
    assert table.loc["autocorrelation in time", "pvalue"] > 0.01
    with pytest.raises(ValueError, match=r"by: the data have no column 'x'.*not made from a formula"):
        found.check(49, by="x")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"nsim": 10}, "nsim must be"),
        ({"by": "nowhere"}, "by: the data have no column 'nowhere'"),
        ({"time": np.arange(3)}, "time has 3 values"),
        ({"space": "lon"}, "space must be two or more"),
        ({"space": ("nowhere", "size")}, "space: the data have no column"),
    ],
)
def test_checks_that_cannot_be_made(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fit_of("cbpp").check(**options)


def test_residuals_against_a_covariate() -> None:
    data = counts(3, "curve")
    found = MCLAMixedGLM.from_formula("y ~ x + (1 | g)", data=data, family="poisson").fit_laplace()
    fig = found.plot_residuals(nsim=99, rng=1, against="x")
    right = fig.axes[1]
    np.testing.assert_allclose(right.lines[0].get_xdata(), data["x"])
    assert right.get_xlabel() == "x"
    averages = right.lines[-1].get_ydata()
    assert min(averages[0], averages[-1]) > averages[len(averages) // 2] + 0.5  # the curve is seen
    assert "uniformity: p = " in fig.axes[0].get_title()
    kinds = pd.Series(np.where(data["x"] > 0, "positive", "other"))
    fig = found.plot_residuals(nsim=99, rng=1, against=kinds)
    assert [t.get_text() for t in fig.axes[1].get_xticklabels()] == ["other", "positive"]
    with pytest.raises(ValueError, match="against: the data have no column 'nowhere'"):
        found.plot_residuals(against="nowhere")
    plt.close("all")


def test_categories_have_no_zeros_and_each_grouping_once() -> None:
    rng = np.random.default_rng(4)
    g, x = np.repeat(np.arange(30), 10), rng.normal(size=300)
    eta = np.stack([0 * x, 0.9 * rng.normal(size=30)[g], 0.8 * x + 0.7 * rng.normal(size=30)[g]])
    data = pd.DataFrame({"y": np.argmax(eta + rng.gumbel(size=eta.shape), axis=0) + 1, "x": x, "g": g})
    fit = MCLAMixedGLM.from_formula("y ~ x + (1 | g)", data, family=Multinomial()).fit_laplace()
    shown = list(fit.check(nsim=40, rng=1).table.index)
    assert shown == ["uniformity", "levels of g", "dispersion", "outliers", "spread within g"]
