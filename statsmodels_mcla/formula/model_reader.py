"""One model formula, everything that belongs to it, and the data: into matrices."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from warnings import warn

import numpy as np
import pandas as pd
import patsy
from patsy import DesignInfo, EvalEnvironment, PatsyError

from statsmodels_mcla.design import RandomTerm
from statsmodels_mcla.families import ConditionalFamily
from statsmodels_mcla.formula.bars import formula_terms, split_formula
from statsmodels_mcla.formula.estimable import estimable_design, with_columns
from statsmodels_mcla.formula.factors import names_in, reading, refuse_uncoded
from statsmodels_mcla.formula.missing import missing_by_factor, named_terms, refuse_missing
from statsmodels_mcla.formula.namespace import Names
from statsmodels_mcla.formula.random_effects import (
    labelled_terms,
    mixedlm_bar,
    named_after,
    read_bars,
    with_groups,
)
from statsmodels_mcla.formula.responses import category_of, counted_rows, response_of
from statsmodels_mcla.formula.shared_effects import PlacedTerm, joined, prefixed
from statsmodels_mcla.formula.tables import by_label, plain, rows_of, settled, table
from statsmodels_mcla.formula.terms import FormulaError, FormulaWarning
from statsmodels_mcla.formula.updating import FormulaCall
from statsmodels_mcla.formula.variance_components import read_components
from statsmodels_mcla.numerics import numeric_array

MANY_DROPPED = 0.1  # of the rows: more than these are warned of


@dataclass(frozen=True)
class FormulaData:
    """What a formula and its data amount to.

    Attributes
    ----------
    endog, exog : DataFrame or Series
    terms : tuple of RandomTerm
    rows : dict
        Further values of each row, by argument name.
    frame : DataFrame
        Rows that are complete.
    used : frozenset of str
        Columns of it that the formulas name.
    dropped : int
        Number of rows that were not complete.
    fixed : str
        The formula without random effects.
    design_info : DesignInfo
    names : Names
    call : FormulaCall
        The other arguments, for a model like this one.
    """

    endog: pd.DataFrame | pd.Series
    exog: pd.DataFrame
    terms: tuple[RandomTerm, ...]
    rows: dict[str, Any]
    frame: pd.DataFrame
    used: frozenset[str]
    dropped: int
    fixed: str
    design_info: DesignInfo
    names: Names
    of_column: np.ndarray
    parts: dict[str, tuple[str, DesignInfo]]
    """Fixed part and design of each further predictor, by its name."""
    call: FormulaCall


def read_model(
    formula: str,
    data: Any,
    vc_formulas: Mapping[str, Any] | None,
    groups: Any,
    re_formula: str | None,
    rows: dict[str, Any],
    env: EvalEnvironment,
    missing: str,
    subset: Any,
    family: ConditionalFamily,
    predictors: Mapping[str, str] | None = None,
) -> FormulaData:
    """Read the fixed part by patsy and the random terms into sparse matrices, on rows that are complete.

    Parameters
    ----------
    formula : str
    data : DataFrame, mapping or table of another library
    vc_formulas, groups, re_formula
        As in `MCLAMixedGLM.from_formula`.
    rows : dict
        Further values of each row (weights, offset), a column's name or an array, by argument name.
    env : patsy.EvalEnvironment
    missing : {"drop", "raise", "none"}
    subset : array_like, optional
        Booleans or index labels.
    family : ConditionalFamily
        It knows the linear predictors of a response, and whether that of the mean has an intercept.
    predictors : dict, optional
        One-sided formulas of further linear predictors, by the names that stand before those of their effects; that of
        "nominal" is for all which are not named here.  Without it these have the formula itself.

    Raises
    ------
    FormulaError
        If anything cannot be read, or has missing values that are not to be dropped.

    Warns
    -----
    FormulaWarning
        If a column of the fixed effects cannot be estimated and is left out, or many rows are.
    """
    fixed, bars = split_formula(formula)
    if not fixed.partition("~")[0].strip() or "~" not in fixed:
        raise FormulaError(f"the formula {formula!r} has no response: write 'response ~ terms'")
    if groups is None and re_formula is not None:
        raise FormulaError("re_formula needs groups: say which column groups the rows")
    further = {name: split_formula(text) for name, text in (predictors or {}).items()}
    if further.get("nominal", ("", []))[1]:
        raise FormulaError("nominal takes no random effects: they belong to the location, in the formula")
    grouped = [] if groups is None else [mixedlm_bar(groups, re_formula)]

    def all_terms() -> list[tuple[str, list[Any]]]:
        own = named_terms(fixed, [*bars, *grouped], vc_formulas)
        return [*own, *(term for part in further.values() for term in named_terms(*part, None))]

    named = all_terms()
    used = columns_named(rows.values(), named)
    frame = table(data, used)
    if subset is not None:
        chosen, n = rows_of(frame.index, subset), len(frame)
        frame = frame.iloc[chosen]
        rows = {name: _chosen(value, chosen, n) for name, value in rows.items()}
    if grouped:
        grouped[0], frame = with_groups(grouped[0], groups, frame)
        named = all_terms()
    given, rows = rows, row_values(rows, frame)
    keep = _complete(plain(frame, used), rows, named, env, missing)
    rows = {name: None if value is None else value[keep] for name, value in rows.items()}
    frame = settled(plain(frame if keep.all() else frame.loc[keep], used), used)
    placed = [PlacedTerm(term, label=label) for label, term in labelled_terms(bars, frame, env)]
    placed += map(PlacedTerm, read_components(vc_formulas or {}, frame, env))
    placed += map(PlacedTerm, named_after(groups, read_bars(grouped, frame, env)))
    placed += _further_effects(further, frame, env)
    if not placed:
        raise FormulaError(
            f"no random effects: add a term such as (1 | group) to {formula!r}, or vc_formulas; without random "
            "effects, use statsmodels GLM"
        )
    endog, exog = _matrices(fixed, named[0][1], frame, env)
    exog = exog if family.intercept else _without_intercept(exog)
    counted = counted_rows(endog, rows)
    info = estimable_design(exog, counted)
    response = category_of(endog, frame) if family.categorical else response_of(endog)
    names = family.of_response(response).predictors
    texts = _further_texts(fixed, further, names)
    matrices, parts = _further_designs(texts, frame, env, counted)
    matrices.insert(0, exog[info.column_names].rename(columns=lambda column: prefixed(names[0], column)))
    if names[0]:  # every predictor has the effects of the formula
        placed = [PlacedTerm(one.term, k, name, one.label) for k, name in enumerate(names) for one in placed]
    formulas = [fixed, *(text for text, _ in parts.values())]
    expressions = {
        factor.name() for text in formulas for term in formula_terms(text) for factor in term.factors
    }
    return FormulaData(
        response,
        pd.concat(matrices, axis=1) if parts else matrices[0],
        tuple(joined(placed)),
        rows,
        frame,
        frozenset(used),
        int(np.sum(~keep)),
        fixed,
        info,
        Names.of(expressions, frame.columns, env),
        np.repeat(np.arange(len(matrices)), [matrix.shape[1] for matrix in matrices]),
        parts,
        FormulaCall(
            vc_formulas,
            grouped[0].group if grouped else None,
            re_formula,
            {n: given[n] if isinstance(given[n], str) else v for n, v in rows.items() if v is not None},
            dict(predictors or {}),
        ),
    )


def _chosen(value: Any, rows: np.ndarray, n: int) -> Any:
    """Values of some rows, of an array that has one for each of n."""
    array = value is not None and not isinstance(value, (str, pd.Series))
    return np.asarray(value)[rows] if array and np.shape(value)[:1] == (n,) else value


NOTHING = {
    "ziformula": "0",
    "oiformula": "0",
    "dispformula": "1",
    "nominal": "1",
}  # what says that there is no such predictor


def _matrices(
    fixed: str, terms: Sequence[Any], frame: pd.DataFrame, env: EvalEnvironment
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Response and fixed effects of a formula with these terms."""
    endog, exog = _design(patsy.dmatrices, fixed, terms, frame, env)
    return endog, exog


