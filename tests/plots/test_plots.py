"""Pictures: what is drawn is what the tables say, on the axes that were given, with text that can be read."""

from __future__ import annotations

import subprocess
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from helpers import data_of, fit_of, laplace_of, model_of
from matplotlib import pyplot as plt
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.text import Text
from scipy import stats

from statsmodels_mcla import JointSampling, MCLAMixedGLM, plots
from statsmodels_mcla.data.simulated_responses import simulate_responses
from statsmodels_mcla.exceptions import SingularFitWarning
from statsmodels_mcla.plots.grids import group_rows, observed_averages, population_rows, typical_row
from statsmodels_mcla.plots.style import BLUE, VERMILION
from statsmodels_mcla.prediction import SimulatedResiduals
from statsmodels_mcla.results.methods.plots import weights_of_block

mpl.use("Agg")


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    plt.close("all")  # other tests may have left some
    yield
    plt.close("all")


# Data to draw -----------------------------------------------------------------------------------------


def effects(levels: int, coordinates: tuple[str, ...] = ("Intercept",), term: str = "g") -> pd.DataFrame:
    rng = np.random.default_rng(levels)
    rows = [
        (term, f"level {k}", c, mean, mean - 1.5, mean + 1.5)
        for c in coordinates
        for k, mean in enumerate(rng.normal(size=levels))
    ]
    return pd.DataFrame(rows, columns=["term", "level", "effect", "mean", "lower", "upper"])


def diagnostics(blocks: int) -> pd.DataFrame:
    share = np.arange(blocks, 0, -1.0)
    return pd.DataFrame(
        {
            "draws": 100,
            "ess": np.linspace(20, 90, blocks),
            "ess_ratio": np.linspace(0.2, 0.9, blocks),
            "k_hat": np.linspace(1.1, -0.4, blocks),
            "share": share / share.sum(),
        },
        index=[f"group: {k}, group: {k + 1}, ... (20 levels)" for k in range(blocks)],
    )


def weights(m: int = 200) -> np.ndarray:
    w = np.random.default_rng(1).exponential(size=m)
    return w / w.sum()


def history() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "stage": ["rough", "rough", "exact"],
            "total_draws": [1024, 65536, 65536],
            "mcse_over_se": [0.064, 0.008, 0.0079],
        }
    )


@dataclass(frozen=True)
class RootProfile:
    """A profile that is a parabola in the square root of the parameter."""

    name: str = "g Var"
    estimate: float = 1.4
    se: float = 0.5
    lowest: float = 0.2

    def __call__(self, values: Any) -> np.ndarray:
        root = np.sqrt(self.estimate)
        return 2.0 * (np.sqrt(values) - root) * root / self.se

    @property
    def table(self) -> pd.DataFrame:
        values = np.linspace(self.lowest, 4.0, 25)
        return pd.DataFrame({"zeta": self(values), "llf": -0.5 * self(values) ** 2}, index=values)

    def conf_int(self, alpha: float = 0.05) -> pd.Series:
        half = stats.norm.isf(0.5 * alpha) * self.se / (2.0 * np.sqrt(self.estimate))
        lower = np.maximum(np.sqrt(self.estimate) - half, 0.0)
        return pd.Series({"lower": lower**2, "upper": (np.sqrt(self.estimate) + half) ** 2})


def curve(label: str = "a", **kwargs: Any) -> plots.Curve:
    x = np.linspace(0, 9, 10)
    return plots.Curve(label, x, 3 + x, 2 + x, 4 + x, **kwargs)


TIDY = pd.DataFrame(
    {
        "term": [f"treatment[T.terbinafine]:{k}" for k in range(7)],
        "estimate": np.arange(7.0),
        "conf_low": np.arange(7.0) - 2,
        "conf_high": np.arange(7.0) + 1,
    }
)
NORMAL = np.random.default_rng(2).normal(size=300)

