"""Whether samples notice changes of kernels.

python -m tests.kernels.cuda.judge < NAMES            a line for every mutant that is named: name, tab, fate
python -m tests.kernels.cuda.judge --mode thread NAME  what one does to the samples in a sanitizer's mode

A trial is one version on one case in one mode. What the right kernels make of it is found out once, by this
process: which kernels it launches, and that nothing is wrong. A mutant then takes a child of this process,
which has all of that in memory, and only trials that launch what the mutant changes: first those that noticed
the mutants before it. The child compiles the changed file alone, and ends at the first fault. The verdict is
not touched by that: a mutant survives if no trial of the folder notices it and no test of what samples omit.
Sanitizers see ghosts in the child of a process that has used them, so that theirs is a process per mutant.
"""

from __future__ import annotations

import argparse
import functools
import importlib
import os
import re
import resource
import shlex
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import pytest

from kernels.cuda import emulator, launch
from kernels.cuda.emulator import build, compiler
from kernels.cuda.emulator.modes import PRELOADED
from kernels.cuda.launch import Source
from kernels.registry import Version
from tests.kernels import tables
from tests.kernels.cuda import mutants, sweep, transfer
from tests.kernels.cuda.mutants import INVALID, NOTICED, SURVIVED, Mutant

SECONDS = 10  # of the processor for one trial, after which a mutant counts as without end
FIRST = 8  # trials that the first child of a mutant makes; each further one makes FIRST times as many
Ways = Sequence[tuple[str, Callable[[Any], Any]]]
# How cases are run until one notices: for values (plain code compiles fastest), bounds, other layouts, races.
WAYS: Ways = (
    ("plain", transfer.to_device),
    ("undefined", transfer.to_device),
    ("undefined", transfer.transposed_to_device),
    ("undefined", transfer.askew_to_device),
    ("orders", transfer.to_device),
)
# Where a folder's kernels have tests beside the samples, and which of them.
TESTS = {
    "batch_norm": ("test_edges.py", "means"),
    "conv2d": ("test_implicit.py test_winograd.py test_half.py", ""),
    "cross_entropy": ("test_edges.py", "label"),
    "depthwise_conv2d": ("test_edges.py", "depthwise"),
    "dropout": ("test_edges.py", "dropout"),
    "elementwise": ("test_edges.py", "sign"),
    "indexing": ("test_unchecked.py", "index or gather"),
    "interpolation": ("test_edges.py", "resizing"),
    "linear": ("test_half.py", "linear"),
    "matmul": ("test_edges.py", "product"),
    "max_unpool2d": ("test_unchecked.py", "unpooling"),
    "multi_margin_loss": ("test_edges.py", "label"),
    "nll_loss": ("test_edges.py", "label"),
    "roi_align": ("test_unchecked.py", "region"),
    "roi_pool": ("test_unchecked.py", "region or maximum"),
}
# What a changed kernel may do to its process: faults of memory and arithmetic, no end.
DEADLY = (signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGABRT, signal.SIGXCPU)
_KERNEL = re.compile(
    r'^extern "C" __global__ void (?:__launch_bounds__\([^)]*\)(?:\s|//[^\n]*)+)?(\w+)\(.*?^}',
    re.MULTILINE | re.DOTALL,
)


class Trial(NamedTuple):
    """One version on one case, in a mode of the emulator, with arguments moved in some layout."""

    mode: str
    move: Callable[[Any], Any]
    case: sweep.Case
    version: Version

    def fault(self) -> str:
        """What is wrong; "" if nothing is."""
        _compile_for(self.mode)
        with emulator.use_mode(self.mode):
            return sweep.fault_of(self.version, self.case, self.move)


class Launched(NamedTuple):
    """A kernel that a trial launches, and the macros it was compiled with."""

    source: Source
    kernel: str
    macros: tuple[tuple[str, str | int], ...]


def trials(folders: Sequence[str], ways: Ways = WAYS) -> list[Trial]:
    """Every trial of some folders' samples: in each way one case of every operation, then another of each."""
    for folder in folders:
        importlib.import_module(f"kernels.{folder}.gpu")
    samples = [sample for folder in folders for sample in tables.table(folder).SAMPLES]
    number: dict[tuple[str, Any], int] = {}
    ranked = []
    for case in sweep.cases_of(samples):
        kind = (case.sample.operation, case.dtype)
        number[kind] = number.get(kind, 0) + 1
        ranked.append((number[kind], case))
    ranked.sort(key=lambda pair: pair[0])
    return [
        Trial(mode, move, case, version)
        for mode, move in ways
        for _, case in ranked
        for version in transfer.device_versions(case.sample.operation)
    ]


