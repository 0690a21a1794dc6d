"""Stored notebooks: executed from top to bottom, without errors, and without traces of where that was done."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from statsmodels_mcla.results.methods.plots import MonteCarloPlots, PlotResults

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
OF_ONE_COMPUTER = re.compile(r"/(?:home|root|tmp|Users|usr|opt|work)/|\b0x[0-9a-f]{6,}\b|[A-Z]:\\\\")


def code_cells(path: Path) -> list[dict[str, Any]]:
    return [cell for cell in json.loads(path.read_text("utf-8"))["cells"] if cell["cell_type"] == "code"]


def text_of(output: dict[str, Any]) -> str:
    data = {kind: text for kind, text in output.get("data", {}).items() if not kind.startswith("image/")}
    return json.dumps([output.get("text", ""), data])


def test_there_are_notebooks() -> None:
    assert len(NOTEBOOKS) >= 8
    assert len(PICTURES) == 9


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_executed_in_order(path: Path) -> None:
    counts = [cell["execution_count"] for cell in code_cells(path)]
    assert counts == list(range(1, len(counts) + 1))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_outputs_have_no_errors_or_warnings(path: Path) -> None:
    outputs = [output for cell in code_cells(path) for output in cell["outputs"]]
    assert any("image/png" in output.get("data", {}) for output in outputs)
    assert [output for output in outputs if output["output_type"] == "error"] == []
    assert [output["text"] for output in outputs if output.get("name") == "stderr"] == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_says_nothing_of_the_computer_it_ran_on(path: Path) -> None:
    for cell in code_cells(path):
        assert not OF_ONE_COMPUTER.search("".join(cell["source"]))
        for output in cell["outputs"]:
            found = OF_ONE_COMPUTER.search(text_of(output))
            assert found is None, found


PICTURES = [
    name for kind in (PlotResults, MonteCarloPlots) for name in vars(kind) if name.startswith("plot_")
]


@pytest.mark.parametrize("picture", PICTURES)
def test_every_picture_is_shown(picture: str) -> None:
    shown = [
        cell
        for path in NOTEBOOKS
        for cell in code_cells(path)
        if f".{picture}(" in "".join(cell["source"])
        and any("image/png" in output.get("data", {}) for output in cell["outputs"])
    ]
    assert shown


def test_what_is_looked_for_is_found() -> None:
    for text in ("/home/someone/x.py:3: UserWarning", "<Styler at 0x7f4b7427e0d0>"):
        assert OF_ONE_COMPUTER.search(text)
    assert not OF_ONE_COMPUTER.search("R/W, W/R and 1/2 per cent")
