"""Pictures of fits: what is drawn is what the tables say."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from helpers import data_of, fit_of, laplace_of
from matplotlib import pyplot as plt
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from pictures import curve, history
from scipy import stats

from statsmodels_mcla import MCLAMixedGLM, plots
from statsmodels_mcla.data.simulated_responses import simulate_responses
from statsmodels_mcla.exceptions import SingularFitWarning
from statsmodels_mcla.prediction import SimulatedResiduals


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
