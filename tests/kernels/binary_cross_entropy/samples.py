"""Samples of the kernels of binary cross-entropy with logits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

from tests.kernels.class_scores import gradient, value
from tests.kernels.sample import Draw, Sample

NAME = "binary_cross_entropy_with_logits"
Shape = tuple[int, ...]


def samples(
    label: str,
    shape: Shape,
    reduction: str,
    weight: Shape | None = None,
    pos_weight: Shape | None = None,
    scores: Callable[[Draw], np.ndarray] | None = None,
) -> list[Sample]:
    """All directions of one configuration; `weight` and `pos_weight` are their shapes."""

    def x(draw: Draw) -> np.ndarray:
        return draw.normal(*shape) * 3 if scores is None else scores(draw)

    def factors(draw: Draw) -> tuple[Any, ...]:
        drawn = (
            None if each is None else draw.uniform(*each, low=0.25, high=2) for each in (weight, pos_weight)
        )
        return (*drawn, reduction)

    def grad_output(draw: Draw) -> np.ndarray:
        return draw.normal(*shape) if reduction == "none" else draw.normal()

    def forward(draw: Draw) -> tuple[Any, ...]:
        return x(draw), draw.uniform(*shape), *factors(draw)

    def backward_input(draw: Draw) -> tuple[Any, ...]:
        return grad_output(draw), x(draw), draw.uniform(*shape), *factors(draw)

    def backward_target(draw: Draw) -> tuple[Any, ...]:
        return grad_output(draw), x(draw), *factors(draw)

    length = int(np.prod(shape))
    return [
        Sample(f"{NAME}_forward", label, forward, length),
        Sample(f"{NAME}_backward_input", label, backward_input, length),
        Sample(f"{NAME}_backward_target", label, backward_target, length),
    ]


SAMPLES = [
    *samples("mean", (4, 3), "mean"),
    *samples("sum-weighted", (2, 3, 2), "sum", weight=(3, 1)),
    *samples("none-positives", (5, 3), "none", pos_weight=(3,)),
    *samples("mean-both", (2, 3, 4), "mean", weight=(2, 1, 4), pos_weight=(1, 3, 1)),
    *samples("scalar", (), "none", weight=(), pos_weight=()),
    *samples("empty", (0, 3), "mean", weight=(3,)),
    *samples("empty-none", (0, 3), "none"),
    *samples("large", (4,), "none", scores=lambda draw: np.array([-1e4, -90, 90, 1e4]).astype(draw.dtype)),
    *samples("nan", (2,), "none", scores=lambda draw: np.array([np.nan, 1]).astype(draw.dtype)),
]


@st.composite
def _drawn(draw: st.DrawFn) -> Sample:
    shape = tuple(draw(st.lists(st.integers(1, 4), max_size=3)))
    factor = st.sampled_from([None, shape, shape[1:], tuple(1 for _ in shape)])
    reduction = draw(st.sampled_from(["none", "mean", "sum"]))
    return draw(st.sampled_from(samples("drawn", shape, reduction, draw(factor), draw(factor))))


STRATEGY = _drawn()


def _function(reduction: str) -> Callable[..., Any]:
    import torch

    return lambda x, target, weight, pos_weight: torch.nn.functional.binary_cross_entropy_with_logits(
        x, target, weight, reduction=reduction, pos_weight=pos_weight
    )


ORACLES = {
    f"{NAME}_forward": lambda *arrays: value(_function(arrays[-1]), *arrays[:-1]),
    f"{NAME}_backward_input": lambda dy, *arrays: gradient(_function(arrays[-1]), dy, arrays[:-1], 0),
    # The target's gradient does not depend on the target.
    f"{NAME}_backward_target": lambda dy, x, w, u, reduction: gradient(
        _function(reduction), dy, (x, np.zeros_like(x), w, u), 1
    ),
}
