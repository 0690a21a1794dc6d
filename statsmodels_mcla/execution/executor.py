"""Who does the work: this thread, threads or processes, with results in the order of the items."""

from __future__ import annotations

import multiprocessing
import os
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, Protocol, TypeVar

import numpy as np

from statsmodels_mcla.execution.clock import now

T = TypeVar("T")
S = TypeVar("S")


class Executor(Protocol):
    """Does work: frozen and picklable, as results keep the one of their fit.

    Functions and items that it is given are picklable too, so that it may work in other processes or on other machines.
    """

    @property
    def workers(self) -> int:
        """How many items are worked on at once."""

    @property
    def alone(self) -> Executor:
        """Executor of work that is too little to be shared."""

    def map(self, function: Callable[[S], T], items: Sequence[S]) -> list[T]:
        """Results in the order of the items; an error ends the work and is raised."""


@dataclass(frozen=True)
class Threads:
    """Threads of this process, of which the caller is one: waking another for all the work would take longer."""

    workers: int

    @classmethod
    def of(cls, n_jobs: Any) -> Threads:
        """Check a number of threads; None and -1 are all cores."""
        return cls(checked_n_jobs(n_jobs))

    @property
    def alone(self) -> Executor:
        """See `Executor`."""
        return SERIAL

    def map(self, function: Callable[[S], T], items: Sequence[S]) -> list[T]:
        """See `Executor`."""
        if self.workers == 1 or len(items) < 2:
            return list(map(function, items))
        results: dict[int, T] = {}
        stops = [None] * self.workers
        line = deque([*range(len(items)), *stops])  # its pops are atomic

        def work() -> None:
            try:
                for index in iter(line.popleft, None):
                    results[index] = function(items[index])
            finally:  # an error or Ctrl-C: what has not begun must not
                line.extendleft(stops)

        pool = _helpers(self.workers - 1)
        helpers = [pool.submit(work) for _ in range(min(self.workers, len(items)) - 1)]
        work()
        for helper in helpers:
            if not helper.cancel():  # one that has not begun would find nothing left to do
                helper.result()
        return [results[index] for index in range(len(items))]


SERIAL = Threads(1)  # the calling thread alone


@lru_cache(maxsize=8)
def _helpers(n: int) -> ThreadPoolExecutor:
    """Threads that are kept, and with them their memory."""
    return ThreadPoolExecutor(n, thread_name_prefix="mcla")


class OutOfTime(Exception):  # noqa: N818 - an event, and no fault
    """The deadline of an executor has passed."""


@dataclass(frozen=True)
class Until:
    """Another executor's work, of which nothing begins after a deadline.

    Attributes
    ----------
    executor : Executor
    deadline : float
        A reading of `now`.
    """

    executor: Executor
    deadline: float

    @property
    def workers(self) -> int:
        """See `Executor`."""
        return self.executor.workers

    @property
    def alone(self) -> Executor:
        """See `Executor`."""
        return Until(self.executor.alone, self.deadline)

    def map(self, function: Callable[[S], T], items: Sequence[S]) -> list[T]:
        """See `Executor`.

        Raises
        ------
        OutOfTime
            If the deadline passes before the last item is begun.
        """
        return self.executor.map(partial(_in_time, function, self.deadline), items)


def _in_time(function: Callable[[S], T], deadline: float, item: S) -> T:
    if now() >= deadline:
        raise OutOfTime
    return function(item)


@dataclass(frozen=True)
class Processes:
    """Processes that last as long as the work; a single one is this process."""

    workers: int

    @property
    def alone(self) -> Executor:
        """See `Executor`."""
        return SERIAL

    def map(self, function: Callable[[S], T], items: Sequence[S]) -> list[T]:
        """See `Executor`."""
        return list(self.stream(function, items))

    def stream(self, function: Callable[[S], T], items: Sequence[S]) -> Iterator[T]:
        """Results in order, as they come."""
        if self.workers == 1:
            yield from map(function, items)
            return
        with warnings.catch_warnings():
            # a fork of a process with threads is told of; the workers use no threads that were started before
            warnings.simplefilter("ignore", DeprecationWarning)
            with ProcessPoolExecutor(self.workers, mp_context=multiprocessing.get_context()) as pool:
                yield from pool.map(function, items, chunksize=max(1, len(items) // (8 * self.workers)))


def checked_n_jobs(n_jobs: Any) -> int:
    """Check a number of threads or processes; None and -1 are all cores."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if n_jobs is None or n_jobs == -1:
        return cores
    if not isinstance(n_jobs, (int, np.integer)) or n_jobs < 1:
        raise ValueError(f"n_jobs must be a positive integer, or -1 for all cores, got {n_jobs!r}")
    return int(n_jobs)
