"""Tables in Markdown, and what a table should say of where it was made."""

import os
import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> str:
    """Lay cells out as a Markdown table, the first ``left`` columns flush left and the others right."""
    cells = [list(head), *[list(row) for row in rows]]
    widths = [max(len(row[j]) for row in cells) for j in range(len(head))]

    def line(row: Sequence[str]) -> str:
        padded = [
            c.ljust(w) if j < left else c.rjust(w) for j, (c, w) in enumerate(zip(row, widths, strict=True))
        ]
        return f"| {' | '.join(padded)} |"

    rule = ["-" * w if j < left else "-" * (w - 1) + ":" for j, w in enumerate(widths)]
    return "\n".join([line(cells[0]), line(rule), *map(line, cells[1:])])


def number(value: float | None, digits: int = 3) -> str:
    """Write a number with so many significant digits, never as a power of ten unless it is tiny."""
    if value is None:
        return "-"
    if value == 0 or 1e-4 <= abs(value) < 10**digits:
        return f"{value:#.{digits}g}".rstrip(".")
    return f"{value:.0f}" if abs(value) >= 1 else f"{value:.{digits - 1}e}"


def environment(*packages: str) -> str:
    """Name the versions, cores and threads that numbers depend on."""
    found = [f"{name} {version_of(name)}" for name in ("numpy", "scipy", "statsmodels", *packages)]
    threads = os.environ.get("OMP_NUM_THREADS", "not set")
    python = f"Python {platform.python_version()}"
    return f"{', '.join([python, *found])}; {platform.machine()}, {cores()} cores, OMP_NUM_THREADS {threads}"


def version_of(package: str) -> str:
    """Version of an installed package."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def cores() -> int:
    """Count the cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
