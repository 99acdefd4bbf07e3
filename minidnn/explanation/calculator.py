"""What a layer of any size would cost: the formulas of `minidnn.costs` by a layer's arguments."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from minidnn.costs import LayerCost
from minidnn.costs.elementwise import batch_norm_cost
from minidnn.costs.pooling import (
    adaptive_pool2d_cost,
    avg_pool2d_cost,
    max_pool2d_cost,
    roi_align_cost,
    roi_pool_cost,
)
from minidnn.costs.weighted import (
    conv2d_cost,
    conv_transpose2d_cost,
    linear_cost,
    locally_connected2d_cost,
    separable_conv2d_cost,
)
from minidnn.explanation.example import arguments_shape
from minidnn.explanation.settings import Padding, Size, suggestion


def _conv2d(
    *,
    in_channels: int = 64,
    out_channels: int = 64,
    kernel_size: Size = 3,
    stride: Size = 1,
    padding: Padding = 0,
    dilation: Size = 1,
    groups: int = 1,
    bias: bool = True,
    size: Size = 56,
    batch: int = 1,
) -> LayerCost:
    x = (batch, in_channels, *arguments_shape(size))
    return conv2d_cost(x, out_channels, kernel_size, stride, padding, dilation, groups, bias)


def _depthwise_conv2d(
    *,
    in_channels: int = 64,
    kernel_size: Size = 3,
    stride: Size = 1,
    padding: Padding = 0,
    dilation: Size = 1,
    bias: bool = True,
    size: Size = 56,
    batch: int = 1,
) -> LayerCost:
    x = (batch, in_channels, *arguments_shape(size))
    return conv2d_cost(x, in_channels, kernel_size, stride, padding, dilation, in_channels, bias)


def _separable_conv2d(
    *,
    in_channels: int = 64,
    out_channels: int = 64,
    kernel_size: Size = 3,
    stride: Size = 1,
    padding: Padding = 0,
    dilation: Size = 1,
    bias: bool = True,
    size: Size = 56,
    batch: int = 1,
) -> LayerCost:
    x = (batch, in_channels, *arguments_shape(size))
    return separable_conv2d_cost(x, out_channels, kernel_size, stride, padding, dilation, bias)


def _conv_transpose2d(
    *,
    in_channels: int = 64,
    out_channels: int = 64,
    kernel_size: Size = 3,
    stride: Size = 1,
    padding: Size = 0,
    output_padding: Size = 0,
    groups: int = 1,
    bias: bool = True,
    dilation: Size = 1,
    size: Size = 28,
    batch: int = 1,
) -> LayerCost:
    x = (batch, in_channels, *arguments_shape(size))
    return conv_transpose2d_cost(
        x, out_channels, kernel_size, stride, padding, output_padding, groups, bias, dilation
    )


def _locally_connected2d(
    *,
    in_channels: int = 16,
    out_channels: int = 16,
    kernel_size: Size = 3,
    stride: Size = 1,
    padding: Size = 0,
    dilation: Size = 1,
    bias: bool = True,
    size: Size = 28,
    batch: int = 1,
) -> LayerCost:
    x = (batch, in_channels, *arguments_shape(size))
    return locally_connected2d_cost(x, out_channels, kernel_size, stride, padding, dilation, bias)


def _linear(
    *, in_features: int = 4096, out_features: int = 1000, bias: bool = True, batch: int = 1
) -> LayerCost:
    return linear_cost((batch, in_features), out_features, bias)


def _max_pool2d(
    *,
    kernel_size: Size = 2,
    stride: Size | None = None,
    padding: Size = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
    channels: int = 64,
    size: Size = 56,
    batch: int = 1,
) -> LayerCost:
    x = (batch, channels, *arguments_shape(size))
    return max_pool2d_cost(x, kernel_size, stride, padding, dilation, ceil_mode)


def _avg_pool2d(
    *,
    kernel_size: Size = 2,
    stride: Size | None = None,
    padding: Size = 0,
    ceil_mode: bool = False,
    channels: int = 64,
    size: Size = 56,
    batch: int = 1,
) -> LayerCost:
    return avg_pool2d_cost((batch, channels, *arguments_shape(size)), kernel_size, stride, padding, ceil_mode)


def _adaptive_avg_pool2d(
    *, output_size: Size = 7, channels: int = 64, size: Size = 56, batch: int = 1
) -> LayerCost:
    return adaptive_pool2d_cost((batch, channels, *arguments_shape(size)), output_size, average=True)


def _adaptive_max_pool2d(
    *, output_size: Size = 7, channels: int = 64, size: Size = 56, batch: int = 1
) -> LayerCost:
    return adaptive_pool2d_cost((batch, channels, *arguments_shape(size)), output_size, average=False)


def _batch_norm(*, training: bool = True, channels: int = 64, size: Size = 56, batch: int = 1) -> LayerCost:
    return batch_norm_cost((batch, channels, *arguments_shape(size)), training)


def _roi_pool(
    *,
    output_size: Size = 7,
    regions: int = 100,
    region_size: Size = 14,
    channels: int = 512,
    size: Size = 40,
    batch: int = 1,
) -> LayerCost:
    return roi_pool_cost((batch, channels, *arguments_shape(size)), regions, region_size, output_size)


def _roi_align(
    *,
    output_size: Size = 7,
    sampling_ratio: int = -1,
    regions: int = 100,
    region_size: Size = 14,
    channels: int = 512,
    size: Size = 40,
    batch: int = 1,
) -> LayerCost:
    x = (batch, channels, *arguments_shape(size))
    return roi_align_cost(x, regions, region_size, output_size, sampling_ratio)


CALCULATORS: Mapping[str, Callable[..., LayerCost]] = {
    "conv2d": _conv2d,
    "depthwise_conv2d": _depthwise_conv2d,
    "separable_conv2d": _separable_conv2d,
    "conv_transpose2d": _conv_transpose2d,
    "locally_connected2d": _locally_connected2d,
    "linear": _linear,
    "max_pool2d": _max_pool2d,
    "avg_pool2d": _avg_pool2d,
    "adaptive_avg_pool2d": _adaptive_avg_pool2d,
    "adaptive_max_pool2d": _adaptive_max_pool2d,
    "batch_norm": _batch_norm,
    "roi_pool": _roi_pool,
    "roi_align": _roi_align,
}


def calculator(name: str) -> tuple[str, Callable[..., LayerCost]]:
    """Return a calculator and its own name; case, underscores and hyphens do not matter.

    Raises:
        ValueError: there is none; the message offers near ones.
    """
    known = {own.replace("_", ""): own for own in CALCULATORS}
    plain = name.lower().replace("_", "").replace("-", "")
    if plain not in known:
        near = suggestion(plain, known) or f"; there are {', '.join(CALCULATORS)}"
        raise ValueError(f"there are no cost formulas of {name!r}{near}")
    return known[plain], CALCULATORS[known[plain]]


def cost(name: str, **arguments: Any) -> LayerCost:
    """Return what a layer costs, in float32, forward and backward.

    Args:
        name: such as "conv2d"; `CALCULATORS` has them all.
        arguments: the layer's, as in PyTorch, and its input's: size, batch, channels.

    Raises:
        ValueError: an unknown name, or arguments that the layer refuses.
        TypeError: an argument that the layer does not have, or of another type.
    """
    return calculator(name)[1](**arguments)
