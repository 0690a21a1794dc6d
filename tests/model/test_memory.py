"""Memory is known before it is taken."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from statsmodels_mcla import MCLAMixedGLM
from statsmodels_mcla.exceptions import SingularFitWarning


def crossed(levels: tuple[int, int], rows: int) -> MCLAMixedGLM:
    rng = np.random.default_rng(0)
    a, b = (rng.integers(0, n, rows) for n in levels)
    data = pd.DataFrame({"y": rng.integers(0, 2, rows), "a": a, "b": b})
    return MCLAMixedGLM.from_formula("y ~ 1 + (1 | a) + (1 | b)", data=data)


@pytest.mark.parametrize("fit", ["fit", "fit_laplace"])
def test_what_does_not_fit_is_refused_before_it_is_made(fit: str) -> None:
    """30,000 levels beside the 40,000 that are eliminated: matrices of 7 GB each."""
    with pytest.raises(ValueError, match=r"max_memory: matrices of 29\d\d\d random effects .* 1.7e\+02 GB"):
        getattr(crossed((40_000, 30_000), 200_000), fit)()


def test_the_limit_is_the_users() -> None:
    model = crossed((30, 20), 300)
    with pytest.raises(ValueError, match="max_memory: matrices of 50 random effects"):
        model.fit_laplace(max_memory="100kB")
    with pytest.raises(ValueError, match="max_memory must be a number of bytes"):
        model.fit(max_memory="much")
    with pytest.warns(SingularFitWarning):
        assert model.fit_laplace(max_memory="1MB").converged
