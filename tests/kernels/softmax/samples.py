"""Samples of the kernels of softmax and its logarithm."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

from tests.kernels.sample import Draw, Sample

NAMES = ("softmax", "log_softmax")
INF, NAN = np.inf, np.nan
# One line each: overflow and underflow of e^x, masked values, nothing left, infinity, NaN.
LINES = [
    [1e4, 0, -1e4],
    [89, 89, 88.5],
    [-800, -801, -1e4],
    [-INF, 1, 2],
    [-INF] * 3,
    [INF, 1, 2],
    [NAN, 1, 2],
]


def samples(
    label: str, shape: tuple[int, ...], axis: int, values: Callable[[Draw], Any] | None = None
) -> list[Sample]:
    """Both directions of both functions; `values` draws the input instead of normal numbers."""

    def drawn(draw: Draw) -> np.ndarray:
        return draw.normal(*shape) * 3 if values is None else values(draw)

    def output(name: str, draw: Draw) -> np.ndarray:
        """A line that could be the function's output, exact in float32."""
        x = drawn(draw).astype(np.float64)
        with np.errstate(all="ignore"):
            e = np.exp(x - x.max(axis=axis, keepdims=True, initial=-np.inf))
            y = e / e.sum(axis=axis, keepdims=True)
            y = y if name == "softmax" else np.log(y)
        return np.asarray(y).astype(np.float32).astype(draw.dtype)

    length = shape[axis] if shape else 1
    forward = [Sample(f"{name}_forward", label, lambda draw: (drawn(draw), axis), length) for name in NAMES]
    return forward + [
        Sample(
            f"{name}_backward",
            label,
            lambda draw, name=name: (draw.normal(*shape), output(name, draw), axis),
            length,
        )
        for name in NAMES
    ]


SAMPLES = [
    *samples("rows", (4, 7), 1),
    *samples("columns", (5, 3), 0),
    *samples("middle", (2, 3, 4), 1),
    *samples("from-the-end", (2, 5, 2, 3), -3),
    *samples("one-element", (3, 1), 1),
    *samples("longer-than-a-warp", (2, 71), 1),
    *samples("scalar", (), 0),
    *samples("empty-batch", (0, 3), -1),
    *samples("empty-lines", (2, 0), 1),
    *samples("extreme", (7, 3), 1, lambda draw: np.array(LINES).astype(draw.dtype)),
]


@st.composite
def _drawn(draw: st.DrawFn) -> Sample:
    shape = tuple(draw(st.lists(st.integers(0, 5), min_size=1, max_size=4)))
    return draw(st.sampled_from(samples("drawn", shape, draw(st.integers(-len(shape), len(shape) - 1)))))


STRATEGY = _drawn()


def _forward(name: str) -> Callable[..., np.ndarray]:
    def oracle(x: np.ndarray, axis: int) -> np.ndarray:
        import torch

        from tests.torch_bridge import to_torch

        return getattr(torch, name)(to_torch(x), axis).numpy()

    return oracle


def _backward(name: str) -> Callable[..., np.ndarray]:
    """PyTorch's backward kernel, which takes the saved output too."""

    def oracle(grad_output: np.ndarray, y: np.ndarray, axis: int) -> np.ndarray:
        import torch

        from tests.torch_bridge import to_torch

        output = to_torch(y)
        kernel = getattr(torch.ops.aten, f"_{name}_backward_data")
        return kernel(to_torch(grad_output), output, axis, output.dtype).numpy()

    return oracle


ORACLES = {f"{name}_forward": _forward(name) for name in NAMES} | {
    f"{name}_backward": _backward(name) for name in NAMES
}
