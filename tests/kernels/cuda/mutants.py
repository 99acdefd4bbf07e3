"""Mutants of the CUDA kernels: each has one small fault, and the tests on the emulator must notice it.

python -m tests.kernels.cuda.mutants                    of every file that mutants.json does not know as it is
python -m tests.kernels.cuda.mutants pool2d tiles.cuh   of the files of a folder, of one file
python -m tests.kernels.cuda.mutants --most 25          of larger files so many of each, drawn by a seed
python -m tests.kernels.cuda.mutants --survivors        of all files those that are not explained, once more
python -m tests.kernels.cuda.mutants --draw 20          twenty of all; nothing is written

A mutant is noticed if it does not come through the samples of its folder, see judge.py: wrong values, a fault
that the emulator finds, no end. Whoever does is tried in the sanitizers' modes too, which are slow. Those
that do not compile are no mutants. What survives is listed with the reason in harmless.py. mutants.json is
written after every file: a run that was stopped goes on from there.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import os
import random
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kernels.cuda import emulator
from kernels.cuda.emulator.modes import PRELOADED
from kernels.cuda.launch import Source
from tests.kernels.cuda.harmless import reason

ROOT = Path(__file__).parents[3]
RESULTS = Path(__file__).parent / "mutants.json"
SEED = 11
NOTICED, SURVIVED, INVALID = "noticed", "survived", "does not compile"
# Sources beside the operations' folders, and the folders whose operations run all that they hold.
SHARED = {
    "activations.cuh": ("activation",),
    "block.cuh": ("batch_norm",),
    "broadcasting.cuh": ("elementwise",),
    "common.cuh": ("elementwise",),
    "digits.cuh": ("conv2d",),
    "lines.cuh": ("softmax",),
    "loss.cu": ("nll_loss",),
    "loss.cuh": ("cross_entropy",),
    "product.cu": ("linear", "matmul"),
    "regions.cuh": ("roi_pool",),
    "register_product.cuh": ("conv2d",),
    "rounding.cuh": ("roi_align",),
    "scatter.cuh": ("max_unpool2d",),
    "softmax.cuh": ("softmax",),
    "tensor_product.cuh": ("conv2d",),
    "tiles.cuh": ("conv2d",),
    "window.cuh": ("pool2d",),
}

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
# What stands before the brackets of an array that is declared: a type, and names.
_DECLARED = re.compile(
    r"^\s*(?:const |constexpr |long )?(?!return |else |case )\w+(?:<\w+>)? (?:\w+(?:\[[^\]]*\])*, )*\w+$"
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
    def folders(self) -> tuple[str, ...]:
        """The operations whose samples judge it."""
        path = Path(self.source)
        return SHARED.get(path.name, (path.parent.name,))

    @property
    def name(self) -> str:
        return f"{self.source}:{self.line}:{self.column} {self.change}"

    def text(self) -> str:
        """The whole file with the change."""
        lines = (ROOT / self.source).read_text().split("\n")
        lines[self.line - 1] = self.after
        return "\n".join(lines)

    def put_into(self, source: Source) -> str:
        """A source's text with the change: of the source itself, or of a header that is part of it."""
        path = ROOT / self.source
        if source.path == path:
            return source.with_headers(self.text())
        return source.text.replace(Source.header(path.read_text()), Source.header(self.text()))


def mutants(words: Sequence[str] = ()) -> list[Mutant]:
    """Every mutant of every kernel file, or of the files and folders with these names; small files first."""
    files = sorted(
        (ROOT / "kernels").glob("*/*.cu*"), key=lambda path: (path.suffix, path.stat().st_size, path)
    )
    wanted = [path for path in files if not words or {path.name, path.parent.name} & {*words}]
    return [mutant for path in wanted for mutant in _mutants_of(path)]


def _mutants_of(path: Path) -> Iterator[Mutant]:
    for number, line in enumerate(path.read_text().split("\n"), 1):
        if _IDLE.match(line):
            continue
        code = line.partition("//")[0]
        for change, pattern, replacement in CHANGES:
            for match in pattern.finditer(code):
                if change == "an index moved" and _DECLARED.search(code[: match.start()]):
                    continue
                after = line[: match.start()] + match.expand(replacement) + line[match.end() :]
                source = path.relative_to(ROOT).as_posix()
                yield Mutant(source, number, match.start(), change, line, after)


def fates(chosen: Sequence[Mutant]) -> Iterator[tuple[Mutant, str]]:
    """What becomes of each, from a process that judges one after the other, and if need be from
    sanitizers.
    """
    command = [sys.executable, "-m", "tests.kernels.cuda.judge"]
    alone = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}  # it forks
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=alone
    ) as judge:
        assert judge.stdin is not None
        assert judge.stdout is not None
        judge.stdin.write("\n".join(mutant.name for mutant in chosen))
        judge.stdin.close()
        for mutant in chosen:
            name, _, what = judge.stdout.readline().rstrip("\n").partition("\t")
            if name != mutant.name:
                raise RuntimeError(f"the judge ended before {mutant.name}")
            if what == SURVIVED and not reason(mutant.source, mutant.after):
                what = _sanitized_fate(mutant)
            yield mutant, what


