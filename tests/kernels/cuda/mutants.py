"""Mutants of the CUDA kernels: each has one small fault, and the samples on the emulator must notice it.

python -m tests.kernels.cuda.mutants              all of them: writes mutants.json
python -m tests.kernels.cuda.mutants pool2d       those of one folder: its part of mutants.json
python -m tests.kernels.cuda.mutants --draw 20    twenty, drawn by a seed; nothing is written

A mutant is noticed if it does not come through the samples of its folder: wrong values, a fault that the
emulator finds, no end. Those that do not compile are no mutants. What survives is listed with the reason in
HARMLESS.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import random
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from kernels.cuda import emulator
from kernels.cuda.launch import Source
from tests.kernels import tables
from tests.kernels.cuda import sweep, transfer

ROOT = Path(__file__).parents[3]
RESULTS = Path(__file__).parent / "mutants.json"
SEED = 11
SECONDS = 120
CHILD = "--in-this-process"
NOTICED, SURVIVED, INVALID = "noticed", "survived", "does not compile"
# Sources beside the operations' folders, and an operation that runs them.
SHARED = {"loss.cu": "nll_loss", "product.cu": "matmul"}
# How the samples are run until one notices: for values and bounds, for other layouts, for races.
TRIALS = (
    ("undefined", transfer.to_device),
    ("undefined", transfer.transposed_to_device),
    ("undefined", transfer.askew_to_device),
    ("orders", transfer.to_device),
)

# What is changed, and into what. Operators are written with blanks around them, types and pointers are not.
CHANGES = (
    ("a barrier dropped", re.compile(r"__syncthreads\(\);"), ";"),
    ("a bound loosened", re.compile(r" < "), " <= "),
    ("a bound loosened", re.compile(r" > "), " >= "),
    ("a bound tightened", re.compile(r" <= "), " < "),
    ("a bound tightened", re.compile(r" >= "), " > "),
    ("a condition turned", re.compile(r" == "), " != "),
    ("a condition turned", re.compile(r" != "), " == "),
    ("a condition weakened", re.compile(r" && "), " || "),
    ("an index moved", re.compile(r"(?<=\w)\[([^\[\]]+)\]"), r"[(\1) + 1]"),
    ("a sign changed", re.compile(r" \+ "), " - "),
    ("a sign changed", re.compile(r" - "), " + "),
    ("a sign changed", re.compile(r" \+= "), " -= "),
)
# Lines without anything to mutate: comments, what the preprocessor reads, declarations of arrays.
_IDLE = re.compile(r"^\s*(//|#include|#pragma|#if|#el|#endif|__shared__)|^\s*(extern )?__shared__")


@dataclass(frozen=True, order=True)
class Mutant:
    """One change of one source.

    Attributes:
        source: the file, from the project's root.
        line: its number, from 1.
        column: where the change begins.
        change: what it is.
        before, after: the line.
    """

    source: str
    line: int
    column: int
    change: str
    before: str
    after: str

    @property
    def folder(self) -> str:
        """The operation whose samples judge it."""
        path = Path(self.source)
        return SHARED.get(path.name, path.parent.name)

    @property
    def name(self) -> str:
        return f"{self.source}:{self.line}:{self.column} {self.change}"

    def text(self) -> str:
        """The whole source with the change."""
        lines = (ROOT / self.source).read_text().split("\n")
        lines[self.line - 1] = self.after
        return "\n".join(lines)


def mutants(folder: str | None = None) -> list[Mutant]:
    """Every mutant of every kernel file, or of one folder's."""
    files = sorted((ROOT / "kernels").glob(f"{folder or '*'}/*.cu"))
    return [mutant for path in files for mutant in _mutants_of(path)]


def _mutants_of(path: Path) -> Iterator[Mutant]:
    for number, line in enumerate(path.read_text().split("\n"), 1):
        if _IDLE.match(line):
            continue
        code = line.partition("//")[0]
        for change, pattern, replacement in CHANGES:
            for match in pattern.finditer(code):
                after = line[: match.start()] + match.expand(replacement) + line[match.end() :]
                source = path.relative_to(ROOT).as_posix()
                yield Mutant(source, number, match.start(), change, line, after)


