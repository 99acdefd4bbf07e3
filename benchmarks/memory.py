"""How much memory a call needs: the high-water mark of the process, set back before the call (Linux).

The mark counts resident pages. Memory that the pool of `kernels/memory.py` and the C library hold free is
handed back to the system first; what the library keeps nevertheless is taken again without moving the mark,
so small figures are lower bounds. The system may also hand out more than was asked for (pages of 2 MiB), so a
call is made a few times and the smallest figure counts.
"""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kernels.memory import get_pool_limit, set_pool_limit

STATUS = Path("/proc/self/status")
RESET = Path("/proc/self/clear_refs")
PEAK_RESIDENT = "5"  # the value that sets the high-water mark back
CALLS = 3


def peak_bytes(run: Callable[[], Any]) -> int | None:
    """Return how far the call raises the process's resident memory; None where the system does not tell."""
    gc.collect()
    try:
        return min(_one_peak(run) for _ in range(CALLS))
    except OSError:
        return None


def _one_peak(run: Callable[[], Any]) -> int:
    _trim()
    RESET.write_text(PEAK_RESIDENT)
    before = read_status("VmRSS")
    run()
    return max(read_status("VmHWM") - before, 0)


def read_status(field: str) -> int:
    """Return a field of the process's status in bytes, such as VmHWM (the mark) or VmRSS (now).

    Raises:
        OSError: not Linux.
    """
    for line in STATUS.read_text().splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return int(value.split()[0]) * 1024
    raise OSError(f"{STATUS} has no field {field}")


def _trim() -> None:
    """Hand free memory back to the system: the pool's, and the C library's where it can."""
    set_pool_limit(get_pool_limit())  # frees what is not lent
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
