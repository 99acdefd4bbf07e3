"""Samples of the fully connected layer's kernels."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from tests.kernels.sample import Sample


def samples(label: str, batch: int, inputs: int, outputs: int, bias: bool = True) -> list[Sample]:
    """All directions of one configuration."""
    return [
        Sample(
            "linear_forward",
            label,
            lambda draw: (
                draw.normal(batch, inputs),
                draw.normal(outputs, inputs),
                draw.normal(outputs) if bias else None,
            ),
            reduction_length=inputs + 1,
        ),
        Sample(
            "linear_backward_input",
            label,
            lambda draw: (draw.normal(batch, outputs), draw.normal(outputs, inputs)),
            reduction_length=outputs,
        ),
        Sample(
            "linear_backward_weight",
            label,
            lambda draw: (draw.normal(batch, outputs), draw.normal(batch, inputs)),
            reduction_length=batch,
        ),
        Sample(
            "linear_backward_bias", label, lambda draw: (draw.normal(batch, outputs),), reduction_length=batch
        ),
    ]


SAMPLES = [
    *samples("ragged", 5, 7, 3),
    *samples("one-sample", 1, 4, 6),
    *samples("no-bias", 3, 2, 5, bias=False),
    *samples("one-feature", 3, 1, 2),
    *samples("several-tiles", 5, 18, 67),
    *samples("empty-batch", 0, 3, 2),
    *samples("no-features", 2, 0, 3),
]


@st.composite
def _drawn(draw: st.DrawFn) -> Sample:
    size = st.integers(1, 9)
    rows = samples("drawn", draw(size), draw(size), draw(size), draw(st.booleans()))
    return draw(st.sampled_from(rows))


STRATEGY = _drawn()


def _forward(x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None) -> np.ndarray:
    import torch

    from tests.torch_bridge import to_torch

    return torch.nn.functional.linear(
        to_torch(x), to_torch(weight), None if bias is None else to_torch(bias)
    ).numpy()


def _backward(grad_output: np.ndarray, x: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray | None, ...]:
    import torch

    from tests.torch_bridge import gradients

    bias = np.zeros(weight.shape[0], weight.dtype)
    return gradients(torch.nn.functional.linear, (x, weight, bias), grad_output)


def _empty(rows: int, columns: int, like: np.ndarray) -> np.ndarray:
    """The argument that a gradient does not depend on."""
    return np.zeros((rows, columns), like.dtype)


ORACLES = {
    "linear_forward": _forward,
    "linear_backward_input": lambda dy, w: _backward(dy, _empty(len(dy), w.shape[1], dy), w)[0],
    "linear_backward_weight": lambda dy, x: _backward(dy, x, _empty(dy.shape[1], x.shape[1], dy))[1],
    "linear_backward_bias": lambda dy: _backward(dy, _empty(len(dy), 1, dy), _empty(dy.shape[1], 1, dy))[2],
}
