"""How well the Monte Carlo approximation did: importance weights block by block, and the rounds of the fit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from statsmodels_mcla.likelihood.sampling import MAX_K_HAT
from statsmodels_mcla.plots.style import (
    BLUE,
    GREEN,
    GREY,
    LIGHT,
    VERMILION,
    canvas,
    legend_below,
    name_levels,
    picture_height,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from statsmodels_mcla.numerics import Array

ROUND_OFF = 1e-9  # ratios below are no Monte Carlo errors
MANY = 60  # blocks beyond which bars touch


def plot_importance(diagnostics: pd.DataFrame, worst: Array, *, ax: Any = None) -> Figure:
    """Draw the importance-weight diagnostics of every block, and the weights of the worst.

    Parameters
    ----------
    diagnostics : DataFrame
        Indexed by block, the worst first, with columns ``draws``, ``ess_ratio``, ``k_hat`` and ``share``.
    worst : ndarray (m,)
        Normalised weights of the first of these blocks.
    ax : sequence of 4 Axes, optional
        A new figure by default.

    Returns
    -------
    matplotlib.figure.Figure
        Effective sample size as a fraction of the draws; Pareto k-hat with the line at 0.7, beyond which a
        mean over the weights is unreliable; share of the Monte Carlo variance; and what part of the total
        weight the heaviest draws of the worst block carry.
    """
    count = len(diagnostics)
    fig, axes = canvas(ax, 4, (2.9, max(3.4, min(picture_height(count), 4.8))))
    if ax is None:
        fig.set_layout_engine("constrained", w_pad=0.12)  # labels of ticks stay apart
    names = list(diagnostics.index)[::-1]  # the worst at the top
    table = diagnostics.iloc[::-1]
    at = np.arange(count)
    size = float(np.clip(60.0 / count, 2.0, 5.5))

    ratio = 100.0 * table["ess_ratio"].to_numpy(float)
    axes[0].plot(ratio, at, "o", color=BLUE, ms=size)
    axes[0].set(xlim=(0, 104), xlabel="effective sample size,\n% of the draws")
    step = name_levels(axes[0], names)
    axes[0].set_ylabel(
        "block, largest share at the top" + (f"\n(of {count}, one in {step} is named)" if step > 1 else "")
    )

    k_hat = table["k_hat"].to_numpy(float)
    finite = np.isfinite(k_hat)
    heavy = finite & (k_hat > MAX_K_HAT)
    axes[1].plot(k_hat[finite & ~heavy], at[finite & ~heavy], "o", color=BLUE, ms=size)
    axes[1].plot(k_hat[heavy], at[heavy], "D", color=VERMILION, ms=size)
    axes[1].axvline(MAX_K_HAT, color=VERMILION, lw=1.1, ls="--")
    low, high = (float(f(k_hat[finite], initial=0.0)) for f in (np.min, np.max))
    axes[1].set(
        xlim=(low - 0.1, max(high, 0.9) + 0.1), xlabel=f"Pareto k-hat\n(unreliable beyond {MAX_K_HAT})"
    )
    if not finite.any():
        axes[1].text(
            0.5, 0.5, "no tail:\nweights are equal", transform=axes[1].transAxes, ha="center", color=GREY
        )

    share = 100.0 * table["share"].to_numpy(float)
    if count <= MANY:
        axes[2].barh(at, share, height=0.7, color=GREEN)
    else:
        axes[2].fill_betweenx(at, 0.0, share, step="mid", color=GREEN, lw=0)
    axes[2].set(xlabel="share of the Monte Carlo\nvariance, %")
    axes[2].set_xlim(left=0)
    for panel in axes[1:3]:
        panel.set_yticks([])
        panel.set_ylim(axes[0].get_ylim())
    for panel in axes[:3]:
        panel.grid(axis="x", color=LIGHT, lw=0.5, alpha=0.6)
    _concentration(axes[3], worst)
    return fig


def _concentration(ax: Axes, v: Array) -> None:
    """Part of the total weight that the heaviest draws carry, against their number."""
    carried = 100.0 * np.cumsum(np.sort(v)[::-1])
    draws = 100.0 * np.arange(1, len(v) + 1) / len(v)
    start = draws[0]
    ax.fill_between(draws, carried, draws, color=BLUE, alpha=0.15, lw=0)
    ax.plot(draws, carried, color=BLUE, lw=1.8, label="these weights")
    ax.plot(draws, draws, color=GREY, lw=1.1, ls="--", label="equal weights")
    ax.set(
        xlim=(start, 100),
        ylim=(0, 103),
        xlabel="heaviest draws, % of all\n(worst block)",
        ylabel="carry, % of the weight",
    )
    ax.set_title(f"heaviest draw: {100 * v.max():.2g} % of the weight", fontsize=9)
    ax.grid(color=LIGHT, lw=0.5, alpha=0.6)
    ax.legend(frameon=False, fontsize=8.5, loc="lower right")


def plot_mc_history(history: pd.DataFrame, *, tolerance: float | None = None, ax: Any = None) -> Figure:
    """Draw how the largest Monte Carlo error fell as draws were added.

    Parameters
    ----------
    history : DataFrame
        A row a round: ``stage``, ``total_draws``, ``mcse_over_se``.
    tolerance : float, optional
        Largest MCSE, in standard errors, that was asked for.
    ax : Axes, optional

    Returns
    -------
    matplotlib.figure.Figure
        Both axes logarithmic; open marks are rounds that only find out how many draws are needed.
    """
    fig, (axes,) = canvas(ax, 1, (5.2, 3.8))
    known = history[np.isfinite(history["mcse_over_se"]) & (history["mcse_over_se"] > ROUND_OFF)]
    if known.empty:
        axes.text(
            0.5,
            0.6,
            "no Monte Carlo error:\nthe likelihood is exact",
            transform=axes.transAxes,
            ha="center",
            color=GREY,
        )
    draws, ratio = known["total_draws"].to_numpy(float), 100.0 * known["mcse_over_se"].to_numpy(float)
    exact = (known["stage"] == "exact").to_numpy()
    if len(np.unique(draws)) == 1:
        axes.set_title(f"one round: {draws[0]:,.0f} draws were enough".replace(",", " "), fontsize=10)
    axes.plot(draws, ratio, "-", color=LIGHT, lw=1.4, zorder=1)
    if not exact.all():
        axes.plot(
            draws[~exact], ratio[~exact], "o", mfc="white", color=BLUE, ms=8, label="on the way (rough)"
        )
    axes.plot(draws[exact], ratio[exact], "o", color=BLUE, ms=4.5, label="at the maximum (exact)")
    if tolerance is not None:
        axes.axhline(
            100.0 * tolerance, color=VERMILION, lw=1.2, ls="--", label=f"asked for: {100 * tolerance:g} %"
        )
    axes.set(xscale="log", yscale="log", xlabel="draws in all blocks together", ylabel="largest MCSE / SE, %")
    if len(draws) > 1 and draws[-1] > draws[0]:
        axes.plot(
            draws,
            ratio[0] * np.sqrt(draws[0] / draws),
            ":",
            color=GREY,
            lw=1.1,
            label="independent draws: 1/√m",
        )
    _logarithmic(axes.xaxis, draws)
    _logarithmic(axes.yaxis, ratio if tolerance is None else np.append(ratio, 100.0 * tolerance))
    axes.grid(which="major", color=LIGHT, lw=0.5, alpha=0.6)
    legend_below(axes, 2)
    return fig


def _logarithmic(axis: Any, values: Array) -> None:
    """Limits with room around the values, and ticks at 1, 2 and 5 times the powers of ten, written out."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    low, high = (float(values.min()), float(values.max())) if len(values) else (1.0, 10.0)
    room = max(1.6, np.sqrt(12.0 * low / high))  # at least a decade, so that there are ticks to read
    axis.axes.set(**{f"{axis.axis_name}lim": (low / room, high * room)})
    span = high / low * room**2
    subs = (1.0, 2.0, 5.0) if span < 50 else (1.0, 3.0) if span < 1e3 else (1.0,)
    axis.set_major_locator(LogLocator(subs=subs, numticks=20))
    axis.set_major_formatter(
        FuncFormatter(lambda x, _: f"{x:,.0f}".replace(",", " ") if x >= 1 else f"{x:g}")
    )
    axis.set_minor_locator(NullLocator())
