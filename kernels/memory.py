"""Where kernels get the memory of their outputs: a pool that spares a training loop its page faults.

A large array that NumPy frees goes back to the operating system, and the next one of its size comes as new
pages, each of which costs a fault when it is first written; a training step can spend more time in faults
than in arithmetic. The pool keeps such memory for the next output. It returns there only when nothing can see
it any more: a pooled array does not own its memory but refers to an object that does, whose finaliser runs
after the last view, memoryview or foreign alias is gone. Nothing else can release it.

    array, view, DLPack capsule, torch tensor ...  ->  _Owner  ->  _Block
                                                         | finaliser
                                                         v
                                                  the pool's shelf of blocks of that size

`set_pool_limit(0)` or the environment variable MINIDNN_POOL_LIMIT=0 switches the pool off. What the pool does
not serve, NumPy's own results, the C library's allocator can be made to keep: see `keep_freed_memory`.
"""

from __future__ import annotations

import ctypes
import math
import operator
import os
import threading
from functools import cache, lru_cache
from typing import Any, NamedTuple

import numpy as np

from kernels.array import Array, check_integer

SMALLEST = 64 * 1024  # bytes; smaller memory the C library keeps by itself, and a pool would only cost time
ALIGNMENT = 64  # bytes: a cache line, and the widest vector register
UNKNOWN_MEMORY = 4 * 2**30  # bytes assumed where the system does not say how much it has
NUMBERS = frozenset(map(np.dtype, "?bBhHiIlLefdFD"))

_SEVERAL = (tuple, list)  # half as long to ask for as `tuple | list`


class _Owner:
    """What a pooled array refers to as its `base`; as long as it lives, the block is lent.

    A plain array stands between every alias and the owner. Arrays hide their base from the garbage collector,
    so the owner is never finalised as part of a cycle in which another finaliser can still read the array.
    The finaliser takes no lock, for it may run at any moment, also within `Pool.lend` on the same thread.
    """

    __slots__ = ()
    block: _Block
    shelf: list[_Block]

    def __del__(self) -> None:
        self.shelf.append(self.block)


@cache
def _owner_type(size: int) -> Any:
    """Owners of blocks of `size` bytes. As ctypes' arrays they offer NumPy their memory as a buffer, which it
    takes in half of the time of an `__array_interface__`.
    """

    class SizedOwner(_Owner, ctypes.c_char * size):  # type: ignore[misc]
        __slots__ = ("block", "shelf")

    return SizedOwner


class _Block(NamedTuple):
    """Memory that the pool lends: its aligned address, its size in bytes, the array that holds it, and the
    type of its owners.
    """

    address: int
    size: int
    holder: Array
    owner_type: Any


class Pool:
    """At most `limit` bytes of blocks, lent or free. Any thread may borrow, and any may return.

    Free blocks lie on one shelf per size. Putting a block on a shelf and taking it away are single steps for
    Python's threads, so only a search for what is not there needs the lock. It is reentrant, because the
    garbage collector may set in during a search and run somebody's finaliser that wants an array.

    A pool that is dropped takes its free blocks along; lent ones go when their arrays do.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.size = 0  # of all blocks, lent or free
        self._shelves: dict[int, list[_Block]] = {}
        self._lock = threading.RLock()

    def lend(self, size: int, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array | None:
        """An array of this shape and type in a block of `size` bytes; None where there is no room for one."""
        try:
            shelf = self._shelves[size]
            block = shelf.pop()
        except (KeyError, IndexError):
            found = self._search(size)
            if found is None:
                return None
            block, shelf = found
        owner = block.owner_type.from_address(block.address)
        owner.block, owner.shelf = block, shelf
        return np.ndarray(shape, dtype, owner)

    def _search(self, size: int) -> tuple[_Block, list[_Block]] | None:
        """A free block of the nearest size up to twice the wanted, or else a new one; and its shelf."""
        with self._lock:
            for larger in range(size, 2 * size + 1, 1 << _step(size)):
                shelf = self._shelves.get(larger)
                if shelf:  # most are empty or not there, and to fail takes longer than to look
                    block = _pop(shelf)
                    if block is not None:
                        return block, shelf
            self._shrink_to(self.limit - size)
            if self.size + size > self.limit:
                return None
            self.size += size
            shelf = self._shelves.setdefault(size, [])
        try:
            return _new_block(size), shelf
        except MemoryError:  # NumPy may find room in what is let go of here
            with self._lock:
                self.size -= size
                self._shrink_to(0)
            return None

    def _shrink_to(self, size: int) -> None:
        """Let go of free blocks, of the sizes first asked for first, until at most `size` bytes are left."""
        for shelf in list(self._shelves.values()):
            while self.size > size and (block := _pop(shelf)) is not None:
                self.size -= block.size


def _new_block(size: int) -> _Block:
    holder = np.empty(size + ALIGNMENT, np.uint8)
    start = holder.ctypes.data
    return _Block(start + -start % ALIGNMENT, size, holder, _owner_type(size))


def _pop(shelf: list[_Block]) -> _Block | None:
    """The last block of a shelf, unless there is none or another thread was faster."""
    try:
        return shelf.pop()
    except IndexError:
        return None


def _step(size: int) -> int:
    """The binary logarithm of the distance between block sizes near `size`: sixteen per power of two."""
    return size.bit_length() - 5


def _rounded_up(size: int) -> int:
    """The smallest block size that holds `size` bytes, at most 1/16 more, so that near sizes share blocks."""
    step = _step(size)
    return -(-size >> step) << step


def _default_limit() -> int:
    """MINIDNN_POOL_LIMIT in bytes; without it a quarter of the machine's memory."""
    wanted = os.environ.get("MINIDNN_POOL_LIMIT")
    if wanted is not None:
        if not wanted.isdecimal():
            raise ValueError(f"MINIDNN_POOL_LIMIT must be a number of bytes, got {wanted!r}")
        return int(wanted)
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        memory = UNKNOWN_MEMORY
    return memory // 4


