"""
Estimates and times of other packages on the embedded data sets.

The peers are lme4's `glmer` (Laplace, and adaptive Gauss-Hermite quadrature where it can), the PyPI package
`glmm` (the same two) and statsmodels' variational Bayes. Each fit is timed from formula and data frame to
results, as the median of several runs after one that warms up; lme4 is timed inside R. A peer that is not on
the machine has a result all the same, whose note says so. The maximum-likelihood values to compare with are
those of `problems.truth`.

Run as ``python -m tests.benchmarks.peers`` to print the table.
"""

import argparse
import json
import re
import shutil
import statistics
import subprocess
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd
from statsmodels.genmod.bayes_mixed_glm import BinomialBayesMixedGLM, PoissonBayesMixedGLM

from tests.benchmarks.problems import PROBLEMS, frame, truth

HERE = Path(__file__).resolve().parent
NODES = 25

Result = TypeVar("Result")


@dataclass(frozen=True)
class PeerResult:
    """One peer's fit of one data set; `seconds` is None and `params` empty where there was no fit."""

    dataset: str
    peer: str
    seconds: float | None
    params: dict[str, float]  # fixed effects, then variances, in the order of `Truth.params`
    llf: float | None
    note: str = ""


def errors(result: PeerResult) -> dict[str, float]:
    """Return (estimate - truth) / standard error of each parameter, with the standard error of the truth."""
    true = truth(result.dataset)
    return {name: (value - true.params[name]) / true.bse[name] for name, value in result.params.items()}


def timed(fit: Callable[[], Result], repeats: int) -> tuple[float, Result, str]:
    """Run once to warm up, then `repeats` times: median seconds, the first result and its warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = fit()
    seconds = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(repeats):
            start = time.perf_counter()
            fit()
            seconds.append(time.perf_counter() - start)
    note = "; ".join(dict.fromkeys(f"{w.category.__name__}: {w.message}" for w in caught))
    return statistics.median(seconds), result, note


def r_name(name: str) -> str:
    """Translate the name that patsy gives a column of the design to the one that R gives it."""
    if name == "Intercept":
        return "(Intercept)"
    factor = r'(?:C\((\w+)(?:, Treatment\("\w+"\))?\)|(\w+))\[(?:T\.)?([^\]]+)\]'
    return re.sub(factor, lambda m: (m[1] or m[2]) + m[3], name)


def from_r(dataset: str, fixed: Mapping[str, float], variances: Mapping[str, float]) -> dict[str, float]:
    """Rename and reorder estimates that carry R's names."""
    groups = PROBLEMS[dataset].groups
    return {
        name: float(variances[groups[name]] if name in groups else fixed[r_name(name)])
        for name in truth(dataset).params
    }


def nodes_for(dataset: str) -> tuple[int, ...]:
    """Numbers of quadrature nodes that lme4 and PyPI's glmm can use: crossed effects leave only Laplace."""
    return (1, NODES) if len(PROBLEMS[dataset].groups) == 1 else (1,)


def method(nagq: int) -> str:
    """Name the approximation that has `nagq` nodes."""
    return "Laplace" if nagq == 1 else f"AGQ {nagq}"


def fit_glmm(dataset: str, repeats: int = 5) -> list[PeerResult]:
    """Fit with the PyPI package `glmm`."""
    try:
        import glmm
    except ImportError:
        return absent(dataset, "glmm", "the PyPI package glmm is not installed")
    problem, data, results = PROBLEMS[dataset], frame(dataset), []
    for nagq in nodes_for(dataset):
        seconds, fit, note = timed(
            lambda nagq=nagq: glmm.fit(data, problem.r_formula, problem.family, nagq=nagq), repeats
        )
        variances = {group: packed[0] for (group, _), packed in zip(fit.re_groups, fit.varcorr, strict=True)}
        params = from_r(dataset, dict(zip(fit.names, fit.beta, strict=True)), variances)
        if not fit.converged:
            note = f"not converged; {note}"
        results.append(PeerResult(dataset, f"glmm {method(nagq)}", seconds, params, fit.loglik, note))
    return results


def bernoulli_rows(data: pd.DataFrame, successes: str, failures: str) -> pd.DataFrame:
    """Write binomial counts as one row per trial, whose column `y` is 1 for a success."""
    rows = pd.concat([data.assign(y=1), data.assign(y=0)], ignore_index=True)
    counts = pd.concat([data[successes], data[failures]], ignore_index=True)
    return rows.loc[rows.index.repeat(counts)].reset_index(drop=True)


