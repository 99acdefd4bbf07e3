"""A classifier that looks at all windows of an image at once.

Neighbouring windows share most of their pixels. A classifier of convolutions, pooling and fully connected
layers is a convolution of the whole image too: its fully connected layers become convolutions whose kernel is
the map that they see, and what is shared is computed once.

Source: Sermanet et al., "OverFeat: integrated recognition, localization and detection using convolutional
networks", 2014, section 3.5; Long, Shelhamer, Darrell, "Fully convolutional networks for semantic
segmentation", 2015, section 3.1.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from kernels.window import Pair, pair
from minidnn import nn
from minidnn.modes import no_grad
from minidnn.tensor import Tensor

# Layers that look at one place at a time.
POINTWISE = (
    nn.BatchNorm2d,
    nn.Dropout,
    nn.Identity,
    nn.LeakyReLU,
    nn.LocalResponseNorm,
    nn.ReLU,
    nn.Sigmoid,
    nn.Tanh,
)
SLIDING = (nn.AvgPool2d, nn.Conv2d, nn.MaxPool2d)


class ConvolutionalForm(NamedTuple):
    """A classifier as one convolution.

    Attributes:
        network: (N, C, H, W) -> scores (N, classes, OH, OW), one place for each window. Where the classifier
            leaves a window's last pixels unused there may be places more, whose windows leave the image.
        window: height and width of what a place sees.
        stride: how far apart the windows of neighbouring places are, downwards and to the right.
    """

    network: nn.Sequential
    window: Pair
    stride: Pair

    def score(self, images: Tensor) -> Tensor:
        """Return the scores (N, classes, OH, OW) of all windows that lie within images (N, C, H, W).

        OH = floor((H - h) / SH) + 1, and OW likewise.
        """
        rows, columns = (
            (side - own) // step + 1
            for side, own, step in zip(images.shape[2:], self.window, self.stride, strict=True)
        )
        scores: Tensor = self.network(images)[:, :, :rows, :columns]
        return scores


def convolutional_form(classifier: nn.Sequential, window: Sequence[int]) -> ConvolutionalForm:
    """Return the classifier, in evaluation mode, as one convolution; its weights are copied.

    Its score at row i and column j is the classifier's of the window whose upper left corner is i SH, j SW.
    That holds if no layer pads: padding would stand within the window for the classifier, beyond the image
    for the convolution.

    Args:
        classifier: convolutions and pooling without padding, `Flatten`, `Linear`, and layers that look at one
            place at a time, in this order; also in nested `Sequential`.
        window: (C, h, w) of the images that it takes.

    Raises:
        ValueError: a layer that cannot be converted, one that pads, no `Flatten`, or a window that does not
            fit the first `Linear`.
    """
    layers = list(_flat(classifier))
    place = next((i for i, layer in enumerate(layers) if isinstance(layer, nn.Flatten)), None)
    if place is None or (layers[place].start_dim, layers[place].end_dim) != (1, -1):
        raise ValueError("classifier must have a Flatten that joins all axes but the batch's")
    features = nn.Sequential(*(copy.deepcopy(_checked_feature(layer)) for layer in layers[:place])).eval()
    with no_grad():
        maps = features(Tensor(np.zeros((1, *window), _dtype(classifier)))).shape  # (1, C', h', w')
    network = nn.Sequential(*features.children(), *_converted(layers[place + 1 :], maps[1:]))
    return ConvolutionalForm(network.eval(), (window[1], window[2]), _stride(features))


def _flat(layers: nn.Sequential) -> Iterator[Any]:
    for layer in layers.children():
        if isinstance(layer, nn.Sequential):
            yield from _flat(layer)
        else:
            yield layer


def _dtype(classifier: nn.Module) -> Any:
    return next((parameter.dtype for parameter in classifier.parameters()), np.dtype(np.float32))


def _checked_feature(layer: Any) -> Any:
    """The layer, if it computes the same for a window and within the whole image."""
    kind = type(layer).__name__
    if isinstance(layer, POINTWISE):
        return layer
    if not isinstance(layer, SLIDING):
        raise ValueError(f"classifier must have convolutions and pooling before its Flatten, got {kind}")
    padded = layer.padding != "valid" if isinstance(layer.padding, str) else np.any(np.asarray(layer.padding))
    if padded or getattr(layer, "ceil_mode", False):
        raise ValueError(f"classifier must not pad, got {kind}({layer.extra_repr()})")
    return layer


def _stride(features: nn.Sequential) -> Pair:
    """The product of the strides along each axis."""
    strides = [pair("stride", layer.stride) for layer in features.children() if isinstance(layer, SLIDING)]
    down, across = (int(np.prod([stride[axis] for stride in strides], dtype=np.int64)) for axis in (0, 1))
    return down, across


def _converted(head: Sequence[Any], maps: Sequence[int]) -> Iterator[nn.Module]:
    """What follows Flatten, as convolutions; the first sees whole maps (C, h, w), the others one place."""
    for layer in head:
        if isinstance(layer, nn.Linear):
            outputs, inputs = layer.weight.shape
            if inputs != np.prod(maps):
                raise ValueError(f"window must give the Linear's {inputs} inputs, got maps of {tuple(maps)}")
            convolution = nn.Conv2d(maps[0], outputs, tuple(maps[1:]), bias=layer.bias is not None)
            convolution.weight = nn.Parameter(layer.weight.data.reshape(outputs, *maps).copy())
            if layer.bias is not None:
                convolution.bias = nn.Parameter(layer.bias.data.copy())
            yield convolution
            maps = (outputs, 1, 1)
        elif isinstance(layer, POINTWISE):
            yield copy.deepcopy(layer)
        else:
            kind = type(layer).__name__
            raise ValueError(f"classifier must have Linear layers behind its Flatten, got {kind}")
