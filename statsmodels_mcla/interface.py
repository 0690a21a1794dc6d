"""What people see of an object that they hold: completion without internals, its table in notebooks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

LONGEST = 100  # characters of a formula in a line


class WithoutInternals:
    """Object whose completion shows what is meant for users."""

    _internal: ClassVar[frozenset[str]] = frozenset()

    def __dir__(self) -> Iterable[str]:
        return [name for name in super().__dir__() if name not in self._internal]


class ShownByTable(WithoutInternals):
    """Object that notebooks show by its ``summary_frame()``."""

    def _repr_html_(self) -> str:
        table: Any = getattr(self, "summary_frame")()  # noqa: B009
        return str(table.to_html())


def cut(text: str) -> str:
    """Text of one line, shortened in its middle if it is long."""
    text = " ".join(text.split())
    half = LONGEST // 2 - 3
    return text if len(text) <= LONGEST else f"{text[:half]} ... {text[-half:]}"
