"""What a formula names that is no column of its data, kept by value."""

from __future__ import annotations

import importlib
import pickle
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from patsy import EvalEnvironment

from statsmodels_mcla.formula.factors import variables_in
from statsmodels_mcla.formula.patsy_pickles import SCRIPTS, UNPICKLABLE, alone, importing
from statsmodels_mcla.formula.terms import FormulaError

LOST = (pickle.UnpicklingError, ImportError, AttributeError, TypeError, ValueError)


@dataclass(frozen=True, eq=False)
class Names:
    """Names of some expressions, with their values when the formula was read.

    A pickle has constants by value, functions and classes of modules by reference, and those of a script by value: it
    means the same in any process.  What cannot be kept so is refused when it is pickled, not when it is missed.  A deep
    copy shares the values.

    Parameters
    ----------
    values : dict
        By name.
    home : str
        Module that the formula was written in.
    lost : dict of str to str
        Names that were not found where a pickle was read, and why.
    """

    values: dict[str, Any]
    home: str
    lost: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, codes: Iterable[str], columns: Iterable[Any], env: EvalEnvironment) -> Names:
        """Look up what expressions name and the data do not have."""
        space = env.namespace
        wanted = {name for code in codes for name in variables_in(code)} - set(columns)
        values = {name: space[name] for name in sorted(wanted) if name in space}
        return cls(values, str(space.get("__name__", "")))

    def environment(self, text: str) -> EvalEnvironment:
        """Namespace to read the formula again in; `text` shows it in errors."""
        if self.lost:
            why = "; ".join(dict.fromkeys(self.lost.values()))
            raise FormulaError(
                f"`{text}` names {', '.join(self.lost)}, which was not found when the pickle was read ({why}): "
                "make it importable there"
            )
        return EvalEnvironment([self.values])

    def __deepcopy__(self, memo: dict[int, Any]) -> Names:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        contents = {name: self._content(name, value) for name, value in self.values.items()}
        return _restored, (self.home, contents, dict(self.lost))

    def _content(self, name: str, value: Any) -> bytes:
        """Bytes of a value: pickle's own, those of its place at the top of a module, or cloudpickle's."""
        with suppress(*UNPICKLABLE):
            return importing(value)
        if self.home not in SCRIPTS and getattr(sys.modules.get(self.home), name, self) is value:
            return pickle.dumps(_Place(self.home, name))  # lambdas and stateful transforms do not know theirs
        try:
            return alone(value)
        except pickle.PicklingError as error:
            raise pickle.PicklingError(
                f"a formula names {name!r}, which cannot be pickled ({error}): define it at the top of a module that "
                "is imported, or make what it gives a column of the data"
            ) from error


@dataclass(frozen=True)
class _Place:
    """Top of a module: what stands there is what is read."""

    module: str
    name: str

    def __reduce__(self) -> tuple[Any, ...]:
        return _standing_at, (self.module, self.name)


def _standing_at(module: str, name: str) -> Any:
    return getattr(importlib.import_module(module), name)


def _restored(home: str, contents: Mapping[str, bytes], lost: Mapping[str, str]) -> Names:
    """Names as far as what was pickled is found again, each on its own."""
    found = {name: _read(content) for name, content in contents.items()}
    missed = {name: str(value.error) for name, value in found.items() if isinstance(value, _Missed)}
    values = {name: value for name, value in found.items() if name not in missed}
    return Names(values, home, {**lost, **missed})


@dataclass(frozen=True)
class _Missed:
    """What was not found when a pickle was read, and why."""

    error: Exception


def _read(content: bytes) -> Any:
    try:
        return pickle.loads(content)  # noqa: S301 - part of a pickle that is being read
    except LOST as error:
        return _Missed(error)
