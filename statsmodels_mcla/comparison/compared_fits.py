"""Fits that are compared: of this package, or GLMs of statsmodels, which have no random effects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import pandas as pd
from statsmodels.genmod.generalized_linear_model import GLM

from statsmodels_mcla.comparison.nesting import Nesting
from statsmodels_mcla.data import MixedModel, ModelInputs, effect_rows, inputs_of
from statsmodels_mcla.design import MixedDesign, RandomTerm
from statsmodels_mcla.estimation import Estimates
from statsmodels_mcla.estimation.boundary import Reduction
from statsmodels_mcla.estimation.constrained import LaplaceObjective, ObjectiveMaximum, Submodel, maximise
from statsmodels_mcla.families import AsPredictors, ConditionalFamily, conditional_family
from statsmodels_mcla.numerics import Array

ROWS = {
    "endog": "response",
    "n_trials": "numbers of trials",
    "offset": "offset",
    "freq_weights": "freq_weights",
    "var_weights": "var_weights",
}


class NestedFit(Protocol):
    """A fit as a comparison needs it."""

    @property
    def exog(self) -> Array:
        """Fixed-effects design (n, p)."""

    @property
    def terms(self) -> Sequence[RandomTerm]:
        """Random effects."""

    @property
    def family(self) -> ConditionalFamily:
        """Family and link."""

    @property
    def params(self) -> Array:
        """Estimates."""

    @property
    def approximation(self) -> str | None:
        """Whose likelihood it maximised; None where that is exact."""

    @property
    def size(self) -> int:
        """Number of parameters."""

    def llf(self) -> float:
        """Largest log-likelihood."""

    def row_arrays(self) -> dict[str, Array]:
        """Response, trials, offset and weights of the rows."""

    def effects(self) -> tuple[Array, tuple[RandomTerm, ...]]:
        """Fixed-effects design and random terms, a row a direction of the family's linear predictors."""

    def maximum_within(self, other: MixedFit, nesting: Nesting) -> Array:
        """Maximum-likelihood estimates, parameters of this model, given rows of a larger one."""

    def within(self, family: ConditionalFamily) -> NestedFit:
        """Return the same fit as one of a family that is this one but for linear predictors of its parameters."""


class MixedFit:
    """A fit of this package."""

    def __init__(self, model: MixedModel, estimates: Estimates) -> None:
        self.model, self.estimates, self.inputs = model, estimates, inputs_of(model)
        self.exog: Array = np.asarray(self.inputs.exog, float)
        self.terms, self.design, self.family = self.inputs.terms, model.design, model.conditional_family
        self.params = estimates.params
        self.approximation: str | None = "MCLA" if estimates.drawn else "Laplace"
        self.size = len(self.params)
        self.llf_mcse = estimates.llf_mcse

    def effects(self) -> tuple[Array, tuple[RandomTerm, ...]]:
        """See `NestedFit`."""
        return effect_rows(self.inputs, self.family)

    @cached_property
    def maximum(self) -> ObjectiveMaximum:
        """The likelihood at its maximum."""
        return ObjectiveMaximum.of(self.estimates, self.design)

    def llf(self) -> float:
        """See `NestedFit`."""
        return self.estimates.llf

    def row_arrays(self) -> dict[str, Array]:
        """See `NestedFit`."""
        return {name: np.asarray(getattr(self.inputs, name), float) for name in ROWS}

    def maximum_within(self, other: MixedFit, nesting: Nesting) -> Array:
        """See `NestedFit`."""
        return self.params

    def unit_inputs(self) -> ModelInputs:
        """Rows of unit weight, which responses can be simulated for."""
        return self.unit_rows()[0]

    @property
    def simulates(self) -> bool:
        """Whether responses can be simulated: frequency weights are whole numbers."""
        weights = self.inputs.freq_weights
        return bool(np.all(weights == np.floor(weights)))

    def unit_rows(self) -> tuple[ModelInputs, np.ndarray]:
        """Rows of unit weight, and which row of the model each is."""
        inputs: ModelInputs = self.model.with_unit_weights().inputs
        return inputs, np.repeat(np.arange(len(self.exog)), _counts(self.inputs.freq_weights))

    def within(self, family: ConditionalFamily) -> NestedFit:
        """Return the same fit as one of a family in which some of its parameters have a linear predictor, if so it is.

        Raises
        ------
        ValueError
            If one of them is where no predictor leads.
        """
        found = family.parameters_of(self.family)
        return self if found is None else _Widened(self, family, found)


