"""PyTorch's way to do everything but convolutions."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from benchmarks.peers.table import (
    BUILDERS,
    CHANNELS_LAST,
    EAGER,
    Run,
    in_channels_last,
    peer,
    simple,
)
from kernels.window import Window

if TYPE_CHECKING:
    pass

# --- fully connected

simple("linear_forward", lambda torch, x, weight, bias: torch.nn.functional.linear(x, weight, bias))
simple("linear_backward_input", lambda torch, grad_output, weight: grad_output @ weight)
simple("linear_backward_weight", lambda torch, grad_output, x: grad_output.t() @ x)

# --- pooling


def _sizes(window: Window) -> tuple[Any, Any, tuple[int, int]]:
    (top, bottom), (left, right) = window.padding
    if (top, left) != (bottom, right):
        raise ValueError(f"PyTorch's pooling takes symmetric padding only, got {window.padding}")
    return window.kernel, window.stride, (top, left)


@peer("max_pool2d_forward")
def _max_pool(torch: Any, x: Any, window: Window) -> Run:
    arguments = (*_sizes(window), window.dilation, window.ceil_mode)
    return lambda: torch.ops.aten.max_pool2d_with_indices(x, *arguments)


@peer("max_pool2d_backward")
def _max_pool_backward(torch: Any, grad_output: Any, indices: Any, shape: Any, window: Window) -> Run:
    arguments = (*_sizes(window), window.dilation, window.ceil_mode)
    x = torch.empty(shape)
    return lambda: torch.ops.aten.max_pool2d_with_indices_backward(grad_output, x, *arguments, indices)


@peer("average_pool2d_forward")
def _average_pool(torch: Any, x: Any, window: Window, include: bool, divisor: int | None) -> Run:
    arguments = (*_sizes(window), window.ceil_mode, include, divisor)
    return lambda: torch.nn.functional.avg_pool2d(x, *arguments)


@peer("average_pool2d_backward")
def _average_pool_backward(
    torch: Any, grad_output: Any, shape: Any, window: Window, include: bool, divisor: int | None
) -> Run:
    arguments = (*_sizes(window), window.ceil_mode, include, divisor)
    x = torch.empty(shape)
    return lambda: torch.ops.aten.avg_pool2d_backward(grad_output, x, *arguments)


for _operation in ("max_pool2d_forward", "average_pool2d_forward"):
    peer(_operation, CHANNELS_LAST)(in_channels_last(BUILDERS[_operation][EAGER]))

simple("global_average_pool2d_forward", lambda torch, x: torch.nn.functional.adaptive_avg_pool2d(x, 1))
simple(
    "adaptive_average_pool2d_forward",
    lambda torch, x, sizes: torch.nn.functional.adaptive_avg_pool2d(x, sizes),
)
simple(  # what autograd runs for the mean over both axes
    "global_average_pool2d_backward",
    lambda torch, grad_output, shape: grad_output.expand(shape) / math.prod(shape[2:]),
)

# --- normalisation


@peer("batch_norm_forward_training")
def _batch_norm(
    torch: Any, x: Any, weight: Any, bias: Any, mean: Any, var: Any, momentum: float, eps: float
) -> Run:
    mean, var = mean.clone(), var.clone()
    return lambda: torch.native_batch_norm(x, weight, bias, mean, var, True, momentum, eps)


@peer("batch_norm_backward_training")
def _batch_norm_backward(
    torch: Any, grad_output: Any, x: Any, weight: Any, mean: Any, inverse_std: Any
) -> Run:
    zeros, ones = torch.zeros_like(mean), torch.ones_like(mean)
    return lambda: torch.ops.aten.native_batch_norm_backward(
        grad_output, x, weight, zeros, ones, mean, inverse_std, True, 1e-5, (True, True, True)
    )


@peer("batch_norm_forward_inference")
def _batch_norm_inference(torch: Any, x: Any, weight: Any, bias: Any, mean: Any, var: Any, eps: float) -> Run:
    return lambda: torch.nn.functional.batch_norm(x, mean, var, weight, bias, False, 0.1, eps)


simple(
    "local_response_norm_forward",
    lambda torch, x, *numbers: torch.nn.functional.local_response_norm(x, *numbers),
)


def _through_autograd(torch: Any, forward: Callable[[Any], Any], x: Any, grad_output: Any) -> Run:
    """The backward pass alone of an operation that has no backward function of its own."""
    with torch.enable_grad():
        leaf = x.detach().clone().requires_grad_()
        y = forward(leaf)
    return lambda: torch.autograd.grad(y, leaf, grad_output, retain_graph=True)


@peer("local_response_norm_backward")
def _local_response_norm_backward(torch: Any, grad_output: Any, x: Any, *numbers: Any) -> Run:
    norm = torch.nn.functional.local_response_norm
    return _through_autograd(torch, lambda leaf: norm(leaf, *numbers), x, grad_output)


# --- activations and what works element by element

simple("relu_forward", lambda torch, x: torch.relu(x))
simple("relu_backward", lambda torch, dy, y: torch.ops.aten.threshold_backward(dy, y, 0))
simple("relu6_forward", lambda torch, x: torch.nn.functional.relu6(x))
simple("relu6_backward", lambda torch, dy, y: torch.ops.aten.hardtanh_backward(dy, y, 0, 6))
simple("leaky_relu_forward", lambda torch, x, slope: torch.nn.functional.leaky_relu(x, slope))
simple(
    "leaky_relu_backward",
    lambda torch, dy, x, slope: torch.ops.aten.leaky_relu_backward(dy, x, slope, False),
)
simple("sigmoid_forward", lambda torch, x: torch.sigmoid(x))
simple("sigmoid_backward", lambda torch, dy, y: torch.ops.aten.sigmoid_backward(dy, y))
simple("silu_forward", lambda torch, x: torch.nn.functional.silu(x))
simple("silu_backward", lambda torch, dy, x: torch.ops.aten.silu_backward(dy, x))
simple("tanh_forward", lambda torch, x: torch.tanh(x))
simple("tanh_backward", lambda torch, dy, y: torch.ops.aten.tanh_backward(dy, y))
simple("hardsigmoid_forward", lambda torch, x: torch.nn.functional.hardsigmoid(x))
simple("hardsigmoid_backward", lambda torch, dy, x: torch.ops.aten.hardsigmoid_backward(dy, x))
simple("hardswish_forward", lambda torch, x: torch.nn.functional.hardswish(x))
simple("hardswish_backward", lambda torch, dy, x: torch.ops.aten.hardswish_backward(dy, x))
simple("gelu_forward", lambda torch, x, form: torch.nn.functional.gelu(x, approximate=form))
simple("gelu_backward", lambda torch, dy, x, form: torch.ops.aten.gelu_backward(dy, x, approximate=form))
simple("add", lambda torch, a, b: a + b)
simple("multiply", lambda torch, a, b: a * b)
simple("concat_forward", lambda torch, arrays, axis: torch.cat(arrays, axis))
simple("dropout_forward", lambda torch, x, p, seed: torch.nn.functional.dropout(x, p, True))


@peer("dropout_backward")
def _dropout_backward(torch: Any, grad_output: Any, probability: float, seed: int) -> Run:
    mask = torch.rand_like(grad_output) >= probability
    scale = 1 / (1 - probability)
    return lambda: torch.ops.aten.native_dropout_backward(grad_output, mask, scale)


# --- softmax and losses

simple("softmax_forward", lambda torch, x, axis: torch.softmax(x, axis))
simple(
    "softmax_backward",
    lambda torch, dy, y, axis: torch.ops.aten._softmax_backward_data(dy, y, axis, torch.float32),
)


def _cross_entropy(
    torch: Any, x: Any, target: Any, weight: Any, ignore_index: int, smoothing: float, reduction: str
) -> Any:
    return torch.nn.functional.cross_entropy(
        x, target, weight, ignore_index=ignore_index, reduction=reduction, label_smoothing=smoothing
    )


simple("cross_entropy_forward", _cross_entropy)


@peer("cross_entropy_backward")
def _cross_entropy_backward(torch: Any, grad_output: Any, x: Any, *others: Any) -> Run:
    return _through_autograd(torch, lambda leaf: _cross_entropy(torch, leaf, *others), x, grad_output)


# --- regions of interest


def _region_operators(torch: Any) -> Any:
    """torchvision's compiled operators; None where it is missing or does not load beside this PyTorch."""
    from tests.torchvision_bridge import torchvision_ops

    try:
        torchvision_ops()
    except ImportError:
        return None
    return torch.ops.torchvision


