"""The pages of `docs`: what they say can be written can be written, and what is public stands in them."""

from __future__ import annotations

import importlib
import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import statsmodels_mcla
from statsmodels_mcla import MCLAMixedGLM, datasets, families
from statsmodels_mcla.families import ConditionalFamily
from statsmodels_mcla.results import MCLAMixedGLMResults

ROOT = Path(__file__).parents[2]
COMING_FROM = sorted((ROOT / "docs" / "coming_from").glob("*.md"))
SPAN = re.compile(r"`([^`]+)`")


def rows_of(page: str) -> Iterator[str]:
    """Right cells of the tables of a page."""
    for line in page.splitlines():
        cells = re.split(r"(?<!\\)\|", line.strip())
        if line.startswith("|") and len(cells) == 4 and not set(cells[1]) <= set("- "):
            yield cells[2].strip().replace(r"\|", "|")


def statements(cell: str) -> list[str]:
    """Code of a cell that can be run: calls, attributes, imports; not arguments and terms of formulas."""
    return [s for s in SPAN.findall(cell) if not s.startswith("(") and ("." in s or "(" in s)]


def setting(page: str) -> str:
    found = re.search(r"```python\n(.*?)```", page, re.DOTALL)
    assert found is not None
    return found[1]


@pytest.mark.parametrize("path", [p for p in COMING_FROM if p.stem != "index"], ids=lambda path: path.stem)
def test_the_right_columns_run(path: Path) -> None:
    page = path.read_text("utf-8")
    names: dict[str, Any] = {}
    exec(setting(page), names)
    calls = [call for cell in rows_of(page) for call in statements(cell)]
    assert len(calls) >= 20
    failures = []
    for call in calls:
        try:
            exec(call, names)
        except Exception as error:  # noqa: BLE001, PERF203 - all of them are told at once
            failures.append(f"{call}: {type(error).__name__}: {error}")
    assert failures == []


def test_a_wrong_cell_is_found() -> None:
    cells = list(rows_of("| a | b |\n|---|---|\n| `f(x \\| y)` | `m.nothing()`; more: `g(1 \\| 2)` |\n"))
    assert [s for cell in cells for s in statements(cell)] == ["m.nothing()", "g(1 | 2)"]


def test_links_that_lead_nowhere_are_found(tmp_path: Path) -> None:
    page = '<h1 id="top"></h1><a href="#top">a</a><a href="other.html#there">b</a><a href="https://example.org">c</a>'
    (tmp_path / "index.html").write_text(page, "utf-8")
    (tmp_path / "other.html").write_text('<p id="there"></p>', "utf-8")
    check = [sys.executable, str(ROOT / ".ci" / "links"), str(tmp_path)]
    assert (
        "2 internal links, 0 lead" in subprocess.run(check, check=True, capture_output=True, text=True).stdout
    )
    (tmp_path / "other.html").write_text('<p id="elsewhere"></p><a href="gone.html">d</a>', "utf-8")
    found = subprocess.run(check, check=False, capture_output=True, text=True)
    assert found.returncode == 1
    assert "index.html: other.html#there" in found.stdout
    assert "other.html: gone.html" in found.stdout


def documented() -> dict[str, Any]:
    """What the pages of the API reference list, by full name."""
    found: dict[str, Any] = {}
    for path in sorted((ROOT / "docs" / "api").glob("*.rst")):
        module, inside = "", False
        for line in path.read_text("utf-8").splitlines():
            if line.startswith(".. currentmodule::"):
                module = line.split()[-1]
            if line and not line.startswith(" "):
                inside = line.startswith(".. autosummary::")
            elif inside and re.fullmatch(r"   ~?[A-Za-z_][\w.]*", line):
                name = f"{module}.{line.strip().lstrip('~')}"
                found[name] = resolved(name)
    return found


def resolved(name: str) -> Any:
    parts = name.split(".")
    for k in range(len(parts), 0, -1):
        try:
            thing: Any = importlib.import_module(".".join(parts[:k]))
        except ModuleNotFoundError:
            continue
        for part in parts[k:]:
            thing = inspect.getattr_static(thing, part) if inspect.isclass(thing) else getattr(thing, part)
        return getattr(thing, "__func__", thing)
    raise ModuleNotFoundError(name)


DOCUMENTED = documented()
CLASSES = {name: thing for name, thing in DOCUMENTED.items() if inspect.isclass(thing)}


