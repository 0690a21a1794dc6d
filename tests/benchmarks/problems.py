"""
The models that the benchmarks and the calibration fit, and their true maximum-likelihood values.

One model of each of five data sets, in the notations of the packages that fit it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import statsmodels.api as sm

from statsmodels_mcla import MCLAMixedGLM, datasets

REFERENCE = Path(__file__).resolve().parent.parent / "reference"
FAMILIES = {"binomial": sm.families.Binomial, "poisson": sm.families.Poisson}


@dataclass(frozen=True)
class Problem:
    """A model of one data set, in the notations of the packages that fit it."""

    family: str
    formula: str  # fixed effects, for patsy
    groups: Mapping[
        str, str
    ]  # name of a variance component -> column of the frame whose levels it belongs to
    r_formula: str
    factor: str
    reference: str  # the first level of `factor`

    @property
    def vc_formulas(self) -> dict[str, str]:
        """Random effects as statsmodels' mixed GLMs take them."""
        return {name: f"0 + C({column})" for name, column in self.groups.items()}


PROBLEMS = {
    "salamander": Problem(
        family="binomial",
        formula="Mate ~ 0 + Cross",
        groups={"F": "Female", "M": "Male"},
        r_formula="Mate ~ 0 + Cross + (1 | Female) + (1 | Male)",
        factor="Cross",
        reference="R/R",
    ),
    "bacteria": Problem(
        family="binomial",
        formula='y ~ C(trt, Treatment("placebo")) + late',
        groups={"ID": "ID"},
        r_formula="y ~ trt + late + (1 | ID)",
        factor="trt",
        reference="placebo",
    ),
    "cbpp": Problem(
        family="binomial",
        formula="incidence + healthy ~ C(period)",
        groups={"herd": "herd"},
        r_formula="cbind(incidence, healthy) ~ period + (1 | herd)",
        factor="period",
        reference="1",
    ),
    "epil": Problem(
        family="poisson",
        formula='y ~ lbase * C(trt, Treatment("placebo")) + lage + V4',
        groups={"subject": "subject"},
        r_formula="y ~ lbase * trt + lage + V4 + (1 | subject)",
        factor="trt",
        reference="placebo",
    ),
    "toenail": Problem(
        family="binomial",
        formula="outcome ~ C(treatment) * time",
        groups={"patientID": "patientID"},
        r_formula="outcome ~ treatment * time + (1 | patientID)",
        factor="treatment",
        reference="itraconazole",
    ),
}


@dataclass(frozen=True)
class Truth:
    """Maximum-likelihood estimates, fixed effects and then variances, with two kinds of error."""

    params: dict[str, float]
    bse: dict[str, float]  # standard errors: other data
    error: dict[str, float]  # of these values themselves: finite draws or quadrature nodes
    llf: float
    llf_error: float


def frame(dataset: str) -> pd.DataFrame:
    """Return the data with a numeric response and the columns that the formulas use."""
    data = getattr(datasets, dataset).load_pandas().data
    if dataset == "bacteria":
        data = data.assign(y=(data["y"] == "y").astype(int), late=(data["week"] > 2).astype(int))
    elif dataset == "cbpp":
        data = data.assign(healthy=data["size"] - data["incidence"])
    elif dataset == "toenail":
        data = data.assign(outcome=(data["outcome"] != "none or mild").astype(int))
    problem = PROBLEMS[dataset]
    levels = sorted(data[problem.factor].unique(), key=lambda level: (level != problem.reference, level))
    return data.assign(**{problem.factor: pd.Categorical(data[problem.factor], levels)})


def model(dataset: str, data: pd.DataFrame | None = None) -> MCLAMixedGLM:
    """Make this package's model of a data set."""
    problem = PROBLEMS[dataset]
    return MCLAMixedGLM.from_formula(
        problem.formula,
        problem.vc_formulas,
        frame(dataset) if data is None else data,
        family=FAMILIES[problem.family](),
    )


def truth(dataset: str) -> Truth:
    """Read the most precise maximum-likelihood values that there are of a data set's model."""
    entry = read("quadrature.json").get(dataset) or read("mle.json")[dataset]
    names = [*entry["names"], *PROBLEMS[dataset].groups]
    # one independent variance per component: `vc`, or a 1 x 1 `cov_re`
    variances = entry["vc"] if "vc" in entry else entry["cov_re"][0]
    se_variances = entry["se_vc"] if "se_vc" in entry else entry["se_cov_re_lower"]
    params, bse = [*entry["beta"], *variances], [*entry["se_beta"], *se_variances]
    llf, llf_error = entry["llf"], 1e-8
    # quadrature is good to |score| < 1e-9, so to far less than this part of a standard error
    error = [1e-8 * se for se in bse]
    if "error" in entry:
        error, llf_error = [*entry["error"]["beta"], *entry["error"]["vc"]], entry["error"]["llf"]
    if dataset == "salamander" and (finer := read("salamander.json")):
        params, bse, error = finer["params"], finer["bse"], finer["mcse"]
        llf, llf_error = finer["llf"], finer["llf_mcse"]
    values = (dict(zip(names, each, strict=True)) for each in (params, bse, error))
    return Truth(*values, llf, llf_error)


def read(name: str) -> dict:
    """Read a file of reference values; there is nothing in one that does not exist."""
    path = REFERENCE / name
    return json.loads(path.read_text()) if path.exists() else {}
