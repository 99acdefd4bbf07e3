"""The pool in processes of its own: at a fork, at the end of the interpreter, and by the environment."""

from __future__ import annotations

import os

import pytest

from kernels import memory
from tests.kernels.memory.new_python import in_new_python


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_fork_while_another_thread_searches() -> None:
    """The child neither waits for the parent's lock nor shares memory with it."""
    program = """
import os, threading, numpy as np
from kernels import memory
held = memory.empty(100_000, np.float32)
held.fill(1)
locked, done = threading.Event(), threading.Event()
def hold():
    with memory._pool._lock:
        locked.set()
        done.wait()
thread = threading.Thread(target=hold)
thread.start()
locked.wait()
child = os.fork()
if child == 0:
    held.fill(2)
    memory.empty(100_000, np.float32).fill(3)
    del held
    memory.empty(70_000, np.float32).fill(4)
    os._exit(0)
status = os.waitpid(child, 0)[1]
done.set()
thread.join()
assert status == 0, status
assert np.all(held == 1)
"""
    result = in_new_python(program, PYTHONWARNINGS="ignore")
    assert result.returncode == 0, result.stderr


def test_arrays_that_outlive_the_interpreter() -> None:
    """Arrays in globals, cycles, threads' locals and exit functions end without a word."""
    program = """
import atexit, sys, threading, numpy as np
from kernels import memory
kept = [memory.empty(100_000, np.float32) for _ in range(4)]
kept.append(kept)
sys.kept_too = memory.empty(100_000, np.float32)[5:]
local = threading.local()
local.array = memory.empty(100_000, np.float32)
atexit.register(lambda: memory.empty(100_000, np.float32).fill(0))
class Late:
    def __del__(self, empty=memory.empty, kind=np.float32):
        empty(100_000, kind)
kept.append(Late())
"""
    result = in_new_python(program)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("value", "answer"),
    [("0", "0"), ("1000000", "1000000"), ("", "must be a number of bytes"), ("1G", "got '1G'")],
)
def test_environment(value: str, answer: str) -> None:
    result = in_new_python(
        "from kernels import memory; print(memory.get_pool_limit())", MINIDNN_POOL_LIMIT=value
    )
    assert answer in result.stdout + result.stderr


def test_default_limit_is_a_quarter_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MINIDNN_POOL_LIMIT", raising=False)
    monkeypatch.setattr(os, "sysconf", {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 1000}.__getitem__)
    assert memory._default_limit() == 1_024_000
    monkeypatch.delattr(os, "sysconf")
    assert memory._default_limit() == 2**30
