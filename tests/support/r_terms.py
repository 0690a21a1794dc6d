"""Models of tests/reference/means_and_terms.json, at the estimates that R found."""

from __future__ import annotations

import functools
import json
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from helpers import REFERENCE, F, data_of

from statsmodels_mcla import MCLAMixedGLM
from statsmodels_mcla.estimation import EstimateCovariance, Later

FOUND = json.loads((REFERENCE / "means_and_terms.json").read_text())
EPIL = "y ~ lbase * C(trt, Treatment('placebo')) + lage + C(period) + (1 | subject)"
FORMULAS = {
    "zero_one": "success ~ trt * late + (1 | ID)",
    "factors": "success ~ trt * stage + (1 | ID)",
    "summed": "success ~ C(trt, Sum) * C(stage, Sum) + (1 | ID)",
    "additive": "success ~ trt + stage + (1 | ID)",
    "counts": EPIL,
}
LEVELS = {  # R's names of coefficients, and patsy's
    "(Intercept)": "Intercept",
    "trtprogabide": "C(trt, Treatment('placebo'))[T.progabide]",
    "lbase:trtprogabide": "lbase:C(trt, Treatment('placebo'))[T.progabide]",
    **{f"trt{level}": f"trt[T.{level}]" for level in ("drug+", "placebo")},
    **{f"phase{k}": f"C(period)[T.{k}]" for k in (2, 3, 4)},
    "stagelate": "stage[T.late]",
}


def data(name: str) -> pd.DataFrame:
    """Table of a model."""
    if name == "counts":
        return data_of("epil")
    out = data_of("bacteria")
    out["success"] = (out["y"] == "y").astype(int)
    out["stage"] = np.where(out["week"] > 2, "late", "early")
    return out


@functools.lru_cache
def fit(name: str) -> Any:
    """Laplace fit of a model, as glmer makes it."""
    family = F.Poisson() if name == "counts" else F.Binomial()
    return MCLAMixedGLM.from_formula(FORMULAS[name], data=data(name), family=family).fit_laplace(gtol=1e-7)


def patsy_name(name: str) -> str:
    """What patsy calls a coefficient of R's."""
    return LEVELS.get(name) or ":".join(LEVELS.get(part, part) for part in name.split(":"))


def at_estimates(name: str, section: str) -> Any:
    """Results of a model with R's estimates and covariance in place of its own."""
    result, entry = fit(name)._results, FOUND[section][name]
    names = list(result.model.data.fe_names)
    if name == "summed":
        order = list(range(len(names)))
    else:
        order = [[patsy_name(n) for n in entry["names"]].index(n) for n in names]
    params = np.append(np.array(entry["beta"])[order], entry["vc"])
    cov = np.eye(len(params))
    cov[: len(names), : len(names)] = np.array(entry["cov"])[np.ix_(order, order)]
    return at_values(result, params, cov)


def at_values(result: Any, params: np.ndarray, cov: np.ndarray) -> Any:
    """Results with other estimates and another covariance in place of their own."""
    estimates = result.estimates
    fitted = estimates.fitted
    there = replace(fitted, position=replace(fitted.position, params=estimates.reduction.restrict(params)))
    covariance = EstimateCovariance(Later.made(cov), Later.made(None))
    return result.with_estimates(
        replace(estimates, params=params, cov=covariance, information=covariance, maximum=Later.made(there))
    )