def callables() -> dict[str, Any]:
    """Functions and classes of the reference, and the methods of these classes that are this package's own."""
    found = {name: thing for name, thing in DOCUMENTED.items() if callable(thing)}
    for name, kind in CLASSES.items():
        if issubclass(kind, ConditionalFamily | Warning):
            continue  # the methods of families are for those who write one
        for member in dir(kind):
            thing = inspect.getattr_static(kind, member)
            thing = getattr(thing, "__func__", thing)
            if not member.startswith("_") and inspect.isfunction(thing) and member not in internal(kind):
                found[f"{name}.{member}"] = thing
    return {name: thing for name, thing in found.items() if thing.__module__.startswith("statsmodels_mcla")}


def internal(kind: Any) -> frozenset[str]:
    return getattr(kind, "_internal", frozenset())


CALLABLES = callables()
OF_PARENT = (
    "Warning",
    "add_extra_txt",
    "add_table_2cols",
    "add_table_params",
    "as_csv",
    "as_html",
    "as_latex",
)


@pytest.mark.parametrize("name", [name for name in CALLABLES if not name.endswith(OF_PARENT)])
def test_everything_public_has_an_example(name: str) -> None:
    assert ">>>" in (inspect.getdoc(CALLABLES[name]) or "")


def test_premise_the_reference_is_read() -> None:
    assert len(CLASSES) >= 30
    assert len(CALLABLES) >= 120


def test_what_completion_shows_is_in_the_reference() -> None:
    data = datasets.bacteria.load_pandas().data
    model = MCLAMixedGLM.from_formula("(y == 'y') ~ week + (1 | ID)", data=data)
    text = "".join(path.read_text("utf-8") for path in (ROOT / "docs" / "api").glob("*.rst"))
    for thing in (model, model.fit(rng=1), model.fit_laplace()):
        shown = {name for name in dir(thing) if not name.startswith("_")}
        assert sorted(name for name in shown if not re.search(rf"\b{name}\b", text)) == []
        assert shown.isdisjoint(
            {"facts", "estimates", "fitted", "labelled", "monte_carlo", "reduction", "inputs"}
        )


def test_what_methods_return_is_in_the_reference() -> None:
    known = {kind.__name__ for kind in CLASSES.values()} | {
        "MCLAMixedGLMResultsWrapper",
        "MixedGLMResultsWrapper",
    }
    annotated = [
        str(inspect.signature(thing).return_annotation)
        for name, thing in CALLABLES.items()
        if inspect.isfunction(thing)
    ]
    ours = {name for name in annotated if re.fullmatch(r"[A-Z]\w+", name)}
    outside = {"Any", "Array", "Labelled", "Figure", "Own", "None", "Dataset", "SimpleTable", "Summary"}
    assert len(ours - outside) >= 8
    assert ours - outside <= known


def test_exported_names_are_in_the_reference() -> None:
    shown = set(statsmodels_mcla.__all__) - {"__version__", "datasets"}
    assert {f"statsmodels_mcla.{name}" for name in shown} <= set(DOCUMENTED)
    for name in datasets.__all__:
        assert f"statsmodels_mcla.datasets.{name}.load_pandas" in DOCUMENTED
    for name in families.__all__:
        kind = getattr(families, name)
        built_in = name in (
            "Binomial",
            "Poisson",
            "Gamma",
            "Gaussian",
            "BinomialTails",
        )  # statsmodels' are given
        general = name in (  # to build on
            *("ConditionalFamily", "ChangeOfLink", "Composed", "SeveralPredictors", "SmoothDensity"),
        )
        if inspect.isclass(kind) and issubclass(kind, ConditionalFamily) and not (built_in or general):
            assert f"statsmodels_mcla.families.{name}" in DOCUMENTED


@pytest.mark.parametrize("name", ["conf_int", "with_cov_type", "cov_params", "cov_mcse", "t_test", "summary"])
def test_help_on_results_is_that_of_the_method(name: str) -> None:
    data = datasets.bacteria.load_pandas().data
    shown = getattr(MCLAMixedGLM.from_formula("(y == 'y') ~ week + (1 | ID)", data=data).fit(rng=1), name)
    own = getattr(MCLAMixedGLMResults, name)
    parameters = [p for p in inspect.signature(own).parameters if p != "self"]
    assert [p for p in inspect.signature(shown).parameters if p != "self"] == parameters
    assert inspect.getdoc(own).splitlines()[0] in inspect.getdoc(shown)
    assert "See `" not in inspect.getdoc(shown)
