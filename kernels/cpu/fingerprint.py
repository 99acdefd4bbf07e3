"""A number that tells whether an array's elements have changed: one pass over the memory, by all threads.

The array is read as 64-bit words w[i] (a last odd one is filled up with zeros) and gives

    f = sum_i w[i] (2 i + 1) m     modulo 2^64,        m odd

The factors of all words are odd, so a change of any one word changes f; a change of several goes unseen only
if its parts happen to cancel. Sums of integers do not depend on how they are split.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kernels.array import Array
from kernels.cpu.compilation import contiguous, parallel, tasks_for

STEP = np.uint64(2 * 0x9E3779B97F4A7C15 % 2**64)  # 2 m, with m odd and without pattern: 2^64 / golden ratio
FIRST = np.uint64(0x9E3779B97F4A7C15)


@parallel(summing=True)
def _add_words(task: int, tasks: int, words: Any, parts: Any) -> None:
    first, last = words.size * task // tasks, words.size * (task + 1) // tasks
    words = words[first:last]
    factor = FIRST + np.uint64(first) * STEP
    total = np.uint64(0)
    for i in range(words.size):
        total += words[i] * (factor + np.uint64(i) * STEP)
    parts[task] = total


def fingerprint(array: Array) -> int:
    """Return the array's number; equal ones for equal arrays, others for 0.0 and -0.0."""
    octets = contiguous(array).reshape(-1).view(np.uint8)
    whole = octets.size // 8 * 8
    tasks = tasks_for(whole // 8)
    parts = np.zeros(tasks, np.uint64)
    _add_words(tasks, octets[:whole].view(np.uint64), parts)
    total = sum(map(int, parts))
    if whole < octets.size:
        last = int.from_bytes(octets[whole:].tobytes(), "little")
        total += last * (int(FIRST) + whole // 8 * int(STEP))
    return total % 2**64
