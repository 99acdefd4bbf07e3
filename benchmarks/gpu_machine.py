"""The GPU: its name and versions, and its measured peak in multiply-adds and in copied bytes per second."""

from __future__ import annotations

import hashlib
import re
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import machine, results
from benchmarks.gpu_timing import Clock, DeviceClock
from benchmarks.machine import Peak
from kernels import device
from kernels.cuda.launch import Source
from kernels.device import Device

SOURCE = Source(__file__, "multiply_add.cu")
CHAINS = 16  # of multiply_add.cu
TURNS, THREADS, BLOCKS_EACH = 4096, 256, 16
SIZES = tuple(2**exponent for exponent in (20, 22, 24, 26, 28, 30))
TRIALS = 9


def require() -> dict[str, Any]:
    """Return what the GPU is, for us and for PyTorch (ValueError: the message says what is missing)."""
    device.find("gpu")
    try:
        import torch
    except ImportError:
        raise ValueError(
            "the GPU is measured beside PyTorch, which is not installed: pip install torch"
        ) from None
    if not torch.cuda.is_available():
        raise ValueError(
            f"the GPU is measured beside PyTorch, and torch {torch.__version__} finds none: install its "
            "build for your version of CUDA"
        )
    return _describe()


def _describe() -> dict[str, Any]:
    """What results are labelled with."""
    import cupy
    import torch

    properties = cupy.cuda.runtime.getDeviceProperties(0)
    return {
        "name": properties["name"].decode(),
        "multiprocessors": properties["multiProcessorCount"],
        "memory": properties["totalGlobalMem"],
        "l2_cache": properties["l2CacheSize"],
        "driver": cupy.cuda.runtime.driverGetVersion(),
        "cupy": cupy.__version__,
        "torch": torch.__version__,
        "cudnn": torch.backends.cudnn.version(),
    }


def slug(name: str) -> str:
    """A folder's name for a GPU."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def header(benchmark: str, gpu: dict[str, Any], threads: int, quick: bool) -> dict[str, Any]:
    """What a file of results begins with."""
    return {
        "benchmark": benchmark,
        "machine": {**machine.describe(), "gpu": gpu},
        "threads": threads,
        "quick": quick,
        "sources": f"{results.source_hash()}-{_kernel_hash()}",
        "date": results.today(),
    }


def _kernel_hash() -> str:
    """A short hash of all CUDA sources."""
    folder = Path(__file__).parent.parent / "kernels"
    digest = hashlib.sha256()
    for path in sorted((*folder.rglob("*.cu"), *folder.rglob("*.cuh"))):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


def prepare(header: dict[str, Any], card: dict[str, Any]) -> tuple[Clock, Peak]:
    """Return the GPU's clock and measured peak, which the header keeps."""
    clock = DeviceClock()
    peak = measure_peak(clock, device.GPU, card["multiprocessors"])
    header["peak"] = peak.to_json()
    return clock, peak


def measure_peak(clock: Clock, place: Device, multiprocessors: int) -> Peak:
    """Measure the rates: the best of several trials, each with a cold cache."""
    out = place.module.empty(multiprocessors * BLOCKS_EACH * THREADS, np.float32)
    flops = 2.0 * CHAINS * TURNS * out.size / _best(clock, partial(multiply_add, out, TURNS))
    copy = {size: _copy_rate(clock, place, size) for size in SIZES}
    return Peak(multiprocessors, flops, copy, copy)


def multiply_add(out: Any, turns: int, factor: float = 0.999, term: float = 0.001) -> None:
    """Launch multiply_add.cu, a thread for each element of `out`."""
    numbers = (np.int32(turns), np.float32(factor), np.float32(term))
    SOURCE.launch("multiply_add", (out.size // THREADS,), (THREADS,), (out, *numbers), {})


def _copy_rate(clock: Clock, place: Device, size: int) -> float:
    """Bytes per second of copying, read and written both counted, two arrays of `size` bytes together."""
    x, y = (place.module.zeros(size // 8, np.float32) for _ in range(2))
    return size / _best(clock, partial(place.module.copyto, y, x))


def _best(clock: Clock, run: Any) -> float:
    return min(clock.time(run)[0] for _ in range(TRIALS))
