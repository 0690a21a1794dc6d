"""One thread for the linear algebra of small matrices.

BLAS starts threads of its own for products and factorisations, which wait for one another by spinning: beside the
threads of this package, or on a machine that is busy, a small Cholesky factor then takes a hundred times as long as on
one thread.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any, ParamSpec, TypeVar
from weakref import WeakSet

from threadpoolctl import ThreadpoolController

P = ParamSpec("P")
T = TypeVar("T")


@lru_cache(maxsize=1)
def _controller() -> ThreadpoolController:
    return ThreadpoolController()  # finding the libraries takes milliseconds


class _Use:
    """One call that wants one thread; it is over when nothing refers to it any more, if not before."""

    def __init__(self) -> None:
        self.thread = threading.current_thread()


class _Limit:
    """Knows who wants one thread: the first sets the limit, the last lifts it, in whichever threads they are.

    threadpoolctl lets nobody else touch the limit of a thread that lives: who ends before the others hands it over to
    a thread that ends at once.  Ctrl-C may come anywhere: a use that was not ended is forgotten with its frame, and the
    next one lifts the limit.
    """

    def __init__(self) -> None:
        self._uses: WeakSet[_Use] = WeakSet()
        self._limiter: Any = None
        self.alone()

    def alone(self) -> None:
        """Forget other threads: a forked process has none."""
        self._lock, self._owner = threading.RLock(), threading.current_thread()
        self._uses = WeakSet(use for use in self._uses if use.thread is self._owner)

    def begin(self, use: _Use) -> None:
        with self._lock:
            if not self._uses:
                self._lift()  # what Ctrl-C left
                self._set()
            self._uses.add(use)

    def end(self, use: _Use) -> None:
        with self._lock:
            self._uses.discard(use)
            if not self._uses:
                self._lift()
            elif self._owner is use.thread and all(other.thread is not use.thread for other in self._uses):
                self._lift()
                passing = threading.Thread(target=self._set)
                passing.start()
                passing.join()

    def _set(self) -> None:
        self._owner = threading.current_thread()
        self._limiter = _controller().limit(limits=None)  # knows what was
        _controller().limit(limits=1, user_api="blas")

    def _lift(self) -> None:
        if self._limiter is not None:
            with self._limiter:
                pass  # its end restores, and leaves the libraries to other threads
            self._limiter = None


_LIMIT = _Limit()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_LIMIT.alone)


def on_one_blas_thread(function: Callable[P, T]) -> Callable[P, T]:
    """Have BLAS work on one thread while a function runs."""

    @wraps(function)
    def limited(*args: P.args, **kwargs: P.kwargs) -> T:
        use = _Use()
        try:
            _LIMIT.begin(use)
            return function(*args, **kwargs)
        finally:
            _LIMIT.end(use)

    return limited
