"""Compiled kernels and threads: launches by several Python threads, forks, and the JIT switched off."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kernels
from kernels.cpu.compilation import compiled, contiguous, parallel, share_of, tasks_for
from tests.kernels.cpu.project_copy import finished

ROOT = Path(kernels.__file__).parent.parent


@parallel
def count(task: int, tasks: int, y: Any) -> None:
    """Every element of a task's share is told the task."""
    part = share_of(y, task, tasks)
    for i in range(part.size):
        part[i] += task


@parallel
def refuse_the_second(task: int, tasks: int, y: Any) -> None:
    """All tasks but one do their work."""
    if task == 1:
        raise ValueError
    y[task] = 1


KERNEL = """
import os, sys
import numpy as np
import kernels
from kernels.cpu.compilation import parallel, share_of, tasks_for

@parallel
def increase(task, tasks, y):
    part = share_of(y, task, tasks)
    for i in range(part.size):
        part[i] += 1

def increased():
    y = np.zeros(100000)
    increase(tasks_for(y.size), y)
    return y.sum()

def in_a_child(work):
    sys.stdout.flush()
    child = os.fork()
    if not child:
        try:
            print(work(), flush=True)
            os._exit(0)
        except BaseException as error:
            print(type(error).__name__, error, flush=True)
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

kernels.set_num_threads(2)
"""


def run(program: str, **variables: str) -> str:
    """What a program prints in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "NUMBA_NUM_THREADS": "2", **variables}
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    return finished(process)


def run_file(folder: Path, program: str, **variables: str) -> str:
    """The same with the program in a file, which the key of its kernels includes."""
    path = folder / "program.py"
    path.write_text(program)
    return run(f"import runpy; runpy.run_path({str(path)!r})", **variables)


# ---- tasks -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("tasks", [1, 2, 3, 8])
def test_the_shares_make_up_the_whole(tasks: int) -> None:
    y = np.zeros(10)
    count(tasks, y)
    want = [task for task in range(tasks) for _ in range(10 * task // tasks, 10 * (task + 1) // tasks)]
    assert y.tolist() == want


def test_tasks_are_never_tiny() -> None:
    before = kernels.get_num_threads()
    try:
        kernels.set_num_threads(4)
        assert [tasks_for(steps) for steps in (0, 1, 8191, 16384, 10**9)] == [1, 1, 1, 2, 4]
        assert tasks_for(30, smallest=10) == 3
    finally:
        kernels.set_num_threads(before)


def test_kernels_see_one_type_of_array() -> None:
    x = np.zeros((3, 4))
    assert contiguous(x) is x
    frozen = x.copy()
    frozen.flags.writeable = False
    for array in (x.T, x[:, ::2], np.broadcast_to(x[0], (3, 4)), frozen):
        taken = contiguous(array)
        assert taken.flags.c_contiguous
        assert taken.flags.writeable
        assert np.array_equal(taken, array)


def test_python_threads_launch_at_the_same_time() -> None:
    """Numba's pools of threads cannot be entered twice; launches take turns."""
    failures: list[int] = []

    def work() -> None:
        for _ in range(50):
            y = np.zeros(1000)
            count(2, y)
            if y.sum() != 500:
                failures.append(int(y.sum()))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_a_task_that_fails_fails_the_launch() -> None:
    y = np.zeros(4)
    with pytest.raises(RuntimeError, match="a kernel failed in one of its tasks"):
        refuse_the_second(4, y)
    assert y.tolist() == [1, 0, 1, 1]


@pytest.mark.parametrize("layer", ["omp", "workqueue"])
def test_more_tasks_than_threads(tmp_path: Path, layer: str) -> None:
    """Numba's own pool hands a thread several tasks at once."""
    program = KERNEL + "y = np.zeros(100000)\nincrease(7, y)\nprint(y.sum(), y.max())"
    assert run_file(tmp_path, program, NUMBA_THREADING_LAYER=layer).split() == ["100000.0", "1.0"]


def test_reductions_only_reorder_where_they_may() -> None:
    def total(x: Any) -> float:
        result = 0.0
        for i in range(x.size):
            result += x[i]
        return result

    x = np.random.default_rng(0).standard_normal(1001)
    assert compiled(total)(x) == total(x)
    assert abs(compiled(total, summing=True)(x) - total(x)) < 1e-12


# ---- forks -----------------------------------------------------------------------------------------

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


@needs_fork
def test_a_fork_after_a_launch_is_told(tmp_path: Path) -> None:
    program = KERNEL + "print(increased())\nprint(in_a_child(increased))\nprint(increased())"
    lines = run_file(tmp_path, program).splitlines()
    assert lines[0] == lines[3] == "100000.0"
    assert lines[1].startswith("RuntimeError kernels cannot use threads in a process forked from one")
    assert "set_num_threads(1)" in lines[1]
    assert lines[2] == "1"


@needs_fork
def test_one_thread_works_after_a_fork(tmp_path: Path) -> None:
    program = KERNEL + (
        "def alone():\n    kernels.set_num_threads(1)\n    return increased()\n"
        "print(increased())\nprint(in_a_child(alone))"
    )
    assert run_file(tmp_path, program).splitlines() == ["100000.0", "100000.0", "0"]


@needs_fork
def test_a_fork_before_any_launch_is_like_any_process(tmp_path: Path) -> None:
    program = KERNEL + "print(in_a_child(increased))\nprint(increased())"
    assert run_file(tmp_path, program).splitlines() == ["100000.0", "0", "100000.0"]


# ---- without the compiler --------------------------------------------------------------------------


def test_without_the_jit_kernels_run_as_python(tmp_path: Path) -> None:
    program = KERNEL + (
        "print(type(increase.body).__name__, increased())\n"
        "from kernels.elementwise import add\n"
        "x = np.ones((2, 20000), np.float32)\n"
        "with kernels.use(backend='cpu'):\n"
        "    print(add(x, x).sum())\n"
    )
    lines = run_file(tmp_path, program, NUMBA_DISABLE_JIT="1").splitlines()
    assert lines == ["function 100000.0", "80000.0"]


def test_without_the_jit_vector_instructions_have_no_versions() -> None:
    program = """
import sys
from kernels import registry
from numba.extending import intrinsic
Intrinsic = type(intrinsic(lambda typing_context: None))
rows = [row for row in registry.table() if row.backend == "cpu"]
held = [vars(sys.modules[row.function.__module__]).values() for row in rows]
print(len(rows) > 0, any(isinstance(value, Intrinsic) for values in held for value in values))
print("conv2d_forward" in {row.operation for row in rows})
"""
    assert run(program, NUMBA_DISABLE_JIT="1").splitlines() == ["True False", "False"]


# ---- import ----------------------------------------------------------------------------------------

IMPORT = """
import time
start = time.perf_counter(); import numpy
middle = time.perf_counter(); import minidnn
end = time.perf_counter()
print((end - middle) / (middle - start))
"""


def test_import_takes_a_few_times_what_numpy_takes() -> None:
    """0.2 s where NumPy alone takes 0.06 s: 2.3 times its time on top; the best of five counts."""
    assert min(float(run(IMPORT)) for _ in range(5)) < 3.5
