"""Samples of the multi-class hinge loss's kernels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

from tests.kernels.class_scores import Batch, gradient, value
from tests.kernels.sample import Draw, Sample


def samples(label: str, batch: Batch, p: int = 1, margin: float = 1.0) -> list[Sample]:
    """Both directions of one configuration."""

    def arrays(draw: Draw) -> tuple[Any, ...]:
        labels = np.asarray(draw.integers(0, batch.classes, *batch.label_shape))
        return draw.normal(*batch.shape) * 2, labels, p, margin, batch.weight(draw), batch.reduction

    def backward(draw: Draw) -> tuple[Any, ...]:
        return batch.grad_output(draw), *arrays(draw)

    length = batch.labels * batch.classes
    return [
        Sample("multi_margin_loss_forward", label, arrays, length),
        Sample("multi_margin_loss_backward", label, backward, length),
    ]


def kinks() -> list[Sample]:
    """Scores exactly a margin apart."""
    x, labels = np.array([[0.0, 1.0, 1.0, 0.0, 2.0], [3.0, 2.0, 2.0, 1.0, 4.0]]), np.array([1, 0])
    rest = (1, 1.0, None, "mean")
    return [
        Sample("multi_margin_loss_forward", "kinks", lambda draw: (x.astype(draw.dtype), labels, *rest)),
        Sample(
            "multi_margin_loss_backward",
            "kinks",
            lambda draw: (draw.normal(), x.astype(draw.dtype), labels, *rest),
        ),
    ]


SAMPLES = [
    *samples("mean", Batch((5, 4))),
    *samples("sum-weighted", Batch((4, 3), weighted=True, reduction="sum")),
    *samples("none-squared", Batch((6, 5), weighted=True, reduction="none"), p=2),
    *samples("margin", Batch((3, 4)), margin=0.5),
    *samples("negative-margin-squared", Batch((3, 4)), p=2, margin=-0.5),
    *samples("unbatched", Batch((4,), weighted=True)),
    *samples("unbatched-none", Batch((4,), reduction="none"), p=2),
    *samples("one-class", Batch((3, 1))),
    *samples("empty-batch-none", Batch((0, 3), reduction="none")),
    *samples("empty-batch-sum", Batch((0, 3), reduction="sum")),
    *kinks(),
]


@st.composite
def _drawn(draw: st.DrawFn) -> Sample:
    size = st.integers(1, 6)
    batch = Batch(
        (draw(size), draw(size)),
        draw(st.booleans()),
        reduction=draw(st.sampled_from(["none", "mean", "sum"])),
    )
    rows = samples("drawn", batch, draw(st.sampled_from([1, 2])), draw(st.sampled_from([0.5, 1.0, 4.0])))
    return draw(st.sampled_from(rows))


STRATEGY = _drawn()


def _function(p: int, margin: float, reduction: str) -> Callable[..., Any]:
    import torch

    def function(x: Any, target: Any, weight: Any) -> Any:
        if x.numel() == 0:  # PyTorch leaves its result unwritten
            return (x.sum(dim=1) if reduction == "none" else x.sum()) * 0
        return torch.nn.functional.multi_margin_loss(x, target, p, margin, weight, reduction=reduction)

    return function


ORACLES = {
    "multi_margin_loss_forward": lambda x, t, p, margin, w, reduction: value(
        _function(p, margin, reduction), x, t, w
    ),
    "multi_margin_loss_backward": lambda dy, x, t, p, margin, w, reduction: gradient(
        _function(p, margin, reduction), dy, (x, t, w), 0
    ),
}
