"""Partitions on the workers of a real Dask cluster: processes that come, die and answer in any order."""

from __future__ import annotations

import os
import signal
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from statsmodels_mcla import MCLAMixedGLM
from statsmodels_mcla.exceptions import MCLAWarning, SingularFitWarning
from statsmodels_mcla.execution import PartitionError
from statsmodels_mcla.execution.engines import DaskWorkers
from tests.partitions.test_partitions import FORMULA, cut, numbers, partitioned, table

distributed = pytest.importorskip("distributed")
pytest.importorskip("pyarrow")
pytestmark = pytest.mark.filterwarnings("default")  # Dask's own


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    directory, out = tmp_path_factory.mktemp("parts"), []
    for k, frame in enumerate(cut(table(), 7, 20, 45)):
        out.append(str(directory / f"{k}.parquet"))
        frame.to_parquet(out[-1])
    return out


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with (
            distributed.LocalCluster(
                n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, memory_limit=0
            ) as cluster,
            distributed.Client(cluster) as client,
        ):
            yield client


@pytest.fixture(scope="module")
def known() -> np.ndarray:
    return numbers(partitioned(table()).fit(rng=3, n_jobs=1))


def test_the_same_bits_as_in_one_process(client: Any, files: list[str], known: np.ndarray) -> None:
    model = MCLAMixedGLM.from_partitions(FORMULA, files, executor=client)
    result = model.fit(rng=3)
    np.testing.assert_array_equal(numbers(result), known)
    again = model.fit(rng=3, n_jobs=2)  # the same model in threads of this process
    np.testing.assert_array_equal(numbers(again), known)
    np.testing.assert_array_equal(numbers(model.fit(rng=3, executor=client)), known)
    assert sorted(map(len, result.map_partitions(lambda part: part.fittedvalues))) == sorted(
        map(len, cut(table(), 7, 20, 45))
    )


def test_bootstrap_influence_and_sandwich_on_the_workers(client: Any, files: list[str]) -> None:
    fitted = MCLAMixedGLM.from_partitions(FORMULA, files, executor=client).fit(rng=3)
    found = fitted.bootstrap(3, rng=1)
    known = partitioned(table()).fit(rng=3, n_jobs=1).bootstrap(3, rng=1)
    np.testing.assert_array_equal(found.estimates, known.estimates)
    here = partitioned(table()).fit(rng=3, n_jobs=1)
    np.testing.assert_array_equal(fitted.get_influence().d_params, here.get_influence().d_params)
    np.testing.assert_array_equal(fitted.with_cov_type("robust").bse, here.with_cov_type("robust").bse)


def test_a_worker_that_dies_is_replaced(client: Any, files: list[str], known: np.ndarray) -> None:
    model = MCLAMixedGLM.from_partitions(FORMULA, files, executor=client)
    before = client.run(os.getpid)
    place, died = model.workplace, threading.Event()
    done = type(place)._done

    def dying(function: Any, kept: Any) -> Any:
        if place._next > 25 and not died.is_set():
            died.set()
            os.kill(next(iter(before.values())), signal.SIGKILL)
        return done(place, function, kept)

    place._done = dying
    result = model.fit(rng=3)
    assert died.is_set()
    np.testing.assert_array_equal(numbers(result), known)
    client.wait_for_workers(2, timeout=60)
    assert set(client.run(os.getpid).values()) != set(before.values())


def test_an_error_names_its_partition(client: Any, files: list[str], tmp_path: Path) -> None:
    bad = tmp_path / "bad.parquet"
    pd.read_parquet(files[1]).assign(y=lambda d: d["y"] + 2).to_parquet(bad)
    with pytest.raises(PartitionError, match=rf"partition 1 \({bad}\): endog: .*got 2.* at row 0"):
        MCLAMixedGLM.from_partitions(FORMULA, [files[0], str(bad), *files[2:]], executor=client)


def test_an_interruption_leaves_the_workers_idle(
    client: Any, files: list[str], known: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = MCLAMixedGLM.from_partitions(FORMULA, files, executor=client)

    def interrupted(futures: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(DaskWorkers, "_ended", staticmethod(interrupted))
        with pytest.raises(KeyboardInterrupt):
            model.fit(rng=3)
    deadline, quiet = time.monotonic() + 20, 0
    while (
        quiet < 10 and time.monotonic() < deadline
    ):  # a scheduler may begin what it has just been told to forget
        quiet = 0 if any(client.processing().values()) else quiet + 1
        time.sleep(0.05)
    assert quiet == 10
    np.testing.assert_array_equal(numbers(model.fit(rng=3)), known)


def test_dask_dataframes_and_groups_that_straddle(client: Any, files: list[str], tmp_path: Path) -> None:
    dd = pytest.importorskip("dask.dataframe")
    data = table()
    frame = dd.from_pandas(data, npartitions=3, sort=False)
    with pytest.raises(ValueError, match="shuffle='directory'"):
        MCLAMixedGLM.from_partitions(FORMULA, frame, executor=client)
    model = MCLAMixedGLM.from_partitions(FORMULA, frame, executor=client, shuffle=tmp_path / "shuffled")
    assert model.facts.n_rows == len(data)
    assert len(model.workplace.parts) > 1
    found, whole = model.fit(rng=3), MCLAMixedGLM.from_formula(FORMULA, data=data).fit(rng=3)
    apart = np.abs(np.asarray(found.params) - np.asarray(whole.params))
    assert np.all(apart <= 5 * np.hypot(found.mcse, whole.mcse) + 1e-6)
    for name, g in {
        "text": data["g"].astype(str),
        "large": data["g"] + 1000,
    }.items():  # what Dask would try is neither
        other = dd.from_pandas(data.assign(g=g), npartitions=3, sort=False)
        again = MCLAMixedGLM.from_partitions(FORMULA, other, executor=client, shuffle=tmp_path / name)
        assert again.facts.n_rows == len(data)
    with pytest.raises(ValueError, match="is not empty"):
        MCLAMixedGLM.from_partitions(FORMULA, frame, executor=client, shuffle=tmp_path / "shuffled")
    model = MCLAMixedGLM.from_partitions(FORMULA, dd.read_parquet(files), executor=client)
    np.testing.assert_allclose(numbers(model.fit(rng=3)), numbers(whole), rtol=1e-8, atol=1e-10)
    formula, rows = "y ~ x + (1 | g) + (1 | h)", data.assign(h=np.arange(len(data)) % 7)
    crossed = dd.from_pandas(rows, npartitions=2)
    with pytest.warns(MCLAWarning, match="hang together"):
        one = MCLAMixedGLM.from_partitions(formula, crossed, executor=client, shuffle=tmp_path / "one")
    assert len(one.workplace.parts) == 1
    with pytest.warns(SingularFitWarning, match="'h'"):
        whole = MCLAMixedGLM.from_formula(formula, data=rows).fit_laplace()
    with pytest.warns(SingularFitWarning, match="'h'"):
        np.testing.assert_allclose(one.fit_laplace().llf, whole.llf, rtol=1e-9)
