"""Parameters along which the likelihood is flat have no standard errors to be known, and ask for no draws."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats
from scipy.special import logsumexp

from statsmodels_mcla import MCLAMixedGLM
from statsmodels_mcla.exceptions import SeparationWarning

GONE = 3e-4  # of a dispersion that makes no difference


def counts() -> pd.DataFrame:
    """Counts of eight kinds, of which three vary no more than Poisson counts do."""
    rng = np.random.default_rng(3)
    f, g, x = rng.integers(0, 8, 600), rng.integers(0, 30, 600), rng.normal(size=600)
    alpha = np.where(np.arange(8) < 5, 0.5, 1e-6)[f]
    mu = np.exp(0.8 + 0.3 * x + rng.normal(0, 0.5, 30)[g])
    y = rng.poisson(mu * rng.gamma(1 / alpha, alpha))
    return pd.DataFrame({"y": y, "x": x, "f": [f"f{k}" for k in f], "g": g})


def by_quadrature(data: pd.DataFrame, params: pd.Series) -> float:
    """Log-likelihood by the trapezoid rule; counts whose dispersion is gone are Poisson's."""
    alpha = np.exp(params.filter(like="disp").to_numpy())[data["f"].str[1:].astype(int)][:, None]
    z = np.linspace(-8, 8, 401)
    mu = np.exp(
        params["Intercept"] + params["x"] * data["x"].to_numpy()[:, None] + np.sqrt(params["g Var"]) * z
    )
    y, size = data["y"].to_numpy()[:, None], 1.0 / np.maximum(alpha, 1e-3)
    rows = np.where(
        alpha < GONE, stats.poisson.logpmf(y, mu), stats.nbinom.logpmf(y, size, size / (size + mu))
    )
    given = pd.DataFrame(rows).groupby(data["g"].to_numpy()).sum().to_numpy()
    return float(logsumexp(given + stats.norm.logpdf(z) + np.log(z[1] - z[0]), axis=1).sum())


def test_dispersions_that_run_to_zero() -> None:
    """They took a hundred seconds and all the draws there are."""
    model = MCLAMixedGLM.from_formula(
        "y ~ x + (1 | g)",
        data=counts(),
        family=sm.families.NegativeBinomial(alpha=1.0),
        dispformula="~ 0 + f",
    )
    with pytest.warns(SeparationWarning, match="a dispersion of zero"):
        result = model.fit(rng=1)
    assert result.converged
    assert result.monte_carlo.draws.max() <= 512
    assert 0 < (result.params.filter(like="disp") < np.log(GONE)).sum() < 8  # premise
    assert result.llf == pytest.approx(by_quadrature(counts(), result.params), abs=0.02)
    others = ["Intercept", "x"]
    assert np.isfinite(result.bse[others]).all()
    assert (result.mcse[others] < 0.01 * result.bse[others]).all()
