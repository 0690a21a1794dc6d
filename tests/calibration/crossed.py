"""
How honest the Monte Carlo errors of crossed and nested designs are.

As `calibrate`, on designs whose maximum is known by no quadrature: the reference is a long run of `long_run`, which
shares no code with the fit, or of thousands of effects a fit with many more draws; its own error is taken into account.
Estimates, log-likelihood, standard errors and one contrast are looked at.

Run as ``python -m tests.calibration.crossed [--seeds N] [--designs NAME ...] [--write FILE]`` (extra benchmark).
"""

import argparse
import os
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import statsmodels.api as sm
from patsy import DesignInfo

from statsmodels_mcla import MCLAMixedGLM
from tests.benchmarks import crossed
from tests.benchmarks.report import environment, markdown, number
from tests.calibration.long_run import LongRun

BATCHES = 10
SD, MEAN = (0.85, 1.2), (-0.3, 0.3)


class Design(NamedTuple):
    """A model, its contrast of fixed effects, the number of seeds, and what the reference is made by."""

    model: Callable[[], MCLAMixedGLM]
    contrast: str
    seeds: int
    reference: Callable[[MCLAMixedGLM, str], pd.DataFrame]


def of_benchmark(name: str) -> Callable[[], MCLAMixedGLM]:
    """Model of a design of the benchmark."""

    def model() -> MCLAMixedGLM:
        design = crossed.DESIGNS[name]
        with tempfile.TemporaryDirectory() as folder:
            path = str(Path(folder, "data.csv"))
            crossed.save(design, path)
            data = pd.read_csv(path, keep_default_na=False, na_values=[""])
        if "service" in data:
            data["service"] = data["service"].astype(str)
        return MCLAMixedGLM.from_formula(design.formula, data=data, family=crossed.FAMILIES[design.family]())

    return model


def nested_counts() -> MCLAMixedGLM:
    """Counts of pupils in classes in schools, which differ at all three levels."""
    rng = np.random.default_rng(11)
    school, of_class = np.repeat(np.arange(20), 24), np.repeat(np.arange(80), 6)
    x, of_row = rng.normal(size=480), 0.5 * rng.normal(size=480)
    effects = 0.5 * rng.normal(size=20)[school] + 0.4 * rng.normal(size=80)[of_class] + of_row
    y = rng.poisson(np.exp(0.3 + 0.4 * x + effects))
    data = pd.DataFrame({"y": y, "x": x, "school": school, "clas": of_class, "row": np.arange(480)})
    formula = "y ~ x + (1 | school) + (1 | clas) + (1 | row)"
    return MCLAMixedGLM.from_formula(formula, data=data, family=sm.families.Poisson())


def nested_binary() -> MCLAMixedGLM:
    """Yes and no of the children of mothers in communities, whose effects are integrated one by one."""
    rng = np.random.default_rng(12)
    community, mother = np.repeat(np.arange(30), 18), np.repeat(np.arange(180), 3)
    x = rng.normal(size=540)
    eta = -0.3 + 0.5 * x + 0.7 * rng.normal(size=30)[community] + 1.2 * rng.normal(size=180)[mother]
    y = (rng.random(540) < 1.0 / (1.0 + np.exp(-eta))) * 1
    data = pd.DataFrame({"y": y, "x": x, "community": community, "mother": mother})
    formula = "y ~ x + (1 | community) + (1 | mother)"
    return MCLAMixedGLM.from_formula(formula, data=data, family=sm.families.Binomial())


def slopes() -> MCLAMixedGLM:
    """Yes and no, with an intercept and a slope of each of 80 levels: points of a grid of two dimensions."""
    rng = np.random.default_rng(13)
    g, x = np.repeat(np.arange(80), 8), rng.normal(size=640)
    u = rng.normal(size=(80, 2)) * [1.3, 0.8]
    y = (rng.random(640) < 1.0 / (1.0 + np.exp(0.4 - 0.7 * x - u[g, 0] - u[g, 1] * x))) * 1
    data = pd.DataFrame({"y": y, "x": x, "g": g})
    return MCLAMixedGLM.from_formula("y ~ x + (1 + x | g)", data=data, family=sm.families.Binomial())


def two_slopes() -> MCLAMixedGLM:
    """Counts with an intercept and two slopes of each of 50 levels: points of a grid of three dimensions."""
    rng = np.random.default_rng(14)
    g, (x, z) = np.repeat(np.arange(50), 8), rng.normal(size=(2, 400))
    u = rng.normal(size=(50, 3)) * [0.6, 0.4, 0.4]
    y = rng.poisson(np.exp(0.2 + (0.3 + u[g, 1]) * x + u[g, 0] + u[g, 2] * z))
    data = pd.DataFrame({"y": y, "x": x, "z": z, "g": g})
    return MCLAMixedGLM.from_formula("y ~ x + z + (1 + x + z | g)", data=data, family=sm.families.Poisson())


