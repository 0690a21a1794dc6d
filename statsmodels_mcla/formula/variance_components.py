"""Read ``vc_formulas``: each column of a design is an independent effect, with one variance a key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from patsy import EvalEnvironment, EvalFactor, Term
from scipy import sparse

from statsmodels_mcla.design import NewRows, RandomTerm, index_dtype
from statsmodels_mcla.formula.bars import one_sided_terms
from statsmodels_mcla.formula.coding import Entries, Interaction, codings
from statsmodels_mcla.formula.factors import (
    Factor,
    environment,
    learn_factors,
    locate,
    missing_rows,
    reading,
    refuse_values,
)
from statsmodels_mcla.formula.namespace import Names
from statsmodels_mcla.formula.tables import as_frame
from statsmodels_mcla.formula.terms import FormulaError


def read_vc_formulas(
    vc_formulas: Mapping[str, str | Sequence[str]],
    data: pd.DataFrame | Mapping[str, Any],
    eval_env: int | Mapping[str, Any] | EvalEnvironment = 0,
) -> list[RandomTerm]:
    """Build variance components as ``BinomialBayesMixedGLM.from_formula`` reads them.

    Parameters
    ----------
    vc_formulas : dict
        One-sided formulas by name of the variance component: every column of the formula's design is
        an independent N(0, nu) effect. The columns of a list of formulas share one variance.
    data : DataFrame
        Rows without missing values in what the formulas use (see `incomplete_rows`).
    eval_env : int, Mapping or patsy.EvalEnvironment
        Where names that are no columns are looked up; an int counts frames above the caller.

    Returns
    -------
    list of RandomTerm
        One a key, in the order of the dict. The levels are patsy's column names, less those of levels
        and combinations that do not occur.

    Raises
    ------
    FormulaError
        For an unknown column, a missing or infinite value, or fewer than two effects.

    Examples
    --------
    >>> data = pd.DataFrame({"g": [1, 2, 1, 3]})
    >>> (term,) = read_vc_formulas({"G": "0 + C(g)"}, data)
    >>> term.levels
    ('C(g)[1]', 'C(g)[2]', 'C(g)[3]')
    """
    return read_components(vc_formulas, as_frame(data), environment(eval_env, 1))


def read_components(
    vc_formulas: Mapping[str, Any], frame: pd.DataFrame, env: EvalEnvironment
) -> list[RandomTerm]:
    """Build variance components: see `read_vc_formulas`."""
    listed = list_formulas(vc_formulas)
    return [_read_component(name, formulas, frame, env) for name, formulas in listed.items()]


def list_formulas(vc_formulas: Any) -> dict[str, list[str]]:
    """Check ``vc_formulas`` and give the list of formulas of each key."""
    if not isinstance(vc_formulas, Mapping):
        raise FormulaError(f"vc_formulas must be a dict of formulas, not {type(vc_formulas).__name__}")
    listed = {}
    for name, given in vc_formulas.items():
        formulas = [given] if isinstance(given, str) else given
        if not isinstance(name, str):
            raise FormulaError(f"vc_formulas: the name {name!r} must be a string")
        if not isinstance(formulas, (list, tuple)) or not formulas:
            raise FormulaError(
                f"vc_formulas[{name!r}] must be a formula or a list of formulas, not {given!r}"
            )
        listed[name] = list(formulas)
    return listed


@dataclass(frozen=True, eq=False)
class VCDesign:
    """How a variance component was read; evaluates it on rows to come.

    patsy's objects do not pickle and are dropped by it. A component without stateful transforms works
    again after unpickling, from its expressions and from what they name.

    Parameters
    ----------
    text : str
        The formulas, for errors.
    interactions : tuple of Interaction
        Groups of columns.
    observed : tuple of ndarray
        Sorted numbers of the columns of each interaction that occur.
    names : Names
        What the expressions name beside columns.
    stateful : bool
        Whether a transform learnt something from the fitted data.
    factors : dict or None
        Factors by their expressions; None after unpickling.
    """

    text: str
    interactions: tuple[Interaction, ...]
    observed: tuple[np.ndarray, ...]
    names: Names
    stateful: bool
    factors: dict[str, Factor] | None

    def labels(self) -> tuple[str, ...]:
        """patsy's names of the columns."""
        pairs = zip(self.interactions, self.observed, strict=True)
        return tuple(label for interaction, columns in pairs for label in interaction.labels(columns))

    def rebuild(self, data: pd.DataFrame | Mapping[str, Any], fitted: pd.DataFrame | None = None) -> NewRows:
        """Evaluate the component on new rows; an unpickled one may learn again from the fitted data.

        Parameters
        ----------
        data : DataFrame
            New rows. A row whose level has no column is flagged, and has no entry there.

        Returns
        -------
        NewRows
            ``x`` is (n, 1): the root sum of squares of a row's entries as they would be if every level
            had its column.

        Raises
        ------
        FormulaError
            For an unknown column, a new level of a factor with a coding of its own, or a component that
            pickling emptied.
        """
        frame = as_frame(data)
        factors = self._relearn(frame, fitted) if self.factors is None else self.factors
        with reading(self.text, frame.dtypes):
            values = {code: factor.value(frame) for code, factor in factors.items()}
        n = len(frame)
        return self.assemble([list(part.entries(values, n)) for part in self.interactions], n)

    def assemble(self, entries: Sequence[Sequence[Entries]], n: int) -> NewRows:
        """Put the entries of n rows, a list for each interaction, into the columns that occur."""
        rows, columns, weights = [], [], []
        unknown, squared, offset = np.zeros(n, dtype=bool), np.zeros(n), 0
        for observed, interaction in zip(self.observed, entries, strict=True):
            for entry in interaction:
                column = locate(observed, entry.column)
                unknown |= (column < 0) & ~entry.absent
                squared += np.where(entry.absent, 0.0, entry.weight**2)
                (stored,) = np.nonzero((column >= 0) & (entry.weight != 0.0))
                rows.append(stored)
                columns.append(column[stored] + offset)
                weights.append(entry.weight[stored])
            offset += len(observed)
        index = index_dtype(sum(map(len, rows)), n, offset)
        where = (np.concatenate(rows).astype(index), np.concatenate(columns).astype(index))
        triplets = (np.concatenate(weights), where)
        return NewRows(sparse.csr_array(triplets, shape=(n, offset)), unknown, np.sqrt(squared)[:, None])

    def _relearn(self, frame: pd.DataFrame, fitted: pd.DataFrame | None) -> dict[str, Factor]:
        if fitted is None and self.stateful:
            raise FormulaError(
                f"`{self.text}` was unpickled, which loses what patsy learnt from the fitted data; "
                "read the formulas again from those (read_vc_formulas)"
            )
        codes = {factor.code for interaction in self.interactions for factor in interaction.factors}
        terms = [Term([EvalFactor(code)]) for code in codes]
        source, env = frame if fitted is None else fitted, self.names.environment(self.text)
        return {
            code: found.factor for code, found in learn_factors([(self.text, terms)], source, env).items()
        }

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "factors": None}


