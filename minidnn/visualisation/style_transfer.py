"""Neural style transfer: an image with the layout of one picture and the textures of another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kernels.array import Array, check_integer, check_number, check_rank, check_shape
from kernels.device import device_of, to_device, to_host
from minidnn.functional import clamp, matmul
from minidnn.modes import no_grad
from minidnn.nn import Module
from minidnn.optim import Adam
from minidnn.tensor import Tensor, as_tensor
from minidnn.visualisation.observing import as_batch, check_maps, frozen, outputs_of


@dataclass(frozen=True)
class StyleTransfer:
    """What `style_transfer` returns.

    Attributes:
        image: (C, H, W) in [0, 1], in host memory.
        content_losses: before each step, float64 (steps,), without their weight.
        style_losses: likewise.
    """

    image: Array
    content_losses: Array
    style_losses: Array


def gram_matrix(maps: Any) -> Tensor:
    """Return how much maps respond at the same places, wherever that is.

        G[n, i, j] = sum over positions p of F[n, i, p] F[n, j, p]

    Shapes: maps (N, C, H, W); result (N, C, C).
    Dtypes: float32 or float64.

    Raises:
        ValueError: another rank.

    Source: Gatys, Ecker and Bethge, "Image style transfer using convolutional neural networks", CVPR 2016,
    equation 3.
    """
    maps = as_tensor(maps, name="maps")
    check_rank("maps", maps.data, 4)
    flat = maps.reshape((*maps.shape[:2], -1))  # (N, C, H W)
    gram: Tensor = matmul(flat, flat.transpose(1, 2))
    return gram


def content_loss(maps: Any, wanted: Any) -> Tensor:
    """Return half the sum of squared differences of two images' maps: sum (F - P)^2 / 2.

    Shapes: both (N, C, H, W); result a scalar.

    Raises:
        ValueError: two shapes.

    Source: Gatys et al., CVPR 2016, equation 1.
    """
    maps, wanted = as_tensor(maps, name="maps"), as_tensor(wanted, name="wanted")
    check_shape("wanted", wanted.data, maps.shape)
    loss: Tensor = ((maps - wanted) ** 2).sum() / 2
    return loss


def style_loss(maps: Any, wanted: Any) -> Tensor:
    """Return the distance of the maps' Gram matrix from another: sum (G - A)^2 / (4 C^2 M^2), M = H W.

    Shapes: maps (N, C, H, W), wanted (N, C, C), which an image of another size may have given if it was
        scaled by the ratio of the sizes; result a scalar.

    Raises:
        ValueError: other shapes.

    Source: Gatys et al., CVPR 2016, equation 4.
    """
    maps, wanted = as_tensor(maps, name="maps"), as_tensor(wanted, name="wanted")
    gram = gram_matrix(maps)
    check_shape("wanted", wanted.data, gram.shape)
    _, channels, height, width = maps.shape
    loss: Tensor = ((gram - wanted) ** 2).sum() / (4 * channels**2 * (height * width) ** 2)
    return loss


def style_transfer(
    model: Module,
    content: Any,
    style: Any,
    content_layers: Mapping[str, float] | Sequence[str],
    style_layers: Mapping[str, float] | Sequence[str],
    content_weight: float = 1.0,
    style_weight: float = 1000.0,
    steps: int = 200,
    rate: float = 0.02,
    seed: int | None = None,
) -> StyleTransfer:
    """Return the content image repainted so that its Gram matrices become those of the style image.

        minimise over x in [0, 1]:
            content_weight sum over l of w[l] content_loss(F_l(x), F_l(content))
            + style_weight sum over l of w[l] style_loss(F_l(x), G_l(style))

    with F_l the maps of layer l, by Adam (the paper uses L-BFGS), cutting x off at 0 and 1 after each step.

    Args:
        model: takes images in [0, 1], so what normalises them is part of it; runs in inference mode and is
            left as it is. Layers behind the last named one are run for nothing: leave them out where that
            costs.
        content: (C, H, W) in [0, 1], float32 or float64, as the model's weights.
        style: (C, H', W') likewise; its Gram matrices are scaled to the content's number of positions.
        content_layers: dotted names of modules that give maps, with their w, or without for equal ones of sum
            1. May be empty: then only the texture is made.
        style_layers: likewise.
        content_weight, style_weight: at least 0.
        steps: of Adam.
        rate: its learning rate, in pixel values.
        seed: begin with uniform noise of this seed; with the content image if not given.

    Raises:
        ValueError: images of other shapes, no layer at all, an unknown layer (the nearest names are offered)
            or one that gives no maps or is not called exactly once; a number out of range.
        TypeError: not a Module, another dtype, or a number of another kind.

    Source: Gatys, Ecker and Bethge, "Image style transfer using convolutional neural networks", CVPR 2016.
    That untrained networks carry texture too: He, Wang and Hopcroft, "A powerful generative model using
    random weights for the deep image representation", NIPS 2016.
    """
    content, style = _image("content", content), _image("style", style)
    for name, value in (("content_weight", content_weight), ("style_weight", style_weight), ("rate", rate)):
        check_number(name, value, minimum=0)
    check_integer("steps", steps, minimum=0)
    weights = _weights("content_layers", content_layers), _weights("style_layers", style_layers)
    if not (weights[0] or weights[1]):
        raise ValueError("content_layers and style_layers must name at least one layer, got none")
    x = _beginning(content, seed)
    optimizer = Adam([x], lr=rate)
    losses = np.zeros((2, steps))
    with frozen(model):
        goal = _Goal(model, content, style, *weights)
        for step in range(steps):
            of_content, of_style = goal.losses(x)
            optimizer.zero_grad()
            (of_content * content_weight + of_style * style_weight).backward()
            optimizer.step()
            x.data = clamp(x.detach(), 0, 1).data
            losses[:, step] = of_content.item(), of_style.item()
    return StyleTransfer(to_host(x.detach().data)[0], losses[0], losses[1])


def _image(name: str, image: Any) -> Tensor:
    """A batch of one image."""
    batch, single = as_batch(image, name)
    if not single:
        raise ValueError(f"{name} must have shape (C, H, W), got {batch.shape}")
    return batch


def _weights(name: str, layers: Mapping[str, float] | Sequence[str]) -> dict[str, float]:
    """The layers with their weights: those given, or equal ones of sum 1."""
    if isinstance(layers, str):
        raise TypeError(f"{name} must be a list or a mapping of names, got {layers!r}")
    if isinstance(layers, Mapping):
        return {layer: check_number(name, weight, minimum=0) for layer, weight in layers.items()}
    return {layer: 1 / len(layers) for layer in layers}


def _beginning(content: Tensor, seed: int | None) -> Tensor:
    """The first image, a leaf: the content's copy, or noise."""
    if seed is None:
        return content.clone().requires_grad_()
    noise = np.random.default_rng(seed).random(content.shape).astype(content.dtype)
    return Tensor(to_device(noise, device_of(content.data)), requires_grad=True)