def told(result: Any, contrast: str) -> pd.DataFrame:
    """What a fit says, the Monte Carlo errors of it, and the scale on which errors are small."""
    test = result.t_test(contrast)
    rows = {name: (result.params[name], result.mcse[name], result.bse[name]) for name in result.params.index}
    rows["log-likelihood"] = result.llf, result.llf_mcse, 1.0
    for name in result.params.index:
        rows[f"SE of {name}"] = result.bse[name], result.bse_mcse[name], result.bse[name]
    numbers = (np.asarray(part, float).ravel()[0] for part in (test.effect, test.mcse, test.sd))
    rows["contrast"] = tuple(numbers)
    return pd.DataFrame(rows, index=["value", "mcse", "scale"]).T


def by_long_run(draws: int) -> Callable[[MCLAMixedGLM, str], pd.DataFrame]:
    """Reference of so many draws a batch, `BATCHES` of them."""

    def reference(model: MCLAMixedGLM, contrast: str) -> pd.DataFrame:
        near = model.fit(rng=1000)
        out = told(near, contrast)
        which = np.ravel(DesignInfo(list(near.params.index)).linear_constraint(contrast).coefs)
        start = np.asarray(near.params), np.asarray(near.cov_params())
        out["value"], out["mcse"] = LongRun.of(model).maximum(*start, which, draws, BATCHES)
        return out

    return reference


def by_many_draws(draws: int) -> Callable[[MCLAMixedGLM, str], pd.DataFrame]:
    """Reference by a fit of so many draws a block."""
    return lambda model, contrast: told(model.fit(rng=1000, nsample=draws), contrast)


DESIGNS = {
    "VerbAgg": Design(
        of_benchmark("VerbAgg, 316 x 24"), "btype[T.scold] - btype[T.shout] = 0", 60, by_long_run(15_000)
    ),
    "40 x 30 slopes": Design(
        of_benchmark("40 x 30, correlated slopes"), "Intercept + 0.5 * x = 0", 60, by_long_run(20_000)
    ),
    "slopes": Design(slopes, "Intercept + x = 0", 60, by_many_draws(2**15)),
    "two slopes": Design(two_slopes, "x - z = 0", 60, by_many_draws(2**15)),
    "nested counts": Design(nested_counts, "Intercept + x = 0", 60, by_long_run(60_000)),
    "nested binary": Design(nested_binary, "Intercept + x = 0", 60, by_long_run(60_000)),
    "InstEval": Design(
        of_benchmark("InstEval, 2972 x 1128"), "Intercept + service[T.1] = 0", 8, by_many_draws(2**14)
    ),
}


def calibrated(name: str, design: Design) -> list[list[str]]:
    """A line for each number."""
    model = design.model()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        reference = design.reference(model, design.contrast)
        fits = [told(model.fit(rng=seed), design.contrast) for seed in range(1, design.seeds + 1)]
    values, errors = (np.array([fit[column] for fit in fits]) for column in ("value", "mcse"))
    z = (values - reference["value"].to_numpy()) / errors
    rows = []
    for j, what in enumerate(reference.index):
        sd, mean = float(z[:, j].std(ddof=1)), float(z[:, j].mean())
        blur = float(reference["mcse"].iloc[j] / errors[:, j].mean())
        # few seeds, and a reference that has an error, show no more than that
        noise = 2.0 / np.sqrt(2.0 * design.seeds), 2.0 * np.sqrt(1.0 / design.seeds + blur**2)
        met = SD[0] - noise[0] <= sd <= SD[1] + noise[0] and abs(mean) <= MEAN[1] + noise[1]
        size = float((errors[:, j] / reference["scale"].iloc[j]).mean())
        row = [name, what, f"{sd:.2f}", f"{mean:+.2f}", f"{np.abs(z[:, j]).max():.1f}"]
        rows.append([*row, number(size, 2), number(blur, 2), "yes" if met else "**no**"])
    return rows


def main() -> None:
    """Print the table and write it to a file."""
    parser = argparse.ArgumentParser(description="Compare Monte Carlo errors with what they should be.")
    parser.add_argument("--seeds", type=int, help="at most so many")
    parser.add_argument("--designs", nargs="+", choices=list(DESIGNS), default=list(DESIGNS))
    parser.add_argument("--write", type=Path)
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    rows = []
    for name in options.designs:
        design = DESIGNS[name]
        few = design.seeds if options.seeds is None else min(options.seeds, design.seeds)
        rows += calibrated(name, design._replace(seeds=few))
        print(name, "done", flush=True)
    head = ["design", "of", "sd", "mean", "largest", "MCSE / scale", "reference's error / MCSE", "in range"]
    seeds = ", ".join(f"{name} {DESIGNS[name].seeds}" for name in options.designs)
    about = (
        "(value - reference) / Monte Carlo error over seeds; the reference is a long run by code that shares nothing "
        "with the fit (`long_run`), of InstEval a fit with 16384 draws, and of slopes, whose errors are far "
        "below those of any long run, one with 32768 points. "
        f"Targets: sd in [{SD[0]}, {SD[1]}], mean in [{MEAN[0]}, {MEAN[1]}], each widened by two standard errors of "
        f"what so many seeds, and a reference with its own error, show. Seeds: {seeds}. The scale is the standard "
        "error, and 1 for the log-likelihood."
    )
    table = markdown(head, rows, left=2)
    text = "\n\n".join(["# Calibration of crossed and nested designs", about, table, environment()]) + "\n"
    print(text)
    if options.write:
        options.write.write_text(text)


if __name__ == "__main__":
    main()
