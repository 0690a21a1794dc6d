"""Run a function in a process of its own, to see how much memory it takes."""

import multiprocessing
import resource
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import NamedTuple, TypeVar

Result = TypeVar("Result")


class Footprint(NamedTuple):
    """What a function returned, and the memory of the process that ran it."""

    result: object
    before: float  # megabytes resident at most before the call: Python and its modules
    peak: float  # and after


def isolated(function: Callable[..., Result], *args: object) -> Footprint:
    """Call a function of a module in a fresh process."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(_call, function, args).result()


def _call(function: Callable[..., Result], args: tuple) -> Footprint:
    before = _peak()
    return Footprint(function(*args), before, _peak())


def _peak() -> float:
    """Peak resident memory of this process in megabytes."""
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, kilobytes elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
