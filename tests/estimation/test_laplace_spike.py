"""Laplace's approximation without a maximum: it says so, and the likelihood itself has one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from helpers import no_warnings
from statsmodels.tools.sm_exceptions import ConvergenceWarning

from statsmodels_mcla import MCLAMixedGLM

REFERENCE = Path(__file__).parents[1] / "reference"
NB = sm.families.NegativeBinomial(alpha=1.0)


def test_a_mode_that_fades_is_told_and_the_likelihood_has_its_maximum() -> None:
    """Of this model glmmTMB says that it did not converge, and that the Hessian is not positive definite."""
    model = MCLAMixedGLM.from_formula(
        "count ~ mined + (1 | site)",
        pd.read_csv(REFERENCE / "salamanders.csv"),
        family=NB,
        ziformula="~ mined + (1 | site)",
        dispformula="~ mined",
    )
    with pytest.warns(
        ConvergenceWarning, match=r"has no maximum: the effects of block .site: .* Use fit\(\)"
    ):
        laplace = model.fit_laplace()
    assert not laplace.converged
    with no_warnings():
        fit = model.fit(rng=1, nsample=256)
    assert fit.converged
    assert np.isfinite(fit.bse).all()
    assert np.abs(model.score(fit.params.to_numpy()) * fit.bse).max() < 1e-2
