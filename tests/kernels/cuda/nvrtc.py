"""CUDA C to machine code by NVIDIA's run-time compiler, which needs no GPU.

The library comes with the wheel nvidia-cuda-nvrtc or with an installed CUDA toolkit.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import functools
import importlib.util
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# The assembler's report: a kernel's name, then a line on its stack and one on what it uses.
_REPORT = re.compile(
    r"Compiling entry function '(?P<kernel>\w+)' for '\w+'.*?"
    r"(?P<stores>\d+) bytes spill stores, (?P<loads>\d+) bytes spill loads.*?"
    r"Used (?P<registers>\d+) registers[^\n]*?(?:(?P<shared>\d+) bytes smem|\n)",
    re.DOTALL,
)


@dataclass(frozen=True)
class Kernel:
    """What the machine code of one kernel uses.

    Attributes:
        name: the kernel.
        registers: of a thread, 32 bits each.
        shared: bytes of shared memory of a block, as far as the source fixes them.
        spilled: bytes of registers stored to and loaded from memory for want of registers.
    """

    name: str
    registers: int
    shared: int
    spilled: int


@functools.cache
def library() -> ctypes.CDLL | None:
    """NVRTC; None where it is not installed."""
    nvidia = importlib.util.find_spec("nvidia")
    folders = list(nvidia.submodule_search_locations or ()) if nvidia else []
    for folder in folders:
        for path in sorted(Path(folder).rglob("libnvrtc.so*")):
            for builtins in path.parent.glob("libnvrtc-builtins.so*"):
                ctypes.CDLL(str(builtins))
            return ctypes.CDLL(str(path))
    found = ctypes.util.find_library("nvrtc")
    return ctypes.CDLL(found) if found else None


@functools.cache
def _include_options() -> tuple[str, ...]:
    """Where CUDA's headers are, if they are installed beside the compiler."""
    nvidia = importlib.util.find_spec("nvidia")
    folders = list(nvidia.submodule_search_locations or ()) if nvidia else []
    return tuple(
        f"-I{path.parent}"
        for folder in folders
        for path in Path(folder).rglob("mma.h")
        if path.parent.name != "crt"
    )


def version() -> str:
    """The compiler's version, as in 13.0."""
    major, minor = ctypes.c_int(), ctypes.c_int()
    _nvrtc("Version", ctypes.byref(major), ctypes.byref(minor))
    return f"{major.value}.{minor.value}"


def compile_source(text: str, name: str, options: Sequence[str], architecture: str) -> list[Kernel]:
    """Compile for an architecture, sm_80 for example, and return what each kernel uses.

    Raises:
        ValueError: the source does not compile; the compiler's messages are in it.
    """
    program = ctypes.c_void_p()
    _nvrtc("CreateProgram", ctypes.byref(program), text.encode(), name.encode(), 0, None, None)
    every = [*options, *_include_options(), f"--gpu-architecture={architecture}", "--ptxas-options=-v"]
    arguments = (ctypes.c_char_p * len(every))(*(option.encode() for option in every))
    try:
        failed = _call("CompileProgram", program, len(every), arguments)
        log = _text("ProgramLog", program)
        if failed:
            raise ValueError(f"{name} with {' '.join(options)} does not compile for {architecture}: {log}")
        assert _text("CUBIN", program), f"{name} gave no machine code for {architecture}"
    finally:
        _nvrtc("DestroyProgram", ctypes.byref(program))
    return [
        Kernel(
            found["kernel"],
            int(found["registers"]),
            int(found["shared"] or 0),
            int(found["stores"]) + int(found["loads"]),
        )
        for found in _REPORT.finditer(log)
    ]


def _text(what: str, program: ctypes.c_void_p) -> str:
    size = ctypes.c_size_t()
    _nvrtc(f"Get{what}Size", program, ctypes.byref(size))
    content = ctypes.create_string_buffer(size.value)
    _nvrtc(f"Get{what}", program, content)
    return content.raw.decode(errors="replace")


def _call(function: str, *arguments: Any) -> int:
    nvrtc = library()
    assert nvrtc is not None
    return int(getattr(nvrtc, f"nvrtc{function}")(*arguments))


def _nvrtc(function: str, *arguments: Any) -> None:
    status = _call(function, *arguments)
    assert status == 0, f"nvrtc{function} gave status {status}"
