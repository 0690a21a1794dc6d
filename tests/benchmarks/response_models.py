"""Response models beside R's Laplace fits: python -m tests.benchmarks.response_models [--repeats N] [--write FILE].

Zero-inflated and hurdle counts of Salamanders and Owls, wine ratings, proportions with and without zeros and ones, on
the tables of tests/reference, by glmmTMB and ordinal.  Times are the median of several runs after one that warms up,
from formula and data frame to results with standard errors, each run of this package with another seed; R's are elapsed
times inside R.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import statsmodels.api as sm

from statsmodels_mcla import MCLAMixedGLM, families
from tests.benchmarks.report import environment, markdown, number

REFERENCE = Path(__file__).parents[1] / "reference"
NB = sm.families.NegativeBinomial(alpha=1.0)


class Model(NamedTuple):
    """A table, the model as this package takes it, and the call in R."""

    table: str
    formula: str
    family: Any
    options: dict[str, str]
    call: str


COUNT, SPECIES = "count ~ mined + (1 | site)", "count ~ spp + mined + (1 | site)"
OWLS = "SiblingNegotiation ~ FoodTreatment * SexParent + (1 | Nest)"
MODELS = {
    "Salamanders, ZIP": Model(
        "salamanders",
        COUNT,
        sm.families.Poisson(),
        {"ziformula": "~ mined"},
        f"glmmTMB({COUNT}, d, family = poisson, ziformula = ~mined)",
    ),
    "Salamanders, ZINB": Model(
        "salamanders",
        SPECIES,
        NB,
        {"ziformula": "~ mined"},
        f"glmmTMB({SPECIES}, d, family = nbinom2, ziformula = ~mined)",
    ),
    "Salamanders, hurdle Poisson": Model(
        "salamanders",
        "count ~ spp * mined + (1 | site)",
        families.TruncatedPoisson(),
        {"ziformula": "~ spp * mined"},
        "glmmTMB(count ~ spp * mined + (1 | site), d, family = truncated_poisson, ziformula = ~ spp * mined)",
    ),
    "Salamanders, hurdle NB, both random": Model(
        "salamanders",
        COUNT,
        families.TruncatedNegativeBinomial(),
        {"ziformula": "~ mined + (1 | site)"},
        f"glmmTMB({COUNT}, d, family = truncated_nbinom2, ziformula = ~ mined + (1 | site))",
    ),
    "Salamanders, NB with dispersion": Model(
        "salamanders",
        SPECIES,
        NB,
        {"dispformula": "~ DOY"},
        f"glmmTMB({SPECIES}, d, family = nbinom2, dispformula = ~DOY)",
    ),
    "Owls, ZINB with offset": Model(
        "owls",
        OWLS,
        NB,
        {"ziformula": "~ 1", "exposure": "BroodSize"},
        f"glmmTMB(update({OWLS}, . ~ . + offset(log(BroodSize))), d, family = nbinom2, ziformula = ~1)",
    ),
    "wine, cumulative logit": Model(
        "wine",
        "rating ~ temp + contact + (1 | judge)",
        families.Cumulative(),
        {},
        "clmm(rating ~ temp + contact + (1 | judge), d)",
    ),
    "beta": Model(
        "responses",
        "beta ~ x + (1 | g)",
        families.Beta(),
        {},
        "glmmTMB(beta ~ x + (1 | g), d, family = beta_family())",
    ),
    "ordered beta": Model(
        "responses",
        "bounded ~ x + (1 | g)",
        families.OrderedBeta(),
        {},
        "glmmTMB(bounded ~ x + (1 | g), d, family = ordbeta(), start = list(psi = c(-1, 1)))",
    ),
    "beta-binomial": Model(
        "responses",
        "betabinomial + I(trials - betabinomial) ~ x + (1 | g)",
        families.BetaBinomial(),
        {},
        "glmmTMB(cbind(betabinomial, trials - betabinomial) ~ x + (1 | g), d, family = betabinomial())",
    ),
}
TIMED = """
suppressPackageStartupMessages({{library(glmmTMB); library(ordinal)}})
d <- read.csv('{path}', stringsAsFactors = TRUE)
if (!is.null(d$judge)) d <- transform(d, judge = factor(judge), rating = factor(rating))
fit <- function() suppressWarnings({call})
m <- fit()
t <- replicate({repeats}, system.time(fit())[['elapsed']])
cat(median(t), as.numeric(logLik(m)))
"""


def in_r(model: Model, repeats: int) -> tuple[float, float]:
    """Seconds and log-likelihood of the fit in R."""
    script = TIMED.format(path=REFERENCE / f"{model.table}.csv", call=model.call, repeats=repeats)
    done = subprocess.run(["Rscript", "-e", script], check=True, capture_output=True, text=True)
    seconds, llf = map(float, done.stdout.split()[-2:])
    return seconds, llf


def here(model: Model, repeats: int) -> tuple[float, float, Any, Any]:
    """Seconds of the Laplace fit and of the default fit, and both."""
    data = pd.read_csv(REFERENCE / f"{model.table}.csv")

    def fit(seed: int | None) -> Any:
        made = MCLAMixedGLM.from_formula(model.formula, data=data, family=model.family, **model.options)
        found = made.fit_laplace() if seed is None else made.fit(rng=seed)
        np.asarray(found.bse)
        return found

    def seconds(seeds: list[int | None]) -> float:
        out = []
        for seed in seeds:
            start = time.perf_counter()
            fit(seed)
            out.append(time.perf_counter() - start)
        return statistics.median(out)

    laplace, first = fit(None), fit(1)
    return seconds([None] * repeats), seconds(list(range(2, repeats + 2))), laplace, first


def row(name: str, model: Model, repeats: int) -> list[str]:
    """Fit a model here and in R."""
    theirs, their_llf = in_r(model, repeats)
    laplace, default, at_laplace, fit = here(model, repeats)
    values = [f"{their_llf:.3f}", f"{at_laplace.llf:.3f}", f"{fit.llf:.3f} ({number(fit.llf_mcse, 2)})"]
    times = [number(x) for x in (theirs, laplace, default)]
    worst = float(np.nanmax(np.asarray(fit.mcse) / np.asarray(fit.bse)))
    return [name, *times, number(default / theirs, 2), *values, number(100 * worst, 2)]


HEAD = [
    *("model", "R's Laplace, s", "Laplace, s", "default fit, s", "default / R"),
    *("llf, R", "llf, Laplace", "llf (MCSE)", "MCSE / SE, %"),
]


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--write", type=Path)
    options = parser.parse_args()
    rows = [row(name, model, options.repeats) for name, model in MODELS.items()]
    text = f"{markdown(HEAD, rows)}\n\n{environment('threadpoolctl')}\n"
    print(text)
    if options.write:
        options.write.write_text(
            "# Response models\n\nWritten by `python -m tests.benchmarks.response_models --write FILE`.\n\n"
            + text
        )


if __name__ == "__main__":
    main()
