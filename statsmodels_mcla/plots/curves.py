"""Fitted curves with their bands over a covariate, for the population and for single groups."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from statsmodels_mcla.plots.style import CYCLE, LIGHT, canvas, shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from statsmodels_mcla.numerics import Array

DASHES = ("-", "--", ":", "-.")
LEGEND_CHARACTERS = 84  # side by side below the axes
FEW = 3  # curves beyond which bands are fainter
NOTE_CHARACTERS = 76  # above the axes
MANY = 6  # curves of groups beyond which they are drawn thin, without bands and names


@dataclass(frozen=True)
class Curve:
    """A fitted curve.

    Attributes
    ----------
    label : str
    x : ndarray (k,)
        Covariate: numbers, or names of categories.
    mean, lower, upper : ndarray (k,)
        Prediction with its confidence limits.
    colour, dash : int
        Curves that share a category of ``by`` share a colour; those of one kind share a dash.
    of_group : bool
        Whether it belongs to one group rather than to the population.
    category : str
        Category that its colour stands for; the legend names it where groups are too many to be named.
    """

    label: str
    x: Array
    mean: Array
    lower: Array
    upper: Array
    colour: int = 0
    dash: int = 0
    of_group: bool = False
    category: str = ""


@dataclass(frozen=True)
class Points:
    """Observed averages of the response.

    Attributes
    ----------
    label : str
    x, y, count : ndarray (k,)
        Where, how large, and of how many rows.
    colour : int
    """

    label: str
    x: Array
    y: Array
    count: Array
    colour: int = 0


def plot_fit(
    curves: Sequence[Curve],
    points: Sequence[Points] = (),
    *,
    xlabel: str = "",
    ylabel: str = "",
    legend: str = "",
    note: str = "",
    alpha: float = 0.05,
    ax: Any = None,
) -> Figure:
    """Draw fitted curves with confidence bands, and observed averages next to them.

    Parameters
    ----------
    curves : sequence of Curve
    points : sequence of Points
    xlabel, ylabel : str
    legend : str
        What the curves are; the title of the legend begins with it.
    note : str
        What is held where, above the axes.
    alpha : float
        One minus the level of the bands, which the legend names.
    ax : Axes, optional

    Returns
    -------
    matplotlib.figure.Figure
    """
    fig, (axes,) = canvas(ax, 1, (5.6, 4.6))
    _draw(axes, curves, points, xlabel, ylabel, note, NOTE_CHARACTERS)
    _explain(fig, axes, curves, legend, alpha, below=ax is None)
    return fig


def plot_panels(
    parts: Mapping[str, tuple[Sequence[Curve], Sequence[Points]]],
    *,
    xlabel: str = "",
    ylabel: str = "",
    legend: str = "",
    note: str = "",
    alpha: float = 0.05,
    ax: Any = None,
) -> Figure:
    """Draw fitted curves as `plot_fit` does, a panel for each part, on common axes.

    Parameters
    ----------
    parts : mapping of str to (curves, points)
        By the title of the panel.
    xlabel, ylabel, legend, note, alpha
        As in `plot_fit`.
    ax : sequence of Axes, optional
        One a part; a new figure by default.

    Returns
    -------
    matplotlib.figure.Figure
    """
    fig, axes = canvas(ax, len(parts), (3.2, 3.1), columns=3)
    for panel, (title, (curves, points)) in zip(axes, parts.items(), strict=True):
        place = panel.get_subplotspec()
        first = place is None or place.is_first_col()
        _draw(panel, curves, points, xlabel, ylabel if first else "", title, NOTE_CHARACTERS // 2)
    limits = np.array([panel.get_ylim() for panel in axes])
    for panel in axes:
        panel.set_ylim(limits[:, 0].min(), limits[:, 1].max())
    _explain(fig, axes[0], next(iter(parts.values()))[0], legend, alpha, below=ax is None)
    if ax is None:
        fig.suptitle(note, fontsize=8.5)
    return fig


def _draw(
    axes: Axes,
    curves: Sequence[Curve],
    points: Sequence[Points],
    xlabel: str,
    ylabel: str,
    title: str,
    width: int,
) -> None:
    """Curves and points on one pair of axes."""
    longest = sorted(curves, key=lambda curve: -len(curve.x))  # some have not all categories
    numeric = np.issubdtype(curves[0].x.dtype, np.number)
    categories = None if numeric else list(dict.fromkeys(c for curve in longest for c in curve.x))
    place = {c: float(k) for k, c in enumerate(categories or [])}
    many = sum(c.of_group for c in curves) > MANY
    faint = 0.18 if len(curves) <= FEW else 0.08
    axes.set_title("\n".join(textwrap.wrap(title, width)), fontsize=8.5, loc="left")
    shifts = np.linspace(-0.25, 0.25, len(curves)) if len(curves) > 1 else np.zeros(1)
    of_colour = {c.colour: shift for c, shift in zip(reversed(curves), reversed(shifts), strict=True)}
    for curve, shift in zip(curves, shifts, strict=True):
        style: dict[str, Any] = {"color": CYCLE[curve.colour % len(CYCLE)]}
        if categories is not None:
            _category_bars(axes, curve, np.array([place[c] for c in curve.x]) + shift, style)
            continue
        if curve.of_group and many:
            axes.plot(curve.x, curve.mean, lw=0.7, alpha=0.5, zorder=1, **style)
            continue
        axes.fill_between(curve.x, curve.lower, curve.upper, alpha=faint, lw=0, zorder=1, **style)
        dash = DASHES[curve.dash % len(DASHES)]
        axes.plot(curve.x, curve.mean, dash, lw=2.0, zorder=3, label=curve.label, **style)
    if many:
        thin = [(c.colour, c.category) for c in curves if c.of_group]
        for colour, category in sorted(set(thin)):
            count = f"{thin.count((colour, category))} groups"
            axes.plot(
                [],
                [],
                lw=0.9,
                color=CYCLE[colour % len(CYCLE)],
                label=f"{category}, {count}" if category else count,
            )
    for group in points:
        shift = of_colour.get(group.colour, 0.0) + 0.12 / len(
            curves
        )  # beside the estimates that it is compared with
        at = group.x if categories is None else np.array([place[c] for c in group.x]) + shift
        size = 10.0 + 60.0 * group.count / max(float(group.count.max()), 1.0)
        axes.scatter(
            at,
            group.y,
            s=size,
            facecolors="none",
            edgecolors=CYCLE[group.colour % len(CYCLE)],
            linewidths=1.1,
            zorder=4,
            label=group.label,
        )
    if categories is not None:
        axes.set_xticks(range(len(categories)), [shortened(c) for c in categories])
        axes.set_xlim(-0.6, len(categories) - 0.4)
    axes.set(xlabel=xlabel, ylabel=ylabel)
    axes.grid(color=LIGHT, lw=0.5, alpha=0.6)


def _explain(
    fig: Figure, axes: Axes, curves: Sequence[Curve], legend: str, alpha: float, *, below: bool
) -> None:
    """Legend, below the figure or in the axes."""
    categories = not np.issubdtype(curves[0].x.dtype, np.number)
    many = sum(c.of_group for c in curves) > MANY
    shown = f"{100 * (1 - alpha):g} % confidence"
    handles, labels = axes.get_legend_handles_labels()
    kind = f"{shown} interval" if categories else f"{shown} band"
    title = f"{legend or ('estimate' if categories else 'curve')} and {kind}"
    if many and all(c.of_group for c in curves):
        title = "groups given the data"
    text: dict[str, Any] = {"title": title, "title_fontsize": 8.5, "fontsize": 8.5, "frameon": False}
    if below:
        columns = int(np.clip(LEGEND_CHARACTERS // (max(map(len, labels)) + 8), 1, 3))
        fig.legend(handles, labels, loc="outside lower center", ncols=columns, **text)
    else:
        axes.legend(handles, labels, **text)


def _category_bars(ax: Axes, curve: Curve, at: Array, style: dict[str, Any]) -> None:
    """Estimates with intervals over categories."""
    ax.vlines(at, curve.lower, curve.upper, lw=2.0, alpha=0.7, **style)
    ax.plot(at, curve.mean, "os^D"[curve.dash % 4], ms=6, label=curve.label, **style)
