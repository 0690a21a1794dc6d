"""Columns of the data that the fixed effects depend on, and design rows where they have been changed.

Effects and means of a column follow it through the formula: the design is built again on changed data, interactions,
splines and random slopes included.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from statsmodels_mcla.data import MixedModel
from statsmodels_mcla.estimation import Fitted
from statsmodels_mcla.families import Surface
from statsmodels_mcla.formula import names_in
from statsmodels_mcla.numerics import Array
from statsmodels_mcla.prediction.estimable import estimable
from statsmodels_mcla.prediction.linear_predictors import JointRows, LinearRows, prior_basis
from statsmodels_mcla.prediction.new_rows import design_info_of, fixed_rows, prediction_rows

STEP = 1e-3  # between the nodes of derivatives, in standard deviations of the column
NODES = np.arange(-2.0, 3.0)


@dataclass(frozen=True)
class Covariate:
    """A column that the fixed effects depend on.

    Attributes
    ----------
    name : str
    levels : tuple or None
        Of a factor, in the formula's order; None for numbers.
    codes : frozenset of str
        Expressions of the formula that are the column and nothing else, such as ``C(period)``.
    base : object
        Level of a factor that the others are compared with: the one without columns of its own, or the first.
    """

    name: str
    levels: tuple[Any, ...] | None
    codes: frozenset[str]
    base: Any = None


@dataclass(frozen=True)
class CovariateRows:
    """Rows of a model with their covariates, whose values can be changed.

    Attributes
    ----------
    model : MixedModel
    fitted : Fitted
    random : {"none", "marginal"}
    covariates : dict
        By the name of the column.
    frame : DataFrame (N, .)
        Columns of the data, or of ``exog`` where the model was not made by a formula.
    offset : ndarray (N,)
    prior : ndarray (N, size) or None
        Variance of the random effects, as in `LinearRows`, where no formula says how it follows the covariates.
    """

    model: MixedModel
    fitted: Fitted
    random: str
    covariates: Mapping[str, Covariate]
    frame: pd.DataFrame
    offset: Array
    prior: Array | None

    @classmethod
    def of(cls, model: MixedModel, fitted: Fitted, random: str) -> CovariateRows:
        """Rows of a model, for random effects of zero or for the average over them.

        Raises
        ------
        ValueError
            If random is none of these, or the average needs random slopes that no formula tells.
        """
        if random not in ("none", "marginal"):
            raise ValueError(f"random must be 'none' or 'marginal', got {random!r}")
        offset = np.asarray(model.inputs.offset, float)
        if hasattr(model, "formula"):
            frame = model.data.frame
            known: dict[str, Covariate] = {}
            for info in (
                design_info_of(model),
                *(part for _, part in getattr(model.data, "parts", {}).values()),
            ):
                known = covariates_of(info, frame) | known
            return cls(model, fitted, random, known, frame, offset, None)
        if len(model.conditional_family.predictors) > 1:
            raise ValueError(
                "arrays do not tell how several linear predictors follow one covariate: make the model by a formula"
            )
        frame = pd.DataFrame(model.inputs.exog)
        covariates = {str(name): Covariate(str(name), None, frozenset([str(name)])) for name in frame.columns}
        prior = np.zeros((len(frame), fitted.reduction.layout.n_covariance))
        if random == "marginal":
            varying = {name for name in covariates if np.ptp(frame[name].to_numpy(float)) > 0}
            moving = {c for t in model.random_terms for c in t.columns if c != t.name} & varying
            if moving:
                raise ValueError(
                    f"random='marginal': the random slopes of {', '.join(sorted(moving))} move with their covariates, "
                    "which arrays do not tell: make the model by a formula, or use random='none'"
                )
            prior = prior_basis(fitted.reduction, sp.csr_array(sp.hstack([t.Z for t in model.random_terms])))
        return cls(model, fitted, random, covariates, frame, offset, prior)

    def of_first_predictor(self) -> CovariateRows:
        """Return these without covariates that only further linear predictors depend on."""
        return replace(self, covariates=covariates_of(design_info_of(self.model), self.frame))

    @property
    def weights(self) -> Array:
        """Frequency weights of the rows."""
        return np.asarray(self.model.inputs.freq_weights, float)

    def named(self, name: Any, argument: str) -> Covariate:
        """Covariate by its column, or by what the formula makes of it.

        Raises
        ------
        ValueError
            If there is none; the message lists those that there are.
        """
        for covariate in self.covariates.values():
            if name == covariate.name or name in covariate.codes:
                return covariate
        raise ValueError(
            f"{argument}: {name!r} is no column that the fixed effects depend on; these are: "
            f"{', '.join(self.covariates) or 'none'}"
        )

    def varying(self, chosen: str | Sequence[str] | None) -> list[str]:
        """Names of the covariates chosen, or of all that have more than one value.

        Raises
        ------
        ValueError
            If there is none.
        """
        if chosen is not None:
            return [
                self.named(name, "variables").name
                for name in ([chosen] if isinstance(chosen, str) else chosen)
            ]
        names = [name for name in self.covariates if len(self.frame[name].unique()) > 1]
        if not names:
            raise ValueError("there is no covariate that varies, and so no marginal effect")
        return names

    def joint_rows(self, frame: pd.DataFrame, offset: Array, which: str = "mean") -> JointRows | None:
        """Rows of all predictors that a prediction of changed data depends on; None if that is the first alone."""
        design = self.fitted.design
        curve = design.family.predictable(design.split(self.fitted.params)[2])[which].curve
        if not isinstance(curve, Surface):
            return None
        return JointRows.of(lambda numbers: self.rows(frame, offset, numbers), curve.predictors)

    def rows(self, frame: pd.DataFrame, offset: Array, predictors: tuple[int, ...] = (0,)) -> LinearRows:
        """Design rows of changed data (a whole number of copies of these rows where no formula reads them).

        Raises
        ------
        ValueError
            If the formula gives no number for some of them.
        """
        fixed = fixed_rows(self.model, frame, offset=offset, cells=True)
        if self.prior is not None:
            prior = np.tile(self.prior, (len(frame) // len(self.prior), 1))
            return self.without_effects(fixed.X, fixed.offset, prior)
        found = prediction_rows(self.model, self.fitted, fixed, self.random, predictors=predictors)
        if not found.complete.all():
            row = frame.iloc[int(np.flatnonzero(~found.complete)[0])]
            shown = ", ".join(f"{name} = {row[name]}" for name in self.covariates)
            raise ValueError(f"the formula gives no number where {shown}: choose other values")
        return found.rows

    def estimable(self, frame: pd.DataFrame) -> np.ndarray:
        """Whether the data tell the fixed part of changed data, (N,) bool."""
        return np.ones(len(frame), bool) if self.prior is not None else estimable(self.model, frame)

    def without_effects(self, X: Array, offset: Array, prior: Array) -> LinearRows:
        """Linear predictors of which no level of the random effects is known."""
        effects = sum(t.levels * t.whole.dim for t in self.fitted.reduction.terms)
        return LinearRows.of(self.fitted, X, offset, sp.csr_array((len(X), effects)), prior)

    def derivative(self, name: str, frame: pd.DataFrame) -> tuple[list[pd.DataFrame], Array]:
        """Data at the nodes of a derivative in a column of numbers, and the weights (5, N) of the nodes.

        The nodes stay within the values that occur, where splines and logarithms are defined.  Weights are those of
        the polynomial through the nodes.
        """
        known, x = self.frame[name].to_numpy(float), frame[name].to_numpy(float)
        h = STEP * float(np.std(known)) or STEP
        low, high = min(known.min(), x.min()), max(known.max(), x.max())
        nodes = np.clip(x, low + 2.0 * h, high - 2.0 * h) + h * NODES[:, None]
        powers = ((nodes - x) / h).T[:, None, :] ** np.arange(len(NODES))[:, None]
        wanted = np.zeros((len(x), len(NODES), 1))
        wanted[:, 1] = 1.0 / h
        weights = np.linalg.solve(powers, wanted)[..., 0]
        return [frame.assign(**{name: values}) for values in nodes], weights.T


def covariates_of(info: Any, frame: pd.DataFrame) -> dict[str, Covariate]:
    """Columns that a design depends on, by name in the order of the formula.

    Parameters
    ----------
    info : patsy.DesignInfo
    frame : DataFrame
        Data that it was learnt from.
    """
    whole: dict[str, list[Any]] = {}
    for factor in dict.fromkeys(f for term in info.terms for f in term.factors):
        own = _column_of(factor.code)
        for name in sorted(names_in(factor.code) & set(frame.columns), key=factor.code.find):
            whole.setdefault(name, []).extend([factor] if own == name else [])
    out = {}
    for name, factors in whole.items():
        coded = [f for f in factors if info.factor_infos[f].type == "categorical"]
        codes = frozenset(f.name() for f in factors)
        if coded:
            levels = tuple(info.factor_infos[coded[0]].categories)
            out[name] = Covariate(name, levels, codes, _base(info, coded[0], levels))
        elif frame[name].dtype.kind in "iuf":
            out[name] = Covariate(name, None, codes)
        else:
            levels = tuple(sorted(frame[name].unique()))
            out[name] = Covariate(name, levels, codes, levels[0])
    return out


def _column_of(code: str) -> str | None:
    """Name of the column that an expression is: ``x``, ``Q("x")``, ``C(x, ...)``; None for a function of columns."""
    node = ast.parse(code, mode="eval").body
    while isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("C", "Q"):
        node = node.args[0]
    if isinstance(node, ast.Name):
        return node.id
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _base(info: Any, factor: Any, levels: Sequence[Any]) -> Any:
    """Level whose row in a coding of the factor is zero; otherwise the first."""
    for subterms in info.term_codings.values():
        for subterm in subterms:
            coding = subterm.contrast_matrices.get(factor)
            if coding is not None:
                zero = np.flatnonzero(~np.asarray(coding.matrix).any(axis=1))
                if len(zero) == 1:
                    return levels[int(zero[0])]
    return levels[0]
