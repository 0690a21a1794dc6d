"""Executors of other libraries: those of `concurrent.futures`, and Dask's workers."""

from __future__ import annotations

import concurrent.futures
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

from statsmodels_mcla.execution.executor import SERIAL, Executor, Threads

PATIENCE = 2.0  # seconds after which it is looked whether workers live

T = TypeVar("T")
S = TypeVar("S")


def executor_of(value: Any) -> Executor:
    """Executor of a Dask client, of one of `concurrent.futures`, or of nothing: all cores, as threads.

    Raises
    ------
    ValueError
        If it is none of these.
    """
    if value is None:
        return Threads.of(None)
    if isinstance(value, (Threads, Pool, DaskWorkers)):
        return value
    if hasattr(value, "scheduler_info") and hasattr(value, "submit"):
        return DaskWorkers(value)
    if isinstance(value, concurrent.futures.Executor):
        return Pool(value)
    raise ValueError(
        "executor must be a dask.distributed.Client or an executor of concurrent.futures (ProcessPoolExecutor, "
        f"mpi4py.futures.MPIPoolExecutor, ...), got {value!r}"
    )


@dataclass(frozen=True)
class Pool:
    """An executor of `concurrent.futures`: which of its workers does what is its own affair."""

    executor: concurrent.futures.Executor

    @property
    def workers(self) -> int:
        """See `Executor`."""
        return int(getattr(self.executor, "_max_workers", 1))

    @property
    def alone(self) -> Executor:
        """See `Executor`."""
        return SERIAL

    def map(self, function: Callable[[S], T], items: Sequence[S]) -> list[T]:
        """See `Executor`."""
        return list(self.executor.map(function, items))

    def __reduce__(self) -> Any:
        return Threads.of, (None,)  # an executor belongs to its process


@dataclass(frozen=True)
class DaskWorkers:
    """The workers of a Dask client.

    An item goes to the worker that had the item of the same place before, where what it needs is in memory; to another
    one if that worker is no more.

    Attributes
    ----------
    client : dask.distributed.Client
    homes : dict of int to str
        Addresses of the workers by place.
    spent : list of dask.distributed.Future
        Of the last call, of no more use.  Dask collects what a client says within 10 ms: word that they may go, sent
        alone, would have the next call wait for so long.
    """

    client: Any
    homes: dict[int, str] = field(default_factory=dict, repr=False, compare=False)
    spent: list[Any] = field(default_factory=list, repr=False, compare=False)

    @property
    def workers(self) -> int:
        """See `Executor`."""
        return max(1, len(self.client.nthreads()))

    @property
    def alone(self) -> Executor:
        """See `Executor`."""
        return SERIAL

    def map(self, function: Callable[[S], T], items: Sequence[S]) -> list[T]:
        """See `Executor`.

        Items are bound to their workers: Dask would have idle ones take them over, and with them the work of making
        again all that is kept for them.
        """
        name = f"mcla-{getattr(function, 'title', 'work')}-{uuid.uuid4().hex[:12]}"
        results: dict[int, T] = {}
        pending: dict[int, Any] = {}
        ended: list[int] = []
        try:
            while len(results) < len(items):
                if not ended:  # at first, and where all that is left is late: a worker may have died
                    self._settle(range(len(items)))
                    self.spent.clear()
                for k in range(len(items)):
                    known = pending.get(k)
                    if k not in results and (known is None or known[0] != self.homes[k]):
                        if known is not None:
                            self.client.cancel([known[1]], force=True)
                        pending[k] = (
                            self.homes[k],
                            self._sent(function, items[k], self.homes[k], f"{name}-{k}"),
                        )
                ended = self._ended({k: future for k, (_, future) in pending.items()})
                for k in ended:
                    with suppress(distributed_timeout()):  # it ended where a worker has died since
                        results[k] = pending[k][1].result(timeout=PATIENCE)
                        self.spent.append(pending.pop(k)[1])
        finally:  # an error or Ctrl-C: what has not begun must not
            if pending:
                self.client.cancel([future for _, future in pending.values()], force=True)
        return [results[k] for k in range(len(items))]

    def _settle(self, places: Sequence[int]) -> None:
        """Give places without a worker that lives the one with fewest."""
        alive = sorted(self.client.nthreads())
        if not alive:
            self.client.wait_for_workers(1)
            alive = sorted(self.client.nthreads())
        load = Counter(dict.fromkeys(alive, 0))
        load.update(home for k, home in self.homes.items() if home in load and k in places)
        for k in places:
            if self.homes.get(k) not in load:
                self.homes[k] = min(alive, key=load.__getitem__)
                load[self.homes[k]] += 1

    def _sent(self, function: Callable[[S], T], item: S, home: str, key: str) -> Any:
        own = f"{key}-{uuid.uuid4().hex[:6]}"
        return self.client.submit(function, item, key=own, workers=[home], pure=False)

    @staticmethod
    def _ended(futures: dict[int, Any]) -> list[int]:
        """Places of those that have ended, after some seconds at most."""
        from distributed import wait

        with suppress(distributed_timeout()):
            wait(list(futures.values()), timeout=PATIENCE, return_when="ALL_COMPLETED")
        return [k for k, future in futures.items() if future.done()]

    def __reduce__(self) -> Any:
        return Threads.of, (None,)  # a client belongs to its process


def distributed_timeout() -> type[Exception]:
    """Error of Dask when something takes longer."""
    from distributed import TimeoutError as Late

    return Late
