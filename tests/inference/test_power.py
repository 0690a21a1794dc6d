"""Power by simulation against the power of the normal test that a balanced Gaussian design has."""

from __future__ import annotations

import functools
import pickle
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers import F
from scipy import stats

from statsmodels_mcla import MCLAMixedGLM
from statsmodels_mcla.execution import Threads
from statsmodels_mcla.inference import rows_of_size

GROUPS, EACH, SLOPE, VAR, SCALE = 16, 4, 0.5, 0.4, 1.0


@functools.lru_cache
def result() -> Any:
    """A covariate of groups, whose values are balanced in every half of the groups."""
    rng = np.random.default_rng(7)
    g = np.repeat(np.arange(GROUPS), EACH)
    data = pd.DataFrame({"g": g, "x": np.where(g % 2 == 0, -1.0, 1.0)})
    data["y"] = SLOPE * data["x"] + rng.normal(size=GROUPS)[g] * np.sqrt(VAR) + rng.normal(size=len(g))
    return MCLAMixedGLM.from_formula("y ~ x + (1 | g)", data=data, family=F.Gaussian()).fit_laplace()


@functools.lru_cache
def curve() -> Any:
    effects = dict(zip(result().params.index, [0.0, SLOPE, VAR, SCALE], strict=True))
    return result().power("x", {"g": [16, 48]}, effects, nsim=150, rng=1)


def test_power_is_that_of_the_normal_test() -> None:
    table = curve().summary_frame()
    for size in (16, 48):
        se = np.sqrt((VAR + SCALE / EACH) / size)  # of the slope; maximum likelihood takes it a little small
        wanted = stats.norm.isf(0.025)
        truth = stats.norm.sf(wanted - SLOPE / se) + stats.norm.cdf(-wanted - SLOPE / se)
        spread = np.sqrt(max(truth * (1 - truth), 0.01) / 150)
        assert table.loc[size, "power"] == pytest.approx(truth, abs=3 * spread + 0.03)
        assert table.loc[size, "ci_lower"] < table.loc[size, "power"] <= table.loc[size, "ci_upper"]
    assert 0.5 < table.loc[16, "power"] < 0.97  # or the comparison would show nothing
    assert list(table["failed"]) == [0, 0]
    k = int((curve().pvalues[16] < 0.05).sum())
    low = stats.beta.ppf(0.025, k, 150 - k + 1)
    assert table.loc[16, "ci_lower"] == pytest.approx(low, rel=1e-6)


def test_it_goes_on_where_it_stopped() -> None:
    effects = curve().request["effects"]
    first = result().power("x", {"g": [16]}, effects, nsim=5, rng=1)
    np.testing.assert_array_equal(first.pvalues[16], curve().pvalues[16][:5])
    again = pickle.loads(pickle.dumps(first))
    more = result().power("x", {"g": [16]}, effects, nsim=8, start=again, executor=Threads(2))
    np.testing.assert_array_equal(more.pvalues[16], curve().pvalues[16][:8])
    with pytest.raises(ValueError, match="start: it was asked for with another test"):
        result().power("x = 0.1", {"g": [16]}, effects, nsim=8, start=again)


def test_rows_come_again_with_new_levels() -> None:
    column = pd.Series(["a", "b", "b", "c"])
    rows, names = rows_of_size(column, 5)
    assert rows.tolist() == [0, 1, 2, 3, 0, 1, 2]
    assert names == ["a", "b", "b", "c", "a.1", "b.1", "b.1"]
    assert rows_of_size(column, 2)[1] == ["a", "b", "b"]


def test_tests_of_any_kind() -> None:
    options: dict[str, Any] = {"n": {"g": [8]}, "nsim": 3, "rng": 2}
    term, hypothesis = (result().power(test, **options).pvalues for test in ("x", "x = 0"))
    np.testing.assert_allclose(term, hypothesis, rtol=1e-8)
    ratio = result().power(lambda r: r.drop1("x").loc["x", "Pr(>Chisq)"], **options).pvalues
    assert np.all(np.abs(ratio - term) < 0.1)
    assert not np.allclose(ratio, term, rtol=1e-6)


