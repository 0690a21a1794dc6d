"""Order, errors, nesting and pickling of work that is shared out."""

from __future__ import annotations

import os
import pickle
import threading
from functools import partial

import numpy as np
import pytest
from helpers import fit_of, model_of, truth_of

from statsmodels_mcla.execution import SERIAL, Executor, Processes, Threads, checked_n_jobs
from statsmodels_mcla.likelihood.monte_carlo import evaluate

EXECUTORS = [SERIAL, Threads(2), Threads(3), Threads(20), Processes(1), Processes(2)]
by_executor = pytest.mark.parametrize("executor", EXECUTORS, ids=str)


def square(x: int) -> int:
    return x * x


def nested(executor: Executor, x: int) -> int:
    return sum(executor.map(abs, [-x, x, -x]))


def fail_at(failing: int, item: int) -> int:
    if item == failing:
        raise FloatingPointError("of this item")
    return item


@by_executor
def test_results_come_in_order(executor: Executor) -> None:
    assert executor.map(square, range(50)) == [x * x for x in range(50)]
    assert executor.map(str, []) == []


@by_executor
def test_work_may_share_out_work(executor: Executor) -> None:
    assert executor.map(partial(nested, executor), range(8)) == [3 * x for x in range(8)]
    assert executor.map(partial(nested, Threads(2)), range(8)) == [3 * x for x in range(8)]


@by_executor
def test_an_error_is_raised_and_the_executor_works_on(executor: Executor) -> None:
    with pytest.raises(FloatingPointError, match="of this item"):
        executor.map(partial(fail_at, 3), range(8))
    assert executor.map(abs, [-1, -2]) == [1, 2]


@by_executor
def test_executors_pickle(executor: Executor) -> None:
    executor.map(abs, [1, 2, 3])  # whatever is kept between calls is not part of them
    assert pickle.loads(pickle.dumps(executor)) == executor


def test_threads_work_at_once() -> None:
    both = threading.Barrier(2, timeout=30)
    Threads(2).map(lambda _: both.wait(), [0, 1])


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("failing", [0, 1])
def test_an_error_ends_the_work_of_threads(workers: int, failing: int) -> None:
    begun = []

    def work(item: int) -> int:
        begun.append(item)
        return fail_at(failing, item)

    with pytest.raises(FloatingPointError, match="of this item"):
        Threads(workers).map(work, range(100_000))
    assert len(begun) < 100_000


def test_processes_are_other_processes_and_stream() -> None:
    found = Processes(2).stream(_process_of, range(4))
    assert os.getpid() not in {next(found), *found}
    stream = Processes(1).stream(partial(fail_at, 1), range(3))
    assert next(stream) == 0  # before the next is begun


def _process_of(_: int) -> int:
    return os.getpid()


def test_numbers_of_jobs() -> None:
    assert Threads.of(3) == Threads(3)
    assert Threads.of(None).workers == Threads.of(-1).workers == checked_n_jobs(None) >= 1
    for wrong in (0, -2, 1.5, "two"):
        with pytest.raises(ValueError, match="n_jobs must be"):
            Threads.of(wrong)


class Pickling:
    """Executor elsewhere: all that it is given, and all that comes back, is pickled."""

    workers = 7

    def map(self, function, items):
        return [self._there(pickle.dumps((function, item))) for item in items]

    @staticmethod
    def _there(sent: bytes):
        function, item = pickle.loads(sent)
        return pickle.loads(pickle.dumps(function(item)))


def test_work_over_draws_can_be_done_elsewhere() -> None:
    model = model_of("salamander")
    at = truth_of("salamander").params
    model.draw(at, nsample=2**12, rng=1)
    current = model._current
    draws, params = current.position.draws, current._fitted(at)
    assert sum(part.size * part.bucket.y.size for part in draws) > 2**18  # premise: it is shared out
    here, there = (evaluate(current.design, params, draws, executor=e) for e in (SERIAL, Pickling()))
    assert here.value == there.value
    assert np.array_equal(here.hessian, there.hessian)


def test_results_keep_the_executor_of_their_fit() -> None:
    fit = fit_of("cbpp", n_jobs=2)
    assert fit.fitted.executor == pickle.loads(pickle.dumps(fit)).fitted.executor == Threads(2)
