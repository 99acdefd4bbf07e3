"""Blocks serve again, the pool keeps its bounds, and threads do not meet in it."""

from __future__ import annotations

import gc
import random
import sys
import threading
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels import memory
from tests.kernels.memory.blocks import FLOATS, MEBIBYTE, address, free_bytes


def test_memory_is_used_again() -> None:
    array = memory.empty(FLOATS, np.float32)
    place = address(array)
    del array
    assert address(memory.empty((FLOATS // 2, 1), np.float64)) == place


def test_near_sizes_share_a_block() -> None:
    """A request is served by a free block of up to twice its size, and the block stays whole."""
    array = memory.empty(4 * FLOATS, np.float32)
    place = address(array)
    del array
    for fewer in (4 * FLOATS - 100, 3 * FLOATS - 1, 2 * FLOATS, 4 * FLOATS):
        assert address(memory.empty(fewer, np.float32)) == place
    assert address(memory.empty(FLOATS * 15 // 8, np.float32)) != place


@given(size=st.integers(memory.SMALLEST, 2**48))
def test_block_sizes(size: int) -> None:
    rounded = memory._rounded_up(size)
    assert size <= rounded <= size * 17 / 16
    assert memory._rounded_up(rounded) == rounded


def test_an_exception_returns_the_memory(pool: memory.Pool) -> None:
    def fails() -> None:
        array = memory.empty(FLOATS, np.float32)
        raise KeyError(array.size)

    for _ in range(3):
        with pytest.raises(KeyError):
            fails()
    gc.collect()
    assert free_bytes(pool) == pool.size == FLOATS * 4


def test_the_limit_bounds_lent_and_free_memory(pool: memory.Pool) -> None:
    memory.set_pool_limit(MEBIBYTE)
    pool = memory._pool
    arrays = [memory.empty(FLOATS, np.float32) for _ in range(12)]
    assert sum(array.base is not None for array in arrays) == 8
    assert pool.size == MEBIBYTE
    del arrays
    assert free_bytes(pool) == MEBIBYTE
    # Free blocks of other sizes make room.
    large = memory.empty(MEBIBYTE // 4, np.float32)
    assert large.base is not None
    assert (pool.size, free_bytes(pool)) == (MEBIBYTE, 0)
    assert memory.empty(MEBIBYTE, np.float32).base is None


def test_old_sizes_make_room_for_new_ones() -> None:
    memory.set_pool_limit(8 * MEBIBYTE)
    for floats in (FLOATS, 3 * FLOATS, 8 * FLOATS, 20 * FLOATS):
        arrays = [memory.empty(floats, np.float32) for _ in range(3)]
        assert all(array.base is not None for array in arrays)
        assert memory._pool.size <= 8 * MEBIBYTE
        del arrays


def test_switched_off(pool: memory.Pool) -> None:
    lent = memory.empty(FLOATS, np.float32)
    lent.fill(4)
    memory.set_pool_limit(0)
    assert memory.get_pool_limit() == 0
    assert memory.empty(FLOATS, np.float32).base is None
    assert np.all(lent == 4)
    del lent
    assert memory._pool.size == free_bytes(memory._pool) == 0


@pytest.mark.parametrize(
    ("limit", "error"), [(-1, ValueError), (1.5, TypeError), (True, TypeError), ("1", TypeError)]
)
def test_limit_is_checked(limit: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="limit must be"):
        memory.set_pool_limit(limit)


def test_out_of_memory_frees_the_pool_and_asks_again(
    pool: memory.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory.empty(FLOATS, np.float32)
    really = np.empty
    calls: list[Any] = []

    def scarce(shape: Any, dtype: Any) -> Any:
        calls.append(shape)
        if len(calls) == 1:
            raise MemoryError
        return really(shape, dtype)

    monkeypatch.setattr(np, "empty", scarce)
    array = memory.empty(10 * FLOATS, np.float32)
    assert array.base is None
    assert len(calls) == 2
    assert pool.size == 0


def test_threads() -> None:
    """Threads that borrow, alias, hand over and let go never see each other's numbers."""
    memory.set_pool_limit(4 * MEBIBYTE)
    handed_over: list[tuple[int, np.ndarray[Any, Any]]] = []
    failures: list[str] = []

    def work(seed: int) -> None:
        choose = random.Random(seed)
        mine: list[tuple[int, np.ndarray[Any, Any]]] = []
        for round_ in range(400):
            value = seed * 1000 + round_
            array = memory.empty(choose.choice([FLOATS // 2, FLOATS, 5 * FLOATS]), np.float32)
            array.fill(value)
            mine.append((value, array[choose.randrange(100) :]))
            while len(mine) > 6:
                handed_over.append(mine.pop(choose.randrange(len(mine))))
            while len(handed_over) > 8:
                wanted, alias = handed_over.pop()
                if not np.all(alias == wanted):
                    failures.append(f"{wanted} became {alias[alias != wanted][0]}")

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert not failures
    handed_over.clear()
    gc.collect()
    assert free_bytes(memory._pool) == memory._pool.size <= 4 * MEBIBYTE


def test_a_finaliser_may_want_memory_during_a_search(pool: memory.Pool) -> None:
    """The garbage collector may run anywhere; here while the lock is held, on the thread that holds it."""
    reached: list[int] = []

    class Wants:
        def __del__(self) -> None:
            reached.append(memory.empty(FLOATS, np.float32).size)

    with pool._lock:
        Wants()
    assert reached == [FLOATS]
