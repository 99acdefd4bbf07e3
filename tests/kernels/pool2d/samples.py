"""Samples of maximum and average pooling."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

from kernels.pool2d import max_pool2d_forward
from kernels.window import Window
from tests.kernels.planes import scatter, ties, with_holes
from tests.kernels.sample import Draw, Sample

Make = Callable[..., np.ndarray]


def maximum(label: str, shape: tuple[int, ...], window: Window, make: Make = Draw.normal) -> list[Sample]:
    """Both directions of max pooling."""

    def backward(draw: Draw) -> tuple[Any, ...]:
        y, indices = max_pool2d_forward(make(draw, *shape), window)
        return draw.normal(*y.shape), indices, shape, window

    taps = window.kernel[0] * window.kernel[1]
    return [
        Sample("max_pool2d_forward", label, lambda draw: (make(draw, *shape), window)),
        Sample("max_pool2d_backward", label, backward, reduction_length=taps),
    ]


def average(
    label: str,
    shape: tuple[int, ...],
    window: Window,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> list[Sample]:
    """Both directions of average pooling."""
    options = (count_include_pad, divisor_override)
    output = (*shape[:2], *window.output_size(shape[2:]))
    taps = window.kernel[0] * window.kernel[1]
    return [
        Sample(
            "average_pool2d_forward",
            label,
            lambda draw: (draw.normal(*shape), window, *options),
            reduction_length=taps,
        ),
        Sample(
            "average_pool2d_backward",
            label,
            lambda draw: (draw.normal(*output), shape, window, *options),
            reduction_length=taps,
        ),
    ]


def negative(draw: Draw, *shape: int) -> np.ndarray:
    """Values below zero: padding with zeros would win."""
    return -1 - draw.uniform(*shape)


def minus_infinity(draw: Draw, *shape: int) -> np.ndarray:
    return with_holes(draw, *shape, value=-np.inf) if shape[2] > 3 else np.full(shape, -np.inf, draw.dtype)


WINDOWS = {
    "tiles": ((2, 3, 6, 4), Window.of(2, 2)),
    "ragged": ((2, 3, 7, 5), Window.of((3, 2), (2, 1))),
    "gaps": ((1, 2, 8, 9), Window.of((1, 2), (3, 4))),
    "padded": ((2, 1, 6, 7), Window.of((3, 4), (2, 3), (1, 2))),
    "asymmetric": ((1, 2, 6, 5), Window.of((3, 2), 2, ((0, 1), (1, 0)))),
    "ceil": ((2, 2, 6, 7), Window.of((3, 2), (2, 3), 0, ceil_mode=True)),
    "ceil-padded": ((1, 2, 5, 6), Window.of((2, 3), (3, 2), 1, ceil_mode=True)),
    "ceil-drops-the-last": ((1, 1, 3, 4), Window.of(2, 3, 1, ceil_mode=True)),
    "whole-plane": ((2, 2, 4, 3), Window.of((4, 3))),
    "single-pixel": ((1, 1, 1, 1), Window.of(1)),
    "one-by-one": ((1, 2, 3, 5), Window.of(1, 2)),
    "wider-than-the-plane": ((1, 2, 2, 2), Window.of(4, 1, 2)),
    "several-bands": ((1, 2, 90, 71), Window.of(3, 2, 1)),
    "several-bands-overlapping": ((1, 1, 61, 100), Window.of((3, 5), 1, (1, 2))),
    "stride-3": ((1, 1, 20, 40), Window.of((4, 2), (2, 3), (2, 1))),
    "empty-batch": ((0, 2, 5, 4), Window.of(2, 2)),
}

SAMPLES = [
    *(sample for label, (shape, window) in WINDOWS.items() for sample in maximum(label, shape, window)),
    *maximum("dilated", (2, 2, 9, 8), Window.of((3, 2), (1, 2), 0, (2, 3))),
    *maximum("dilated-padded-ceil", (1, 2, 8, 9), Window.of((2, 4), (3, 2), (1, 2), (2, 2), ceil_mode=True)),
    *maximum("negative", (2, 2, 5, 4), Window.of(3, 2, 1), negative),
    *maximum("ties", (2, 3, 6, 5), Window.of((3, 2), (2, 1), 1), ties),
    *maximum("nan", (2, 2, 6, 7), Window.of((2, 3), (2, 1), 1), with_holes),
    *maximum("some-minus-infinity", (1, 2, 6, 7), Window.of(2, 1, 1), minus_infinity),
    *maximum("all-minus-infinity", (1, 1, 3, 3), Window.of(2, 2, 1), minus_infinity),
    *(sample for label, (shape, window) in WINDOWS.items() for sample in average(label, shape, window)),
    *(
        sample
        for label, (shape, window) in WINDOWS.items()
        for sample in average(f"{label}-exclude-pad", shape, window, count_include_pad=False)
    ),
    *average("divisor", (2, 2, 5, 6), Window.of((2, 3), (2, 1), 1), divisor_override=7),
    *average("negative-divisor", (1, 2, 5, 4), Window.of(2, 3, 1, ceil_mode=True), False, -3),
]


@st.composite
def _drawn(draw: st.DrawFn) -> Sample:
    dilated = draw(st.booleans())
    kernel, stride = [tuple(draw(st.integers(1, 3)) for _ in range(2)) for _ in range(2)]
    dilation = tuple(draw(st.integers(1, 2)) if dilated else 1 for _ in range(2))
    extent = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    padding = tuple(tuple(draw(st.integers(0, k // 2)) for _ in range(2)) for k in kernel)
    window = Window.of(kernel, stride, padding, dilation, draw(st.booleans()))
    size = [draw(st.integers(max(1, e - sum(p)), 8)) for e, p in zip(extent, padding, strict=True)]
    shape = (draw(st.integers(0, 2)), draw(st.integers(1, 2)), *size)
    rows = maximum("drawn", shape, window, draw(st.sampled_from([Draw.normal, ties, with_holes])))
    if not dilated:
        rows += average("drawn", shape, window, draw(st.booleans()), draw(st.sampled_from([None, 5])))
    return draw(st.sampled_from(rows))


STRATEGY = _drawn()


def _symmetric(window: Window) -> bool:
    return all(before == after for before, after in window.padding)


def _max_forward(x: np.ndarray, window: Window) -> tuple[np.ndarray, np.ndarray]:
    import torch

    from tests.torch_bridge import to_torch

    (top, bottom), (left, right) = window.padding
    padding, padded = (top, left), to_torch(x)
    if not _symmetric(window):
        padding, padded = (0, 0), torch.nn.functional.pad(padded, (left, right, top, bottom), value=-np.inf)
    y, indices = torch.nn.functional.max_pool2d(
        padded, window.kernel, window.stride, padding, window.dilation, window.ceil_mode, return_indices=True
    )
    if not _symmetric(window):
        width = padded.shape[3]
        indices = (indices // width - top) * x.shape[3] + indices % width - left
    return y.numpy(), indices.numpy()


def _average(x: Any, window: Window, count_include_pad: bool, divisor_override: int | None) -> Any:
    import torch

    average_pool2d = torch.nn.functional.avg_pool2d
    (top, bottom), (left, right) = window.padding
    arguments = window.kernel, window.stride
    if _symmetric(window):
        return average_pool2d(
            x, *arguments, (top, left), window.ceil_mode, count_include_pad, divisor_override
        )
    sides = (left, right, top, bottom)
    y = average_pool2d(torch.nn.functional.pad(x, sides), *arguments, divisor_override=divisor_override)
    if count_include_pad or divisor_override:
        return y
    return y / average_pool2d(torch.nn.functional.pad(torch.ones_like(x), sides), *arguments)


def _average_forward(x: np.ndarray, *options: Any) -> np.ndarray:
    from tests.torch_bridge import to_torch

    return _average(to_torch(x), *options).numpy()


def _average_backward(grad_output: np.ndarray, shape: tuple[int, ...], *options: Any) -> Any:
    from tests.torch_bridge import gradients

    x = np.zeros(shape, grad_output.dtype)
    return gradients(lambda x: _average(x, *options), (x,), grad_output)[0]


ORACLES = {
    "max_pool2d_forward": _max_forward,
    "max_pool2d_backward": lambda dy, indices, shape, window: scatter(dy, indices, shape),
    "average_pool2d_forward": _average_forward,
    "average_pool2d_backward": _average_backward,
}
