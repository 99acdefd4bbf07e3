"""The filters of a convolution as pictures, and the maps that a layer makes of an image."""

from __future__ import annotations

from typing import Any

from kernels.array import Array
from kernels.device import to_host
from minidnn.modes import no_grad
from minidnn.nn import Conv2d, Module
from minidnn.visualisation.grid import normalised
from minidnn.visualisation.observing import as_batch, find_layer, frozen, maps_of


def first_layer_filters(model: Module, layer: str | None = None) -> Array:
    """Return the filters of the first convolution as pictures, each on its own scale.

        picture[o] = 1/2 + weight[o] / (2 max |weight[o]|)

    so that middle grey stands for 0. The first layer's filters look at pixels, and can be looked at as such:
    trained ones are edges at all angles, and spots of colour.

    Args:
        model: its first `Conv2d` is taken, in the order of `named_modules`.
        layer: dotted name of another convolution; pictures of more than 3 channels are then no images.

    Returns:
        (O, C, KH, KW) in [0, 1], C the channels that a filter sees; in host memory, of the weight's dtype.
        `grid` puts them side by side.

    Raises:
        ValueError: an unknown layer (the nearest names are offered), one that is no `Conv2d`, or a model
            without.

    Source: Krizhevsky, Sutskever and Hinton, "ImageNet classification with deep convolutional neural
    networks", NIPS 2012, figure 3.
    """
    if layer is None:
        found = next((module for module in model.modules() if isinstance(module, Conv2d)), None)
        if found is None:
            raise ValueError(f"model must have a Conv2d, {type(model).__name__} has none")
        return normalised(to_host(found.weight.data), centred=True)
    module = find_layer(model, layer)
    if not isinstance(module, Conv2d):
        raise ValueError(f"layer must be a Conv2d, {layer!r} is a {type(module).__name__}")
    return normalised(to_host(module.weight.data), centred=True)


def feature_maps(model: Module, images: Any, layer: str) -> Array:
    """Return what a layer makes of images, in inference mode.

    Args:
        model: is left as it is.
        images: (N, C, H, W), or one of them (C, H, W); float32 or float64, as the model's weights.
        layer: dotted name of a module that gives maps.

    Returns:
        (N, maps, h, w) or (maps, h, w), the values themselves, in host memory; `normalised` and `grid` make a
        picture of an image's maps.

    Raises:
        ValueError: images of another shape, an unknown layer (the nearest names are offered), or one that
            gives no maps or is not called exactly once.
        TypeError: not a Module, or another dtype.
    """
    batch, single = as_batch(images)
    with frozen(model), no_grad():
        maps: Array = to_host(maps_of(model, batch, layer).data)
    return maps[0] if single else maps
