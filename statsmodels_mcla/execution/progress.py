"""Progress of long computations: a bar where tqdm is installed, lines otherwise."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")

LINES = 10  # printed in all, without tqdm


def with_progress(items: Iterable[T], total: int, what: str, show: bool) -> Iterator[T]:
    """Pass items on as they come, telling how many have come if ``show``."""
    if not show:
        yield from items
        return
    try:
        from tqdm import tqdm
    except ImportError:
        clock, every = time.perf_counter(), max(1, total // LINES)
        for k, item in enumerate(items, 1):
            if k % every == 0 or k == total:
                print(f"{what}: {k} of {total}, {time.perf_counter() - clock:.1f} s")  # noqa: T201 - asked for
            yield item
    else:
        yield from tqdm(items, total=total, desc=what)


def tell(line: str) -> None:
    """Print a line, above the bars of tqdm if that is installed."""
    try:
        from tqdm import tqdm
    except ImportError:
        print(line)  # noqa: T201 - asked for
    else:
        tqdm.write(line)
