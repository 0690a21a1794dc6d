"""Power curves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from statsmodels_mcla.plots.style import BLUE, GREY, LIGHT, canvas

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

WANTED = 0.8  # of power, by custom


def plot_power(table: pd.DataFrame, *, level: float = 0.05, alpha: float = 0.05, ax: Any = None) -> Figure:
    """Draw the power of a test over the size of a design, with intervals for the number of simulations.

    Parameters
    ----------
    table : DataFrame
        By size: ``power``, ``ci_lower``, ``ci_upper``, ``trials``.
    level : float
        Of the test, which is its power where there is no effect.
    alpha : float
        One minus the level of the intervals.
    ax : Axes, optional
        A new figure by default.

    Returns
    -------
    Figure
    """
    fig, (panel,) = canvas(ax, 1, (5.2, 3.6))
    below, above = table["power"] - table["ci_lower"], table["ci_upper"] - table["power"]
    panel.axhline(WANTED, color=LIGHT, linewidth=1, linestyle="--")
    panel.axhline(level, color=LIGHT, linewidth=1, linestyle=":")
    panel.errorbar(
        table.index, table["power"], [below, above], color=BLUE, ecolor=GREY, marker="o", capsize=3
    )
    panel.set_xticks(list(table.index))
    panel.set_ylim(0, 1)
    panel.set_xlabel(f"levels of {table.index.name}")
    panel.set_ylabel("power")
    trials = int(table["trials"].iloc[0])
    panel.set_title(f"{100 * (1 - alpha):g} % intervals over {trials} simulations", fontsize=9, loc="left")
    return fig
