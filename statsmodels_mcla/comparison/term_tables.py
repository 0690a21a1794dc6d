"""Tables of models that differ by a term: likelihood-ratio and score tests of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from statsmodels_mcla.comparison.compared_fits import MixedFit, mixed_fit_of
from statsmodels_mcla.comparison.likelihood_ratio import RestrictionTest, likelihood_ratio_test
from statsmodels_mcla.comparison.score_tests import Added, score_test

NONE = "<none>"


def term_test(full: Any, restricted: Any, test: str, rng: Any) -> RestrictionTest:
    """Test of the fixed effects that a restricted fit lacks.

    Parameters
    ----------
    full : results or model
        The larger model; a fit of it for a likelihood-ratio test.
    restricted : results
    test : {"LR", "score"}
    rng : int or numpy.random.Generator
    """
    if test == "LR":
        return likelihood_ratio_test(getattr(full, "_results", full), restricted, rng)
    fit: MixedFit = mixed_fit_of(restricted, "restricted")
    return score_test(fit, Added(full.inputs.exog, full.inputs.predictor_of_column), rng)


def table_of_tests(tests: Mapping[str, RestrictionTest], drawn: bool) -> pd.DataFrame:
    """Return a row a test, with Monte Carlo errors where there are draws."""
    rows = {
        name: {
            "Chisq": found.statistic,
            "Df": found.df,
            "Pr(>Chisq)": found.pvalue,
            "MCSE": found.mcse,
            "MCSE Pr": found.pvalue_mcse,
        }
        for name, found in tests.items()
    }
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("term").astype({"Df": int})
    return table if drawn else table.drop(columns=["MCSE", "MCSE Pr"])


def single_term_table(
    results: Any, others: Mapping[str, Any], tests: Mapping[str, RestrictionTest], drawn: bool
) -> pd.DataFrame:
    """Table of models that have a term more or less: AIC of each, and tests against the model itself.

    Parameters
    ----------
    results : results
    others : dict
        Fits by the term that they lack, or add; empty where tests need none.
    tests : dict
    drawn : bool
    """
    table = table_of_tests(tests, drawn)
    row = pd.DataFrame(np.nan, index=pd.Index([NONE], name="term"), columns=table.columns)
    table = pd.concat([row, table.astype(float)])
    table["Df"] = table["Df"].astype("Int64")
    if others:
        table.insert(0, "AIC", [results.aic, *(fit.aic for fit in others.values())])
    return table
