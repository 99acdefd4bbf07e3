"""Every cpu version on every sample with 1, 2 and 3 tasks: the same bits each time.

    python -m tests.kernels.cpu.thread_counts [FOLDER...]

A process of its own, because the suite's workers keep Numba to one thread and these runs need real ones.
Samples are small, so the size that is worth a second thread is brought down to one element.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

import kernels
from kernels import registry
from kernels.cpu import compilation
from kernels.registry import Version
from kernels.threads import set_num_threads
from tests.kernels import tables
from tests.kernels.sample import Draw, Sample

THREADS = (1, 2, 3)


def bits(version: Version, sample: Sample, threads: int, dtype: Any = np.float32) -> list[bytes] | None:
    """The bytes of all outputs, or None where the version does not take the sample."""
    set_num_threads(threads)
    arguments: list[Any] = list(sample.make(Draw(7, dtype)))
    if not version.fits(*arguments):
        return None
    with kernels.use(backend="cpu", **{version.operation: version.name}):
        outputs = tables.outcome(registry.contract(version.operation), arguments, sample.writes)
    return [np.asarray(output).tobytes() for output in outputs]


def differences(folders: list[str]) -> list[str]:
    """What differs between thread counts, in words."""
    found = []
    for sample in (sample for folder in folders for sample in tables.table(folder).SAMPLES):
        for version in registry.table():
            if version.operation == sample.operation and version.backend == "cpu":
                first, *others = (bits(version, sample, threads) for threads in THREADS)
                if any(other != first for other in others):
                    found.append(f"{version.name} on {sample}")
    return found


def main() -> None:
    compilation.tasks_for.__defaults__ = (1,)
    folders = sys.argv[1:] or tables.folders()
    found = differences(folders)
    print("\n".join(found) or f"the same bits with {THREADS} threads in {len(folders)} folders")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
