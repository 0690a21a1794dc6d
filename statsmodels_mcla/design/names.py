"""What the model and its random effects are called."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp

from statsmodels_mcla.design.mixed_design import MixedDesign
from statsmodels_mcla.design.random_terms import RandomTerm


class TermFacts(NamedTuple):
    """A random-effect term as the results remember it."""

    name: str
    columns: tuple[str, ...]
    levels: int

    @property
    def size(self) -> int:
        """Number of parameters."""
        d = len(self.columns)
        return d * (d + 1) // 2


class Facts(NamedTuple):
    """What a summary says of the model, kept when the data are removed."""

    family: str
    link: str
    n_rows: int
    n_blocks: int
    terms: tuple[TermFacts, ...]
    n_dropped: int = 0
    predictors: tuple[tuple[str, int], ...] = ()
    """Name and number of fixed effects of each linear predictor."""
    has_offset: bool = False


def facts_of(
    design: MixedDesign,
    used: np.ndarray,
    terms: Sequence[RandomTerm],
    n_dropped: int,
    of_column: np.ndarray,
) -> Facts:
    """Collect the facts of a model: rows and levels are those that the likelihood counts.

    Parameters
    ----------
    design : MixedDesign
    used : ndarray of bool (n,)
        Rows that count.
    terms : sequence of RandomTerm
        Of all rows.
    n_dropped : int
        Rows that were left out for missing values.
    of_column : ndarray of int (p,)
        Number of the linear predictor of each fixed effect.
    """
    rows = np.flatnonzero(used)
    sizes = tuple(
        TermFacts(t.name, t.columns, len(t.levels) if used.all() else _levels(t, t.Z[rows])) for t in terms
    )
    counts = np.bincount(of_column, minlength=len(design.family.predictors)).tolist()
    predictors = tuple(zip(design.family.predictors, counts, strict=True))
    return Facts(
        design.family.name,
        design.family.link,
        len(rows),
        design.n_blocks,
        sizes,
        n_dropped,
        predictors,
        bool(np.any(design.offset)),
    )


def _levels(term: RandomTerm, Z: sp.csr_array) -> int:
    """Number of levels that some row has an effect of."""
    return len(np.unique(Z.indices[Z.data != 0.0] // term.dim))


def covariance_names(terms: Sequence[RandomTerm]) -> list[str]:
    """Names of variances and covariances, as MixedLM has them: "g Var", "g x x Cov", "x Var".

    The intercept goes by the name of its grouping factor, a slope by its own; where two are alike, the
    grouping factor stands before them.
    """
    # a covariate that is its own grouping factor has its name already
    # and effects of several predictors are told apart by theirs: "zi: x"
    shown = [[c if t.name in t.columns else _after_group(c, t.name) for c in t.columns] for t in terms]
    flat = [label for labels in shown for label in labels]
    names = []
    for t, labels in zip(terms, shown, strict=True):
        own = [
            f"{t.name}: {label.removeprefix(_predictor(t.name))}"
            if flat.count(label) > 1 or label == "Intercept"
            else label
            for label in labels
        ]
        for i in range(len(own)):
            names += [f"{own[j]} x {own[i]} Cov" for j in range(i)] + [f"{own[i]} Var"]
    return names


def _after_group(column: str, group: str) -> str:
    """Name of an effect, an intercept's that of its grouping factor."""
    predictor = _predictor(column)
    effect = column.removeprefix(predictor)
    return predictor + group if effect == "Intercept" else (predictor or _predictor(group)) + effect


def _predictor(name: str) -> str:
    """The linear predictor that stands before a name, "zi: ", or nothing."""
    return "".join(name.rpartition(": ")[:2])


def parameter_names(fixed: Sequence[str], terms: Sequence[RandomTerm], family: Sequence[str]) -> list[str]:
    """Names of all parameters; where two are alike, the later one tells its place among them."""
    names: list[str] = []
    for name in [*fixed, *covariance_names(terms), *family]:
        count = 1 + names.count(name)
        names.append(name if count == 1 else f"{name} [{count}]")
    return names


def term_keys(terms: Sequence[Any]) -> list[str]:
    """Names of terms; several terms of one name are told apart by their columns."""
    names = [t.name for t in terms]
    return [t.name if names.count(t.name) == 1 else f"{t.name}: {', '.join(t.columns)}" for t in terms]
