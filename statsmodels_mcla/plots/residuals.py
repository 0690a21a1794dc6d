"""Residuals that would be standard normal if the model were true: QQ plot, and against fitted values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats

from statsmodels_mcla.plots.style import BLUE, GREY, LIGHT, VERMILION, canvas, shortened

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from statsmodels_mcla.numerics import Array

LEVEL = 0.95
MOST_BINS = 20
FARTHEST = 4.0  # half-widths of 95 % intervals that checks are drawn at, at most


def plot_residuals(
    residuals: Array,
    fitted: Array,
    simulated: Array | None = None,
    *,
    fitted_label: str = "fitted value",
    note: str = "",
    ax: Any = None,
) -> Figure:
    """Draw normal residuals against their quantiles and against fitted values.

    Parameters
    ----------
    residuals : ndarray (n,)
        Randomised quantile residuals (Dunn and Smyth, 1996), standard normal under the model.
    fitted : ndarray (n,)
        What to hold them against: numbers, or names of categories.
    simulated : ndarray (n, B), optional
        Such residuals of data simulated from the model, which the bands are taken from: rows of one group depend on
        each other.  Without them the bands are those of independent residuals.
    fitted_label : str
    note : str
        What a test says, for the title.
    ax : sequence of 2 Axes, optional
        A new figure by default.

    Returns
    -------
    matplotlib.figure.Figure
        Left, ordered residuals against normal quantiles, with the pointwise 95 % band.  Right, residuals and their
        averages over bins of equal count (at each fitted value if there are few), with the band in which 95 % of such
        averages lie under the model.
    """
    fig, axes = canvas(ax, 2, (4.4, 3.9))
    _residual_panels(axes, residuals, fitted, simulated, fitted_label, note)
    return fig


def plot_checks(
    residuals: Array,
    fitted: Array,
    simulated: Array,
    checks: pd.DataFrame,
    *,
    fitted_label: str = "fitted value",
    ax: Any = None,
) -> Figure:
    """Draw residuals as `plot_residuals` does, and beside them each check of a model.

    Parameters
    ----------
    residuals, fitted, simulated, fitted_label
        As in `plot_residuals`.
    checks : DataFrame
        A row a check: ``statistic``, ``lower``, ``upper``, between which 95 % of the simulated statistics lie, and
        ``pvalue``.
    ax : sequence of 3 Axes, optional
        A new figure by default.

    Returns
    -------
    matplotlib.figure.Figure
        On the right, statistics on a scale on which all 95 % intervals are one; those whose p-values are at most 0.05
        in another colour.
    """
    fig, axes = canvas(ax, 3, (4.4, max(3.9, 0.36 * len(checks) + 1.2)))
    _residual_panels(axes[:2], residuals, fitted, simulated, fitted_label, "")
    panel, at = axes[2], np.arange(len(checks))[::-1]
    low, high, here = (checks[name].to_numpy(float) for name in ("lower", "upper", "statistic"))
    width = np.where(high > low, high - low, 1.0)
    place = np.clip(2.0 * (here - 0.5 * (low + high)) / width, -FARTHEST, FARTHEST)
    panel.axvspan(-1.0, 1.0, color=LIGHT, alpha=0.5, lw=0)
    panel.axvline(0.0, color=GREY, lw=0.9)
    for outside, colour in ((False, BLUE), (True, VERMILION)):
        which = (checks["pvalue"].to_numpy(float) <= 1.0 - LEVEL) == outside
        panel.plot(place[which], at[which], "o", color=colour, ms=6.0)
    panel.set_yticks(at, [shortened(name, 30) for name in checks.index])
    panel.set_ylim(-0.7, len(checks) - 0.3)
    panel.set_xlim(-FARTHEST - 0.3, FARTHEST + 0.3)
    beside = panel.secondary_yaxis("right")
    beside.set_yticks(at, [f"p = {p:.3f}" for p in checks["pvalue"]])
    for axis in (panel, beside):
        axis.tick_params(axis="y", labelsize=8.5, length=0)
    panel.set_xticks([-1, 1], ["2.5 %", "97.5 %"])
    left, right = panel.get_xticklabels()
    left.set_horizontalalignment("right")  # apart, however narrow
    right.set_horizontalalignment("left")
    panel.set(xlabel="statistic of the data among those\nof simulated data sets", title="Checks")
    panel.grid(axis="x", color=LIGHT, lw=0.5, alpha=0.6)
    return fig


def _residual_panels(
    axes: Sequence[Axes], residuals: Array, fitted: Array, simulated: Array | None, label: str, note: str
) -> None:
    """QQ plot, and residuals against what they are held against."""
    categories = None
    x = np.asarray(fitted)
    if x.dtype.kind in "OU":
        categories, x = np.unique(x.astype(str), return_inverse=True)
    shown = np.isfinite(residuals) & np.isfinite(x)
    r, x = np.asarray(residuals, float)[shown], x.astype(float)[shown]
    others = None if simulated is None else np.asarray(simulated, float)[shown]
    _quantiles(axes[0], np.sort(r), None if others is None else np.sort(others, axis=0), note)
    _against(axes[1], r, x, others, label)
    if categories is not None:
        axes[1].set_xticks(range(len(categories)), [shortened(c, 14) for c in categories])


def _limits(values: Array) -> tuple[Array, Array]:
    """Limits that 95 % of the columns lie within, row by row."""
    low, high = np.quantile(values, [0.5 * (1.0 - LEVEL), 0.5 * (1.0 + LEVEL)], axis=1)
    return low, high


def _quantiles(ax: Axes, r: Array, others: Array | None, note: str) -> None:
    """Ordered residuals against the quantiles of a standard normal."""
    n = len(r)
    rank = np.arange(1, n + 1)
    theory = stats.norm.ppf((rank - 0.375) / (n + 0.25))
    if others is None:
        tail = 0.5 * (1.0 - LEVEL)
        low, high = (stats.norm.ppf(stats.beta.ppf(p, rank, n + 1 - rank)) for p in (tail, 1.0 - tail))
    else:
        low, high = _limits(others)
    ax.fill_between(theory, low, high, color=LIGHT, alpha=0.6, lw=0, label="95 % band, pointwise")
    edge = np.array([theory[0], theory[-1]])
    ax.plot(edge, edge, color=GREY, lw=1.0)
    outside = (r < low) | (r > high)
    size = float(np.clip(40.0 / np.sqrt(n), 1.8, 4.0))
    ax.plot(theory[~outside], r[~outside], "o", color=BLUE, ms=size)
    label = f"outside: {100 * outside.mean():.1f} %"
    ax.plot(theory[outside], r[outside], "o", color=VERMILION, ms=size, label=label)
    ax.set(xlabel="standard normal quantile", ylabel="simulated residual, ordered")
    ax.set_title(f"Normal QQ, {note}" if note else "Normal QQ")
    ax.grid(color=LIGHT, lw=0.5, alpha=0.6)
    ax.legend(frameon=False, fontsize=8.5, loc="upper left")


def _against(ax: Axes, r: Array, x: Array, others: Array | None, label: str) -> None:
    """Residuals, and their averages over bins of fitted values."""
    n = len(r)
    distinct, place = np.unique(x, return_inverse=True)
    if len(distinct) <= MOST_BINS:
        bins = [np.flatnonzero(place == k) for k in range(len(distinct))]
    else:
        count = int(np.clip(np.sqrt(n), 4, MOST_BINS))
        bins = [b for b in np.array_split(np.argsort(x, kind="stable"), count) if len(b)]
    centre = np.array([x[b].mean() for b in bins])
    mean = np.array([r[b].mean() for b in bins])
    if others is None:
        high = stats.norm.isf(0.5 * (1.0 - LEVEL)) / np.sqrt([len(b) for b in bins])
        low = -high
    else:
        low, high = _limits(np.array([others[b].mean(axis=0) for b in bins]))
    size = float(np.clip(40.0 / np.sqrt(n), 1.8, 4.0))
    ax.plot(x, r, "o", color=BLUE, ms=size, alpha=0.35, mew=0)
    ax.axhline(0.0, color=GREY, lw=0.9)
    ax.fill_between(centre, low, high, color=LIGHT, alpha=0.8, lw=0, label="95 % band of averages")
    ax.plot(centre, mean, "-o", color=VERMILION, ms=4, lw=1.2, label=f"averages of {len(bins)} bins")
    ax.set(xlabel=label, ylabel="simulated residual", title="Residuals")
    top = 1.25 * float(np.max(np.abs(r)))
    ax.set_ylim(-top, 1.25 * top)
    ax.grid(color=LIGHT, lw=0.5, alpha=0.6)
    ax.legend(frameon=False, fontsize=8.5, loc="upper left", ncols=2)