PICTURES = {
    "random effects": (1, lambda ax: plots.plot_random_effects(effects(12), ax=ax)),
    "random effects, two coordinates": (
        2,
        lambda ax: plots.plot_random_effects(effects(12, ("Intercept", "x")), ax=ax),
    ),
    "coefficients": (1, lambda ax: plots.plot_coefficients({"one": TIDY, "other": TIDY.iloc[:3]}, ax=ax)),
    "importance": (4, lambda ax: plots.plot_importance(diagnostics(7), weights(), ax=ax)),
    "history": (1, lambda ax: plots.plot_mc_history(history(), tolerance=0.01, ax=ax)),
    "profile": (
        2,
        lambda ax: plots.plot_profile([RootProfile(), RootProfile("h Var")], [0.5, np.nan], ax=ax),
    ),
    "deviance": (1, lambda ax: plots.plot_profile([RootProfile()], [0.5], kind="deviance", ax=ax)),
    "residuals": (2, lambda ax: plots.plot_residuals(NORMAL, np.arange(300.0), ax=ax)),
    "checks": (
        3,
        lambda ax: plots.plot_checks(
            NORMAL,
            np.arange(300.0),
            np.random.default_rng(3).normal(size=(300, 60)),
            pd.DataFrame(
                {
                    "statistic": [0.0, 9.0, 1.5],
                    "lower": 0.0,
                    "upper": [1.0, 2.0, 0.0],
                    "pvalue": [0.1, 0.002, 1.0],
                },
                index=["uniformity", "spread within a factor of a long name", "zeros"],
            ),
            ax=ax,
        ),
    ),
    "panels": (
        3,
        lambda ax: plots.plot_panels(
            {f"species = {k}": ([curve(), curve("b", colour=1)], []) for k in range(3)},
            xlabel="x",
            ylabel="mean of y",
            note="at z = 1",
            ax=ax,
        ),
    ),
    "fit": (
        1,
        lambda ax: plots.plot_fit([curve(), curve("b", colour=1)], xlabel="x", ylabel="mean of y", ax=ax),
    ),
}
LARGE = {
    "300 levels": lambda: plots.plot_random_effects(effects(300)),
    "60 levels, two coordinates": lambda: plots.plot_random_effects(effects(60, ("Intercept", "x"))),
    "300 blocks": lambda: plots.plot_importance(diagnostics(300), weights()),
    "five profiles": lambda: plots.plot_profile(
        [RootProfile(f"treatment[T.terbinafine]:{k}") for k in range(5)], [0.5] * 5
    ),
    "30 groups": lambda: plots.plot_fit(
        [curve(str(k), of_group=True) for k in range(30)] + [curve("all", colour=1)], xlabel="x", ylabel="y"
    ),
}


# Figures and axes -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("panels", "draw"), PICTURES.values(), ids=PICTURES)
def test_draws_a_figure_of_its_own(panels: int, draw: Any) -> None:
    other = plt.figure()
    fig = draw(None)
    assert isinstance(fig, Figure)
    assert fig is not other
    assert len(fig.axes) == panels
    assert plt.get_fignums() == [other.number, fig.number]
    assert not other.axes


@pytest.mark.parametrize(("panels", "draw"), PICTURES.values(), ids=PICTURES)
def test_draws_on_the_axes_that_are_given(panels: int, draw: Any) -> None:
    given, axes = plt.subplots(1, panels + 1)
    chosen = axes[1] if panels == 1 else axes[1:]
    fig = draw(chosen)
    assert fig is given
    assert plt.get_fignums() == [given.number]
    assert len(fig.axes) == panels + 1
    assert not axes[0].has_data()
    assert all(ax.has_data() for ax in axes[1:])


@pytest.mark.parametrize(("panels", "draw"), PICTURES.values(), ids=PICTURES)
def test_refuses_axes_of_another_number(panels: int, draw: Any) -> None:
    axes = plt.subplots(1, panels + 1)[1]
    wanted = "one matplotlib Axes" if panels == 1 else f"sequence of {panels} matplotlib Axes"
    with pytest.raises(ValueError, match=f"ax must be .*{wanted}"):
        draw(axes)
    with pytest.raises(ValueError, match=f"ax must be .*{wanted}"):
        draw("here")


def test_says_how_to_get_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    for _, draw in PICTURES.values():
        with pytest.raises(ImportError, match=r"pip install 'statsmodels-mcla\[plots\]'"):
            draw(None)


