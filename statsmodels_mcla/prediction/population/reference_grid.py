"""Reference grids: all combinations of the levels of factors, with numbers held at their mean (Lenth's emmeans)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from statsmodels_mcla.formula import names_in
from statsmodels_mcla.numerics import Array
from statsmodels_mcla.prediction.estimable import estimable
from statsmodels_mcla.prediction.linear_predictors import LinearRows
from statsmodels_mcla.prediction.population.covariates import CovariateRows

WEIGHTS = ("equal", "proportional", "outer", "cells")
FEW = 2  # values of a number that is averaged over like a factor, as in emmeans


@dataclass(frozen=True)
class ReferenceGrid:
    """Cells of a grid of covariates.

    Attributes
    ----------
    source : CovariateRows
    values : dict
        Values of each covariate that the cells combine.
    cells : DataFrame (K, .)
        Data of the cells, the first covariate running fastest.
    counts : ndarray, an axis a covariate
        Rows of the model (by their frequency weights) in each cell, numbers at their mean left out of account.
    offset : float
    chosen : frozenset of str
        Covariates whose values were asked for.
    """

    source: CovariateRows
    values: Mapping[str, list[Any]]
    cells: pd.DataFrame
    counts: Array
    offset: float
    chosen: frozenset[str] = frozenset()

    @classmethod
    def of(cls, source: CovariateRows, at: Mapping[str, Any] | None, offset: float | None) -> ReferenceGrid:
        """Grid of the levels of factors and the means of numbers, or of the values asked for.

        Parameters
        ----------
        source : CovariateRows
        at : dict, optional
            Values of covariates.
        offset : float, optional
            Of the linear predictor; by default the mean over the rows.

        Raises
        ------
        ValueError
            If there is no such covariate or level.
        """
        given = {source.named(name, "at").name: values for name, values in (at or {}).items()}
        weights, values = source.weights, {}
        counted = np.zeros((len(source.frame), len(source.covariates)), int)
        for k, (name, covariate) in enumerate(source.covariates.items()):
            column = source.frame[name]
            few = sorted(column.unique()) if column.nunique() <= FEW else None
            default = covariate.levels or few or [float(np.average(column.to_numpy(float), weights=weights))]
            chosen = given.get(name, default)
            chosen = list(chosen) if np.ndim(chosen) or isinstance(chosen, (list, tuple)) else [chosen]
            unknown = set(chosen) - set(covariate.levels or chosen)
            if unknown or not chosen:
                raise ValueError(
                    f"at: {name!r} has no level {', '.join(map(repr, sorted(unknown, key=str)))}; its levels are "
                    f"{list(covariate.levels or ())}"
                )
            values[name] = chosen
            if len(chosen) > 1 or covariate.levels is not None:
                place = {value: j for j, value in enumerate(chosen)}
                counted[:, k] = [place.get(value, -1) for value in column]
        shape = tuple(len(v) for v in values.values())
        counts, inside = np.zeros(shape), (counted >= 0).all(axis=1)
        np.add.at(counts, tuple(counted[inside].T), weights[inside])
        frame = _template(source).iloc[np.zeros(counts.size, int)].reset_index(drop=True)
        combined = list(product(*list(values.values())[::-1]))
        for k, name in enumerate(values):
            frame[name] = [combination[::-1][k] for combination in combined]
        mean = float(np.average(source.offset, weights=weights))
        held = mean if offset is None else float(offset)
        return cls(source, values, frame, counts, held, frozenset(given))

    def rows(self) -> LinearRows:
        """Design rows of the cells (K,)."""
        return self.source.rows(self.cells, np.full(len(self.cells), self.offset))

    def slopes(self, name: str) -> LinearRows:
        """Derivatives of the design rows of the cells in a number."""
        frames, weights = self.source.derivative(name, self.cells)
        found = self.source.rows(pd.concat(frames, ignore_index=True), np.zeros(weights.size))
        X = np.einsum("kn,knp->np", weights, found.X.reshape(*weights.shape, -1))
        return self.source.without_effects(X, np.zeros(len(X)), np.zeros((len(X), found.prior.shape[1])))

    def averages(self, factors: Sequence[str], weights: str) -> Array:
        """Weights (k, K) of the cells in averages for each combination of factors, the first running fastest."""
        names = list(self.values)
        own = [names.index(name) for name in factors]
        others = tuple(k for k in range(len(names)) if k not in own)
        mass = _masses(self.counts, own)[weights]
        with np.errstate(invalid="ignore", divide="ignore"):  # cells without rows
            share = mass / mass.sum(axis=others, keepdims=True)
        index = np.indices(self.counts.shape).reshape(len(names), -1, order="F")
        sizes = tuple(self.counts.shape[k] for k in own)
        row = (
            np.ravel_multi_index([index[k] for k in own], sizes, order="F")
            if own
            else np.zeros(index.shape[1], int)
        )
        out = np.zeros((int(np.prod(sizes)), index.shape[1]))
        out[row, np.arange(index.shape[1])] = share.ravel(order="F")
        return out

    def levels(self, factors: Sequence[str]) -> pd.DataFrame:
        """Combinations of factors, in the order of `averages`."""
        combined = list(product(*[self.values[name] for name in factors][::-1]))
        return pd.DataFrame([c[::-1] for c in combined], columns=list(factors))

    def notes(
        self, factors: Sequence[str], trend: str | None, *, response: bool, chances: bool, known: np.ndarray
    ) -> tuple[str, ...]:
        """What a table of means has to say: what it averages over, what is held where, what cannot be told."""
        covariates = self.source.covariates
        shown = {*factors, *([trend] if trend else [])}
        others = {name for name, values in self.values.items() if name not in shown and len(values) > 1}
        held = [n for n, v in self.values.items() if n not in shown and len(v) == 1]
        out = []
        averaged = [n for n in covariates if n in others]
        if averaged:
            out.append(f"Averages over {', '.join(averaged)}.")
        if held:
            out.append("At " + ", ".join(f"{n} = {_readable(self.values[n][0])}" for n in held) + ".")
        away = others | (set(held) - self.chosen)  # what interactions make averages of
        mixed = [
            term
            for term in _interactions(self.source)
            if set(term) & ({trend} if trend else shown) and set(term) & away
        ]
        if mixed:
            terms = ", ".join(":".join(term) for term in mixed)
            names = ", ".join(n for n in covariates if n in away & set().union(*mixed))
            out.append(
                f"The model has the interaction {terms}: what is shown may hold for no value of {names}; add it to "
                "the factors, or to by=."
            )
        if self.offset != 0.0 and trend is None:
            out.append(f"At an offset of {self.offset:.4g}.")
        link = self.source.model.conditional_family.link_function
        if response and link.name != "identity":
            out.append(f"Averages and intervals are made on the {link.name} scale, and then transformed.")
        if trend is None and (chances or link.name != "identity"):
            effects = (
                "averages over the random effects"
                if self.source.random == "marginal"
                else "random effects zero"
            )
            out.append(f"{'Probabilities' if chances else 'Linear predictors'}: {effects}.")
        if trend is None and not chances and not self.source.model.conditional_family.intercept:
            out.append("Linear predictors without the thresholds: only their differences have a meaning.")
        if not known.all():
            out.append("NaN: not estimable, as cells without rows take part.")
        return tuple(out)

    def estimable(self, weights: Array, *, chances: bool = False) -> np.ndarray:
        """Whether averages (k, K) of the cells depend on nothing that the data do not tell, (k,) bool.

        Probabilities of categories depend on the designs of all predictors.
        """
        if self.source.prior is not None:
            return np.ones(len(weights), bool)
        return estimable(self.source.model, self.cells, weights, every=chances)


def _masses(counts: Array, own: Sequence[int]) -> dict[str, Array]:
    """Masses of the cells, which averages over the axes other than ``own`` have their weights from."""
    axes = range(counts.ndim)
    margins = [counts.sum(axis=tuple(j for j in axes if j != k), keepdims=True) for k in axes if k not in own]
    outer = np.ones_like(counts)
    for margin in margins:
        outer = outer * margin
    return {
        "equal": np.ones_like(counts),
        "cells": counts,
        "proportional": np.ones_like(counts) * counts.sum(axis=tuple(own), keepdims=True),
        "outer": outer,
    }


def _interactions(source: CovariateRows) -> list[list[str]]:
    """Covariates of each term of the formula that has more than one."""
    info = getattr(source.model.data, "model_spec", None)
    out = []
    for term in [] if info is None else info.terms:
        names = [n for f in term.factors for n in sorted(names_in(f.code)) if n in source.covariates]
        out.append(list(dict.fromkeys(names)))
    return [names for names in out if len(names) > 1]


def _readable(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, (int, float)) else str(value)


def _template(source: CovariateRows) -> pd.DataFrame:
    """One row with all columns that the model reads: numbers that only random effects depend on at their mean."""
    row = source.frame.iloc[[0]].copy()
    for name in set(getattr(source.model.data, "used", ())) & set(source.frame.columns) - set(
        source.covariates
    ):
        if source.frame[name].dtype.kind in "iuf":
            row[name] = float(np.average(source.frame[name].to_numpy(float), weights=source.weights))
    return row
