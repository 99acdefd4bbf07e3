"""Samples of the kernels of squared, absolute and smooth absolute distance."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

from tests.kernels.class_scores import gradient, value
from tests.kernels.sample import Draw, Sample

Arrays = Callable[[Draw], tuple[np.ndarray, np.ndarray]]


def samples(
    label: str,
    shape: tuple[int, ...],
    reduction: str,
    weighted: bool = False,
    beta: float = 1.0,
    arrays: Arrays | None = None,
) -> list[Sample]:
    """Both directions of all three distances; `arrays` draws x and target instead of normal numbers."""

    def pair(draw: Draw) -> tuple[np.ndarray, np.ndarray]:
        return (draw.normal(*shape), draw.normal(*shape)) if arrays is None else arrays(draw)

    def weight(draw: Draw) -> tuple[Any, ...]:
        return (draw.uniform(*shape, low=0.25, high=2) if weighted else None,)

    def grad_output(draw: Draw) -> np.ndarray:
        return draw.normal(*shape) if reduction == "none" else draw.normal()

    def both(name: str, parameter: Callable[[Draw], tuple[Any, ...]]) -> list[Sample]:
        return [
            Sample(f"{name}_forward", label, lambda draw: (*pair(draw), *parameter(draw), reduction), length),
            Sample(
                f"{name}_backward",
                label,
                lambda draw: (grad_output(draw), *pair(draw), *parameter(draw), reduction),
                length,
            ),
        ]

    length = int(np.prod(shape))
    return [
        *both("mse_loss", weight),
        *both("l1_loss", weight),
        *both("smooth_l1_loss", lambda draw: (beta,)),
    ]


def _edges(draw: Draw) -> tuple[np.ndarray, np.ndarray]:
    """Differences on the kinks, very large ones, infinity and NaN."""
    d = np.array([0, -0.0, 1, -1, 0.5, 1e4, -1e4, np.inf, -np.inf, np.nan])
    return d.astype(draw.dtype), np.zeros(10, draw.dtype)


SAMPLES = [
    *samples("mean", (4, 3), "mean"),
    *samples("sum-half", (2, 3, 2), "sum", beta=0.5),
    *samples("mean-weighted", (5, 3), "mean", weighted=True, beta=2.5),
    *samples("none-weighted", (5, 3), "none", weighted=True),
    *samples("no-parabola", (5, 3), "none", beta=0.0),
    *samples("scalar", (), "none"),
    *samples("scalar-mean", (), "mean", weighted=True),
    *samples("empty", (0, 3), "mean"),
    *samples("empty-none", (2, 0), "none"),
    *samples("edges", (10,), "none", arrays=_edges),
    *samples("edges-no-parabola", (9,), "none", beta=0.0, arrays=lambda d: tuple(a[:9] for a in _edges(d))),
]


@st.composite
def _drawn(draw: st.DrawFn) -> Sample:
    shape = tuple(draw(st.lists(st.integers(0, 4), max_size=3)))
    reduction = draw(st.sampled_from(["none", "mean", "sum"]))
    beta = draw(st.sampled_from([0.0, 0.25, 1.0, 3.0]))
    return draw(st.sampled_from(samples("drawn", shape, reduction, draw(st.booleans()), beta)))


STRATEGY = _drawn()


def _weighted(name: str, reduction: str) -> Callable[..., Any]:
    import torch

    return lambda x, target, weight: getattr(torch.nn.functional, name)(
        x, target, reduction=reduction, weight=weight
    )


def _smooth(beta: float, reduction: str) -> Callable[..., Any]:
    import torch

    return lambda x, target: torch.nn.functional.smooth_l1_loss(x, target, beta=beta, reduction=reduction)


ORACLES = {
    "mse_loss_forward": lambda x, t, w, r: value(_weighted("mse_loss", r), x, t, w),
    "mse_loss_backward": lambda dy, x, t, w, r: gradient(_weighted("mse_loss", r), dy, (x, t, w), 0),
    "l1_loss_forward": lambda x, t, w, r: value(_weighted("l1_loss", r), x, t, w),
    "l1_loss_backward": lambda dy, x, t, w, r: gradient(_weighted("l1_loss", r), dy, (x, t, w), 0),
    "smooth_l1_loss_forward": lambda x, t, beta, r: value(_smooth(beta, r), x, t),
    "smooth_l1_loss_backward": lambda dy, x, t, beta, r: gradient(_smooth(beta, r), dy, (x, t), 0),
}
