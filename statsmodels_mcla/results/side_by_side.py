"""Several fits in one table, a column each."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pandas as pd
from statsmodels.iolib import summary2

from statsmodels_mcla.interface import refuse_unknown
from statsmodels_mcla.results.methods import TableMethods
from statsmodels_mcla.results.summary import shown_with_tests
from statsmodels_mcla.results.tables import FrameSummary

NOTE = (
    "Variances have no stars, since their estimates are not normal near zero: compare_lr_test() tests them."
)


class _Column:
    """A fit as ``summary_col`` reads it: without p-values of what has no test in a table."""

    def __init__(self, results: TableMethods) -> None:
        self._results = results
        values = np.where(shown_with_tests(results), np.asarray(results.pvalues), np.nan)
        self.pvalues = pd.Series(values, index=list(results.estimates.names))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._results, name)


def summary_col(results: Any, *, model_names: Any = (), stars: bool = False, **options: Any) -> FrameSummary:
    r"""Table of several fits side by side: estimates, standard errors below them, groups and criteria.

    Parameters
    ----------
    results : results or sequence of results
        Fits of this package, and others that statsmodels' ``summary_col`` takes.
    model_names : sequence of str, optional
        Headers of the columns; by default the responses.
    stars : bool
        Whether to mark p-values of fixed effects below .1, .05 and .01. Those of variances are not marked.
    **options
        ``float_format``, ``info_dict``, ``regressor_order``, ``drop_omitted``, ...: those of statsmodels'
        ``summary_col``.

    Returns
    -------
    FrameSummary
        With ``as_text``, ``as_html``, ``as_latex``, ``as_csv``, ``as_markdown``.

    Raises
    ------
    ValueError
        If there are not as many names as fits.
    TypeError
        If one is no results, or an option is unknown.

    Examples
    --------
    >>> from statsmodels_mcla import summary_col
    >>> smaller = model.update(". ~ . - trt").fit(rng=1)
    >>> table = summary_col([smaller, results], model_names=["week", "drug"], stars=True)
    >>> print("\n".join(table.as_markdown().splitlines()[:6]))
    |  | week | drug |
    | --- | ---: | ---: |
    | Intercept | 2.5778*** | 1.8412*** |
    |  | (0.4784) | (0.5649) |
    | week | -0.1462*** | -0.1455*** |
    |  | (0.0516) | (0.0514) |
    """
    fits = list(results) if isinstance(results, list | tuple) else [results]
    known = [name for name in inspect.signature(summary2.summary_col).parameters if name != "results"]
    refuse_unknown(summary_col, options, known)
    names = list(model_names)
    if names and len(names) != len(fits):
        raise ValueError(f"model_names has {len(names)} names, but there are {len(fits)} fits")
    fits = [getattr(fit, "_results", fit) for fit in fits]
    for fit in fits:
        if not hasattr(fit, "params") or not hasattr(fit, "model"):
            raise TypeError(f"results must be fits, as model.fit() returns them, got {type(fit).__name__}")
    ours = [fit for fit in fits if isinstance(fit, TableMethods)]
    fixed = [name for fit in ours for name in fit.estimates.names[: fit.k_fe]]
    options.setdefault("regressor_order", list(dict.fromkeys(fixed)))
    columns = [_Column(fit) if isinstance(fit, TableMethods) else fit for fit in fits]
    made = summary2.summary_col(columns, model_names=names, stars=stars, **options)
    out = FrameSummary()
    for frame, how in zip(made.tables, made.settings, strict=True):
        out.add_df(frame, **how)
    for note in [*made.extra_txt, *([NOTE] if stars and ours else [])]:
        out.add_text(note)
    return out
