"""Work on threads, with results in order, and how many there are."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any, TypeVar

import numpy as np

T = TypeVar("T")
S = TypeVar("S")


@lru_cache(maxsize=8)
def _helpers(n: int) -> ThreadPoolExecutor:
    """Threads that are kept, and with them their memory."""
    return ThreadPoolExecutor(n, thread_name_prefix="mcla")


class _Line(Iterator[int]):
    """Numbers 0, 1, ..., each of which one thread gets; closed, there are no more."""

    def __init__(self, stop: int) -> None:
        self._next, self._stop = 0, stop
        self._lock = threading.Lock()

    def __next__(self) -> int:
        with self._lock:
            if self._next >= self._stop:
                raise StopIteration
            self._next += 1
            return self._next - 1

    def close(self) -> None:
        """Let nobody begin anything more."""
        with self._lock:
            self._stop = 0


def on_threads(n_jobs: int, function: Callable[[S], T], items: Sequence[S]) -> list[T]:
    """Map over threads, of which the caller is one: waking another for all the work would take longer."""
    if n_jobs == 1 or len(items) < 2:
        return list(map(function, items))
    results: dict[int, T] = {}
    line = _Line(len(items))

    def work() -> None:
        try:
            for index in line:
                results[index] = function(items[index])
        finally:  # an error or Ctrl-C: what has not begun must not
            line.close()

    helpers = [_helpers(n_jobs - 1).submit(work) for _ in range(min(n_jobs, len(items)) - 1)]
    work()
    for helper in helpers:
        if not helper.cancel():  # one that has not begun would find nothing left to do
            helper.result()
    return [results[index] for index in range(len(items))]


def checked_n_jobs(n_jobs: Any) -> int:
    """Check a number of threads; None and -1 are all cores."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if n_jobs is None or n_jobs == -1:
        return cores
    if not isinstance(n_jobs, (int, np.integer)) or n_jobs < 1:
        raise ValueError(f"n_jobs must be a positive integer, or -1 for all cores, got {n_jobs!r}")
    return int(n_jobs)
