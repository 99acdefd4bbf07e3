"""How long the kernels take to compile, and how long a process waits for one that is kept on disk.

    python -m tests.compile_everything                everything from nothing, float32 and float64, by folder
    python -m tests.compile_everything step           a training step of ResNet-50 from nothing, and again
    python -m tests.compile_everything first [NAME]   a new process's first call of every kept version

The first two begin with an empty cache in a temporary folder; the last uses the ordinary cache, and fills it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

import numpy as np

STEP = """
import time, numpy as np, minidnn, models
from minidnn import Tensor, functional
model = models.create("resnet50")
images = Tensor(np.random.default_rng(0).standard_normal((2, 3, 224, 224), np.float32))
optimizer = minidnn.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
start = time.perf_counter()
functional.cross_entropy(model(images), Tensor(np.array([1, 2]))).backward()
optimizer.step()
print(time.perf_counter() - start)
"""
FIRST = """
import time; start = time.perf_counter()
import kernels; from kernels import registry
contract = registry.contract({operation!r})
from tests.kernels import tables; from tests.kernels.sample import Draw
import numpy as np
sample = tables.table({folder!r}).SAMPLES[{index}]
arguments = sample.make(Draw(0, np.float32))
start = time.perf_counter()
with kernels.use(backend="cpu", **{{{operation!r}: {version!r}}}):
    contract(*arguments)
print(time.perf_counter() - start)
"""


def run(program: str, **variables: str) -> float:
    """The number that a program in a process of its own prints."""
    command = [sys.executable, "-c", program]
    done = subprocess.run(
        command, env={**os.environ, **variables}, capture_output=True, text=True, check=True
    )
    return float(done.stdout)


def everything() -> None:
    """Compile every cpu version, for one task and for several, and print what each folder takes."""
    from kernels import registry
    from kernels.cpu import compilation
    from kernels.threads import set_num_threads
    from tests.kernels import tables
    from tests.kernels.cpu.thread_counts import bits

    compilation.tasks_for.__defaults__ = (1,)
    start = time.perf_counter()
    rows = [row for row in registry.table() if row.backend == "cpu"]
    print(f"{'import':<24}{time.perf_counter() - start:8.1f} s")
    for folder in tables.folders():
        begin = time.perf_counter()
        versions = 0
        for sample in tables.table(folder).SAMPLES:
            for row in rows:
                if row.operation == sample.operation:
                    versions += 1
                    for dtype in (np.float32, np.float64):
                        for threads in (1, 2):
                            bits(row, sample, threads, dtype)
        if versions:
            print(f"{folder:<24}{time.perf_counter() - begin:8.1f} s", flush=True)
    set_num_threads(os.cpu_count() or 1)
    print(f"{'all':<24}{time.perf_counter() - start:8.1f} s")


def step() -> None:
    """Time a step with an empty cache, and the same in a second process."""
    first, second = run(STEP), run(STEP)
    print(f"ResNet-50, batch 2: first step {first:.1f} s from nothing, {second:.1f} s in the next process")


def calls(wanted: str) -> Iterator[tuple[float, str]]:
    """The time of the first call of every version whose name or operation has `wanted` in it."""
    from kernels import registry
    from tests.kernels import tables
    from tests.kernels.sample import Draw

    for row in registry.table():
        name = f"{row.operation} {row.name}"
        if row.backend != "cpu" or wanted not in name:
            continue
        folder = registry._folder(row.operation)
        for index, sample in enumerate(tables.table(folder).SAMPLES):
            if sample.operation == row.operation and row.fits(*sample.make(Draw(0, np.float32))):
                program = FIRST.format(folder=folder, index=index, operation=row.operation, version=row.name)
                run(program)
                yield run(program), name
                break


def main() -> None:
    task, *names = sys.argv[1:] or ["everything"]
    if task == "first":
        times = sorted(calls(names[0] if names else ""), reverse=True)
        print("\n".join(f"{seconds:6.2f} s  {name}" for seconds, name in times))
        return
    with tempfile.TemporaryDirectory() as folder:
        os.environ["MINIDNN_CACHE_DIR"] = folder
        step() if task == "step" else everything()


if __name__ == "__main__":
    main()
