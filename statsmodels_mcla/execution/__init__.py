"""Who does the work, in which order, and what is shown meanwhile.

Owns threads and progress bars.  What the work is, and how it is cut into pieces, is said by those who have it done.
The next of its kind: another executor with the ``map`` of `Executor`; nothing else need change.
"""

from statsmodels_mcla.execution.progress import with_progress
from statsmodels_mcla.execution.threads import checked_n_jobs, on_threads

__all__ = ["checked_n_jobs", "on_threads", "with_progress"]
