"""Parameters along which the likelihood is flat have no standard errors to be known, and ask for no draws."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from statsmodels_mcla import MCLAMixedGLM
from statsmodels_mcla.exceptions import SeparationWarning


def counts() -> pd.DataFrame:
    """Counts of eight kinds, of which three vary no more than Poisson counts do."""
    rng = np.random.default_rng(3)
    f, g, x = rng.integers(0, 8, 600), rng.integers(0, 30, 600), rng.normal(size=600)
    alpha = np.where(np.arange(8) < 5, 0.5, 1e-6)[f]
    mu = np.exp(0.8 + 0.3 * x + rng.normal(0, 0.5, 30)[g])
    y = rng.poisson(mu * rng.gamma(1 / alpha, alpha))
    return pd.DataFrame({"y": y, "x": x, "f": [f"f{k}" for k in f], "g": g})


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
    gone = np.asarray(result.params.filter(like="disp")) < -8
    assert 0 < gone.sum() < 8  # premise
    # the limit: Poisson counts where the dispersion is gone
    others = result.params.index[:2]
    held = MCLAMixedGLM.from_formula(
        "y ~ x + (1 | g)",
        data=counts(),
        family=sm.families.NegativeBinomial(alpha=1.0),
        dispformula="~ 0 + f",
    ).loglike(result.params.where(result.params > -8, -12.0).to_numpy())
    assert result.llf == pytest.approx(held, abs=0.02)
    assert np.isfinite(result.bse[others]).all()
    assert (result.mcse[others] < 0.01 * result.bse[others]).all()
