"""Groups that lie in several parts: found by their labels, since each part has to have its groups whole.

A Dask DataFrame can be shuffled: rows whose groups hang together, directly or through others, get one number, and rows
of one number go to one part.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components

from statsmodels_mcla.exceptions import warn_user
from statsmodels_mcla.execution import Part
from statsmodels_mcla.formula import FormulaError, WrittenFormula, bars_of


def refuse_straddling(
    written: WrittenFormula, labels: Sequence[Sequence[np.ndarray]], parts: Sequence[Part]
) -> None:
    """Refuse groups of which several parts have rows.

    Parameters
    ----------
    written : WrittenFormula
    labels : sequence
        Of each part, numbers that stand for the levels of each grouping.
    parts : sequence of Part

    Raises
    ------
    FormulaError
        If there are some; the message says how to bring them together.
    """
    for k, bar in enumerate(written.bars):
        each = [part[k] for part in labels]
        distinct, counts = np.unique(np.concatenate(each), return_counts=True)
        several = distinct[counts > 1]
        if not len(several):
            continue
        where = [part.name for part, own in zip(parts, each, strict=True) if np.isin(several[0], own)]
        crossed = len({one.group for one in written.bars}) > 1 and len(several) > 0.5 * len(distinct)
        hint = (
            "Where groupings are crossed, all rows hang together and are one partition's work: fit them from_formula, "
            "or from one partition (a Dask DataFrame with shuffle='directory' becomes one)"
            if crossed
            else f"Sort the rows by {bar.group} before they are cut into partitions, or pass a Dask DataFrame with "
            "shuffle='directory', which brings groups together"
        )
        raise FormulaError(
            f"`{bar.text}`: {len(several)} of {len(distinct)} levels of {bar.group} have rows in several partitions, "
            f"one of them in {' and '.join(where[:2])}, and a group has to be whole in one. {hint}"
        )


COMPONENT = "mcla_component"


def brought_together(frame: Any, formula: str, directory: Any) -> list[str]:
    """Shuffle a Dask DataFrame so that groups are whole, and write its parts.

    Parameters
    ----------
    frame : Dask DataFrame
    formula : str
    directory : path
        For Parquet files, where all workers can read them.

    Returns
    -------
    list of str
        Their paths.

    Raises
    ------
    FormulaError
        If a grouping is no column, or the directory is not empty.
    """
    groups = list(dict.fromkeys(name for bar in bars_of(formula) for name in bar.group.split(":")))
    unknown = [name for name in groups if name not in frame.columns]
    if unknown:
        raise FormulaError(
            f"shuffle: {unknown[0]!r} is no column; make it one, so that rows can be brought together by it"
        )
    known = pd.DataFrame(frame[_outer(formula)].drop_duplicates().compute())
    component = _components(known)
    together = len(known) > 1 and bool((component == component.iloc[0]).all())
    if together:
        warn_user(
            f"shuffle: the groups of {' and '.join(known.columns)} hang together, all in one, so that all rows are one "
            "partition's work: one worker holds them, and others wait"
        )
    first = str(known.columns[0])
    of_level = component.groupby(known[first]).first()
    meta = frame._meta  # noqa: SLF001 - Dask would try these functions on values that are no levels
    labelled = frame.map_partitions(
        _labelled, first, of_level, meta=meta.assign(**{COMPONENT: pd.Series(dtype="int64")})
    )
    path = Path(directory).absolute()
    path.mkdir(parents=True, exist_ok=True)
    if any(path.iterdir()):
        raise FormulaError(f"shuffle: the directory {str(path)!r} is not empty")
    shuffled = labelled.shuffle(COMPONENT, npartitions=1 if together else None).map_partitions(
        _sorted, groups, meta=meta
    )
    shuffled.to_parquet(str(path), write_index=False)
    return sorted(str(file) for file in path.glob("*.parquet"))


def _outer(formula: str) -> list[str]:
    """Columns of groupings of which no other one is a part: those of a and a:b are a."""
    each = [set(bar.group.split(":")) for bar in bars_of(formula)]
    outer = [own for own in each if not any(other < own for other in each)]
    return list(dict.fromkeys(min(own) for own in outer))


def _components(known: pd.DataFrame) -> pd.Series:
    """Number of the component of each combination of levels."""
    codes = [pd.factorize(known[name])[0] for name in known.columns]
    starts = np.cumsum([0, *(int(code.max(initial=-1)) + 1 for code in codes)])
    nodes = [code + start for code, start in zip(codes, starts, strict=False)]
    rows = np.concatenate([nodes[0]] * len(nodes))
    graph = sp.coo_array((np.ones(len(rows)), (rows, np.concatenate(nodes))), shape=(starts[-1],) * 2)
    return pd.Series(connected_components(graph.tocsr(), directed=False)[1][nodes[0]], index=known.index)


def _labelled(frame: pd.DataFrame, first: str, of_level: pd.Series) -> pd.DataFrame:
    return frame.assign(**{COMPONENT: frame[first].map(of_level).astype("int64")})


def _sorted(frame: pd.DataFrame, groups: list[str]) -> pd.DataFrame:
    return frame.sort_values(groups, kind="stable").drop(columns=COMPONENT)