def test_matplotlib_waits_until_it_is_needed() -> None:
    code = "import sys, statsmodels_mcla.plots; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# Text that can be read --------------------------------------------------------------------------------


def boxes_of(fig: Figure) -> list[tuple[str, Any]]:
    """Text and extent of everything written in a figure."""
    fig.canvas.draw()
    texts = [t for t in fig.findobj(Text) if t.get_visible() and t.get_text().strip()]
    ticks = {
        id(label)
        for ax in fig.axes
        for axis, limits in ((ax.xaxis, ax.get_xlim()), (ax.yaxis, ax.get_ylim()))
        for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks())
        for label in (tick.label1, tick.label2)
        if not min(limits) - 1e-9 <= tick.get_loc() <= max(limits) + 1e-9
    }
    return [(t.get_text(), t.get_window_extent()) for t in texts if id(t) not in ticks]


@pytest.mark.parametrize(
    "draw",
    [*(lambda d=d: d(None) for _, d in PICTURES.values()), *LARGE.values()],
    ids=[*PICTURES, *LARGE],
)
def test_nothing_is_written_over_anything(draw: Any) -> None:
    fig = draw()
    boxes = boxes_of(fig)
    assert len(boxes) > 5
    for (one, a), (two, b) in combinations(boxes, 2):
        assert not a.padded(-0.5).overlaps(b.padded(-0.5)), (one, two)
    for text, box in boxes:
        assert box.x0 >= 0, text
        assert box.x1 <= fig.bbox.x1, text
        assert box.y0 >= 0, text
        assert box.y1 <= fig.bbox.y1, text


@pytest.mark.parametrize(("panels", "draw"), PICTURES.values(), ids=PICTURES)
def test_axes_are_labelled(panels: int, draw: Any) -> None:
    for ax in draw(None).axes:
        assert ax.get_xlabel()
        assert ax.get_ylabel() or not ax.get_yticks().size or ax.get_subplotspec().colspan.start > 0


# Random effects ---------------------------------------------------------------------------------------


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
    for block in (0, len(mc.ess) - 1):
        v = weights_of_block(fitted, block)
        assert len(v) == mc.draws[block]
        np.testing.assert_allclose(v.sum(), 1.0)
        np.testing.assert_allclose(1.0 / (v**2).sum(), mc.ess[block], rtol=1e-8)


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


# Curves of a fit --------------------------------------------------------------------------------------


def curves_of(fig: Figure) -> dict[str, Any]:
    return {
        str(line.get_label()): line for line in fig.axes[0].lines if not str(line.get_label()).startswith("_")
    }


def test_fitted_curves_are_predictions() -> None:
    result = fit_of("toenail")
    lines = curves_of(result.plot_fit("time", by="treatment", random=("marginal", "none"), observed=False))
    assert len(lines) == 4
    for treatment in ("itraconazole", "terbinafine"):
        for random, label in (("marginal", "population average"), ("none", "random effects zero")):
            x, y = lines[f"{treatment}, {label}"].get_data()
            rows = pd.DataFrame({"time": x, "treatment": treatment})
            np.testing.assert_allclose(y, result.predict(rows, random=random))


def test_bands_are_confidence_intervals() -> None:
    result = fit_of("toenail")
    ax = result.plot_fit("time", at={"treatment": "terbinafine"}, observed=False, alpha=0.2).axes[0]
    x = ax.lines[0].get_xdata()
    rows = pd.DataFrame({"time": x, "treatment": "terbinafine"})
    frame = result.get_prediction(rows, random="marginal").summary_frame(0.2)
    drawn = ax.collections[0].get_paths()[0].vertices[:, 1]
    np.testing.assert_allclose(drawn.min(), frame["mean_ci_lower"].min())
    np.testing.assert_allclose(drawn.max(), frame["mean_ci_upper"].max())


