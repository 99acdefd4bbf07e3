"""The tests here run on the emulator, which needs a C++ compiler, and with `-m gpu` on a GPU."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import minidnn
from kernels.cuda import emulator

DEVICES = ["emulator", pytest.param("gpu", marks=pytest.mark.gpu)]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    try:
        minidnn.device("emulator")
    except ValueError as missing:
        for item in items:
            if Path(__file__).parent in item.path.parents:
                item.add_marker(pytest.mark.skip(reason=str(missing)))


@pytest.fixture(autouse=True)
def compiled_once() -> Iterator[None]:
    """In the mode that the kernels' own tests compile for."""
    with emulator.use_mode("undefined"):
        yield


@pytest.fixture(params=DEVICES)
def place(request: pytest.FixtureRequest) -> minidnn.Device:
    return minidnn.device(request.param)


@pytest.fixture
def generator() -> np.random.Generator:
    return np.random.default_rng(17)