def fit_vb(dataset: str, repeats: int = 5) -> list[PeerResult]:
    """Fit statsmodels' variational Bayes; a variance is read off the mean of its log standard deviation."""
    problem, data, formula = PROBLEMS[dataset], frame(dataset), PROBLEMS[dataset].formula
    notes = []
    if dataset == "cbpp":  # these models take no two-column response
        data, formula = bernoulli_rows(data, "incidence", "healthy"), "y ~ C(period)"
        notes.append(f"as {len(data)} Bernoulli rows")
    model_class = BinomialBayesMixedGLM if problem.family == "binomial" else PoissonBayesMixedGLM

    def fit():
        model = model_class.from_formula(formula, problem.vc_formulas, data)
        # the middle of the random starting values that statsmodels draws, so that runs agree
        start = np.full(model.k_fep + model.k_vcp + model.k_vc, np.exp(-0.5))
        return model.fit_vb(sd=start)

    seconds, results, note = timed(fit, repeats)
    names = [*results.model.fep_names, *results.model.vcp_names]
    found = dict(zip(names, [*results.fe_mean, *np.exp(2 * results.vcp_mean)], strict=True))
    params = {name: float(found[name]) for name in truth(dataset).params}
    return [
        PeerResult(dataset, "statsmodels VB", seconds, params, None, "; ".join(filter(None, [*notes, note])))
    ]


def fit_lme4(dataset: str, repeats: int = 5) -> list[PeerResult]:
    """Fit with lme4's `glmer` in an R process of its own."""
    rscript = shutil.which("Rscript")
    if rscript is None:
        return absent(dataset, "lme4", "Rscript is not on this machine")
    problem = PROBLEMS[dataset]
    with tempfile.TemporaryDirectory() as folder:
        csv, manifest = Path(folder, "data.csv"), Path(folder, "manifest.csv")
        frame(dataset).to_csv(csv, index=False)
        fits = [
            {
                "dataset": dataset,
                "csv": csv,
                "formula": problem.r_formula,
                "family": problem.family,
                "nagq": nagq,
                "factor": problem.factor,
                "reference": problem.reference,
            }
            for nagq in nodes_for(dataset)
        ]
        pd.DataFrame(fits).to_csv(manifest, index=False)
        command = [rscript, "--vanilla", str(HERE / "peers.R"), str(manifest), str(repeats)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        reason = " ".join(done.stderr.split()) or f"exit status {done.returncode}"
        return absent(dataset, "lme4", f"Rscript failed: {reason}")
    return [
        PeerResult(
            dataset,
            f"lme4 {method(fit['nagq'])}",
            fit["seconds"],
            from_r(dataset, fit["fixed"], fit["variances"]),
            # with quadrature lme4 leaves out constants that depend on the data only
            fit["llf"] if fit["nagq"] == 1 else None,
            fit["note"],
        )
        for fit in map(json.loads, done.stdout.splitlines())
    ]


def absent(dataset: str, peer: str, reason: str) -> list[PeerResult]:
    """Say of each fit that a peer would have made why there is none."""
    return [PeerResult(dataset, f"{peer} {method(n)}", None, {}, None, reason) for n in nodes_for(dataset)]


def fit_peers(dataset: str, repeats: int = 5) -> list[PeerResult]:
    """Fit one data set with every peer."""
    return [*fit_glmm(dataset, repeats), *fit_vb(dataset, repeats), *fit_lme4(dataset, repeats)]


def table(results: Iterable[PeerResult]) -> str:
    """Lay results out as text, one line a fit."""
    head = f"{'data set':<11}{'peer':<16}{'seconds':>9}{'llf':>11}{'worst':>8}"
    lines = [f"{head}  (estimate - truth)/SE of each parameter"]
    for r in results:
        seconds = "-" if r.seconds is None else f"{r.seconds:.4f}"
        llf = "-" if r.llf is None else f"{r.llf:.3f}"
        each = errors(r).values()
        worst = f"{max(map(abs, each)):.3f}" if r.params else "-"
        shown = " ".join(f"{e:+.3f}" for e in each)
        note = f"[{r.note}]" if r.note else ""
        lines.append(f"{r.dataset:<11}{r.peer:<16}{seconds:>9}{llf:>11}{worst:>8}  {shown} {note}".rstrip())
    return "\n".join(lines)


def main() -> None:
    """Print the peers' table."""
    parser = argparse.ArgumentParser(description="Time the peers and compare them with the true maximum.")
    parser.add_argument("--datasets", nargs="+", choices=list(PROBLEMS), default=list(PROBLEMS))
    parser.add_argument("--repeats", type=int, default=5, help="timed runs of each fit")
    arguments = parser.parse_args()
    print(table(r for name in arguments.datasets for r in fit_peers(name, arguments.repeats)))


if __name__ == "__main__":
    main()
