"""A model as what is computed after a fit needs it."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from statsmodels_mcla.data.inputs import ModelInputs
from statsmodels_mcla.design import MixedDesign, RandomTerm
from statsmodels_mcla.families import ConditionalFamily
from statsmodels_mcla.interface import cut
from statsmodels_mcla.numerics import Array


class MixedModel(Protocol):
    """The data of a fit: `MCLAMixedGLM`, which later packages cannot import.

    Attributes
    ----------
    data
        Names and tables as statsmodels keeps them: ``fe_names``, ``param_names``, ``frame``, ``model_spec``.
    """

    data: Any
    endog: Any
    endog_names: Any
    exog_names: Any
    inputs: ModelInputs
    design: MixedDesign
    family: Any
    conditional_family: ConditionalFamily
    random_terms: tuple[RandomTerm, ...]
    freq_weights: Array
    n_trials: Array
    offset: Array
    non_negative: np.ndarray
    facts: Any
    k_constant: int
    nobs: float
    df_resid: float
    formula: str

    @property
    def kept_inputs(self) -> Any:
        """Rows of the model (`ModelInputs`), kept where they are."""

    def map_partitions(self, results: Any, function: Any, to: Any = None) -> list[Any]:
        """See `MixedGLMResults.map_partitions`."""

    def clone_with(self, endog: Any) -> Any:
        """Return the model with another response."""

    def simulated(self, params: Array, seed: np.random.SeedSequence) -> Any:
        """Return the model of unit weights with responses that were simulated from it."""

    def null_model(self) -> Any:
        """Return the model with an intercept for all fixed effects."""

    def with_family(self, family: ConditionalFamily) -> Any:
        """Return the model of another family, with or without a zero part of one probability."""

    def with_fixed(self, columns: Any) -> Any:
        """Return the model with some of the columns of the fixed effects."""

    def refuse_options(self, call: Any, method: str, options: Any) -> None:
        """Refuse arguments that neither a call has nor the fit that it hands them on to."""

    def update(
        self, formula: str = ". ~ .", *, data: Any = None, subset: Any = None, eval_env: Any = 0
    ) -> Any:
        """Return the model with another formula, or of other data."""

    def with_rows(self, rows: np.ndarray, columns: Any) -> Any:
        """Return the model on rows of its data taken in any number, some of whose columns are others."""

    def with_unit_weights(self) -> Any:
        """Return the model with as many rows as the frequency weights add up to."""


def described(model: MixedModel) -> str:
    """Say in one line what a model is, whether it was made by a formula or from arrays."""
    facts = model.facts
    effects = [*model.data.fe_names, *(f"(1 | {term.name})" for term in facts.terms)]
    formula = getattr(model, "full_formula", None) or f"{model.endog_names} ~ {' + '.join(effects)}"
    return f"{cut(formula)}, {facts.family} ({facts.link}), {facts.n_rows} rows"
