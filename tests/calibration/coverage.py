"""
Coverage of Wald and profile intervals, and the size of the test of a variance of zero, on simulated data.

Coverage: responses are simulated from the salamander model at its maximum-likelihood values, on its own design; an
interval covers if it holds the value that was simulated from.  A profile interval does so where the signed root of
twice the fall of the log-likelihood at that value is within the normal quantile, so that limits need not be found.

Size: Poisson responses of groups of 4 rows without random effects; how often the likelihood-ratio test of the group
variance, against statsmodels' GLM, rejects at 5 %.  Maximum likelihood underestimates variances in few groups, so
that the test is conservative there, whatever computes it.

Run as ``python -m tests.calibration.coverage [--sets N] [--raw FOLDER] [--write FILE]``.  With ``--raw``, what is
done is kept there, and not done again.
"""

from __future__ import annotations

import argparse
import functools
import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import statsmodels.api as sm
from scipy import stats

from statsmodels_mcla import MCLAMixedGLM
from tests.benchmarks.problems import model, truth
from tests.benchmarks.report import environment, markdown

TABLE = Path(__file__).resolve().parent / "coverage.md"
LEVEL = 0.95
GROUPS = (30, 100, 300)
TOLERANCE = 0.05  # Monte Carlo error of estimates in standard errors: far less than what data sets differ by


@functools.cache
def _salamander() -> tuple[Any, np.ndarray]:
    return model("salamander"), np.array(list(truth("salamander").params.values()))


def coverage_set(seed: int) -> dict[str, Any]:
    """Fit one simulated set; whether Wald intervals cover, and zeta at the values simulated from."""
    whole, values = _salamander()
    rng = np.random.default_rng([1, seed])
    p = whole.design.n_fixed
    eta = np.asarray(whole.exog) @ values[:p]
    for term, variance in zip(whole.random_terms, values[p:], strict=True):
        eta = eta + term.Z @ rng.normal(0.0, np.sqrt(variance), term.Z.shape[1])
    simulated = whole.clone_with(rng.binomial(1, 1.0 / (1.0 + np.exp(-eta))).astype(float))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = simulated.fit(rng=seed, mcse_tol=TOLERANCE, n_jobs=1)
    names = list(result.params.index)
    wald = result.conf_int(1.0 - LEVEL).to_numpy()
    zeta = []
    for name, value in zip(names, values, strict=True):
        table = result.profile_likelihood(name, grid=[value]).table
        zeta.append(float(table["zeta"].loc[value]))
    return {
        "seed": seed,
        "names": names,
        "wald": [bool(a <= v <= b) for (a, b), v in zip(wald, values, strict=True)],
        "zeta": zeta,
        "params": [float(v) for v in result.params],
        "converged": bool(result.converged),
    }


def size_set(seed: int, groups: int = 100) -> dict[str, Any]:
    """Test one simulated set for a variance that is zero."""
    rng = np.random.default_rng([2, seed])
    group = np.repeat(np.arange(groups), 4)
    x = np.tile(np.linspace(-1.0, 1.0, 4), groups)
    data = pd.DataFrame({"y": rng.poisson(np.exp(0.5 + 0.5 * x)), "x": x, "g": group})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        full = MCLAMixedGLM.from_formula("y ~ x + (1 | g)", data, family=sm.families.Poisson())
        result = full.fit(rng=seed, mcse_tol=TOLERANCE, n_jobs=1)
        null = sm.GLM.from_formula("y ~ x", data, family=sm.families.Poisson()).fit()
        test = result.compare_lr_test(null)
    return {"seed": seed, "statistic": float(test.statistic), "pvalue": float(test.pvalue)}


