"""
Times and errors of this package and of its peers, in one run.

For every data set: this package's default fit from formula and data frame to results, its Laplace fit, and the
fits of `peers`. Seconds are the median of several runs after one that warms up. Every run of the default fit has
another seed, the same ones in each benchmark, so that no run profits from random numbers that the one before
has made; estimates and Monte Carlo errors are those of the first.

Run as ``python -m tests.benchmarks.benchmark [--repeats N] [--datasets ...] [--write FILE]``.
"""

import argparse
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import numpy as np

from tests.benchmarks.peers import PeerResult, errors, fit_peers, timed
from tests.benchmarks.problems import PROBLEMS, frame, model, truth
from tests.benchmarks.report import environment, markdown, number

DEFAULT = "**statsmodels-mcla**, default fit"
LAPLACE = "statsmodels-mcla, `fit_laplace()`"
LAPLACE_ALL = "statsmodels-mcla, Laplace from formula, with SEs"
PACKAGES = {"glmm": "PyPI glmm", "lme4": "lme4 glmer", "statsmodels": "statsmodels"}
GLMER_LAPLACE, GLMM_LAPLACE = "lme4 glmer, Laplace", "PyPI glmm, Laplace"


@dataclass(frozen=True)
class Ours:
    """Fits of one data set with this package."""

    fits: dict[str, PeerResult]
    mcse_ratio: float  # largest MCSE in units of its standard error
    worst_z: float  # largest error in units of its MCSE


@dataclass(frozen=True)
class Comparison:
    """All fits of one data set."""

    dataset: str
    ours: Ours
    peers: list[PeerResult]

    @property
    def fits(self) -> dict[str, PeerResult]:
        """Results by the name that the table shows."""
        return {**self.ours.fits, **{shown(r.peer): r for r in self.peers}}

    def ratio(self, name: str, other: str) -> float | None:
        """Time of one fit in units of another's."""
        top, bottom = self.fits[name].seconds, self.fits[other].seconds
        return top / bottom if top and bottom else None


def shown(peer: str) -> str:
    """Name a peer as the tables do."""
    package, kind = peer.split(" ", 1)
    return f"{PACKAGES[package]}, {'variational Bayes' if kind == 'VB' else kind}"


@dataclass(frozen=True)
class Target:
    """A number of each data set, and the most that it may be."""

    text: str
    most: float
    value: Callable[[Comparison], float | None]


TARGETS = [
    Target("default fit / glmer Laplace", 1.0, lambda c: c.ratio(DEFAULT, GLMER_LAPLACE)),
    Target("`fit_laplace()` / glmm Laplace", 5.0, lambda c: c.ratio(LAPLACE, GLMM_LAPLACE)),
    Target("MCSE / SE", 0.01, lambda c: c.ours.mcse_ratio),
    Target("error / MCSE", 4.0, lambda c: c.ours.worst_z),
]


def fit_ours(dataset: str, repeats: int) -> Ours:
    """Fit with this package."""
    data, made = frame(dataset), model(dataset)
    true, seeds = truth(dataset), count(1)
    runs = {
        DEFAULT: lambda: model(dataset, data).fit(rng=next(seeds)),
        LAPLACE: made.fit_laplace,
        LAPLACE_ALL: lambda: with_standard_errors(model(dataset, data).fit_laplace()),
    }
    fits, results = {}, {}
    for name, run in runs.items():
        seconds, result, note = timed(run, repeats)
        params = dict(zip(true.params, map(float, result.params), strict=True))
        results[name] = result
        fits[name] = PeerResult(dataset, name, seconds, params, float(result.llf), note)
    fit = results[DEFAULT]
    away = np.abs(np.asarray(fit.params) - list(true.params.values()))
    # errors of the truth itself, and Monte Carlo errors of exactly zero, leave round-off
    own = np.array([*true.error.values()]) + 1e-8 * np.array([*true.bse.values()])
    mcse = np.asarray(fit.mcse)
    return Ours(fits, float(np.max(mcse / fit.bse)), float(np.max(away / np.hypot(mcse, own))))


def with_standard_errors(result):
    """Ask for standard errors, which a Laplace fit computes on demand."""
    result.bse  # noqa: B018
    return result


