"""Counts of millions and billions: against R's glmmTMB, and against what these models become of them.

Numbers of glmmTMB are what this prints for each family (``few`` for truncated_poisson), and with 1e9 for 1e6, where its
optimiser reports a false convergence::

    library(glmmTMB); i <- 1:120; g <- factor((i - 1) %/% 6); x <- cos(i); k <- 1:20
    m <- 1e6 * exp(0.3 * x + 0.5 * qnorm((k * 0.7548776662) %% 1)[g]); p <- (i * 0.6180339887) %% 1
    few <- round(m + sqrt(m) * qnorm(p)); many <- round(m * qgamma(p, 4, 4))
    f <- glmmTMB(many ~ x + (1 | g), family = nbinom1())  # genpois(), truncated_nbinom2()
    c(fixef(f)$cond, VarCorr(f)$cond$g[1], sigma(f), logLik(f))
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from helpers import no_warnings
from scipy import special, stats

from statsmodels_mcla import MCLAMixedGLM, families

NB1, GENPOIS = families.NegativeBinomial1(), families.GeneralizedPoisson()
POSITIVE, POSITIVE_NB = families.TruncatedPoisson(), families.TruncatedNegativeBinomial()
GLMMTMB: dict[tuple[Any, float], list[float]] = {
    (NB1, 1e6): [13.70359829, 0.22920965, 0.12308746, 261524.566, -1741.42573],
    (NB1, 1e9): [20.61134450, 0.22919357, 0.12309346, 261538896, -2570.35629],
    (GENPOIS, 1e6): [13.71200679, 0.20716505, 0.11061910, 338948.076, -1740.09223],
    (GENPOIS, 1e9): [20.61981217, 0.20713553, 0.11054933, 339533305, -2569.03099],
    (POSITIVE_NB, 1e6): [13.67571069, 0.24181436, 0.18374291, 3.78167055, -1736.72888],
    (POSITIVE_NB, 1e9): [20.58357007, 0.24173443, 0.18388450, 3.78122488, -2565.65935],
    (POSITIVE, 1e6): [13.66673817, 0.29990327, 0.20803519, 1, -1132.43415],
    (POSITIVE, 1e9): [20.57449087, 0.29999694, 0.20803448, 1, -1615.97134],
}
SIGMA = {NB1: lambda a: a, GENPOIS: lambda a: (1 + a) ** 2, POSITIVE_NB: lambda a: 1 / a}


def counts(height: float) -> pd.DataFrame:
    """Counts without and with more variance than Poisson ones, around the same means."""
    i, k = np.arange(1, 121), np.arange(1, 21)
    g, x, p = (i - 1) // 6, np.cos(i), i * 0.6180339887 % 1
    m = height * np.exp(0.3 * x + 0.5 * stats.norm.ppf(k * 0.7548776662 % 1)[g])
    few, many = m + np.sqrt(m) * stats.norm.ppf(p), m * stats.gamma.ppf(p, 4, scale=0.25)
    return pd.DataFrame({"few": few.round(), "many": many.round(), "g": g, "x": x, "y": many.round()})


def model(family: Any, data: pd.DataFrame, y: str = "", **formulas: str) -> MCLAMixedGLM:
    y = y or ("few" if family is POSITIVE else "many")
    return MCLAMixedGLM.from_formula(f"{y} ~ x + (1 | g)", data=data, family=family, **formulas)


@pytest.mark.parametrize(("family", "height"), GLMMTMB, ids=lambda part: getattr(part, "name", f"{part}"))
def test_laplace_fit_is_that_of_r(family: Any, height: float) -> None:
    intercept, slope, variance, sigma, llf = GLMMTMB[family, height]
    fit = model(family, counts(height)).fit_laplace()
    assert fit.converged
    assert fit.llf == pytest.approx(llf, abs=5e-3)
    found = fit.params.to_numpy()
    np.testing.assert_allclose(found[:3], [intercept, slope, variance], rtol=2e-3)
    if family in SIGMA:
        assert SIGMA[family](found[3]) == pytest.approx(sigma, rel=5e-3)


@pytest.mark.parametrize("family", [NB1, GENPOIS, POSITIVE_NB, POSITIVE], ids=lambda family: family.name)
@pytest.mark.parametrize("formulas", [{}, {"ziformula": "~ 1"}], ids=["", "zeros"])
def test_fit_does_not_depend_on_the_units(family: Any, formulas: dict[str, str]) -> None:
    """Counts as large as these are continuous, and continuous responses have a scale."""
    fits = []
    for height in (1e6, 1e9):
        data = counts(height)
        if formulas:
            data.loc[::9, ["few", "many"]] = 0
        with no_warnings():
            fits.append(model(family, data, **formulas).fit(rng=1, max_seconds=20))
    near, far = fits
    assert far.converged
    assert near.converged
    assert far.params["Intercept"] - near.params["Intercept"] == pytest.approx(np.log(1e3), abs=5e-3)
    assert far.params["x"] == pytest.approx(near.params["x"], abs=2e-3)
    assert far.params["g Var"] == pytest.approx(near.params["g Var"], rel=0.01)
    if "alpha" in far.params:
        unit = {NB1: 1e3, GENPOIS: 1e3**0.5}.get(family, 1.0)
        assert far.params["alpha"] / near.params["alpha"] == pytest.approx(unit, rel=0.01)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (POSITIVE, sm.families.Poisson()),
        (POSITIVE_NB, sm.families.NegativeBinomial(alpha=1.0)),
    ],
    ids=["poisson", "nb"],
)
def test_there_are_no_zeros_to_truncate(ours: Any, theirs: Any) -> None:
    data, y = counts(1e6), "few" if ours is POSITIVE else "many"
    with no_warnings():
        found, truth = (model(family, data, y).fit(rng=1) for family in (ours, theirs))
    assert found.llf == pytest.approx(truth.llf, abs=5 * np.hypot(found.llf_mcse, truth.llf_mcse) + 1e-4)
    np.testing.assert_allclose(found.params, truth.params, rtol=1e-3)


@pytest.mark.parametrize("family", [NB1, GENPOIS], ids=lambda family: family.name)
def test_alpha_that_is_small_beside_the_counts(family: Any) -> None:
    """The start tells between what varies within groups and between them as little as it can."""
    data = counts(1e6)
    rng = np.random.default_rng(4)
    data["y"] = rng.poisson(rng.gamma(data["few"] / 3.0, 3.0))
    with no_warnings():
        fit = model(family, data, "y").fit(rng=1)
    assert fit.converged
    truth = {NB1: 3.0, GENPOIS: 1.0}[family]
    assert fit.params["alpha"] == pytest.approx(truth, abs=4 * fit.bse["alpha"])
    assert fit.params["x"] == pytest.approx(0.3, abs=5 * fit.bse["x"])


def test_trials_by_the_million() -> None:
    """Of trials as many as these, proportions are beta, whatever the number of trials."""
    data = counts(1e6)
    p = special.expit(np.log(data["few"] / 1e6))
    share = stats.beta.ppf(np.arange(1, 121) * 0.6180339887 % 1, 10 * p, 10 * (1 - p))
    fits = []
    for trials in (1e6, 1e9):
        table = data.assign(y=(trials * share).round(), n=trials)
        with no_warnings():
            found = MCLAMixedGLM.from_formula(
                "y + I(n - y) ~ x + (1 | g)", data=table, family=families.BetaBinomial()
            )
            fits.append(found.fit(rng=1))
    beta = MCLAMixedGLM.from_formula(
        "share ~ x + (1 | g)", data=data.assign(share=share), family=families.Beta()
    ).fit(rng=1)
    for fit in fits:
        assert fit.converged
        np.testing.assert_allclose(fit.params[:3], beta.params[:3], rtol=2e-3, atol=2e-3)
        assert 1 / fit.params["alpha"] == pytest.approx(beta.params["precision"], rel=2e-3)
