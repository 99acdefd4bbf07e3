"""Colourisation: grey digits become coloured ones, each in the colour of its class.

What colour a thing has is a question of what it is (Zhang, Isola and Efros, "Colorful image colorization",
ECCV 2016). Here every digit is written in an ink of its own, ten hues around the colour circle, on paper of
the opposite hue. All inks are equally bright, so that the grey picture says nothing but the shape, and the
network has to recognise the digit in order to paint it. Its convolutions see the whole 8x8 image; it gives
red, green and blue for every pixel.

Measured on held-out digits: the peak signal-to-noise ratio beside that of the grey picture itself and of the
best single ink (the mean of all colours), and how many digits are painted in a hue that is nearest to the
right one.

What to make of it: 95% of the digits get the right ink, at 22.3 dB; the grey picture has 5.7 dB and one
colour for all 10.5. Where the network is in doubt (the 7 in the picture) it mixes what the candidates would
need: the mean of several answers is what the squared error asks for, and the reason why the paper classifies
colours instead.

    python examples/colourisation.py               # train, write colourisation.csv, draw the picture

Training takes about half a minute of processor time; the picture needs matplotlib (the `plot` extra).
"""

from __future__ import annotations

import argparse
import csv
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import minidnn
from minidnn import Tensor, data, no_grad
from minidnn.data import DataLoader
from minidnn.functional import mse_loss
from minidnn.nn import BatchNorm2d, Conv2d, Module, ReLU, Sequential, Sigmoid
from minidnn.optim import AdamW
from minidnn.optim.schedule import CosineAnnealingLR

HERE = Path(__file__).parent
COLUMNS = ("method", "psnr", "right_ink")
SHOWN = 10
Row = dict[str, str]


def inks() -> np.ndarray:
    """Ten colours of mean 0.5 around the colour circle: float32 (10, 3)."""
    angles = 2 * np.pi * (np.arange(10)[:, None] / 10 + np.array([0, 1 / 3, 2 / 3]))
    return (0.5 + 0.5 * np.cos(angles)).astype(np.float32)


def painted(grey: Tensor, labels: Tensor) -> Tensor:
    """Grey values (N, 1, H, W) as ink on paper of the opposite hue: (N, 3, H, W) of mean 0.5."""
    ink = Tensor(inks())[labels].reshape(-1, 3, 1, 1)  # (N, 3, 1, 1)
    return grey * ink + (1 - grey) * (1 - ink)


def network(channels: int = 32) -> Module:
    """Five convolutions whose last pixels see the whole image of 8x8."""
    layers: list[Module] = []
    for inputs in (1, channels, channels, channels):
        layers += [Conv2d(inputs, channels, 5, padding=2, bias=False), BatchNorm2d(channels), ReLU()]
    return Sequential(*layers, Conv2d(channels, 3, 1), Sigmoid())


def trained(epochs: int, seed: int) -> Module:
    """The network, trained on pairs of grey and coloured digits."""
    minidnn.manual_seed(seed)
    model = network()
    optimizer = AdamW(model.parameters(), lr=2e-3)
    schedule = CosineAnnealingLR(optimizer, T_max=epochs)
    loader = DataLoader(data.digits(8, "train"), 64, shuffle=True, seed=seed)
    for _ in range(epochs):
        for grey, labels in loader:
            optimizer.zero_grad()
            mse_loss(model(grey), painted(grey, labels)).backward()
            optimizer.step()
        schedule.step()
    return model.eval()


def psnr(images: Tensor, truth: Tensor) -> float:
    """The peak signal-to-noise ratio of images in [0, 1], in decibels."""
    return -10 * math.log10(mse_loss(images, truth).item())


def inks_found(images: Tensor, grey: Tensor) -> list[int]:
    """For every image the ink that, put on its paper, comes nearest to it."""
    count = len(images)
    errors = []
    for digit in range(10):
        guess = painted(grey, Tensor(np.full(count, digit)))
        errors.append(((images - guess) ** 2).mean((1, 2, 3)))  # (N,)
    found: list[int] = minidnn.stack(errors).argmin(0).tolist()
    return found


def run(epochs: int, seed: int) -> tuple[list[Row], dict[str, Tensor]]:
    """Return a row per method, and a held-out digit of every class as each shows it."""
    model = trained(epochs, seed)
    test = data.digits(8, "test")
    grey, labels = Tensor(test.inputs), Tensor(test.targets)
    truth = painted(grey, labels)  # (N, 3, 8, 8)
    shown = Tensor(np.array([int(np.flatnonzero(test.targets == digit)[0]) for digit in range(SHOWN)]))
    with no_grad():
        mean_colour = truth.mean((0, 2, 3), keepdim=True)  # (1, 3, 1, 1)
        methods = {
            "grey": minidnn.cat([grey] * 3, 1),
            "mean colour": truth * 0 + mean_colour,
            "network": model(grey),
            "truth": truth,
        }
        rows = []
        for name, images in methods.items():
            right = sum(map(int.__eq__, inks_found(images, grey), labels.tolist())) / len(grey)
            quality = "" if name == "truth" else f"{psnr(images, truth):.3f}"
            rows.append(dict(zip(COLUMNS, (name, quality, f"{right:.4f}"), strict=True)))
    return rows, {name: methods[name][shown] for name in ("grey", "network", "truth")}


def draw(pictures: dict[str, Tensor], path: Path) -> None:
    """A row per method, a column per digit."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, grid = pyplot.subplots(
        len(pictures), SHOWN, figsize=(SHOWN, 1.15 * len(pictures)), layout="constrained"
    )
    for line, (name, images) in zip(grid, pictures.items(), strict=True):
        for axes, image in zip(line, images.numpy(), strict=True):
            axes.imshow(image.transpose(1, 2, 0))
            axes.set(xticks=[], yticks=[])
        line[0].set_ylabel(name)
    figure.savefig(path, dpi=80)
    pyplot.close(figure)


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, measure and draw."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--epochs", type=int, default=16)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=HERE, help="folder of the table and the picture")
    chosen = parser.parse_args(arguments)
    rows, pictures = run(chosen.epochs, chosen.seed)
    with (chosen.out / "colourisation.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    for row in rows:
        right = float(row["right_ink"])
        print(f"{row['method']:<12} {row['psnr'] or '-':>7} dB   {right:.1%} in the right ink")
    draw(pictures, chosen.out / "colourisation.png")


if __name__ == "__main__":
    main()
