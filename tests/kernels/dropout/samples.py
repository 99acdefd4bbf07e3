"""Samples of dropout's kernels."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from tests.kernels.sample import Sample


def samples(label: str, *shape: int, probability: float = 0.5, seed: int = 1234) -> list[Sample]:
    """Both directions of one configuration."""
    return [
        Sample(operation, label, lambda draw: (draw.normal(*shape), probability, seed))
        for operation in ("dropout_forward", "dropout_backward")
    ]


def bits(seed: int, index: int) -> int:
    """SplitMix64 in unbounded integers, written from its description and not from the kernels' text."""

    def finalise(z: int) -> int:
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, 1)):
            z = ((z ^ (z // 2**shift)) * factor) % 2**64
        return z

    return finalise((finalise(seed) + (index + 1) * 0x9E3779B97F4A7C15) % 2**64)


SAMPLES = [
    *samples("rank-1", 41),
    *samples("rank-4", 2, 3, 5, 4, probability=0.3, seed=7),
    *samples("scalar", probability=0.25, seed=3),
    *samples("keep-all", 3, 7, probability=0.0),
    *samples("drop-all", 3, 7, probability=1.0),
    *samples("probability-zero-as-int", 2, 5, probability=0),
    *samples("seed-zero", 5, 6, probability=0.2, seed=0),
    *samples("largest-seed", 5, 6, probability=0.7, seed=2**64 - 1),
    *samples("nearly-one", 4, 5, probability=1 - 2**-24),
    *samples("on-the-threshold", 3, 2, probability=bits(7, 4) // 2**40 / 2**24, seed=7),  # element 4 is kept
    *samples("empty-batch", 0, 3),
]


@st.composite
def _drawn(draw: st.DrawFn) -> Sample:
    shape = draw(st.lists(st.integers(1, 5), max_size=4))
    probability = draw(st.floats(0.0, 0.9375))
    rows = samples("drawn", *shape, probability=probability, seed=draw(st.integers(0, 2**64 - 1)))
    return draw(st.sampled_from(rows))


STRATEGY = _drawn()


def _dropout(x: np.ndarray, probability: float, seed: int) -> np.ndarray:
    import torch

    from tests.torch_bridge import to_torch

    keep = [bits(seed, index) // 2**40 >= probability * 2**24 for index in range(x.size)]
    mask = torch.tensor(keep, dtype=torch.bool).reshape(x.shape)
    values = to_torch(x)
    return torch.where(mask, values / (1 - probability), torch.zeros_like(values)).numpy()


ORACLES = {"dropout_forward": _dropout, "dropout_backward": _dropout}
