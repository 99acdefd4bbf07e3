"""Settings for the whole suite."""

from __future__ import annotations

import os

# One thread a worker: pytest-xdist already fills the cores.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(name, "1")
