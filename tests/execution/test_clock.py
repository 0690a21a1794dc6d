"""Ctrl-C while a user's fit runs: it ends with what it has; a second one, and those of other work, raise."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers import KIND, small
from scipy import special
from statsmodels.tools.sm_exceptions import ConvergenceWarning

from statsmodels_mcla import MCLAMixedGLM
from statsmodels_mcla.execution import ended_by_interrupt, now


@contextmanager
def interrupts(times: int, after: float) -> Iterator[None]:
    """Ctrl-C after some seconds, again and again."""
    timers = [threading.Timer((k + 1) * after, os.kill, (os.getpid(), signal.SIGINT)) for k in range(times)]
    for timer in timers:
        timer.start()
    try:
        yield
    finally:
        for timer in timers:
            timer.cancel()


def long_fit() -> Any:
    """A fit that would take hours to be as precise as it is asked to be."""
    rng = np.random.default_rng(1)
    s, i = np.repeat(np.arange(20), 20), np.tile(np.arange(20), 20)
    y = rng.binomial(1, special.expit(rng.normal(size=20)[s] + rng.normal(size=20)[i]))
    model = MCLAMixedGLM.from_formula(
        "y ~ 1 + (1 | s) + (1 | i)", data=pd.DataFrame({"y": y, "s": s, "i": i})
    )
    return lambda: model.fit(rng=1, mcse_tol=1e-6, llf_tol=1e-6)


@pytest.mark.filterwarnings("ignore:the largest Monte Carlo error")
def test_the_answer_is_the_best_so_far() -> None:
    fit = long_fit()
    start = time.perf_counter()
    with interrupts(1, 2.0), pytest.warns(ConvergenceWarning, match="interrupted"):
        result = fit()
    assert time.perf_counter() - start < 30
    assert np.all(np.isfinite(result.bse))
    assert np.all(result.mcse < 0.1 * result.bse)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert np.isfinite(now())


def test_the_second_raises() -> None:
    with ended_by_interrupt() as stop:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.01)
        assert stop.asked
        assert now() == np.inf
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_fits_that_are_part_of_something_else_are_interrupted() -> None:
    """A refit with fewer draws would be taken for one of the bootstrap's."""
    result = small(KIND["poisson-log"], "intercept").model().fit(rng=1)
    with pytest.raises(KeyboardInterrupt), interrupts(1, 0.5):
        result.bootstrap(nrep=10_000, rng=1)


def test_handlers_of_others_are_left_alone() -> None:
    seen: list[int] = []
    old = signal.signal(signal.SIGINT, lambda number, _: seen.append(number))
    try:
        with ended_by_interrupt() as stop:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.01)
        assert seen == [signal.SIGINT]
        assert not stop.asked
    finally:
        signal.signal(signal.SIGINT, old)
