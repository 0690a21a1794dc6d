"""The three analyses of the notebooks, by Laplace's approximation, against lme4, glmmTMB, car and emmeans."""

from __future__ import annotations

import functools
import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers import REFERENCE, data_of

from statsmodels_mcla import MCLAMixedGLM

R = json.loads((REFERENCE / "analyses.json").read_text())


def verbal_aggression() -> pd.DataFrame:
    wide = pd.read_csv(REFERENCE / "verbal_aggression.csv")
    data = wide.melt(["person", "anger", "gender"], var_name="item", value_name="answer")
    parts = data["item"].str.extract(r"S(?P<situation>\d)(?P<mode>Want|Do)(?P<behaviour>\w+)")
    data["do"] = (parts["mode"] == "Do").astype(int)
    data["behaviour"] = parts["behaviour"].str.lower()
    data["blame"] = np.where(parts["situation"].isin(["1", "2"]), "other", "self")
    return data.assign(aggressive=(data["answer"] != "no").astype(int), anger=(data["anger"] - 20) / 5)


def toenail() -> pd.DataFrame:
    data = data_of("toenail")
    return data.assign(moderate=(data["outcome"] != "none or mild").astype(int))


MODELS: dict[str, Any] = {
    "crossed_experiment": (
        verbal_aggression,
        "aggressive ~ do + gender + behaviour + blame + anger + do:gender + (do | person) + (1 | item)",
        "binomial",
    ),
    "ecological_counts": (
        lambda: pd.read_csv(REFERENCE / "salamanders.csv"),
        "count ~ spp + mined + DOY + spp:mined + (1 | site)",
        "negativebinomial",
    ),
    "repeated_binary": (toenail, "moderate ~ treatment * time + (1 | patientID)", "binomial"),
}
ORDER: dict[str, list[int]] = {  # of R: patsy has what contains numbers last
    "crossed_experiment": [0, 5, 1, 2, 3, 4, 7, 6],
    "ecological_counts": [*range(8), 14, *range(8, 14)],
    "repeated_binary": [0, 1, 2, 3],
}
TERMS = {"mode": "do", "Gender": "gender", "btype": "behaviour", "situ": "blame", "mode:Gender": "do:gender"}


@functools.lru_cache
def fit(name: str) -> Any:
    read, formula, family = MODELS[name]
    return MCLAMixedGLM.from_formula(formula, data=read(), family=family).fit_laplace()


def entry(name: str) -> dict[str, Any]:
    return R[name].get("laplace", R[name])


@pytest.mark.parametrize("name", MODELS)
def test_fits(name: str) -> None:
    """Optimisers of glmer stop within a few per cent of a standard error of the maximum."""
    found, truth = fit(name), entry(name)
    assert found.llf == pytest.approx(truth["llf"], abs=0.01)
    assert found.llf >= truth["llf"] - 1e-4
    estimates, se = (values.iloc[ORDER[name]].to_numpy() for values in (found.fe_params, found.bse_fe))
    np.testing.assert_allclose((estimates - truth["coef"]["estimate"]) / se, 0.0, atol=0.05)
    np.testing.assert_allclose(se, truth["coef"]["se"], rtol=0.04)
    sds = found.tidy("random")
    sds = sds[sds["term"].str.startswith("sd__")]["estimate"]
    np.testing.assert_allclose(
        sds, np.concatenate([np.ravel(g["sd"]) for g in truth["sd"].values()]), rtol=0.01
    )


@pytest.mark.parametrize("name", ["crossed_experiment", "ecological_counts"])
def test_terms(name: str) -> None:
    found, truth = fit(name).anova(), pd.DataFrame(entry(name)["anova"]).set_index("term").rename(index=TERMS)
    assert sorted(found.index) == sorted(truth.index)
    np.testing.assert_allclose(found["Chisq"], truth.loc[found.index, "chisq"], rtol=0.03, atol=1e-4)


def test_ratios_of_means() -> None:
    found = fit("ecological_counts").emmeans("mined", by="spp", type="response").contrasts("pairwise")
    truth, table = entry("ecological_counts")["ratios"], found.summary_frame()
    assert list(table["spp"]) == truth["spp"]
    for ours, theirs in (("ratio", "ratio"), ("ci_lower", "LCL"), ("ci_upper", "UCL"), ("z", "z.ratio")):
        np.testing.assert_allclose(table[ours], truth[theirs], rtol=5e-3)


def test_trends() -> None:
    """At quadrature's maximum, where Laplace's trends are a fiftieth off."""
    found = fit("repeated_binary").emtrends("treatment", "time").summary_frame()
    truth = R["repeated_binary"]["trends"]
    assert list(found["treatment"]) == truth["treatment"]
    np.testing.assert_allclose(found["time trend"], truth["time.trend"], rtol=0.05)
