"""Residuals that would be standard normal if the model were true: QQ plot, and against fitted values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats

from statsmodels_mcla.plots.style import BLUE, GREY, LIGHT, VERMILION, canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from statsmodels_mcla.numerics import Array

LEVEL = 0.95
MOST_BINS = 20


def plot_residuals(
    residuals: Array,
    fitted: Array,
    simulated: Array | None = None,
    *,
    fitted_label: str = "fitted value",
    ax: Any = None,
) -> Figure:
    """Draw normal residuals against their quantiles and against fitted values.

    Parameters
    ----------
    residuals : ndarray (n,)
        Randomised quantile residuals (Dunn and Smyth, 1996), standard normal under the model.
    fitted : ndarray (n,)
        What to hold them against.
    simulated : ndarray (n, B), optional
        Such residuals of data simulated from the model, which the bands are taken from: rows of one group depend on
        each other.  Without them the bands are those of independent residuals.
    fitted_label : str
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
    shown = np.isfinite(residuals) & np.isfinite(fitted)
    r, x = np.asarray(residuals, float)[shown], np.asarray(fitted, float)[shown]
    others = None if simulated is None else np.asarray(simulated, float)[shown]
    _quantiles(axes[0], np.sort(r), None if others is None else np.sort(others, axis=0))
    _against(axes[1], r, x, others, fitted_label)
    return fig


def _limits(values: Array) -> tuple[Array, Array]:
    """Limits that 95 % of the columns lie within, row by row."""
    low, high = np.quantile(values, [0.5 * (1.0 - LEVEL), 0.5 * (1.0 + LEVEL)], axis=1)
    return low, high


def _quantiles(ax: Axes, r: Array, others: Array | None) -> None:
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
    ax.set(xlabel="standard normal quantile", ylabel="simulated residual, ordered", title="Normal QQ")
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
    ax.set(xlabel=label, ylabel="simulated residual", title="Residuals against fitted")
    top = 1.25 * float(np.max(np.abs(r)))
    ax.set_ylim(-top, 1.25 * top)
    ax.grid(color=LIGHT, lw=0.5, alpha=0.6)
    ax.legend(frameon=False, fontsize=8.5, loc="upper left", ncols=2)
