"""Nothing that can still be seen is handed out again, whatever keeps it in sight."""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import memory
from tests.kernels.memory.blocks import FLOATS, MEBIBYTE, address, free_bytes


def dlpack_capsule(array: np.ndarray[Any, Any]) -> Any:
    return array.__dlpack__()


def through_ctypes(array: np.ndarray[Any, Any]) -> Any:
    return (ctypes.c_char * array.nbytes).from_buffer(array)


def through_torch(array: np.ndarray[Any, Any]) -> Any:
    return pytest.importorskip("torch").from_numpy(array)[1:]


def through_torch_dlpack(array: np.ndarray[Any, Any]) -> Any:
    return pytest.importorskip("torch").from_dlpack(array).reshape(-1)


ALIASES: dict[str, Callable[[np.ndarray[Any, Any]], Any]] = {
    "view": lambda array: array[1:, ::2],
    "view of a view": lambda array: array[1:].T[3:][::7, ::-1],
    "other type": lambda array: array.view(np.int8)[:1, :1],
    "subclass": lambda array: array.view(np.matrix),
    "broadcast": lambda array: np.broadcast_to(array[:1], array.shape),
    "window": lambda array: np.lib.stride_tricks.as_strided(array, (2, 2), (4, 4)),
    "memoryview": lambda array: memoryview(array)[1:],
    "memoryview of a view": lambda array: memoryview(array[3:])[1:],
    "frombuffer": lambda array: np.frombuffer(array, np.uint8)[5:],
    "iterator": lambda array: array.flat,
    "nditer": lambda array: np.nditer(array),
    "ctypes": through_ctypes,
    "owner": lambda array: array.base,
    "interface of the owner": lambda array: np.asarray(array.base),
    "DLPack capsule": dlpack_capsule,
    "DLPack array": lambda array: np.from_dlpack(array),
    "torch": through_torch,
    "torch by DLPack": through_torch_dlpack,
}


@pytest.mark.parametrize("make_alias", ALIASES.values(), ids=ALIASES.keys())
def test_every_alias_keeps_the_memory(make_alias: Callable[..., Any], pool: memory.Pool) -> None:
    array = memory.empty((FLOATS // 128, 128), np.float32)
    array.fill(3)
    place, view = address(array), array
    alias = make_alias(view)
    del array, view
    gc.collect()
    assert free_bytes(pool) == 0
    other = memory.empty((FLOATS // 128, 128), np.float32)
    other.fill(-1)
    assert address(other) != place
    assert ctypes.c_float.from_address(place).value == 3
    del other, alias
    gc.collect()
    assert free_bytes(pool) == pool.size
    assert {block.address for shelf in pool._shelves.values() for block in shelf} >= {place}


def holders(array: np.ndarray[Any, Any]) -> st.SearchStrategy[Callable[[np.ndarray[Any, Any]], Any]]:
    starts = st.integers(0, array.size // 2)
    return st.one_of(
        starts.map(lambda start: lambda flat: flat[start:]),
        starts.map(lambda start: lambda flat: memoryview(flat)[start:]),
        starts.map(lambda start: lambda flat: np.from_dlpack(flat[start:])),
        starts.map(lambda start: lambda flat: np.frombuffer(memoryview(flat[start:]), np.float32)),
    )


@settings(max_examples=60)
@given(data=st.data())
def test_contents_never_change_under_an_alias(data: st.DataObject) -> None:
    """Arrays come, get aliases, go, all in random order; every alias keeps reading what was written."""
    memory.set_pool_limit(data.draw(st.sampled_from([0, 300_000, 2 * MEBIBYTE, 64 * MEBIBYTE])))
    living: list[tuple[float, Any]] = []
    for value in range(data.draw(st.integers(1, 25))):
        array = memory.empty(
            data.draw(st.sampled_from([FLOATS // 2, FLOATS, 40_000, 3 * FLOATS])), np.float32
        )
        array.fill(value)
        for _ in range(data.draw(st.integers(0, 2))):
            living.append((value, data.draw(holders(array))(array)))
        living.append((value, array))
        del array
        for _ in range(data.draw(st.integers(0, 3))):
            if living:
                living.pop(data.draw(st.integers(0, len(living) - 1)))
        for wanted, alias in living:
            assert np.all(np.asarray(alias) == wanted)


def test_a_cycle_is_collected_whole_before_its_memory_is_used(pool: memory.Pool) -> None:
    """Finalisers of a cycle run in any order; one that reads, or saves, the array must find its contents."""
    saved: list[Any] = []

    class Node:
        def __init__(self, array: Any) -> None:
            self.array, self.me = array, self

        def __del__(self) -> None:
            other = memory.empty(FLOATS, np.float32)
            other.fill(-1)
            assert np.all(np.asarray(self.array) == 7)
            saved.append(self.array)

    for wrap in (lambda array: array, memoryview, lambda array: [array[3:]][0]):
        array = memory.empty(FLOATS, np.float32)
        array.fill(7)
        Node(wrap(array))
        del array
        gc.collect()
    assert len(saved) == 3
    other = memory.empty(FLOATS, np.float32)
    other.fill(-1)
    assert all(np.all(np.asarray(array) == 7) for array in saved)
    del other
    saved.clear()
    gc.collect()
    assert free_bytes(pool) == pool.size > 0


@pytest.mark.parametrize("size", [10, memory.SMALLEST], ids=["small", "pooled"])
def test_an_array_owns_its_memory_and_a_view_does_not(size: int) -> None:
    array = memory.empty(size, np.float32)
    assert memory.owns_memory(array)
    for view in (array[1:], array.reshape(2, -1), array.view()):
        assert not memory.owns_memory(view)
        assert view.base is array
    assert not memory.owns_memory(np.frombuffer(bytes(size), np.uint8))
