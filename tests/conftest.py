"""Settings for the whole suite."""

from __future__ import annotations

import os

from hypothesis import settings

# One thread a worker: pytest-xdist already fills the cores.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(name, "1")

# The same examples every time, however long a slow machine takes for one.
settings.register_profile("project", deadline=None, derandomize=True)
settings.load_profile("project")