def _design(
    read: Callable[..., Any],
    text: str,
    terms: Sequence[Any],
    frame: pd.DataFrame,
    env: EvalEnvironment,
    *,
    strict: bool = False,
) -> Any:
    """Matrices that patsy reads, without factors that do not vary and columns that were not meant to be factors."""
    for name in {factor.name() for term in terms for factor in term.factors} & set(frame.columns):
        refuse_uncoded(name, frame[name], strict=strict)
    with reading(text, frame.dtypes):
        found = read(text, frame, env, NA_action="raise", return_type="dataframe")
    info = (found[-1] if isinstance(found, tuple) else found).design_info
    for factor, facts in info.factor_infos.items():
        if (
            facts.type == "categorical" and factor.name() not in frame.columns
        ):  # an expression that gives dates is known only now
            refuse_uncoded(factor.name(), factor.eval(facts.state, frame), strict=strict)
    refuse_one_level(info)
    return found


def further_formulas(**formulas: Any) -> dict[str, str]:
    """Formulas of further predictors by the names of these, without those that say that there is none.

    Raises
    ------
    FormulaError
        If one is no one-sided formula.
    """
    out = {}
    for argument, text in formulas.items():
        if not isinstance(text, str) or not text.strip().startswith("~"):
            raise FormulaError(f"{argument} must be a one-sided formula such as '~ x', got {text!r}")
        if text.replace("~", "").strip() != NOTHING[argument]:
            out[argument.removesuffix("formula")] = text
    return out


