"""Samples of the cross-entropy kernels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

from tests.kernels.class_scores import IGNORED, Batch, gradient, value
from tests.kernels.sample import Draw, Sample


def label_samples(label: str, batch: Batch, smoothing: float = 0.0) -> list[Sample]:
    """Both directions for labels."""
    rest = (batch.ignore_index, smoothing, batch.reduction)
    length = batch.labels * batch.classes

    def arrays(draw: Draw) -> tuple[Any, ...]:
        return batch.scores(draw), batch.target(draw), batch.weight(draw)

    return [
        Sample("cross_entropy_forward", label, lambda draw: (*arrays(draw), *rest), length),
        Sample(
            "cross_entropy_backward",
            label,
            lambda draw: (batch.grad_output(draw), *arrays(draw), *rest),
            length,
        ),
    ]


def soft_samples(label: str, batch: Batch, smoothing: float = 0.0) -> list[Sample]:
    """All directions for probabilities."""
    rest = (smoothing, batch.reduction)
    length = batch.labels * batch.classes

    def arrays(draw: Draw) -> tuple[Any, ...]:
        return batch.scores(draw), draw.uniform(*batch.shape), batch.weight(draw)

    def for_target(draw: Draw) -> tuple[Any, ...]:
        x, _, weight = arrays(draw)
        return (batch.grad_output(draw), x, weight, *rest)

    return [
        Sample("soft_cross_entropy_forward", label, lambda draw: (*arrays(draw), *rest), length),
        Sample(
            "soft_cross_entropy_backward_input",
            label,
            lambda draw: (batch.grad_output(draw), *arrays(draw), *rest),
            length,
            # A constant x and a constant target have the gradient 0: nothing but rounding would be compared.
            stride_zero=False,
        ),
        Sample("soft_cross_entropy_backward_target", label, for_target, length),
    ]


def extreme(reduction: str) -> list[Sample]:
    """Logits that overflow, underflow, are masked, infinite or NaN, one row each, with their labels."""
    inf, nan = np.inf, np.nan
    rows = [
        [1e4, 0, -1e4],
        [1e4, 0, -1e4],
        [-800, -801, -1e4],
        [-inf, 1, 2],
        [-inf, 1, 2],
        [inf, 1, 2],
        [nan, 1, 2],
        [nan, inf, 2],
    ]
    labels = np.array([0, 2, 1, 0, 1, 0, 2, IGNORED])
    tail = (None, IGNORED, 0.0, reduction)

    def scores(draw: Draw) -> np.ndarray:
        return np.array(rows).astype(draw.dtype)

    return [
        Sample("cross_entropy_forward", f"extreme-{reduction}", lambda draw: (scores(draw), labels, *tail)),
        Sample(
            "cross_entropy_backward",
            f"extreme-{reduction}",
            # The ignored row is left out: ours has no gradient, PyTorch's is NaN there.
            lambda draw: (
                draw.normal(*((7,) if reduction == "none" else ())),
                scores(draw)[:7],
                labels[:7],
                *tail,
            ),
            stride_zero=False,
        ),
    ]


SAMPLES = [
    *label_samples("mean", Batch((5, 4))),
    *label_samples("sum-weighted", Batch((4, 3), weighted=True, reduction="sum")),
    *label_samples("none-weighted", Batch((6, 5), weighted=True, reduction="none")),
    *label_samples("weighted-smoothed", Batch((7, 3), weighted=True), smoothing=0.2),
    *label_samples("only-smoothing", Batch((3, 4), reduction="none"), smoothing=1.0),
    *label_samples("ignored-class", Batch((9, 3), weighted=True, ignore_index=1), smoothing=0.1),
    *label_samples("pixels", Batch((2, 3, 4, 2), weighted=True)),
    *label_samples("pixels-none", Batch((2, 3, 3), reduction="none"), smoothing=0.3),
    *label_samples("unbatched", Batch((4,), weighted=True)),
    *label_samples("unbatched-none", Batch((4,), reduction="none"), smoothing=0.1),
    *label_samples("one-class", Batch((3, 1))),
    *label_samples("more-classes-than-a-warp", Batch((2, 39), weighted=True), smoothing=0.1),
    *label_samples("empty-batch", Batch((0, 3))),
    *label_samples("empty-batch-none", Batch((0, 3, 2), weighted=True, reduction="none")),
    *label_samples("no-pixels-sum", Batch((2, 3, 0), reduction="sum"), smoothing=0.1),
    *soft_samples("mean", Batch((5, 4))),
    *soft_samples("sum-weighted", Batch((4, 3), weighted=True, reduction="sum")),
    *soft_samples("none-smoothed", Batch((6, 5), weighted=True, reduction="none"), smoothing=0.2),
    *soft_samples("pixels", Batch((2, 3, 4, 2), weighted=True), smoothing=0.1),
    *soft_samples("unbatched", Batch((4,), weighted=True)),
    *soft_samples("unbatched-none", Batch((4,), reduction="none")),
    *soft_samples("stride-zero", Batch((3, 4, 2), reduction="none", stride_zero=True)),
    *soft_samples("one-class", Batch((3, 1))),
    *soft_samples("more-classes-than-a-warp", Batch((2, 39), weighted=True), smoothing=0.1),
    *soft_samples("empty-batch", Batch((0, 3))),
    *soft_samples("no-pixels-none", Batch((2, 3, 0), reduction="none")),
    *extreme("none"),
    *extreme("sum"),
]


@st.composite
def _drawn(draw: st.DrawFn) -> Sample:
    size = st.integers(1, 5)
    shape = (draw(size), draw(st.integers(2, 6)), *draw(st.lists(size, max_size=2)))
    batch = Batch(
        draw(st.sampled_from([shape, shape[1:2]])),
        draw(st.booleans()),
        reduction=draw(st.sampled_from(["none", "mean", "sum"])),
    )
    smoothing = draw(st.sampled_from([0.0, 0.25]))
    rows = label_samples("drawn", batch, smoothing) + soft_samples("drawn", batch, smoothing)
    return draw(st.sampled_from(rows))


STRATEGY = _drawn()


def _labels(ignore_index: int, smoothing: float, reduction: str) -> Callable[..., Any]:
    import torch

    return lambda x, target, weight: torch.nn.functional.cross_entropy(
        x, target, weight, ignore_index=ignore_index, label_smoothing=smoothing, reduction=reduction
    )


def _soft(smoothing: float, reduction: str) -> Callable[..., Any]:
    import torch

    return lambda x, target, weight: torch.nn.functional.cross_entropy(
        x, target, weight, label_smoothing=smoothing, reduction=reduction
    )


ORACLES = {
    "cross_entropy_forward": lambda x, t, w, *rest: value(_labels(*rest), x, t, w),
    "cross_entropy_backward": lambda dy, x, t, w, *rest: gradient(_labels(*rest), dy, (x, t, w), 0),
    "soft_cross_entropy_forward": lambda x, t, w, *rest: value(_soft(*rest), x, t, w),
    "soft_cross_entropy_backward_input": lambda dy, x, t, w, *rest: gradient(_soft(*rest), dy, (x, t, w), 0),
    # The target's gradient does not depend on the target.
    "soft_cross_entropy_backward_target": lambda dy, x, w, *rest: gradient(
        _soft(*rest), dy, (x, np.zeros_like(x), w), 1
    ),
}