def test_levels_that_make_no_design_are_named() -> None:
    data = result().model.data.frame.assign(late=lambda d: np.where(d["g"] > 2, "yes", "no"))
    model = MCLAMixedGLM.from_formula("y ~ x + late + (1 | g)", data=data, family=F.Gaussian())
    effects = {"Intercept": 0.0, "late[T.yes]": 0.0, "x": 0.1, "g Var": VAR, "scale": 1.0}
    with pytest.raises(
        ValueError, match=r"n: 2 levels of 'g', the first of the data, .*'late' has one level only"
    ):
        model.power("x", {"g": [2]}, effects, approximation="laplace", nsim=2, rng=1)


def test_a_design_without_data_has_the_power_of_its_fit() -> None:
    """And parameters may come as a Series, work from threads of someone else."""
    plan = result().model.data.frame.assign(y=np.random.default_rng(1).normal(size=GROUPS * EACH))
    model = MCLAMixedGLM.from_formula("y ~ x + (1 | g)", data=plan, family=F.Gaussian())
    effects = pd.Series(curve().request["effects"])
    options: dict[str, Any] = {"approximation": "laplace", "nsim": 5, "rng": 1}
    with ThreadPoolExecutor(2) as pool:
        found = model.power("x", {"g": [16, 48]}, effects, executor=pool, **options)
    pd.testing.assert_frame_equal(found.pvalues, curve().pvalues[:5])
    with pytest.raises(ValueError, match=r"effects: every parameter needs a value .*missing: x, scale \(the"):
        model.power("x", {"g": [16]}, {"Intercept": 0.0, "g Var": VAR}, **options)
    with pytest.raises(ValueError, match="approximation must be one of mcla, laplace"):
        model.power("x", {"g": [16]}, effects, approximation="vb")
    arrays = MCLAMixedGLM(plan["y"], plan[["x"]], np.eye(16)[plan["g"]], np.zeros(16, int), F.Gaussian())
    with pytest.raises(ValueError, match="n: the model was not made by a formula"):
        arrays.power("x", {"g": [16]}, effects)


def test_several_equations_are_one_test() -> None:
    options: dict[str, Any] = {"n": {"g": [8]}, "nsim": 3, "rng": 2}
    joint = result().power("x = 0, Intercept = 0", **options).pvalues
    wanted = result().power(lambda r: r.f_test("x = 0, Intercept = 0").pvalue, **options).pvalues
    assert joint.notna().all(axis=None)
    assert np.all(np.abs(joint - wanted) < 0.1)  # the F-test's reference law has some degrees of freedom


def test_plot() -> None:
    pytest.importorskip("matplotlib").use("Agg")
    fig = curve().plot()
    (ax,) = fig.axes
    assert ax.get_xlabel() == "levels of g"
    assert ax.get_ylim() == (0, 1)
    line = ax.containers[0].lines[0]
    np.testing.assert_allclose(np.asarray(line.get_ydata(), float), curve().summary_frame()["power"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n": {"h": [4]}}, "n: the data have no column 'h'"),
        ({"n": [4]}, "n must be a dict of one column"),
        ({"n": {"g": [1]}}, "n must be an integer of at least 2"),
        ({"effects": {"z": 1.0}}, "effects: 'z' is no parameter; they are Intercept, x"),
        ({"nsim": 0}, "nsim must be"),
        ({"effects": {"x": "large"}}, "effects must be a dict of numbers by names of parameters"),
        ({"effects": [1.0]}, "effects must be a dict of numbers by names of parameters"),
        ({"effects": {"g Var": -1.0}}, "effects: the random effects of 'g' have no such variances"),
        ({"effects": {"scale": 0.0}}, "effects: family Gaussian has no scale = 0"),
        (
            {"test": "zz = 0"},
            "test: 'zz = 0' cannot be read .*the parameters are Intercept, x.*the terms, Intercept, x",
        ),
        ({"executor": 2}, "executor must be a dask.distributed.Client or"),
    ],
)
def test_errors(arguments: dict[str, Any], message: str) -> None:
    given: dict[str, Any] = {"test": "x", "n": {"g": [8]}, "nsim": 2}
    with pytest.raises(Exception, match=message):
        result().power(**(given | arguments))