Further = Mapping[str, tuple[str, list[Any]]]


def _further_effects(further: Further, frame: pd.DataFrame, env: EvalEnvironment) -> list[PlacedTerm]:
    """Random effects of further predictors."""
    return [
        PlacedTerm(term, number, name, label)
        for number, (name, (_, bars)) in enumerate(further.items(), 1)
        for label, term in labelled_terms(bars, frame, env)
    ]


def _further_texts(fixed: str, further: Further, names: Sequence[str]) -> dict[str, str]:
    """Fixed parts of the predictors after the first: their own, that of "nominal", or that of the formula."""
    known = {name: text for name, (text, _) in further.items()}
    rest = known.get("nominal", f"~ {fixed.partition('~')[2]}")
    return {name: known.get(name, rest) for name in names[1:]}


def _further_designs(
    texts: Mapping[str, str], frame: pd.DataFrame, env: EvalEnvironment, counted: np.ndarray
) -> tuple[list[pd.DataFrame], dict[str, tuple[str, DesignInfo]]]:
    """Fixed effects of further predictors."""
    matrices, parts = [], {}
    known = {text: _one_sided(text, frame, env, counted) for text in dict.fromkeys(texts.values())}
    for name, text in texts.items():
        matrix, info = known[text]
        matrices.append(matrix.add_prefix(f"{name}: "))
        parts[name] = (text, info)
    return matrices, parts


def _one_sided(
    text: str, frame: pd.DataFrame, env: EvalEnvironment, counted: np.ndarray
) -> tuple[pd.DataFrame, DesignInfo]:
    """Fixed effects of a further predictor."""
    # what a few hundred effects of a zero part or a dispersion cost is out of proportion to a slip
    matrix = _design(patsy.dmatrix, text, formula_terms(text), frame, env, strict=True)
    info = estimable_design(matrix, counted)
    return matrix[info.column_names], info


def columns_named(arguments: Iterable[Any], terms: list[tuple[str, list[Any]]]) -> set[str]:
    """Names that arguments and expressions mention, columns or not."""
    codes = {factor.name() for _, listed in terms for term in listed for factor in term.factors}
    return {"groups"} | {name for name in arguments if isinstance(name, str)}.union(*map(names_in, codes))


