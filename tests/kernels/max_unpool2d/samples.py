"""Samples of max unpooling."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from kernels.pool2d import max_pool2d_forward
from kernels.window import Window
from tests.kernels.sample import Draw, Sample


def samples(label: str, shape: tuple[int, int, int, int], window: Window) -> list[Sample]:
    """Both directions of unpooling what `window` pooled."""

    def pooled(draw: Draw) -> np.ndarray:
        return max_pool2d_forward(draw.normal(*shape), window)[1]

    def forward(draw: Draw) -> tuple[Any, ...]:
        indices = pooled(draw)
        return draw.normal(*indices.shape), indices, shape[2:]

    return [
        Sample("max_unpool2d_forward", label, forward),
        Sample("max_unpool2d_backward", label, lambda draw: (draw.normal(*shape), pooled(draw))),
    ]


SAMPLES = [
    *samples("tiles", (2, 3, 6, 4), Window.of(2, 2)),
    *samples("ragged", (2, 2, 7, 5), Window.of((3, 2), (3, 2))),
    *samples("padded", (1, 3, 6, 7), Window.of((3, 2), (3, 2), 1)),
    *samples("single-pixel", (1, 1, 1, 1), Window.of(1)),
    *samples("many-cells", (1, 2, 38, 34), Window.of(2, 2)),
    *samples("empty-batch", (0, 2, 4, 6), Window.of(2, 2)),
    Sample(
        "max_unpool2d_forward",
        "last-of-one-index",
        lambda draw: (draw.normal(2, 1, 2, 3), draw.integers(0, 4, 2, 1, 2, 3), (2, 3)),
    ),
    Sample(
        "max_unpool2d_backward",
        "shared-index",
        lambda draw: (draw.normal(2, 1, 2, 3), draw.integers(0, 4, 2, 1, 3, 2)),
    ),
]


@st.composite
def _drawn(draw: st.DrawFn) -> Sample:
    size = st.integers(1, 4)
    kernel = (draw(size), draw(size))
    shape = (draw(st.integers(0, 2)), draw(size), kernel[0] * draw(size), kernel[1] + draw(size))
    return draw(st.sampled_from(samples("drawn", shape, Window.of(kernel, kernel))))


STRATEGY = _drawn()


def _unpool(x: Any, indices: Any, size: tuple[int, int]) -> Any:
    """PyTorch's operator under max_unpool2d, which takes the output size as it is."""
    import torch

    if x.numel() == 0:
        return x.new_zeros((*x.shape[:2], *size)) + x.sum()
    return torch.ops.aten.max_unpool2d(x, indices, size)


def _forward(x: np.ndarray, indices: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    from tests.torch_bridge import to_torch

    return _unpool(to_torch(x), to_torch(indices), size).numpy()


def _backward(grad_output: np.ndarray, indices: np.ndarray) -> Any:
    from tests.torch_bridge import gradients

    x = np.zeros(indices.shape, grad_output.dtype)
    return gradients(lambda x, i: _unpool(x, i, grad_output.shape[2:]), (x, indices), grad_output)[0]


ORACLES = {"max_unpool2d_forward": _forward, "max_unpool2d_backward": _backward}