def collect(
    function: Callable[[int], dict[str, Any]], sets: int, raw: Path | None = None
) -> list[dict[str, Any]]:
    """Results of the sets 0, 1, ..., of which a file may hold some, a JSON object a line."""
    done = {}
    if raw is not None and raw.exists():
        done = {record["seed"]: record for record in map(json.loads, raw.read_text().splitlines())}
    for seed in range(sets):
        if seed not in done:
            done[seed] = function(seed)
            if raw is not None:
                with raw.open("a") as file:
                    file.write(json.dumps(done[seed]) + "\n")
    return [done[seed] for seed in range(sets)]


def coverage_table(records: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Coverage of both intervals by parameter, over the sets that converged."""
    used = [r for r in records if r["converged"]]
    wald = np.array([r["wald"] for r in used])
    inside = np.abs(np.array([r["zeta"] for r in used])) <= stats.norm.isf(0.5 * (1.0 - LEVEL))
    return pd.DataFrame({"Wald": wald.mean(axis=0), "profile": inside.mean(axis=0)}, index=used[0]["names"])


def rejected(records: Sequence[dict[str, Any]], alpha: float = 0.05) -> float:
    """Fraction of the sets whose p-value is at most alpha."""
    return float(np.mean([r["pvalue"] <= alpha for r in records]))


def report(coverage: Sequence[dict[str, Any]], sizes: Mapping[int, Sequence[dict[str, Any]]]) -> str:
    """Text of the table that is committed."""
    table = coverage_table(coverage)
    n = sum(r["converged"] for r in coverage)
    error = 100.0 * np.sqrt(LEVEL * (1.0 - LEVEL) / n)
    rows = [
        [name, f"{100 * row['Wald']:.1f}", f"{100 * row['profile']:.1f}"] for name, row in table.iterrows()
    ]
    rejections = [
        [
            str(groups),
            f"{100 * rejected(records):.1f}",
            f"{100 * rejected(records, 0.1):.1f}",
            f"{100 * np.mean([r['statistic'] < 1e-6 for r in records]):.0f}",
        ]
        for groups, records in sizes.items()
    ]
    covered = (
        f"Coverage in percent of 95 % intervals on the {n} of {len(coverage)} sets, simulated from the salamander "
        f"model, whose fits converged. The simulation error of a coverage is {error:.1f}."
    )
    sets = len(next(iter(sizes.values())))
    size = (
        f"Likelihood-ratio test of a variance of zero, {sets} sets without random effects for each number of groups of "
        f"four Poisson responses: percent of the sets rejected at 5 % and at 10 % (simulation errors "
        f"{100 * np.sqrt(0.05 * 0.95 / sets):.1f} and {100 * np.sqrt(0.1 * 0.9 / sets):.1f}), and percent whose "
        "statistic was zero, 50 in large samples. Maximum likelihood underestimates variances in few groups: the test "
        "is conservative there."
    )
    about = "Written by `python -m tests.calibration.coverage`; " + environment() + "."
    head = "# Coverage of intervals, size of the boundary test"
    cells = markdown(["parameter", "Wald", "profile"], rows)
    tests = markdown(["groups", "at 5 %", "at 10 %", "zero"], rejections)
    return "\n\n".join([head, about, covered, cells, size, tests]) + "\n"


def main() -> None:
    """Simulate and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=int, default=500)
    parser.add_argument("--raw", type=Path)
    parser.add_argument("--write", type=Path, default=TABLE)
    options = parser.parse_args()
    raw: dict[str, Path | None] = {}
    if options.raw is not None:
        options.raw.mkdir(parents=True, exist_ok=True)
    for part in ("coverage", *(f"size_{groups}" for groups in GROUPS)):
        raw[part] = None if options.raw is None else options.raw / f"{part}.jsonl"
    coverage = collect(coverage_set, options.sets, raw["coverage"])
    sizes = {
        groups: collect(functools.partial(size_set, groups=groups), options.sets, raw[f"size_{groups}"])
        for groups in GROUPS
    }
    options.write.write_text(report(coverage, sizes))


if __name__ == "__main__":
    main()
