"""Tests of kernels run on the emulator, and unchanged on a GPU where they are asked to: `pytest -m gpu`.

Where what a device needs is missing they are skipped, and say what it is.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from kernels.cuda.emulator import EmulatorError, compiler
from kernels.device import Device, find


@pytest.fixture(params=["emulator", pytest.param("gpu", marks=pytest.mark.gpu)])
def device(request: pytest.FixtureRequest) -> Device:
    try:
        return find(request.param)
    except ValueError as missing:
        pytest.skip(str(missing))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All but those on a GPU need a C++ compiler."""
    try:
        compiler.find_compiler()
    except EmulatorError as missing:
        for item in items:
            if Path(__file__).parent in item.path.parents and not item.get_closest_marker("gpu"):
                item.add_marker(pytest.mark.skip(reason=str(missing)))
