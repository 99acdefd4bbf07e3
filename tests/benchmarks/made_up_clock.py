"""What stands in for a GPU's clock in the tests of its benchmark."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from kernels.cuda.emulator import EmulatorError, compiler


def _has_compiler() -> bool:
    try:
        compiler.find_compiler()
    except EmulatorError:
        return False
    return True


needs_compiler = pytest.mark.skipif(not _has_compiler(), reason="the CUDA emulator needs a C++ compiler")


class MadeUpClock:
    """Runs the call and says that it took as long as the list says; launches take a hundredth of it."""

    def __init__(self, *seconds: float) -> None:
        self.seconds = seconds
        self.calls = 0

    def time(self, run: Callable[[], Any]) -> tuple[float, float]:
        run()
        self.calls += 1
        device = self.seconds[(self.calls - 1) % len(self.seconds)]
        return device, device / 100
