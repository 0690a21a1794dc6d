"""
How honest the Monte Carlo errors are.

Fits every data set with many seeds and compares what the estimates' distance from the true maximum-likelihood
values is with what it should be: (estimate - truth) / MCSE ought to have mean 0 and standard deviation 1. The
default fit chooses its number of draws by those same errors, which could favour seeds whose errors look small;
that is in the comparison. Fits with a fixed number of independent draws stand beside it.

Run as ``python -m tests.calibration.calibrate [--seeds N] [--jobs N] [--datasets ...] [--write FILE]``.
"""

import argparse
import functools
import multiprocessing
import os
import statistics
import warnings
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from tests.benchmarks.problems import PROBLEMS, Truth, model, truth
from tests.benchmarks.report import environment, markdown, number

TABLE = Path(__file__).resolve().parent / "table.md"
SD, MEAN = (0.85, 1.2), (-0.25, 0.25)  # targets of sd and mean of (estimate - truth) / MCSE
EXACT = 1e-9  # MCSE / SE below which draws do not matter
ROUND_OFF = 1e-6  # largest error of such an estimate, in standard errors


@dataclass(frozen=True)
class Case:
    """A way to fit a data set."""

    name: str
    dataset: str
    options: Mapping[str, Any] = field(default_factory=dict)


PLAIN = {"quasi": False, "nsample": 4096}
CASES = [
    *(Case(name, name, {"mcse_tol": 0.01}) for name in PROBLEMS),
    *(Case(f"{name}, plain", name, PLAIN) for name in ("salamander", "bacteria")),
]


class Fit(NamedTuple):
    """What one seed gave."""

    params: np.ndarray
    mcse: np.ndarray
    llf: float
    llf_mcse: float
    rounds: int
    draws: int  # largest number a block
    total: int
    seconds: float
    converged: bool
    warnings: tuple[str, ...]


@functools.cache
def made(dataset: str):
    """Model of a data set, made once in each process."""
    return model(dataset)


