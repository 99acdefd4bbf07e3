"""The host's C++ compiler: finding it, and compiling a text to a shared object that is kept on disk."""

from __future__ import annotations

import functools
import hashlib
import os
import re
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from kernels.cpu.cache_folder import cache_folder
from kernels.cuda.emulator.errors import EmulatorError

HERE = Path(__file__).parent
# As nvcc: no assumption about aliasing, for vectors are loaded through cast pointers. Products and sums are
# not contracted, so that results do not depend on the host.
FLAGS = ("-std=c++20", "-shared", "-fPIC", "-fno-gnu-unique", "-fno-strict-aliasing", "-ffp-contract=off")


@functools.cache
def find_compiler() -> tuple[str, ...]:
    """Return the command of the C++ compiler: $CXX, or g++ (EmulatorError: there is none)."""
    command = shlex.split(os.environ.get("CXX", "g++"))
    if not command or shutil.which(command[0]) is None:
        wanted = command[0] if command else "g++"
        raise EmulatorError(
            f"the CUDA emulator needs a C++ compiler, but {wanted!r} was not found: "
            "install g++ 12 or later (Debian, Ubuntu: apt install g++), or name one in $CXX"
        )
    return tuple(command)


def _run(arguments: Sequence[str], source: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run a tool without the sanitizer that this process may have loaded: it would be a hundred times
    slower.
    """
    environment = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
    return subprocess.run(
        arguments, input=source, capture_output=True, text=True, env=environment, check=False
    )


@functools.cache
def _version(command: tuple[str, ...]) -> str:
    return _run([*command, "--version"]).stdout


def print_file_name(library: str) -> str:
    """Return where the compiler keeps a library of its own."""
    return _run([*find_compiler(), f"-print-file-name={library}"]).stdout.strip()


def source_lines(path: str, offsets: Sequence[int]) -> list[str]:
    """Return the lines of the CUDA source that the machine code at `offsets` of a shared object was made
    from.
    """
    try:
        told = _run(["addr2line", "-a", "-i", "-e", path, *map(hex, offsets)]).stdout
    except OSError:  # the tool is missing
        told = ""
    places = re.split(r"^0x", told, flags=re.MULTILINE)[1:]
    found = [re.search(r"([^/\s]+\.cuh?:\d+)", place) for place in places] or [None] * len(offsets)
    return [match[1] if match else "unknown line" for match in found]


def symbols(path: str) -> dict[str, tuple[int, int]]:
    """Return where the variables of a shared object lie and how long they are, by name."""
    try:
        told = _run(["nm", "-C", "-S", path]).stdout
    except OSError:  # the tool is missing
        return {}
    found = re.finditer(r"^([0-9a-f]+) (?:([0-9a-f]+) )?[bBdD] (.+)$", told, flags=re.MULTILINE)
    return {match[3]: (int(match[1], 16), int(match[2] or "0", 16)) for match in found}


@functools.cache
def _headers_hash() -> str:
    return hashlib.sha256(b"".join(path.read_bytes() for path in sorted(HERE.glob("*.h")))).hexdigest()


@functools.cache
def object_folder() -> Path:
    """Return where shared objects are kept; a temporary folder where nothing can be kept."""
    return cache_folder() or Path(tempfile.mkdtemp(prefix="minidnn-"))


def preprocess(source: str, definitions: Sequence[str]) -> str:
    """Return a source with its macros expanded (EmulatorError: it is not well formed)."""
    command = [*find_compiler(), "-x", "c++", "-E", "-P", f"-I{HERE}", *definitions, "-"]
    answer = _run(command, source)
    if answer.returncode:
        raise EmulatorError(f"the kernel's source does not compile:\n{answer.stderr.strip()}")
    return answer.stdout


def compile_shared(name: str, source: str, flags: Sequence[str], libraries: Sequence[str] = ()) -> Path:
    """Return the shared object of a C++ text, compiled unless it is on disk already.

    Its name is a hash of everything it is made from, and it appears whole or not at all, so processes that
    compile the same text at the same time do no harm.

    Raises:
        EmulatorError: no compiler, or the text does not compile.
    """
    command = find_compiler()
    made_from = "\0".join([_version(command), _headers_hash(), source, *FLAGS, *flags, *libraries])
    digest = hashlib.sha256(made_from.encode()).hexdigest()[:32]
    path = object_folder() / f"cuda-{name}-{digest}.so"
    if path.exists():
        return path
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".so", delete=False) as unfinished:
        pass
    arguments = [
        *FLAGS,
        *flags,
        f"-I{HERE}",
        "-x",
        "c++",
        "-",
        "-x",
        "none",
        *libraries,
        "-o",
        unfinished.name,
    ]
    answer = _run([*command, *arguments], source)
    if answer.returncode:
        os.unlink(unfinished.name)
        raise EmulatorError(f"{name} does not compile:\n{answer.stderr.strip()}")
    os.replace(unfinished.name, path)
    return path
