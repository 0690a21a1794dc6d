"""
Nanoseconds per (row x draw) of value, score and Hessian in one pass, on the blocks of the salamander data.

The draws are frozen and their base random numbers made, as they are in all passes of a fit but the first. Beside
it, what numpy's exponential takes for one number, and how much more two threads get done than one. Times are the
fastest of several, since anything else that runs can only add to them.

Run as ``python -m tests.benchmarks.kernel [--repeats N]``.
"""

import os

# threads of the linear algebra would compete with those that are measured
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"

import argparse
import time
from collections.abc import Callable
from functools import partial

import numpy as np

from statsmodels_mcla.estimation.search.settings import DrawSettings
from statsmodels_mcla.execution import Threads
from statsmodels_mcla.likelihood.monte_carlo.evaluation import evaluate
from statsmodels_mcla.likelihood.monte_carlo.kernel import STEP
from statsmodels_mcla.likelihood.sampling.sampler import Sampler
from statsmodels_mcla.likelihood.sampling.settings import BlockSampling
from tests.benchmarks.problems import model, truth
from tests.benchmarks.report import environment, markdown, number

SIZES = (8192, 16384, 32768)  # draws a block
MOST, LEAST = 8.0, 1.7  # nanoseconds on one core, and how much more two are to get done than that


def fastest(rounds: int, *functions: Callable[[], object]) -> list[float]:
    """Least seconds of a call of each function, in turn, so that what else the machine does meets all of them.

    Each round calls a function four times in a row, as a fit does, and the first call does not count.
    """
    least = [np.inf] * len(functions)
    for _ in range(rounds):
        for k, function in enumerate(functions):
            function()
            for _ in range(3):
                start = time.perf_counter()
                function()
                least[k] = min(least[k], time.perf_counter() - start)
    return least


def exponential(repeats: int) -> float:
    """Nanoseconds that `np.exp` takes for one number, on arrays that fit the cache."""
    x = np.random.default_rng(0).normal(size=STEP // 8)
    out = np.empty_like(x)
    return 1e9 * fastest(5 * repeats, lambda: np.exp(x, out=out))[0] / x.size


def kernel(draws: int, repeats: int) -> list[float]:
    """Nanoseconds per (row x draw) of one pass, on one thread and on two."""
    design, params = model("salamander").design, np.array([*truth("salamander").params.values()])
    start: Sampler = DrawSettings(BlockSampling(), np.random.SeedSequence(1), True, draws).sampler(design)
    sampler = start.with_size(draws)
    if any(np.any(sizes != draws) for sizes in sampler.sizes):
        raise ValueError(f"{draws} draws a block cannot be had: {sampler.sizes}")
    position = sampler.at(params)
    passes = [partial(evaluate, design, params, position.draws, executor=Threads(n)) for n in (1, 2)]
    return [1e9 * seconds / (len(design.y) * draws) for seconds in fastest(repeats, *passes)]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Time one pass over rows and draws.")
    parser.add_argument("--repeats", type=int, default=40, help="rounds of timed passes")
    repeats = parser.parse_args().repeats
    rows = []
    for draws in SIZES:
        one, two = kernel(draws, repeats)
        met = [one <= MOST and two <= MOST / LEAST, one / two >= LEAST]
        shown = ["yes" if m else "**no**" for m in met]
        rows.append([f"{draws}", number(one), number(two), number(one / two), *shown])
    limits = [f"at most {MOST:g} and {MOST / LEAST:.1f} ns", f"ratio at least {LEAST:g}"]
    head = ["draws a block", "ns, one thread", "ns, two threads", "throughput ratio", *limits]
    print(markdown(head, rows))
    print(
        f"\nTarget: at most {MOST:g} ns on one thread, and {LEAST:g} times that throughput on two: of {MOST:g} ns, or "
        "of what one thread takes here."
    )
    print(f"np.exp alone: {number(exponential(repeats))} ns a number.")
    print(environment())


if __name__ == "__main__":
    main()
