"""One thread for the linear algebra of small matrices.

BLAS starts threads of its own for products and factorisations, which wait for one another by spinning: beside the
threads of this package, or on a machine that is busy, a small Cholesky factor then takes a hundred times as long as on
one thread.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any, ParamSpec, TypeVar

from threadpoolctl import ThreadpoolController

P = ParamSpec("P")
T = TypeVar("T")


@lru_cache(maxsize=1)
def _controller() -> ThreadpoolController:
    return ThreadpoolController()  # finding the libraries takes milliseconds


class _Limit:
    """Counts who wants one thread: the first sets the limit, the last lifts it, in whichever threads they are."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._limiter: Any = None

    def __enter__(self) -> None:
        with self._lock:
            self._users += 1
            if self._users == 1:
                self._limiter = _controller().limit(limits=1, user_api="blas")

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._users -= 1
            if not self._users:
                self._limiter.restore_original_limits()


_LIMIT = _Limit()


def on_one_blas_thread(function: Callable[P, T]) -> Callable[P, T]:
    """Have BLAS work on one thread while a function runs."""

    @wraps(function)
    def limited(*args: P.args, **kwargs: P.kwargs) -> T:
        with _LIMIT:
            return function(*args, **kwargs)

    return limited
