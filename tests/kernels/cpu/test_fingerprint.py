"""Fingerprints of arrays: the formula, and that changes show."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.cpu.fingerprint import fingerprint
from kernels.threads import get_num_threads, set_num_threads

MULTIPLIER = 0x9E3779B97F4A7C15


def by_definition(array: np.ndarray) -> int:
    octets = array.tobytes()
    words = np.frombuffer(octets + bytes(-len(octets) % 8), "<u8")
    return sum(int(word) * (2 * i + 1) * MULTIPLIER for i, word in enumerate(words)) % 2**64


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(), (0,), (1,), (3,), (5, 3, 2, 3), (7, 1, 5), (41, 33, 7)])
def test_it_is_its_definition(shape: tuple[int, ...], dtype: type) -> None:
    array = np.random.default_rng(3).standard_normal(shape).astype(dtype)
    assert fingerprint(np.asarray(array)) == by_definition(np.asarray(array))


def test_memory_layout_and_threads_do_not_matter() -> None:
    array = np.random.default_rng(4).standard_normal((300, 211)).astype(np.float32)
    want, threads = by_definition(array), get_num_threads()
    try:
        for number in (1, 2, 3):
            set_num_threads(number)
            assert fingerprint(array) == want
            assert fingerprint(np.asfortranarray(array)) == want
    finally:
        set_num_threads(threads)


@settings(max_examples=50)
@given(size=st.integers(1, 40), data=st.data(), seed=st.integers(0, 99))
def test_a_change_shows(size: int, data: st.DataObject, seed: int) -> None:
    array = np.random.default_rng(seed).standard_normal(size).astype(np.float32)
    before = fingerprint(array)
    i, j = data.draw(st.integers(0, size - 1)), data.draw(st.integers(0, size - 1))
    changed = array.copy()
    changed[i] = np.nextafter(changed[i], np.float32(9))
    exchanged = array.copy()
    exchanged[[i, j]] = exchanged[[j, i]]
    assert fingerprint(changed) != before
    assert (fingerprint(exchanged) != before) == (array[i] != array[j])
    assert fingerprint(array) == before
