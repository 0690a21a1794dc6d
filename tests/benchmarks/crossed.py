"""Crossed designs, in the time of lme4's Laplace fit: python -m tests.benchmarks.crossed [--write FILE].

Two designs are simulated; VerbAgg and InstEval are lme4's own tables and fhch2010 is afex's, read through Rscript and
left out without it.  In fhch2010 one task has no errors, so that its coefficients have no maximum; all others have.
Each design is fitted in a process of its own, so that its memory is seen; glmer's Laplace fit runs beside it.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import statsmodels.api as sm

from statsmodels_mcla import MCLAMixedGLM
from tests.benchmarks.isolated import isolated
from tests.benchmarks.report import environment, markdown, number


class Design(NamedTuple):
    """A crossed design: its formula, which glmer reads too, and its data in R or a simulation's size."""

    formula: str
    table: str | None
    size: tuple[int, int] = (0, 0)


SLOPES = "y ~ x + (1 + x | s) + (1 + x | i)"
DESIGNS = {
    "40 x 30, correlated slopes": Design(SLOPES, None, (40, 30)),
    "100 x 60, correlated slopes": Design(SLOPES, None, (100, 60)),
    "VerbAgg, 316 x 24": Design(
        "y ~ Anger + Gender + btype + situ + (1 | id) + (1 | item)",
        "transform(VerbAgg, y = as.integer(r2 == 'Y'))",
    ),
    "fhch2010, 45 x 600": Design(
        "y ~ task * stimulus + (1 | id) + (1 | item)", "transform(afex::fhch2010, y = as.integer(correct))"
    ),
    "InstEval, 2972 x 1128": Design(
        "y ~ service + (1 | s) + (1 | d)", "transform(InstEval, y = as.integer(y >= 4))"
    ),
}
GLMER = """
suppressPackageStartupMessages(library(lme4))
d <- read.csv('{path}')
for (v in intersect(names(d), c('s', 'i', 'id', 'item', 'd', 'service'))) d[[v]] <- factor(d[[v]])
t <- system.time(m <- suppressWarnings(glmer({formula}, d, binomial)))[['elapsed']]
cat(t, as.numeric(logLik(m)))
"""


def simulated(subjects: int, items: int) -> pd.DataFrame:
    """Binary answers with correlated intercepts and slopes on both sides."""
    rng = np.random.default_rng(1)
    s, i = np.repeat(np.arange(subjects), items), np.tile(np.arange(items), subjects)
    x = rng.permutation(np.where((s + i) % 2 == 0, 0.5, -0.5))
    of_s = rng.multivariate_normal([0, 0], [[1, 0.3], [0.3, 0.5]], subjects)
    of_i = rng.multivariate_normal([0, 0], [[0.6, -0.2], [-0.2, 0.3]], items)
    eta = 0.5 + 0.6 * x + of_s[s, 0] + of_s[s, 1] * x + of_i[i, 0] + of_i[i, 1] * x
    y = (rng.random(len(x)) < 1 / (1 + np.exp(-eta))).astype(int)
    return pd.DataFrame({"y": y, "x": x, "s": s, "i": i})


def save(design: Design, path: str) -> None:
    """Write the data of a design."""
    if design.table is None:
        simulated(*design.size).to_csv(path, index=False)
        return
    call = f"suppressPackageStartupMessages(library(lme4)); write.csv({design.table}, '{path}', row.names = FALSE)"
    subprocess.run(["Rscript", "-e", call], check=True)


def fitted(name: str, path: str) -> tuple[float, ...]:
    """Seconds of the Laplace fit, of the fit and of its summary, log-likelihoods, worst MCSE / SE, draws."""
    data = pd.read_csv(path)
    if name.startswith("InstEval"):
        data["service"] = data["service"].astype(str)
    family = sm.families.Binomial()
    model = MCLAMixedGLM.from_formula(DESIGNS[name].formula, data=data, family=family)
    clock = [time.perf_counter()]
    laplace = model.fit_laplace()
    clock.append(time.perf_counter())
    result = MCLAMixedGLM.from_formula(DESIGNS[name].formula, data=data, family=family).fit(rng=1)
    clock.append(time.perf_counter())
    str(result.summary())
    clock.append(time.perf_counter())
    worst = float(np.max(np.asarray(result.mcse) / np.asarray(result.bse)))
    draws = float(result.mc_diagnostics()["draws"].max())
    return (*np.diff(clock), laplace.llf, result.llf, result.llf_mcse, worst, draws)


def row(name: str, design: Design) -> list[str]:
    """Fit a design here and in R."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, "data.csv"))
        save(design, path)
        found = isolated(fitted, name, path)
        laplace, fit, summary, llf_laplace, llf, llf_mcse, worst, draws = found.result
        glmer = None
        if shutil.which("Rscript"):
            call = GLMER.format(path=path, formula=design.formula)
            done = subprocess.run(["Rscript", "-e", call], check=True, capture_output=True, text=True)
            glmer = float(done.stdout.split()[0])
    seconds = [number(x) for x in (glmer, laplace, fit, summary)]
    ratios = ["-" if glmer is None else number(x / glmer, 2) for x in (laplace, fit)]
    values = [
        f"{llf_laplace:.2f}",
        f"{llf:.3f} ({number(llf_mcse, 2)})",
        number(100 * worst, 2),
        f"{draws:.0f}",
    ]
    return [name, *seconds, *ratios, *values, number(found.peak)]


HEAD = [
    *("design", "glmer, s", "Laplace, s", "fit, s", "summary, s", "Laplace / glmer", "fit / glmer"),
    *("llf, Laplace", "llf (MCSE)", "MCSE / SE, %", "draws", "peak, MB"),
]


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", type=Path)
    options = parser.parse_args()
    known = {k: d for k, d in DESIGNS.items() if d.table is None or shutil.which("Rscript")}
    text = f"{markdown(HEAD, [row(*item) for item in known.items()])}\n\n{environment('threadpoolctl')}\n"
    print(text)
    if options.write:
        options.write.write_text(
            f"# Crossed designs\n\nWritten by `python -m tests.benchmarks.crossed --write FILE`.\n\n{text}"
        )


if __name__ == "__main__":
    main()
