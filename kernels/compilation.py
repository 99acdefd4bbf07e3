"""How the Numba kernels are compiled, kept on disk and launched on several threads.

`compiled` makes a function that other compiled functions call; `parallel` makes a kernel whose body is run
once per task by all threads:

    @parallel
    def scale(task, tasks, x, y, factor):
        for i in range(x.size * task // tasks, x.size * (task + 1) // tasks):
            y[i] = x[i] * factor

    scale(tasks_for(x.size), x, y, x.dtype.type(2))

A kernel's result must not depend on `tasks`: that is what makes results bitwise equal on 1 and 16 threads.

Compiled code is kept on disk (`cache_folder`) under a hash of everything it was made from: the sources of the
kernel's file and of all kernel files that it imports, the versions of Numba and Python, the processor.
Numba's own cache looks only at the function's own file and misses an edited callee.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import os
import pickle
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import numpy as np
from numba import prange
from numba.core import compiler, config, serialize
from numba.core.caching import _Cache

from kernels.array import Array
from kernels.threads import get_num_threads

# "contract" lets a multiplication and an addition become one, "reassoc" lets a sum be split over vector
# lanes. Nothing here may assume that NaN or infinities do not occur: padding is -inf, and NaN must show.
FLAGS = {"contract"}
SUMMING_FLAGS = {"contract", "reassoc"}

# A task smaller than this many elementary steps costs less than waking a second thread.
SMALLEST_TASK = 8192

# OpenMP launches in microseconds; Numba's own pool needs fifty, and aborts when two Python threads launch.
numba.config.THREADING_LAYER_PRIORITY = ["omp", "tbb", "workqueue"]

_launching = threading.Lock()
_launched = False
_forked = False


def compiled(function: Any = None, *, summing: bool = False, inline: str = "never") -> Any:
    """Compile a function for one thread; for use as a decorator, on its own or with keywords.

    Args:
        function: the function; its loops are taken as written.
        summing: allow sums to be split over vector lanes (the order is then fixed by the compiler).
        inline: "always" puts the body into every caller, for the smallest helpers.
    """
    if function is None:
        return functools.partial(compiled, summing=summing, inline=inline)
    flags = SUMMING_FLAGS if summing else FLAGS
    dispatcher = numba.njit(function, nogil=True, error_model="numpy", fastmath=flags, inline=inline)
    return _kept(dispatcher, function)


class Parallel:
    """A kernel that runs `body(task, tasks, *arguments)` for every task, over all threads.

    Attributes:
        body: the compiled body; other kernels may call it.
    """

    def __init__(self, function: Callable[..., None], summing: bool) -> None:
        functools.update_wrapper(self, function)
        self.body = body = compiled(function, summing=summing)

        def launch(tasks: int, *arguments: Any) -> None:
            for task in prange(tasks):
                body(np.intp(task), tasks, *arguments)

        self._launch = _kept(numba.njit(launch, parallel=True, nogil=True, error_model="numpy"), function)

    def __call__(self, tasks: int, *arguments: Any) -> None:
        """Run the body for tasks 0 .. tasks - 1; scalars among the arguments must have their NumPy type.

        Raises:
            RuntimeError: in a child of a process that had launched threads and was then forked.
        """
        if tasks == 1:
            self.body(0, 1, *arguments)
        else:
            self._launch_once(tasks, arguments)

    def _launch_once(self, tasks: int, arguments: tuple[Any, ...]) -> None:
        """One launch at a time: several Python threads would otherwise start several teams of threads."""
        global _launched
        if _forked:
            raise RuntimeError(
                "kernels cannot use threads in a process forked from one whose kernels had started them: "
                "start processes with multiprocessing's 'spawn' or 'forkserver', or call set_num_threads(1)"
            )
        with _launching:
            _launched = True
            self._launch(tasks, *arguments)


def parallel(function: Any = None, *, summing: bool = False) -> Any:
    """Make a kernel of a body `function(task, tasks, *arguments)`; a decorator like `compiled`."""
    if function is None:
        return functools.partial(parallel, summing=summing)
    return Parallel(function, summing)


def tasks_for(steps: int, smallest: int = SMALLEST_TASK) -> int:
    """Return into how many tasks to split `steps` elementary steps: one per thread, none tiny."""
    return max(1, min(get_num_threads(), steps // smallest))


def contiguous(array: Array) -> Array:
    """Return the array as kernels take it: row-major, aligned, and of the one type that Numba compiles for.

    Numba tells read-only arrays from others and would compile every kernel again for them, so those are
    copied, like what is strided, broadcast or unaligned.
    """
    flags = array.flags
    if flags.c_contiguous and flags.writeable and flags.aligned:
        return array
    return np.array(array, order="C")


def _after_fork() -> None:
    """The child has none of its parent's threads, and the lock may have been held by one of them."""
    global _forked, _launching
    _forked = _launched
    _launching = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