def compare(dataset: str, repeats: int) -> Comparison:
    """Fit one data set with everything that there is."""
    return Comparison(dataset, fit_ours(dataset, repeats), fit_peers(dataset, repeats))


def worst_error(result: PeerResult) -> float | None:
    """Largest error in units of the true standard error."""
    return max(map(abs, errors(result).values()), default=None)


def overview(comparisons: Sequence[Comparison]) -> str:
    """One line a way to fit, one column a data set: seconds and worst error."""
    names = list(dict.fromkeys(name for c in comparisons for name in c.fits))
    order = {name: k for k, name in enumerate(PACKAGES.values())}
    names.sort(key=lambda name: order.get(name.split(",")[0], -1))
    rows = []
    for name in names:
        found = [c.fits.get(name) for c in comparisons]
        cells = ["" if r is None else f"{number(r.seconds)} ({number(worst_error(r), 2)})" for r in found]
        rows.append([name, *cells])
    return markdown(["seconds (worst error / SE)", *[c.dataset for c in comparisons]], rows)


def table(comparisons: Sequence[Comparison]) -> str:
    """One line a fit."""
    head = ["data set", "fit", "seconds", "x default fit", "worst error / SE", "worst MCSE / SE"]
    rows = []
    for c in comparisons:
        for name, r in c.fits.items():
            times = [number(r.seconds), number(c.ratio(name, DEFAULT))]
            mcse = number(c.ours.mcse_ratio, 2) if name == DEFAULT else ""
            rows.append([c.dataset, name, *times, number(worst_error(r), 2), mcse])
    return markdown(head, rows, left=2)


def verdicts(comparisons: Sequence[Comparison]) -> str:
    """One line a target."""
    head = ["target", "at most", *[c.dataset for c in comparisons], "met"]
    rows = []
    for target in TARGETS:
        values = [target.value(c) for c in comparisons]
        known = [v for v in values if v is not None]
        met = "not measured" if not known else "yes" if all(v <= target.most for v in known) else "**no**"
        rows.append([target.text, f"{target.most:g}", *[number(v, 2) for v in values], met])
    return markdown(head, rows)


def notes(comparisons: Sequence[Comparison]) -> str:
    """What the packages said while they fitted, and why a fit is missing."""
    lines = [f"- {c.dataset}, {name}: {r.note}" for c in comparisons for name, r in c.fits.items() if r.note]
    return "\n".join(lines)


def versions() -> str:
    """Name the versions of everything that took part."""
    rscript, r = shutil.which("Rscript"), "no R"
    if rscript is not None:
        code = 'cat("R", format(getRversion()), "with lme4", format(packageVersion("lme4")))'
        done = subprocess.run([rscript, "--vanilla", "-e", code], capture_output=True, text=True, check=False)
        r = done.stdout or "R without lme4"
    return f"{environment('glmm')}; {r}"


def report(comparisons: Sequence[Comparison], repeats: int) -> str:
    """Everything, as Markdown."""
    about = (
        f"Median seconds of {repeats} runs, the packages loaded and warm, from formula and data frame to results "
        "(`fit_laplace()`: of a model that exists, without standard errors, which it computes when asked for). "
        "Errors: the largest over fixed effects and variances of |estimate - maximum-likelihood value|, in units of "
        "the true standard error (SE)."
    )
    parts = [about, *(make(comparisons) for make in (overview, verdicts, table, notes)), versions()]
    return "\n\n".join(part for part in parts if part) + "\n"


def main() -> None:
    """Print the comparison, and write it to a file if asked to."""
    parser = argparse.ArgumentParser(description="Compare this package with its peers.")
    parser.add_argument("--datasets", nargs="+", choices=list(PROBLEMS), default=list(PROBLEMS))
    parser.add_argument("--repeats", type=int, default=7, help="timed runs of each fit")
    parser.add_argument("--write", type=Path, help="file to write the tables to")
    arguments = parser.parse_args()
    comparisons = [compare(name, arguments.repeats) for name in arguments.datasets]
    text = report(comparisons, arguments.repeats)
    print(text)
    if arguments.write:
        arguments.write.write_text(text)


if __name__ == "__main__":
    main()
