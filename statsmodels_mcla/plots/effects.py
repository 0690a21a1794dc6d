"""Random effects with their intervals, sorted: the caterpillar plot of lme4's ``dotplot(ranef(fit))``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from statsmodels_mcla.plots.style import BLUE, GREY, LIGHT, canvas, name_levels, picture_height

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def plot_random_effects(frame: pd.DataFrame, *, alpha: float = 0.05, ax: Any = None) -> Figure:
    """Draw random effects with their intervals, sorted.

    Parameters
    ----------
    frame : DataFrame
        A row an effect: ``term``, ``level``, ``effect`` (its coordinate, such as the intercept), ``mean`` given
        the data, and limits ``lower`` and ``upper``, on the scale of the linear predictor.
    alpha : float
        One minus the level of the intervals.
    ax : Axes or sequence of Axes, optional
        One for each coordinate of each term; a new figure by default.

    Returns
    -------
    matplotlib.figure.Figure
        A panel for each coordinate of each term. The levels of a term stand in the same order in all of its
        panels, that of its first coordinate. Where there is no room for all names of
        levels, every k-th is written.
    """
    panels = [
        (term, effect, rows)
        for term, of_term in frame.groupby("term", sort=False)
        for effect, rows in of_term.groupby("effect", sort=False)
    ]
    most = max((len(rows) for _, _, rows in panels), default=1)
    fig, axes = canvas(ax, len(panels), (3.9 if len(panels) > 1 else 5.2, picture_height(most)))
    order: dict[Any, pd.Index] = {}
    for panel, (term, effect, rows) in zip(axes, panels, strict=True):
        by_level = rows.set_index("level")
        first = term not in order
        if first:
            order[term] = by_level["mean"].sort_values(kind="stable").index
        _caterpillar(panel, by_level.loc[order[term]], alpha)
        panel.set_title(str(term) if effect == term else f"{term}: {effect}", fontsize=10)
        if first:
            step = name_levels(panel, list(order[term]))
            note = "" if step == 1 else f" (of {len(rows)}, one in {step} is named)"
            panel.set_ylabel(f"level{note}")
        else:
            panel.set_yticks([])
            panel.set_ylim(-0.8, len(rows) - 0.2)
    return fig


def _caterpillar(ax: Axes, rows: pd.DataFrame, alpha: float) -> None:
    """One coordinate of one term."""
    at = np.arange(len(rows))
    mean, lower, upper = (rows[name].to_numpy(float) for name in ("mean", "lower", "upper"))
    thick = float(np.clip(100.0 / len(rows), 0.7, 2.2))
    ax.axvline(0.0, color=GREY, lw=0.9, zorder=1)
    ax.hlines(at, lower, upper, color=BLUE, lw=thick, alpha=0.45, zorder=2)
    ax.plot(mean, at, "o", color=BLUE, ms=1.6 + thick, zorder=3)
    ax.grid(axis="x", color=LIGHT, lw=0.5, alpha=0.6)
    ax.set_xlabel(f"effect, mean and {100 * (1 - alpha):g} % interval\n(linear predictor)")