class Judge:
    """Knows what the right kernels make of the trials of some folders."""

    def __init__(self, folders: Sequence[str]) -> None:
        self._unknown = iter(trials(folders))
        self._known: list[tuple[Trial, set[Launched]]] = []

    def fate(self, mutant: Mutant) -> str:
        """What becomes of a mutant."""
        with tempfile.TemporaryDirectory() as folder:
            for some in self._shares(mutant):
                verdict, last = _in_a_child(mutant, folder, [trial.fault for trial, _ in some])
                if verdict == NOTICED:
                    self._known.remove(some[last])
                    self._known.insert(0, some[last])
                if verdict != SURVIVED:
                    return verdict
            tests = [functools.partial(failing_tests, name) for name in mutant.folders if name in TESTS]
            return _in_a_child(mutant, folder, tests)[0] if tests else SURVIVED

    def _shares(self, mutant: Mutant) -> Iterator[list[tuple[Trial, set[Launched]]]]:
        """The trials that launch what the mutant changes, in ever larger shares."""
        concerned = _Concerned(mutant)
        share, size = [], FIRST
        for each in [*self._known, *self._learn()]:
            if concerned.by(each[1]):
                share.append(each)
            if len(share) == size:
                yield share
                share, size = [], FIRST * size
        if share:
            yield share

    def _learn(self) -> Iterator[tuple[Trial, set[Launched]]]:
        for trial in self._unknown:
            with _launches() as seen:
                fault = trial.fault()
            assert not fault, f"the right kernels: {trial.case}: {fault}"
            if seen:
                self._known.append((trial, seen))
                yield trial, seen


@contextmanager
def _launches() -> Iterator[set[Launched]]:
    """Which kernels are launched meanwhile."""
    seen: set[Launched] = set()
    run = Source.launch

    def launch_and_tell(
        source: Source, kernel: str, grid: Any, block: Any, arguments: Any, macros: Any, *more: Any
    ) -> None:
        seen.add(Launched(source, kernel, tuple(sorted(macros.items()))))
        run(source, kernel, grid, block, arguments, macros, *more)

    with mock.patch.object(Source, "launch", launch_and_tell):
        yield seen


class _Concerned:
    """Which launches a mutant can change: those of the kernel it stands in (of any kernel if it stands beside
    them), if its file, as the preprocessor leaves it, is not the same.
    """

    def __init__(self, mutant: Mutant) -> None:
        self._mutant = mutant
        self._kernel = kernel_at(mutant)
        self._changed = functools.cache(self._is_changed)

    def by(self, launched: set[Launched]) -> bool:
        """Whether one of the launches is among them."""
        return any(
            self._kernel in (None, each.kernel) and self._changed(each.source, each.macros)
            for each in launched
        )

    def _is_changed(self, source: Source, macros: tuple[tuple[str, str | int], ...]) -> bool:
        after = self._mutant.put_into(source)
        if after == source.text:
            return False
        definitions = [f"-D{name}={value}" for name, value in macros]
        try:
            return compiler.preprocess(after, definitions) != compiler.preprocess(source.text, definitions)
        except emulator.EmulatorError:
            return True


def kernel_at(mutant: Mutant) -> str | None:
    """The kernel whose body or head a mutant changes; None beside kernels and where a macro writes them."""
    text = (mutants.ROOT / mutant.source).read_text()
    place = sum(len(line) + 1 for line in text.split("\n")[: mutant.line - 1]) + mutant.column
    found = (match for match in _KERNEL.finditer(text) if match.start() <= place < match.end())
    return next((match[1] for match in found), None)


def _compile_for(purpose: str) -> None:
    """Set the compiler for a mode of the emulator, or for tests, which go through several."""
    kind = {"orders": "plain"}.get(purpose, purpose)
    whole = kind == "tests" or kind in PRELOADED  # the compiler itself does not bear a sanitizer
    command = _own_compiler() if whole else _compiler_with_headers(kind)
    os.environ["CXX"] = shlex.join(command)
    compiler.find_compiler.cache_clear()


@functools.cache
def _own_compiler() -> tuple[str, ...]:
    return compiler.find_compiler()


@functools.cache
def _headers() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory()


