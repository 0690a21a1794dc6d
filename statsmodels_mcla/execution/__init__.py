"""execution."""

from statsmodels_mcla.execution.progress import with_progress
from statsmodels_mcla.execution.threads import checked_n_jobs, on_threads

__all__ = ["checked_n_jobs", "on_threads", "with_progress"]
