"""The threads of BLAS are as they were after a call, however it ended."""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading

import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from statsmodels_mcla.execution import on_one_blas_thread


def blas_threads():
    return {found["num_threads"] for found in threadpool_info() if found["user_api"] == "blas"}


@pytest.fixture(autouse=True)
def _two_threads():
    """Two threads, asked for by a thread that is over: those that live keep others from asking."""

    def ask(count):
        worker = threading.Thread(target=threadpool_limits, args=(count, "blas"))
        worker.start()
        worker.join()

    before = max(blas_threads())
    ask(2)
    yield
    ask(before)


@on_one_blas_thread
def limited(inner=blas_threads):
    return inner()


def test_one_thread_meanwhile():
    before = blas_threads()
    assert before == {2}
    assert limited() == {1}
    assert limited(limited) == {1}
    assert blas_threads() == before
    with pytest.raises(ZeroDivisionError):
        limited(lambda: 1 / 0)
    assert blas_threads() == before


def beside(function):
    """Have another thread inside a limited call; run a function, then let it end. What either saw."""
    inside, over, seen = threading.Event(), threading.Event(), []

    def hold():
        inside.set()
        over.wait(20)
        seen.append(blas_threads())

    worker = threading.Thread(target=limited, args=(hold,), daemon=True)

    def start():
        worker.start()
        inside.wait(20)

    seen.append(function(start))
    seen.append(blas_threads())
    over.set()
    worker.join()
    return seen


def test_the_last_of_several_threads_lifts_the_limit():
    def second(start):
        start()
        return limited()

    def first(start):
        return limited(lambda: start() or limited())

    assert beside(second) == [{1}] * 3
    assert beside(first) == [{1}] * 3
    assert blas_threads() == {2}


def test_a_call_leaves_the_libraries_to_other_threads():
    limited()
    seen = []
    worker = threading.Thread(target=lambda: seen.append(limited()))
    worker.start()
    worker.join()
    assert seen == [{1}]


def interrupted_at(count):
    """Call with Ctrl-C at an event where the interpreter looks for signals; False if there are fewer."""
    seen = 0

    def interrupt(frame, event, arg):
        nonlocal seen
        seen += event in ("call", "c_return")
        if seen == count:
            raise KeyboardInterrupt

    old = sys.getprofile()
    gc.disable()  # callbacks of the collector, hypothesis' own, are no place for an interrupt: it is ignored there
    try:
        sys.setprofile(interrupt)
        limited(int)
    except KeyboardInterrupt:
        return True
    finally:
        sys.setprofile(old)
        gc.enable()
    return False


def test_ctrl_c_at_any_moment_is_forgotten():
    limited()
    count = 1
    while interrupted_at(count):
        assert limited() == {1}, count
        assert blas_threads() == {2}, count
        count += 1
    assert count > 10


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the platform has no forks")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_fork_in_the_middle_of_a_call():
    def fork(start):
        start()
        child = os.fork()
        if child:
            return os.waitpid(child, 0)[1]
        signal.alarm(20)
        os._exit(0 if limited() == {1} else 1)

    assert beside(fork)[0] == 0
    assert blas_threads() == {2}
