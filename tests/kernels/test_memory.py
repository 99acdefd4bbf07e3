"""Output memory: nothing that can still be seen is handed out again, and the pool keeps its bounds."""

from __future__ import annotations

import copy
import ctypes
import gc
import os
import pickle
import random
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import memory

FLOATS = 32 * 1024  # float32 numbers: 128 KiB, above the pool's smallest
MEBIBYTE = 2**20


@pytest.fixture(autouse=True)
def pool() -> Iterator[memory.Pool]:
    """A pool of its own for each test."""
    before = memory.get_pool_limit()
    memory.set_pool_limit(64 * MEBIBYTE)
    yield memory._pool
    memory.set_pool_limit(before)


def address(array: np.ndarray[Any, Any]) -> int:
    return array.__array_interface__["data"][0]


def free_bytes(pool: memory.Pool) -> int:
    return sum(block.size for shelf in pool._shelves.values() for block in shelf)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, np.bool_, np.complex128, np.float16])
@pytest.mark.parametrize(
    "shape", [(7, 300, 101), [500, 400], 300_001, (0, 5), (), (3,), (np.int64(1000), 1000)]
)
def test_same_as_numpy(shape: Any, dtype: Any) -> None:
    """Shape, type, layout and flags are NumPy's, whether pooled or not; the start is aligned where it is."""
    for wanted in (dtype, np.dtype(dtype)):
        ours, theirs = memory.empty(shape, wanted), np.empty(shape, wanted)
        assert type(ours) is np.ndarray
        assert (ours.shape, ours.dtype, ours.strides) == (theirs.shape, theirs.dtype, theirs.strides)
        assert ours.flags.c_contiguous
        assert ours.flags.writeable
        assert ours.flags.aligned
        pooled = theirs.nbytes >= memory.SMALLEST
        assert (ours.base is not None) == pooled
        assert not pooled or address(ours) % memory.ALIGNMENT == 0


@pytest.mark.parametrize("shape", [-1, (-5, 3), (-1000, -1000), (2**62, 4), (2**31, 2**33)])
def test_impossible_shapes(shape: Any, pool: memory.Pool) -> None:
    with pytest.raises((ValueError, MemoryError)) as numpy_says:
        np.empty(shape, np.float32)
    with pytest.raises(numpy_says.type):
        memory.empty(shape, np.float32)
    gc.collect()
    assert free_bytes(pool) == pool.size


@pytest.mark.parametrize("shape", [2.5, (3, 2.5), "3"])
def test_lengths_are_integers(shape: Any) -> None:
    with pytest.raises(TypeError):
        memory.empty(shape, np.float32)


@pytest.mark.parametrize(
    "dtype", [np.dtype(">f4"), np.dtype([("a", "f4"), ("b", "i4")]), np.dtype("S8"), object]
)
def test_other_types_come_from_numpy(dtype: Any) -> None:
    array = memory.empty(FLOATS, dtype)
    assert array.base is None
    assert array.dtype == np.dtype(dtype)


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


@settings(max_examples=60, deadline=None)
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


def test_copies_are_independent() -> None:
    array = memory.empty(FLOATS, np.float32)
    array[:] = np.arange(FLOATS)
    copies = [
        array.copy(),
        copy.copy(array),
        copy.deepcopy(array),
        pickle.loads(pickle.dumps(array, protocol=5)),
    ]
    array.fill(0)
    place = address(array)
    del array
    memory.empty(FLOATS, np.float32).fill(-1)
    for other in copies:
        assert address(other) != place
        np.testing.assert_array_equal(other, np.arange(FLOATS, dtype=np.float32))


def test_pickle_buffers_out_of_band_keep_the_memory() -> None:
    buffers: list[pickle.PickleBuffer] = []
    array = memory.empty(FLOATS, np.float32)
    array.fill(5)
    stream = pickle.dumps(array, protocol=5, buffer_callback=buffers.append)
    del array
    memory.empty(FLOATS, np.float32).fill(-1)
    assert np.all(pickle.loads(stream, buffers=buffers) == 5)


def test_in_place_operations_and_resize() -> None:
    array = memory.empty(FLOATS, np.float32)
    array.fill(1)
    before = address(array)
    array += 1
    np.multiply(array, 3, out=array)
    assert address(array) == before
    assert np.all(array == 6)
    with pytest.raises(ValueError, match="does not own its data"):
        array.resize(10, refcheck=False)


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