def fit(case: Case, seed: int) -> Fit:
    """Fit with one seed."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = made(case.dataset).fit(rng=seed, n_jobs=1, **case.options)
    history = result.mc_history
    return Fit(
        np.asarray(result.params, float),
        np.asarray(result.mcse, float),
        float(result.llf),
        float(result.llf_mcse),
        len(history),
        int(history["draws"].iloc[-1]),
        int(history["total_draws"].iloc[-1]),
        float(history["seconds"].iloc[-1]),
        bool(result.converged),
        tuple(w.category.__name__ for w in caught),
    )


@dataclass(frozen=True)
class Calibration:
    """Distances of one estimate from its true value over seeds."""

    parameter: str
    z: np.ndarray  # (estimate - truth) / MCSE; not used where the estimate is exact
    errors: np.ndarray  # (estimate - truth) / standard error
    ratios: np.ndarray  # MCSE / standard error
    blur: float  # error of the truth itself, in units of the mean MCSE

    @property
    def exact(self) -> bool:
        """Whether the estimate does not depend on the draws."""
        return bool(np.max(self.ratios) < EXACT)

    @property
    def sd(self) -> float:
        """Standard deviation of z."""
        return float(np.std(self.z, ddof=1))

    @property
    def mean(self) -> float:
        """Mean of z."""
        return float(np.mean(self.z))

    def within(self, sd: tuple[float, float] = SD, mean: tuple[float, float] = MEAN) -> bool:
        """Whether sd and mean lie within limits, or an exact estimate is exact."""
        if self.exact:
            return bool(np.max(np.abs(self.errors)) < ROUND_OFF)
        return sd[0] <= self.sd <= sd[1] and mean[0] <= self.mean <= mean[1]


def calibrations(fits: Sequence[Fit], true: Truth) -> list[Calibration]:
    """Calibration of every parameter, and last of the log-likelihood, whose unit is 1.

    Fits without a Monte Carlo error of every parameter, such as those that did not converge, are left out.
    """
    fits = [f for f in fits if np.all(np.isfinite(f.mcse))]
    names = [*true.params, "log-likelihood"]
    values = np.array([*true.params.values(), true.llf])
    se = np.array([*true.bse.values(), 1.0])
    own = np.array([*true.error.values(), true.llf_error])
    found = np.array([[*f.params, f.llf] for f in fits])
    mcse = np.array([[*f.mcse, f.llf_mcse] for f in fits])
    away = found - values
    with np.errstate(divide="ignore", invalid="ignore"):
        z, blur = away / mcse, own / mcse.mean(axis=0)
    return [
        Calibration(name, z[:, j], away[:, j] / se[j], mcse[:, j] / se[j], float(blur[j]))
        for j, name in enumerate(names)
    ]


def limits(seeds: int, chance: float = 1e-4) -> tuple[tuple[float, float], tuple[float, float]]:
    """Where sd and mean of so many independent standard normals lie, but for a small chance on each side."""
    df = seeds - 1
    sd = np.sqrt(stats.chi2.ppf(chance, df) / df), np.sqrt(stats.chi2.isf(chance, df) / df)
    half = stats.norm.isf(chance) / np.sqrt(seeds)
    return (float(sd[0]), float(sd[1])), (float(-half), float(half))


def run(cases: Sequence[Case], seeds: Sequence[int], jobs: int = 1) -> dict[str, list[Fit]]:
    """Fit all cases with all seeds, in several processes if asked to."""
    if jobs == 1:
        return {case.name: [fit(case, seed) for seed in seeds] for case in cases}
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # read by the processes about to start
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context) as pool:
        return {case.name: list(pool.map(functools.partial(fit, case), seeds, chunksize=5)) for case in cases}


def parameters_table(cases: Sequence[Case], found: Mapping[str, Sequence[Fit]]) -> str:
    """One line a parameter."""
    head = ["data set", "parameter", "sd", "mean", "largest", "MCSE / SE", "truth's error / MCSE", "in range"]
    rows = []
    for case in cases:
        for c in calibrations(found[case.name], truth(case.dataset)):
            ratio = number(float(c.ratios.mean()), 2)
            met = "yes" if c.within() else "**no**"
            if c.exact:
                worst = float(np.max(np.abs(c.errors)))
                rows.append([case.name, c.parameter, "exact", f"{worst:.0e} SE", "", ratio, "", met])
                continue
            spread = [f"{c.sd:.3f}", f"{c.mean:+.3f}", f"{np.max(np.abs(c.z)):.1f}"]
            rows.append([case.name, c.parameter, *spread, ratio, number(c.blur, 1), met])
    return markdown(head, rows, left=2)


def fits_table(cases: Sequence[Case], found: Mapping[str, Sequence[Fit]]) -> str:
    """One line a data set: how the fits went."""
    head = ["data set", "fits", "converged", "rounds", "draws a block", "draws in all", "seconds", "warnings"]
    rows = []
    for case in cases:
        fits = found[case.name]
        said = sorted({w for f in fits for w in f.warnings})
        counts = [f"{sum(w in f.warnings for f in fits)} {w}" for w in said]
        middle = [statistics.median(getattr(f, name) for f in fits) for name in ("rounds", "draws", "total")]
        seconds = statistics.median(f.seconds for f in fits)
        converged = sum(f.converged for f in fits)
        rows.append(
            [
                case.name,
                f"{len(fits)}",
                f"{converged}" if converged == len(fits) else f"**{converged}**",
                *[f"{value:.0f}" for value in middle],
                number(seconds),
                ", ".join(counts) or "none",
            ]
        )
    return markdown(head, rows)


def report(cases: Sequence[Case], found: Mapping[str, Sequence[Fit]], seeds: Sequence[int]) -> str:
    """Everything, as Markdown."""
    (low, high), (_, half) = limits(len(seeds), 0.025)
    about = (
        f"(estimate - true maximum-likelihood value) / MCSE over seeds {seeds[0]} to {seeds[-1]}: standard "
        f"deviation, mean and largest absolute value. Targets: sd in [{SD[0]:g}, {SD[1]:g}], mean in "
        f"[{MEAN[0]:g}, {MEAN[1]:g}]; with perfect errors, 95 % of sds of {len(seeds)} seeds lie in [{low:.2f}, "
        f"{high:.2f}] and of means within {half:.2f} of 0. MCSE / SE is the mean over seeds, the log-likelihood's "
        "MCSE as it is. Default fits stop by themselves at MCSE <= 1 % of SE; 'plain': "
        f"{PLAIN['nsample']} independent draws a block. 'Exact' estimates do not depend on the draws."
    )
    each = [c for case in cases for c in calibrations(found[case.name], truth(case.dataset))]
    note = (
        f"{sum(c.within() for c in each)} of {len(each)} lines are in range. Fits that did not converge have no "
        "MCSE and are not in the table above. Below: median rounds, draws (largest number a block; all blocks "
        "together) and seconds on one thread."
    )
    parts = ["# Calibration of the Monte Carlo errors", about, parameters_table(cases, found), note]
    return "\n\n".join([*parts, fits_table(cases, found), environment()]) + "\n"


def main() -> None:
    """Print the tables and write them to a file."""
    parser = argparse.ArgumentParser(description="Compare Monte Carlo errors with what they should be.")
    parser.add_argument("--seeds", type=int, default=200, help="number of seeds, from 1")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--datasets", nargs="+", choices=list(PROBLEMS), default=list(PROBLEMS))
    parser.add_argument("--write", type=Path, default=TABLE, help="file to write the tables to")
    arguments = parser.parse_args()
    cases = [case for case in CASES if case.dataset in arguments.datasets]
    seeds = range(1, arguments.seeds + 1)
    text = report(cases, run(cases, seeds, arguments.jobs), seeds)
    print(text)
    arguments.write.write_text(text)


if __name__ == "__main__":
    main()
