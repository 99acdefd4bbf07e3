"""The emulator compiles CUDA sources with the host's C++ compiler; where there is none its tests say so."""

from __future__ import annotations

from pathlib import Path

import pytest

from kernels.cuda.emulator import EmulatorError, compiler


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    try:
        compiler.find_compiler()
    except EmulatorError as missing:
        for item in items:
            if Path(__file__).parent in item.path.parents:
                item.add_marker(pytest.mark.skip(reason=str(missing)))
