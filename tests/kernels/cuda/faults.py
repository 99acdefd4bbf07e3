"""Kernels with one planted fault each, and what every mode of the emulator says about them.

Run as a program it launches those that the mode of $MINIDNN_EMULATOR_MODE catches and prints one message
per line: the sanitizers' modes need a process of their own.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field

import numpy as np

from kernels.cuda import emulator

BLOCKS, THREADS = 4, 64
COUNT = BLOCKS * THREADS
BARRIER, DIVERGENT = "a barrier or an atomic is missing", "divergent barrier"


@dataclass(frozen=True)
class Fault:
    """A faulty kernel.

    Attributes:
        name: the kernel's.
        body: its statements; the faulty one is marked with "// <-".
        caught: what the message says, by mode; a mode that is not listed promises nothing.
    """

    name: str
    body: str
    caught: dict[str, str] = field(default_factory=dict)


def everywhere(message: str, *but: str) -> dict[str, str]:
    return {mode: message for mode in emulator.MODES if mode not in but}


GUARDED = {
    **dict.fromkeys(("plain", "orders"), f"invalid memory access at byte {4 * COUNT} of array argument"),
    "undefined": "invalid memory access",
    "address": "heap-buffer-overflow",
}
STATIC = {"undefined": "out-of-bounds-index", "address": "global-buffer-overflow"}
FAULTS = [
    Fault("writes_behind", "y[i + 1] = x[i];  // <-", GUARDED),
    Fault("reads_behind", "y[i] = x[i + 1];  // <-", GUARDED),
    Fault(
        "writes_before",
        "y[i - 1] = x[i];  // <-",
        {**GUARDED, **dict.fromkeys(("plain", "orders", "undefined"), "4 bytes before its memory")},
    ),
    Fault(
        "writes_behind_static_shared",
        "__shared__ float s[64];\ns[t + 1] = x[i];  // <-\n__syncthreads();\ny[i] = s[t];",
        {**STATIC, "orders": BARRIER},
    ),
    Fault(
        "writes_behind_dynamic_shared",
        "extern __shared__ float s[];\ns[t + 1] = x[i];  // <-\n__syncthreads();\ny[i] = s[t + 1];",
        {
            **dict.fromkeys(("plain", "orders", "undefined"), "invalid memory"),
            "address": "heap-buffer-overflow",
        },
    ),
    Fault(
        "reads_behind_private",
        "float a[3] = {x[i], 2.0f, 3.0f};\ny[i] = a[t % 4];  // <-",
        {"undefined": "out-of-bounds-index", "address": "stack-buffer"},
    ),
    Fault(
        "reads_unwritten_shared",
        "__shared__ float s[64];\nif (t > 0) s[t] = x[i];\n__syncthreads();\ny[i] = s[t];",
        {"orders": BARRIER},
    ),
    Fault(
        "misses_barrier",
        "__shared__ float s[64];\ns[t] = x[i];\ny[i] = s[63 - t];  // <-",
        {"orders": BARRIER, "thread": "data race"},
    ),
    Fault(
        "misses_barrier_in_loop",
        "__shared__ float s[64];\nfloat sum = 0;\nfor (int k = 0; k < n; k += 64) {\n"
        "s[t] = x[k + t];  // <-\n__syncthreads();\nsum += s[63 - t];\n}\ny[i] = sum;",
        {"orders": BARRIER, "thread": "data race"},
    ),
    Fault(
        "misses_warp_barrier",
        "__shared__ float s[64];\ns[t] = x[i];\ny[i] = s[t ^ 1];  // <-",
        {"orders": BARRIER, "thread": "data race"},
    ),
    Fault("misses_atomic", "y[0] += x[i];  // <-", {"orders": BARRIER, "thread": "data race"}),
    Fault(
        "diverges_at_barriers",
        "if (t % 2) {\n__syncthreads();\n} else {\n__syncthreads();\n}\ny[i] = x[i];",
        everywhere(DIVERGENT),
    ),
    Fault(
        "leaves_half_the_block_waiting",
        "if (t < 32) __syncthreads();\n__syncwarp();\n__syncthreads();  // <-\ny[i] = x[i];",
        everywhere(DIVERGENT),
    ),
    Fault(
        "shuffles_with_half_a_warp",
        "float v = x[i];\nif (t % 2) v = __shfl_xor_sync(~0u, v, 2);\n__syncthreads();  // <-\ny[i] = v;",
        everywhere(DIVERGENT),
    ),
    Fault(
        "shuffles_outside_its_mask",
        "y[i] = __shfl_sync(0xffffu, x[i], 0);  // <-",
        everywhere("without being in its mask"),
    ),
    Fault(
        "loads_a_misaligned_vector",
        "if (t < 8) y[i] = reinterpret_cast<const float4*>(x + 1)[t].w;  // <-",
        {"undefined": "misaligned"},
    ),
    Fault(
        "overflows_an_integer",
        "int index = (t + 1) * (1 << 18) * n;  // <-\ny[i] = index == 7 ? 1.0f : x[i];",
        {"undefined": "signed-integer-overflow"},
    ),
    Fault(
        "divides_by_zero",
        "y[i] = x[(n / (n - 256)) % 2];  // <-",
        everywhere("integer division by zero", "undefined", "address") | {"undefined": "Division by zero"},
    ),
]


def source() -> str:
    """All kernels in one file; i: the thread's place in the grid, t: in its block."""
    return "".join(
        f'extern "C" __global__ void {fault.name}(const float* x, float* y, int n)\n{{\n'
        "int t = threadIdx.x, i = blockIdx.x * blockDim.x + t;\n"
        f"{fault.body}\n}}\n"
        for fault in FAULTS
    )


def faulty_line(fault: Fault) -> str | None:
    """The place of its marked statement as a message names it."""
    before, kernel, _ = source().partition(f"void {fault.name}(")
    line = (before + kernel).count(
        "\n"
    ) + 4  # the kernel's first line, "{" and the indices come before the body
    marked = [offset for offset, text in enumerate(fault.body.splitlines()) if "// <-" in text]
    return f"kernel.cu:{line + marked[0]}:" if marked else None


def message(fault: Fault) -> str:
    """What the emulator says when the kernel is launched; "" if it has no objection."""
    kernel = emulator.RawModule(code=source()).get_function(fault.name)
    x = emulator.asarray(np.random.default_rng(0).standard_normal(COUNT, dtype=np.float32))
    y = emulator.zeros(COUNT, np.float32)
    try:
        kernel((BLOCKS,), (THREADS,), (x, y, np.int32(COUNT)), shared_mem=4 * THREADS)
    except emulator.EmulatorError as error:
        return str(error)
    return ""


if __name__ == "__main__":
    for planted in [fault for fault in FAULTS if emulator.mode() in fault.caught]:
        print(f"{planted.name}\t{message(planted)}")
    sys.stdout.flush()
    os._exit(0)  # ThreadSanitizer's own exit trips over fibers that a fault left behind
