"""
Seconds and peak memory of the joint importance density on the salamander data.

That is the method of the R package glmm: all 120 random effects drawn at once from a three-part mixture. Each
fit, from formula and data frame to results, has a process of its own.

Run as ``python -m tests.benchmarks.joint [--draws N ...]``.
"""

import argparse
import time
import warnings
from typing import NamedTuple

import numpy as np

from statsmodels_mcla import JointSampling
from tests.benchmarks.isolated import isolated
from tests.benchmarks.problems import frame, model, truth
from tests.benchmarks.report import environment, markdown, number

SECONDS = {10**5: 60.0, 10**6: 40.0}  # most that a fit may take
GIGABYTES = 1.0


class JointFit(NamedTuple):
    """A fit, in units of the true standard errors."""

    seconds: float
    converged: bool
    mcse_ratio: float
    worst_error: float
    ess: float
    note: str


def fit(draws: int) -> JointFit:
    """Fit with so many joint draws."""
    data, true = frame("salamander"), truth("salamander")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        start = time.perf_counter()
        result = model("salamander", data).fit(sampling=JointSampling(), nsample=draws, rng=1)
        seconds = time.perf_counter() - start
    se = np.array([*true.bse.values()])
    away = np.abs(np.asarray(result.params) - list(true.params.values())) / se
    note = "; ".join(dict.fromkeys(w.category.__name__ for w in caught))
    mcse_ratio = float(np.max(np.asarray(result.mcse) / se))
    return JointFit(
        seconds, bool(result.converged), mcse_ratio, float(away.max()), float(result.ess.iloc[0]), note
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Time the joint importance density.")
    parser.add_argument("--draws", nargs="+", type=int, default=list(SECONDS))
    rows = []
    for draws in parser.parse_args().draws:
        found = isolated(fit, draws)
        joint: JointFit = found.result
        met = "-"
        if draws in SECONDS:
            met = "yes" if joint.seconds <= SECONDS[draws] and found.peak <= 1000 * GIGABYTES else "**no**"
        rows.append(
            [
                f"{draws}",
                number(joint.seconds),
                f"{found.peak:.0f}",
                f"{found.before:.0f}",
                met,
                number(joint.mcse_ratio, 2),
                number(joint.worst_error, 2),
                number(joint.ess),
                "yes" if joint.converged else f"no {joint.note}",
            ]
        )
    head = [
        "draws",
        "seconds",
        "peak MB",
        "MB of imports",
        "target met",
        "worst MCSE / SE",
        "worst error / SE",
    ]
    print(markdown([*head, "ESS", "converged"], rows))
    limits = ", ".join(f"{seconds:g} s with {draws} draws" for draws, seconds in SECONDS.items())
    print(f"\nTargets: at most {limits}, and {GIGABYTES:g} GB.")
    print(environment())


if __name__ == "__main__":
    main()
