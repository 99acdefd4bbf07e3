"""Samples of the parametric rectifier: the registry's tests run every version over them."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from tests.kernels.sample import Sample


def samples(label: str, *shape: int) -> list[Sample]:
    """All directions on one shape."""
    channels, others = shape[1], int(np.prod(shape)) // max(shape[1], 1)
    return [
        Sample("prelu_forward", label, lambda draw: (draw.normal(*shape), draw.normal(channels))),
        Sample(
            "prelu_backward_input",
            label,
            lambda draw: (draw.normal(*shape), draw.normal(*shape), draw.normal(channels)),
        ),
        Sample(
            "prelu_backward_slope",
            label,
            lambda draw: (draw.normal(*shape), draw.normal(*shape)),
            reduction_length=max(others, 1),
        ),
    ]


SAMPLES = [
    *samples("odd", 2, 3, 5, 4),
    *samples("no-space", 7, 5),
    *samples("one-pixel", 1, 1, 1, 1),
    *samples("empty-batch", 0, 2, 3, 3),
]
STRATEGY = st.builds(
    lambda shape, direction: samples("drawn", *shape)[direction],
    st.lists(st.integers(1, 5), min_size=2, max_size=5),
    st.integers(0, 2),
)


def _forward(x: np.ndarray, slope: np.ndarray) -> np.ndarray:
    import torch

    from tests.torch_bridge import to_torch

    return torch.nn.functional.prelu(to_torch(x), to_torch(slope)).numpy()


def _gradients(grad_output: np.ndarray, x: np.ndarray, slope: np.ndarray) -> Any:
    import torch

    from tests.torch_bridge import gradients

    return gradients(torch.nn.functional.prelu, (x, slope), grad_output)


ORACLES = {
    "prelu_forward": _forward,
    "prelu_backward_input": lambda grad_output, x, slope: _gradients(grad_output, x, slope)[0],
    "prelu_backward_slope": lambda grad_output, x: _gradients(grad_output, x, np.ones(x.shape[1]))[1],
}
