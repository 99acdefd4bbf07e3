"""How the Numba kernels are compiled, kept on disk and launched on several threads.

`compiled` makes a function that other compiled functions call; `parallel` makes a kernel whose body is run
once per task by all threads:

    @parallel
    def scale(task, tasks, x, y, factor):
        x, y = share_of(x, task, tasks), share_of(y, task, tasks)
        for i in range(x.size):
            y[i] = x[i] * factor

    scale(tasks_for(x.size), x, y, x.dtype.type(2))

A kernel's result must not depend on `tasks`: that is what makes results bitwise equal on 1 and 16 threads.
Loops count from 0, over a slice where need be: of an index that starts elsewhere Numba does not know that it
is not negative, and the code for counting from the end keeps the loop from becoming vector code.

Compiled code is kept on disk, see `kernel_store.py`.
"""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable
from typing import Any

import numba
import numpy as np

from kernels.array import Array
from kernels.cpu.kernel_store import kept
from kernels.cpu.launching import launcher_of, start_threads
from kernels.registry import UnavailableError
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


def compiled(
    function: Any = None,
    *,
    summing: bool = False,
    rounding: bool = False,
    inline: str = "never",
    borrowing: bool = False,
) -> Any:
    """Compile a function for one thread; for use as a decorator, on its own or with keywords.

    Args:
        function: the function; its loops are taken as written.
        summing: allow sums to be split over vector lanes (the order is then fixed by the compiler).
        rounding: round every product before it is added, for decisions that must fall as in the reference.
        inline: "always" puts the body into every caller, for the smallest helpers.
        borrowing: do not count references to the arrays handed in, for helpers that are called often and make
            no arrays: the atomic counting can cost more than what they do.
    """
    if function is None:
        return functools.partial(
            compiled, summing=summing, rounding=rounding, inline=inline, borrowing=borrowing
        )
    flags: set[str] = set() if rounding else SUMMING_FLAGS if summing else FLAGS
    counting = {"_nrt": False} if borrowing else {}
    dispatcher = numba.njit(
        function, nogil=True, error_model="numpy", fastmath=flags, inline=inline, **counting
    )
    return kept(dispatcher, function)


def require_compiler() -> None:
    """Called by the files of kernels whose vector instructions cannot run as Python.

    Raises:
        UnavailableError: the compiler is switched off.
    """
    if numba.config.DISABLE_JIT:
        raise UnavailableError(
            "vector instructions need Numba's compiler, and NUMBA_DISABLE_JIT switches it off"
        )


class Parallel:
    """A kernel that runs `body(task, tasks, *arguments)` for every task, over all threads.

    Attributes:
        body: the compiled body; other kernels may call it.
    """

    def __init__(self, function: Callable[..., None], summing: bool) -> None:
        functools.update_wrapper(self, function)
        self.body = compiled(function, summing=summing)
        self._launch = kept(launcher_of(self.body), function, "launch")

    def __call__(self, tasks: int, *arguments: Any) -> None:
        """Run the body for tasks 0 .. tasks - 1; scalars among the arguments must have their NumPy type.

        Raises:
            RuntimeError: in a child of a process that had launched threads and was then forked.
        """
        if tasks == 1:
            self.body(0, 1, *arguments)
            return
        if not _launched:
            _start_threads()
        with _launching:  # several Python threads would otherwise start several teams of threads
            self._launch(tasks, *arguments)


def _start_threads() -> None:
    """Before the first launch."""
    global _launched
    if _forked:
        raise RuntimeError(
            "kernels cannot use threads in a process forked from one whose kernels had started them: "
            "start processes with multiprocessing's 'spawn' or 'forkserver', or call set_num_threads(1)"
        )
    with _launching:
        start_threads()
        _launched = True


def parallel(function: Any = None, *, summing: bool = False) -> Any:
    """Make a kernel of a body `function(task, tasks, *arguments)`; a decorator like `compiled`."""
    if function is None:
        return functools.partial(parallel, summing=summing)
    return Parallel(function, summing)


def tasks_for(steps: int, smallest: int = SMALLEST_TASK) -> int:
    """Return into how many tasks to split `steps` elementary steps: one per thread, none tiny."""
    if steps < 2 * smallest:
        return 1
    return min(get_num_threads(), steps // smallest)


def contiguous(array: Array) -> Array:
    """Return the array as kernels take it: row-major, aligned, and of the one type that Numba compiles for.

    Numba tells read-only arrays from others and would compile every kernel again for them, so those are
    copied, like what is strided, broadcast or unaligned.
    """
    if array.flags.carray:  # C-contiguous, aligned and writeable
        return array
    return np.array(array, order="C")


def _after_fork() -> None:
    """The child has none of its parent's threads, and the lock may have been held by one of them."""
    global _forked, _launched, _launching
    _forked |= _launched
    _launched = False
    _launching = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


@compiled(inline="always")
def share_of(x: Any, task: int, tasks: int) -> Any:
    """Return a task's share of a flat array: the shares follow each other and are of equal length but for
    one.
    """
    return x[x.size * task // tasks : x.size * (task + 1) // tasks]
