"""Tests of overdispersion and zero inflation: statistics of glmmTMB, null distributions by simulation, and refusals."""

from __future__ import annotations

import functools
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers import CBPP, F, data_of
from scipy import stats

from statsmodels_mcla import MCLAMixedGLM, families
from statsmodels_mcla.exceptions import SingularFitWarning

REFERENCE = Path(__file__).parents[1] / "reference"
TRUTH = json.loads((REFERENCE / "nested_families.json").read_text())
NB = F.NegativeBinomial(alpha=1.0)
ZI = {"ziformula": "~ 1"}
OVER, ZERO = "test_overdispersion", "test_zero_inflation"


@functools.cache
def salamanders() -> pd.DataFrame:
    data = pd.read_csv(REFERENCE / "salamanders.csv")
    return data.assign(mined=pd.Categorical(data["mined"], ["yes", "no"]))


def counts_model(family: Any, **options: Any) -> MCLAMixedGLM:
    return MCLAMixedGLM.from_formula(
        "count ~ mined + (1 | site)", data=salamanders(), family=family, **options
    )


def positive_model(family: Any) -> MCLAMixedGLM:
    data = salamanders()
    return MCLAMixedGLM.from_formula(
        "count ~ mined + (1 | site)", data=data[data["count"] > 0], family=family
    )


def herds_model(family: Any) -> MCLAMixedGLM:
    return MCLAMixedGLM.from_formula(CBPP, data=data_of("cbpp"), family=family)


# what is compared: the model of one family or the other, the test, and its arguments
CASES = {
    "poisson_nb2": ((counts_model, F.Poisson(), {}), (counts_model, NB, {}), OVER, ()),
    "poisson_nb1": (
        (counts_model, F.Poisson(), {}),
        (counts_model, families.NegativeBinomial1(), {}),
        OVER,
        (families.NegativeBinomial1(),),
    ),
    "poisson_genpois": (
        (counts_model, F.Poisson(), {}),
        (counts_model, families.GeneralizedPoisson(), {}),
        OVER,
        (families.GeneralizedPoisson(),),
    ),
    "poisson_zip": ((counts_model, F.Poisson(), {}), (counts_model, F.Poisson(), ZI), ZERO, ()),
    "nb2_zinb": ((counts_model, NB, {}), (counts_model, NB, ZI), ZERO, ()),
    "zip_zinb": ((counts_model, F.Poisson(), ZI), (counts_model, NB, ZI), OVER, ()),
    "truncated": (
        (positive_model, families.TruncatedPoisson(), {}),
        (positive_model, families.TruncatedNegativeBinomial(), {}),
        OVER,
        (),
    ),
    "binomial": ((herds_model, F.Binomial(), {}), (herds_model, families.BetaBinomial(), {}), OVER, ()),
}


def test_every_value_is_looked_at() -> None:
    assert set(CASES) == set(TRUTH)


@pytest.mark.parametrize("name", CASES)
def test_statistic_is_that_of_glmmtmb_from_either_fit(name: str) -> None:
    small, large, test, arguments = CASES[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SingularFitWarning)  # herds no longer differ beside overdispersion
        fits = [make(family, **options).fit_laplace() for make, family, options in (small, large)]
    found = getattr(fits[0], test)(*arguments), getattr(fits[1], test)(), fits[1].compare_lr_test(fits[0])
    for one in found:
        assert one.statistic == pytest.approx(TRUTH[name], abs=2e-3)
        assert one.pvalue == pytest.approx(0.5 * stats.chi2.sf(one.statistic, 1))
        assert one.df == 1


def test_monte_carlo_fits_have_errors_and_the_same_settings() -> None:
    fit = counts_model(NB).fit(rng=1)
    found, zinb = fit.test_zero_inflation(), counts_model(NB, **ZI).fit(rng=1)
    assert found.statistic == pytest.approx(2.0 * (zinb.llf - fit.llf), abs=1e-6)
    assert 0 < found.mcse < 0.05
    assert abs(found.statistic - TRUTH["nb2_zinb"]) < 0.1  # Laplace's approximation is good here


