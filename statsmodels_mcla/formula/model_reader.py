"""One model formula, everything that belongs to it, and the data: into matrices."""

from __future__ import annotations

import copy
import importlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import patsy
from patsy import DesignInfo, EvalEnvironment, PatsyError

from statsmodels_mcla.design import RandomTerm
from statsmodels_mcla.formula.bars import split_formula
from statsmodels_mcla.formula.factors import as_frame, names_in, reading
from statsmodels_mcla.formula.missing import missing_by_factor, named_terms
from statsmodels_mcla.formula.random_effects import mixedlm_bar, named_after, read_bars
from statsmodels_mcla.formula.terms import FormulaError
from statsmodels_mcla.formula.variance_components import read_components


@dataclass(frozen=True)
class FormulaData:
    """What a formula and its data amount to."""

    endog: pd.DataFrame | pd.Series
    exog: pd.DataFrame
    terms: tuple[RandomTerm, ...]
    rows: dict[str, Any]
    frame: pd.DataFrame
    fixed: str
    design_info: DesignInfo


def read_model(
    formula: str,
    data: Any,
    vc_formulas: Mapping[str, Any] | None,
    groups: Any,
    re_formula: str | None,
    rows: dict[str, Any],
    env: EvalEnvironment,
    missing: str,
) -> FormulaData:
    """Read the fixed part by patsy and the random terms into sparse matrices, on rows that are complete.

    Parameters
    ----------
    formula : str
    data : DataFrame or mapping
    vc_formulas, groups, re_formula
        As in `MCLAMixedGLM.from_formula`.
    rows : dict
        Further values of each row (weights, offset), a column's name or an array, by argument name.
    env : patsy.EvalEnvironment
    missing : {"drop", "raise", "none"}

    Raises
    ------
    FormulaError
        If anything cannot be read, or has missing values that are not to be dropped.
    """
    frame = as_frame(data)
    fixed, bars = split_formula(formula)
    if not fixed.partition("~")[0].strip() or "~" not in fixed:
        raise FormulaError(f"the formula {formula!r} has no response: write 'response ~ terms'")
    if groups is None and re_formula is not None:
        raise FormulaError("re_formula needs groups: say which column groups the rows")
    grouped = []
    if groups is not None:
        bar, frame = mixedlm_bar(groups, re_formula, frame)
        grouped.append(bar)
    rows = _row_values(rows, frame)
    found = missing_by_factor(named_terms(fixed, [*bars, *grouped], vc_formulas), frame, env)
    found |= {name: pd.isna(value) for name, value in rows.items() if value is not None}
    bad = np.any([*found.values()], axis=0)
    if bad.any():
        if missing != "drop":
            raise FormulaError(
                f"{int(bad.sum())} rows have missing values, the first is row {int(np.flatnonzero(bad)[0])}; "
                "remove them or use missing='drop'"
            )
        if bad.all():
            raise FormulaError("no row without missing values is left")
        frame = frame.loc[~bad]
        rows = {name: None if value is None else value[~bad] for name, value in rows.items()}
    terms = read_bars(bars, frame, env)
    terms += read_components(vc_formulas or {}, frame, env)
    terms += named_after(groups, read_bars(grouped, frame, env))
    if not terms:
        raise FormulaError(
            f"no random effects: add a term such as (1 | group) to {formula!r}, or vc_formulas; without random "
            "effects, use statsmodels GLM"
        )
    with reading(fixed, frame.dtypes):
        endog, exog = patsy.dmatrices(fixed, frame, env, NA_action="raise", return_type="dataframe")
    _refuse_one_level(exog.design_info)
    return FormulaData(_response(endog), exog, tuple(terms), rows, frame, fixed, exog.design_info)


def _row_values(rows: Mapping[str, Any], frame: pd.DataFrame) -> dict[str, Any]:
    """One number a row for each argument that is given."""
    out: dict[str, Any] = dict.fromkeys(rows)
    for name, value in rows.items():
        if value is None:
            continue
        if isinstance(value, str) and value not in frame.columns:
            raise FormulaError(
                f"{name}={value!r} is not a column of the data; the columns are {list(frame.columns)}"
            )
        if isinstance(value, pd.Series) and not value.index.equals(frame.index) and len(value) == len(frame):
            raise FormulaError(f"{name} has another index than the data; align it, or pass {name}.to_numpy()")
        try:
            out[name] = np.asarray(frame[value] if isinstance(value, str) else value, dtype=float)
        except (TypeError, ValueError) as error:
            raise FormulaError(f"{name} must be numeric, one number a row") from error
        if out[name].shape != (len(frame),):
            raise FormulaError(f"{name} has shape {out[name].shape}, but the data have {len(frame)} rows")
    return out


def _response(endog: pd.DataFrame) -> pd.DataFrame | pd.Series:
    """Response as numbers: a logical one counts True."""
    info = endog.design_info
    factors = [f for f in info.factor_infos.values() if f.type == "categorical"]
    if not factors:
        return endog.iloc[:, 0] if endog.shape[1] == 1 else endog
    name = next(iter(info.factor_infos)).name()
    categories = list(factors[0].categories)
    if len(info.factor_infos) > 1 or not all(isinstance(c, (bool, np.bool_)) for c in categories):
        raise FormulaError(
            f"endog: the response {name!r} is text with the values {categories[:6]}; say which value is a success, "
            f"for instance ({name} == {categories[-1]!r}) ~ ..."
        )
    values = endog.iloc[:, categories.index(True)] if True in categories else 0.0 * endog.iloc[:, 0]
    return pd.Series(np.asarray(values), index=endog.index, name=name)


def _refuse_one_level(info: DesignInfo) -> None:
    for factor, facts in info.factor_infos.items():
        if facts.type == "categorical" and len(facts.categories) < 2:
            raise FormulaError(
                f"the factor {factor.name()!r} has one level only, {facts.categories[0]!r}; drop it from the formula"
            )


def without_design_info(state: dict[str, Any]) -> dict[str, Any]:
    """State of a model for pickling: patsy's design does not pickle, what it is remade from does."""
    state = state.copy()
    info = getattr(state["data"], "model_spec", None)
    if info is not None:
        state["data"] = copy.copy(state["data"])
        del state["data"].model_spec
        state["_modules"] = _modules(info)
    return state


def with_design_info(state: dict[str, Any]) -> dict[str, Any]:
    """Undo `without_design_info`; the design stays away where the modules it names are not enough to read it."""
    modules = state.pop("_modules", None)
    if modules is not None:
        data = state["data"]
        env = EvalEnvironment([{name: importlib.import_module(module) for name, module in modules.items()}])
        with suppress(PatsyError):
            matrices = patsy.dmatrices(
                data.formula, data.frame, env, NA_action="raise", return_type="dataframe"
            )
            data.model_spec = matrices[1].design_info
    return state


def _modules(info: DesignInfo) -> dict[str, str]:
    """Modules that expressions name (``{"np": "numpy"}``), from where patsy looked them up."""
    out = {}
    for factor, facts in info.factor_infos.items():
        namespace = facts.state.get("eval_env")
        for name in names_in(factor.code):
            found = None if namespace is None else namespace.namespace.get(name)
            if isinstance(found, ModuleType):
                out[name] = found.__name__
    return out
