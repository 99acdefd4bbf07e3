"""Samples of local response normalisation's kernels."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from tests.kernels.sample import Sample


def samples(
    label: str, *shape: int, size: int = 5, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> list[Sample]:
    """Both directions of one configuration."""
    numbers = (size, alpha, beta, k)
    return [
        Sample("local_response_norm_forward", label, lambda draw: (draw.normal(*shape), *numbers), size),
        Sample(
            "local_response_norm_backward",
            label,
            lambda draw: (draw.normal(*shape), draw.normal(*shape), *numbers),
            size,
        ),
    ]


SAMPLES = [
    *samples("paper", 2, 7, 3, 4, alpha=5e-4, k=2.0),
    *samples("even-size", 2, 6, 3, 2, size=4, alpha=0.8, beta=0.6),
    *samples("size-2", 1, 5, 4, size=2, alpha=2.0, beta=1.3),
    *samples("size-1", 2, 3, 2, 2, size=1, alpha=1.5),
    *samples("wider-than-channels", 2, 3, 2, 3, size=9, alpha=3.0),
    *samples("one-channel", 3, 1, 2, 2, size=3, alpha=2.0, beta=2.0),
    *samples("rank-3", 2, 5, 3, size=3, alpha=1.0),
    *samples("rank-5", 2, 4, 2, 3, 2, size=3, alpha=1.0, k=0.5),
    *samples("single-pixel", 1, 6, 1, 1, size=3, alpha=0.5),
    *samples("several-tiles", 2, 6, 15, 18, alpha=0.7),
    *samples("square-root", 1, 4, 3, 5, size=3, alpha=1.1, beta=0.5),
    *samples("reciprocal", 1, 4, 3, 5, size=3, alpha=1.1, beta=1.0),
    *samples("empty-batch", 0, 4, 3, 2, size=3),
    *samples("no-channels", 2, 0, 3, size=3),
    *samples("empty-plane", 2, 3, 0, size=3),
]


@st.composite
def _drawn(draw: st.DrawFn) -> Sample:
    shape = draw(st.lists(st.integers(1, 5), min_size=3, max_size=5))
    rows = samples(
        "drawn",
        *shape,
        size=draw(st.integers(1, 7)),
        alpha=draw(st.floats(0.0, 2.0)),
        beta=draw(st.floats(0.0, 2.0)),
        k=draw(st.floats(0.5, 2.0)),
    )
    return draw(st.sampled_from(rows))


STRATEGY = _drawn()


def _forward(x: np.ndarray, *numbers: Any) -> np.ndarray:
    import torch

    from tests.torch_bridge import to_torch

    return torch.nn.functional.local_response_norm(to_torch(x), *numbers).numpy()


def _backward(grad_output: np.ndarray, x: np.ndarray, *numbers: Any) -> Any:
    import torch

    from tests.torch_bridge import gradients

    def function(x: Any) -> Any:
        return torch.nn.functional.local_response_norm(x, *numbers)

    return gradients(function, (x,), grad_output)[0]


ORACLES = {"local_response_norm_forward": _forward, "local_response_norm_backward": _backward}
