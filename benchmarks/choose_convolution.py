"""Which version of the convolution is the fastest for which shape, and what the default loses by its rules.

    python -m benchmarks.choose_convolution --batch 1 --kernel 3 choices.csv

Times every fast CPU version on prepared weights for the convolutions in shapes.csv, and writes a row per
shape with each version's time in microseconds, the fastest and the default. The default goes by short rules
(`pays` in kernels/conv2d/cpu.py and cpu_winograd.py) rather than by such a table; after a change to a kernel,
or on another machine, this says whether they still hold.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator
from typing import Any

import numpy as np

import kernels
from benchmarks import shapes
from benchmarks.measuring import QUICK, Contender, interleave
from kernels import registry
from kernels.conv2d import conv2d_forward_prepared, conv2d_prepare_weight
from kernels.window import Window

# Whole ladders take long: what is never the choice for a layer of a network stays out.
VERSIONS = ("fused_im2col", "pointwise", "winograd_2x2", "winograd_4x4")


def convolutions(batch: int, kernel: int | None) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """The distinct convolutions of the networks: a label, and the arguments of `conv2d_forward`."""
    seen = set()
    for layer in shapes.read():
        if layer.operation != "conv2d_forward" or layer.key in seen:
            continue
        seen.add(layer.key)
        x, weight, bias, window, groups = layer.arguments_for(batch)
        if kernel in (None, *window.kernel):
            yield str(layer), (x.shape, weight.shape, bias is not None, window, groups)


def times(
    x_shape: tuple[int, ...], weight_shape: tuple[int, ...], biased: bool, window: Window, groups: int
) -> dict[str, float]:
    """Microseconds of every version that fits, run in turn."""
    draw = np.random.default_rng(0)
    x, weight = (draw.standard_normal(shape, np.float32) for shape in (x_shape, weight_shape))
    bias = draw.standard_normal(weight_shape[0], np.float32) if biased else None

    def contender(name: str) -> Contender:
        with kernels.use(backend="cpu", conv2d_prepare_weight=name):
            prepared = conv2d_prepare_weight(weight, x_shape, window, groups)
        return Contender(name, lambda: conv2d_forward_prepared(x, prepared, bias, window, groups, None))

    rows = [row for row in registry.table() if row.operation == "conv2d_prepare_weight"]
    fitting = [
        row.name
        for row in rows
        if row.name in VERSIONS and row.fits(weight, x_shape, window, groups) and row.backend == "cpu"
    ]
    timings = interleave([contender(name) for name in fitting], QUICK)
    return {name: 1e6 * timing.median for name, timing in timings.items()}


def default(x_shape: tuple[int, ...], weight_shape: tuple[int, ...], window: Window, groups: int) -> str:
    """The version that runs unless another is asked for."""
    weight = np.empty(weight_shape, np.float32)
    return registry.choose(conv2d_prepare_weight, weight, x_shape, window, groups).name


def main() -> None:
    """Measure, write the table, and print where the default is not the fastest."""
    parser = argparse.ArgumentParser(description="time the convolution's versions shape by shape")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--kernel", type=int, help="only kernels with this height or width")
    parser.add_argument("table", help="the CSV file to write")
    options = parser.parse_args()
    with open(options.table, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("convolution", *VERSIONS, "fastest", "default", "default's loss"))
        for label, (x_shape, weight_shape, biased, window, groups) in convolutions(
            options.batch, options.kernel
        ):
            taken = times(x_shape, weight_shape, biased, window, groups)
            fastest, chosen = (
                min(taken, key=taken.__getitem__),
                default(x_shape, weight_shape, window, groups),
            )
            loss = taken[chosen] / taken[fastest] - 1
            cells = [f"{taken[name]:.0f}" if name in taken else "" for name in VERSIONS]
            writer.writerow((label, *cells, fastest, chosen, f"{loss:.0%}"))
            file.flush()
            if loss > 0.05:
                print(f"{label}: {chosen} takes {loss:.0%} longer than {fastest}", flush=True)


if __name__ == "__main__":
    main()
