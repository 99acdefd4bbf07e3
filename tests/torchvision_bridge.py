"""torchvision.ops with its compiled operators, also beside a CPU build of PyTorch.

The torchvision wheel of the package index is built for CUDA: its compiled library names symbols of the CUDA
runtime, which a CPU build of PyTorch does not bring, so it refuses to load. Its CPU operators never call
them. Therefore small shared libraries are compiled here that define the missing names, under the library
names and symbol versions that the loader looks for.
"""

from __future__ import annotations

import ctypes
import importlib
import importlib.util
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from types import ModuleType

CUDA_NAMES = ("_ZN3c104cuda", "_ZNK3c104cuda", "_ZN2at4cuda")


@cache
def torchvision_ops() -> ModuleType:
    """Return `torchvision.ops` with working operators.

    Raises:
        ImportError: torch, torchvision or the C compiler is missing, or the library does not load.
    """
    torch = importlib.import_module("torch")
    specification = importlib.util.find_spec("torchvision")
    if specification is None or specification.origin is None:
        raise ImportError("torchvision is not installed")
    library = Path(specification.origin).parent / "_C.so"
    if torch.version.cuda is None and library.exists():
        try:
            _load_missing(library, Path(torch.__file__).parent / "lib")
        except (OSError, subprocess.CalledProcessError, StopIteration) as problem:
            raise ImportError(f"torchvision's operators cannot be loaded: {problem}") from problem
    try:
        ops = importlib.import_module("torchvision.ops")
        importlib.import_module("torchvision.extension")._assert_has_ops()
    except RuntimeError as problem:
        raise ImportError(f"torchvision's operators cannot be loaded: {problem}") from problem
    return ops


def _load_missing(library: Path, torch_libraries: Path) -> None:
    """Define, in this process, what `library` needs and torch's libraries do not have."""
    defined = {
        _bare(name) for path in torch_libraries.glob("lib*.so") for name in _symbols(path, "--defined-only")
    }
    missing = {name for name in _symbols(library, "--undefined-only") if _bare(name) not in defined}
    runtime = sorted(_bare(name) for name in missing if "@libcudart" in name)
    if not runtime:
        return  # a CPU build: nothing to define
    version = next(name.partition("@")[2].lstrip("@") for name in missing if "@libcudart" in name)
    cuda = sorted(_bare(name) for name in missing if name.startswith(CUDA_NAMES))
    with tempfile.TemporaryDirectory(prefix="torchvision-") as folder:
        for file, symbol_version, names in (
            (version, version, runtime),
            ("libc10_cuda.so", "", cuda),
            ("libtorch_cuda.so", "", []),
        ):
            path = _compile(Path(folder), file, symbol_version, names)
            ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)


def _compile(folder: Path, file: str, symbol_version: str, names: list[str]) -> Path:
    """A shared library that defines `names`: functions that return 0, and one object that is only copied."""
    source, script, target = folder / "names.c", folder / "names.map", folder / file
    bodies = [
        f"long {name}[8];" if name.endswith("9allocatorE") else f"long {name}(void) {{ return 0; }}"
        for name in names
    ]
    source.write_text("\n".join([*bodies, ""]))
    script.write_text(f"{symbol_version} {{ global: *; }};\n")
    versioned = [f"-Wl,--version-script={script}"] if symbol_version else []
    flags = ["-shared", "-fPIC", "-w", f"-Wl,-soname,{file}", *versioned]
    subprocess.run(["gcc", *flags, "-o", str(target), str(source)], check=True, capture_output=True)
    return target


def _symbols(library: Path, which: str) -> list[str]:
    """The names that a library's dynamic table lists, with their versions."""
    lines = subprocess.run(["nm", "-D", which, str(library)], check=True, capture_output=True, text=True)
    return [line.split()[-1] for line in lines.stdout.splitlines()]


def _bare(name: str) -> str:
    return name.partition("@")[0]
