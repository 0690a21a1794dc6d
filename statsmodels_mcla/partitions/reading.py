"""From partitions and a formula to a design: what is learnt, what is checked, and what parts keep."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from patsy import DesignInfo, EvalEnvironment

from statsmodels_mcla.data import (
    ModelInputs,
    check_full_rank,
    read_rows,
    refuse_residual_effects,
    refuse_saturated,
    refuse_uncounted,
    refuse_unidentified_covariance,
    refuse_unidentified_terms,
    seen_by_levels,
    seen_together,
    simulate_responses,
)
from statsmodels_mcla.design import (
    MixedDesign,
    RowRoot,
    axes_of_roots,
    distinct_rows,
    merged_rows,
    row_groups,
    row_root,
    rows_of_levels,
    saves,
)
from statsmodels_mcla.execution import Named, Part, Workplace, remade
from statsmodels_mcla.families import ConditionalFamily
from statsmodels_mcla.formula import (
    FormulaError,
    LearntFormula,
    WrittenFormula,
    check_independent,
    estimable_columns,
    with_columns,
)
from statsmodels_mcla.numerics import Array, generator
from statsmodels_mcla.partitions.partitioned_design import LevelsElsewhere, PartitionedDesign, TermOfParts
from statsmodels_mcla.partitions.parts import loaded
from statsmodels_mcla.partitions.straddling import refuse_straddling

Loaded = Callable[[Part], Any]


@dataclass(frozen=True)
class PartitionedData:
    """What a formula and partitions amount to.

    Attributes
    ----------
    design : PartitionedDesign
    learnt : LearntFormula
    response : Series or DataFrame
        Of the rows that show every level,
    exog : DataFrame
        and their fixed effects.
    n_rows : int
        That the likelihood counts; those left out for missing values are ``n_dropped``.
    nobs : float
        Sum of the frequency weights.
    has_offset : bool
    missing : str
    """

    design: PartitionedDesign
    learnt: LearntFormula
    response: Any
    exog: pd.DataFrame
    n_rows: int
    n_dropped: int
    nobs: float
    has_offset: bool
    missing: str

    @property
    def info(self) -> DesignInfo:
        """How patsy builds the fixed effects that can be estimated."""
        return with_columns(self.learnt.fixed, list(self.exog.columns))


class _Survey(NamedTuple):
    """What a part says of itself before anything is learnt."""

    rows: int
    shown: pd.DataFrame | None
    labels: list[np.ndarray]


class _Raw(NamedTuple):
    """Rows of a part as they are."""

    design: MixedDesign
    facts: _Facts


class _Facts(NamedTuple):
    """What has to be known of a part to say something of the whole."""

    rows: int
    dropped: int
    nobs: float
    constant: float
    has_offset: bool
    distinct: int
    fixed: RowRoot
    terms: tuple[RowRoot, ...]
    levels: tuple[int, ...]
    ends: tuple[float, float]


def columns_of(workplace: Workplace) -> list[Any]:
    """Columns of the first part."""
    return list(workplace.executor.map(_columns_of_first, workplace.parts)[0])


def learn_formula(
    workplace: Workplace,
    formula: str,
    rows: Mapping[str, Any],
    env: EvalEnvironment,
    missing: str,
    before: WrittenFormula | None = None,
) -> LearntFormula:
    """Learn a formula from all parts, of which those without rows are left out.

    Parameters
    ----------
    workplace : Workplace
    formula : str
    rows : dict
        Columns of offset, exposure and weights, by argument name.
    env : patsy.EvalEnvironment
    missing : {"drop", "raise"}
    before : WrittenFormula, optional
        See there.

    Raises
    ------
    ValueError
        If the formula cannot be read, or groups straddle parts; `PartitionError` for what is wrong in one of them.
    """
    written = WrittenFormula.of(formula, rows, columns_of(workplace), env, before)
    surveys = workplace.map(partial(_survey, written, missing), workplace.keep(itself))
    full = [k for k, found in enumerate(surveys) if found.rows]
    if not full:
        raise FormulaError("no row without missing values is left in any partition")
    workplace.take(full)
    refuse_straddling(written, [surveys[k].labels for k in full], workplace.parts)
    shown = pd.concat([surveys[k].shown for k in full], ignore_index=True)

    def every() -> Any:
        return (written.complete(loaded(part, written.columns), missing)[0] for part in workplace.parts)

    return written.learn(shown, every)


def read_partitions(
    workplace: Workplace,
    learnt: LearntFormula,
    family: ConditionalFamily,
    missing: str,
    simulated: Simulated | None = None,
) -> PartitionedData:
    """Have each part keep its design.

    Parameters
    ----------
    workplace : Workplace
    learnt : LearntFormula
    family : ConditionalFamily
    missing : {"drop", "raise"}
    simulated : Simulated, optional
        What stands in the place of the responses.

    Raises
    ------
    ValueError
        If effects cannot be told apart; `PartitionError` for what is wrong in one of the parts.
    """
    # 1. the rows of each part
    raw = workplace.keep(partial(_read, learnt, family, missing, simulated))
    facts = workplace.map(_facts_of, raw)
    if family.of_response(np.array([found.ends for found in facts])).parameters != family.parameters:
        raise FormulaError(
            f"family: the responses are at one end of their range only, for which {family.name} has fewer parameters: "
            "fit such a model from_formula, on rows in one process"
        )
    # 2. what all of them have
    R = np.concatenate([found.fixed.R for found in facts])
    columns = estimable_columns(learnt.fixed, R)
    own = [learnt.fixed.column_names.index(name) for name in columns]
    check_full_rank(R[:, own], columns)
    terms = _terms_of_parts(learnt, facts)
    n_rows = sum(found.rows for found in facts)
    refuse_saturated(n_rows, columns)
    refuse_residual_effects([(t.name, t.n_levels) for t in terms if t.dim == 1], n_rows, family)
    for term in terms:
        refuse_uncounted(term.name, term.columns, n_rows)
    merge = saves(sum(found.distinct for found in facts), n_rows)
    loose = workplace.keep(partial(_loose, own, [t.axes for t in terms], merge), raw)
    within, together = zip(*workplace.map(_seen, loose), strict=True)
    for term, *seen in zip(terms, *within, strict=True):
        refuse_unidentified_covariance(term.name, term.columns, sum(seen))
    refuse_unidentified_terms(terms, sum(together))
    constant = sum(found.constant for found in facts)
    design = PartitionedDesign.of(workplace, loose, terms, family, constant)
    response, exog, _, _, _ = learnt.matrices(learnt.shown, "drop")
    return PartitionedData(
        design,
        learnt,
        response,
        exog[columns],
        n_rows,
        sum(found.dropped for found in facts),
        sum(found.nobs for found in facts),
        any(found.has_offset for found in facts),
        missing,
    )


def _terms_of_parts(learnt: LearntFormula, facts: Sequence[_Facts]) -> list[TermOfParts]:
    out = []
    for k, (bar, one) in enumerate(zip(learnt.written.bars, learnt.bars, strict=True)):
        roots, columns = [found.terms[k] for found in facts], tuple(one.inner.column_names)
        check_independent(bar, np.concatenate([root.R for root in roots]), columns)
        levels = sum(found.levels[k] for found in facts)
        if levels == 1:
            raise FormulaError(
                f"`{bar.text}`: the grouping {bar.group} has one level only, and the variance between levels needs at "
                "least two; remove the term"
            )
        design = LevelsElsewhere(learnt, k, levels)
        out.append(TermOfParts(bar.group, columns, levels, axes_of_roots(roots), design))
    return out


def itself(part: Part) -> Part:
    """The part."""
    return part


def _columns_of_first(part: Part) -> list[Any]:
    """Columns of the first part; who works on the others gets ready meanwhile, which takes a second."""
    if part.number:
        return []
    with Named(part.name):
        return list(loaded(part).columns)


def _survey(written: WrittenFormula, missing: str, part: Part) -> _Survey:
    data = loaded(part, written.columns)
    if not len(data):
        return _Survey(0, None, [])
    frame, _, _ = written.complete(data, missing)
    if not len(frame):
        return _Survey(0, None, [])
    return _Survey(len(frame), written.showing(frame), written.labels(frame))


def inputs_of_part(
    learnt: LearntFormula, family: ConditionalFamily, missing: str, part: Part
) -> tuple[ModelInputs, int]:
    """Rows of a part as a model has them, and how many were left out."""
    data = loaded(part, learnt.written.columns)
    response, exog, terms, values, dropped = learnt.matrices(data, missing)
    inputs = read_rows(
        response,
        exog.to_numpy(),
        None,
        None,
        family,
        fep_names=list(exog.columns),
        vcp_names=None,
        vc_names=None,
        random_terms=terms,
        missing="raise",
        **values,
    )
    return inputs, dropped


@remade
def rows_of_part(
    learnt: LearntFormula, family: ConditionalFamily, missing: str, columns: Sequence[str], part: Part
) -> ModelInputs:
    """Rows of a part with the fixed effects that can be estimated."""
    return inputs_of_part(learnt, family, missing, part)[0].with_columns(columns)


@dataclass(frozen=True)
class Simulated:
    """Responses that are simulated where the rows are, with fresh random effects.

    Attributes
    ----------
    columns : tuple of str
        Fixed effects,
    params : ndarray (P,)
        and the parameters of the model with them.
    seed : numpy.random.SeedSequence
        Each part has a stream of its own.
    """

    columns: tuple[str, ...]
    params: Array
    seed: np.random.SeedSequence

    def __call__(self, inputs: ModelInputs, family: ConditionalFamily, part: Part) -> ModelInputs:
        """Rows of a part with such responses, each of unit weight."""
        rows, _ = inputs.of_unit_weight()
        model = rows.with_columns(self.columns)
        design, rng = model.unmerged(family), generator(self.seed, part.number)
        y = simulate_responses(model, design, family, self.params, rng, 1)[:, 0]
        return rows.with_response(y, family)


@remade
def _read(
    learnt: LearntFormula,
    family: ConditionalFamily,
    missing: str,
    simulated: Simulated | None,
    part: Part,
) -> _Raw:
    inputs, dropped = inputs_of_part(learnt, family, missing, part)
    if simulated is not None:
        inputs = simulated(inputs, family, part)
    design = inputs.unmerged(family)
    used = inputs.used
    return _Raw(
        design,
        _Facts(
            int(used.sum()),
            dropped,
            float(inputs.freq_weights[used].sum()),
            design.constant,
            bool(np.any(design.offset)),
            distinct_rows(design),
            row_root(design.X),
            tuple(row_root(rows_of_levels(t.Z, t.dim)) for t in inputs.terms),
            tuple(t.n_levels for t in design.terms),
            (float(inputs.endog.min()), float(inputs.endog.max())),
        ),
    )


def _facts_of(raw: _Raw) -> _Facts:
    return raw.facts


def _seen(design: MixedDesign) -> tuple[list[Array], Array]:
    return [seen_by_levels(term) for term in design.terms], seen_together(design.terms)


@remade
def _loose(own: Sequence[int], axes: Sequence[Array], merge: bool, raw: _Raw) -> MixedDesign:
    """Design of a part in the coordinates of the whole."""
    terms = tuple(replace(t, axes=a) for t, a in zip(raw.design.terms, axes, strict=True))
    X = raw.design.X if len(own) == raw.design.n_fixed else np.ascontiguousarray(raw.design.X[:, own])
    design = replace(raw.design, X=X, terms=terms)
    return merged_rows(design, row_groups(design)) if merge else design