def fate(mutant: Mutant) -> str:
    """Try a mutant in a process of its own, which it may take down."""
    command = [sys.executable, "-m", "tests.kernels.cuda.mutants", CHILD, mutant.name]
    try:
        result = subprocess.run(
            command, capture_output=True, text=True, cwd=ROOT, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return NOTICED
    last = (result.stdout.splitlines() or [""])[-1]
    return last if last in (SURVIVED, INVALID) else NOTICED


def fates(chosen: Sequence[Mutant], workers: int) -> dict[Mutant, str]:
    """What became of each."""
    with ThreadPoolExecutor(workers) as pool:
        return dict(zip(chosen, pool.map(fate, chosen), strict=True))


def survivors(found: dict[Mutant, str]) -> list[Mutant]:
    """Those that nothing noticed and nobody explained."""
    return [mutant for mutant, what in found.items() if what == SURVIVED and not reason(mutant)]


def reason(mutant: Mutant) -> str:
    """Why a mutant cannot or need not be noticed; "" where that is not known."""
    return next((why for code, why in HARMLESS.items() if code in mutant.after), "")


# Changed code that computes the same, and why.
HARMLESS = {
    "xs[i] >= ZERO ? xs[i] : negative_slope * xs[i]": "the slope times zero is zero",
    "if (threadIdx.x != 0) ys[row] = partial[0]": "all other threads write the same number there",
    "a != a || a >= b ? a : b": "of two equal numbers either will do",
    "a != a || a <= b ? a : b": "of two equal numbers either will do",
    "label != ignore_index || weight == weight": "0 or NaN times a score out of bounds: for address mode",
    "; /* the next row overwrites what was read */": "a block has a second row only of more than 65536",
}


def _try_here(mutant: Mutant) -> str:
    _put_in_place(mutant)
    samples = tables.table(mutant.folder).SAMPLES
    for mode, move in TRIALS:
        with emulator.use_mode(mode):
            for sample in samples:
                fault = sweep.fault(sample, move)
                if "does not compile" in fault:
                    return INVALID
                if fault:
                    return NOTICED
    return SURVIVED


def _put_in_place(mutant: Mutant) -> None:
    importlib.import_module(f"kernels.{mutant.folder}.gpu")
    modules = [module for name, module in sys.modules.items() if name.startswith("kernels.")]
    for source in [value for module in modules for value in vars(module).values()]:
        if isinstance(source, Source) and source.path == ROOT / mutant.source:
            vars(source)["text"] = source.with_headers(mutant.text())


def _write(found: dict[Mutant, str]) -> None:
    rows: dict[str, dict[str, object]] = {}
    for path in sorted({mutant.source for mutant in found}):
        every = {mutant: what for mutant, what in found.items() if mutant.source == path}
        count = Counter(every.values())
        rows[path] = {
            "mutants": count[NOTICED] + count[SURVIVED],
            "noticed": count[NOTICED],
            "survivors": {
                mutant.name: f"{mutant.after.strip()}: {reason(mutant) or 'not explained'}"
                for mutant, what in every.items()
                if what == SURVIVED
            },
        }
    before = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    temporary = RESULTS.with_suffix(".part")
    temporary.write_text(json.dumps({**before, **rows}, indent=1, sort_keys=True) + "\n")
    os.replace(temporary, RESULTS)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.kernels.cuda.mutants", description=__doc__)
    parser.add_argument("folder", nargs="?", help="a folder of kernels/; all by default")
    parser.add_argument("--draw", type=int, help="how many; all by default")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="how many at a time")
    parser.add_argument(CHILD, dest="child", help=argparse.SUPPRESS)
    wanted = parser.parse_args(arguments)
    every = mutants(wanted.folder)
    if wanted.child:
        print(_try_here(next(mutant for mutant in every if mutant.name == wanted.child)), flush=True)
        os._exit(0)
    chosen = draw(every, wanted.draw) if wanted.draw else every
    found = fates(chosen, wanted.workers)
    if not wanted.draw:
        _write(found)
    for mutant, what in found.items():
        if what == SURVIVED:
            print(f"survived: {mutant.name}: {mutant.after.strip()}")
    print(", ".join(f"{count} {what}" for what, count in Counter(found.values()).items()))
    sys.exit(bool(survivors(found)))


def draw(every: Sequence[Mutant], count: int) -> list[Mutant]:
    """Some of them, the same every time."""
    return random.Random(SEED).sample(list(every), count)


if __name__ == "__main__":
    main()
