"""One worker a core, and one thread a worker for BLAS, unless the user says otherwise.

The matrices of the tests are small, and threads that wait for one another on busy cores take many times as long as
the work.  The number is set before numpy is imported, which reads it once, and workers inherit it; OpenBLAS and MKL
read it too, where they have no variable of their own.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """No workers for a single file or test, which would be over before they have started."""
    places = [config.invocation_params.dir / arg.split("::")[0] for arg in config.args]
    return None if len(places) > 1 or places[0].is_dir() else 0