def test_dispersion_formula_keeps_its_place() -> None:
    options = {"dispformula": "~ DOY"}
    fits = [counts_model(NB, **options, **zero).fit_laplace() for zero in ({}, ZI)]
    truth = 2.0 * (fits[1].llf - fits[0].llf)
    for fit in fits:
        assert fit.test_zero_inflation().statistic == pytest.approx(truth, abs=1e-4)


def test_nothing_found_is_no_evidence() -> None:
    """Less variance than Poisson: the statistic is zero, the p-value one, and no warning is given of what is tested."""
    rng = np.random.default_rng(2)
    g = np.repeat(np.arange(20), 8)
    y = rng.binomial(8, np.clip(0.3 + 0.1 * rng.normal(size=20), 0.05, 0.9)[g])
    data = pd.DataFrame({"y": y, "g": g})
    fit = MCLAMixedGLM.from_formula("y ~ 1 + (1 | g)", data=data, family=F.Poisson()).fit_laplace()
    with warnings.catch_warnings():
        warnings.simplefilter("error", SingularFitWarning)
        found = fit.test_overdispersion(), fit.test_zero_inflation()
    for one in found:
        assert one.statistic == pytest.approx(0.0, abs=1e-3)
        assert one.pvalue > 0.45


@pytest.mark.parametrize(
    ("family", "options", "test", "arguments", "message"),
    [
        (
            families.TruncatedPoisson(),
            {"ziformula": "~ mined"},
            ZERO,
            (),
            "not known for family HurdlePoisson",
        ),
        (NB, {"dispformula": "~ DOY"}, OVER, (), "not known for family NegativeBinomial"),
        (F.Poisson(), {"ziformula": "~ mined"}, ZERO, (), "fit ziformula='~ 1'"),
        (F.Poisson(), {}, OVER, (families.Beta(),), "family: Beta with link logit does not become"),
        (NB, {}, OVER, (families.NegativeBinomial1(),), "family: NegativeBinomial1"),
    ],
)
def test_refusals(family: Any, options: Any, test: str, arguments: Any, message: str) -> None:
    fit = counts_model(family, **options).fit_laplace()
    with pytest.raises(ValueError, match=message):
        getattr(fit, test)(*arguments)


def test_single_trials_cannot_be_overdispersed() -> None:
    data = salamanders().assign(seen=lambda d: (d["count"] > 0).astype(int))
    fit = MCLAMixedGLM.from_formula("seen ~ mined + (1 | site)", data=data, family=F.Binomial()).fit_laplace()
    with pytest.raises(ValueError, match="two trials or more"):
        fit.test_overdispersion()
    fit = MCLAMixedGLM.from_formula(
        "count ~ mined + (1 | site)", data=salamanders().query("count > 0"), family=F.Poisson()
    )
    with pytest.raises(ValueError, match="no zeros"):
        fit.fit_laplace().test_zero_inflation()


@pytest.mark.slow  # 400 simulated data sets, two fits each
@pytest.mark.parametrize("test", [OVER, ZERO])
def test_null_distribution_by_simulation(test: str) -> None:
    """Poisson data: p-values below one half are as frequent as they say, or rarer.

    That of zeros is skewed in small samples (as without groups, and as glmmTMB's, which is the same in each data set):
    small statistics are rarer than in large ones.
    """
    rng = np.random.default_rng(5)
    g, p = np.repeat(np.arange(30), 10), []
    for _ in range(400):
        y = rng.poisson(np.exp(1.0 + 0.4 * rng.normal(size=30)[g]))
        data = pd.DataFrame({"y": y, "g": g})
        fit = MCLAMixedGLM.from_formula("y ~ 1 + (1 | g)", data=data, family=F.Poisson())
        if not (y == 0).any():
            continue
        p.append(getattr(fit.fit_laplace(), test)().pvalue)
    assert len(p) == 400
    for level in (0.05, 0.1, 0.25, 0.4):
        share, noise = np.mean(np.array(p) < level), 3.0 * np.sqrt(level * (1 - level) / len(p))
        assert 0.8 * level - noise < share < level + noise, (level, share)