def test_curves_of_groups_are_conditional_on_the_data() -> None:
    result, data = fit_of("toenail"), data_of("toenail")
    patients = list(data["patientID"].unique()[:2])
    lines = curves_of(result.plot_fit("time", groups={"patientID": patients}, random=(), observed=False))
    assert list(lines) == [f"patientID {p}" for p in patients]
    own = data[data["patientID"] == patients[1]]
    x, y = lines[f"patientID {patients[1]}"].get_data()
    rows = pd.DataFrame({"time": x, "treatment": own["treatment"].iloc[0], "patientID": patients[1]})
    np.testing.assert_allclose(y, result.predict(rows, random="conditional"))


def test_colours_of_many_groups_are_explained() -> None:
    data = data_of("toenail")
    patients = data["patientID"].unique()[:10]
    ax = (
        fit_of("toenail")
        .plot_fit("time", by="treatment", groups={"patientID": patients}, random=(), observed=False)
        .axes[0]
    )
    arm = data.groupby("patientID")["treatment"].first()[patients].value_counts()
    named = {
        str(line.get_label()): to_hex(line.get_color()) for line in ax.lines if not len(line.get_xdata())
    }
    assert set(named) == {f"{name}, {count} groups" for name, count in arm.items()}
    assert len(set(named.values())) == 2


def test_categories_of_a_formula_are_categories_of_the_picture() -> None:
    result = fit_of("cbpp")
    fig = result.plot_fit("period")
    assert [t.get_text() for t in fig.axes[0].get_xticklabels()] == ["1", "2", "3", "4"]
    expected = result.predict(pd.DataFrame({"period": list("1234")}), random="marginal")
    np.testing.assert_allclose(fig.axes[0].lines[0].get_ydata(), expected)
    observed = fig.axes[0].collections[-1].get_offsets()[:, 1]
    sums = data_of("cbpp").groupby("period")[["incidence", "size"]].sum()
    np.testing.assert_allclose(observed, sums["incidence"] / sums["size"])


COUNTS = pd.DataFrame(
    {
        "x": np.tile(np.arange(6.0), 20),
        "f": np.repeat(["a", "b"], 60),
        "z": np.random.default_rng(1).normal(size=120),
        "g": np.tile(np.repeat(np.arange(10), 6), 2),
        "hours": np.tile([1.0, 2.0, 5.0], 40),
    }
).assign(y=lambda d: np.random.default_rng(2).poisson(d["hours"] * np.exp(0.1 * d["x"] + (d["f"] == "b"))))


def counts_fit(formula: str, **rows: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SingularFitWarning)
        return MCLAMixedGLM.from_formula(formula, data=COUNTS, family="poisson", **rows).fit_laplace()


def test_what_is_held_where_is_said_and_observed_rows_are_those() -> None:
    result = counts_fit("y ~ x + f + (1 | g)")
    ax = result.plot_fit("x").axes[0]
    assert ax.get_title(loc="left") == "at f = a"
    offsets = ax.collections[-1].get_offsets()
    own = COUNTS[COUNTS["f"] == "a"].groupby("x")["y"].mean()
    np.testing.assert_allclose(offsets, np.column_stack([own.index, own]))
    assert result.plot_fit("x", at={"f": "b"}).axes[0].get_title(loc="left") == "at f = b"
    ax = result.plot_fit("x", by="f").axes[0]
    assert ax.get_title(loc="left") == ""
    assert ax.figure.legends[0].get_title().get_text().startswith("f: population average")


def test_averages_over_numbers_that_are_held_are_not_drawn() -> None:
    """They are not what the curve is about: it may lie outside all of them."""
    ax = counts_fit("y ~ x + z + (1 | g)").plot_fit("x").axes[0]
    assert ax.get_title(loc="left").startswith("at z = ")
    assert len(ax.collections) == 1  # the band


def test_rates_have_their_unit() -> None:
    result = counts_fit("y ~ x + (1 | g)", exposure="hours")
    ax = result.plot_fit("x").axes[0]
    assert ax.get_ylabel() == "mean of y per unit of hours"
    x, mean = ax.lines[0].get_data()
    rows = pd.DataFrame({"x": x, "hours": 1.0})
    np.testing.assert_allclose(mean, result.predict(rows, random="marginal"))
    sums = COUNTS.groupby("x")[["y", "hours"]].sum()
    np.testing.assert_allclose(ax.collections[-1].get_offsets()[:, 1], sums["y"] / sums["hours"])
    ax = result.plot_fit("x", at={"hours": 2.0}).axes[0]
    assert ax.get_ylabel() == "mean of y"
    assert ax.get_title(loc="left") == "at hours = 2"
    assert len(ax.collections) == 1