@peer("roi_pool_forward")
def _roi_pool(torch: Any, x: Any, rois: Any, size: Any, scale: float) -> Run | None:
    operators = _region_operators(torch)
    return operators and (lambda: operators.roi_pool(x, rois, scale, *size))


@peer("roi_pool_backward")
def _roi_pool_backward(torch: Any, grad_output: Any, argmax: Any, rois: Any, shape: Any) -> Run | None:
    operators, narrow = _region_operators(torch), argmax.int()
    arguments = (1 / 16, *grad_output.shape[2:], *shape)
    return operators and (lambda: operators._roi_pool_backward(grad_output, rois, narrow, *arguments))


@peer("roi_align_forward")
def _roi_align(
    torch: Any, x: Any, rois: Any, size: Any, scale: float, ratio: int, aligned: bool
) -> Run | None:
    operators = _region_operators(torch)
    return operators and (lambda: operators.roi_align(x, rois, scale, *size, ratio, aligned))


@peer("roi_align_backward")
def _roi_align_backward(
    torch: Any, grad_output: Any, rois: Any, shape: Any, scale: float, ratio: int, aligned: bool
) -> Run | None:
    operators = _region_operators(torch)
    arguments = (scale, *grad_output.shape[2:], *shape, ratio, aligned)
    return operators and (lambda: operators._roi_align_backward(grad_output, rois, *arguments))
