"""A pool for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kernels import memory
from tests.kernels.memory.blocks import MEBIBYTE


@pytest.fixture(autouse=True)
def pool() -> Iterator[memory.Pool]:
    """A pool of its own for each test."""
    before = memory.get_pool_limit()
    memory.set_pool_limit(64 * MEBIBYTE)
    yield memory._pool
    memory.set_pool_limit(before)
