"""Models of data in partitions: the numbers of a model of all rows, whoever works."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from statsmodels_mcla import MCLAMixedGLM
from statsmodels_mcla.design import RowsElsewhere
from statsmodels_mcla.exceptions import SeparationWarning, SingularFitWarning

F = sm.families
FORMULA = "y ~ x + f + w + (1 | g)"


def table(groups: int = 60, seed: int = 1, slope: float = 0.0) -> pd.DataFrame:
    """Groups of 4 to 14 rows, in order."""
    rng = np.random.default_rng(seed)
    g = np.repeat(np.arange(groups), rng.integers(4, 15, groups))
    n = len(g)
    out = pd.DataFrame(
        {"g": g, "x": rng.normal(size=n), "f": rng.choice(list("abc"), n), "w": rng.integers(0, 2, n)}
    )
    u = rng.normal(size=(groups, 2)) * [0.9, slope]
    eta = -0.3 + 0.5 * out["x"] + 0.3 * (out["f"] == "b") + 0.2 * out["w"] + u[g, 0] + u[g, 1] * out["x"]
    out["y"] = (rng.random(n) < 1 / (1 + np.exp(-eta))).astype(int)
    p = rng.normal(size=groups)
    out["count"] = rng.poisson(np.exp(0.5 * eta + 0.5 * p[g // 5]))
    out["spread"] = rng.negative_binomial(1.5, 1.5 / (1.5 + np.exp(0.5 * eta)))
    out["size"] = eta + rng.normal(size=n)
    out["p"] = g // 5
    return out


def cut(data: pd.DataFrame, *edges: int) -> list[pd.DataFrame]:
    """Rows of groups up to each edge."""
    cuts = [0, *edges, int(data["g"].max()) + 1]
    return [data[(data["g"] >= a) & (data["g"] < b)].reset_index(drop=True) for a, b in pairwise(cuts)]


def given(frame: pd.DataFrame) -> pd.DataFrame:
    return frame


def loaders(frames: list[pd.DataFrame]) -> list[Callable[[], pd.DataFrame]]:
    return [partial(given, frame) for frame in frames]


def partitioned(data: pd.DataFrame, formula: str = FORMULA, *edges: int, **kwargs: Any) -> Any:
    return MCLAMixedGLM.from_partitions(formula, loaders(cut(data, *(edges or (7, 20, 45)))), **kwargs)


def numbers(result: Any) -> np.ndarray:
    """All that a fit says of its parameters, Monte Carlo errors too."""
    columns = result.params, result.bse, result.mcse, result.bse_mcse, [result.llf, result.llf_mcse]
    return np.concatenate([np.asarray(column, float) for column in columns])


# The same numbers as from one frame ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("formula", "family", "slope"),
    [
        (FORMULA, None, 0.0),
        ("y ~ x + f + (1 + x | g)", F.Binomial(), 0.8),
        ("y ~ x + (x || g)", F.Binomial(F.links.Probit()), 0.8),
        ("count ~ x + (1 | p/g)", F.Poisson(), 0.0),
        ("size ~ x + w + (1 | g)", F.Gaussian(), 0.0),
        ("y ~ w + (1 | g)", F.Binomial(), 0.0),  # whose rows are merged
        ("y ~ bs(x, df=4) + center(w) + C(f, Sum) + (1 | g)", F.Binomial(), 0.0),
    ],
)
def test_a_fit_is_that_of_all_rows(formula: str, family: Any, slope: float) -> None:
    data = table(slope=slope)
    whole = MCLAMixedGLM.from_formula(formula, data=data, family=family).fit(rng=3)
    parts = partitioned(data, formula, 10, 20, 45, family=family).fit(rng=3)
    assert parts.model.exog_names == whole.model.exog_names
    assert list(parts.params.index) == list(whole.params.index)
    np.testing.assert_allclose(numbers(parts), numbers(whole), rtol=1e-8, atol=1e-10)
    assert parts.nobs == whole.nobs
    assert parts.facts == whole.facts


def test_dispersions_start_elsewhere_and_end_alike() -> None:
    """Starting values of dispersions are averages over partitions, so that paths of the search differ."""
    data = table()
    whole, parts = (
        model.fit(rng=3)
        for model in (
            MCLAMixedGLM.from_formula("spread ~ x + (1 | g)", data=data, family="negativebinomial"),
            partitioned(data, "spread ~ x + (1 | g)", family="negativebinomial"),
        )
    )
    close = np.abs(np.asarray(whole.params) - np.asarray(parts.params)) <= 1e-3 * np.nan_to_num(
        np.asarray(whole.bse), nan=1.0
    )
    assert close.all()


def test_the_cut_does_not_matter() -> None:
    data = table()
    one, other = (partitioned(data, FORMULA, *edges).fit(rng=3) for edges in ((30,), (1, 2, 3, 50)))
    np.testing.assert_allclose(numbers(one), numbers(other), rtol=1e-9, atol=1e-12)


def test_offsets_weights_and_missing_values() -> None:
    data = table().assign(o=0.1, m=lambda d: 1 + d["w"])
    data.loc[[3, 77], "x"] = np.nan
    rows: dict[str, Any] = {"offset": "o", "freq_weights": "m"}
    whole = MCLAMixedGLM.from_formula(FORMULA, data=data, **rows).fit(rng=3)
    parts = partitioned(data, **rows).fit(rng=3)
    np.testing.assert_allclose(numbers(parts), numbers(whole), rtol=1e-8, atol=1e-10)
    assert parts.facts.n_dropped == 2
    with pytest.raises(ValueError, match=r"partition 0: 1 rows have missing values.*missing='drop'"):
        partitioned(data, missing="raise", **rows)


def test_a_variance_of_zero() -> None:
    data = table(seed=5)
    rng = np.random.default_rng(2)
    data["y"] = (rng.random(len(data)) < 0.4).astype(int)
    with pytest.warns(SingularFitWarning):
        whole = MCLAMixedGLM.from_formula("y ~ x + (1 | g)", data=data).fit(rng=3)
    with pytest.warns(SingularFitWarning):
        parts = partitioned(data, "y ~ x + (1 | g)").fit(rng=3)
    assert whole.singular
    assert parts.singular
    np.testing.assert_allclose(np.asarray(parts.params), np.asarray(whole.params), atol=1e-9)


# Afterwards ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("formula", ["y ~ x + (x | g)", "y ~ x + (x || g)", "y ~ x + (1 | g) + (1 | h)"])
def test_a_singular_fit(formula: str) -> None:
    """A correlation of one, and variances of zero beside one that is not: told alike, and the same numbers."""
    rng = np.random.default_rng(5)
    sizes, u = rng.integers(3, 9, 60), rng.normal(size=60)
    g = np.repeat(np.arange(60), sizes)
    x = rng.normal(size=len(g))
    slope = 0.4 if formula == "y ~ x + (x | g)" else 0.0
    y = rng.binomial(1, 1 / (1 + np.exp(-(0.3 + (0.8 + slope * x) * u[g] + 0.5 * x))))
    data = pd.DataFrame({"y": y, "x": x, "g": g, "h": 10 * g + rng.integers(0, 2, len(g))})
    said, found = [], []
    for model in (
        MCLAMixedGLM.from_formula(formula, data=data),
        MCLAMixedGLM.from_partitions(formula, loaders([data[data["g"] // 20 == k] for k in range(3)])),
    ):
        with pytest.warns(SingularFitWarning) as warned:
            found.append(model.fit(rng=1))
        said.append([str(w.message) for w in warned])
    assert said[0] == said[1]
    np.testing.assert_allclose(found[1].params, found[0].params, atol=1e-9)
    assert found[1].llf == pytest.approx(found[0].llf, abs=1e-9)


@pytest.fixture(scope="module")
def fits() -> tuple[Any, Any]:
    data = table()
    return MCLAMixedGLM.from_formula(FORMULA, data=data).fit(rng=3), partitioned(data).fit(rng=3)


def effects(part: Any) -> pd.DataFrame:
    return part.random_effects_frame()


def test_tables_tests_intervals_and_profiles(fits: tuple[Any, Any]) -> None:
    whole, parts = fits
    assert str(parts.summary()).splitlines()[0] == str(whole.summary()).splitlines()[0]
    for say in (
        lambda r: r.t_test("x = 0").summary_frame(),
        lambda r: r.wald_test_terms().table[["statistic", "pvalue"]].astype(float),
        lambda r: r.conf_int(method="profile"),
        lambda r: r.var_corr()[["estimate", "std err", "mcse"]],
        lambda r: r.profile_likelihood("x").conf_int(),
        lambda r: r.predict(table(3, seed=2)),
        lambda r: r.predict(table(3, seed=2).assign(g=-1), random="marginal"),
        lambda r: r.get_prediction(table(3, seed=2).assign(g=-1), random="marginal").summary_frame(),
    ):
        np.testing.assert_allclose(
            np.asarray(say(parts), float), np.asarray(say(whole), float), rtol=1e-6, atol=1e-8
        )


@pytest.mark.parametrize(
    "say",
    [
        effects,
        lambda part: part.get_prediction(random="conditional").summary_frame(),
        lambda part: part.get_prediction(random="marginal").summary_frame(),
        lambda part: part.fittedvalues,
        lambda part: part.resid_pearson,
    ],
    ids=["effects", "conditional", "marginal", "fittedvalues", "resid_pearson"],
)
def test_what_is_said_of_rows_is_said_by_partitions(fits: tuple[Any, Any], say: Any) -> None:
    whole, parts = fits
    found = (
        pd.concat(parts.map_partitions(say)).select_dtypes("number")
        if say is effects
        else pd.concat(parts.map_partitions(say))
    )
    known = say(whole).select_dtypes("number") if say is effects else say(whole)
    drop = ["level"] if say is effects else []
    np.testing.assert_allclose(
        pd.DataFrame(found).drop(columns=drop, errors="ignore"),
        pd.DataFrame(known).drop(columns=drop, errors="ignore"),
        rtol=1e-6,
        atol=1e-6,  # conditional modes are found to within 1e-6 of their standard deviation
    )


def test_levels_of_new_rows_are_where_their_rows_are(fits: tuple[Any, Any]) -> None:
    with pytest.raises(RowsElsewhere, match="map_partitions"):
        fits[1].predict(table(3, seed=2), random="conditional")


def test_partitions_are_written(fits: tuple[Any, Any], tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    whole, parts = fits
    paths = parts.map_partitions(effects, tmp_path / "effects")
    assert [Path(path).name for path in paths] == [f"part-{k:05d}.parquet" for k in range(4)]
    found = pd.concat([pd.read_parquet(path) for path in paths])
    assert found["level"].tolist() == whole.random_effects_frame()["level"].tolist()
    with pytest.raises(ValueError, match="must be a DataFrame or a Series"):
        parts.map_partitions(lambda part: part.llf, tmp_path)
    assert len(whole.map_partitions(effects)) == 1


def test_simulated_responses_of_partitions(fits: tuple[Any, Any]) -> None:
    _, parts = fits
    drawn = parts.map_partitions(lambda part: part.simulate(2, rng=part.model.partition))
    assert [len(one) for one in drawn] == [len(one) for one in cut(table(), 7, 20, 45)]
    assert set(np.unique(np.concatenate([one.to_numpy() for one in drawn]))) == {0.0, 1.0}


NEEDS_ROWS = [
    "caic",
    "fittedvalues",
    "groups",
    "llnull",
    "pearson_chi2",
    "random_effects",
    "resid_deviance",
    "resid_working",
]


@pytest.mark.parametrize("name", NEEDS_ROWS)
def test_what_needs_all_rows_says_so(fits: tuple[Any, Any], name: str) -> None:
    with pytest.raises(RowsElsewhere, match=r"in 4 partitions: .*map_partitions"):
        getattr(fits[1], name)


@pytest.mark.parametrize(
    "call",
    [
        lambda r: r.simulate(1),
        lambda r: r.get_prediction(),
        lambda r: r.with_cov_type("cluster", groups="f"),
        lambda r: r.emmeans("f"),
        lambda r: r.compare_lr_test(r),
        lambda r: r.score_test("+ I(x**2)"),
        lambda r: r.check(),
        lambda r: r.drop1(),
    ],
)
def test_calls_that_need_all_rows_say_so(fits: tuple[Any, Any], call: Any) -> None:
    with pytest.raises(RowsElsewhere, match="in 4 partitions"):
        call(fits[1])


def test_results_are_pickled_with_their_partitions(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    paths = []
    for k, frame in enumerate(cut(table(), 30)):
        paths.append(str(tmp_path / f"{k}.parquet"))
        frame.to_parquet(paths[-1])
    result = MCLAMixedGLM.from_partitions("y ~ center(x) + (1 | g)", paths).fit(rng=3)
    again = pickle.loads(pickle.dumps(result))
    np.testing.assert_array_equal(again.conf_int(method="profile"), result.conf_int(method="profile"))
    new = table(3, seed=9)
    np.testing.assert_array_equal(again.predict(new), result.predict(new))


def test_update_keeps_the_partitions() -> None:
    data = table()
    updated = partitioned(data).update(". ~ . - f")
    other = partitioned(data, "y ~ x + w + (1 | g)")
    np.testing.assert_array_equal(numbers(updated.fit(rng=3)), numbers(other.fit(rng=3)))


# Who works ----------------------------------------------------------------------------------------------


def test_threads_and_memory_do_not_matter() -> None:
    data = table()
    known = numbers(partitioned(data).fit(rng=3, n_jobs=1))
    for model in (
        partitioned(data),
        partitioned(data, memory_limit=1),
        partitioned(data, memory_limit="1 GB"),
    ):
        np.testing.assert_array_equal(numbers(model.fit(rng=3, n_jobs=2)), known)


class Stopped(BaseException):
    """Somebody has pressed Ctrl-C."""


def test_an_interrupted_fit_goes_on_to_the_same_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, file = table(), tmp_path / "fit"
    known = numbers(partitioned(data).fit(rng=3))
    model = partitioned(data)
    place, asked = model.workplace, []
    done = type(place)._done

    def interrupted(self: Any, function: Any, kept: Any) -> Any:
        asked.append(function)
        if len(asked) == 20:
            raise Stopped
        return done(self, function, kept)

    monkeypatch.setattr(type(place), "_done", interrupted)
    with pytest.raises(Stopped):
        model.fit(rng=3, checkpoint=file)
    assert len(asked) == 20
    file.write_bytes(file.read_bytes()[:-5])  # as a death in the middle of a line leaves it
    np.testing.assert_array_equal(numbers(partitioned(data).fit(rng=3, resume=file)), known)
    np.testing.assert_array_equal(
        np.asarray(partitioned(data).fit(rng=3, resume=file).params), known[: len(model.exog_names) + 1]
    )
    with pytest.raises(ValueError, match="is of another fit, which differs in rng"):
        partitioned(data).fit(rng=4, resume=file)
    with pytest.raises(ValueError, match="there is no file"):
        partitioned(data).fit(rng=3, resume=tmp_path / "none")
    with pytest.raises(ValueError, match="pass rng=1"):
        partitioned(data).fit(checkpoint=file)
    (tmp_path / "text").write_text("something else")
    with pytest.raises(ValueError, match="holds no checkpoint"):
        partitioned(data).fit(rng=3, resume=tmp_path / "text")


@pytest.mark.slow  # processes that import the package
def test_an_executor_of_processes() -> None:
    data = table()
    known = numbers(partitioned(data).fit(rng=3))
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        np.testing.assert_array_equal(numbers(partitioned(data, executor=pool).fit(rng=3)), known)


# Bad input ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("partitions", "message"),
    [
        (table(), "partitions must be a Dask DataFrame"),
        ("rows.parquet", "partitions must be a Dask DataFrame"),
        ([], "partitions is empty"),
        ([table()], r"partition 0 is a DataFrame.*lambda: frame"),
        (["nowhere.parquet"], "there is no file 'nowhere.parquet'"),
        ([lambda: table().assign(y=3)], "partition 0: endog"),
    ],
)
def test_bad_partitions(partitions: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MCLAMixedGLM.from_partitions(FORMULA, partitions)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"executor": 3}, "executor must be a dask.distributed.Client"),
        ({"memory_limit": "lots"}, "memory_limit must be a number of bytes"),
        ({"missing": "no"}, "missing must be"),
        ({"offset": np.zeros(3)}, "offset must be a column of the partitions"),
        ({"offsets": "x"}, "offset"),
        ({"family": "cumulative"}, "cumulative"),
    ],
)
def test_bad_arguments(kwargs: Any, message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        partitioned(table(), **kwargs)


def test_a_covariance_that_no_partition_tells_is_refused() -> None:
    """Found in all parts together: one level that has both categories, wherever it is, is enough."""
    data = table()
    data["between"] = np.where(data["g"] % 2 == 0, "a", "b")
    with pytest.raises(ValueError, match="no data of this design can tell"):
        partitioned(data, "y ~ (between | g)")
    last = data.index[data["g"] == data["g"].max()]
    data.loc[last[0], "between"] = "a" if data.loc[last[0], "between"] == "b" else "b"
    assert partitioned(data, "y ~ (between | g)").design.n_params == 4


def test_groups_that_straddle_are_refused() -> None:
    data = table()
    half = int(np.flatnonzero(data["g"] == 30)[2])
    frames = [data.iloc[:half], data.iloc[half:]]
    with pytest.raises(
        ValueError, match=r"1 of 60 levels of g have rows in several partitions.*Sort the rows by g"
    ):
        MCLAMixedGLM.from_partitions(FORMULA, loaders(frames))
    crossed = data.assign(h=np.arange(len(data)) % 7)
    with pytest.raises(ValueError, match=r"crossed, all rows hang together.*from_formula"):
        partitioned(crossed, "y ~ x + (1 | g) + (1 | h)")


def test_separated_coefficients_are_found_held_and_told() -> None:
    data = table()
    data["y"] = np.where(data["f"] == "b", 1, data["y"])
    with pytest.warns(SeparationWarning, match=r"f\[T.b\]"):
        parts = partitioned(data).fit(rng=1)
    with pytest.warns(SeparationWarning, match=r"f\[T.b\]"):
        whole = MCLAMixedGLM.from_formula(FORMULA, data=data).fit(rng=1)
    np.testing.assert_allclose(parts.params, whole.params, rtol=1e-7)
    np.testing.assert_allclose(parts.bse, whole.bse, rtol=1e-7)
    assert np.isfinite(np.delete(parts.bse, parts.params.index.get_loc("f[T.b]"))).all()


def test_only_partitions_take_executors() -> None:
    model = MCLAMixedGLM.from_formula(FORMULA, data=table())
    for name in ("executor", "checkpoint", "resume"):
        with pytest.raises(ValueError, match=f"{name} is for models from_partitions"):
            model.fit(**{name: "x"})
