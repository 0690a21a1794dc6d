"""What patsy learnt from data, as bytes: its own objects refuse to be pickled, for want of a stable format."""

from __future__ import annotations

import importlib
import io
import pickle
from types import FunctionType, ModuleType
from typing import Any

from patsy import builtins as patsy_builtins

try:  # which knows functions that are defined anywhere
    from cloudpickle import Pickler
except ImportError:
    from pickle import Pickler


class _Pickler(Pickler):
    """Takes patsy's objects as what they are: classes of Python with attributes."""

    def reducer_override(self, obj: Any) -> Any:
        kind = type(obj)
        if isinstance(obj, ModuleType):
            return importlib.import_module, (obj.__name__,)
        if isinstance(obj, FunctionType) and getattr(obj, "__patsy_stateful_transform__", None):
            name = next((n for n in patsy_builtins.__all__ if getattr(patsy_builtins, n) is obj), None)
            if name is not None:
                return getattr, (patsy_builtins, name)
        if kind.__module__.partition(".")[0] == "patsy" and hasattr(obj, "__dict__"):
            return object.__new__, (kind,), vars(obj)
        return super().reducer_override(obj) if hasattr(super(), "reducer_override") else NotImplemented


def dumped(value: Any) -> bytes:
    """Bytes of a value that has objects of patsy in it, for processes of the same versions."""
    file = io.BytesIO()
    _Pickler(file, protocol=pickle.HIGHEST_PROTOCOL).dump(value)
    return file.getvalue()
