"""Pictures: what is drawn is what the tables say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers import data_of, fit_of, model_of
from matplotlib.colors import to_hex
from pictures import RootProfile, curve, diagnostics, effects, weights
from scipy import stats

from statsmodels_mcla import JointSampling, plots
from statsmodels_mcla.plots.grids import group_rows, observed_averages, population_rows, typical_row
from statsmodels_mcla.plots.style import BLUE, VERMILION
from statsmodels_mcla.results.methods.plots import weights_of_block


def names_at(ax: Any) -> dict[float, str]:
    return {float(y): t.get_text() for y, t in zip(ax.get_yticks(), ax.get_yticklabels(), strict=True)}


@pytest.mark.parametrize("levels", [5, 40, 300])
def test_effects_are_sorted_and_named(levels: int) -> None:
    frame = effects(levels)
    ax = plots.plot_random_effects(frame).axes[0]
    drawn = np.concatenate([np.column_stack(line.get_data()) for line in ax.lines[1:]])
    drawn = drawn[np.argsort(drawn[:, 1])]
    np.testing.assert_array_equal(drawn[:, 0], np.sort(frame["mean"]))
    in_order = frame.sort_values("mean")["level"].tolist()
    names = names_at(ax)
    assert len(names) >= min(levels, 20)
    assert {in_order[int(y)] for y in names} == set(names.values())
    assert all(in_order[int(y)] == name for y, name in names.items())
    assert names[levels - 1] == in_order[-1]


def test_coordinates_of_a_term_share_its_order() -> None:
    frame = effects(9, ("Intercept", "x"))
    _, right = plots.plot_random_effects(frame).axes
    order = frame[frame["effect"] == "Intercept"].sort_values("mean")["level"]
    slopes = frame[frame["effect"] == "x"].set_index("level").loc[order, "mean"]
    drawn = np.concatenate([np.column_stack(line.get_data()) for line in right.lines[1:]])
    np.testing.assert_array_equal(drawn[np.argsort(drawn[:, 1]), 0], slopes)


def test_all_intervals_are_drawn_alike() -> None:
    """Another colour for those that leave out zero would be so many tests without saying so."""
    frame = effects(30)
    assert 0 < ((frame["lower"] > 0) | (frame["upper"] < 0)).sum() < 30
    ax = plots.plot_random_effects(frame).axes[0]
    assert {to_hex(line.get_color()) for line in ax.lines[1:]} == {BLUE.lower()}
    (lines,) = ax.collections
    assert len(np.unique(lines.get_colors(), axis=0)) == 1
    ends = {tuple(s[:, 0]) for s in lines.get_segments()}
    assert ends == set(zip(frame["lower"], frame["upper"], strict=True))


# Monte Carlo ------------------------------------------------------------------------------------------


def test_importance_shows_the_table() -> None:
    table = diagnostics(7)
    v = weights()
    ratio, k_hat, share, carried = plots.plot_importance(table, v).axes
    np.testing.assert_allclose(ratio.lines[0].get_xdata()[::-1], 100 * table["ess_ratio"])
    light, heavy, limit = k_hat.lines
    assert np.all(light.get_xdata() <= 0.7)
    assert np.all(heavy.get_xdata() > 0.7)
    assert len(heavy.get_xdata()) == int((table["k_hat"] > 0.7).sum()) > 0
    assert to_hex(heavy.get_color()) == VERMILION.lower()
    np.testing.assert_array_equal(limit.get_xdata(), 0.7)
    np.testing.assert_allclose([bar.get_width() for bar in share.patches][::-1], 100 * table["share"])
    x, y = carried.lines[0].get_data()
    half = 100 * np.sort(v)[100:].sum()
    np.testing.assert_allclose(np.interp(50.0, x, y), half)
    np.testing.assert_allclose(y[-1], 100.0)
    assert names_at(ratio)[6.0] == "group: 0, …"


def test_equal_weights_have_no_tail() -> None:
    table = diagnostics(3).assign(k_hat=-np.inf, ess_ratio=1.0)
    k_hat = plots.plot_importance(table, np.full(50, 0.02)).axes[1]
    assert "equal" in k_hat.texts[0].get_text()


@pytest.mark.parametrize("name", ["salamander", "toenail", "epil_nb", "epil_slopes"])
def test_weights_of_a_block_are_those_of_the_fit(name: str) -> None:
    result = fit_of(name)
    fitted, mc = result.fitted, result.monte_carlo
    ess = fitted.evaluation.blocks.ess
    for block in (0, len(mc.ess) - 1):
        v = weights_of_block(fitted, block)
        assert len(v) == mc.draws[block]
        np.testing.assert_allclose(v.sum(), 1.0)
        np.testing.assert_allclose(1.0 / (v**2).sum(), ess[block], rtol=1e-8)
        assert mc.ess[block] == pytest.approx(ess[block], rel=1e-5)  # known from before the last step


def test_weights_of_joint_draws() -> None:
    result = model_of("cbpp").fit(rng=1, sampling=JointSampling(), nsample=2000)
    v = weights_of_block(result.fitted, 0)
    np.testing.assert_allclose(1.0 / (v**2).sum(), result.ess.iloc[0], rtol=1e-8)
    assert len(result.plot_importance().axes) == 4


def test_pictures_of_a_monte_carlo_fit() -> None:
    result = fit_of("cbpp")
    table = result.mc_diagnostics()
    fig = result.plot_importance()
    np.testing.assert_allclose(fig.axes[0].lines[0].get_xdata()[::-1], 100 * table["ess_ratio"])
    ax = result.plot_mc_history().axes[0]
    drawn = np.concatenate([line.get_ydata() for line in ax.lines if line.get_marker() == "o"])
    np.testing.assert_allclose(np.sort(drawn), np.sort(100 * result.mc_history["mcse_over_se"]))
    assert any(np.allclose(line.get_ydata(), 1.0) for line in ax.lines)


def test_no_tolerance_where_none_was_asked_for() -> None:
    result = model_of("cbpp").fit(rng=1, nsample=64)
    ax = result.plot_mc_history().axes[0]
    assert not any("asked for" in str(line.get_label()) for line in ax.lines)


# Profiles ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["zeta", "deviance"])
@pytest.mark.parametrize("alpha", [0.05, 0.2])
def test_limits_stand_where_the_profile_meets_the_cut(kind: str, alpha: float) -> None:
    ax = plots.plot_profile([RootProfile()], kind=kind, alpha=alpha).axes[0]
    ends = [c.get_segments()[0] for c in ax.collections]
    np.testing.assert_allclose([e[0, 0] for e in ends], RootProfile().conf_int(alpha))
    cut = stats.norm.isf(0.5 * alpha)
    reached = [e[:, 1].max() for e in ends]
    np.testing.assert_allclose(reached, [-cut, cut] if kind == "zeta" else [cut**2, cut**2])
    lines = {round(float(line.get_ydata()[0]), 6) for line in ax.lines if line.get_linestyle() == ":"}
    assert lines == {round(float(c), 6) for c in ([-cut, cut] if kind == "zeta" else [cut**2])}


def test_wald_line_only_where_there_is_a_standard_error() -> None:
    with_se, without = plots.plot_profile([RootProfile(), RootProfile("h Var")], [0.5, np.nan]).axes
    (wald,) = [line for line in with_se.lines if line.get_label() == "quadratic (Wald)"]
    x, y = wald.get_data()
    np.testing.assert_allclose(y, (x - 1.4) / 0.5)
    assert not any(line.get_label() == "quadratic (Wald)" for line in without.lines)


def test_a_limit_at_the_boundary_is_drawn_at_the_end_of_the_profile() -> None:
    short = RootProfile(estimate=0.3, lowest=0.0)
    ax = plots.plot_profile([short]).axes[0]
    lower = ax.collections[0].get_segments()[0]
    assert lower[0, 0] == 0.0
    assert lower[:, 1].max() == short(0.0) > -1.96
    assert "[0, " in ax.get_title()


def test_refuses_an_unknown_kind_of_profile() -> None:
    with pytest.raises(ValueError, match="kind must be 'zeta' or 'deviance'"):
        plots.plot_profile([RootProfile()], kind="likelihood")


# Residuals --------------------------------------------------------------------------------------------


def test_residuals_of_a_true_model_lie_in_the_band() -> None:
    n = 400
    exact = stats.norm.ppf((np.arange(n) + 0.5) / n)
    shuffled = np.random.default_rng(0).permutation(exact)
    for residuals, share in ((shuffled, 0.0), (shuffled + 1.0, 0.9)):
        ax = plots.plot_residuals(residuals, np.arange(n, dtype=float)).axes[0]
        outside = ax.lines[-1]
        assert len(outside.get_xdata()) >= share * n
        assert (share > 0) == (len(outside.get_xdata()) > 0)


def test_averages_of_residuals_find_a_trend() -> None:
    x = np.linspace(-1, 1, 400)
    for slope, least, most in ((0.0, 0.0, 0.2), (1.5, 0.6, 1.0)):
        r = np.random.default_rng(3).normal(size=400) + slope * x
        ax = plots.plot_residuals(r, x).axes[1]
        centre, mean = ax.lines[-1].get_data()
        assert len(centre) == 20
        np.testing.assert_allclose(mean.mean(), r.mean())
        beyond = np.mean(np.abs(mean) > 1.96 / np.sqrt(20))
        assert least <= beyond <= most


# Curves -----------------------------------------------------------------------------------------------


def test_curves_with_bands() -> None:
    ax = plots.plot_fit([curve(), curve("b", colour=1)]).axes[0]
    for line, label in zip(ax.lines, "ab", strict=True):
        assert line.get_label() == label
        np.testing.assert_array_equal(line.get_ydata(), 3 + line.get_xdata())
    (band, _) = ax.collections
    assert set(band.get_paths()[0].vertices[:, 1]) >= set(2 + np.linspace(0, 9, 10))


def test_curves_of_many_groups_are_thin_and_nameless() -> None:
    ax = plots.plot_fit([curve(str(k), of_group=True) for k in range(30)]).axes[0]
    assert not ax.collections
    assert sum(line.get_linewidth() < 1 for line in ax.lines) >= 30
    few = plots.plot_fit([curve(str(k), of_group=True) for k in range(3)]).axes[0]
    assert len(few.collections) == 3


def test_categories_stand_side_by_side() -> None:
    x = np.array(["low", "high"])
    ones = np.ones(2)
    shown = [plots.Curve(c, x, ones, 0 * ones, 2 * ones, colour=k) for k, c in enumerate("ab")]
    points = [plots.Points("observed", x[::-1], np.array([5.0, 6.0]), ones)]
    ax = plots.plot_fit(shown, points).axes[0]
    assert [t.get_text() for t in ax.get_xticklabels()] == ["low", "high"]
    a, b = (line.get_xdata() for line in ax.lines)
    assert np.all(np.abs(a - b) > 0.1)
    offsets = ax.collections[-1].get_offsets()
    assert np.round(offsets[:, 0]).tolist() == [1.0, 0.0]


def test_other_covariates_are_held_at_typical_values() -> None:
    frame = pd.DataFrame({"x": [1, 2, 2, 9], "f": ["b", "a", "b", "b"], "z": [0.5, 2.5, 1.5, 9.5]})
    row = typical_row(frame, {"z": -1.0})
    assert row.to_dict() == {"x": 2, "f": "b", "z": -1.0}
    assert typical_row(frame, {})["z"] == 1.5


def test_rows_of_the_population_and_of_groups() -> None:
    data = data_of("toenail")
    curves = population_rows(data, "time", "treatment", {}, categorical=False)
    assert [value for value, _ in curves] == ["itraconazole", "terbinafine"]
    for value, rows in curves:
        own = data.loc[data["treatment"] == value, "time"]
        assert rows["treatment"].unique().tolist() == [value]
        assert (rows["time"].min(), rows["time"].max()) == (own.min(), own.max())
    patient = data["patientID"].iloc[0]
    ((level, rows),) = group_rows(data, "time", "patientID", [patient], {}, categorical=False)
    own = data[data["patientID"] == patient]
    assert level == patient
    assert rows["treatment"].unique().tolist() == own["treatment"].unique().tolist()
    assert rows["time"].max() == own["time"].max()
    with pytest.raises(ValueError, match="groups: patientID has no level 'nobody'"):
        group_rows(data, "time", "patientID", ["nobody"], {}, categorical=False)


def test_observed_averages_are_those_of_pandas() -> None:
    data = data_of("cbpp")
    (points,) = observed_averages(
        data["period"], data["incidence"] / data["size"], data["size"].to_numpy(float), None, categorical=True
    )
    sums = data.groupby("period")[["incidence", "size"]].sum()
    np.testing.assert_allclose(points.y, sums["incidence"] / sums["size"])
    np.testing.assert_array_equal(points.count, sums["size"])


def test_observed_averages_over_bins_use_every_row() -> None:
    data = data_of("toenail")
    y = (data["outcome"] != "none or mild").to_numpy(float)
    ones = np.ones(len(y))
    found = observed_averages(data["time"], y, ones, data["treatment"], categorical=False)
    assert [p.label.split(",")[0] for p in found] == ["itraconazole", "terbinafine"]
    for points, (_, rows) in zip(found, data.assign(y=y).groupby("treatment"), strict=True):
        assert points.count.sum() == len(rows)
        np.testing.assert_allclose(points.y @ points.count, rows["y"].sum())
        np.testing.assert_allclose(points.x @ points.count, rows["time"].sum())
