"""Holm's adjustment of many rows is statsmodels' of each."""

import numpy as np
from statsmodels.stats.multitest import multipletests

from statsmodels_mcla.numerics import holm


def test_holm() -> None:
    p = np.random.default_rng(1).uniform(size=(3, 9)) ** 3
    p[1, :4] = p[1, 4]  # ties
    p[2, 0] = 1.0
    expected = [multipletests(row, method="holm")[1] for row in p]
    np.testing.assert_allclose(holm(p), expected, rtol=1e-14)
    np.testing.assert_allclose(holm(p[0]), expected[0], rtol=1e-14)
