"""What a formula names that is no column of its data: kept by value, through pickling as far as that goes."""

from __future__ import annotations

import importlib
import pickle
import sys
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from patsy import EvalEnvironment

from statsmodels_mcla.formula.factors import names_in
from statsmodels_mcla.formula.terms import FormulaError

UNPICKLABLE = (pickle.PicklingError, AttributeError, TypeError, ValueError)
LOST = (pickle.UnpicklingError, ImportError, AttributeError, TypeError)


@dataclass(frozen=True, eq=False)
class Names:
    """Names of some expressions, with their values when the formula was read.

    Pickling keeps modules, and what stands at the top of one, by reference, other values as they are. What none of
    this can keep (a lambda, a function within a function) is lost, which matters only when the formula is to be read
    again. A deep copy shares the values.

    Parameters
    ----------
    values : dict
        By name.
    home : str
        Module that the formula was written in.
    lost : tuple of str
        Names that pickling lost.
    """

    values: dict[str, Any]
    home: str
    lost: tuple[str, ...] = ()

    @classmethod
    def of(cls, codes: Iterable[str], columns: Iterable[Any], env: EvalEnvironment) -> Names:
        """Look up what expressions name and the data do not have."""
        space = env.namespace
        wanted = {name for code in codes for name in names_in(code)} - set(columns)
        values = {name: space[name] for name in sorted(wanted) if name in space}
        return cls(values, str(space.get("__name__", "")))

    def environment(self, text: str) -> EvalEnvironment:
        """Namespace to read the formula again in; `text` shows it in errors."""
        if self.lost:
            raise FormulaError(
                f"`{text}` names {', '.join(self.lost)}, which pickling could not keep: define it at the top of a "
                "module, or make what it gives a column of the data"
            )
        return EvalEnvironment([self.values])

    def __deepcopy__(self, memo: dict[int, Any]) -> Names:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        references, dumped = {}, {}
        for name, value in self.values.items():
            if isinstance(value, ModuleType):
                references[name] = (value.__name__, "")
            elif getattr(sys.modules.get(self.home), name, self) is value:
                references[name] = (self.home, name)
            else:
                with suppress(*UNPICKLABLE):
                    dumped[name] = pickle.dumps(value)
        return _restored, (self.home, tuple(self.values), references, dumped, self.lost)


def _restored(
    home: str,
    names: tuple[str, ...],
    references: dict[str, tuple[str, str]],
    dumped: dict[str, bytes],
    lost: tuple[str, ...],
) -> Names:
    """Names as far as what was pickled is found again, each on its own."""
    values: dict[str, Any] = {}
    for name, (module, attribute) in references.items():
        with suppress(*LOST):
            found = importlib.import_module(module)
            values[name] = getattr(found, attribute) if attribute else found
    for name, content in dumped.items():
        with suppress(*LOST):
            values[name] = pickle.loads(content)  # noqa: S301 - part of a pickle that is being read
    return Names(values, home, lost + tuple(name for name in names if name not in values))
