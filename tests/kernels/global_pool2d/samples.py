"""Samples of global pooling."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from kernels.global_pool2d import global_max_pool2d_forward
from tests.kernels.planes import scatter, ties, with_holes
from tests.kernels.sample import Draw, Sample


def average(label: str, shape: tuple[int, int, int, int]) -> list[Sample]:
    size = shape[2] * shape[3]
    return [
        Sample(
            "global_average_pool2d_forward", label, lambda draw: (draw.normal(*shape),), reduction_length=size
        ),
        Sample("global_average_pool2d_backward", label, lambda draw: (draw.normal(*shape[:2], 1, 1), shape)),
    ]


def maximum(label: str, shape: tuple[int, int, int, int], make: Any = Draw.normal) -> list[Sample]:
    def backward(draw: Draw) -> tuple[Any, ...]:
        y, indices = global_max_pool2d_forward(make(draw, *shape))
        return draw.normal(*y.shape), indices, shape

    return [
        Sample("global_max_pool2d_forward", label, lambda draw: (make(draw, *shape),)),
        Sample("global_max_pool2d_backward", label, backward),
    ]


SHAPES = {
    "ragged": (2, 3, 5, 4),
    "single-pixel": (1, 1, 1, 1),
    "one-row": (2, 1, 1, 6),
    "larger-than-a-warp": (1, 2, 7, 9),
    "empty-batch": (0, 2, 3, 4),
}

SAMPLES = [
    *(sample for label, shape in SHAPES.items() for sample in average(label, shape)),
    *(sample for label, shape in SHAPES.items() for sample in maximum(label, shape)),
    *average("no-channels", (2, 0, 3, 4)),
    *maximum("ties", (2, 3, 4, 3), ties),
    *maximum("nan", (2, 3, 2, 3), with_holes),
    *maximum("minus-infinity", (1, 2, 2, 3), lambda draw, *shape: np.full(shape, -np.inf, draw.dtype)),
]


@st.composite
def _drawn(draw: st.DrawFn) -> Sample:
    size = st.integers(1, 7)
    shape = (draw(st.integers(0, 3)), draw(size), draw(size), draw(size))
    make = draw(st.sampled_from([Draw.normal, ties, with_holes]))
    return draw(st.sampled_from(average("drawn", shape) + maximum("drawn", shape, make)))


STRATEGY = _drawn()


def _average(x: Any) -> Any:
    import torch

    return torch.nn.functional.adaptive_avg_pool2d(x, 1)


def _average_forward(x: np.ndarray) -> np.ndarray:
    from tests.torch_bridge import to_torch

    return _average(to_torch(x)).numpy()


def _average_backward(grad_output: np.ndarray, shape: tuple[int, ...]) -> Any:
    from tests.torch_bridge import gradients

    return gradients(_average, (np.zeros(shape, grad_output.dtype),), grad_output)[0]


def _max_forward(x: np.ndarray) -> tuple[np.ndarray, ...]:
    import torch

    from tests.torch_bridge import to_torch

    result = torch.nn.functional.adaptive_max_pool2d(to_torch(x), 1, return_indices=True)
    return tuple(array.numpy() for array in result)


ORACLES = {
    "global_average_pool2d_forward": _average_forward,
    "global_average_pool2d_backward": _average_backward,
    "global_max_pool2d_forward": _max_forward,
    "global_max_pool2d_backward": scatter,
}
