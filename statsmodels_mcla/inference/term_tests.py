"""Wald tests of the terms of a formula, of types II and III, as R's car has them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from patsy import DesignInfo, Term
from scipy import stats

from statsmodels_mcla.estimation import Estimates
from statsmodels_mcla.families import ConditionalFamily
from statsmodels_mcla.formula import relatives_of
from statsmodels_mcla.inference.contrasts import are_known, rank_of, wald_statistic
from statsmodels_mcla.numerics import Array

COLUMNS = ["Chisq", "Df", "Pr(>Chisq)", "MCSE", "MCSE Pr"]


def columns_of(info: DesignInfo, terms: Sequence[Term]) -> list[int]:
    """Columns of a design that belong to some terms."""
    return [j for term in terms for j in range(*info.term_slices[term].indices(len(info.column_names)))]


def places_of(info: DesignInfo, family: ConditionalFamily) -> list[int]:
    """Where the columns of a formula begin among the parameters: once for each predictor if all have them."""
    return [k * len(info.column_names) for k in range(len(family.predictors) if family.predictors[0] else 1)]


def tested_terms(info: DesignInfo, kind: int) -> list[Term]:
    """Terms that have tests of type 2 or 3: the intercept has one of type 3 only, as in car."""
    return [term for term in info.terms if term.factors or kind == 3]


def wald_term_tests(
    estimates: Estimates, info: DesignInfo, kind: int, places: Sequence[int] = (0,), *, mcse: bool = False
) -> pd.DataFrame:
    """Wald tests of terms.

    Parameters
    ----------
    estimates : Estimates
    info : DesignInfo
        Of the fixed effects.
    kind : {2, 3}
        A test of type III is that all coefficients of a term are zero.  One of type II is that of the term after all
        others but those that contain it, which are taken to be zero: with W the Wald statistic of some coefficients,
        W(term and its relatives) - W(relatives) (Fox, 2016, Applied Regression Analysis, sec. 8.2; car).  Coefficients
        that linear constraints fix stay where they are: ``Df`` counts the others.
    places : sequence of int
        Of `places_of`: of categories, a term is in the predictors of all.
    mcse : bool
        Whether to compute Monte Carlo errors, where there are draws.

    Returns
    -------
    DataFrame
        By term: ``Chisq``, ``Df``, ``Pr(>Chisq)`` and, if wanted, their Monte Carlo errors.

    Raises
    ------
    ValueError
        If the estimates have no covariance.
    """
    if np.isnan(estimates.cov.matrix[: len(info.column_names)]).all():
        raise ValueError("the estimates have no covariance (no maximum was found): there are no Wald tests")
    rows, mcse = {}, mcse and estimates.drawn
    for term in tested_terms(info, kind):
        own = columns_of(info, [term])
        others = columns_of(info, relatives_of(info, term)) if kind == 2 else []
        contrasts = [
            np.eye(len(estimates.params))[[k + j for k in places for j in columns]]
            for columns in (own + others, others)
        ]
        # what constraints fix is not tested
        contrasts = [each[~are_known(each, estimates.cov.matrix)] for each in contrasts]

        def statistic(params: Array, cov: Array, contrasts: Any = contrasts) -> Array:
            both, rest = (
                wald_statistic(c, np.zeros(len(c)), params, cov) if len(c) else 0.0 for c in contrasts
            )
            return np.asarray(both - rest)

        both, rest = (rank_of(c, estimates.cov.matrix) if len(c) else 0 for c in contrasts)
        df, value = both - rest, float(statistic(estimates.params, estimates.cov.matrix))
        law = stats.chi2(df)
        rows[term.name()] = [value, df, law.sf(value)]
        if mcse:
            varied = estimates.varied(statistic)
            rows[term.name()] += [float(varied.mcse), float(varied.through(law.sf).mcse)]
    columns = COLUMNS if mcse else COLUMNS[:3]
    return (
        pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("term").astype({"Df": int})
    )
