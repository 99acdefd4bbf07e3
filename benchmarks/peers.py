"""PyTorch's way to do what a contract does: for every operation the callables that it is raced against.

`peers(operation, arguments)` returns contenders on the same numbers. Layouts and views are prepared outside
the timed
call, as they would be in a network that runs in that layout throughout:

    pytorch                eager, NCHW, without recording a graph
    pytorch channels_last  eager, NHWC memory (convolutions and pooling)
    pytorch unfold         the same algorithm by hand: columns, then a matrix product
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.threads import has_torch
from kernels.array import Array
from kernels.window import Window

if TYPE_CHECKING:
    import torch

EAGER, CHANNELS_LAST, UNFOLD = "pytorch", "pytorch channels_last", "pytorch unfold"
# The mask comes from another generator: there is nothing to compare.
RANDOM = ("dropout_forward", "dropout_backward")

Run = Callable[[], Any]
Builder = Callable[..., Run | None]
BUILDERS: dict[str, dict[str, Builder]] = {}


@dataclass(frozen=True)
class Peer:
    """One way to make a call in PyTorch.

    Attributes:
        name: how it is called in results.
        run: makes the call, and returns a tensor or several.
        comparable: whether its values are ours.
    """

    name: str
    run: Run
    comparable: bool = True

    def outputs(self) -> list[Array]:
        """What a call gives, as arrays in the order of the contract's results."""
        result = self.run()
        tensors = result if isinstance(result, tuple | list) else (result,)
        return [tensor.detach().numpy() for tensor in tensors]


def peers(operation: str, arguments: Sequence[Any]) -> list[Peer]:
    """The contenders for a call, to be run under `without_graph`; none where PyTorch has no such operation.

    Raises:
        ImportError: torch is missing.
    """
    import torch

    tensors = [_tensor(argument) for argument in arguments]
    found = []
    for name, build in BUILDERS.get(operation, {}).items():
        run = build(torch, *tensors)
        if run is not None:
            found.append(Peer(name, run, operation not in RANDOM))
    return found


def without_graph() -> AbstractContextManager[Any]:
    """The mode in which peers run: nothing is recorded for a backward pass. Without torch it does nothing."""
    if not has_torch():
        return nullcontext()
    import torch

    quiet: AbstractContextManager[Any] = torch.no_grad()
    return quiet


def _tensor(argument: Any) -> Any:
    import torch

    if isinstance(argument, tuple | list):
        return tuple(_tensor(item) for item in argument)
    if isinstance(argument, np.ndarray):
        return torch.from_numpy(np.ascontiguousarray(argument)).reshape(argument.shape)
    return argument


def peer(operation: str, name: str = EAGER) -> Callable[[Builder], Builder]:
    """Announce a builder: build(torch, *tensors) returns the call without arguments, or None."""

    def announce(build: Builder) -> Builder:
        BUILDERS.setdefault(operation, {})[name] = build
        return build

    return announce


def _simple(operation: str, call: Callable[..., Any]) -> None:
    """Announce a peer that is one expression."""
    peer(operation)(lambda torch, *tensors: lambda: call(torch, *tensors))


# --- convolutions


def _geometry(window: Window) -> tuple[tuple[int, int], tuple[int, int, int, int] | None]:
    """The symmetric padding that PyTorch's convolution takes, or what must be padded before it."""
    (top, bottom), (left, right) = window.padding
    if (top, left) == (bottom, right):
        return (top, left), None
    return (0, 0), (left, right, top, bottom)


def _conv2d(torch: Any, x: Any, weight: Any, bias: Any, window: Window, groups: int) -> Run:
    padding, before = _geometry(window)
    functional = torch.nn.functional

    def run() -> torch.Tensor:
        padded = functional.pad(x, before) if before else x
        return functional.conv2d(padded, weight, bias, window.stride, padding, window.dilation, groups)

    return run


def _conv2d_input(
    torch: Any, grad_output: Any, weight: Any, input_shape: Any, window: Window, groups: int
) -> Run:
    padding, before = _geometry(window)
    left, right, top, bottom = before or (0, 0, 0, 0)
    batch, channels, height, width = input_shape
    layout = torch.channels_last if _is_channels_last(torch, grad_output) else torch.contiguous_format
    # Its values do not matter: the gradient's shape is taken from it.
    x = torch.empty(batch, channels, height + top + bottom, width + left + right).to(memory_format=layout)

    def run() -> torch.Tensor:
        padded = _convolution_backward(
            torch, grad_output, x, weight, window, padding, groups, (True, False, False)
        )[0]
        return padded[:, :, top : top + height, left : left + width] if before else padded

    return run


