"""
Seconds and memory of fits of data in partitions, through a local Dask cluster, beside a fit in one process.

Bernoulli responses, 10 rows a group, 5 fixed effects, a random intercept; Parquet files of 5 x 10^5 rows.  Memory is
the peak of the whole tree of processes: driver, scheduler and workers, pages that they share counted once (PSS).

Fits by one and by two workers take turns, because what else a machine does comes and goes: their table has medians,
the speed-up is the median of those of all pairs.

Run as ``python -m tests.benchmarks.partitions [--rows N] [--one N] [--pairs N] [--write FILE]`` (extra distributed,
psutil).
"""

import argparse
import multiprocessing
import os
import signal
import tempfile
import threading
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import psutil
from dask.distributed import Client, LocalCluster
from scipy import special

from statsmodels_mcla import MCLAMixedGLM
from tests.benchmarks.isolated import isolated
from tests.benchmarks.report import environment, markdown, number

ROWS_OF_A_GROUP, ROWS_OF_A_FILE = 10, 500_000
TRUTH = np.array([-0.5, 0.4, -0.3, 0.2, 0.1])
SD = 1.0
FORMULA = "y ~ x1 + x2 + x3 + x4 + (1 | g)"
SAMPLED = 2.0  # seconds between looks at the memory, which stop the processes that are looked at
HALFWAY = 15_000  # bytes of checkpoint after which a driver is killed
MOST_GB, MOST_RATIO, LEAST_SPEED_UP, CLOSE = 6.0, 1.3, 1.7, 1e-9


class Fit(NamedTuple):
    """What a fit took, and what it found."""

    seconds: float
    gigabytes: float
    converged: bool
    params: np.ndarray
    bse: np.ndarray
    mcse: np.ndarray


