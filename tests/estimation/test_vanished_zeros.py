"""Zero parts and dispersions that vanish: the maximum is that of the family without them, and is reported as such."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers import F, no_warnings
from scipy import stats

from statsmodels_mcla import MCLAMixedGLM, families
from statsmodels_mcla.exceptions import SeparationWarning, SingularFitWarning

NB = F.NegativeBinomial(alpha=1.0)
COUNTS, TRIALS = "y ~ x + (1 | g)", "s + f ~ x + (1 | g)"
JOINT = "y ~ x + (1 | p | g)"


@functools.cache
def data() -> pd.DataFrame:
    """Poisson and binomial responses: by chance with less variance and fewer zeros than expected."""
    rng = np.random.default_rng(3)
    g, x = np.repeat(np.arange(20), 8), rng.normal(size=160)
    eta = 0.6 + 0.3 * x + 0.5 * rng.normal(size=20)[g]
    y, n = rng.poisson(np.exp(eta)), rng.integers(3, 9, 160)
    s = rng.binomial(n, 1 / (1 + np.exp(0.6 - eta)))
    return pd.DataFrame({"y": y, "x": x, "g": g, "s": s, "f": n - s, "z": rng.normal(size=160)})


def model(formula: str, family: Any, **options: Any) -> MCLAMixedGLM:
    return MCLAMixedGLM.from_formula(formula, data=data(), family=family, **options)


@functools.cache
def without(formula: str, method: str) -> Any:
    family = F.Binomial() if formula == TRIALS else F.Poisson()
    with no_warnings():
        return fitted(model(formula, family), method)


def fitted(of: MCLAMixedGLM, method: str) -> Any:
    return of.fit(rng=1) if method == "fit" else of.fit_laplace()


CASES = {
    "nb2": (COUNTS, NB, {}, ["'alpha' is zero"]),
    "nb1": (COUNTS, families.NegativeBinomial1(), {}, ["'alpha' is zero"]),
    "genpoisson": (COUNTS, families.GeneralizedPoisson(), {}, ["'alpha' is zero"]),
    "betabinomial": (TRIALS, families.BetaBinomial(), {}, ["'alpha' is zero"]),
    "zip": (COUNTS, F.Poisson(), {"ziformula": "~ 1"}, ["zero part, 'zi', is zero"]),
    "zinb": (COUNTS, NB, {"ziformula": "~ 1"}, ["'alpha' is zero", "zero part, 'zi', is zero"]),
    "zip of a covariate": (COUNTS, F.Poisson(), {"ziformula": "~ z"}, ["zero part, 'zi', is zero"]),
    "zip of a factor": (COUNTS, F.Poisson(), {"ziformula": "~ 0 + C(z > 0)"}, ["zero part, 'zi', is zero"]),
    "zip of effects": (COUNTS, F.Poisson(), {"ziformula": "~ 1 + (1 | g)"}, ["zero part, 'zi', is zero"]),
    "zip of both": (COUNTS, F.Poisson(), {"ziformula": "~ z + (z || g)"}, ["zero part, 'zi', is zero"]),
    "zinb of effects": (
        COUNTS,
        NB,
        {"ziformula": "~ 1 + (1 | g)"},
        ["'alpha' is zero", "zero part, 'zi', is zero"],
    ),
    "zip of effects shared with the mean": (
        JOINT,
        F.Poisson(),
        {"ziformula": "~ z + (1 | p | g)"},
        ["zero part, 'zi', is zero"],
    ),
    "zip of more effects than the mean": (
        JOINT,
        NB,
        {"ziformula": "~ 1 + (1 + z | p | g)"},
        ["'alpha' is zero", "zero part, 'zi', is zero"],
    ),
    "zi genpoisson": (
        COUNTS,
        families.GeneralizedPoisson(),
        {"ziformula": "~ 1"},
        ["'alpha' is zero", "zero part, 'zi', is zero"],
    ),
}


@pytest.mark.parametrize("method", ["fit", "fit_laplace"])
@pytest.mark.parametrize("name", CASES)
def test_limit_is_the_family_without_what_vanishes(name: str, method: str) -> None:
    formula, family, options, messages = CASES[name]
    with pytest.warns(SingularFitWarning) as caught:
        ours = fitted(model(formula, family, **options), method)
    assert [sum(m in str(w.message) for w in caught) for m in messages] == [1] * len(messages)
    assert len(caught) == len(messages)
    truth = without(COUNTS if formula == JOINT else formula, method)
    kept = list(truth.params.index)
    assert ours.converged
    assert ours.llf == pytest.approx(truth.llf, abs=1e-4)
    # both are within the tolerance of a search: 1e-4 and 3e-4 of standard errors
    np.testing.assert_allclose(ours.params[kept], truth.params, atol=2e-3 * truth.bse.max())
    np.testing.assert_allclose(ours.bse[kept], truth.bse, rtol=5e-3)
    np.testing.assert_allclose(ours.predict(), truth.predict(), rtol=2e-3)
    np.testing.assert_array_equal(
        ours.get_prediction(random="marginal").obs_conf_int()[::20],
        truth.get_prediction(random="marginal").obs_conf_int()[::20],
    )
    if "alpha" in ours.params:
        assert ours.params["alpha"] == 0.0
        assert np.isnan(ours.bse["alpha"])
    if options:
        effects = [name for name in ours.model.exog_names if name.startswith("zi")]
        assert ours.params[effects[0]] < -20.0
        assert np.all(ours.bse[effects] > 1000.0)  # nothing is known of them
        variances = ours.params.index.difference([*kept, *effects, "alpha"])
        assert np.all(ours.params[variances] == 0.0)
        assert np.all(np.isnan(ours.bse[variances]))
        assert np.all(ours.predict(which="zprob") < 1e-10)
        assert ours.summary().as_text()


def test_a_small_zero_part_is_not_the_limit() -> None:
    """Negative control: a few zeros more than expected are told, and have a standard error."""
    more = data().assign(y=lambda d: np.where(np.arange(160) % 16 == 0, 0, d["y"]))
    with no_warnings():
        fit = MCLAMixedGLM.from_formula(COUNTS, data=more, family=F.Poisson(), ziformula="~ 1").fit(rng=1)
    assert -5 < fit.params["zi: Intercept"] < -1
    assert fit.bse["zi: Intercept"] < 2


@pytest.mark.parametrize("method", ["fit", "fit_laplace"])
def test_a_zero_part_of_a_covariate_is_told_where_it_runs_off(method: str) -> None:
    """It may go to zero in some rows and to one in others, so that there is no one limit."""
    with pytest.warns(SeparationWarning, match="the linear predictor 'zi' reaches -"):
        fit = fitted(model(COUNTS, F.Poisson(), ziformula="~ x"), method)
    assert fit.llf >= without(COUNTS, method).llf - 1e-3


@functools.cache
def salamanders(species: str, **options: str) -> Any:
    table = pd.read_csv(Path(__file__).parents[1] / "reference" / "salamanders.csv")
    formula = "count ~ mined + (1 | site)"
    return MCLAMixedGLM.from_formula(formula, table[table["spp"] == species], family=NB, **options).fit(rng=1)


@pytest.mark.parametrize("species", ["EC-L", "PR"])
def test_a_zero_part_that_vanishes_over_the_draws(species: str) -> None:
    """The start may have one (PR), so that only the Monte Carlo likelihood tells."""
    truth = salamanders(species)
    with pytest.warns(SingularFitWarning, match="zero part, 'zi', is zero") as caught:
        ours = salamanders(species, ziformula="~ 1")
    assert len(caught) == 1
    assert ours.converged
    kept = list(truth.params.index)
    assert abs(ours.llf - truth.llf) < 4 * np.hypot(ours.llf_mcse, truth.llf_mcse)
    error = np.hypot(ours.mcse[kept], truth.mcse)
    assert np.all(error < 0.01 * truth.bse)
    assert np.all(np.abs(ours.params[kept] - truth.params) < 5 * error)
    np.testing.assert_allclose(ours.bse[kept], truth.bse, rtol=5e-3)
    assert np.all(np.isfinite(ours.bse_mcse[kept]))


def test_a_maximum_with_a_zero_part_is_found_from_where_there_is_none() -> None:
    """The search of a start ends where the likelihood is flat, though it rises from there."""
    with no_warnings():
        ours, less = salamanders("DF", ziformula="~ 1"), salamanders("DF")
    assert ours.llf > less.llf + 0.5
    x = np.linspace(-9.0, 9.0, 1001)
    w = stats.norm.pdf(x)
    beta, slope, zi, variance, alpha = ours.params
    table = ours.model.data.frame
    eta = beta + slope * (table["mined"] == "yes").to_numpy()[:, None] + np.sqrt(variance) * x
    p, size = 1.0 / (1.0 + np.exp(-zi)), 1.0 / alpha
    y = table["count"].to_numpy()[:, None]
    density = p * (y == 0) + (1.0 - p) * stats.nbinom.pmf(y, size, size / (size + np.exp(eta)))
    rows = pd.DataFrame(np.log(density)).groupby(table["site"].to_numpy()).sum().to_numpy()
    exact = np.log(np.exp(rows) @ w / w.sum()).sum()
    assert abs(ours.llf - exact) < 4 * ours.llf_mcse + 1e-6


def test_influence_where_the_zero_part_vanishes_is_that_of_the_family_without_it() -> None:
    """Nothing is told of its effects, which were NaN and took all others along."""
    with pytest.warns(SingularFitWarning):
        found = model(COUNTS, F.Poisson(), ziformula="~ 1").fit(rng=1)
    assert found.bse["zi: Intercept"] > 1e3
    ours, theirs = found.get_influence(), without(COUNTS, "fit").get_influence()
    np.testing.assert_allclose(ours.dfbetas[theirs.dfbetas.columns], theirs.dfbetas, atol=1e-4)
    np.testing.assert_allclose(ours.cooks_distance[0], theirs.cooks_distance[0], rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("ziformula", ["~ 1", "~ 1 + (1 | g)"])
def test_a_zero_part_that_is_worth_next_to_nothing(ziformula: str) -> None:
    """Laplace's approximation falls from a probability of zero, the likelihood rises: by 4e-4 up to one of 7e-4."""
    rng = np.random.default_rng(9)
    g, x = np.repeat(np.arange(25), 8), rng.normal(size=200)
    y = rng.poisson(np.exp(0.5 + 0.4 * x + 0.5 * rng.normal(size=25)[g]))
    rows = pd.DataFrame({"y": y, "x": x, "g": g})
    known = MCLAMixedGLM.from_formula(COUNTS, data=rows, family="poisson").fit(rng=1)
    made = MCLAMixedGLM.from_formula(COUNTS, data=rows, family="poisson", ziformula=ziformula)
    with pytest.warns(SingularFitWarning, match="zero part, 'zi', is zero") as caught:
        ours = made.fit(rng=1)
    assert len(caught) == 1
    assert ours.monte_carlo.precise
    kept = list(known.params.index)
    np.testing.assert_allclose(ours.bse[kept], known.bse, rtol=2e-3)
    np.testing.assert_allclose(ours.params[kept], known.params, atol=1e-3 * known.bse.min())
    assert ours.llf == pytest.approx(known.llf, abs=5e-3)
