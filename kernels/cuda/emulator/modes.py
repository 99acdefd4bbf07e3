"""How closely the emulator looks.

    plain       guarded memory, barriers, launch limits, argument types
    orders      plain, three times: threads ascending, descending and shuffled, shared memory filled
                differently; results must be equal bit for bit, so missing barriers and unwritten shared
                memory show
    undefined   with UndefinedBehaviorSanitizer: integer overflow, misaligned vectors, indices outside
                static arrays
    address     with AddressSanitizer: every access outside an array, also of shared and private memory
    thread      with ThreadSanitizer: races between threads without a barrier or an atomic between them
    counting    plain, and every access is counted: what `count_accesses` (counting.py) runs launches in

Address and thread need their runtime loaded before Python starts: `sanitizer_environment` (build.py) says
how.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

MODES = ("plain", "orders", "undefined", "address", "thread", "counting")
# mode: the library that must be there before the process starts, and a symbol of it
PRELOADED = {"address": ("libasan.so", "__asan_init"), "thread": ("libtsan.so", "__tsan_init")}
MODE_VARIABLE = "MINIDNN_EMULATOR_MODE"

_mode: ContextVar[str | None] = ContextVar("emulator_mode", default=None)


def mode() -> str:
    """Return the mode in force: `use_mode`'s, or $MINIDNN_EMULATOR_MODE, or "plain".

    Raises:
        ValueError: an unknown mode.
        RuntimeError: the mode needs a library that was not loaded when this process started.
    """
    chosen = _mode.get() or os.environ.get(MODE_VARIABLE) or "plain"
    if chosen not in MODES:
        raise ValueError(f"mode must be one of {', '.join(MODES)}, got {chosen!r}")
    if chosen in PRELOADED:
        library, symbol = PRELOADED[chosen]
        if not hasattr(ctypes.CDLL(None), symbol):
            raise RuntimeError(
                f"mode {chosen!r} needs {library} loaded before Python starts: "
                "run in the environment that sanitizer_environment gives"
            )
    return chosen


@contextmanager
def use_mode(name: str) -> Iterator[None]:
    """Look this closely while the context lasts (ValueError, RuntimeError: as `mode`)."""
    token = _mode.set(name)
    try:
        mode()
        yield
    finally:
        _mode.reset(token)