def test_panels() -> None:
    result = counts_fit("y ~ x + f + (1 | g)")
    fig = result.plot_fit("x", panels="f")
    assert [ax.get_title(loc="left") for ax in fig.axes] == ["f = a", "f = b"]
    assert fig.axes[0].get_ylim() == fig.axes[1].get_ylim()
    for ax, value in zip(fig.axes, "ab", strict=True):
        x, mean = ax.lines[0].get_data()
        np.testing.assert_allclose(
            mean, result.predict(pd.DataFrame({"x": x, "f": value}), random="marginal")
        )
    with pytest.raises(ValueError, match="panels: the data have no column 'species'"):
        result.plot_fit("x", panels="species")


def test_curves_that_cannot_be_told_apart_are_refused() -> None:
    result = fit_of("toenail")
    for argument, most in (("by", 10), ("panels", 30)):
        message = f"{argument}: 'time' has .* more than {most} cannot be told apart; cut it"
        with pytest.raises(ValueError, match=message):
            result.plot_fit("treatment", **{argument: "time"})


def test_categories_that_one_curve_has_not() -> None:
    ones = np.ones(3)
    whole = plots.Curve("whole", np.array(["a", "b", "c"]), ones, 0 * ones, 2 * ones, colour=1)
    part = plots.Curve("part", np.array(["c"]), ones[:1], ones[:1], ones[:1], colour=0)
    points = [plots.Points("seen", np.array(["c"]), ones[:1], ones[:1], colour=k) for k in (0, 1)]
    ax = plots.plot_fit([part, whole], points).axes[0]
    assert [t.get_text() for t in ax.get_xticklabels()] == ["a", "b", "c"]
    estimates = [line.get_xdata()[-1] for line in ax.lines]
    assert np.round(estimates).tolist() == [2.0, 2.0]
    seen = [ax.collections[k].get_offsets()[0, 0] for k in (-2, -1)]
    for at, estimate in zip(seen, estimates, strict=True):  # beside the estimate of the same colour
        assert 0 < at - estimate < 0.1


def test_ten_curves_have_ten_colours() -> None:
    ax = plots.plot_fit([curve(str(k), colour=k) for k in range(10)]).axes[0]
    assert len({to_hex(line.get_color()) for line in ax.lines}) == 10


def test_linear_predictors_have_one_curve() -> None:
    """Random effects of zero and averages over them have the same."""
    ax = fit_of("toenail").plot_fit("time", which="linear", random=("marginal", "none")).axes[0]
    assert len(ax.lines) == 1


def test_one_round_is_enough_or_not() -> None:
    one = history().iloc[1:]
    assert "one round: 65 536 draws" in plots.plot_mc_history(one).axes[0].get_title()
    assert plots.plot_mc_history(history()).axes[0].get_title() == ""


def test_many_parameters_are_not_all_profiled() -> None:
    result = counts_fit("y ~ x + f + z + I(z**2) + I(z**3) + I(z * x) + I(x**2) + hours + (1 | g)")
    assert len(result.params) == 10
    assert [ax.get_xlabel() for ax in result.plot_profile().axes] == ["g Var"]


