"""Log densities of large counts, and their derivatives, against 80 digits (`reference/make_large_counts.py`)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from statsmodels_mcla import families

TRUTH = json.loads((Path(__file__).parents[1] / "reference" / "large_counts.json").read_text())
FAMILIES = {
    "nb1": families.NegativeBinomial1(),
    "genpois": families.GeneralizedPoisson(),
    "truncated_poisson": families.TruncatedPoisson(),
    "truncated_nb": families.TruncatedNegativeBinomial(),
    "betabinomial": families.BetaBinomial(),
}


@pytest.mark.parametrize("law", FAMILIES)
@pytest.mark.parametrize("height", [3, 6, 9])
def test_large_counts(law: str, height: int) -> None:
    cases = [case for case in TRUTH if case["law"] == law and 0.1 < case["y"] / 10**height < 10]
    assert cases
    for case in cases:
        _assert_exact(FAMILIES[law], case)


def _assert_exact(family: Any, case: dict[str, Any]) -> None:
    """Sums of terms as large as the counts have their rounding errors; differences of derivatives, their own."""
    y, trials, alpha = float(case["y"]), float(case["trials"]), case["alpha"]
    one, phi = np.ones(1), alpha or 1.0
    data = [a[:, None] for a in family.row_data(np.array([y]), np.array([trials]), one, one)]
    at = (*data, np.full((1, 1), case["eta"]), phi)
    rows = family.rows(*at)
    constant = family.constant(np.array([y]), np.array([trials]), one, one)
    size = max(y, trials)
    exact = {"rtol": 1e-10, "atol": 5e-15 * size}
    differences = {"rtol": 1e-7, "atol": 1e-12 * size}
    value, d1, d2, d3, *others = case["derivatives"]
    np.testing.assert_allclose(rows.logf + constant, value, rtol=1e-12, atol=3e-14 * size)
    np.testing.assert_allclose(rows.d1, d1, **exact)
    np.testing.assert_allclose(rows.d2, d2, **exact)
    np.testing.assert_allclose(family.third(*at), d3, **differences)
    if alpha:  # on the scale of log alpha
        in_alpha, in_alpha2, mixed, bend = np.array(others) * alpha ** np.array([1, 2, 1, 1])
        own = family.parameter_rows(*at)
        np.testing.assert_allclose(own.dphi[0] * alpha, in_alpha, **exact)
        np.testing.assert_allclose(own.dphi2[0, 0] * alpha**2, in_alpha2, **exact)
        np.testing.assert_allclose(own.d1phi[0] * alpha, mixed, **exact)
        np.testing.assert_allclose(family.d2_parameters(*at)[0] * alpha, bend, **differences)
