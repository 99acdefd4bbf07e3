"""Every planted fault is caught in the modes that promise it, with kernel, line, block and thread named."""

from __future__ import annotations

import functools
import os
import re
import subprocess
import sys

import pytest

from kernels.cuda import emulator
from tests.kernels.cuda.faults import BARRIER, FAULTS, Fault, faulty_line, message

IN_PROCESS = ("plain", "orders", "undefined")
PRELOADED = ("address", "thread")


def check(fault: Fault, mode: str, said: str) -> None:
    wanted = fault.caught.get(mode)
    if wanted is None:
        return
    assert said.startswith(f"kernel {fault.name}: ")
    assert wanted in said, said
    if BARRIER in said or "overwritten" in said:
        return  # found by looking at the results, which says the argument but no line
    assert re.search(r"kernel\.cu:\d+: block \(\d, 0, 0\) thread \(\d+, 0, 0\): ", said), said
    line = faulty_line(fault)
    # Of a race both sides are at fault, and the sanitizer tells whichever came second.
    if line and "race" not in wanted:
        assert line in said, said


@pytest.mark.parametrize("mode", IN_PROCESS)
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_caught(fault: Fault, mode: str) -> None:
    with emulator.use_mode(mode):
        check(fault, mode, message(fault))


@functools.cache
def messages(mode: str) -> dict[str, str]:
    """What a process of its own says in a sanitizer's mode."""
    environment = {**os.environ, **emulator.sanitizer_environment(mode)}
    command = [sys.executable, "-m", "tests.kernels.cuda.faults"]
    result = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    return dict(line.split("\t") for line in result.stdout.splitlines())


@pytest.mark.slow
@pytest.mark.parametrize("mode", PRELOADED)
def test_caught_by_sanitizers(mode: str) -> None:
    for fault in FAULTS:
        if mode in fault.caught:
            check(fault, mode, messages(mode)[fault.name])


def test_every_fault_is_caught_somewhere() -> None:
    assert all(fault.caught for fault in FAULTS)