class _Widened:
    """A fit whose parameters are intercepts of linear predictors of another family."""

    def __init__(self, fit: MixedFit, family: ConditionalFamily, found: AsPredictors) -> None:
        k, layout = len(found.numbers), fit.design.layout
        psi = fit.params[layout.family]
        with np.errstate(divide="ignore"):
            intercepts = found.link.eta(psi[:k])
        if not np.isfinite(intercepts).all():
            raise ValueError(
                f"restricted has {', '.join(fit.family.parameters[:k])} of zero, which no effects in full reach: "
                "compare full with the family without it"
            )
        ones = pd.DataFrame(1.0, fit.inputs.exog.index, [family.predictors[n] for n in found.numbers])
        self.inputs = replace(
            fit.inputs,
            exog=pd.concat([fit.inputs.exog, ones], axis=1),
            of_column=np.concatenate([fit.inputs.predictor_of_column, found.numbers]),
        )
        self.family, self.fit = family, fit
        self.exog: Array = np.asarray(self.inputs.exog, float)
        self.params: Array = np.concatenate(
            [fit.params[layout.fixed], intercepts, fit.params[layout.covariance], psi[k:]]
        )
        self.terms, self.size, self.approximation = fit.terms, fit.size, fit.approximation
        self.llf, self.row_arrays = fit.llf, fit.row_arrays

    def effects(self) -> tuple[Array, tuple[RandomTerm, ...]]:
        """See `NestedFit`."""
        return effect_rows(self.inputs, self.family)

    def maximum_within(self, other: MixedFit, nesting: Nesting) -> Array:
        """See `NestedFit`."""
        return self.params

    def within(self, family: ConditionalFamily) -> NestedFit:
        """See `NestedFit`."""
        return self


def _counts(freq_weights: Array) -> np.ndarray:
    return np.ones(len(freq_weights), int) if np.all(freq_weights == 1.0) else freq_weights.astype(int)


class GLMFit:
    """A fit of statsmodels' GLM."""

    terms: tuple[RandomTerm, ...] = ()
    approximation: str | None = None

    def __init__(self, results: Any) -> None:
        model = results.model
        self.model, self.results = model, results
        self.exog: Array = np.asarray(model.exog, float)
        self.family = conditional_family(model.family)
        self.params: Array = np.asarray(results.params, float)
        self.size = len(self.params) + int(self.family.dispersion is not None)

    def effects(self) -> tuple[Array, tuple[RandomTerm, ...]]:
        """See `NestedFit`."""
        return self.exog, ()

    def llf(self) -> float:
        """See `NestedFit`; the dispersion, if there is one, is at its maximum too."""
        if self.family.dispersion is None:
            return float(self.results.llf)
        rows: dict[str, Any] = {**self.row_arrays()}
        endog = pd.Series(rows.pop("endog"))
        inputs = ModelInputs(endog=endog, exog=pd.DataFrame(self.exog), terms=(), **rows)
        return self._maximise(inputs.design(self.family))[0]

    def row_arrays(self) -> dict[str, Array]:
        """See `NestedFit`; binomial responses as successes."""
        model = self.model
        n = len(model.endog)

        def of_rows(name: str, default: float) -> Array:
            value = getattr(model, name, None)
            return np.broadcast_to(default if value is None else np.asarray(value, float), n)

        trials = of_rows("n_trials", 1.0)
        return {
            "endog": np.asarray(model.endog, float) * trials,
            "n_trials": trials,
            "offset": of_rows("_offset_exposure", 0.0),
            "freq_weights": of_rows("freq_weights", 1.0),
            "var_weights": of_rows("var_weights", 1.0),
        }

    def maximum_within(self, other: MixedFit, nesting: Nesting) -> Array:
        """See `NestedFit`; statsmodels estimates a scale by moments, or takes alpha as given."""
        design = other.design
        if not design.n_family:
            return self.params
        p = self.exog.shape[1]
        fixed = design.layout.fixed
        X, offset = design.X @ nesting.embedding[fixed, :p], design.offset + design.X @ nesting.origin[fixed]
        return self._maximise(replace(design, X=X, offset=offset, terms=(), reduced=None))[1]

    def within(self, family: ConditionalFamily) -> NestedFit:
        """See `NestedFit`."""
        return self

    def _maximise(self, own: MixedDesign) -> tuple[float, Array]:
        P = own.n_params
        objective = LaplaceObjective(Submodel(own, np.ones(P, bool), Reduction.of(own)))
        start = np.append(self.params, getattr(self.model.family, "alpha", self.results.scale))
        found = maximise(objective, objective.locate(start))
        return found.value, objective.natural(found.x)