@functools.cache
def _compiler_with_headers(kind: str) -> tuple[str, ...]:
    """The compiler, and what it made of the emulator's headers: reading them takes most of its time."""
    kept = Path(_headers().name) / kind / "cuda_emulator.h.gch"
    kept.parent.mkdir()
    flags = (*compiler.FLAGS, *build._KERNEL_FLAGS, *build._SANITIZER_FLAGS[kind], f"-I{compiler.HERE}", "-w")
    header = ("-x", "c++-header", str(compiler.HERE / kept.stem), "-o", str(kept))
    subprocess.run([*_own_compiler(), *flags, *header], check=True)
    return *_own_compiler(), f"-I{kept.parent}"


def failing_tests(folder: str) -> str:
    """Run a folder's tests beside the samples until one fails; "" if none does."""
    _compile_for("tests")
    files, words = TESTS[folder]
    paths = [str(mutants.ROOT / "tests" / "kernels" / "cuda" / name) for name in files.split()]
    options = ["-n0", "-x", "-q", "--assert=plain", "-p", "no:cacheprovider", "-k", words]
    ended = pytest.main([*options, *paths])
    assert ended in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED), f"pytest ended with {ended!r}"
    return "a test fails" if ended else ""


def _in_a_child(mutant: Mutant, folder: str, faults: Sequence[Callable[[], str]]) -> tuple[str, int]:
    """A verdict and the number of the last trial, from a process that the mutant may take down."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        try:
            _be_a_child(folder)
            _put_in_place(mutant)
            _try(faults, write)
        finally:
            traceback.print_exc()  # it does not end here unless the judge itself is at fault
            os._exit(1)
    os.close(write)
    with os.fdopen(read) as told:
        lines = told.read().split()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) in DEADLY:
        return NOTICED, int(lines[-1])
    assert status == 0, f"{mutant.name}: the child ended with status {status}"
    return {"invalid": INVALID, "noticed": NOTICED, "survived": SURVIVED}[lines[-1]], int(lines[-2])


def _be_a_child(folder: str) -> None:
    """Say nothing, and keep code in a folder: nobody wants it again."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, sys.stdout.fileno())
    _keep_code_in(folder)


def _keep_code_in(folder: str) -> None:
    os.environ["MINIDNN_CACHE_DIR"] = folder
    compiler.object_folder.cache_clear()


def _try(faults: Sequence[Callable[[], str]], write: int) -> None:
    """Tell the number of each trial, and the verdict in the end."""
    verdict = "survived"
    for number, fault in enumerate(faults):
        os.write(write, f"{number}\n".encode())
        used = int(sum(resource.getrusage(resource.RUSAGE_SELF)[:2]))
        resource.setrlimit(resource.RLIMIT_CPU, (used + 1 + SECONDS, resource.RLIM_INFINITY))
        if found := fault():
            verdict = "invalid" if "does not compile" in found else "noticed"
            break
    os.write(write, verdict.encode())
    os._exit(0)


def _put_in_place(mutant: Mutant) -> None:
    modules = [module for name, module in sys.modules.items() if name.startswith("kernels.")]
    for source in [value for module in modules for value in vars(module).values()]:
        if isinstance(source, Source):
            vars(source)["text"] = mutant.put_into(source)
    launch._compiled.cache_clear()
    launch._module.cache_clear()


def sanitized_fate(mutant: Mutant, mode: str) -> str:
    """What becomes of a mutant in this process, which a sanitizer was loaded into."""
    with tempfile.TemporaryDirectory() as folder:
        every = trials(mutant.folders, ((mode, transfer.to_device),))
        build._load_scheduler(mode)  # the one that the sanitizer reports to, not another in the folder
        _keep_code_in(folder)
        _put_in_place(mutant)
        return NOTICED if any(trial.fault() for trial in every) else SURVIVED


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.kernels.cuda.judge", description=__doc__)
    parser.add_argument("name", nargs="?", help="the mutant for a sanitizer")
    parser.add_argument("--mode", choices=tuple(PRELOADED), help="the sanitizer's mode")
    wanted = parser.parse_args(arguments)
    named = {mutant.name: mutant for mutant in mutants.mutants()}
    if wanted.mode:
        print(sanitized_fate(named[wanted.name], wanted.mode), flush=True)
        os._exit(0)  # without the sanitizers' own exit, which trips over fibers
    judge = functools.cache(Judge)
    for name in sys.stdin.read().splitlines():
        mutant = named[name]
        print(f"{name}\t{judge(mutant.folders).fate(mutant)}", flush=True)


if __name__ == "__main__":
    main()
