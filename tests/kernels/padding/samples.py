"""Samples of padding's kernels."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from tests.kernels.sample import Sample

Pairs = tuple[tuple[int, int], ...]


def samples(
    label: str, *shape: int, padding: Pairs, mode: str = "constant", value: float = 0.0
) -> list[Sample]:
    """Both directions of one configuration."""
    every = ((0, 0),) * (len(shape) - len(padding)) + padding
    padded = [n + before + after for n, (before, after) in zip(shape, every, strict=True)]
    # An element is shown at most three times per axis by a reflection, more often by a repeated edge.
    terms = int(np.prod([1 + abs(before) + abs(after) for before, after in padding]))
    return [
        Sample("pad_forward", label, lambda draw: (draw.normal(*shape), padding, mode, value)),
        Sample("pad_backward", label, lambda draw: (draw.normal(*padded), padding, mode), terms),
    ]


SAMPLES = [
    *samples("frame", 2, 3, 4, 5, padding=((1, 2), (3, 0))),
    *samples("value", 2, 3, 4, padding=((2, 1),), value=-2.5),
    *samples("minus-infinity", 3, 2, padding=((1, 0), (0, 2)), value=float("-inf")),
    *samples("crop", 2, 3, 6, 7, padding=((-1, -2), (-3, 0))),
    *samples("crop-and-pad", 2, 5, 4, padding=((-2, 3), (4, -1)), value=1.5),
    *samples("crop-to-nothing", 3, 4, padding=((-3, -1),)),
    *samples("every-axis", 2, 3, 2, padding=((1, 0), (0, 2), (2, 1))),
    *samples("no-axes", 3, 2, padding=()),
    *samples("scalar", padding=()),
    *samples("empty-batch", 0, 3, 2, padding=((1, 1),)),
    *samples("empty-axis", 2, 0, padding=((2, 1),), value=3.0),
    *samples("reflect-rank-2", 3, 4, padding=((3, 1),), mode="reflect"),
    *samples("reflect-plane", 2, 3, 4, 5, padding=((3, 1), (2, 4)), mode="reflect"),
    *samples("reflect-volume", 1, 2, 3, 4, 2, padding=((2, 1), (0, 3), (1, 0)), mode="reflect"),
    *samples("reflect-crop-and-pad", 2, 3, 5, padding=((-2, 3),), mode="reflect"),
    *samples("reflect-crops-all-of-x", 1, 2, 4, padding=((-5, 3),), mode="reflect"),
    *samples("reflect-single-pixel", 2, 1, 1, 1, padding=((0, 0), (0, 0)), mode="reflect"),
    *samples("reflect-empty-batch", 0, 2, 4, padding=((1, 2),), mode="reflect"),
    *samples("replicate-rank-2", 3, 4, padding=((6, 1),), mode="replicate"),
    *samples("replicate-plane", 2, 3, 4, 5, padding=((0, 5), (7, 2)), mode="replicate"),
    *samples("replicate-volume", 1, 2, 3, 1, 2, padding=((2, 1), (4, 3), (1, 0)), mode="replicate"),
    *samples("replicate-crop-and-pad", 2, 3, 5, padding=((-2, 3),), mode="replicate"),
    *samples("replicate-crops-all-of-x", 1, 2, 4, padding=((2, -5),), mode="replicate"),
    *samples("replicate-single-pixel", 2, 1, 1, 1, padding=((2, 1), (1, 3)), mode="replicate"),
    *samples("replicate-empty-batch", 0, 2, 4, padding=((1, 2),), mode="replicate"),
]


@st.composite
def _drawn(draw: st.DrawFn) -> Sample:
    shape = [draw(st.integers(1, 3)), *draw(st.lists(st.integers(2, 5), min_size=2, max_size=3))]
    mode = draw(st.sampled_from(["constant", "reflect", "replicate"]))
    padding = tuple(
        (draw(st.integers(-(n // 2), n - 1)), draw(st.integers(1 - n // 2 - n % 2, n - 1))) for n in shape[2:]
    )
    rows = samples("drawn", *shape, padding=padding, mode=mode, value=0.5 if mode == "constant" else 0.0)
    return draw(st.sampled_from(rows))


STRATEGY = _drawn()


def _pad(x: Any, padding: Pairs, mode: str, value: float) -> Any:
    """PyTorch wants the last axis first."""
    import torch

    flat = [amount for pair in reversed(padding) for amount in pair]
    return torch.nn.functional.pad(x, flat, mode, value)


def _forward(x: np.ndarray, padding: Pairs, mode: str, value: float) -> np.ndarray:
    from tests.torch_bridge import to_torch

    return _pad(to_torch(x), padding, mode, value).numpy()


def _backward(grad_output: np.ndarray, padding: Pairs, mode: str) -> Any:
    from tests.torch_bridge import gradients

    every = ((0, 0),) * (grad_output.ndim - len(padding)) + padding
    shape = [n - before - after for n, (before, after) in zip(grad_output.shape, every, strict=True)]
    x = np.zeros(shape, grad_output.dtype)
    return gradients(lambda x: _pad(x, padding, mode, 0.0), (x,), grad_output)[0]


ORACLES = {"pad_forward": _forward, "pad_backward": _backward}
