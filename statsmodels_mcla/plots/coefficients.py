"""Coefficients with their intervals, of one fit or of several side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from statsmodels_mcla.plots.style import CYCLE, GREY, LIGHT, canvas, picture_height

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

MARKS = "osD^v"
LONGEST = 36  # characters of a term


def plot_coefficients(
    tables: Mapping[str, pd.DataFrame], *, ratios: bool = False, alpha: float = 0.05, ax: Any = None
) -> Figure:
    """Draw estimates and intervals, a row a term.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        By name of the fit, as the results' ``tidy`` gives them: ``term``, ``estimate``, ``conf_low``, ``conf_high``.
    ratios : bool
        Whether they are exponentiated: the axis is logarithmic, and no effect is 1.
    alpha : float
        One minus the level of the intervals.
    ax : Axes, optional
        A new figure by default.

    Returns
    -------
    matplotlib.figure.Figure
    """
    terms = list(dict.fromkeys(term for table in tables.values() for term in table["term"]))
    height = picture_height(len(terms) * max(1, len(tables)))
    fig, (axes,) = canvas(ax, 1, (5.6, max(height, 2.6)))
    axes.axvline(1.0 if ratios else 0.0, color=GREY, lw=0.9, zorder=1)
    for k, (name, table) in enumerate(tables.items()):
        shift = 0.0 if len(tables) == 1 else 0.5 * (0.5 - k / (len(tables) - 1))
        at = np.array([len(terms) - 1 - terms.index(term) for term in table["term"]]) + shift
        colour = CYCLE[k % len(CYCLE)]
        axes.hlines(at, table["conf_low"], table["conf_high"], color=colour, lw=1.8, alpha=0.75)
        axes.plot(table["estimate"], at, MARKS[k % len(MARKS)], color=colour, ms=5.5, label=name)
    axes.set_yticks(range(len(terms))[::-1], [_cut(term) for term in terms])
    axes.set_ylim(-0.7, len(terms) - 0.3)
    if ratios:
        from matplotlib import ticker

        axes.set_xscale("log")
        axes.xaxis.set_major_locator(ticker.LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.xaxis.set_major_formatter(ticker.FuncFormatter(lambda x, _: f"{x:g}"))
        axes.xaxis.set_minor_locator(ticker.NullLocator())
    shown = "exp(coefficient)" if ratios else "coefficient"
    axes.set(xlabel=f"{shown}, {100 * (1 - alpha):g} % interval", ylabel="fixed effect")
    axes.grid(axis="x", color=LIGHT, lw=0.5, alpha=0.6)
    if len(tables) > 1:
        handles, labels = axes.get_legend_handles_labels()
        where: dict[str, Any] = {} if ax is not None else {"loc": "outside lower center", "ncols": 3}
        (axes if ax is not None else fig).legend(handles, labels, frameon=False, fontsize=8.5, **where)
    return fig


def _cut(term: str) -> str:
    """Both ends of a long name."""
    return term if len(term) <= LONGEST else f"{term[: LONGEST // 2 - 1]}…{term[-LONGEST // 2 :]}"