def _sanitized_fate(mutant: Mutant) -> str:
    for mode in PRELOADED:
        command = [sys.executable, "-m", "tests.kernels.cuda.judge", mutant.name, "--mode", mode]
        settings = {**os.environ, **emulator.sanitizer_environment(mode)}
        ended = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=settings, check=True)
        if ended.stdout.splitlines()[-1] == NOTICED:
            return NOTICED
    return SURVIVED


def survivors(found: dict[Mutant, str]) -> list[Mutant]:
    """Those that nothing noticed and nobody explained."""
    return [
        mutant
        for mutant, what in found.items()
        if what == SURVIVED and not reason(mutant.source, mutant.after)
    ]


def draw(every: Sequence[Mutant], count: int) -> list[Mutant]:
    """Some of them, the same every time."""
    return random.Random(SEED).sample(every, min(count, len(every)))


def fingerprint(source: str) -> str:
    """What tells whether a file is still the one that was judged."""
    return hashlib.sha256((ROOT / source).read_bytes()).hexdigest()[:16]


def results() -> dict[str, dict[str, Any]]:
    """What is known of each file."""
    return dict(json.loads(RESULTS.read_text())) if RESULTS.exists() else {}


def is_known(source: str, most: int | None) -> bool:
    """Whether a file has been judged as it is, all of it or at least as many mutants as are to be drawn."""
    row = results().get(source, {})
    if row.get("fingerprint") != fingerprint(source):
        return False
    return "drawn" not in row or (most is not None and row["drawn"]["count"] >= most)


def _row(found: dict[Mutant, str], of: int) -> dict[str, Any]:
    """What is written of a file with so many mutants."""
    count = Counter(found.values())
    return {
        "fingerprint": fingerprint(next(iter(found)).source),
        "mutants": count[NOTICED] + count[SURVIVED],
        "noticed": count[NOTICED],
        "survivors": {
            mutant.name: f"{mutant.after.strip()}: {reason(mutant.source, mutant.after) or 'not explained'}"
            for mutant, what in found.items()
            if what == SURVIVED
        },
        **({"drawn": {"count": len(found), "of": of, "seed": SEED}} if len(found) < of else {}),
    }


def _judge_survivors() -> None:
    """Judge those once more that nobody has explained, and give the reasons of the others anew."""
    named = {mutant.name: mutant for mutant in mutants()}
    for source in results():
        row = results()[source]  # as it is now: another process may have judged the file meanwhile
        if not row["survivors"] or row["fingerprint"] != fingerprint(source):
            continue
        before = [named[name] for name in row["survivors"]]
        found = dict.fromkeys(before, SURVIVED)
        found.update(fates(survivors(found)))
        again = _row(found, len(found))
        _write(source, {**row, "noticed": row["noticed"] + again["noticed"], "survivors": again["survivors"]})


def _write(source: str, row: dict[str, Any]) -> None:
    temporary = RESULTS.with_suffix(".part")
    temporary.write_text(json.dumps({**results(), source: row}, indent=1, sort_keys=True) + "\n")
    os.replace(temporary, RESULTS)


def _run(every: Sequence[Mutant], most: int | None, anew: bool) -> None:
    """Judge file after file, and write down what became of its mutants."""
    files: dict[str, list[Mutant]] = {}
    for mutant in every:
        files.setdefault(mutant.source, []).append(mutant)
    chosen = {
        source: draw(group, most or len(group))
        for source, group in files.items()
        if anew or not is_known(source, most)
    }
    judged = fates([mutant for group in chosen.values() for mutant in group])
    for source, group in chosen.items():
        row = _row(dict(itertools.islice(judged, len(group))), len(files[source]))
        _write(source, row)
        print(
            f"{source}: {row['noticed']} of {row['mutants']} noticed",
            *row["survivors"],
            sep="\n  ",
            flush=True,
        )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.kernels.cuda.mutants",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "names", nargs="*", help="files and folders of kernels/, also where nothing has changed"
    )
    parser.add_argument("--most", type=int, help="how many of a file, drawn; all by default")
    parser.add_argument("--survivors", action="store_true", help="of all files those without a reason")
    parser.add_argument("--draw", type=int, help="how many of all")
    wanted = parser.parse_args(arguments)
    if wanted.survivors:
        _judge_survivors()
        return
    every = mutants(wanted.names)
    if not wanted.draw:
        _run(every, wanted.most, anew=bool(wanted.names))
        return
    found = dict(fates(draw(every, wanted.draw)))
    for mutant in survivors(found):
        print(f"survived: {mutant.name}: {mutant.after.strip()}")
    print(", ".join(f"{count} {what}" for what, count in Counter(found.values()).items()))


if __name__ == "__main__":
    main()