def _read_component(
    name: str, formulas: Sequence[str], frame: pd.DataFrame, env: EvalEnvironment
) -> RandomTerm:
    """Read one key of vc_formulas."""
    text = f"vc_formulas[{name!r}] = {formulas[0] if len(formulas) == 1 else formulas!r}"
    termlists = [one_sided_terms(formula, f"vc_formulas[{name!r}]") for formula in formulas]
    learnt = learn_factors([(text, [term for terms in termlists for term in terms])], frame, env)
    factors = {code: found.factor for code, found in learnt.items()}
    values = {code: found.value for code, found in learnt.items()}
    for code, value in values.items():
        if missing_rows(value).any():
            raise FormulaError(f"`{text}`: {code} has missing values; drop those rows first")
        refuse_values(code, value)
    with reading(text, frame.dtypes):
        interactions = tuple(interaction for terms in termlists for interaction in codings(terms, values))
    entries = [list(interaction.entries(values, len(frame))) for interaction in interactions]
    if not all(np.isfinite(entry.weight).all() for interaction in entries for entry in interaction):
        raise FormulaError(f"`{text}` has infinite values; drop those rows first")
    stateful = any(factor.stateful for factor in factors.values())
    observed = tuple(_observed(interaction) for interaction in entries)
    design = VCDesign(text, interactions, observed, Names.of(factors, frame.columns, env), stateful, factors)
    labels = design.labels()
    if len(labels) < 2:
        raise FormulaError(
            f"`{text}` gives {'one effect only, ' + labels[0] if labels else 'no effects'}, and a variance "
            "needs at least two; write '0 + C(g)' for one effect a level of g, or remove it"
        )
    return RandomTerm(name, (name,), labels, design.assemble(entries, len(frame)).Z, text, design)


def _observed(interaction: Sequence[Entries]) -> np.ndarray:
    """Sorted numbers of the columns that some row has an entry in."""
    columns = [np.unique(entry.column[~entry.absent]) for entry in interaction]
    return np.unique(np.concatenate(columns)) if columns else np.empty(0, dtype=np.int64)
