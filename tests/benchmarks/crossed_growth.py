"""Crossed designs as they grow: python -m tests.benchmarks.crossed_growth [--largest NAME] [--write FILE].

Binary responses of users to items, whose effects are crossed; activity and popularity are skewed, as those of film
ratings are.  Levels grow at a constant number of rows a level; the last design has the size of MovieLens 1M.  Each is
fitted in a process of its own, so that its memory is seen.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import special

from statsmodels_mcla import MCLAMixedGLM
from tests.benchmarks.isolated import isolated
from tests.benchmarks.report import environment, markdown, number

TRUTH = {"Intercept": 0.2, "x": 0.3, "z": -0.25, "u Var": 0.49, "i Var": 0.81}
MOST_SECONDS, MOST_MB, MOST_MCSE, MOST_DISTANCE = 600.0, 8000.0, 0.02, 4.0


class Design(NamedTuple):
    """Numbers of users, items and rows."""

    users: int
    items: int
    rows: int


DESIGNS = {
    "100 x 100": Design(100, 100, 4_000),
    "1000 x 1000": Design(1_000, 1_000, 40_000),
    "4000 x 4000": Design(4_000, 4_000, 160_000),
    "MovieLens-like, 6040 x 3706": Design(6_040, 3_706, 1_000_000),
}


def simulated(design: Design) -> pd.DataFrame:
    """Answers of users to items, a covariate of rows and one of users."""
    rng = np.random.default_rng(5)
    activity = rng.gamma(0.7, size=design.users) + 0.05
    popularity = rng.gamma(0.5, size=design.items) + 0.01
    u = rng.choice(design.users, size=design.rows, p=activity / activity.sum())
    i = rng.choice(design.items, size=design.rows, p=popularity / popularity.sum())
    x, z = rng.normal(size=design.rows), (rng.random(design.users) < 0.3).astype(float)
    of_u = np.sqrt(TRUTH["u Var"]) * rng.normal(size=design.users)
    of_i = np.sqrt(TRUTH["i Var"]) * rng.normal(size=design.items)
    fixed = TRUTH["Intercept"] + TRUTH["x"] * x + TRUTH["z"] * z[u]
    y = rng.random(design.rows) < special.expit(fixed + of_u[u] + of_i[i])
    return pd.DataFrame({"y": y.astype(np.int8), "x": x, "z": z[u], "u": u, "i": i})


def fitted(design: Design) -> tuple[float, ...]:
    """Seconds of the Laplace fit and of the fit, draws, worst MCSE / SE, worst distance from the truth in SEs."""
    model = MCLAMixedGLM.from_formula("y ~ x + z + (1 | u) + (1 | i)", data=simulated(design))
    clock = [time.perf_counter()]
    model.fit_laplace()
    clock.append(time.perf_counter())
    result = model.fit(rng=1)
    clock.append(time.perf_counter())
    worst = float(np.max(np.asarray(result.mcse) / np.asarray(result.bse)))
    away = (result.params - pd.Series(TRUTH)) / result.bse
    draws = float(result.mc_diagnostics()["draws"].max())
    return (*np.diff(clock), draws, worst, float(away.abs().max()), float(result.converged))


HEAD = [
    *("design", "rows", "Laplace, s", "fit, s", "us a row", "peak, MB", "draws", "MCSE / SE, %"),
    *("worst distance from the simulated / SE", "converged"),
]


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--designs", type=int, default=len(DESIGNS), help="how many, from the smallest on")
    parser.add_argument("--write", type=Path)
    options = parser.parse_args()
    rows, met = [], "not run"
    for name, design in list(DESIGNS.items())[: options.designs]:
        found = isolated(fitted, design)
        laplace, fit, draws, worst, away, converged = found.result
        small = found.peak <= MOST_MB and fit <= MOST_SECONDS
        met = "yes" if small and worst <= MOST_MCSE and away <= MOST_DISTANCE and converged else "**no**"
        seconds = [number(laplace), number(fit), number(1e6 * fit / design.rows)]
        rest = [number(found.peak), f"{draws:.0f}", number(100 * worst, 2), number(away, 2)]
        rows.append([name, str(design.rows), *seconds, *rest, "yes" if converged else "**no**"])
    target = (
        f"Target for the last: at most {MOST_SECONDS:.0f} s and {MOST_MB:.0f} MB, MCSE at most {100 * MOST_MCSE:.0f} % "
        f"of SE, what was simulated within {MOST_DISTANCE:.0f} SE: {met}."
    )
    written = "Written by `python -m tests.benchmarks.crossed_growth --write FILE`."
    title = "# Growth of crossed designs"
    text = "\n\n".join([title, written, markdown(HEAD, rows), target, environment("threadpoolctl")]) + "\n"
    print(text)
    if options.write:
        options.write.write_text(text)


if __name__ == "__main__":
    main()
