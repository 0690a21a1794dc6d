"""Run a function in a process of its own, to see how much memory it takes, and to end it when it takes too long."""

import multiprocessing
import resource
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple, TypeVar

Result = TypeVar("Result")


class Footprint(NamedTuple):
    """What a function returned, and the memory of the process that ran it."""

    result: object
    before: float  # megabytes resident at most before the call: Python and its modules
    peak: float  # and after


def isolated(function: Callable[..., Result], *args: object, timeout: float | None = None) -> Footprint:
    """Call a function of a module in a fresh process.

    Raises
    ------
    TimeoutError
        After so many seconds.
    RuntimeError
        If the process ends without a result, as when memory runs out.
    """
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_call, args=(there, function, args))
    process.start()
    there.close()
    try:
        if not here.poll(timeout):
            raise TimeoutError(f"no result in {timeout:g} s")
        found = here.recv()
    except EOFError:
        process.join()
        raise RuntimeError(f"the process ended with code {process.exitcode}") from None
    finally:
        process.kill()
        process.join()
    if isinstance(found, BaseException):
        raise found
    return found


def _call(channel: Connection, function: Callable[..., Result], args: tuple) -> None:
    before = _peak()
    try:
        channel.send(Footprint(function(*args), before, _peak()))
    except Exception as error:  # noqa: BLE001 # raised again by the caller
        channel.send(error)


def _peak() -> float:
    """Peak resident memory of this process in megabytes; on Linux without that of the process that started it."""
    status = Path("/proc/self/status")
    if status.exists():
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(lines["VmHWM"].split()[0]) * 1024 / 1e6
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, kilobytes elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
