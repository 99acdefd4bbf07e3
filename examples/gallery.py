"""The gallery: what a small network that reads digits sees, by every method of `minidnn.visualisation`.

The network is ZFNet in small (four convolutions, the first with a stride, overlapping pooling), with every
map's maximum before the last layer, so that a digit may lie anywhere. It learns the embedded digits, each set
at a place drawn anew on a dark canvas with noise, in about a minute of processor time. The pictures show what
it does with digits that it has not seen.

    python examples/gallery.py               # train, draw docs/gallery/*.png; needs the `plot` extra

docs/gallery.md shows the pictures and says what to see in them.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import minidnn
from minidnn import Tensor, data, no_grad
from minidnn.data import ArrayDataset, DataLoader, resize
from minidnn.functional import cross_entropy, softmax
from minidnn.init import normal_
from minidnn.nn import AdaptiveMaxPool2d, Conv2d, Flatten, Linear, MaxPool2d, Module, ReLU, Sequential
from minidnn.optim import AdamW
from minidnn.optim.schedule import CosineAnnealingLR
from minidnn.visualisation import (
    deconvnet,
    feature_maps,
    first_layer_filters,
    grad_cam,
    grid,
    inception_score,
    maximal_patches,
    maximise_activation,
    normalised,
    occlusion,
    plot,
    saliency,
)
from models.blocks import initialize_convolutions, zero_biases

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FOLDER = Path(__file__).parents[1] / "docs" / "gallery"
CANVAS, DIGIT = 48, 24  # pixels
NOISE = 0.1
SEED = 0


def network() -> Sequential:
    """Four convolutions, the maximum of every map, a linear layer."""
    model = Sequential(
        {
            "conv1": Conv2d(1, 16, 7, stride=2, padding=3),  # 24x24
            "relu1": ReLU(),
            "pool1": MaxPool2d(3, stride=2, ceil_mode=True),  # 12x12
            "conv2": Conv2d(16, 32, 5, padding=2),
            "relu2": ReLU(),
            "conv3": Conv2d(32, 48, 3, padding=1),
            "relu3": ReLU(),
            "conv4": Conv2d(48, 48, 3, padding=1),
            "relu4": ReLU(),
            "maximum": AdaptiveMaxPool2d(1),
            "flatten": Flatten(),
            "classes": Linear(48, 10),
        }
    )
    initialize_convolutions(model, "fan_in")
    normal_(model[0].weight, std=0.02)  # so small that what is seen in the filters was learned
    zero_biases(model)
    return model


def canvases(count: int, generator: np.random.Generator) -> np.ndarray:
    """Dark canvases with noise: float32 (N, 1, CANVAS, CANVAS)."""
    noise = generator.normal(0, NOISE, (count, 1, CANVAS, CANVAS))
    return np.abs(noise).astype(np.float32)


def scattered(split: str, generator: np.random.Generator) -> ArrayDataset:
    """All digits of a split, each at a random place of its own canvas."""
    digits = data.digits(8, split)
    images = canvases(len(digits), generator)
    places = generator.integers(0, CANVAS - DIGIT + 1, (len(digits), 2))
    for image, digit, (top, left) in zip(images, resize(digits.inputs, DIGIT), places, strict=True):
        image[:, top : top + DIGIT, left : left + DIGIT] += digit
    return ArrayDataset(images.clip(0, 1), digits.targets)


def pairs(count: int, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Unseen digits two by two, above on the left and below on the right, and which they are: (N, 2)."""
    digits = data.digits(8, "test")
    small = resize(digits.inputs, DIGIT)
    images = canvases(count, generator)
    chosen = generator.integers(0, len(digits), (count, 2))
    for image, (first, second) in zip(images, chosen, strict=True):
        image[:, :DIGIT, :DIGIT] += small[first]
        image[:, -DIGIT:, -DIGIT:] += small[second]
    return images.clip(0, 1), digits.targets[chosen]


def trained(epochs: int) -> Sequential:
    """The network after its minute."""
    minidnn.manual_seed(SEED)
    generator = np.random.default_rng(SEED)
    model = network()
    optimizer = AdamW(model.parameters(), lr=2e-3)
    schedule = CosineAnnealingLR(optimizer, T_max=epochs)
    for epoch in range(epochs):
        for images, labels in DataLoader(scattered("train", generator), 32, shuffle=True, seed=epoch):
            optimizer.zero_grad()
            cross_entropy(model(images), labels).backward()
            optimizer.step()
        schedule.step()
    return model.eval()


def probabilities(model: Module, images: np.ndarray) -> np.ndarray:
    """What the network says of images: (N, 10)."""
    with no_grad():
        return softmax(model(Tensor(images)), 1).numpy()


