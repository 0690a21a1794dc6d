"""The clock that deadlines are read on: after Ctrl-C it stands at the end of time, and work ends with what it has."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Stop:
    """Whether somebody asked work to end."""

    asked = False


_stop = Stop()


def now() -> float:
    """Reading of `time.perf_counter`; infinite, which is past every deadline, where Ctrl-C asked for an end."""
    return float("inf") if _stop.asked else time.perf_counter()


@contextmanager
def ended_by_interrupt(wanted: bool = True) -> Iterator[Stop]:
    """Have Ctrl-C end the work within at its next look at the clock, and a second one interrupt it as ever.

    Only where it is wanted, and Ctrl-C would raise KeyboardInterrupt: in the main thread, with no handler of the
    user's own.
    """
    global _stop  # noqa: PLW0603 - signals are of the process
    own, stop = signal.default_int_handler, Stop()
    main = threading.current_thread() is threading.main_thread()
    if not (wanted and main and signal.getsignal(signal.SIGINT) is own):
        yield stop
        return

    def handle(number: int, frame: FrameType | None) -> None:
        if stop.asked:
            own(number, frame)
        stop.asked = True

    before, _stop = _stop, stop
    signal.signal(signal.SIGINT, handle)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, own)
        _stop = before
