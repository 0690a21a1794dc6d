"""A fit as the package marginaleffects reads models: design rows are ours, from the columns of its tables."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from statsmodels_mcla.data import MixedModel
from statsmodels_mcla.estimation import Estimates
from statsmodels_mcla.numerics import Array
from statsmodels_mcla.prediction.population.covariates import CovariateRows

OFFSET, RESPONSE = "_offset", "_response"  # columns that tables of a fit have beside those of the data


def marginaleffects_model(model: MixedModel, estimates: Estimates, random: str) -> Any:
    """Return what marginaleffects takes as a model.

    Parameters
    ----------
    model : MixedModel
    estimates : Estimates
    random : {"none", "marginal"}

    Raises
    ------
    ValueError
        If the package is not installed, or the model was not made by a formula.
    """
    try:
        from marginaleffects.classes import ModelAbstract, ModelVault
        from marginaleffects.utils import ingest
    except ImportError as error:
        raise ValueError(
            "for_marginaleffects needs the package marginaleffects: install it with pip"
        ) from error
    if not hasattr(model, "formula"):
        raise ValueError("for_marginaleffects needs columns of data, so the model must be made by a formula")
    source = CovariateRows.of(model, estimates.fitted, random)
    link, layout, levels = model.conditional_family.link_function, estimates.layout, {}
    table = source.frame[[c for c in source.frame.columns if c in model.data.used]].copy()
    for name, covariate in source.covariates.items():
        if covariate.levels is not None:
            levels[name] = {str(level): level for level in covariate.levels}
            table[name] = pd.Categorical(table[name].map(str), categories=list(levels[name]))
    table[OFFSET], table[RESPONSE] = source.offset, np.asarray(model.endog, float)

    class MixedModelRows(ModelAbstract):  # type: ignore[misc, unused-ignore]
        """Rows are read by the formula of the fit; a row of "exog" is (X, offset, variance of the random effects)."""

        def get_exog(self, newdata: Any) -> Array:
            frame = newdata.to_pandas()
            offset = (
                frame[OFFSET]
                if OFFSET in frame
                else np.full(len(frame), np.average(source.offset, weights=source.weights))
            )
            for name, known in levels.items():
                frame[name] = [known.get(str(value), value) for value in frame[name]]
            rows = source.rows(
                frame.drop(columns=[OFFSET, RESPONSE], errors="ignore"), np.asarray(offset, float)
            )
            return np.column_stack([rows.X, rows.offset, rows.prior])

        def get_predict(self, params: Any, newdata: Any) -> Any:
            import polars as pl

            rows = np.asarray(newdata, float)
            p, (beta, theta, _) = layout.n_fixed, layout.split(np.asarray(params, float))
            spread = np.maximum(rows[:, p + 1 :] @ theta, 0.0)
            mean = link.normal_mean(rows[:, :p] @ beta + rows[:, p], spread).mean
            return pl.DataFrame({"rowid": np.arange(len(mean), dtype=np.int32), "estimate": mean})

        def get_vcov(self, vcov: Any = True) -> Any:
            if vcov is False or vcov is None:
                return None
            return np.nan_to_num(estimates.cov.matrix) if vcov is True else np.asarray(vcov)

    names = list(source.covariates)
    vault = ModelVault(
        coef=estimates.params,
        coefnames=np.array(estimates.names),
        formula=f"{RESPONSE} ~ {' + '.join(names) or '1'}",
        formula_engine="patsy",
        modeldata=ingest(table),
        package="statsmodels",
        variable_names=[RESPONSE, *names],
        pandas_categorical_orders={name: list(known) for name, known in levels.items()},
    )
    return MixedModelRows(model, vault)
