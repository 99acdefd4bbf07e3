"""From a CUDA source to entry points: the scheduler and the kernel file as shared objects, one pair per
mode.
"""

from __future__ import annotations

import ctypes
import functools
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kernels.cuda.emulator.compiler import HERE, compile_shared, preprocess, print_file_name
from kernels.cuda.emulator.errors import EmulatorError
from kernels.cuda.emulator.modes import MODE_VARIABLE, PRELOADED

# -g1: line tables, from which the line of a faulty access is read.
_KERNEL_FLAGS = ("-O1", "-g1", "-gdwarf-4", "-fvisibility=hidden", "-Wno-unknown-pragmas", "-Wno-attributes")
_SANITIZER_FLAGS = {
    "plain": (),
    "undefined": ("-fsanitize=undefined", "-fno-sanitize=vptr"),
    "address": (
        "-fsanitize=address",
        "-fsanitize-recover=address",
        "-fno-omit-frame-pointer",
        "-fsanitize-sections=shared_memory",
    ),
    "thread": ("-fsanitize=thread", "-fno-omit-frame-pointer"),
    # ThreadSanitizer's calls without its library. Vectors stay whole, as they are moved.
    "counting": (
        "-fsanitize=thread",
        "--param=tsan-instrument-func-entry-exit=0",
        "-fno-tree-sra",
        "-DEMULATOR_COUNTING",
    ),
}
_KERNEL_LIBRARIES = {"counting": ("-nodefaultlibs", "-lstdc++", "-lm", "-lc", "-lgcc")}
# The scheduler itself is never instrumented; it only talks to the sanitizer's library.
_SCHEDULER_FLAGS = {
    "plain": (),
    "undefined": ("-DEMULATOR_UNDEFINED_SANITIZER",),
    "address": ("-DEMULATOR_ADDRESS_SANITIZER",),
    "thread": ("-DEMULATOR_THREAD_SANITIZER",),
    "counting": ("-DEMULATOR_COUNTING",),
}
_SCHEDULER_LIBRARIES = {"undefined": ("-lubsan",), "address": ("-lasan",), "thread": ("-ltsan",)}

_KERNEL = re.compile(
    r'extern\s+"C"\s+__global__\s+void\s+(?:__launch_bounds__\s*\((?P<bounds>[^{;]*?)\)\s+)?(?P<name>\w+)\s*\('
)
_DYNAMIC_SHARED = re.compile(r"\bextern\s+__shared__\s+([\w\s]+?)\s+(\w+)\s*\[\s*\]\s*;")


class Entry(ctypes.Structure):
    """A row of a compiled file's table of kernels (kernel_table.h)."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("signature", ctypes.c_char_p),
        ("body", ctypes.c_void_p),
        ("most_threads", ctypes.c_int),
    )


@dataclass(frozen=True)
class Compiled:
    """A kernel file ready to launch.

    Attributes:
        scheduler: the library that runs it.
        entries: its kernels by name.
        parameters: the names of each kernel's parameters.
        shared_memory: where its static shared memory begins and ends.
        library: keeps the code loaded.
        path: where the code is kept.
    """

    scheduler: ctypes.CDLL
    entries: dict[str, Entry]
    parameters: dict[str, tuple[str, ...]]
    shared_memory: tuple[int, int]
    library: ctypes.CDLL
    path: Path


def sanitizer_environment(mode: str) -> dict[str, str]:
    """Return the environment variables for a process that runs in mode "address" or "thread".

    ThreadSanitizer hands its reports to a function of the scheduler if that is loaded first. BLAS is held
    to one thread because the sanitizer knows nothing of how BLAS's threads synchronise.
    """
    library, _ = PRELOADED[mode]
    first = f"{compile_scheduler(mode)} " if mode == "thread" else ""
    return {
        MODE_VARIABLE: mode,
        "LD_PRELOAD": first + print_file_name(library),
        "OPENBLAS_NUM_THREADS": "1",
        "ASAN_OPTIONS": "detect_leaks=0:halt_on_error=0",
        "TSAN_OPTIONS": "exitcode=0",
    }


def compile_scheduler(build: str) -> Path:
    """Compile scheduler.cpp for a mode (EmulatorError: no compiler)."""
    source = (HERE / "scheduler.cpp").read_text()
    libraries = ("-Wl,--no-as-needed", *_SCHEDULER_LIBRARIES.get(build, ()), "-ldl")
    return compile_shared(f"scheduler-{build}", source, ("-O2", *_SCHEDULER_FLAGS[build]), libraries)


@functools.cache
def _load_scheduler(build: str) -> tuple[Path, ctypes.CDLL]:
    path = compile_scheduler(build)
    return path, ctypes.CDLL(str(path))


@functools.cache
def compile_kernels(source: str, definitions: Sequence[str], build: str) -> Compiled:
    """Compile a CUDA source for a mode; "orders" has no build of its own but "plain"'s.

    Kernels are found as `extern "C" __global__ void NAME(`, also where a macro writes that.

    Raises:
        EmulatorError: no compiler, the source does not compile, or it holds no kernel.
    """
    expanded = preprocess(source, definitions)
    found = list(_KERNEL.finditer(expanded))
    kernels = {match["name"]: (match["bounds"] or "1024").split(",")[0].strip() for match in found}
    parameters = {match["name"]: _parameter_names(expanded[match.end() :]) for match in found}
    if not kernels:
        raise EmulatorError('the source holds no kernel: an extern "C" __global__ void function is needed')
    table = ", ".join(f"EMULATOR_KERNEL({name}, ({bounds}))" for name, bounds in kernels.items())
    body = _DYNAMIC_SHARED.sub(r"EMULATOR_DYNAMIC_SHARED(\1, \2);", source)
    text = (
        f'#include "cuda_emulator.h"\n{_macros(definitions)}\n#line 1 "kernel.cu"\n{body}\n'
        f"EMULATOR_KERNEL_TABLE({table})\n"
    )
    scheduler_path, scheduler = _load_scheduler(build)
    flags = (*_KERNEL_FLAGS, *_SANITIZER_FLAGS[build])
    # Linked by its path: in one process a kernel of each mode finds its own scheduler.
    libraries = (str(scheduler_path), *_KERNEL_LIBRARIES.get(build, ()))
    path = compile_shared(f"kernels-{build}", text, flags, libraries)
    return _load(path, scheduler, parameters)


def _macros(definitions: Sequence[str]) -> str:
    """The options -DNAME=VALUE as lines of source, so that they hold behind the emulator's own headers."""
    parts = [definition.removeprefix("-D").partition("=") for definition in definitions]
    return "\n".join(f"#define {name} {value if sign else 1}" for name, sign, value in parts)


def _parameter_names(text: str) -> tuple[str, ...]:
    """The names in a list of parameters that is closed by a parenthesis."""
    return tuple(re.findall(r"(\w+)\s*(?:,|$)", text.partition(")")[0]))


def _load(path: Path, scheduler: ctypes.CDLL, parameters: dict[str, tuple[str, ...]]) -> Compiled:
    library = ctypes.CDLL(str(path), mode=os.RTLD_NOW | os.RTLD_LOCAL)
    entries = ctypes.POINTER(Entry)()
    begin, end = ctypes.c_void_p(), ctypes.c_void_p()
    count = library.kernel_table(ctypes.byref(entries), ctypes.byref(begin), ctypes.byref(end))
    table = {entries[i].name.decode(): entries[i] for i in range(count)}
    return Compiled(scheduler, table, parameters, (begin.value or 0, end.value or 0), library, path)
