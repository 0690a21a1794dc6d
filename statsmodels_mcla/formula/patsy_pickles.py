"""Values that a formula names, and what patsy learnt from data, as bytes that mean the same wherever they are read.

Objects of patsy refuse to be pickled, for want of a stable format.  What a script defines, pickle takes for a name of
whatever script reads it: here it goes by value, through cloudpickle where that is installed, or not at all.
"""

from __future__ import annotations

import importlib
import io
import pickle
import sys
from types import FunctionType, ModuleType
from typing import Any

from patsy import builtins as patsy_builtins

try:  # which knows functions that are defined anywhere
    import cloudpickle
except ImportError:
    cloudpickle = None

SPAWNED = "__mp_main__"  # what a process that multiprocessing spawned calls the script
SCRIPTS = ("__main__", SPAWNED)
UNPICKLABLE = (
    pickle.PicklingError,
    AttributeError,
    ImportError,
    NotImplementedError,
    RecursionError,
    TypeError,
    ValueError,
)


class _OfPatsy:
    """Part of a pickler that takes patsy's objects as what they are: classes of Python with attributes."""

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
        parent: Any = super()
        return parent.reducer_override(obj) if hasattr(parent, "reducer_override") else NotImplemented


class _Importing(_OfPatsy, pickle.Pickler):
    """Takes functions and classes by reference, and those of no script."""

    def reducer_override(self, obj: Any) -> Any:
        if getattr(obj, "__module__", None) in SCRIPTS and hasattr(obj, "__qualname__"):
            raise pickle.PicklingError(f"{obj.__qualname__} is defined in a script")
        return super().reducer_override(obj)


def dumped(value: Any) -> bytes:
    """Bytes of a value that may have objects of patsy in it, for processes of the same versions.

    Raises
    ------
    pickle.PicklingError
        If it cannot be kept, among others for what a script defines where there is no cloudpickle.
    """
    try:
        return importing(value)
    except UNPICKLABLE:
        return alone(value)


def importing(value: Any) -> bytes:
    """Bytes of a value as pickle makes them, which names no script; raises one of `UNPICKLABLE`."""
    return _written(_Importing, value)


def alone(value: Any) -> bytes:
    """Bytes of a value by cloudpickle, with the functions and classes in it that cannot be imported.

    Raises
    ------
    pickle.PicklingError
        If that is not installed, or cannot keep it either.
    """
    if cloudpickle is None:
        raise pickle.PicklingError(
            "what is defined in a script or within a function goes through cloudpickle, which is not installed"
        )
    if SPAWNED in sys.modules:
        cloudpickle.register_pickle_by_value(sys.modules[SPAWNED])

    class Whole(_OfPatsy, cloudpickle.Pickler):
        """Takes by value what is defined in scripts."""

    try:
        return _written(Whole, value)
    except UNPICKLABLE as error:
        raise pickle.PicklingError(str(error)) from error


def _written(pickler: Any, value: Any) -> bytes:
    file = io.BytesIO()
    pickler(file, protocol=pickle.HIGHEST_PROTOCOL).dump(value)
    return file.getvalue()
