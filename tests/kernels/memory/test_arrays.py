"""Arrays from the pool are NumPy's in everything but where their memory comes from."""

from __future__ import annotations

import copy
import gc
import pickle
from typing import Any

import numpy as np
import pytest

from kernels import memory
from tests.kernels.memory.blocks import FLOATS, address, free_bytes


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
