"""Super-resolution of digits: 8x8 pixels from 4x4.

The package's 8x8 digits are reduced to 4x4 by averaging squares of four pixels. A small network is to undo
that: it gets the image enlarged by bilinear interpolation and learns what has to be added, as in Dong et al.,
"Learning a deep convolutional network for image super-resolution", ECCV 2014 (three convolutions), with the
residual of Kim et al., "Accurate image super-resolution using very deep convolutional networks", CVPR 2016.
Measured on held-out digits is the peak signal-to-noise ratio, 10 log10(1 / mean squared error), and how many
of the enlarged digits a network that was trained on the true ones recognises: detail that is invented but
wrong would not help there.

What to make of it: 18.2 dB where bilinear interpolation has 12.7 and repeated pixels 13.1; 90% of the digits
are recognised, where interpolation leaves 16%, repeated pixels 68% and the true images 99%.

    python examples/super_resolution.py               # train, write super_resolution.csv, draw the picture

Training takes about half a minute of processor time; the picture needs matplotlib (the `plot` extra).
"""

from __future__ import annotations

import argparse
import csv
import math
from collections.abc import Sequence
from pathlib import Path

import minidnn
from minidnn import Tensor, data, no_grad
from minidnn.data import ArrayDataset, DataLoader
from minidnn.functional import avg_pool2d, interpolate, mse_loss
from minidnn.nn import BatchNorm2d, Conv2d, Flatten, Linear, MaxPool2d, Module, ReLU, Sequential
from minidnn.optim import AdamW
from minidnn.optim.schedule import CosineAnnealingLR
from minidnn.training import Trainer, evaluate

HERE = Path(__file__).parent
COLUMNS = ("method", "psnr", "recognised")
SHOWN = 8
Row = dict[str, str]


class SuperResolution(Module):
    """Bilinear interpolation to twice the size, and a correction of three convolutions."""

    def __init__(self, channels: int = 32) -> None:
        super().__init__()
        self.correction = Sequential(
            *(Conv2d(1, channels, 5, padding=2), ReLU()),
            *(Conv2d(channels, channels, 3, padding=1), ReLU()),
            Conv2d(channels, 1, 3, padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return images of twice the height and width."""
        enlarged = bilinear(x)  # (N, 1, 2 H, 2 W)
        result: Tensor = enlarged + self.correction(enlarged)
        return result


def bilinear(images: Tensor) -> Tensor:
    """Twice as high and wide, by interpolation."""
    return interpolate(images, scale_factor=2, mode="bilinear")


def nearest(images: Tensor) -> Tensor:
    """Twice as high and wide, every pixel repeated."""
    return interpolate(images, scale_factor=2, mode="nearest")


def trained(images: ArrayDataset, epochs: int, seed: int) -> Module:
    """The network, trained to give the images back from their reductions."""
    minidnn.manual_seed(seed)
    model = SuperResolution()
    optimizer = AdamW(model.parameters(), lr=3e-3)
    schedule = CosineAnnealingLR(optimizer, T_max=epochs)
    loader = DataLoader(images, 64, shuffle=True, seed=seed)
    for _ in range(epochs):
        for truth, _ in loader:
            optimizer.zero_grad()
            mse_loss(model(avg_pool2d(truth, 2)), truth).backward()
            optimizer.step()
        schedule.step()
    return model


def reader(images: ArrayDataset, epochs: int, seed: int) -> Module:
    """A classifier of digits, trained on the true images."""
    minidnn.manual_seed(seed)
    model = Sequential(
        *(Conv2d(1, 32, 3, padding=1), BatchNorm2d(32), ReLU(), MaxPool2d(2)),
        *(Conv2d(32, 64, 3, padding=1), BatchNorm2d(64), ReLU(), Flatten(), Linear(1024, 10)),
    )
    loader = DataLoader(images, 64, shuffle=True, seed=seed)
    Trainer(model, AdamW(model.parameters(), lr=2e-3), loader, DataLoader(images, 512)).fit(epochs)
    return model


def psnr(images: Tensor, truth: Tensor) -> float:
    """The peak signal-to-noise ratio of images in [0, 1], in decibels."""
    return -10 * math.log10(mse_loss(images, truth).item())


def run(epochs: int, seed: int) -> tuple[list[Row], dict[str, Tensor]]:
    """Return a row per method, and the first held-out digits as each gives them."""
    train, test = data.digits(8, "train"), data.digits(8, "test")
    classifier = reader(train, max(1, epochs // 4), seed)
    model = trained(train, epochs, seed)
    truth = Tensor(test.inputs)  # (N, 1, 8, 8)
    rows, pictures = [], {}
    with no_grad():
        small = avg_pool2d(truth, 2)  # (N, 1, 4, 4)
        found = {
            "nearest": nearest(small),
            "bilinear": bilinear(small),
            "network": model(small),
            "truth": truth,
        }
    for name, images in found.items():
        known = evaluate(classifier, DataLoader(ArrayDataset(images.numpy(), test.targets), 512)).accuracy
        quality = "" if name == "truth" else f"{psnr(images, truth):.3f}"
        rows.append(dict(zip(COLUMNS, (name, quality, f"{known:.4f}"), strict=True)))
        pictures[name] = images[:SHOWN]
    return rows, pictures


def draw(pictures: dict[str, Tensor], path: Path) -> None:
    """A row per method, a column per digit."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, grid = pyplot.subplots(
        len(pictures), SHOWN, figsize=(SHOWN, 1.1 * len(pictures)), layout="constrained"
    )
    for line, (name, images) in zip(grid, pictures.items(), strict=True):
        for axes, image in zip(line, images.numpy(), strict=True):
            axes.imshow(image[0], cmap="gray", vmin=0, vmax=1)
            axes.set(xticks=[], yticks=[])
        line[0].set_ylabel(name if name != "nearest" else "4x4 input")
    figure.savefig(path, dpi=80)
    pyplot.close(figure)


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, measure and draw."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=HERE, help="folder of the table and the picture")
    chosen = parser.parse_args(arguments)
    rows, pictures = run(chosen.epochs, chosen.seed)
    with (chosen.out / "super_resolution.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    for row in rows:
        print(f"{row['method']:<10} {row['psnr'] or '-':>7} dB   {float(row['recognised']):.1%} recognised")
    draw(pictures, chosen.out / "super_resolution.png")


if __name__ == "__main__":
    main()
