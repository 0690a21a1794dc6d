"""One thread for BLAS, unless the user says otherwise.

The matrices of the tests are small, and threads that wait for one another on busy cores take many times as long as
the work.  It is set before numpy is imported, which reads it once.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
