"""Peak memory of a call, where the system tells."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import memory


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
