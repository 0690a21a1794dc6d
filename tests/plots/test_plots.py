"""Pictures: figures of their own or on the axes that were given, with text that can be read."""

from __future__ import annotations

import subprocess
import sys
from itertools import combinations
from typing import Any

import pytest
from helpers import fit_of
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from matplotlib.text import Text
from pictures import LARGE, PICTURES


@pytest.mark.parametrize(("panels", "draw"), PICTURES.values(), ids=PICTURES)
def test_draws_a_figure_of_its_own(panels: int, draw: Any) -> None:
    other = plt.figure()
    fig = draw(None)
    assert isinstance(fig, Figure)
    assert fig is not other
    assert len(fig.axes) == panels
    assert plt.get_fignums() == [other.number, fig.number]
    assert not other.axes


@pytest.mark.parametrize(("panels", "draw"), PICTURES.values(), ids=PICTURES)
def test_draws_on_the_axes_that_are_given(panels: int, draw: Any) -> None:
    given, axes = plt.subplots(1, panels + 1)
    chosen = axes[1] if panels == 1 else axes[1:]
    fig = draw(chosen)
    assert fig is given
    assert plt.get_fignums() == [given.number]
    assert len(fig.axes) == panels + 1
    assert not axes[0].has_data()
    assert all(ax.has_data() for ax in axes[1:])


@pytest.mark.parametrize(("panels", "draw"), PICTURES.values(), ids=PICTURES)
def test_refuses_axes_of_another_number(panels: int, draw: Any) -> None:
    axes = plt.subplots(1, panels + 1)[1]
    wanted = "one matplotlib Axes" if panels == 1 else f"sequence of {panels} matplotlib Axes"
    with pytest.raises(ValueError, match=f"ax must be .*{wanted}"):
        draw(axes)
    with pytest.raises(ValueError, match=f"ax must be .*{wanted}"):
        draw("here")


def test_says_how_to_get_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    for _, draw in PICTURES.values():
        with pytest.raises(ImportError, match=r"pip install 'statsmodels-mcla\[plots\]'"):
            draw(None)


def test_matplotlib_waits_until_it_is_needed() -> None:
    code = "import sys, statsmodels_mcla.plots; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# Text that can be read --------------------------------------------------------------------------------


def boxes_of(fig: Figure) -> list[tuple[str, Any]]:
    """Text and extent of everything written in a figure."""
    fig.canvas.draw()
    texts = [t for t in fig.findobj(Text) if t.get_visible() and t.get_text().strip()]
    ticks = {
        id(label)
        for ax in fig.axes
        for axis, limits in ((ax.xaxis, ax.get_xlim()), (ax.yaxis, ax.get_ylim()))
        for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks())
        for label in (tick.label1, tick.label2)
        if not min(limits) - 1e-9 <= tick.get_loc() <= max(limits) + 1e-9
    }
    return [(t.get_text(), t.get_window_extent()) for t in texts if id(t) not in ticks]


@pytest.mark.parametrize(
    "draw",
    [*(lambda d=d: d(None) for _, d in PICTURES.values()), *LARGE.values()],
    ids=[*PICTURES, *LARGE],
)
def test_nothing_is_written_over_anything(draw: Any) -> None:
    fig = draw()
    boxes = boxes_of(fig)
    assert len(boxes) > 5
    for (one, a), (two, b) in combinations(boxes, 2):
        assert not a.padded(-0.5).overlaps(b.padded(-0.5)), (one, two)
    for text, box in boxes:
        assert box.x0 >= 0, text
        assert box.x1 <= fig.bbox.x1, text
        assert box.y0 >= 0, text
        assert box.y1 <= fig.bbox.y1, text


@pytest.mark.parametrize(("panels", "draw"), PICTURES.values(), ids=PICTURES)
def test_axes_are_labelled(panels: int, draw: Any) -> None:
    for ax in draw(None).axes:
        assert ax.get_xlabel()
        assert ax.get_ylabel() or not ax.get_yticks().size or ax.get_subplotspec().colspan.start > 0


def test_ends_of_the_intervals_of_checks_are_readable() -> None:
    figure = fit_of("bacteria").check(nsim=50).plot()
    figure.axes[2].set_xlim(-12.0, 12.0)  # however narrow they are
    figure.canvas.draw()
    low, high = (label.get_window_extent() for label in figure.axes[2].get_xticklabels())
    assert low.x1 < high.x0
    plt.close(figure)
