"""Samples of the negative log-likelihood's kernels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

from tests.kernels.class_scores import Batch, gradient, value
from tests.kernels.sample import Draw, Sample


def samples(label: str, batch: Batch) -> list[Sample]:
    """Both directions of one configuration."""
    rest = (batch.ignore_index, batch.reduction)

    def forward(draw: Draw) -> tuple[Any, ...]:
        return (batch.scores(draw), batch.target(draw), batch.weight(draw), *rest)

    def backward(draw: Draw) -> tuple[Any, ...]:
        return (batch.grad_output(draw), batch.target(draw), batch.classes, batch.weight(draw), *rest)

    return [
        Sample("nll_loss_forward", label, forward, batch.labels),
        Sample("nll_loss_backward", label, backward, batch.labels),
    ]


SAMPLES = [
    *samples("mean", Batch((5, 4))),
    *samples("mean-weighted", Batch((6, 3), weighted=True)),
    *samples("sum-weighted", Batch((4, 3), weighted=True, reduction="sum")),
    *samples("none-weighted", Batch((6, 5), weighted=True, reduction="none")),
    *samples("ignored-class", Batch((9, 3), weighted=True, ignore_index=1)),
    *samples("pixels", Batch((2, 3, 4, 2), weighted=True)),
    *samples("pixels-none", Batch((2, 3, 3), reduction="none")),
    *samples("unbatched", Batch((4,), weighted=True)),
    *samples("unbatched-none", Batch((4,), reduction="none")),
    *samples("one-class", Batch((3, 1))),
    *samples("empty-batch", Batch((0, 3))),
    *samples("no-pixels-none", Batch((2, 3, 0), reduction="none")),
]


@st.composite
def _drawn(draw: st.DrawFn) -> Sample:
    size = st.integers(1, 5)
    shape = (draw(size), draw(size), *draw(st.lists(size, max_size=2)))
    batch = Batch(shape, draw(st.booleans()), reduction=draw(st.sampled_from(["none", "mean", "sum"])))
    return draw(st.sampled_from(samples("drawn", batch)))


STRATEGY = _drawn()


def _function(ignore_index: int, reduction: str) -> Callable[..., Any]:
    import torch

    return lambda x, target, weight: torch.nn.functional.nll_loss(
        x, target, weight, ignore_index=ignore_index, reduction=reduction
    )


def _backward(
    grad_output: np.ndarray, target: np.ndarray, classes: int, weight: np.ndarray | None, *rest: Any
) -> np.ndarray:
    """The gradient does not depend on x, only on its shape."""
    shape = (*target.shape[:1], classes, *target.shape[1:])
    return gradient(_function(*rest), grad_output, (np.zeros(shape, grad_output.dtype), target, weight), 0)


ORACLES = {
    "nll_loss_forward": lambda x, t, w, *rest: value(_function(*rest), x, t, w),
    "nll_loss_backward": _backward,
}
