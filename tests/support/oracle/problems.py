"""Models of the reference values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import patsy

from .densities import Array

DATASETS = Path(__file__).parents[3] / "statsmodels_mcla" / "datasets"


@dataclass(frozen=True)
class Problem:
    """A model on one of the data sets, as arrays; `names` are the columns of X and `data` is the table."""

    y: Array
    X: Array
    names: list[str]
    group: Array
    family: str
    link: str
    data: pd.DataFrame
    Zg: Array | None = None
    trials: Array | None = None

    @property
    def arguments(self) -> dict[str, Any]:
        """Keyword arguments for the functions of this module."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("names", "data")}


EPIL = 'lbase * C(trt, Treatment("placebo")) + lage + '
MODELS = {
    "bacteria": ("binomial", "logit", 'C(trt, Treatment("placebo")) + late', "ID"),
    "cbpp": ("binomial", "logit", "C(period)", "herd"),
    "cbpp_cloglog": ("binomial", "cloglog", "C(period)", "herd"),
    "epil": ("poisson", "log", EPIL + "V4", "subject"),
    "epil_nb": ("negativebinomial", "log", EPIL + "V4", "subject"),
    "epil_slopes": ("poisson", "log", EPIL + "visit", "subject"),
    "toenail": ("binomial", "logit", "C(treatment) * time", "patientID"),
    "toenail_probit": ("binomial", "probit", "C(treatment) * time", "patientID"),
    "sleepstudy_gamma": ("gamma", "log", "Days", "Subject"),
}
RESPONSES: dict[str, Callable[[pd.DataFrame], pd.Series]] = {
    "bacteria": lambda data: data["y"] == "y",
    "cbpp": lambda data: data["incidence"],
    "epil": lambda data: data["y"],
    "toenail": lambda data: data["outcome"] != "none or mild",
    "sleepstudy": lambda data: data["Reaction"],
}


def problem(name: str) -> Problem:
    """Model of an entry of mle.json, built with pandas and patsy from the table that the package ships."""
    family, link, formula, group = MODELS[name]
    source = name.split("_")[0]
    data = pd.read_csv(DATASETS / source / f"{source}.csv")
    if source == "bacteria":
        data["late"] = (data["week"] > 2).astype(float)
    if source == "epil":
        data["visit"] = (2 * data["period"] - 5) / 10
    X = patsy.dmatrix(formula, data)
    return Problem(
        y=RESPONSES[source](data).to_numpy(dtype=float),
        X=np.asarray(X),
        names=X.design_info.column_names,
        group=data[group].to_numpy(),
        family=family,
        link=link,
        data=data,
        Zg=np.asarray(patsy.dmatrix("visit", data)) if name == "epil_slopes" else None,
        trials=data["size"].to_numpy(dtype=float) if source == "cbpp" else None,
    )