class Memory(threading.Thread):
    """Watches the memory of this process and of all that it starts."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peak, self.ended = 0, threading.Event()

    def run(self) -> None:
        own = psutil.Process()
        while not self.ended.wait(SAMPLED):
            processes = [own, *own.children(recursive=True)]
            self.peak = max(self.peak, sum(map(shared_once, processes)))


def shared_once(process: psutil.Process) -> int:
    """Memory of a process, pages that it shares divided among those that do; 0 where it has ended."""
    try:
        return int(process.memory_full_info().pss)
    except psutil.Error:
        return 0


def simulate(groups: int, first: int) -> pd.DataFrame:
    """Rows of some groups, the same ones whenever they are asked for."""
    rng = np.random.default_rng([7, first])
    g = np.repeat(np.arange(first, first + groups), ROWS_OF_A_GROUP)
    X = rng.normal(size=(len(g), 4))
    X[:, 3] = X[:, 3] > 0
    u = SD * rng.normal(size=groups)
    p = special.expit(TRUTH[0] + X @ TRUTH[1:] + u[g - first])
    return pd.DataFrame({"y": (rng.random(len(g)) < p).astype(np.int8), "g": g.astype(np.int32)}).assign(
        **{f"x{k + 1}": X[:, k].astype(np.float32) for k in range(4)}
    )


def write(directory: Path, rows: int) -> list[str]:
    """Write files, those of more rows beside those of fewer."""
    paths = []
    size = min(ROWS_OF_A_FILE, rows // 2)
    for k in range(-(-rows // size)):
        path = directory / f"{size}-{k:04d}.parquet"
        if not path.exists():
            simulate(size // ROWS_OF_A_GROUP, k * size // ROWS_OF_A_GROUP).to_parquet(path)
        paths.append(str(path))
    return paths


def _measured(fit: Any) -> Fit:
    memory = Memory()
    memory.start()
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = fit()
    seconds = time.perf_counter() - start
    memory.ended.set()
    memory.join()
    columns = (np.asarray(column) for column in (result.params, result.bse, result.mcse))
    return Fit(seconds, memory.peak / 1e9, bool(result.converged), *columns)


def in_one_process(paths: list[str]) -> Fit:
    """Fit from one frame."""
    return _measured(
        lambda: MCLAMixedGLM.from_formula(
            FORMULA, data=pd.concat([pd.read_parquet(p) for p in paths], ignore_index=True)
        ).fit(rng=1)
    )


def in_partitions(paths: list[str], workers: int, kill: float = 0.0, **how: Any) -> Fit:
    """Fit through a local cluster, one of whose workers is killed after some seconds, if any."""
    with (
        LocalCluster(
            n_workers=workers, threads_per_worker=1, dashboard_address=None, memory_limit=0
        ) as cluster,
        Client(cluster) as client,
    ):
        pid = next(iter(client.run(os.getpid).values()))
        if kill:
            threading.Timer(kill, os.kill, (pid, signal.SIGKILL)).start()
        found = _measured(
            lambda: MCLAMixedGLM.from_partitions(FORMULA, paths, executor=client).fit(rng=1, **how)
        )
        if kill and psutil.pid_exists(pid):
            raise RuntimeError("no worker was killed")
        return found


def _alone(paths: list[str], checkpoint: Path) -> None:
    os.setsid()  # so that all that it starts can be ended with it
    in_partitions(paths, 2, checkpoint=checkpoint)


def resumed(paths: list[str], checkpoint: Path) -> tuple[Fit, int]:
    """Fit from what a fit wrote that was killed on its way, driver, scheduler and workers; and the size of that."""
    process = multiprocessing.get_context("spawn").Process(target=_alone, args=(paths, checkpoint))
    process.start()
    while process.is_alive() and not (checkpoint.exists() and checkpoint.stat().st_size > HALFWAY):
        time.sleep(0.02)
    if not process.is_alive():
        raise RuntimeError("the driver ended before it was killed")
    os.killpg(process.pid, signal.SIGKILL)
    process.join()
    size = checkpoint.stat().st_size
    return in_partitions(paths, 2, resume=checkpoint), size


def middle(fits: Sequence[Fit]) -> Fit:
    """The fit with the median of the seconds, and the largest peak of all."""
    typical = sorted(fits, key=lambda fit: fit.seconds)[len(fits) // 2]
    return typical._replace(gigabytes=max(fit.gigabytes for fit in fits))


def report(rows: int, one: int, pairs: int, directory: Path) -> str:
    """Measure, and write down what was asked for and what came out."""
    paths, few = write(directory, rows), write(directory, one)
    base = isolated(in_one_process, few).result
    same = isolated(in_partitions, few, 2).result
    alone = isolated(in_partitions, few, 1).result
    killed = isolated(in_partitions, few, 2, 0.4 * same.seconds).result
    back, size = isolated(resumed, few, directory / "checkpoint").result
    turns = [[isolated(in_partitions, paths, workers).result for workers in (2, 1)] for _ in range(pairs)]
    many, slow = map(middle, zip(*turns, strict=True))
    speed_ups = [lone.seconds / both.seconds for both, lone in turns]
    fits = {
        f"{one} rows, one process": (one, base),
        f"{one} rows, 1 worker": (one, alone),
        f"{one} rows, 2 workers": (one, same),
        f"{one} rows, 2 workers, one killed": (one, killed),
        f"{one} rows, resumed where the driver was killed ({size / 1e3:.0f} kB written)": (one, back),
        f"{rows} rows, 1 worker, median of {pairs}": (rows, slow),
        f"{rows} rows, 2 workers, median of {pairs}": (rows, many),
    }
    table = [
        [
            name,
            number(f.seconds),
            number(1e6 * f.seconds / n),
            number(f.gigabytes),
            number(1e9 * f.gigabytes / n),
        ]
        for name, (n, f) in fits.items()
    ]
    truth = np.append(TRUTH, SD**2)
    ratio = (many.seconds / rows) / (base.seconds / one)
    distance = float(np.abs((many.params - truth) / many.bse).max())
    bits = [
        np.array_equal(f.params, same.params) and np.array_equal(f.bse, same.bse)
        for f in (alone, killed, back)
    ]
    bits[0] &= all(
        np.array_equal(f.params, many.params) and np.array_equal(f.bse, many.bse)
        for turn in turns
        for f in turn
    )
    checks = [
        [
            "peak of the tree of processes, GB",
            number(many.gigabytes),
            f"<= {MOST_GB}",
            many.gigabytes <= MOST_GB,
        ],
        ["seconds a row, over one process", number(ratio), f"<= {MOST_RATIO}", ratio <= MOST_RATIO],
        ["worst distance from what was simulated, SE", number(distance), "<= 4", distance <= 4],
        [
            "largest difference from one process",
            number(float(np.abs(same.params - base.params).max())),
            f"<= {CLOSE}",
            bool(np.abs(same.params - base.params).max() <= CLOSE),
        ],
        ["one worker: the same bits", "", "", bits[0]],
        ["a worker killed: the same bits", "", "", bits[1]],
        ["the driver killed, and the fit resumed: the same bits", "", "", bits[2]],
        [
            f"speed-up from one to two workers, {rows} rows: median of {', '.join(map(number, speed_ups))}",
            number(float(np.median(speed_ups))),
            f">= {LEAST_SPEED_UP}",
            np.median(speed_ups) >= LEAST_SPEED_UP,
        ],
    ]
    marked = [[*row[:3], "yes" if row[3] else "**no**"] for row in checks]
    return "\n\n".join(
        [
            "# Fits of data in partitions",
            f"Written by `python -m tests.benchmarks.partitions --rows {rows} --one {one} --pairs {pairs}`.",
            markdown(["", "seconds", "us a row", "GB at peak", "bytes a row"], table),
            markdown(["target", "found", "asked for", "met"], marked),
            environment(),
        ]
    )


def main() -> None:
    """Run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--one", type=int, default=1_000_000)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--write", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        text = report(options.rows, options.one, options.pairs, Path(directory))
    print(text)
    if options.write:
        options.write.write_text(text + "\n")


if __name__ == "__main__":
    main()
