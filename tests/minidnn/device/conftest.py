"""The tests here run on the emulator, and unchanged on a GPU where they are asked to: `pytest -m gpu`.

Where what a device needs is missing they are skipped, and say what it is.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

import minidnn
from kernels.cuda import emulator


@pytest.fixture(autouse=True)
def compiled_once() -> Iterator[None]:
    """In the mode that the kernels' own tests compile for."""
    with emulator.use_mode("undefined"):
        yield


@pytest.fixture(params=["emulator", pytest.param("gpu", marks=pytest.mark.gpu)])
def place(request: pytest.FixtureRequest) -> minidnn.Device:
    try:
        return minidnn.device(request.param)
    except ValueError as missing:
        pytest.skip(str(missing))


@pytest.fixture
def generator() -> np.random.Generator:
    return np.random.default_rng(17)
