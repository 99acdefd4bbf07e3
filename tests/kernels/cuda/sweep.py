"""Every gpu version over the registry's samples in a mode of the emulator, or on a GPU; in a new process.

python -m tests.kernels.cuda.sweep thread              all samples, with ThreadSanitizer
python -m tests.kernels.cuda.sweep address --draw 20   twenty of them, drawn by a seed
python -m tests.kernels.cuda.sweep orders --only pool  those of operations whose names hold one of these words
python -m tests.kernels.cuda.sweep gpu                 all samples on a GPU; see compute_sanitizer.py

A run of all samples on the emulator is written down in sweeps.json.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import json
import os
import random
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from kernels import registry
from kernels.cuda import emulator
from kernels.device import GPU, find
from kernels.registry import Version
from tests.kernels import halves, tables
from tests.kernels.cuda import transfer
from tests.kernels.sample import Draw, Sample

ROOT = Path(__file__).parents[3]
RESULTS = Path(__file__).parent / "sweeps.json"
SEED = 1
CHILD = "--in-this-process"
EVERY = ("",)  # in the name of every operation
ON_GPU = "gpu"
_truth = functools.cache(tables.truth)


class Case(NamedTuple):
    """A sample drawn in a dtype."""

    sample: Sample
    dtype: Any = np.float32

    def __str__(self) -> str:
        return f"{self.sample} in {np.dtype(self.dtype)}"


def samples(only: Sequence[str] = EVERY) -> list[Sample]:
    """The samples of operations whose names hold one of these words."""
    operations = {
        row.operation
        for row in registry.table()
        if row.backend == "gpu" and any(word in row.operation for word in only)
    }
    return [sample for sample in tables.samples() if sample.operation in operations]


def cases(draw: int | None, only: Sequence[str] = EVERY) -> list[Case]:
    """Every case of these samples, for tensor cores and in halves too, or some drawn by a seed."""
    every = cases_of(samples(only))
    return every if draw is None else random.Random(SEED).sample(every, draw)


def cases_of(chosen: Sequence[Sample]) -> list[Case]:
    """The samples in float32, and where there are versions for halves also in float16."""
    drawn_as_halves = [Case(sample, np.float16) for sample in chosen if sample.operation in halves.OPERATIONS]
    return [Case(sample) for sample in chosen] + drawn_as_halves


def fault(case: Case, move: Callable[[Any], Any] = transfer.to_device) -> str:
    """What is wrong with some version on a case whose arguments `move` takes to the device; "" if nothing
    is.
    """
    faults = (fault_of(version, case, move) for version in transfer.device_versions(case.sample.operation))
    return next(filter(None, faults), "")


def fault_of(version: Version, case: Case, move: Callable[[Any], Any] = transfer.to_device) -> str:
    """What is wrong with one version on a case; "" also where it does not take the arguments."""
    sample, dtype = case
    try:
        got = transfer.run(version, sample, list(sample.make(Draw(SEED, dtype))), move)
        if got is not None:
            _check(version, case, got)
    except emulator.EmulatorError as error:
        return f"{version.name}: {error}"
    except AssertionError as error:
        return f"{version.name}: {error}"
    return ""


def _check(version: Version, case: Case, got: list[np.ndarray]) -> None:
    if case.dtype == np.float16:
        halves.check(case.sample, got[0], version.name)
        return
    worst = tables.worst_error(got, _truth(case.sample, SEED))
    assert worst <= tables.bound(case.sample, case.dtype, version.name), "wrong values"


def run(mode: str, draw: int | None = None, only: Sequence[str] = EVERY) -> list[str]:
    """Return a line for each faulty case, from a process in that mode."""
    preloaded = mode in ("address", "thread")
    emulated = {} if mode == ON_GPU else {"MINIDNN_EMULATOR_MODE": mode}
    settings = emulator.sanitizer_environment(mode) if preloaded else emulated
    result = subprocess.run(
        command(mode, draw, only), capture_output=True, text=True, env={**os.environ, **settings}, check=True
    )
    lines = result.stdout.splitlines()
    assert lines[-1:] == ["done"], result.stderr[-2000:]
    return lines[:-1]


def command(mode: str, draw: int | None, only: Sequence[str]) -> list[str]:
    """The program that runs the samples in its own process."""
    drawn = [] if draw is None else ["--draw", str(draw)]
    return [sys.executable, "-m", "tests.kernels.cuda.sweep", mode, CHILD, "--only", *only, *drawn]


def mover(mode: str) -> Callable[[Any], Any]:
    """What takes arguments to where the samples run.

    On a GPU every array is an allocation of its own: tools see no bounds inside CuPy's pool.
    """
    if mode != ON_GPU:
        return transfer.to_device
    find(ON_GPU)
    GPU.module.cuda.set_allocator(None)
    return partial(transfer.to_device, device=GPU)


def results() -> dict[str, dict[str, Any]]:
    """What the last run of all samples found in each mode."""
    return dict(json.loads(RESULTS.read_text())) if RESULTS.exists() else {}


def fingerprint() -> str:
    """What tells whether the kernels are still those of a run."""
    sources = sorted(path for path in (ROOT / "kernels").rglob("*") if path.suffix in (".cu", ".cuh"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:16]


def _write(mode: str, row: dict[str, Any]) -> None:
    temporary = RESULTS.with_suffix(".part")
    temporary.write_text(json.dumps({**results(), mode: row}, indent=1, sort_keys=True) + "\n")
    os.replace(temporary, RESULTS)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.kernels.cuda.sweep", description=__doc__)
    parser.add_argument("mode", choices=(*emulator.MODES, ON_GPU))
    parser.add_argument("--draw", type=int, help="how many samples; all by default")
    parser.add_argument("--only", nargs="+", default=EVERY, help="words in the operations' names")
    parser.add_argument(CHILD, action="store_true", dest="child", help=argparse.SUPPRESS)
    wanted = parser.parse_args(arguments)
    if not wanted.child:
        row = {"fingerprint": fingerprint(), "cases": len(cases(None))}  # of what the run begins with
        lines = run(wanted.mode, wanted.draw, wanted.only)
        print("\n".join(lines) or f"mode {wanted.mode}: nothing found")
        if wanted.draw is None and wanted.only == EVERY and wanted.mode != ON_GPU:
            _write(wanted.mode, {**row, "faults": lines})
        sys.exit(bool(lines))
    move = mover(wanted.mode)
    for case in cases(wanted.draw, wanted.only):
        if found := fault(case, move):
            print(f"{case}: {found}")
    print("done", flush=True)
    if wanted.mode != ON_GPU:
        os._exit(0)  # without the sanitizers' own exit, which trips over fibers


if __name__ == "__main__":
    main()