class _Goal:
    """What the image is to come near to: the content's maps and the style's Gram matrices.

    Args:
        model: frozen.
        content, style: batches of one.
        content_weights, style_weights: by layer.
    """

    def __init__(
        self,
        model: Module,
        content: Tensor,
        style: Tensor,
        content_weights: dict[str, float],
        style_weights: dict[str, float],
    ) -> None:
        self.model = model
        self.content_weights, self.style_weights = content_weights, style_weights
        self.layers = list(dict.fromkeys([*content_weights, *style_weights]))
        with no_grad():
            of_content, of_style = self._maps(content), self._maps(style)
            self.maps = {layer: of_content[layer] for layer in content_weights}
            self.grams = {
                layer: gram_matrix(of_style[layer])
                * (_positions(of_content[layer]) / _positions(of_style[layer]))
                for layer in style_weights
            }

    def losses(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The content loss and the style loss of an image."""
        maps = self._maps(x)
        nothing = x.sum() * 0
        content = [
            w * content_loss(maps[layer], self.maps[layer]) for layer, w in self.content_weights.items()
        ]
        style = [w * style_loss(maps[layer], self.grams[layer]) for layer, w in self.style_weights.items()]
        return sum(content, nothing), sum(style, nothing)

    def _maps(self, image: Tensor) -> dict[str, Tensor]:
        outputs = outputs_of(self.model, image, self.layers)
        return {layer: check_maps(layer, output) for layer, output in outputs.items()}


def _positions(maps: Tensor) -> int:
    return maps.shape[2] * maps.shape[3]