def filters_and_maps(model: Module, images: np.ndarray) -> Figure:
    """The first layer's filters, and what the layers make of a digit."""
    image = images[0]
    panels = [grid(first_layer_filters(model), value=0), image]
    titles = ["conv1's filters (grey: 0)", "an image"]
    for layer, shown in (("relu1", 16), ("relu2", 16), ("relu3", 16), ("relu4", 16)):
        maps = feature_maps(model, image, layer)[:shown]
        panels.append(grid(normalised(maps)[:, None], value=0.5))
        titles.append(f"{layer}, {shown} maps of {maps.shape[1]}x{maps.shape[2]}")
    return plot(panels, titles, columns=3)


def patches_and_projections(model: Module, test: ArrayDataset, layer: str) -> Figure:
    """Zeiler and Fergus's figure 2: what a channel's nine strongest units see, and why.

    Shown are the first six channels that respond to anything.
    """
    panels, titles = [], []
    alive = feature_maps(model, test.inputs[:64], layer).max(axis=(0, 2, 3)) > 0
    for channel in np.flatnonzero(alive)[:6].tolist():
        found = maximal_patches(model, test, layer, channel)
        projections = deconvnet(model, test.inputs[found.images], layer, channel, found.positions.tolist())
        reach = found.pixels.shape[-1]
        wide = np.pad(projections, ((0, 0), (0, 0), (reach, reach), (reach, reach)))
        cut = [
            picture[:, box[0] + reach : box[2] + reach, box[1] + reach : box[3] + reach]
            for picture, box in zip(wide, found.boxes, strict=True)
        ]
        panels += [grid(normalised(np.stack(cut), centred=True)), grid(found.pixels)]
        titles += [f"{layer}, channel {channel}", "what it saw"]
    return plot(panels, titles, columns=4)


def where_it_looks(model: Module, generator: np.random.Generator) -> Figure:
    """Saliency, occlusion and Grad-CAM of the two digits on one canvas.

    The network was taught single digits. Of a hundred pairs of different ones those two are shown in which it
    believes most in the digit that it believes less in.
    """
    images, digits = pairs(100, generator)
    believed = np.take_along_axis(probabilities(model, images), digits, axis=1)  # (100, 2)
    panels: list[np.ndarray] = []
    titles: list[str] = []
    lesser = believed.min(axis=1) * (digits[:, 0] != digits[:, 1])  # (100,)
    for pair in np.argsort(-lesser)[:2]:
        image = images[pair]
        panels.append(image)
        (first, second), (p, q) = digits[pair], believed[pair]
        titles.append(f"{first} ({p:.0%}) and {second} ({q:.0%})")
        for digit in digits[pair].tolist():
            panels += [
                saliency(model, image, digit),
                occlusion(model, image, digit, size=12, stride=3),
                resize(grad_cam(model, image, "relu4", digit), CANVAS),
            ]
            covered = f"probability of {digit}\nwith a square covered"
            titles += [f"saliency of {digit}", covered, f"Grad-CAM of {digit}"]
    return plot(panels, titles, columns=7)


def favourites(model: Module) -> Figure:
    """The image that each class would like best."""
    shape = (1, DIGIT + 8, DIGIT + 8)
    images = [
        maximise_activation(model, "classes", digit, shape, steps=100, blur_sigma=0.7, seed=SEED)
        for digit in range(10)
    ]
    return plot(normalised(np.stack(images)), [str(digit) for digit in range(10)], columns=5)


def scores(model: Module, test: ArrayDataset) -> Figure:
    """The Inception Score, by this network, of images of several kinds."""
    generator = np.random.default_rng(SEED)
    blurred = data.transforms.functional.gaussian_blur(test.inputs, 3.0)
    kinds = {
        "unseen digits": test.inputs,
        "the same, blurred": blurred,
        "only zeros": test.inputs[test.targets == 0],
        "noise": generator.random(test.inputs.shape, dtype=np.float32),
    }
    panels, titles = [], []
    for name, images in kinds.items():
        score = inception_score(probabilities(model, images), splits=1).mean
        panels.append(grid(images[:9]))
        titles.append(f"{name}: {score:.1f}")
    return plot(panels, titles)


def draw(model: Sequential, folder: Path) -> None:
    """Write all pictures."""
    generator = np.random.default_rng(SEED + 1)
    test = scattered("test", generator)
    right = (probabilities(model, test.inputs).argmax(1) == test.targets).mean()
    print(f"{right:.1%} of the unseen digits are read")
    figures = {
        "filters_and_maps": filters_and_maps(model, test.inputs[test.targets == 5]),
        "patches_and_projections": patches_and_projections(model, test, "relu4"),
        "where_it_looks": where_it_looks(model, generator),
        "favourites": favourites(model),
        "inception_score": scores(model, test),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, figure in figures.items():
        figure.savefig(folder / f"{name}.png", dpi=100, metadata={"Software": None})


def main(arguments: Sequence[str] | None = None) -> None:
    """Train and draw."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder of the pictures")
    chosen = parser.parse_args(arguments)
    draw(trained(chosen.epochs), chosen.out)


if __name__ == "__main__":
    main()
