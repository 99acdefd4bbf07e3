"""Samples of concatenation and its backward."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import strategies as st

from tests.kernels.elementwise.samples import Make, normal, numbers, truths
from tests.kernels.sample import Sample


def samples(
    label: str, shape: tuple[int, ...], lengths: tuple[int, ...], axis: int, make: Make = normal
) -> list[Sample]:
    """Both directions; `shape` is the arrays' but along the axis."""

    def along(length: int) -> tuple[int, ...]:
        return tuple(length if i == axis % len(shape) else n for i, n in enumerate(shape))

    return [
        Sample("concat_forward", label, lambda draw: (tuple(make(draw, along(n)) for n in lengths), axis)),
        Sample("concat_backward", label, lambda draw: (make(draw, along(sum(lengths))), lengths, axis)),
    ]


SAMPLES = [
    *samples("first", (9, 3), (2, 1, 4), 0),
    *samples("channels", (2, 9, 3, 2), (1, 3, 2), 1),
    *samples("last", (2, 3, 9), (2, 5), -1),
    *samples("one-array", (3, 9), (4,), 1),
    *samples("one-without-elements", (2, 9), (2, 0, 3), 1),
    *samples("empty-batch", (0, 9, 2), (1, 2), 1),
    *samples("vectors", (9,), (1, 2), 0),
    *samples("int", (2, 9), (2, 3), 1, numbers),
    *samples("bool", (2, 9), (2, 3), 1, truths),
]


@st.composite
def _drawn(draw: st.DrawFn) -> Sample:
    shape = tuple(draw(st.lists(st.integers(0, 3), min_size=1, max_size=4)))
    lengths = tuple(draw(st.lists(st.integers(0, 3), min_size=1, max_size=4)))
    axis = draw(st.integers(-len(shape), len(shape) - 1))
    return draw(st.sampled_from(samples("drawn", shape, lengths, axis)))


STRATEGY = _drawn()


def _forward(arrays: Sequence[np.ndarray], axis: int) -> np.ndarray:
    import torch

    from tests.torch_bridge import to_torch

    return torch.cat([to_torch(array) for array in arrays], axis).numpy()


def _backward(grad_output: np.ndarray, lengths: tuple[int, ...], axis: int) -> tuple[np.ndarray, ...]:
    import torch

    from tests.torch_bridge import to_torch

    return tuple(part.numpy() for part in torch.split(to_torch(grad_output), list(lengths), axis))


ORACLES = {"concat_forward": _forward, "concat_backward": _backward}