# --- the store on disk


def cache_folder() -> Path | None:
    """Return where compiled kernels are kept: $MINIDNN_CACHE_DIR, or the user's cache folder.

    None where nothing can be written; kernels are then compiled anew by every process.
    """
    return _writable_folder(os.environ.get("MINIDNN_CACHE_DIR"), os.environ.get("XDG_CACHE_HOME"))


@functools.cache
def _writable_folder(own: str | None, shared: str | None) -> Path | None:
    folder = Path(own) if own else Path(shared or Path.home() / ".cache") / "minidnn"
    temporary = Path(tempfile.gettempdir()) / f"minidnn-{os.getuid() if hasattr(os, 'getuid') else 0}"
    for candidate in (folder, temporary):
        try:
            candidate.mkdir(mode=0o700, parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=candidate).close()
        except OSError:
            continue
        if _is_ours(candidate):
            return candidate
    return None


def _is_ours(folder: Path) -> bool:
    """Whether nobody else can have put files there: code is loaded from this folder."""
    return not hasattr(os, "getuid") or folder.stat().st_uid == os.getuid()


class _Store(_Cache):  # type: ignore[misc]
    """What Numba asks before it compiles `function`, and tells after; one file per signature.

    A file's name is the hash of all that it depends on, and it appears whole or not at all: processes that
    compile the same kernel at the same time write the same file.
    """

    def __init__(self, function: Callable[..., Any], role: str) -> None:
        self._function = function
        self._role = role
        self._enabled = True

    @property
    def cache_path(self) -> str:
        return str(cache_folder())

    def enable(self) -> None:
        self._enabled = True

    def disable(self) -> None:
        self._enabled = False

    def flush(self) -> None:
        """Files are never stale: whatever changes changes their name."""

    def load_overload(self, signature: Any, target_context: Any) -> Any:
        """Return the kept compilation, or None."""
        target_context.refresh()
        path = self._path(signature, target_context.codegen())
        if path is None:
            return None
        try:
            payload = pickle.loads(path.read_bytes())
        except (OSError, EOFError, pickle.UnpicklingError):
            return None
        return compiler.CompileResult._rebuild(target_context, *payload)

    def save_overload(self, signature: Any, result: Any) -> None:
        """Keep a compilation; a full or read-only disk only costs the next process its time."""
        path = self._path(signature, result.codegen)
        if path is None or result.library.has_dynamic_globals or any(not x.can_cache for x in result.lifted):
            return
        try:
            with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
                file.write(serialize.dumps(result._reduce()))
            os.replace(file.name, path)
        except OSError:
            pass

    def _path(self, signature: Any, codegen: Any) -> Path | None:
        folder = cache_folder() if self._enabled else None
        if folder is None:
            return None
        made_from = (
            self._function.__qualname__,
            str(signature),
            codegen.magic_tuple(),
            numba.__version__,
            sys.version,
            source_hash(self._function.__module__),
        )
        digest = hashlib.sha256(repr(made_from).encode()).hexdigest()[:32]
        return folder / f"{self._function.__module__}.{self._function.__name__}-{self._role}-{digest}.kernel"


def _kept(dispatcher: Any, function: Callable[..., Any]) -> Any:
    """Give a Numba dispatcher our store; with the JIT switched off there is none."""
    if not config.DISABLE_JIT:
        role = "launch" if dispatcher.targetoptions.get("parallel") else "body"
        dispatcher._cache = _Store(function, role)
    return dispatcher


@functools.cache
def source_hash(module: str) -> str:
    """Return a hash of the sources of a module and of all modules of `kernels` that it imports."""
    seen: dict[str, bytes] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        path = getattr(sys.modules.get(name), "__file__", None)
        if name in seen or path is None:
            continue
        seen[name] = Path(path).read_bytes()
        waiting += _imports(seen[name])
    return hashlib.sha256(b"".join(seen[name] for name in sorted(seen))).hexdigest()


def _imports(source: bytes) -> list[str]:
    """The modules of `kernels` that a source imports from."""
    nodes = ast.walk(ast.parse(source))
    names = [node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module]
    return [name for name in names if name.partition(".")[0] == "kernels"]
