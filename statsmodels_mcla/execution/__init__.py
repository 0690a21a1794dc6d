"""Who does the work, in which order, and what is shown meanwhile.

Owns executors, values that are kept where parts of the data are, the threads of BLAS, and progress bars.
What the work is, and how it is cut into pieces, is said by
those who have it done.
The next of its kind: another executor with the ``map`` of `Executor`; nothing else need change.
"""

from statsmodels_mcla.execution.blas import on_one_blas_thread
from statsmodels_mcla.execution.clock import ended_by_interrupt, now
from statsmodels_mcla.execution.engines import executor_of
from statsmodels_mcla.execution.executor import (
    SERIAL,
    Executor,
    OutOfTime,
    Processes,
    Threads,
    Until,
    checked_n_jobs,
)
from statsmodels_mcla.execution.journal import Journal, PartitionError
from statsmodels_mcla.execution.memory import available, checked_bytes
from statsmodels_mcla.execution.progress import tell, with_progress
from statsmodels_mcla.execution.workplace import Kept, Named, Part, Workplace, remade

__all__ = [
    "SERIAL",
    "Executor",
    "Journal",
    "Kept",
    "Named",
    "OutOfTime",
    "Part",
    "PartitionError",
    "Processes",
    "Threads",
    "Until",
    "Workplace",
    "available",
    "checked_bytes",
    "checked_n_jobs",
    "ended_by_interrupt",
    "executor_of",
    "now",
    "on_one_blas_thread",
    "remade",
    "tell",
    "with_progress",
]