def _complete(
    frame: pd.DataFrame,
    rows: dict[str, Any],
    terms: list[tuple[str, list[Any]]],
    env: EvalEnvironment,
    missing: str,
) -> np.ndarray:
    """(n,) bool: rows where nothing is missing."""
    found = missing_by_factor(terms, frame, env)
    found |= {name: pd.isna(value) for name, value in rows.items() if value is not None}
    bad = np.any([*found.values()], axis=0)
    count = int(bad.sum())
    if not count:
        return ~bad
    counts = {name: int(absent.sum()) for name, absent in found.items()}
    worst = max(counts, key=counts.__getitem__)
    if missing != "drop":
        refuse_missing(bad, frame.index)
    if bad.all():
        first = sorted((name for name in counts if counts[name]), key=counts.__getitem__, reverse=True)[:3]
        shown = ", ".join(f"{name!r} is missing in {counts[name]} of {len(bad)}" for name in first)
        raise FormulaError(f"no row without missing values is left: {shown}")
    if count > MANY_DROPPED * len(bad):
        warn(
            f"{count} of {len(bad)} rows have missing values and are left out, most of them for {worst!r}",
            FormulaWarning,
            stacklevel=4,
        )
    return ~bad


def row_values(rows: Mapping[str, Any], frame: pd.DataFrame) -> dict[str, Any]:
    """One number a row for each argument that is given."""
    out: dict[str, Any] = dict.fromkeys(rows)
    for name, value in rows.items():
        if value is None:
            continue
        if isinstance(value, str) and value not in frame.columns:
            raise FormulaError(
                f"{name}={value!r} is not a column of the data; the columns are {list(frame.columns)}"
            )
        found = by_label(frame[value] if isinstance(value, str) else value, frame.index, name)
        try:
            out[name] = numeric_array(found)
        except (TypeError, ValueError) as error:
            raise FormulaError(f"{name} must be numeric, one number a row") from error
        if out[name].shape != (len(frame),):
            raise FormulaError(f"{name} has shape {out[name].shape}, but the data have {len(frame)} rows")
    return out


def _without_intercept(exog: pd.DataFrame) -> pd.DataFrame:
    """Fixed effects beside thresholds."""
    info = with_columns(exog.design_info, [c for c in exog.columns if c != "Intercept"])
    out = exog[info.column_names]
    out.design_info = info
    return out


def refuse_one_level(info: DesignInfo) -> None:
    """Refuse factors that do not vary."""
    for factor, facts in info.factor_infos.items():
        if facts.type == "categorical" and len(facts.categories) < 2:
            raise FormulaError(
                f"the factor {factor.name()!r} has one level only, {facts.categories[0]!r}; drop it from the formula"
            )


def without_design_info(state: dict[str, Any]) -> dict[str, Any]:
    """State of a model for pickling: patsy's design does not pickle, what it is remade from does."""
    data = state["data"]
    bare = object.__new__(type(data))  # a copy would read the formula at once, away from its names
    kept = {name: value for name, value in vars(data).items() if name not in ("model_spec", "parts")}
    formulas = {name: text for name, (text, _) in getattr(data, "parts", {}).items()}
    bare.__dict__.update({**kept, "part_formulas": formulas})
    return {**state, "data": bare}


def with_design_info(state: dict[str, Any]) -> dict[str, Any]:
    """Undo `without_design_info`; the design stays away where names that it needs were lost."""
    data = state["data"]
    names, frame = getattr(data, "names", None), getattr(data, "frame", None)
    if names is not None and frame is not None and not names.lost:
        env = names.environment(data.formula)
        with suppress(PatsyError):
            matrices = patsy.dmatrices(data.formula, frame, env, NA_action="raise", return_type="dataframe")
            first = state["conditional_family"].predictors[0]
            own = [
                c.removeprefix(prefixed(first, ""))
                for c in data.fe_names
                if c.startswith(prefixed(first, ""))
            ]
            data.model_spec = with_columns(matrices[1].design_info, own)
            data.parts = {}
            for name, text in data.part_formulas.items():
                info = patsy.dmatrix(text, frame, env, NA_action="raise").design_info
                own = [c.removeprefix(f"{name}: ") for c in data.fe_names if c.startswith(f"{name}: ")]
                data.parts[name] = (text, with_columns(info, own))
    return state
