"""Standard deviations and correlations of the random effects, as in lme4's VarCorr.

Both are smooth functions of the variances and covariances; their standard and Monte Carlo errors are by the
delta method.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from statsmodels_mcla.design import TermFacts, term_keys
from statsmodels_mcla.estimation import Estimates
from statsmodels_mcla.numerics import Array, delta_method

ONE = 1.0 - 1e-9  # correlations that differ from one by round-off


def covariance_matrices(terms: Sequence[TermFacts], theta: Array) -> dict[str, pd.DataFrame]:
    """Covariance matrix of each term by its key."""
    out = {}
    start = 0
    for key, t in zip(term_keys(terms), terms, strict=True):
        d = len(t.columns)
        G = np.zeros((d, d))
        G[np.tril_indices(d)] = theta[start : start + t.size]
        G = np.tril(G) + np.tril(G, -1).T
        out[key] = pd.DataFrame(G, index=list(t.columns), columns=list(t.columns))
        start += t.size
    return out


def var_corr_parts(
    terms: Sequence[TermFacts], estimates: Estimates, *, of_errors: bool = False
) -> pd.DataFrame:
    """Standard deviations and correlations with their errors, and with what each is about.

    Returns
    -------
    DataFrame
        Columns group, kind ("SD" or "Corr"), effects (names of one or two), levels, estimate, std err and, for fits
        with draws, mcse and, with ``of_errors``, std err mcse.
    """
    at = estimates.layout.covariance

    def errors(params: Array, cov: Array) -> Array:
        return np.array([_error(g, cov[at, at]) for g in _estimates(terms, params[at])[1]])

    rows = _estimates(terms, estimates.params[at])[0]
    out = pd.DataFrame(rows, columns=["group", "kind", "effects", "levels", "estimate"])
    out["std err"] = errors(estimates.params, estimates.cov.matrix)
    if estimates.cov_mcse is None:
        return out
    out["mcse"] = errors(estimates.params, estimates.cov_mcse)
    if not of_errors:
        return out
    return out.assign(**{"std err mcse": estimates.varied(errors).mcse})


def var_corr(terms: Sequence[TermFacts], estimates: Estimates, *, of_errors: bool = False) -> pd.DataFrame:
    """Standard deviations and correlations with their errors.

    Returns
    -------
    DataFrame
        Columns group, effect, levels, estimate, std err and, for fits with draws, mcse and, with ``of_errors``, std err
        mcse.
    """
    out = var_corr_parts(terms, estimates, of_errors=of_errors)
    labels = [f"{k}({', '.join(e)})" for k, e in zip(out.pop("kind"), out.pop("effects"), strict=True)]
    out.insert(1, "effect", labels)
    return out


def _estimates(
    terms: Sequence[TermFacts], theta: Array
) -> tuple[list[tuple[str, str, tuple[str, ...], int, float]], Array]:
    """Rows (group, kind, effects, levels, estimate) and the gradients of the estimates in theta."""
    rows, gradient = [], []
    start = 0
    for t in terms:
        lower_i, lower_j = np.tril_indices(len(t.columns))
        G = theta[start : start + t.size]
        at = {(int(i), int(j)): k for k, (i, j) in enumerate(zip(lower_i, lower_j, strict=True))}
        for j in range(len(t.columns)):
            for i in range(j, len(t.columns)):
                g = np.zeros(len(theta))
                v_i, v_j = G[at[i, i]], G[at[j, j]]
                with np.errstate(divide="ignore", invalid="ignore"):
                    if i == j:
                        estimate = np.sqrt(v_i)
                        g[start + at[i, i]] = 0.5 / estimate
                        part: tuple[str, tuple[str, ...]] = ("SD", (t.columns[i],))
                    else:
                        estimate = G[at[i, j]] / np.sqrt(v_i * v_j)
                        g[start + at[i, j]] = 1.0 / np.sqrt(v_i * v_j)
                        g[start + at[i, i]] = -0.5 * estimate / v_i
                        g[start + at[j, j]] = -0.5 * estimate / v_j
                        if abs(estimate) > ONE:  # at the boundary, where a covariance matrix is singular
                            estimate, g[start + at[i, j]] = np.sign(estimate), np.nan
                        part = ("Corr", (t.columns[j], t.columns[i]))
                rows.append((t.name, *part, t.levels, estimate))
                gradient.append(g)
        start += t.size
    return rows, np.array(gradient).reshape(len(rows), len(theta))


def _error(gradient: Array, cov: Array) -> float:
    used = np.flatnonzero(gradient)
    if not np.all(np.isfinite(gradient)) or not len(used):
        return float("nan")
    return float(delta_method(gradient[used], cov[np.ix_(used, used)])[0])
