"""Fits of a model to responses that are simulated from it, one for each seed."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from statsmodels_mcla.data import MixedModel
from statsmodels_mcla.design import RowsElsewhere
from statsmodels_mcla.numerics import Array, child

T = TypeVar("T")


def of_refit(
    model: MixedModel,
    params: Array,
    method: str,
    options: dict[str, Any],
    ask: Callable[[Any], T],
    seed: np.random.SeedSequence,
) -> T | None:
    """Simulate responses, fit them, and ask something of the results.

    Parameters
    ----------
    model : MixedModel
    params : ndarray (P,)
        To simulate from.
    method : {"fit", "fit_laplace"}
    options : dict
        Of the fit.
    ask : callable
        Of results; without their warnings, which whoever asks counts instead.
    seed : SeedSequence
        Of responses and draws.

    Returns
    -------
    object
        What ``ask`` says; None where the fit fails.
    """
    simulated = model.simulated(params, child(seed, 0))
    if method == "fit":
        options = {**options, "rng": child(seed, 1)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = getattr(simulated, method)(**options)
        except (FloatingPointError, np.linalg.LinAlgError, RowsElsewhere):
            return None
        return ask(found)
