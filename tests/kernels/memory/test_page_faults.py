"""What is spared: page faults, by the pool and by the allocator's settings."""

from __future__ import annotations

import ctypes
import sys
from typing import Any

import pytest

from kernels import memory
from tests.kernels.memory.new_python import in_new_python


def page_faults(prepare: str, allocate: str) -> float:
    """Faults per round of four live 3 MB arrays that are written, in a process of its own."""
    program = f"""
import resource, numpy as np
from kernels import memory
{prepare}
def round_():
    for array in [{allocate}(3 * 2**18, np.float32) for _ in range(4)]:
        array.fill(1)
for _ in range(3):
    round_()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    round_()
print((resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) / 20)
"""
    result = in_new_python(program)
    assert result.returncode == 0, result.stderr
    return float(result.stdout)


def has_glibc() -> bool:
    try:
        memory._glibc()
    except OSError:
        return False
    return True


@pytest.mark.skipif(sys.platform != "linux", reason="counts page faults")
def test_the_pool_spares_page_faults() -> None:
    assert page_faults("", "memory.empty") < 5


@pytest.mark.skipif(not has_glibc(), reason="needs glibc")
def test_keeping_freed_memory_spares_numpy_page_faults() -> None:
    """A round writes 3072 pages of 4 KiB, which NumPy gets anew each time unless the allocator is told."""
    assert page_faults("", "np.empty") > 100
    assert page_faults("memory.keep_freed_memory()", "np.empty") < 5


@pytest.mark.parametrize("library", [None, object()], ids=["Windows", "another C library"])
def test_keeping_freed_memory_needs_glibc(library: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def load(name: None) -> Any:
        if library is None:
            raise TypeError("no name")
        return library

    monkeypatch.setattr(ctypes, "CDLL", load)
    with pytest.raises(OSError, match="needs glibc"):
        memory.keep_freed_memory()


def test_a_refusal_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    class Library:
        gnu_get_libc_version = None

        def mallopt(self, parameter: int, value: int) -> int:
            return 0

    monkeypatch.setattr(ctypes, "CDLL", lambda name: Library())
    with pytest.raises(OSError, match="refused"):
        memory.keep_freed_memory()
