"""Peak memory of a call, where the system tells."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import memory
from kernels.memory import empty


def test_the_peak_is_what_lived_at_once() -> None:
    def run() -> np.ndarray:
        first = np.ones(2**22)  # 32 MiB, then as much again
        return first + 1

    def peak() -> int | None:
        return memory.peak_bytes(run)

    measured = peak()
    if measured is None:
        pytest.skip("the system does not let the high-water mark be set back")
    assert 60 * 2**20 <= measured <= 80 * 2**20
    assert memory.peak_bytes(lambda: None) < 2**22


def test_what_the_pool_holds_free_counts_when_it_is_taken_again() -> None:
    def run() -> None:
        empty(2**22, np.float64)[:] = 1  # 32 MiB

    run()
    measured = memory.peak_bytes(run)
    if measured is None:
        pytest.skip("the system does not let the high-water mark be set back")
    assert 30 * 2**20 <= measured <= 40 * 2**20
