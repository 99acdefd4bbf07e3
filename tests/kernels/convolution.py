"""What the convolutions' samples share: PyTorch's convolutions for any Window, and drawn geometries."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

from kernels.window import Pair, Window


@dataclass(frozen=True)
class Geometry:
    """Plane sizes and a window that fits them."""

    size: Pair
    window: Window


@st.composite
def geometries(draw: st.DrawFn) -> Geometry:
    """Windows with unequal sizes along the axes, and planes at least as large as they need."""
    small = st.integers(1, 3)
    pairs = st.tuples(small, small)
    pads = st.tuples(st.integers(0, 2), st.integers(0, 2))
    window = Window.of(
        draw(pairs), draw(pairs), (draw(pads), draw(pads)), draw(st.tuples(*[st.integers(1, 2)] * 2))
    )
    height, width = (
        max(extent - sum(padding), 1) + draw(st.integers(0, 4))
        for extent, padding in zip(window.extent, window.padding, strict=True)
    )
    return Geometry((height, width), window)


def torch_conv2d(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None, window: Window, groups: int
) -> np.ndarray:
    from tests.torch_bridge import to_torch

    return _conv2d(window, groups)(*_tensors(to_torch, x, weight, bias)).numpy()


def torch_conv2d_gradients(
    grad_output: np.ndarray, x: np.ndarray, weight: np.ndarray, window: Window, groups: int
) -> tuple[np.ndarray | None, ...]:
    """The gradients of x, weight and bias."""
    from tests.torch_bridge import gradients

    bias = np.zeros(weight.shape[0], weight.dtype)
    return gradients(_conv2d(window, groups), (x, weight, bias), grad_output)


def torch_conv_transpose2d(
    x: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray | None,
    window: Window,
    groups: int,
    output_padding: Pair,
) -> np.ndarray:
    from tests.torch_bridge import to_torch

    return _conv_transpose2d(window, groups, output_padding)(*_tensors(to_torch, x, weight, bias)).numpy()


def torch_conv_transpose2d_gradients(
    grad_output: np.ndarray, x: np.ndarray, weight: np.ndarray, window: Window, groups: int
) -> tuple[np.ndarray | None, ...]:
    """The gradients of x, weight and bias; the output padding is what grad_output has beyond the least."""
    from tests.torch_bridge import gradients

    least = [
        (length - 1) * stride - sum(padding) + dilation * (kernel - 1) + 1
        for length, stride, padding, dilation, kernel in zip(
            x.shape[2:], window.stride, window.padding, window.dilation, window.kernel, strict=True
        )
    ]
    output_padding = (grad_output.shape[2] - least[0], grad_output.shape[3] - least[1])
    bias = np.zeros(grad_output.shape[1], weight.dtype)
    return gradients(_conv_transpose2d(window, groups, output_padding), (x, weight, bias), grad_output)


def _tensors(to_torch, *arrays):
    return [None if array is None else to_torch(array) for array in arrays]


def _conv2d(window: Window, groups: int):
    """PyTorch pads alike on both sides only; its `pad` does the rest."""
    from torch.nn import functional

    (top, bottom), (left, right) = window.padding

    def run(x, weight, bias):
        padded = functional.pad(x, (left, right, top, bottom))
        return functional.conv2d(padded, weight, bias, window.stride, 0, window.dilation, groups)

    return run


def _conv_transpose2d(window: Window, groups: int, output_padding: Pair):
    """Without padding in PyTorch, which is then cut off the result."""
    from torch.nn import functional

    (top, bottom), (left, right) = window.padding

    def run(x, weight, bias):
        y = functional.conv_transpose2d(
            x, weight, bias, window.stride, 0, output_padding, groups, window.dilation
        )
        return y[:, :, top : y.shape[2] - bottom, left : y.shape[3] - right]

    return run
