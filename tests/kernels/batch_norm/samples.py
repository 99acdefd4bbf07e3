"""Samples of batch normalisation's kernels."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from kernels.prepared import ACTIVATIONS
from tests.kernels.sample import Draw, Sample

EPS = 1e-5
NAMES = list(ACTIVATIONS)


def samples(
    label: str,
    *shape: int,
    affine: bool = True,
    running: bool = True,
    eps: float = EPS,
    momentum: float = 0.1,
) -> list[Sample]:
    """All four operations on one configuration."""
    channels, terms = shape[1], max(int(np.prod(shape)) // shape[1], 1)

    def parameter(draw: Draw) -> np.ndarray | None:
        return draw.normal(channels) if affine else None

    def statistics(draw: Draw) -> tuple[np.ndarray, np.ndarray]:
        return draw.normal(channels), draw.uniform(channels, low=0.5, high=2.0)

    def training(draw: Draw) -> tuple[Any, ...]:
        x, stored = draw.normal(*shape), statistics(draw) if running else (None, None)
        return x, parameter(draw), parameter(draw), *stored, momentum, eps

    def of_batch(draw: Draw) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """A batch and its own statistics (for an empty one: what the contract says)."""
        x = draw.normal(*shape)
        axes = (0, *range(2, x.ndim))
        wide = x.astype(np.float64)
        mean = wide.mean(axes) if x.size else np.zeros(channels)
        var = wide.var(axes) if x.size else np.zeros(channels)
        return x, mean.astype(draw.dtype), (1 / np.sqrt(var + eps)).astype(draw.dtype)

    def backward_training(draw: Draw) -> tuple[Any, ...]:
        x, mean, inverse_std = of_batch(draw)
        return draw.normal(*shape), x, parameter(draw), mean, inverse_std

    return [
        Sample("batch_norm_forward_training", label, training, terms, writes=(3, 4) if running else ()),
        Sample("batch_norm_backward_training", label, backward_training, terms, stride_zero=False),
        Sample(
            "batch_norm_forward_inference",
            label,
            lambda draw: (draw.normal(*shape), parameter(draw), parameter(draw), *statistics(draw), eps),
        ),
        Sample(
            "batch_norm_forward_inference_activated",
            label,
            lambda draw: (
                *(draw.normal(*shape), parameter(draw), parameter(draw), *statistics(draw), eps),
                NAMES[len(label) % len(NAMES)],
            ),
        ),
        Sample(
            "batch_norm_backward_inference",
            label,
            lambda draw: (draw.normal(*shape), draw.normal(*shape), parameter(draw), *statistics(draw), eps),
            terms,
        ),
    ]


SAMPLES = [
    # Names of seven lengths: every activation.
    *(
        row
        for length in range(7)
        for row in samples("x" * length, 2, 3, 5, 4)
        if "activated" in row.operation
    ),
    *samples("rank-2", 5, 3),
    *samples("rank-3", 3, 4, 7),
    *samples("rank-4", 2, 3, 5, 4),
    *samples("rank-5", 2, 3, 2, 5, 3),
    *samples("no-affine", 3, 4, 2, 3, affine=False),
    *samples("no-running-statistics", 4, 3, 3, running=False),
    *samples("momentum-1-large-eps", 3, 2, 5, momentum=1.0, eps=0.5),
    *samples("one-sample", 1, 3, 3, 5),
    *samples("one-channel", 4, 1, 3, 2),
    *samples("two-values", 2, 3, eps=0.5),
    *samples("several-blocks", 3, 2, 66, 65),
    *samples("several-planes-in-a-block", 5, 2, 11, 7),
    *samples("empty-batch", 0, 3, 4, 2),
    *samples("empty-plane", 2, 3, 0),
]


@st.composite
def _drawn(draw: st.DrawFn) -> Sample:
    spatial = draw(st.lists(st.integers(1, 4), max_size=3))
    shape = (draw(st.integers(3, 6)), draw(st.integers(1, 4)), *spatial)
    rows = samples("drawn", *shape, affine=draw(st.booleans()), running=draw(st.booleans()), eps=0.1)
    return draw(st.sampled_from(rows))


STRATEGY = _drawn()


def _tensors(*arrays: np.ndarray | None) -> list[Any]:
    from tests.torch_bridge import to_torch

    return [None if array is None else to_torch(array) for array in arrays]


def _forward_training(
    x: np.ndarray,
    weight: np.ndarray | None,
    bias: np.ndarray | None,
    running_mean: np.ndarray | None,
    running_var: np.ndarray | None,
    momentum: float,
    eps: float,
) -> tuple[np.ndarray, ...]:
    import torch

    values, scale, shift, mean, var = _tensors(x, weight, bias, running_mean, running_var)
    y = torch.nn.functional.batch_norm(values, mean, var, scale, shift, True, momentum, eps)
    if running_mean is not None and running_var is not None:
        running_mean[...], running_var[...] = mean.numpy(), var.numpy()
    axes = [0, *range(2, x.ndim)]
    batch_mean = values.mean(axes).nan_to_num()
    batch_var = values.var(axes, correction=0).nan_to_num() if x.size else torch.zeros_like(batch_mean)
    return y.numpy(), batch_mean.numpy(), (batch_var + eps).rsqrt().numpy()


def _backward(function: Any, grad_output: np.ndarray, x: np.ndarray, weight: np.ndarray | None) -> Any:
    """The gradients of x, weight and bias; a missing weight is a weight of ones."""
    from tests.torch_bridge import gradients

    scale = np.ones(x.shape[1], x.dtype) if weight is None else weight
    return gradients(function, (x, scale, np.zeros_like(scale)), grad_output)


def _backward_training(
    grad_output: np.ndarray,
    x: np.ndarray,
    weight: np.ndarray | None,
    mean: np.ndarray,
    inverse_std: np.ndarray,
) -> Any:
    import torch

    axes = (0, *range(2, x.ndim))
    eps = (1 / inverse_std**2 - x.var(axes)).max() if x.size else EPS

    def function(x: Any, weight: Any, bias: Any) -> Any:
        return torch.nn.functional.batch_norm(x, None, None, weight, bias, True, 0.1, float(eps))

    return _backward(function, grad_output, x, weight)


def _forward_inference(
    x: np.ndarray, weight: Any, bias: Any, running_mean: np.ndarray, running_var: np.ndarray, eps: float
) -> np.ndarray:
    import torch

    values, scale, shift, mean, var = _tensors(x, weight, bias, running_mean, running_var)
    return torch.nn.functional.batch_norm(values, mean, var, scale, shift, False, 0.1, eps).numpy()


def _backward_inference(
    grad_output: np.ndarray, x: np.ndarray, weight: Any, mean: np.ndarray, var: np.ndarray, eps: float
) -> Any:
    import torch

    stored = _tensors(mean, var)

    def function(x: Any, weight: Any, bias: Any) -> Any:
        return torch.nn.functional.batch_norm(x, *stored, weight, bias, False, 0.1, eps)

    return _backward(function, grad_output, x, weight)


def _forward_inference_activated(
    x: np.ndarray,
    weight: np.ndarray | None,
    bias: np.ndarray | None,
    running_mean: np.ndarray,
    running_var: np.ndarray,
    eps: float,
    activation: str,
) -> Any:
    import torch

    y = _forward_inference(x, weight, bias, running_mean, running_var, eps)
    return getattr(torch.nn.functional, activation)(*_tensors(y)).numpy()


ORACLES = {
    "batch_norm_forward_inference_activated": _forward_inference_activated,
    "batch_norm_forward_training": _forward_training,
    "batch_norm_backward_training": _backward_training,
    "batch_norm_forward_inference": _forward_inference,
    "batch_norm_backward_inference": _backward_inference,
}
