"""Comparison of nested models by their likelihoods."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

__all__ = ["LikelihoodRatioTest", "likelihood_ratio_test"]


@dataclass(frozen=True)
class LikelihoodRatioTest:
    """Likelihood-ratio test of a restricted model; unpacks as ``statistic, pvalue, df``.

    Attributes
    ----------
    statistic : float
        2 (llf - restricted llf).
    pvalue : float
        Chi-squared upper tail.
    df : int
        Number of restrictions.
    mcse : float
        Monte Carlo standard error of the statistic; 0 for fits without draws.
    """

    statistic: float
    pvalue: float
    df: int
    mcse: float

    def __iter__(self) -> Iterator[float]:
        return iter((self.statistic, self.pvalue, self.df))


def likelihood_ratio_test(full: Any, restricted: Any) -> LikelihoodRatioTest:
    """Test a restricted model against the one that it is nested in.

    Parameters
    ----------
    full, restricted : MixedGLMResults

    Raises
    ------
    ValueError
        If the models cannot be compared; the message says why.
    """
    mine, its = full.model, restricted.model
    if not hasattr(its, "conditional_family"):
        raise ValueError(
            f"restricted is a fit of {type(its).__name__}, not of this model; its llf compares with the llf here, but "
            "the test of a variance of zero is not chi-squared: half the p-value of one degree of freedom"
        )
    if len(mine.endog) != len(its.endog) or not np.array_equal(mine.endog, its.endog):
        raise ValueError("restricted was fitted to other rows: fit both models to the same data")
    if type(mine.conditional_family) is not type(its.conditional_family):
        raise ValueError(
            f"restricted has another family or link, {its.facts.family} with link {its.facts.link}"
        )
    if (full.llf_mcse is None) != (restricted.llf_mcse is None):
        raise ValueError(
            "restricted was fitted by another method: compare Laplace with Laplace, MCLA with MCLA"
        )
    df = len(full.params) - len(restricted.params)
    if df <= 0:
        raise ValueError(
            f"restricted has {len(restricted.params)} parameters, not fewer than the {len(full.params)} here"
        )
    residual = its.exog - mine.exog @ np.linalg.lstsq(mine.exog, its.exog, rcond=None)[0]
    if np.abs(residual).max(initial=0.0) > 1e-6 * np.abs(its.exog).max(initial=1.0):
        raise ValueError(
            "restricted is not nested: its fixed effects are no linear combinations of those here"
        )
    statistic = 2.0 * (full.llf - restricted.llf)
    mcse = 2.0 * float(np.hypot(full.llf_mcse or 0.0, restricted.llf_mcse or 0.0))
    return LikelihoodRatioTest(statistic, float(stats.chi2.sf(statistic, df)), df, mcse)
