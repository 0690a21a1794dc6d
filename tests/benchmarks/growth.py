"""
Seconds and peak memory of random-intercept models as the number of groups grows.

Bernoulli responses, 10 rows a group, a covariate that varies within and between groups, 10^3 to 10^5 groups, by
default with Monte Carlo errors of at most 2 % of the standard errors. Each fit, from formula and data frame to
results, has a process of its own.

Run as ``python -m tests.benchmarks.growth [--groups N ...]``.
"""

import argparse
import time
import warnings
from typing import NamedTuple

import numpy as np
import pandas as pd
import statsmodels.api as sm
from scipy import special

from statsmodels_mcla import MCLAMixedGLM
from tests.benchmarks.isolated import isolated
from tests.benchmarks.report import environment, markdown, number

ROWS = 10  # a group
TRUTH = {"Intercept": -0.5, "x": 1.0, "variance": 1.0}
TOLERANCE = 0.02
SECONDS, GIGABYTES = 60.0, 4.0  # most for 10^6 rows


class Growth(NamedTuple):
    """A fit of simulated data."""

    seconds: float
    converged: bool
    mcse_ratio: float
    worst_error: float  # of estimates against what was simulated, in standard errors
    draws: int  # all blocks together
    note: str


def simulate(groups: int) -> pd.DataFrame:
    """Make data, always the same for a number of groups."""
    rng = np.random.default_rng([groups, ROWS])
    g = np.repeat(np.arange(groups), ROWS)
    x = rng.normal(size=groups)[g] / 2 + rng.normal(size=len(g))
    u = np.sqrt(TRUTH["variance"]) * rng.normal(size=groups)
    p = special.expit(TRUTH["Intercept"] + TRUTH["x"] * x + u[g])
    return pd.DataFrame({"y": rng.binomial(1, p), "x": x, "g": g})


def fit(groups: int) -> Growth:
    """Fit so many groups."""
    data = simulate(groups)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        start = time.perf_counter()
        model = MCLAMixedGLM.from_formula("y ~ x + (1 | g)", data=data, family=sm.families.Binomial())
        result = model.fit(rng=1, mcse_tol=TOLERANCE)
        seconds = time.perf_counter() - start
    bse = np.asarray(result.bse)
    away = np.abs(np.asarray(result.params) - list(TRUTH.values())) / bse
    return Growth(
        seconds,
        bool(result.converged),
        float(np.max(np.asarray(result.mcse) / bse)),
        float(away.max()),
        int(result.mc_history["total_draws"].iloc[-1]),
        "; ".join(dict.fromkeys(w.category.__name__ for w in caught)),
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Time random intercepts of many groups.")
    parser.add_argument("--groups", nargs="+", type=int, default=[10**3, 10**4, 10**5])
    rows, sizes, costs = [], [], []
    for groups in parser.parse_args().groups:
        found = isolated(fit, groups)
        grown: Growth = found.result
        n, added = groups * ROWS, found.peak - found.before
        sizes.append(n)
        costs.append([grown.seconds, added])
        quick = grown.seconds <= SECONDS * max(1.0, n / 1e6)
        met = quick and added <= 1000 * GIGABYTES * max(1.0, n / 1e6) and grown.mcse_ratio <= TOLERANCE
        rows.append(
            [
                f"{n}",
                number(grown.seconds),
                number(1e6 * grown.seconds / n),
                f"{found.peak:.0f}",
                number(1e6 * added / n),
                f"{grown.draws}",
                number(grown.mcse_ratio, 2),
                number(grown.worst_error, 2),
                f"yes {grown.note}".rstrip() if grown.converged else f"no {grown.note}",
                "yes" if met else "**no**",
            ]
        )
    head = [
        "rows",
        "seconds",
        "us a row",
        "peak MB",
        "bytes a row beyond imports",
        "draws",
        "worst MCSE / SE",
    ]
    print(markdown([*head, "worst distance from the simulated / SE", "converged", "target met"], rows))
    if len(sizes) > 1:
        time_power, memory_power = np.polyfit(np.log(sizes), np.log(costs), 1)[0]
        print(
            f"\nSeconds grow like rows^{time_power:.2f}, memory beyond imports like rows^{memory_power:.2f}."
        )
    print(
        f"\nTarget: 10^6 rows in at most {SECONDS:g} s and {GIGABYTES:g} GB with MCSE <= {TOLERANCE:g} SE, time and "
        "memory linear in rows."
    )
    print(environment())


if __name__ == "__main__":
    main()
