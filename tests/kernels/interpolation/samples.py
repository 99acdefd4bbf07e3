"""Samples of the resizing kernels."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from tests.kernels.sample import Sample

Sizes = tuple[int, ...]
Scales = tuple[float | None, ...]


def scaled(sizes: Sizes, scales: Scales) -> Sizes:
    """The output size that a scale factor asks for."""
    return tuple(int(n * scale) for n, scale in zip(sizes, scales, strict=True) if scale is not None)


def nearest(label: str, *shape: int, size: Sizes | None = None, scales: Scales | None = None) -> list[Sample]:
    """Both directions of nearest neighbour, for a size or for scale factors."""
    factors = scales or (None,) * (len(shape) - 2)
    target = size or scaled(shape[2:], factors)
    copies = int(np.prod([-(-out // n) + 1 for out, n in zip(target, shape[2:], strict=True)]))
    return [
        Sample("interpolate_nearest_forward", label, lambda draw: (draw.normal(*shape), target, factors)),
        Sample(
            "interpolate_nearest_backward",
            label,
            lambda draw: (draw.normal(*shape[:2], *target), shape[2:], factors),
            copies,
        ),
    ]


def bilinear(
    label: str, *shape: int, size: Sizes | None = None, scales: Scales | None = None, aligned: bool = False
) -> list[Sample]:
    """Both directions of bilinear interpolation, for a size or for scale factors."""
    factors = scales or (None,) * (len(shape) - 2)
    target = size or scaled(shape[2:], factors)
    weights = int(np.prod([2 * (-(-out // n) + 1) for out, n in zip(target, shape[2:], strict=True)]))
    return [
        Sample(
            "interpolate_bilinear_forward",
            label,
            lambda draw: (draw.normal(*shape), target, aligned, factors),
            reduction_length=4,
        ),
        Sample(
            "interpolate_bilinear_backward",
            label,
            lambda draw: (draw.normal(*shape[:2], *target), shape[2:], aligned, factors),
            weights,
        ),
    ]


SAMPLES = [
    *nearest("rank-3-size", 2, 3, 5, size=(8,)),
    *nearest("rank-3-scale", 2, 3, 7, scales=(1.7,)),
    *nearest("rank-4-size", 2, 3, 4, 5, size=(9, 3)),
    *nearest("rank-4-scale", 2, 2, 3, 5, scales=(2.5, 0.5)),
    *nearest("rank-5", 1, 2, 3, 4, 2, size=(5, 4, 3)),
    *nearest("doubled", 2, 3, 3, 4, scales=(2.0, 2.0)),
    *nearest("shrunk", 2, 3, 9, 7, size=(2, 3)),
    *nearest("same-size", 2, 3, 4, 3, size=(4, 3)),
    *nearest("same-size-other-scale", 1, 2, 3, 3, scales=(1.3, 1.2)),
    *nearest("single-pixel", 1, 1, 1, 1, size=(3, 2)),
    *nearest("to-one-pixel", 2, 3, 5, 4, size=(1, 1)),
    *nearest("empty-batch", 0, 3, 4, 2, size=(3, 5)),
    *(
        row
        for aligned in (False, True)
        for row in [
            *bilinear(f"size-{aligned}", 2, 3, 4, 5, size=(9, 3), aligned=aligned),
            *bilinear(f"scale-{aligned}", 2, 2, 3, 5, scales=(2.5, 0.5), aligned=aligned),
            *bilinear(f"odd-scale-{aligned}", 2, 2, 7, 4, scales=(1.3, 1.7), aligned=aligned),
            *bilinear(f"doubled-{aligned}", 1, 3, 3, 4, scales=(2.0, 2.0), aligned=aligned),
            *bilinear(f"shrunk-{aligned}", 2, 3, 9, 7, size=(2, 3), aligned=aligned),
            *bilinear(f"same-size-other-scale-{aligned}", 1, 2, 3, 3, scales=(1.3, 1.2), aligned=aligned),
            *bilinear(f"single-pixel-{aligned}", 1, 1, 1, 1, size=(3, 2), aligned=aligned),
            *bilinear(f"to-one-pixel-{aligned}", 2, 3, 5, 4, size=(1, 1), aligned=aligned),
            *bilinear(f"empty-batch-{aligned}", 0, 3, 4, 2, size=(3, 5), aligned=aligned),
        ]
    ),
]


@st.composite
def _drawn(draw: st.DrawFn) -> Sample:
    length = st.integers(1, 7)
    if draw(st.booleans()):
        spatial = draw(st.lists(length, min_size=1, max_size=3))
        rows = nearest("drawn", 2, 2, *spatial, size=tuple(draw(length) for _ in spatial))
    elif draw(st.booleans()):
        scale = st.sampled_from([1.0, 1.2, 1.5, 2.0, 2.7])
        rows = nearest("drawn", 2, 2, draw(length), draw(length), scales=(draw(scale), draw(scale)))
    else:
        size = (draw(length), draw(length))
        rows = bilinear("drawn", 2, 2, draw(length), draw(length), size=size, aligned=draw(st.booleans()))
    return draw(st.sampled_from(rows))


STRATEGY = _drawn()


def _resize(x: Any, size: Sizes, scales: Scales, **keywords: Any) -> Any:
    import torch

    target: dict[str, Any] = {"size": size} if None in scales else {"scale_factor": scales}
    return torch.nn.functional.interpolate(x, **target, **keywords)


def _forward(x: np.ndarray, size: Sizes, scales: Scales, **keywords: Any) -> np.ndarray:
    from tests.torch_bridge import to_torch

    return _resize(to_torch(x), size, scales, **keywords).numpy()


def _backward(grad_output: np.ndarray, input_size: Sizes, scales: Scales, **keywords: Any) -> Any:
    from tests.torch_bridge import gradients

    x = np.zeros((*grad_output.shape[:2], *input_size), grad_output.dtype)
    size = grad_output.shape[2:]
    return gradients(lambda x: _resize(x, size, scales, **keywords), (x,), grad_output)[0]


ORACLES = {
    "interpolate_nearest_forward": _forward,
    "interpolate_nearest_backward": _backward,
    "interpolate_bilinear_forward": lambda x, size, aligned, scales: _forward(
        x, size, scales, mode="bilinear", align_corners=aligned
    ),
    "interpolate_bilinear_backward": lambda dy, size, aligned, scales: _backward(
        dy, size, scales, mode="bilinear", align_corners=aligned
    ),
}
