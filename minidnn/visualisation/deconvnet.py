"""Zeiler and Fergus's deconvolutional network: what in an image made a unit respond.

The way down undoes the way up, layer by layer, on the feature maps of one image:

    way up                     way down
    max pooling                unpooling: every value goes back to where its maximum stood (the switches)
    ReLU                       ReLU: as maps were positive on the way up, so are they on the way down
    convolution                the transposed filters, without bias
    response normalisation     nothing: it changes no value's place, and its scale is near to equal

Only the switches depend on the image; with the ReLU's mask in place of the ReLU it would be the gradient.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from kernels.array import Array, check_shape
from kernels.device import device_of, to_device, to_host
from kernels.pool2d import max_pool2d_backward
from minidnn.autograd import Function
from minidnn.functional import conv_transpose2d, relu
from minidnn.functional.activation import ReLU
from minidnn.functional.convolution import Conv2d, DepthwiseConv2d
from minidnn.functional.normalization import LocalResponseNorm
from minidnn.functional.pooling import MaxPool2d
from minidnn.modes import no_grad, observed_by
from minidnn.nn import Module
from minidnn.tensor import Tensor
from minidnn.visualisation.observing import as_batch, check_channel, check_maps, frozen, watched
from minidnn.visualisation.way_up import Step, WayUp


def deconvnet(
    model: Module, images: Any, layer: str, channel: int, positions: Sequence[Sequence[int]] | None = None
) -> Array:
    """Return what in each image made one unit of a layer respond, projected back to the pixels.

    All units of the layer but one are set to 0; that one's activation goes down through unpooling, ReLU and
    transposed filters to the pixels. Where overlapping pooling windows had their maximum at the same place,
    their values are added up there.

    Args:
        model: what lies between the image and the layer must be convolutions, ReLU, max pooling and local
            response normalisation, one after the other; runs in inference mode and is left as it is.
        images: (N, C, H, W), or one of them (C, H, W); float32 or float64, as the model's weights.
        layer: dotted name of a module that gives maps (N, maps, h, w), such as "conv3" of `zfnet` or
            "features.6" of `alexnet`. Of a convolution's units only the positive part is projected.
        channel: which map.
        positions: (row, column) of the unit per image (for a single image too: [(row, column)]); the map's
            strongest if not given.

    Returns:
        (N, C, H, W) or (C, H, W), in host memory, of the images' dtype; positive where more would have made
        the unit respond more. `normalised(..., centred=True)` makes pictures of it.

    Raises:
        ValueError: images of another shape, an unknown layer (the nearest names are offered), one behind
            other operations, or one that gives no maps or is not called exactly once; a channel or position
            that it does not have.
        TypeError: not a Module, another dtype, or numbers that are no integers.

    Source: Zeiler and Fergus, "Visualizing and understanding convolutional networks", ECCV 2014, section 2.1.
    """
    batch, single = as_batch(images)
    batch = batch.clone()  # a layer may write over its input
    way = WayUp(batch.data)
    found: list[tuple[Array, list[Step]]] = []

    def see(name: str, output: Tensor) -> None:
        maps = to_host(check_maps(name, output).data)
        found.append((maps.copy(), way.steps_to(output.data)))

    with frozen(model), no_grad(), observed_by(way), watched(model, [layer], see):
        model(batch)
    ((maps, steps),) = found
    _check_steps(steps, layer)
    channel = check_channel(channel, maps.shape[1], layer)
    signal = Tensor(to_device(_one_unit(maps, channel, positions), device_of(batch.data)))
    with no_grad():
        for step in steps:
            signal = WAYS_DOWN[type(step.function)](step, signal)
    pixels: Array = to_host(signal.data)
    return pixels[0] if single else pixels


def _one_unit(maps: Array, channel: int, positions: Sequence[Sequence[int]] | None) -> Array:
    """Zeros (N, C, H, W) but for one unit per image, which keeps what is positive of its activation."""
    count, _, height, width = maps.shape
    if positions is None:
        rows, columns = np.divmod(maps[:, channel].reshape(count, -1).argmax(axis=1), width)  # (N,) each
    else:
        places = np.asarray(positions)
        check_shape("positions", places, (count, 2))
        if places.dtype.kind not in "iu":
            raise TypeError(f"positions must be integers, got dtype {places.dtype}")
        if (places < 0).any() or (places >= (height, width)).any():
            raise ValueError(f"positions must lie in maps of {height}x{width}, got {places.tolist()}")
        rows, columns = places.T
    unit = np.arange(count), channel, rows, columns
    alone = np.zeros_like(maps)
    alone[unit] = np.maximum(maps[unit], 0)
    return alone


def _check_steps(steps: list[Step], layer: str) -> None:
    """Require operations that there is a way down for."""
    for step in steps:
        if step.joins or type(step.function) not in WAYS_DOWN:
            raise ValueError(
                "layer must be reached by convolutions, ReLU, max pooling and local response normalisation "
                f"only, one after the other; on the way to {layer!r} there is {step.function.name}"
            )


def _filtered(step: Step, signal: Tensor) -> Tensor:
    """Every value spreads its filter over the patch that it was computed from."""
    assert isinstance(step.function, Conv2d | DepthwiseConv2d)
    x, weight = step.inputs[0], step.inputs[1]
    assert x is not None
    assert weight is not None
    window = step.function.window
    restored = window.transposed_output_size(signal.shape[2:])
    unseen = tuple(size - other for size, other in zip(x.shape[2:], restored, strict=True))  # behind the last
    return conv_transpose2d(
        signal,
        Tensor(weight),
        stride=window.stride,
        padding=window.padding,
        output_padding=unseen,
        groups=x.shape[1] // weight.shape[1],
        dilation=window.dilation,
    )


def _unpooled(step: Step, signal: Tensor) -> Tensor:
    """Every value goes back to where its maximum stood; values that meet there are added."""
    assert isinstance(step.function, MaxPool2d)
    x, (_, switches) = step.inputs[0], step.outputs
    assert x is not None
    return Tensor(max_pool2d_backward(signal.data, switches, x.shape, step.function.window))


WAYS_DOWN: dict[type[Function], Callable[[Step, Tensor], Tensor]] = {
    Conv2d: _filtered,
    DepthwiseConv2d: _filtered,
    MaxPool2d: _unpooled,
    ReLU: lambda step, signal: relu(signal),
    LocalResponseNorm: lambda step, signal: signal,
}
