"""Work on threads, with results in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from itertools import islice
from typing import TypeVar

__all__ = ["in_order"]

T = TypeVar("T")
S = TypeVar("S")


@lru_cache(maxsize=8)
def _pool(n_jobs: int) -> ThreadPoolExecutor:
    """Threads that are kept, and with them their memory."""
    return ThreadPoolExecutor(n_jobs, thread_name_prefix="mcla")


def in_order(n_jobs: int, function: Callable[[S], T], items: Iterable[S]) -> Iterator[T]:
    """Map over threads, in order, with few results waiting at a time."""
    if n_jobs == 1:
        yield from map(function, items)
        return
    rest = iter(items)
    submit = _pool(n_jobs).submit
    waiting = deque(submit(function, item) for item in islice(rest, 4 * n_jobs))
    try:
        while waiting:
            yield waiting.popleft().result()
            waiting.extend(submit(function, item) for item in islice(rest, 1))
    finally:  # an error or Ctrl-C: what has not begun must not
        for future in waiting:
            future.cancel()