def fit_of(results: Any, name: str) -> NestedFit:
    """Return the fit that results are of.

    Raises
    ------
    ValueError
        If they are of another kind of model.
    """
    results = getattr(results, "_results", results)
    free = getattr(results, "results_constrained", None)  # linear constraints are a design of fewer columns
    results = results if free is None else getattr(free, "_results", free)
    model: Any = getattr(results, "model", None)
    if hasattr(model, "conditional_family"):
        return MixedFit(model, results.estimates)
    if isinstance(model, GLM):
        return GLMFit(results)
    what = "no fit" if model is None else f"a fit of {type(model).__name__}"
    raise ValueError(
        f"{name} is {what}, which cannot be compared: it must be a fit of MCLAMixedGLM, or of "
        "statsmodels' GLM with the same family (for logit, GLM with Binomial()) if it has no random effects"
    )


def mixed_fit_of(results: Any, name: str) -> MixedFit:
    """Return the fit that results of this package are of.

    Raises
    ------
    ValueError
        If they are of another kind of model.
    """
    fit = fit_of(results, name)
    if isinstance(fit, MixedFit):
        return fit
    raise ValueError(
        f"{name} is a fit of statsmodels' GLM: only the smallest of the models compared may be one"
    )


def known_effects(full: MixedFit, restricted: NestedFit) -> Array:
    """Fixed effects (p,) of the full model that the restricted one has as an offset, at these values.

    Raises
    ------
    ValueError
        If its offset is another one, and no linear combination of the columns of the full model.
    """
    ours = full.row_arrays()["offset"]
    gap = restricted.row_arrays()["offset"] - ours
    out = np.zeros(full.design.n_fixed)
    if np.allclose(gap, 0.0, atol=1e-9 * max(1.0, np.abs(ours).max(initial=0.0))):
        return out
    of_mean = full.inputs.predictor_of_column == 0
    X = full.exog[:, of_mean]
    out[of_mean] = np.linalg.lstsq(X, gap, rcond=None)[0]
    if not np.allclose(X @ out[of_mean], gap, rtol=1e-9, atol=1e-9 * np.abs(gap).max()):
        raise ValueError(
            "restricted has another offset, which no fixed effects of the full model give: fit both models to the same "
            "data, and compare fits under constraints of which one has all those of the other"
        )
    return out


def check_same_data(full: NestedFit, restricted: NestedFit) -> None:
    """Refuse fits whose likelihoods are not comparable.

    Raises
    ------
    ValueError
        The message says why.
    """
    if restricted.family != full.family and not full.family.has_at_boundary(restricted.family):
        between = [f for f in full.family.at_boundary() if f.has_at_boundary(restricted.family)]
        raise ValueError(
            f"restricted has another family or link, {restricted.family.name} with link {restricted.family.link}, "
            f"which is not {full.family.name} with one parameter at the end of its range"
            + "".join(
                f"; with two there, compare step by step: {restricted.family.name} in {f.name}, and that in "
                f"{full.family.name}"
                for f in between[:1]
            )
        )
    if restricted.approximation not in (None, full.approximation):
        raise ValueError(
            "restricted was fitted by another method: compare Laplace with Laplace, MCLA with MCLA"
        )
    mine, its = full.row_arrays(), restricted.row_arrays()
    if len(mine["endog"]) != len(its["endog"]):
        raise ValueError(
            f"restricted was fitted to other rows, {len(its['endog'])} and not the {len(mine['endog'])} here: fit both "
            "models to the same data"
        )
    for name, what in ROWS.items():
        if name != "offset" and not np.allclose(mine[name], its[name], rtol=1e-9, atol=1e-9):
            raise ValueError(
                f"restricted was fitted to other rows, or has other {what}: fit both models to the same data"
            )