def test_linear_predictors_have_no_observed_averages() -> None:
    ax = fit_of("epil").plot_fit("lbase", by="V4", which="linear").axes[0]
    assert ax.get_ylabel() == "linear predictor (log)"
    assert list(curves_of(ax.figure)) == ["V4 = 0", "V4 = 1"]
    assert len(ax.collections) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"x": "weeks"}, "x: the data have no column 'weeks'"),
        ({"x": "time", "by": "drug"}, "by: the data have no column 'drug'"),
        ({"x": "time", "at": {"drug": 1}}, "at: the data have no column 'drug'"),
        ({"x": "time", "groups": "patient"}, "groups: the data have no column 'patient'"),
        ({"x": "time", "groups": {"patientID": ["nobody"]}}, "groups: patientID has no level 'nobody'"),
        ({"x": "time", "groups": {}}, "groups must name one column"),
        ({"x": "time", "which": "median"}, "which must be one of 'mean', 'linear' for family"),
        ({"x": "time", "random": "conditional"}, "random must be 'marginal', 'none'"),
        ({"x": "time", "random": ()}, "no curve to draw"),
    ],
)
def test_refuses_curves_that_are_not_there(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fit_of("toenail").plot_fit(**arguments)


def test_curves_need_a_formula() -> None:
    data = data_of("cbpp")
    y = np.column_stack([data["incidence"], data["size"] - data["incidence"]])
    Z = pd.get_dummies(data["herd"]).to_numpy(float)
    model = MCLAMixedGLM(y, np.ones((len(data), 1)), Z, np.zeros(Z.shape[1], int))
    with pytest.raises(ValueError, match="made from a formula"):
        model.fit_laplace().plot_fit("period")


def test_random_effects_of_a_fit() -> None:
    result = fit_of("epil_slopes")
    frame = result.random_effects_frame(alpha=0.1)
    left, right = result.plot_random_effects(alpha=0.1).axes
    drawn = np.concatenate([np.asarray(line.get_xdata()) for line in left.lines[1:]])
    np.testing.assert_allclose(np.sort(drawn), np.sort(frame.loc[frame["effect"] == "Intercept", "mean"]))
    ends = {tuple(s[:, 0]) for c in right.collections for s in c.get_segments()}
    slopes = frame[frame["effect"] == "visit"]
    assert ends == set(zip(slopes["lower"], slopes["upper"], strict=True))
    assert "90 %" in left.get_xlabel()


def test_coefficients_of_fits() -> None:
    result, laplace = fit_of("cbpp"), laplace_of("cbpp")
    ax = result.plot_coefficients({"Laplace": laplace}, exponentiate=True, alpha=0.1).axes[0]
    for line, bars, fit in zip(ax.lines[1:], ax.collections, (result, laplace), strict=True):
        np.testing.assert_allclose(line.get_xdata(), np.exp(fit.fe_params.iloc[1:]))
        ends = np.array([segment[:, 0] for segment in bars.get_segments()])
        np.testing.assert_allclose(ends, np.exp(fit.conf_int(0.1).iloc[1:4]))
    assert ax.get_xscale() == "log"
    assert ax.get_yticklabels()[0].get_text() == "C(period)[T.2]"
    assert len(result.plot_coefficients(intercept=True).axes[0].lines[1].get_xdata()) == 4


def test_profiles_of_a_fit() -> None:
    result = fit_of("cbpp")
    named, odds = result.plot_profile(
        {"herd Var": "herd Var", "odds ratio": lambda p: np.exp(p["C(period)[T.2]"])}, alpha=0.1
    ).axes
    limits = result.conf_int(0.1, cols="herd Var", method="profile").to_numpy()[0]
    drawn = [c.get_segments()[0][0, 0] for c in named.collections]
    np.testing.assert_allclose(drawn, limits, rtol=1e-3)
    assert named.get_title().startswith("herd Var\n")
    assert odds.get_title().startswith("odds ratio\n")
    assert [line.get_label() for line in named.lines].count("quadratic (Wald)") == 1
    assert "quadratic (Wald)" not in [line.get_label() for line in odds.lines]


def test_all_parameters_are_profiled_by_default() -> None:
    result = fit_of("cbpp")
    fig = result.plot_profile(kind="deviance")
    assert [ax.get_title().split("\n")[0] for ax in fig.axes] == list(result.params.index)
    (single,) = result.plot_profile("herd Var").axes
    assert single.get_title().startswith("herd Var\n")


# Residuals of a fit -----------------------------------------------------------------------------------


def test_residuals_are_places_among_simulated_responses() -> None:
    result = fit_of("sleepstudy_gamma")
    model, params = result.model, result.params.to_numpy()
    found = SimulatedResiduals.of(model, params, np.random.default_rng(4), 50).residuals
    others = simulate_responses(
        model.inputs, model.design, model.conditional_family, params, np.random.default_rng(4), 50
    )
    below = (others < model.endog[:, None]).sum(axis=1)
    np.testing.assert_array_equal(np.floor(51 * stats.norm.cdf(found)), below)


def test_ties_are_broken_at_random() -> None:
    result = fit_of("cbpp")
    draw = [
        SimulatedResiduals.of(result.model, result.params.to_numpy(), np.random.default_rng(s), 99).residuals
        for s in range(200)
    ]
    zero = result.model.endog == 0
    u = stats.norm.cdf(np.array(draw)[:, zero])
    assert zero.sum() > 10
    assert np.all(u.min(axis=0) < 0.02)  # of P(y <= 0), anywhere
    probability = np.mean(result.simulate(2000, rng=6).to_numpy()[zero] == 0, axis=1)
    np.testing.assert_allclose(u.mean(axis=0), probability / 2, atol=0.05)


def test_a_true_model_leaves_the_band_as_often_as_it_should() -> None:
    result = fit_of("cbpp")
    params = result.params.to_numpy()
    shares = []
    for seed, (_, y) in enumerate(result.simulate(25, rng=5).items()):
        counts = np.column_stack([y, data_of("cbpp")["size"] - y])
        model = result.model.clone_with(counts)
        found = SimulatedResiduals.of(model, params, np.random.default_rng(seed), 99)
        r, simulated = found.residuals, found.simulated
        ax = plots.plot_residuals(r, np.arange(len(r), dtype=float), simulated).axes[0]
        shares.append(len(ax.lines[-1].get_xdata()) / len(r))
        plt.close(ax.figure)
    assert 0.01 < np.mean(shares) < 0.10


def test_residuals_find_a_wrong_model() -> None:
    result = fit_of("cbpp")
    wrong = result.params.to_numpy() + np.array([1.0, 0, 0, 0, 0])
    found = SimulatedResiduals.of(result.model, wrong, np.random.default_rng(1), 99)
    r, simulated = found.residuals, found.simulated
    ax = plots.plot_residuals(r, np.arange(len(r), dtype=float), simulated).axes[0]
    assert len(ax.lines[-1].get_xdata()) > 0.5 * len(r)


def test_residuals_stand_over_the_fixed_part() -> None:
    result = fit_of("cbpp")
    ax = result.plot_residuals(nsim=40, rng=1).axes[1]
    np.testing.assert_allclose(ax.lines[0].get_xdata(), result.predict(which="linear", random="none"))
    assert "(logit)" in ax.get_xlabel()
    again = result.plot_residuals(nsim=40, rng=1).axes[1]
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), again.lines[0].get_ydata())
    with pytest.raises(ValueError, match="nsim must be an integer of at least 39"):
        result.plot_residuals(nsim=20)


