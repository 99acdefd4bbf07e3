"""What GoogLeNet's auxiliary heads do: the size of the gradient in every stage, with and without them.

Szegedy et al., "Going deeper with convolutions", arXiv:1409.4842, section 5: two small classifiers in the
middle of the network, behind inception 4a and 4d, whose losses count 0.3 each, are to bring gradient to
stages that are far from the end. Here the published network (without batch norm) takes its first steps on the
package's digits, enlarged to 224, with and without the heads' losses, from the same weights on the same
batches. After every backward pass the norm of each stage's gradient is noted, relative to the norm of the
stage's weights: how far a step would turn the stage.

What to make of it: in every stage up to inception 4a, where the first head stands, the heads about double the
gradient (1.7 to 2.5 times, medians of six steps of four images); between the heads they add a tenth to a
third, behind the second nothing. The gradient does not vanish without them, at this initialisation and in
first steps.

    python examples/auxiliary_heads.py               # train, write auxiliary_heads.csv, print it, draw it
    python examples/auxiliary_heads.py --plot-only   # print and draw the auxiliary_heads.csv that is there

Training takes about half a minute of processor time; the figure needs matplotlib (the `plot` extra).
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import minidnn
import models
from minidnn import Tensor, data
from minidnn.data import DataLoader, FitImage
from minidnn.functional import cross_entropy
from minidnn.nn import Module
from minidnn.nn.utils import get_total_norm
from minidnn.optim import SGD

HERE = Path(__file__).parent
STAGES = (
    *("conv1", "conv2", "conv3", "inception3a", "inception3b", "inception4a", "inception4b", "inception4c"),
    *("inception4d", "inception4e", "inception5a", "inception5b", "fc"),
)
RUNS = {"with heads": 0.3, "without heads": 0.0}  # what a head's loss counts
COLUMNS = ("run", "step", "stage", "gradient")
Row = dict[str, str]


def loss_of(model: Module, images: Tensor, labels: Tensor, weight: float) -> Tensor:
    """The scores' loss, and each head's times `weight`."""
    outputs = model(images)
    total = cross_entropy(outputs.logits, labels)
    if weight:
        heads = cross_entropy(outputs.aux_logits1, labels) + cross_entropy(outputs.aux_logits2, labels)
        total = total + weight * heads
    return total


def relative_gradients(model: Module) -> dict[str, float]:
    """The norm of every stage's gradient, divided by that of its weights."""
    sizes = {}
    for stage in STAGES:
        parameters = list(model.get_submodule(stage).parameters())
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        weights = [parameter.detach() for parameter in parameters]
        sizes[stage] = get_total_norm(gradients).item() / get_total_norm(weights).item()
    return sizes


def run(steps: int, batch_size: int, seed: int) -> list[Row]:
    """Return a row per run, step and stage."""
    rows = []
    images = data.digits(8, "train", FitImage(224))
    for name, weight in RUNS.items():
        minidnn.manual_seed(seed)
        model = models.create("googlenet", num_classes=10, in_channels=1, dropout=0.0, dropout_aux=0.0)
        optimizer = SGD(model.parameters(), lr=0.01, momentum=0.9)
        loader = DataLoader(images, batch_size, shuffle=True, seed=seed)
        for step, (inputs, labels) in zip(range(steps), loader, strict=False):
            optimizer.zero_grad()
            loss_of(model, inputs, labels, weight).backward()
            for stage, size in relative_gradients(model).items():
                rows.append(dict(zip(COLUMNS, (name, str(step), stage, f"{size:.3e}"), strict=True)))
            optimizer.step()
    return rows


def medians(rows: Sequence[Row], name: str) -> list[float]:
    """Of all steps of a run, by stage."""
    return [
        median(float(row["gradient"]) for row in rows if row["run"] == name and row["stage"] == stage)
        for stage in STAGES
    ]


def table(rows: Sequence[Row]) -> str:
    """Medians over the steps, and how many times larger the heads make them."""
    both = [medians(rows, name) for name in RUNS]
    lines = ["stage".ljust(14) + "".join(name.rjust(16) for name in RUNS) + "ratio".rjust(10)]
    for stage, with_heads, without in zip(STAGES, *both, strict=True):
        lines.append(f"{stage:<14}{with_heads:>16.2e}{without:>16.2e}{with_heads / without:>10.1f}")
    return "\n".join(lines)


def plot(rows: Sequence[Row], path: Path) -> None:
    """Draw the medians by stage on a logarithmic scale."""
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "auxiliary_heads"
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 4), layout="constrained")
    for name in RUNS:
        axes.plot(range(len(STAGES)), medians(rows, name), marker="o", label=name)
    for stage in ("inception4a", "inception4d"):
        axes.axvline(STAGES.index(stage), color="grey", linestyle=":", linewidth=1)
    axes.set_xticks(range(len(STAGES)), [stage.replace("inception", "") for stage in STAGES])
    axes.set(
        title="GoogLeNet's first steps: heads stand behind 4a and 4d",
        ylabel="norm of gradient / norm of weights",
        yscale="log",
    )
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


def main(arguments: Sequence[str] | None = None) -> None:
    """Train or read, print and draw."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=HERE, help="folder of the table and the figure")
    parser.add_argument("--plot-only", action="store_true", help="draw the table that is there")
    chosen = parser.parse_args(arguments)
    path = chosen.out / "auxiliary_heads.csv"
    if not chosen.plot_only:
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(run(chosen.steps, chosen.batch_size, chosen.seed))
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    print(table(rows))
    plot(rows, chosen.out / "auxiliary_heads.svg")


if __name__ == "__main__":
    main()
