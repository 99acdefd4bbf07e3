"""Neural style transfer with the maps of VGG against those of Inception.

A photograph is repainted so that the Gram matrices of a network's maps become those of another picture
(Gatys, Ecker and Bethge, CVPR 2016). The paper uses a VGG trained on ImageNet. Here no weights are
downloaded: both networks are as they are initialised, which is known to be enough for textures and colours
(He, Wang and Hopcroft, "A powerful generative model using random weights for the deep image representation",
NIPS 2016). What an untrained network lacks is a notion of things, so nothing here says which network a
trained one would prefer; what differs is what the layers look through: VGG's windows of 3x3 at every pixel,
Inception's at every second, with maps of several window sizes side by side further up.

What to make of it: after fifty steps VGG's picture has the style's pale ground, its blues and browns, and
keeps the cat; 0.3% of the style's losses are left. Inception's has the browns, under a chequered noise (its
first layer moves by two pixels) and with a border of noise (its first layers do not pad, and see the border
less often); 20% of the style's losses are left.

The losses of the layers are divided by what they are at first (style) or would be for an empty map (content),
because untrained layers differ in scale by orders of magnitude. Inception's batch norms take their statistics
from the two pictures.

    python examples/style_transfer.py               # write docs/gallery/style_transfer.png

It takes more than a minute of processor time, and needs the pictures of scikit-image (the `detection`
extra) and matplotlib (the `plot` extra).
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

import minidnn
import models
from minidnn import Tensor, no_grad
from minidnn.data import resize
from minidnn.nn import BatchNorm2d, Module
from minidnn.visualisation import content_loss, gram_matrix, plot, style_loss, style_transfer
from minidnn.visualisation.observing import frozen, outputs_of
from models.blocks import initialize_convolutions, zero_biases
from models.vgg import stacked

FOLDER = Path(__file__).parents[1] / "docs" / "gallery"
CONTENT = "chelsea"
STYLE = "immunohistochemistry"
SEED = 0
STYLE_WEIGHT = 10.0  # of the style's loss against the content's, both 1 at first


class Network(NamedTuple):
    """A network and its layers.

    Attributes:
        model: takes images in [0, 1].
        content: the layer whose maps are kept.
        style: the layers whose Gram matrices are changed.
    """

    model: Module
    content: str
    style: Sequence[str]


def vgg() -> Network:
    """VGG-11 up to its first convolution of 512 maps, from N(0, 2 / fan-in)."""
    model = stacked("64 pool 128 pool 256 256 pool 512", 3, batch_norm=False)
    initialize_convolutions(model, "fan_in")
    zero_biases(model)
    return Network(model, "7", ("1", "4", "7", "12"))  # the ReLUs of conv1_1, conv2_1, conv3_1 and conv4_1


def inception() -> Network:
    """Inception v3 with its own initialisation."""
    model = models.create("inception_v3", aux_logits=False)
    layers = ("Conv2d_1a_3x3", "Conv2d_2b_3x3", "Conv2d_4a_3x3", "Mixed_5b", "Mixed_5d")
    return Network(model, "Mixed_5b", layers)


def calibrate(model: Module, pictures: np.ndarray) -> None:
    """Let the batch norms' statistics be those of the pictures (N, 3, H, W)."""
    for module in model.modules():
        if isinstance(module, BatchNorm2d):
            module.momentum = 1.0
    with no_grad():
        model.train()(Tensor(pictures))


def picture(name: str, size: int) -> np.ndarray:
    """The square in the middle of one of scikit-image's pictures: float32 (3, size, size) in [0, 1]."""
    from skimage import data

    pixels = getattr(data, name)().transpose(2, 0, 1).astype(np.float32) / 255  # (3, H, W)
    side = min(pixels.shape[1:])
    top, left = ((length - side) // 2 for length in pixels.shape[1:])
    return resize(pixels[:, top : top + side, left : left + side], size)


def weights(network: Network, content: np.ndarray, style: np.ndarray) -> tuple[Mapping[str, float], ...]:
    """What makes every layer's loss 1: of an empty map for the content, of the beginning for the style."""
    with frozen(network.model), no_grad():
        ours, theirs = (
            outputs_of(network.model, Tensor(image[None]), [network.content, *network.style])
            for image in (content, style)
        )
        kept = ours[network.content]
        of_style = {
            layer: style_loss(ours[layer], gram_matrix(theirs[layer])).item() for layer in network.style
        }
    count = len(of_style)
    return (
        {network.content: 1 / content_loss(kept * 0, kept).item()},
        {layer: 1 / (count * loss) for layer, loss in of_style.items()},
    )


def repainted(network: Network, content: np.ndarray, style: np.ndarray, steps: int) -> np.ndarray:
    """The content in the style of the other: (3, H, W)."""
    calibrate(network.model, np.stack([content, style]))
    both = weights(network, content, style)
    result = style_transfer(
        network.model, content, style, *both, style_weight=STYLE_WEIGHT, steps=steps, rate=0.02
    )
    print(f"style {result.style_losses[-1]:.3f} of 1, content {result.content_losses[-1]:.3f} of 1")
    return result.image


def main(arguments: Sequence[str] | None = None) -> None:
    """Repaint and draw."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--size", type=int, default=96, help="height and width in pixels")
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder of the picture")
    chosen = parser.parse_args(arguments)
    minidnn.manual_seed(SEED)
    networks = {"VGG-11": vgg(), "Inception v3": inception()}
    content, style = picture(CONTENT, chosen.size), picture(STYLE, chosen.size)
    panels, titles = [content, style], [f"content: {CONTENT}", f"style: {STYLE}"]
    for name, network in networks.items():
        panels.append(repainted(network, content, style, chosen.steps))
        titles.append(f"{name}, untrained")
    figure = plot(panels, titles)
    figure.savefig(chosen.out / "style_transfer.png", dpi=100, metadata={"Software": None})


if __name__ == "__main__":
    main()