def test_pictures_of_a_laplace_fit() -> None:
    result = laplace_of("cbpp")
    assert len(result.plot_random_effects().axes) == 1
    assert len(result.plot_fit("period").axes) == 1
    assert len(result.plot_residuals(nsim=40, rng=1).axes) == 2
    assert not hasattr(result, "plot_importance")


def test_pictures_of_a_variance_of_zero() -> None:
    rng = np.random.default_rng(3)
    data = pd.DataFrame({"y": rng.poisson(3, 60), "x": rng.normal(size=60), "g": np.repeat(np.arange(12), 5)})
    model = MCLAMixedGLM.from_formula("y ~ x + (1 | g)", data=data, family=sm.families.Poisson())
    with pytest.warns(SingularFitWarning):
        result = model.fit(rng=1)
    assert result.params["g Var"] == 0.0
    (ax,) = result.plot_random_effects().axes
    assert all(np.all(np.asarray(line.get_xdata()) == 0) for line in ax.lines)
    (ax,) = result.plot_profile("g Var").axes
    assert "[0, " in ax.get_title()
    (ax,) = result.plot_mc_history().axes
    assert "exact" in ax.texts[0].get_text()
    assert len(result.plot_importance().axes) == 4
    assert len(result.plot_fit("x", random=("marginal", "none")).axes) == 1
    assert len(result.plot_residuals(nsim=40, rng=1).axes) == 2
