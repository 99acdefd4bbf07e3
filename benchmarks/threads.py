"""The same number of threads for everyone: Numba, BLAS and PyTorch."""

from __future__ import annotations

import importlib.util
import os

import kernels


def available() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def pin(threads: int) -> None:
    """Set the number of threads of every library that has threads (ValueError above the number of cores)."""
    from threadpoolctl import threadpool_limits

    if not 1 <= threads <= available():
        raise ValueError(f"threads must be between 1 and the {available()} cores here, got {threads}")
    kernels.set_num_threads(threads)
    threadpool_limits(threads, user_api="blas")
    if has_torch():
        import torch

        torch.set_num_threads(threads)


def has_torch() -> bool:
    """Whether PyTorch is there to be measured beside."""
    return importlib.util.find_spec("torch") is not None
