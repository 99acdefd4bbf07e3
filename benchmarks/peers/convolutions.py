"""PyTorch's convolutions, plain and depthwise, in three ways, with their gradients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.peers.table import (
    CHANNELS_LAST,
    UNFOLD,
    Builder,
    Run,
    in_channels_last,
    is_channels_last,
    peer,
)
from kernels.window import Window

if TYPE_CHECKING:
    import torch


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
    layout = torch.channels_last if is_channels_last(torch, grad_output) else torch.contiguous_format
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
    layout = torch.channels_last if is_channels_last(torch, grad_output) else torch.contiguous_format
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
    peer(_operation, CHANNELS_LAST)(in_channels_last(_build))
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
    peer(_operation, CHANNELS_LAST)(in_channels_last(_build))
