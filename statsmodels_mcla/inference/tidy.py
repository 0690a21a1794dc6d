"""Estimates as a tidy table, a row a parameter, in the way of R's broom.mixed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from statsmodels_mcla.design import TermFacts
from statsmodels_mcla.estimation import Estimates, wald_limits, wald_pvalues, z_of
from statsmodels_mcla.inference.standard_deviations import var_corr_parts
from statsmodels_mcla.numerics import Array, standard_deviations

LIMITS = ["conf_low", "conf_high"]


class Scale(NamedTuple):
    """Scale on which an interval is symmetric."""

    to: Callable[[Array], Array]
    back: Callable[[Array], Array]
    slope: Callable[[Array], Array]

    def limits(self, estimate: Array, se: Array, quantile: float) -> Array:
        """Wald limits (k, 2) on this scale, carried back."""
        with np.errstate(divide="ignore", invalid="ignore"):
            there = np.column_stack([self.to(estimate), se * self.slope(estimate)])
            limits = self.back(wald_limits(there, quantile))
        return np.where(np.isfinite(there[:, 1:]), limits, np.nan)


LOG = Scale(np.log, np.exp, lambda x: 1.0 / x)
FISHER = Scale(np.arctanh, np.tanh, lambda x: 1.0 / (1.0 - x**2))


def tidy_fixed(estimates: Estimates, alpha: float, *, exponentiate: bool = False) -> pd.DataFrame:
    """Fixed effects: estimate, std_error, statistic, p_value, limits and, for fits with draws, mcse.

    With ``exponentiate`` estimates and limits are exponentiated, errors multiplied by the estimate; statistic and
    p-value stay those of the coefficient.
    """
    at = estimates.layout.fixed
    both = np.column_stack([estimates.params[at], estimates.se[at]])
    z = z_of(both)
    limits = wald_limits(both, float(stats.norm.isf(0.5 * alpha)))
    factor = np.ones(len(both))
    if exponentiate:
        with np.errstate(over="ignore"):  # of what has no finite maximum
            limits, factor = np.exp(limits), np.exp(both[:, 0])
    out = pd.DataFrame(
        {
            "effect": "fixed",
            "group": "",
            "term": estimates.names[at],
            "estimate": factor if exponentiate else both[:, 0],
            "std_error": factor * both[:, 1],
            "statistic": z,
            "p_value": wald_pvalues(z),
        }
    )
    out[LIMITS] = limits
    if estimates.cov_mcse is not None:
        out["mcse"] = factor * standard_deviations(estimates.cov_mcse)[at]
    return out


def tidy_random(terms: Sequence[TermFacts], estimates: Estimates, alpha: float) -> pd.DataFrame:
    """Standard deviations and correlations of the random effects, then the dispersion.

    Intervals are Wald intervals of the logarithm of standard deviations and dispersions, and of Fisher's z of
    correlations.
    """
    parts = var_corr_parts(terms, estimates)
    names = {"SD": "sd", "Corr": "cor"}
    parts["term"] = [
        f"{names[k]}__{'.'.join(e)}" for k, e in zip(parts["kind"], parts["effects"], strict=True)
    ]
    at = estimates.layout.family
    dispersion = pd.DataFrame(
        {
            "group": "",
            "term": estimates.names[at],
            "estimate": estimates.params[at],
            "std err": estimates.se[at],
        }
    )
    if estimates.cov_mcse is not None:
        dispersion["mcse"] = standard_deviations(estimates.cov_mcse)[at]
    out = pd.concat([parts, dispersion], ignore_index=True) if len(dispersion) else parts
    out = out.rename(columns={"std err": "std_error"})
    correlation = (out["kind"] == "Corr").to_numpy()
    estimate, se, quantile = (
        out["estimate"].to_numpy(float),
        out["std_error"].to_numpy(float),
        float(stats.norm.isf(0.5 * alpha)),
    )
    fisher, log = (scale.limits(estimate, se, quantile) for scale in (FISHER, LOG))
    out[LIMITS] = np.where(correlation[:, None], fisher, log)
    out["effect"] = "random"
    out["statistic"] = out["p_value"] = np.nan
    columns = ["effect", "group", "term", "estimate", "std_error", "statistic", "p_value", *LIMITS]
    return out[columns + (["mcse"] if "mcse" in out else [])]
