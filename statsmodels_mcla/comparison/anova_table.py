"""Tables of nested models, as lme4's ``anova`` makes them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from statsmodels_mcla.comparison.compared_fits import fit_of
from statsmodels_mcla.comparison.likelihood_ratio import likelihood_ratio_test


def anova(*results: Any, names: Any = None, rng: Any = 0) -> pd.DataFrame:
    """Compare nested models, each with the next smaller one.

    Parameters
    ----------
    *results : results
        Two or more fits of the same rows by the same method; statsmodels' GLM may be the smallest.
    names : sequence of str, optional
        What to call the models; by default their formulas.
    rng : int or numpy.random.Generator
        Source of randomness of null distributions that are simulated.

    Returns
    -------
    DataFrame
        By model, smallest first: number of parameters, AIC, BIC, log-likelihood, -2 times it, likelihood-ratio
        statistic against the model before, restrictions and p-value; Monte Carlo errors of the statistic, of the
        p-value and of the log-likelihood; and the null distribution, a mixture where variances are zero under it.

    Raises
    ------
    ValueError
        If the models are not nested in each other; the message names the two.

    Examples
    --------
    >>> from statsmodels_mcla import anova
    >>> smaller = model.update(". ~ . - trt").fit(rng=1)
    >>> anova(smaller, results)[["npar", "logLik", "Chisq", "Df", "Pr(>Chisq)"]].round(2)
                                        npar  logLik  Chisq   Df  Pr(>Chisq)
    model
    y == 'y' ~ week + (1 | ID)             3 -100.82    NaN  NaN         NaN
    (y == 'y') ~ trt + week + (1 | ID)     5  -98.71   4.22  2.0        0.12
    """
    if len(results) < 2:
        raise ValueError("results: anova compares two or more fits, one after another as arguments")
    if names is not None and len(names) != len(results):
        raise ValueError(f"names has {len(names)} names, but there are {len(results)} fits")
    labels = list(names) if names is not None else [_label(r, k) for k, r in enumerate(results)]
    sizes = [fit_of(r, label).size for r, label in zip(results, labels, strict=True)]
    order = sorted(range(len(results)), key=lambda k: sizes[k])
    rows = [_facts(results[k], sizes[k]) for k in order]
    for row, before, k in zip(rows[1:], order, order[1:], strict=False):
        try:
            test = likelihood_ratio_test(getattr(results[k], "_results", results[k]), results[before], rng)
        except ValueError as error:
            raise ValueError(f"{labels[before]!r} against {labels[k]!r}: {error}") from error
        row |= {
            "Chisq": test.statistic,
            "Df": test.df,
            "Pr(>Chisq)": test.pvalue,
            "MCSE": test.mcse,
            "MCSE Pr": test.pvalue_mcse,
            "distribution": str(test.distribution),
        }
    columns = ["npar", "AIC", "BIC", "logLik", "deviance", "Chisq", "Df", "Pr(>Chisq)"]
    columns += ["MCSE", "MCSE Pr", "MCSE logLik", "distribution"]
    table = pd.DataFrame(rows, index=pd.Index([labels[k] for k in order], name="model"), columns=columns)
    return table.assign(distribution=table["distribution"].fillna(""))


def _label(results: Any, k: int) -> str:
    model = getattr(results, "model", None)
    formula = getattr(model, "full_formula", None) or getattr(model, "formula", None)
    constraints = getattr(results, "constraints", None)
    under = [] if constraints is None else str(constraints).splitlines()
    return ", ".join([str(formula or f"model {k + 1}"), *under])


def _facts(results: Any, size: int) -> dict[str, Any]:
    fit = fit_of(results, "results")
    llf, nobs = fit.llf(), float(np.sum(fit.row_arrays()["freq_weights"]))
    return {
        "npar": size,
        "AIC": -2.0 * llf + 2.0 * size,
        "BIC": -2.0 * llf + np.log(nobs) * size,
        "logLik": llf,
        "deviance": -2.0 * llf,
        "MCSE logLik": getattr(results, "llf_mcse", None) or 0.0,
    }