_pool = Pool(_default_limit())


def empty(shape: int | tuple[int, ...] | list[int], dtype: np.dtype[Any] | type[np.generic]) -> Array:
    """An uninitialised C-contiguous array, as `numpy.empty` gives it; from 64 KiB on, out of the pool.

    A pooled array starts at a multiple of 64 bytes. Like every array that does not own its memory, it cannot
    be resized in place. Where the pool's limit leaves no room, the array comes from NumPy.

    Raises:
        ValueError: a negative length, or too many bytes for an array.
        TypeError: a length that is not an integer, or an unknown dtype.
        MemoryError: the system has no more, even after the pool has given up what was free.
    """
    lengths = tuple(shape) if isinstance(shape, _SEVERAL) else (shape,)
    hashable: Any = dtype  # NumPy's type stubs do not say so
    block_size, sizes, kind = _plan(lengths, hashable)
    pool = _pool
    array = pool.lend(block_size, sizes, kind) if 0 < block_size <= pool.limit else None
    return np.empty(sizes, kind) if array is None else array


@lru_cache(maxsize=4096)
def _plan(shape: tuple[Any, ...], dtype: Any) -> tuple[int, tuple[int, ...], np.dtype[Any]]:
    """Size of the block, 0 for what the pool does not serve; shape in Python's integers; type.

    A training loop asks for the same few shapes all the time, and to look the answer up is faster.
    """
    sizes = tuple(map(operator.index, shape))  # Python's integers: a product of NumPy's would overflow
    kind = np.dtype(dtype)
    size = math.prod(sizes) * kind.itemsize if kind in NUMBERS else 0
    return (_rounded_up(size) if size >= SMALLEST else 0), sizes, kind


def owns_memory(array: Array) -> bool:
    """Whether all other arrays on its memory refer to this one: it owns it, or has it from the pool."""
    base: Any = array.base  # NumPy's type stubs know of arrays only
    return array.flags.owndata or isinstance(base, _Owner)


def set_pool_limit(limit: int) -> None:
    """Set how many bytes the pool may have, lent and free together; 0 switches it off.

    What is free now is freed at once; arrays in use keep their memory until they go.

    Raises:
        ValueError: a negative limit.
        TypeError: not an integer.
    """
    global _pool
    _pool = Pool(check_integer("limit", limit, minimum=0))


def get_pool_limit() -> int:
    """Return how many bytes the pool may have: by default a quarter of the machine's memory."""
    return _pool.limit


def _renew_pool() -> None:
    """After a fork: a thread that the child does not have may have held the lock, and it would stay shut."""
    set_pool_limit(_pool.limit)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_pool)


def keep_freed_memory() -> None:
    """Make the C library keep freed memory for later requests instead of handing it back to the system.

    It spares all NumPy arrays up to 32 MiB their page faults, not only the kernels' outputs. It holds for the
    whole process, other libraries included, it cannot be undone, and the process does not shrink any more.
    The pool then has nothing left to spare and may as well be switched off.

    Raises:
        OSError: the C library is not glibc, or it refuses the setting.

    Source: the GNU C Library manual, section "Malloc Tunable Parameters".
    """
    library = _glibc()
    # M_MMAP_THRESHOLD (-3): larger requests are mapped apart, and unmapped when freed; 32 MiB is the most.
    # M_TRIM_THRESHOLD (-1): more free memory than this at the heap's end is handed back; -1 stands for never.
    if not (library.mallopt(-3, 32 * 2**20) and library.mallopt(-1, -1)):
        raise OSError("the C library must accept to keep freed memory, but its mallopt refused")


def _glibc() -> Any:
    try:
        library = ctypes.CDLL(None)
        library.gnu_get_libc_version  # noqa: B018 - another library does not have it
    except (TypeError, AttributeError):
        raise OSError("keep_freed_memory needs glibc, and this process runs on another C library") from None
    return library