def _conv2d_weight(torch: Any, grad_output: Any, x: Any, window: Window, groups: int) -> Run:
    padding, before = _geometry(window)
    functional = torch.nn.functional
    layout = torch.channels_last if _is_channels_last(torch, grad_output) else torch.contiguous_format
    shape = (grad_output.shape[1], x.shape[1] // groups, *window.kernel)
    weight = torch.empty(shape).to(memory_format=layout)

    def run() -> torch.Tensor:
        padded = functional.pad(x, before) if before else x
        return _convolution_backward(
            torch, grad_output, padded, weight, window, padding, groups, (False, True, False)
        )[1]

    return run


def _convolution_backward(
    torch: Any,
    grad_output: Any,
    x: Any,
    weight: Any,
    window: Window,
    padding: tuple[int, int],
    groups: int,
    wanted: tuple[bool, bool, bool],
) -> Any:
    """What autograd calls, with a mask of the gradients wanted (input, weight, bias)."""
    return torch.ops.aten.convolution_backward(
        grad_output, x, weight, None, window.stride, padding, window.dilation, False, (0, 0), groups, wanted
    )


def _is_channels_last(torch: Any, tensor: Any) -> bool:
    return bool(tensor.is_contiguous(memory_format=torch.channels_last) and not tensor.is_contiguous())


def _in_channels_last(build: Builder) -> Builder:
    """The same call on tensors whose memory runs through the channels first."""

    def convert(torch: Any, argument: Any) -> Any:
        is_image = isinstance(argument, torch.Tensor) and argument.ndim == 4
        return argument.to(memory_format=torch.channels_last) if is_image else argument

    return lambda torch, *tensors: build(torch, *(convert(torch, tensor) for tensor in tensors))


def _unfold_conv2d(torch: Any, x: Any, weight: Any, bias: Any, window: Window, groups: int) -> Run:
    padding, before = _geometry(window)
    functional = torch.nn.functional
    positions = window.output_size(x.shape[2:])
    rows = weight.reshape(groups, weight.shape[0] // groups, -1)  # (G, O/G, C*KH*KW)

    def run() -> torch.Tensor:
        padded = functional.pad(x, before) if before else x
        columns = functional.unfold(padded, window.kernel, window.dilation, padding, window.stride)
        grouped = columns.reshape(x.shape[0], groups, rows.shape[2], -1)  # (N, G, C*KH*KW, OH*OW)
        y = torch.matmul(rows, grouped).reshape(x.shape[0], -1, *positions)
        return y if bias is None else y + bias[:, None, None]

    return run


def _unfold_input(
    torch: Any, grad_output: Any, weight: Any, input_shape: Any, window: Window, groups: int
) -> Run | None:
    padding, before = _geometry(window)
    if before:
        return None
    columns = weight.reshape(groups, weight.shape[0] // groups, -1).transpose(1, 2)  # (G, C*KH*KW, O/G)
    batch = grad_output.shape[0]

    def run() -> torch.Tensor:
        rows = grad_output.reshape(batch, groups, columns.shape[2], -1)  # (N, G, O/G, OH*OW)
        spread = torch.matmul(columns, rows).reshape(batch, -1, rows.shape[3])
        return torch.nn.functional.fold(
            spread, input_shape[2:], window.kernel, window.dilation, padding, window.stride
        )

    return run


def _unfold_weight(torch: Any, grad_output: Any, x: Any, window: Window, groups: int) -> Run | None:
    padding, before = _geometry(window)
    if before:
        return None
    batch, outputs = grad_output.shape[:2]

    def run() -> torch.Tensor:
        columns = torch.nn.functional.unfold(x, window.kernel, window.dilation, padding, window.stride)
        grouped = columns.reshape(batch, groups, -1, columns.shape[2])  # (N, G, C*KH*KW, OH*OW)
        rows = grad_output.reshape(batch, groups, outputs // groups, -1)  # (N, G, O/G, OH*OW)
        total = torch.matmul(rows, grouped.transpose(2, 3)).sum(0)
        return total.reshape(outputs, -1, *window.kernel)

    return run


CONVOLUTION: dict[str, tuple[Builder, Builder]] = {
    "conv2d_forward": (_conv2d, _unfold_conv2d),
    "conv2d_backward_input": (_conv2d_input, _unfold_input),
    "conv2d_backward_weight": (_conv2d_weight, _unfold_weight),
}
for _operation, (_build, _unfold) in CONVOLUTION.items():
    peer(_operation)(_build)
    peer(_operation, CHANNELS_LAST)(_in_channels_last(_build))
    peer(_operation, UNFOLD)(_unfold)


def _depthwise(torch: Any, x: Any, weight: Any, bias: Any, window: Window) -> Run:
    return _conv2d(torch, x, weight, bias, window, x.shape[1])


def _depthwise_input(torch: Any, grad_output: Any, weight: Any, input_shape: Any, window: Window) -> Run:
    return _conv2d_input(torch, grad_output, weight, input_shape, window, input_shape[1])


def _depthwise_weight(torch: Any, grad_output: Any, x: Any, window: Window) -> Run:
    return _conv2d_weight(torch, grad_output, x, window, x.shape[1])


DEPTHWISE: dict[str, Builder] = {
    "depthwise_conv2d_forward": _depthwise,
    "depthwise_conv2d_backward_input": _depthwise_input,
    "depthwise_conv2d_backward_weight": _depthwise_weight,
}
for _operation, _build in DEPTHWISE.items():
    peer(_operation)(_build)
    peer(_operation, CHANNELS_LAST)(_in_channels_last(_build))


# --- fully connected

_simple("linear_forward", lambda torch, x, weight, bias: torch.nn.functional.linear(x, weight, bias))
_simple("linear_backward_input", lambda torch, grad_output, weight: grad_output @ weight)
_simple("linear_backward_weight", lambda torch, grad_output, x: grad_output.t() @ x)

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
    peer(_operation, CHANNELS_LAST)(_in_channels_last(BUILDERS[_operation][EAGER]))

_simple("global_average_pool2d_forward", lambda torch, x: torch.nn.functional.adaptive_avg_pool2d(x, 1))
_simple(
    "adaptive_average_pool2d_forward",
    lambda torch, x, sizes: torch.nn.functional.adaptive_avg_pool2d(x, sizes),
)
_simple(  # what autograd runs for the mean over both axes
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


_simple(
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

_simple("relu_forward", lambda torch, x: torch.relu(x))
_simple("relu_backward", lambda torch, dy, y: torch.ops.aten.threshold_backward(dy, y, 0))
_simple("relu6_forward", lambda torch, x: torch.nn.functional.relu6(x))
_simple("relu6_backward", lambda torch, dy, y: torch.ops.aten.hardtanh_backward(dy, y, 0, 6))
_simple("leaky_relu_forward", lambda torch, x, slope: torch.nn.functional.leaky_relu(x, slope))
_simple(
    "leaky_relu_backward",
    lambda torch, dy, x, slope: torch.ops.aten.leaky_relu_backward(dy, x, slope, False),
)
_simple("sigmoid_forward", lambda torch, x: torch.sigmoid(x))
_simple("sigmoid_backward", lambda torch, dy, y: torch.ops.aten.sigmoid_backward(dy, y))
_simple("silu_forward", lambda torch, x: torch.nn.functional.silu(x))
_simple("silu_backward", lambda torch, dy, x: torch.ops.aten.silu_backward(dy, x))
_simple("tanh_forward", lambda torch, x: torch.tanh(x))
_simple("tanh_backward", lambda torch, dy, y: torch.ops.aten.tanh_backward(dy, y))
_simple("hardsigmoid_forward", lambda torch, x: torch.nn.functional.hardsigmoid(x))
_simple("hardsigmoid_backward", lambda torch, dy, x: torch.ops.aten.hardsigmoid_backward(dy, x))
_simple("hardswish_forward", lambda torch, x: torch.nn.functional.hardswish(x))
_simple("hardswish_backward", lambda torch, dy, x: torch.ops.aten.hardswish_backward(dy, x))
_simple("gelu_forward", lambda torch, x, form: torch.nn.functional.gelu(x, approximate=form))
_simple("gelu_backward", lambda torch, dy, x, form: torch.ops.aten.gelu_backward(dy, x, approximate=form))
_simple("add", lambda torch, a, b: a + b)
_simple("multiply", lambda torch, a, b: a * b)
_simple("concat_forward", lambda torch, arrays, axis: torch.cat(arrays, axis))
_simple("dropout_forward", lambda torch, x, p, seed: torch.nn.functional.dropout(x, p, True))


@peer("dropout_backward")
def _dropout_backward(torch: Any, grad_output: Any, probability: float, seed: int) -> Run:
    mask = torch.rand_like(grad_output) >= probability
    scale = 1 / (1 - probability)
    return lambda: torch.ops.aten.native_dropout_backward(grad_output, mask, scale)


# --- softmax and losses

_simple("softmax_forward", lambda torch, x, axis: torch.softmax(x, axis))
_simple(
    "softmax_backward",
    lambda torch, dy, y, axis: torch.ops.aten._softmax_backward_data(dy, y, axis, torch.float32),
)


def _cross_entropy(
    torch: Any, x: Any, target: Any, weight: Any, ignore_index: int, smoothing: float, reduction: str
) -> Any:
    return torch.nn.functional.cross_entropy(
        x, target, weight, ignore_index=ignore_index, reduction=reduction, label_smoothing=smoothing
    )


_simple("cross_entropy_forward", _cross_entropy)


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
