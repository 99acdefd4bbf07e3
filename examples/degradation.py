"""Deeper plain networks train worse, deeper residual networks do not.

Figure 6 of He et al., "Deep residual learning for image recognition", arXiv:1512.03385, at small scale: the
CIFAR networks of 20 and 56 layers, with and without shortcuts, on the package's 8x8 digits. Twins have the
same parameters and begin with the same weights; optimiser and batch size are the paper's.

What to make of it: one seed, 132 steps, and a learning rate of 0.01 throughout, with which the paper warms
ResNet-110 up. It was chosen after a first run of 16 epochs on the paper's 0.1. There plain-56 was far behind
plain-20 too (training loss 1.36 against 0.009), but resnet-56, at 4.7 in its first epoch, was also behind
resnet-20 (0.090 against 0.0002). So the left half of the figure holds on both rates, the right half on the
lower one only. At the end both residual networks here make no mistakes on the training images.

    python examples/degradation.py               # train four networks, write degradation.csv, draw the figure
    python examples/degradation.py --plot-only   # draw the figure from the degradation.csv that is there

Training takes about 3 minutes of processor time; the figure needs matplotlib (the `plot` extra).
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import minidnn
import models
from minidnn import data
from minidnn.data import DataLoader
from minidnn.optim import SGD
from minidnn.training import Trainer

HERE = Path(__file__).parent
NETWORKS = ("plain20", "plain56", "resnet20", "resnet56")
LEARNING_RATE = 0.01  # not the paper's 0.1; see above
COLUMNS = ("network", "epoch", "train_loss", "train_error", "test_error")
Row = dict[str, str]


def train(network: str, epochs: int, images: int | None, seed: int) -> list[Row]:
    """Train one network and return a row per epoch; errors are shares in [0, 1]."""
    minidnn.manual_seed(seed)
    train_set, test_set = data.digits(8, "train"), data.digits(8, "test")
    if images is not None:
        train_set, test_set = (data.Subset(part, range(images)) for part in (train_set, test_set))
    model = models.create(network, num_classes=10, in_channels=1)
    trainer = Trainer(
        model,
        SGD(model.parameters(), lr=LEARNING_RATE, momentum=0.9, weight_decay=1e-4),
        DataLoader(train_set, batch_size=128, shuffle=True, seed=seed),
        DataLoader(test_set, batch_size=128),
    )
    return [
        {
            "network": network,
            "epoch": str(metrics.epoch),
            "train_loss": f"{metrics.train_loss:.5f}",
            "train_error": f"{1 - metrics.train_accuracy:.5f}",
            "test_error": f"{1 - metrics.test_accuracy:.5f}",
        }
        for metrics in trainer.fit(epochs)
    ]


def plot(rows: Sequence[Row], path: Path) -> None:
    """Draw the training loss over the epochs, plain networks left, residual ones right, as figure 6 does."""
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "degradation"
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 2, figsize=(9, 3.6), sharey=True, layout="constrained")
    for axis, kind, title in zip(axes, ("plain", "resnet"), ("plain", "residual"), strict=True):
        for depth, colour in ((20, "tab:orange"), (56, "tab:blue")):
            mine = [row for row in rows if row["network"] == f"{kind}{depth}"]
            epochs = [int(row["epoch"]) for row in mine]
            axis.plot(
                epochs, [float(row["train_loss"]) for row in mine], color=colour, label=f"{depth} layers"
            )
        axis.set(title=f"{title} networks", xlabel="epoch", yscale="log")
        axis.grid(alpha=0.3)
        axis.legend()
    axes[0].set_ylabel("training loss")
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


def main(arguments: Sequence[str] | None = None) -> None:
    """Train or read, and draw."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--images", type=int, help="train and test on so many images only")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=2, help="how many networks at a time")
    parser.add_argument("--out", type=Path, default=HERE, help="folder of the table and the figure")
    parser.add_argument("--plot-only", action="store_true", help="draw the table that is there")
    chosen = parser.parse_args(arguments)
    table = chosen.out / "degradation.csv"
    if not chosen.plot_only:
        run = partial(train, epochs=chosen.epochs, images=chosen.images, seed=chosen.seed)
        with ProcessPoolExecutor(chosen.processes) as pool, table.open("w", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            writer.writeheader()
            for rows in pool.map(run, NETWORKS):
                writer.writerows(rows)
    with table.open(newline="") as file:
        plot(list(csv.DictReader(file)), chosen.out / "degradation.svg")


if __name__ == "__main__":
    main()
