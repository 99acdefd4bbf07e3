"""Layers with a weight, by their arguments: convolutions and the fully connected layer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from kernels.array import check_integer
from kernels.conv_transpose2d import check_output_padding
from kernels.window import Window, pair
from minidnn.costs.count import Count, product
from minidnn.costs.layer_cost import LayerCost, Moved, Pass
from minidnn.costs.multiply_adds import convolution, linear, locally_connected, transposed_convolution
from minidnn.functional.convolution import convolution_window

Shape = tuple[int, ...]


class _Arrays(NamedTuple):
    """The shapes of a layer's arrays; no bias is ()."""

    x: Shape
    weight: Shape
    bias: Shape
    y: Shape


def conv2d_cost(
    x: Sequence[int],
    out_channels: int,
    kernel_size: Any,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    bias: bool = True,
) -> LayerCost:
    """Return the cost of a convolution of x (N, C, H, W); arguments as `functional.conv2d`.

    Raises:
        ValueError: a number out of range, groups that do not divide the channels, a window that does not fit.
        TypeError: a number that is not an integer.
    """
    n, c, height, width = check_shape4(x)
    out_channels = check_integer("out_channels", out_channels, minimum=1)
    check_groups(groups, in_channels=c, out_channels=out_channels)
    window = convolution_window(kernel_size, stride, padding, dilation)
    weight = (out_channels, c // groups, *window.kernel)
    y = (n, out_channels, *window.output_size((height, width)))
    arrays = _Arrays((n, c, height, width), weight, (out_channels,) if bias else (), y)
    parameters = product(O=out_channels, C_per_G=c // groups, KH=weight[2], KW=weight[3])
    return _cost(arrays, parameters, convolution(y, weight))


def separable_conv2d_cost(
    x: Sequence[int],
    out_channels: int,
    kernel_size: Any,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    bias: bool = True,
) -> LayerCost:
    """Return the cost of one filter per channel, then 1x1 filters over the channels, in place of conv2d.

    Source: Howard et al., "MobileNets", arXiv 1704.04861, section 3.1.

    Raises:
        ValueError, TypeError: as `conv2d_cost`.
    """
    channels = check_shape4(x)[1]
    depthwise = conv2d_cost(x, channels, kernel_size, stride, padding, dilation, channels, bias)
    return depthwise.then(conv2d_cost(depthwise.output, out_channels, 1, bias=bias))


def conv_transpose2d_cost(
    x: Sequence[int],
    out_channels: int,
    kernel_size: Any,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    bias: bool = True,
    dilation: Any = 1,
) -> LayerCost:
    """Return the cost of a transposed convolution; arguments as `functional.conv_transpose2d`.

    Raises:
        ValueError, TypeError: as `conv2d_cost`, or an output padding that is too large.
    """
    n, c, height, width = check_shape4(x)
    out_channels = check_integer("out_channels", out_channels, minimum=1)
    check_groups(groups, in_channels=c, out_channels=out_channels)
    window = Window.of(kernel_size, stride, padding, dilation)
    extra = check_output_padding(pair("output_padding", output_padding), window)
    weight = (c, out_channels // groups, *window.kernel)
    y = (n, out_channels, *window.transposed_output_size((height, width), extra))
    arrays = _Arrays((n, c, height, width), weight, (out_channels,) if bias else (), y)
    parameters = product(C=c, O_per_G=out_channels // groups, KH=weight[2], KW=weight[3])
    return _cost(arrays, parameters, transposed_convolution(arrays.x, weight))


def locally_connected2d_cost(
    x: Sequence[int],
    out_channels: int,
    kernel_size: Any,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    bias: bool = True,
) -> LayerCost:
    """Return the cost of a convolution with filters of their own at every place.

    Raises:
        ValueError, TypeError: as `conv2d_cost`.
    """
    n, c, height, width = check_shape4(x)
    out_channels = check_integer("out_channels", out_channels, minimum=1)
    window = Window.of(kernel_size, stride, padding, dilation)
    oh, ow = window.output_size((height, width))
    kh, kw = window.kernel
    weight, y = (oh, ow, out_channels, c, kh, kw), (n, out_channels, oh, ow)
    arrays = _Arrays((n, c, height, width), weight, y[1:] if bias else (), y)
    parameters = product(OH=oh, OW=ow, O=out_channels, C=c, KH=kh, KW=kw)
    return _cost(arrays, parameters, locally_connected(y, weight))


def linear_cost(x: Sequence[int], out_features: int, bias: bool = True) -> LayerCost:
    """Return the cost of a fully connected layer on x (..., I).

    Raises:
        ValueError: no axes, or a size below 1.
        TypeError: a size that is not an integer.
    """
    shape = tuple(check_integer("size", length, minimum=1) for length in x)
    if not shape:
        raise ValueError("x must have at least 1 dimension, got shape ()")
    out_features = check_integer("out_features", out_features, minimum=1)
    weight, y = (out_features, shape[-1]), (*shape[:-1], out_features)
    arrays = _Arrays(shape, weight, (out_features,) if bias else (), y)
    return _cost(arrays, product(O=out_features, I=shape[-1]), linear(y, weight))


def check_shape4(x: Sequence[int]) -> tuple[int, int, int, int]:
    """Return (N, C, H, W) with every length at least 1 (ValueError, TypeError otherwise)."""
    if len(x) != 4:
        raise ValueError(f"x must have shape (N, C, H, W), got {tuple(x)}")
    names = ("batch", "channels", "height", "width")
    n, c, h, w = (check_integer(name, length, minimum=1) for name, length in zip(names, x, strict=True))
    return n, c, h, w


def check_groups(groups: int, **channels: int) -> None:
    """Require groups that divide the named numbers of channels (ValueError otherwise)."""
    check_integer("groups", groups, minimum=1)
    for name, number in channels.items():
        if number % groups:
            raise ValueError(f"groups must divide {name}, got groups={groups} and {name}={number}")


def _cost(arrays: _Arrays, weights: Count, once: Count) -> LayerCost:
    """Forward takes the sums `once`; the gradients of x and of the weight take as many again, each."""
    x, weight, bias, y = arrays
    biases = product(bias=math.prod(bias)) if bias else Count()
    additions = product(y=math.prod(y)) if bias else Count()
    given = [("x", x), ("weight", weight)] + ([("bias", bias)] if bias else [])
    inputs = tuple(Moved(name, shape) for name, shape in given)
    gradients = tuple(Moved(f"grad_{name}", shape) for name, shape in given)
    forward = Pass(once, additions, inputs, (Moved("y", y),))
    backward = Pass(once.times(2), additions, (Moved("grad_y", y), *inputs[:2]), gradients)
    return LayerCost(x, y, weights + biases, forward, backward)
