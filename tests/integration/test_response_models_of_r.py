"""Laplace fits of response models against glmmTMB and ordinal, on data of their help pages and on simulated ones."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from statsmodels_mcla import MCLAMixedGLM, families

REFERENCE = Path(__file__).parents[1] / "reference"
TRUTH = json.loads((REFERENCE / "response_models.json").read_text())
POISSON, NB = sm.families.Poisson(), sm.families.NegativeBinomial(alpha=1.0)
POSITIVE, POSITIVE_NB = families.TruncatedPoisson(), families.TruncatedNegativeBinomial()
COUNT = "count ~ mined + (1 | site)"
WINE = "rating ~ temp + contact + (1 | judge)"
CALLS: dict[str, tuple[str, str, Any, dict[str, Any]]] = {
    "zip": ("salamanders", COUNT, POISSON, {"ziformula": "~ mined"}),
    "zinb": ("salamanders", "count ~ spp + mined + (1 | site)", NB, {"ziformula": "~ mined"}),
    "hurdle_poisson": (
        "salamanders",
        "count ~ spp * mined + (1 | site)",
        POSITIVE,
        {"ziformula": "~ spp * mined"},
    ),
    "hurdle_nb": ("salamanders", COUNT, POSITIVE_NB, {"ziformula": "~ mined + (1 | site)"}),
    "nb_dispersed": ("salamanders", "count ~ spp + mined + (1 | site)", NB, {"dispformula": "~ DOY"}),
    "zip_random": ("salamanders", COUNT, POISSON, {"ziformula": "~ 1 + (1 | site)"}),
    "owls": (
        "owls",
        "SiblingNegotiation ~ FoodTreatment * SexParent + (1 | Nest)",
        NB,
        {"ziformula": "~ 1", "exposure": "BroodSize"},
    ),
    "betabinomial": (
        "responses",
        "betabinomial + I(trials - betabinomial) ~ x + (1 | g)",
        families.BetaBinomial(),
        {},
    ),
    "beta": ("responses", "beta ~ x + (1 | g)", families.Beta(), {}),
    "ordered_beta": ("responses", "bounded ~ x + (1 | g)", families.OrderedBeta(), {}),
    "nb1": ("responses", "counts ~ x + (1 | g)", families.NegativeBinomial1(), {}),
    "genpoisson": ("responses", "counts ~ x + (1 | g)", families.GeneralizedPoisson(), {}),
    "truncated_poisson": ("responses", "positive_counts ~ x + (1 | g)", POSITIVE, {}),
    "truncated_nb": ("responses", "positive_counts ~ x + (1 | g)", POSITIVE_NB, {}),
    "t": ("responses", "t ~ x + (1 | g)", families.StudentT(), {}),
    "tweedie": ("responses", "tweedie ~ x + (1 | g)", families.Tweedie(), {}),
    "hurdle_gamma": (
        "responses",
        "gamma_zeros ~ x + (1 | g)",
        sm.families.Gamma(sm.families.links.Log()),
        {"ziformula": "~ x"},
    ),
    "normal_dispersed": ("responses", "normal ~ x + (1 | g)", sm.families.Gaussian(), {"dispformula": "~ x"}),
    "wine_logit": ("wine", WINE, families.Cumulative("logit"), {}),
    "wine_probit": ("wine", WINE, families.Cumulative("probit"), {}),
    "wine_cloglog": ("wine", WINE, families.Cumulative("cloglog"), {}),
    "wine_symmetric": ("wine", WINE, families.Cumulative(threshold="symmetric"), {}),
    "wine_equidistant": ("wine", WINE, families.Cumulative(threshold="equidistant"), {}),
}


@functools.cache
def table(name: str) -> pd.DataFrame:
    data = pd.read_csv(REFERENCE / f"{name}.csv")
    if "mined" in data:  # levels in the order that R has them
        data["mined"] = pd.Categorical(data["mined"], ["yes", "no"])
        data["spp"] = pd.Categorical(data["spp"], ["GP", "PR", "DM", "EC-A", "EC-L", "DES-L", "DF"])
    return data


def model_of(name: str) -> MCLAMixedGLM:
    data, formula, family, options = CALLS[name]
    return MCLAMixedGLM.from_formula(formula, data=table(data), family=family, **options)


def test_every_value_is_looked_at() -> None:
    assert set(CALLS) == set(TRUTH)


@pytest.mark.parametrize("name", CALLS)
def test_laplace_fit_is_that_of_r(name: str) -> None:
    fit, truth = model_of(name).fit_laplace(), TRUTH[name]
    assert fit.converged
    assert fit.llf == pytest.approx(truth["llf"], abs=5e-4)
    np.testing.assert_allclose(fit.params, truth["params"], rtol=1e-3, atol=1e-3)
    if "se" in truth:
        bse = fit.bse.to_numpy() if "wine" not in name else np.delete(fit.bse.to_numpy(), 2)
        np.testing.assert_allclose(bse[: len(truth["se"])][: fit.k_fe], truth["se"][: fit.k_fe], rtol=5e-3)


@pytest.mark.parametrize("name", [name for name in CALLS if "llf_quadrature" in TRUTH[name]])
def test_exact_likelihood_is_that_of_quadrature_in_ordinal(name: str) -> None:
    fit = model_of(name).fit(rng=1)
    assert fit.llf_mcse < 2e-3
    assert fit.llf == pytest.approx(TRUTH[name]["llf_quadrature"], abs=5 * fit.llf_mcse + 1e-3)
