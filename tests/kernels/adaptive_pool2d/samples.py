"""Samples of adaptive pooling."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from kernels.adaptive_pool2d import adaptive_max_pool2d_forward
from tests.kernels.planes import scatter, ties, with_holes
from tests.kernels.sample import Draw, Sample


def average(label: str, shape: tuple[int, ...], bins: tuple[int, int]) -> list[Sample]:
    terms = shape[2] * shape[3]
    return [
        Sample(
            "adaptive_average_pool2d_forward",
            label,
            lambda draw: (draw.normal(*shape), bins),
            reduction_length=terms,
        ),
        Sample(
            "adaptive_average_pool2d_backward",
            label,
            lambda draw: (draw.normal(*shape[:2], *bins), shape),
            reduction_length=max(bins[0] * bins[1], 1),
        ),
    ]


def maximum(
    label: str, shape: tuple[int, ...], bins: tuple[int, int], make: Any = Draw.normal
) -> list[Sample]:
    def backward(draw: Draw) -> tuple[Any, ...]:
        y, indices = adaptive_max_pool2d_forward(make(draw, *shape), bins)
        return draw.normal(*y.shape), indices, shape

    return [
        Sample("adaptive_max_pool2d_forward", label, lambda draw: (make(draw, *shape), bins)),
        Sample("adaptive_max_pool2d_backward", label, backward, reduction_length=max(bins[0] * bins[1], 1)),
    ]


CONFIGURATIONS = {
    "even": ((2, 3, 6, 4), (3, 2)),
    "ragged": ((2, 3, 7, 5), (3, 2)),
    "overlapping": ((1, 2, 5, 7), (4, 3)),
    "more-bins-than-elements": ((2, 1, 3, 2), (5, 7)),
    "same-size": ((1, 2, 3, 4), (3, 4)),
    "one-bin": ((2, 2, 4, 3), (1, 1)),
    "single-pixel": ((1, 1, 1, 1), (1, 1)),
    "no-bins": ((2, 2, 3, 4), (0, 2)),
    "empty-batch": ((0, 2, 5, 4), (2, 3)),
}

SAMPLES = [
    *(sample for label, row in CONFIGURATIONS.items() for sample in average(label, *row)),
    *(sample for label, row in CONFIGURATIONS.items() for sample in maximum(label, *row)),
    *average("no-channels", (2, 0, 3, 4), (2, 3)),
    *maximum("ties", (2, 2, 7, 6), (3, 4), ties),
    *maximum("nan", (2, 2, 5, 6), (3, 2), with_holes),
    *maximum(
        "minus-infinity", (1, 1, 3, 4), (2, 3), lambda draw, *shape: np.full(shape, -np.inf, draw.dtype)
    ),
]


@st.composite
def _drawn(draw: st.DrawFn) -> Sample:
    size = st.integers(1, 8)
    shape = (draw(st.integers(0, 2)), draw(st.integers(1, 3)), draw(size), draw(size))
    bins = (draw(st.integers(0, 6)), draw(st.integers(1, 6)))
    make = draw(st.sampled_from([Draw.normal, ties, with_holes]))
    return draw(st.sampled_from(average("drawn", shape, bins) + maximum("drawn", shape, bins, make)))


STRATEGY = _drawn()


def _average_forward(x: np.ndarray, bins: tuple[int, int]) -> np.ndarray:
    import torch

    from tests.torch_bridge import to_torch

    return torch.nn.functional.adaptive_avg_pool2d(to_torch(x), bins).numpy()


def _average_backward(grad_output: np.ndarray, shape: tuple[int, ...]) -> Any:
    import torch

    from tests.torch_bridge import gradients

    if grad_output.size == 0:  # PyTorch's backward refuses what its forward accepts
        return np.zeros(shape, grad_output.dtype)

    def pool(x: Any) -> Any:
        return torch.nn.functional.adaptive_avg_pool2d(x, grad_output.shape[2:])

    return gradients(pool, (np.zeros(shape, grad_output.dtype),), grad_output)[0]


def _max_forward(x: np.ndarray, bins: tuple[int, int]) -> tuple[np.ndarray, ...]:
    import torch

    from tests.torch_bridge import to_torch

    result = torch.nn.functional.adaptive_max_pool2d(to_torch(x), bins, return_indices=True)
    return tuple(array.numpy() for array in result)


ORACLES = {
    "adaptive_average_pool2d_forward": _average_forward,
    "adaptive_average_pool2d_backward": _average_backward,
    "adaptive_max_pool2d_forward": _max_forward,
    "adaptive_max_pool2d_backward": scatter,
}
