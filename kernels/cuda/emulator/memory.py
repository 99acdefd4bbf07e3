"""Memory for arrays in which an access outside is noticed.

An array ends (rounded up to 16 bytes) at an inaccessible page and begins after one, so reading or writing
past it stops the kernel; what lies between it and the pages is filled with a pattern and looked at after
each launch. Under the address and thread sanitizers it is a block of malloc, of which they know the exact
bounds.
"""

from __future__ import annotations

import ctypes
import mmap
from typing import Any

import numpy as np

from kernels.cuda.emulator.modes import mode

_PAGE = mmap.PAGESIZE
_ALIGNMENT = 256  # what a GPU's allocator promises
_PATTERN = 0xA5

_c = ctypes.CDLL(None, use_errno=True)
_c.mmap.restype = ctypes.c_void_p
_c.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
_c.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
_c.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
_c.posix_memalign.argtypes = [ctypes.POINTER(ctypes.c_void_p), ctypes.c_size_t, ctypes.c_size_t]
_c.free.argtypes = [ctypes.c_void_p]


class Allocation:
    """`size` bytes, every one 0xFF at first: NaN as a floating-point number, -1 as an integer.

    Attributes:
        address: where they begin.
        size: how many there are.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._guarded = mode() not in ("address", "thread")
        self._mapped = (0, 0)  # address and length
        self._body = (0, 0)  # from the first to the last accessible byte
        if self._guarded:
            self._map()
        else:
            place = ctypes.c_void_p()
            _c.posix_memalign(ctypes.byref(place), _ALIGNMENT, max(size, 1))
            self.address = place.value or 0
        if not self.address:
            raise MemoryError(f"no memory for an array of {size} bytes")
        ctypes.memset(self.address, 0xFF, size)

    def _map(self) -> None:
        body = -(-max(self.size, 1) // _PAGE) * _PAGE
        length = body + 2 * _PAGE
        base = _c.mmap(
            None, length, mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_PRIVATE | mmap.MAP_ANON, -1, 0
        )
        if base in (None, ctypes.c_void_p(-1).value):
            raise MemoryError(f"no memory for an array of {self.size} bytes")
        begin, end = base + _PAGE, base + _PAGE + body
        _c.mprotect(base, _PAGE, 0)
        _c.mprotect(end, _PAGE, 0)
        self.address = (end - self.size) // 16 * 16
        self._mapped, self._body = (base, length), (begin, end)
        ctypes.memset(begin, _PATTERN, body)

    @property
    def __array_interface__(self) -> dict[str, Any]:
        return {"version": 3, "shape": (self.size,), "typestr": "|u1", "data": (self.address, False)}

    def overwritten(self) -> str:
        """Say which bytes beside the array were overwritten; "" if none were."""
        if not self._guarded:
            return ""
        begin, end = self._body
        after = self.address + self.size
        for where, low, high in (("before", begin, self.address), ("after", after, end)):
            beside = np.frombuffer(ctypes.string_at(low, high - low), np.uint8)
            changed = np.flatnonzero(beside != _PATTERN)
            if changed.size:
                return f"{changed.size} bytes {where} its memory were overwritten"
        return ""

    def distance(self, address: int) -> int | None:
        """Return by how many bytes an address misses the array (0: inside); None if it is far away."""
        low, high = self.address, self.address + self.size
        outside = low - address if address < low else max(address - high + 1, 0)
        return outside if outside <= 2 * _PAGE else None

    def __del__(self) -> None:
        if self._mapped[0]:
            _c.munmap(*self._mapped)
        elif not self._guarded and self.address:
            _c.free(self.address)
