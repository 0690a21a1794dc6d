"""What all pictures share: matplotlib when it is first needed, axes, colours, names of levels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from types import ModuleType

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito (2008): told apart with every kind of colour vision
BLUE, VERMILION, GREEN, PINK, SKY, AMBER = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00"
GREY, LIGHT = "#6B6B6B", "#BDBDBD"
CYCLE = (
    BLUE,
    VERMILION,
    GREEN,
    PINK,
    AMBER,
    SKY,
    "#000000",
    "#882255",
    "#999933",
    "#332288",
)  # the last of Tol
LONGEST = 26  # characters of a level's name beyond which it is cut
NAMED = 64  # levels up to which every one is named
LABEL_INCHES = 0.125  # height of a name that can still be read


def pyplot() -> ModuleType:
    """matplotlib.pyplot, imported when a picture is first asked for.

    Raises
    ------
    ImportError
        If matplotlib is not installed; the message names the extra that brings it.
    """
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            "pictures need matplotlib, which is not installed: pip install 'statsmodels-mcla[plots]'"
        ) from error
    return plt


def canvas(
    ax: Any, panels: int, size: tuple[float, float], columns: int | None = None
) -> tuple[Figure, list[Axes]]:
    """Figure and axes to draw on.

    Parameters
    ----------
    ax : Axes, sequence of Axes or None
        What the caller gave: one Axes for each panel. None makes a new figure.
    panels : int
        Number of panels.
    size : tuple of float
        Width and height of one panel, inches.
    columns : int, optional
        Panels side by side; all of them by default.

    Raises
    ------
    ValueError
        If the number of Axes given is not that of the panels.
    """
    plt = pyplot()
    if ax is None:
        columns = min(panels, columns or panels)
        rows = -(-panels // columns)
        fig = plt.figure(figsize=(size[0] * columns, size[1] * rows), layout="constrained")
        made = [fig.add_subplot(rows, columns, k + 1) for k in range(panels)]
        for panel in made:
            panel.spines[["top", "right"]].set_visible(False)
        return fig, made
    given = [a for a in np.ravel(np.asarray(ax, dtype=object)) if a is not None]
    if len(given) != panels or not all(hasattr(a, "plot") for a in given):
        raise ValueError(
            f"ax must be {'one matplotlib Axes' if panels == 1 else f'a sequence of {panels} matplotlib Axes'}, "
            f"one for each panel of this picture; got {ax!r}"
        )
    return given[0].figure, given


def picture_height(count: int) -> float:
    """Inches for so many levels one above the other: room for every name, or for a page of very many."""
    return max(0.15 * count + 1.3, 2.6) if count <= NAMED else 7.0


def shortened(name: Any, longest: int = LONGEST) -> str:
    """Name that fits beside an axis."""
    text = str(name)
    if len(text) <= longest:
        return text
    first, comma, _ = text.partition(", ")  # the name of a block begins with its first level
    return f"{first}, …" if comma and len(first) < longest else text[: longest - 1].rstrip(" ,") + "…"


def name_levels(ax: Axes, names: Sequence[Any]) -> int:
    """Write the names of levels at y = 0, 1, ...; of very many, every k-th.

    Returns
    -------
    int
        k: one name in so many is written.
    """
    inches = ax.get_window_extent().height / ax.figure.dpi
    inches *= 1.1  # what the layout will add
    room = max(2, int(inches / LABEL_INCHES))
    step = max(1, -(-len(names) // room))
    at = np.arange(len(names) - 1, -1, -step)  # the uppermost is always among them
    points = 72 * inches / max(len(at), 1)
    ax.set_yticks(at, [shortened(names[int(k)]) for k in at], fontsize=float(np.clip(0.75 * points, 6.5, 9)))
    ax.set_ylim(-0.8, len(names) - 0.2)
    return step


def legend_below(ax: Axes, columns: int = 2) -> None:
    """Legend under the axes, where it hides nothing."""
    ax.legend(
        loc="upper center",
        bbox_to_anchor=(0.5, -0.16),
        ncols=columns,
        frameon=False,
        fontsize=8.5,
        borderaxespad=0.3,
    )
