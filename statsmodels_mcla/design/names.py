"""What the model and its random effects are called."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

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


def facts_of(design: MixedDesign, n_rows: int, terms: Sequence[RandomTerm]) -> Facts:
    """Collect the facts of a model."""
    sizes = tuple(TermFacts(t.name, t.columns, len(t.levels)) for t in terms)
    return Facts(design.family.name, design.family.link, n_rows, design.n_blocks, sizes)


def covariance_names(terms: Sequence[RandomTerm]) -> list[str]:
    """Names of variances and covariances, as MixedLM has them: "g Var", "g x x Cov", "x Var".

    The intercept goes by the name of its grouping factor, a slope by its own; where two are alike, the
    grouping factor stands before them.
    """
    # a covariate that is its own grouping factor has its name already
    shown = [
        [t.name if c == "Intercept" and t.name not in t.columns else c for c in t.columns] for t in terms
    ]
    flat = [label for labels in shown for label in labels]
    names = []
    for t, labels in zip(terms, shown, strict=True):
        own = [
            f"{t.name}: {label}" if flat.count(label) > 1 or label == "Intercept" else label
            for label in labels
        ]
        for i in range(len(own)):
            names += [f"{own[j]} x {own[i]} Cov" for j in range(i)] + [f"{own[i]} Var"]
    return names


def parameter_names(fixed: Sequence[str], terms: Sequence[RandomTerm], dispersion: str | None) -> list[str]:
    """Names of all parameters; where two are alike, the later one tells its place among them."""
    names: list[str] = []
    for name in [*fixed, *covariance_names(terms), *([dispersion] if dispersion else [])]:
        count = 1 + names.count(name)
        names.append(name if count == 1 else f"{name} [{count}]")
    return names


def term_keys(terms: Sequence[Any]) -> list[str]:
    """Names of terms; several terms of one name are told apart by their columns."""
    names = [t.name for t in terms]
    return [t.name if names.count(t.name) == 1 else f"{t.name}: {', '.join(t.columns)}" for t in terms]
