"""Which curves to draw: from what `PlotResults.plot_fit` is asked for to predictions along them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from statsmodels_mcla.data import MixedModel
from statsmodels_mcla.formula import names_in
from statsmodels_mcla.plots.curves import MANY, Curve, Points
from statsmodels_mcla.plots.grids import (
    category_label,
    group_rows,
    observed_averages,
    population_rows,
    typical_row,
)
from statsmodels_mcla.plots.style import CYCLE, shortened

OTHERS = {
    "zprob": "probability of the zero part",
    "oneprob": "probability of one, if not zero",
    "conditional": "mean beside the zero part",
}
MOST = {"by": len(CYCLE), "panels": 30}  # categories that can be told apart
POPULATION = {"marginal": "population average", "none": "random effects zero"}


def _is_number(column: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)


def _group_of(groups: str | Mapping[str, Sequence[Any]] | None) -> tuple[str | None, list[Any] | None]:
    """Grouping column, and the levels that were asked for."""
    if groups is None or isinstance(groups, str):
        return groups, None
    if len(groups) != 1:
        raise ValueError(
            f"groups must name one column, or be a dict of one column and levels; got {groups!r}"
        )
    ((group, levels),) = groups.items()
    return group, list(levels)


def _check_columns(frame: pd.DataFrame, wanted: Mapping[str, Sequence[str | None]]) -> None:
    """Refuse columns that are not there."""
    for argument, columns in wanted.items():
        for column in columns:
            if column is not None and column not in frame.columns:
                raise ValueError(
                    f"{argument}: the data have no column {column!r}; they have {list(frame.columns)}"
                )
            if column is not None and argument in MOST and frame[column].nunique() > MOST[argument]:
                raise ValueError(
                    f"{argument}: {column!r} has {frame[column].nunique()} values, and more than {MOST[argument]} "
                    f"cannot be told apart; cut it into categories (pd.cut), hold it (at={{{column!r}: value}}), or "
                    f"draw groups={column!r} where it groups the rows"
                )


def row_columns_of(model: MixedModel) -> dict[str, str | None]:
    """Columns that offset and exposure of a model come from, None for arrays, if they were given."""
    call: Any = getattr(model.data, "call", None)
    return {} if call is None else dict(call.row_columns)


@dataclass(frozen=True)
class CurveRequest:
    """Curves over a covariate, checked against a model.

    Attributes
    ----------
    model : MCLAMixedGLM
    frame : DataFrame
        Complete columns of its data.
    x, by, at, which
        As in `PlotResults.plot_fit`; ``at`` with an exposure of 1 and an offset of 0.
    group : str or None
    levels : list
        Grouping column, and its levels that get a curve.
    random : tuple of str
    """

    model: MixedModel
    frame: pd.DataFrame
    x: str
    by: str | None
    at: Mapping[str, Any]
    group: str | None
    levels: list[Any]
    which: str
    random: tuple[str, ...]

    @classmethod
    def of(
        cls,
        model: MixedModel,
        x: str,
        by: str | None,
        at: Mapping[str, Any] | None,
        groups: str | Mapping[str, Sequence[Any]] | None,
        which: str,
        random: str | Sequence[str],
    ) -> CurveRequest:
        """Check what was asked for.

        Raises
        ------
        ValueError
            If something is not there; the message names it.
        """
        frame = getattr(model.data, "frame", None)
        if frame is None:
            raise ValueError("plot_fit varies a column of the data, so the model must be made from a formula")
        frame = frame.loc[:, frame.notna().all()]
        columns = row_columns_of(model)
        neutral = {
            c: float(n == "exposure") for n, c in columns.items() if c is not None and c in frame and c != x
        }
        asked = list(at or {})
        at = neutral | dict(at or {})
        kinds = (random,) if isinstance(random, str) else tuple(random)
        group, levels = _group_of(groups)
        _check_columns(frame, {"x": [x], "by": [by], "groups": [group], "at": asked})
        if any(kind not in POPULATION for kind in kinds):
            raise ValueError(f"random must be 'marginal', 'none' or a sequence of them, got {random!r}")
        if not kinds and group is None:
            raise ValueError("random is empty and groups is missing, so there is no curve to draw")
        if which == "linear" and kinds:
            kinds = ("none",)  # whose averages over random effects are the same
        if group is not None and levels is None:
            levels = list(frame[group].unique())
        return cls(model, frame, x, by, at, group, levels or [], which, kinds)

    @property
    def categorical(self) -> bool:
        """Whether the covariate names categories: by its type, or because the formula treats it so."""
        column = self.frame[self.x]
        numeric = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
        spec = getattr(self.model.data, "model_spec", None)
        factors = {} if spec is None else spec.factor_infos
        coded = any(f.type == "categorical" and self.x in names_in(k.code) for k, f in factors.items())
        return coded or not numeric

    @property
    def ylabel(self) -> str:
        """What the vertical axis shows."""
        if self.which == "linear":
            return f"linear predictor ({self.model.conditional_family.link})"
        if self.which != "mean":
            return OTHERS.get(self.which, self.which.replace("prob: ", "probability of "))
        name = shortened(self.model.endog_names.split(", ")[0], 44)
        per = " per trial" if np.any(self.model.n_trials > 1) else ""
        exposure = self._row_columns.get("exposure", "")
        if exposure is None or (exposure and self.at.get(exposure) == 1.0):
            per = f" per unit of {exposure or 'exposure'}"
        return f"mean of {name}{per}"

    @property
    def _row_columns(self) -> dict[str, str | None]:
        return row_columns_of(self.model)

    @property
    def legend(self) -> str:
        """What all curves have in common, after the variable that tells them apart."""
        return self._common if self.by is None else f"{self.by}: {self._common or 'estimate'}"

    @property
    def _common(self) -> str:
        if len(self.random) != 1 or self.group is not None:
            return ""
        return "linear predictor" if self.which == "linear" else POPULATION[self.random[0]]

    @property
    def held(self) -> dict[str, Any]:
        """Values that other covariates of the fixed effects are held at, by column."""
        row = typical_row(self.frame, self.at)
        spec = getattr(self.model.data, "model_spec", None)
        named: set[str] = set()
        for factor in {} if spec is None else spec.factor_infos:
            named |= names_in(factor.code)
        named |= {c for c in self._row_columns.values() if c is not None}
        return {c: row[c] for c in self.frame.columns if c in named and c not in (self.x, self.by)}

    @property
    def note(self) -> str:
        """What is held where."""
        return self.note_without(None)

    def note_without(self, column: str | None) -> str:
        """What is held where, but for one column."""
        held = {c: v for c, v in self.held.items() if c != column}
        shown = [f"{c} = {v:.3g}" if isinstance(v, float) else f"{c} = {v}" for c, v in held.items()]
        return "" if not shown or not self.random else "at " + ", ".join(shown)

    def categories_of(self, column: str) -> list[Any]:
        """Categories of a column, for panels."""
        _check_columns(self.frame, {"panels": [column]})
        return [value for value, _ in population_rows(self.frame, self.x, column, self.at, self.categorical)]

    def curves(self, get_prediction: Callable[..., Any], alpha: float) -> list[Curve]:
        """Predict along each curve."""
        many = self.by is None and len(self.levels) > MANY
        out = [
            self._curve(get_prediction, rows, label, random, alpha, colour + many, self.random.index(random))
            for random in self.random
            for colour, (label, rows) in enumerate(self._population(random))
        ]
        if self.group is None:
            return out
        known = [] if self.by is None else self._categories()
        parts = group_rows(self.frame, self.x, self.group, self.levels, self.at, self.categorical)
        for k, (level, rows) in enumerate(parts):
            own = known.index(rows[self.by].iloc[0]) if known else k + bool(out)
            colour = 0 if many else own
            category = category_label(self.by, rows[self.by].iloc[0]) if known else ""
            found = self._curve(
                get_prediction, rows, f"{self.group} {level}", "conditional", alpha, colour, 0
            )
            out.append(replace(found, of_group=True, category=category))
        return out

    def _categories(self) -> list[Any]:
        return [value for value, _ in population_rows(self.frame, self.x, self.by, self.at, self.categorical)]

    def _population(self, random: str) -> list[tuple[str, pd.DataFrame]]:
        parts = population_rows(self.frame, self.x, self.by, self.at, self.categorical)
        kind = "" if self._common and self.by is not None else POPULATION[random]
        return [
            (", ".join(s for s in ("" if v is None else category_label(self.by, v), kind) if s), rows)
            for v, rows in parts
        ]

    def _curve(
        self,
        get_prediction: Callable[..., Any],
        rows: pd.DataFrame,
        label: str,
        random: str,
        alpha: float,
        colour: int,
        dash: int,
    ) -> Curve:
        found = get_prediction(rows, which=self.which, random=random)
        lower, upper = found.conf_int(alpha).T
        x = rows[self.x].to_numpy(str if self.categorical else float)
        return Curve(label, x, found.predicted_mean, lower, upper, colour, dash)

    def observed(self) -> list[Points]:
        """Averages of the response over the rows that the curves are for, where they compare with these.

        Rows have the categories that other covariates are held at; where numbers that are held differ between these
        rows, there is nothing to compare.  Exposures are divided by.
        """
        model, exposure = self.model, self._row_columns.get("exposure", "")
        rates = exposure is None or self.at.get(exposure) == 1.0
        if self.which != "mean" or not self.random or (np.any(model.offset != 0.0) and not rates):
            return []
        rows = np.ones(len(self.frame), dtype=bool)
        held = {c: v for c, v in self.held.items() if c != exposure}
        for column, value in held.items():
            if not _is_number(self.frame[column]):
                rows &= (self.frame[column] == value).to_numpy()
        if not rows.any() or any((self.frame.loc[rows, c] != v).any() for c, v in held.items()):
            return []
        size = np.exp(model.offset) if rates else np.ones(len(rows))
        y = model.endog / np.maximum(model.n_trials, 1.0) / size
        weights = model.n_trials * model.freq_weights * size
        by = None if self.by is None else self.frame.loc[rows, self.by]
        found = observed_averages(self.frame.loc[rows, self.x], y[rows], weights[rows], by, self.categorical)
        if not self.categorical:
            return found
        return [Points(p.label, p.x.astype(str), p.y, p.count, p.colour) for p in found]
