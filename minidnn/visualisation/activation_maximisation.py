"""Activation maximisation: an image that a unit would like best, by gradient ascent from noise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kernels.array import Array, check_integer, check_number
from kernels.device import device_of, to_device, to_host
from minidnn.data.transforms.functional import gaussian_blur
from minidnn.nn import Module
from minidnn.tensor import Tensor
from minidnn.visualisation.observing import check_channel, frozen, outputs_of


def maximise_activation(
    model: Module,
    layer: str,
    channel: int,
    shape: Sequence[int],
    steps: int = 200,
    rate: float = 0.05,
    decay: float = 0.01,
    blur_sigma: float = 0.5,
    blur_every: int = 4,
    seed: int = 0,
) -> Array:
    """Return an image made by climbing the activation of a channel, kept plausible by decay and blur.

        x <- x + rate g / sqrt(mean g^2),   g = d a(x) / dx
        x <- (1 - decay) x                  the gradient step of an L2 penalty
        x <- G_sigma * x                    every `blur_every` steps; G a Gaussian of sum 1

    from x ~ N(0, 1), with a(x) the channel's mean over its map, or the unit itself where the layer gives one
    number per channel: the score of a class for a classifier's last layer. Dividing by the gradient's root
    mean square makes `rate` the change of a typical pixel, whatever the model's scale.

    Args:
        model: runs in inference mode and is left as it is.
        layer: dotted name of a module that gives (N, channels, h, w) or (N, channels); for a class the one
            before the softmax.
        channel: which of its channels.
        shape: (C, H, W) of the image.
        steps: of the ascent.
        rate: how far a step goes.
        decay: in [0, 1).
        blur_sigma: in pixels; 0 leaves the blur out.
        blur_every: steps from one blur to the next.
        seed: of the noise.

    Returns:
        (C, H, W), in host memory, of the dtype of the model's parameters; on no fixed scale: see
        `normalised`.

    Raises:
        ValueError: another shape, an unknown layer (the nearest names are offered), one that gives something
            else or is not called exactly once; a channel that it does not have; a number out of range.
        TypeError: not a Module, or a number of another kind.

    Source: Simonyan, Vedaldi and Zisserman, "Deep inside convolutional networks", ICLR 2014 workshop,
    section 2 (L2); Yosinski et al., "Understanding neural networks through deep visualization", ICML 2015
    workshop, section 3 (decay and blur).
    """
    sizes = [check_integer("shape", size, minimum=1) for size in shape]
    if len(sizes) != 3:
        raise ValueError(f"shape must be (C, H, W), got {tuple(sizes)}")
    check_integer("steps", steps, minimum=0)
    check_integer("blur_every", blur_every, minimum=1)
    for name, value, below in (("rate", rate, None), ("decay", decay, 1.0), ("blur_sigma", blur_sigma, None)):
        check_number(name, value, minimum=0, below=below)
    with frozen(model):
        like = next((parameter.data for parameter in model.parameters()), np.zeros(0, np.float32))
        x: Array = np.random.default_rng(seed).standard_normal((1, *sizes)).astype(like.dtype)
        for step in range(1, steps + 1):
            image = Tensor(to_device(x, device_of(like)), requires_grad=True)
            _activation(model, layer, channel, image).backward()
            gradient = np.zeros_like(x) if image.grad is None else to_host(image.grad.data)
            size = np.sqrt(np.mean(gradient**2))
            x = (x + rate * gradient / (size if size > 0 else 1)) * (1 - decay)
            if blur_sigma > 0 and step % blur_every == 0:
                x = gaussian_blur(x, blur_sigma)
    climbed: Array = x[0]
    return climbed


def _activation(model: Module, layer: str, channel: int, image: Tensor) -> Any:
    """The channel's mean over its map, a scalar."""
    output = outputs_of(model, image, [layer])[layer]
    if output.ndim not in (2, 4):
        raise ValueError(f"layer must give (N, C, H, W) or (N, C), {layer!r} gives shape {output.shape}")
    return output[:, check_channel(channel, output.shape[1], layer)].mean()