def in_new_python(program: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-X", "dev", "-c", program],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, **environment},
    )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_fork_while_another_thread_searches() -> None:
    """The child neither waits for the parent's lock nor shares memory with it."""
    program = """
import os, threading, numpy as np
from kernels import memory
held = memory.empty(100_000, np.float32)
held.fill(1)
locked, done = threading.Event(), threading.Event()
def hold():
    with memory._pool._lock:
        locked.set()
        done.wait()
thread = threading.Thread(target=hold)
thread.start()
locked.wait()
child = os.fork()
if child == 0:
    held.fill(2)
    memory.empty(100_000, np.float32).fill(3)
    del held
    memory.empty(70_000, np.float32).fill(4)
    os._exit(0)
status = os.waitpid(child, 0)[1]
done.set()
thread.join()
assert status == 0, status
assert np.all(held == 1)
"""
    result = in_new_python(program, PYTHONWARNINGS="ignore")
    assert result.returncode == 0, result.stderr


def test_arrays_that_outlive_the_interpreter() -> None:
    """Arrays in globals, cycles, threads' locals and exit functions end without a word."""
    program = """
import atexit, sys, threading, numpy as np
from kernels import memory
kept = [memory.empty(100_000, np.float32) for _ in range(4)]
kept.append(kept)
sys.kept_too = memory.empty(100_000, np.float32)[5:]
local = threading.local()
local.array = memory.empty(100_000, np.float32)
atexit.register(lambda: memory.empty(100_000, np.float32).fill(0))
class Late:
    def __del__(self, empty=memory.empty, kind=np.float32):
        empty(100_000, kind)
kept.append(Late())
"""
    result = in_new_python(program)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("value", "answer"),
    [("0", "0"), ("1000000", "1000000"), ("", "must be a number of bytes"), ("1G", "got '1G'")],
)
def test_environment(value: str, answer: str) -> None:
    result = in_new_python(
        "from kernels import memory; print(memory.get_pool_limit())", MINIDNN_POOL_LIMIT=value
    )
    assert answer in result.stdout + result.stderr


def test_default_limit_is_a_quarter_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MINIDNN_POOL_LIMIT", raising=False)
    monkeypatch.setattr(os, "sysconf", {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 1000}.__getitem__)
    assert memory._default_limit() == 1_024_000
    monkeypatch.delattr(os, "sysconf")
    assert memory._default_limit() == 2**30


def page_faults(prepare: str, allocate: str) -> float:
    """Faults per round of four live 3 MB arrays that are written, in a process of its own."""
    program = f"""
import resource, numpy as np
from kernels import memory
{prepare}
def round_():
    for array in [{allocate}(3 * 2**18, np.float32) for _ in range(4)]:
        array.fill(1)
for _ in range(3):
    round_()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    round_()
print((resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) / 20)
"""
    result = in_new_python(program)
    assert result.returncode == 0, result.stderr
    return float(result.stdout)


def has_glibc() -> bool:
    try:
        memory._glibc()
    except OSError:
        return False
    return True


@pytest.mark.skipif(sys.platform != "linux", reason="counts page faults")
def test_the_pool_spares_page_faults() -> None:
    assert page_faults("", "memory.empty") < 5


@pytest.mark.skipif(not has_glibc(), reason="needs glibc")
def test_keeping_freed_memory_spares_numpy_page_faults() -> None:
    """A round writes 3072 pages of 4 KiB, which NumPy gets anew each time unless the allocator is told."""
    assert page_faults("", "np.empty") > 100
    assert page_faults("memory.keep_freed_memory()", "np.empty") < 5


@pytest.mark.parametrize("library", [None, object()], ids=["Windows", "another C library"])
def test_keeping_freed_memory_needs_glibc(library: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def load(name: None) -> Any:
        if library is None:
            raise TypeError("no name")
        return library

    monkeypatch.setattr(ctypes, "CDLL", load)
    with pytest.raises(OSError, match="needs glibc"):
        memory.keep_freed_memory()


def test_a_refusal_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    class Library:
        gnu_get_libc_version = None

        def mallopt(self, parameter: int, value: int) -> int:
            return 0

    monkeypatch.setattr(ctypes, "CDLL", lambda name: Library())
    with pytest.raises(OSError, match="refused"):
        memory.keep_freed_memory()
