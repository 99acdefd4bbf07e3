"""`minidnn train`: train a model on the built-in digits or on local files."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from models.command_line.options import DeviceName
from models.command_line.train_detector import RECIPES, train_detector
from models.command_line.training_run import Recipe, Run, fit, introduce

if TYPE_CHECKING:
    from rich.console import Console

    from minidnn import Device
    from minidnn.data import Splits
    from minidnn.nn import Module
    from minidnn.training import Trainer

LABEL_SMOOTHING = 0.1
WEIGHT_DECAY = 0.01
CLASSIFIER = Recipe(epochs=15, batch_size=32, lr=0.004)


def train(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="The model's name, for example lenet5.")],
    data: Annotated[
        Path | None,
        typer.Option(
            help="Local data: a folder of MNIST-style IDX files (also .gz), CIFAR-10/100 files or archives, "
            "or images in a subfolder per class.",
            show_default="the handwritten digits inside the package",
        ),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="How many times to go through the training data.",
            show_default="15; a detector's own",
        ),
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Images per step.", show_default="32; a detector's own")
    ] = None,
    lr: Annotated[
        float | None,
        typer.Option(
            help="The learning rate at the start; it falls as a cosine.",
            show_default="0.004; a detector's own",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the initial weights and the shuffling.")] = 0,
    activation: Annotated[
        str | None,
        typer.Option(help="lenet5: tanh, scaled_tanh, relu or sigmoid.", show_default="tanh, as published"),
    ] = None,
    pooling: Annotated[
        str | None,
        typer.Option(help="lenet5: average, trained or max.", show_default="average, as published"),
    ] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            help="The file that keeps the run's state, written after every epoch and every 10 seconds.",
            show_default="checkpoints/MODEL.safetensors",
        ),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Go on from the checkpoint, with the same arguments as before."),
    ] = False,
    csv: Annotated[
        Path | None, typer.Option(help="Write a table here, a row per epoch.", show_default="none")
    ] = None,
    tensorboard: Annotated[
        Path | None,
        typer.Option(
            help="Write curves for TensorBoard into this folder; needs the tensorboard extra.",
            show_default="none",
        ),
    ] = None,
    device: DeviceName = "cpu",
) -> None:
    """Train MODEL, show how it goes, and end with its accuracy on held-out images.

    The small detectors (faster_rcnn_digits, mask_rcnn_digits, yolo_digits) learn from scenes of the built-in
    digits and end with their mean average precision and kinds of errors on held-out scenes.

    A run that was interrupted (Ctrl-C) or killed goes on with the same command and --resume, and ends with
    exactly the weights of a run that was never stopped.
    """
    from rich.console import Console

    from minidnn import device as device_named
    from minidnn import manual_seed
    from models.registry import bound_arguments, create

    recipe = RECIPES.get(model, CLASSIFIER).changed(epochs=epochs, batch_size=batch_size, lr=lr)
    path = checkpoint or Path("checkpoints") / f"{model}.safetensors"
    run = Run(recipe, seed, path, resume, csv, tensorboard)
    variant = {"activation": activation, "pooling": pooling}
    chosen = {name: value for name, value in variant.items() if value is not None}
    if model in RECIPES:
        _refuse_options(model, data=data, device=None if device == "cpu" else device, **chosen)
        train_detector(model, run)
        return
    bound_arguments(model, **chosen)  # refuse a wrong name before any data is read
    place = device_named(device)
    splits = _open(model, data)
    arguments = bound_arguments(model, num_classes=len(splits.classes), **chosen)
    manual_seed(seed)
    network = create(model, **arguments).to(place)
    trainer = _trainer(network, splits, run, place)
    trainer.arguments = {"model": model, **arguments, **_origin(data, splits), "lr": recipe.lr, "seed": seed}
    console = Console()
    introduce(console, _headline(model, network, splits), run)
    fit(trainer, run)
    _conclude(console, trainer, splits, run.checkpoint)


def _refuse_options(model: str, **given: object) -> None:
    """Refuse what classifiers only can be told."""
    for name, value in given.items():
        if value is not None:
            raise ValueError(f"--{name} is not for {model}, which learns from scenes of digits on the CPU")


def _open(model: str, path: Path | None) -> Splits:
    """The data at `path`, or the built-in digits, in the shape that the model was designed for."""
    from minidnn import data
    from models.registry import entry_of_kind

    channels, size, _ = entry_of_kind(model, "classification").input_shape
    if path is not None:
        return data.open_dataset(path, size=size, channels=channels)
    fit = None if (channels, size) == (1, 32) else data.FitImage(size, channels)
    train_part, test_part = data.digits(32, "train", fit), data.digits(32, "test", fit)
    return data.Splits("handwritten digits", train_part, test_part, train_part.classes)


def _origin(path: Path | None, splits: Splits) -> dict[str, str]:
    """Where the data came from and what it is: a resumed run must have the same."""
    from minidnn.data import fingerprint

    where = "built-in digits" if path is None else str(path.resolve())
    contents = f"{fingerprint(splits.train)}-{fingerprint(splits.test)}"
    return {"data": where, "data's fingerprint": contents}


def _trainer(network: Module, splits: Splits, run: Run, place: Device) -> Trainer:
    """The recipe: AdamW, a cosine schedule, smoothed labels, and images shifted at random."""
    from minidnn.data import DataLoader, RandomShift
    from minidnn.functional import cross_entropy
    from minidnn.optim import AdamW
    from minidnn.optim.schedule import CosineAnnealingLR
    from minidnn.report import TerminalReport
    from minidnn.training import Trainer

    recipe = run.recipe
    optimizer = AdamW(network.parameters(), lr=recipe.lr, weight_decay=WEIGHT_DECAY)
    return Trainer(
        network,
        optimizer,
        DataLoader(splits.train, recipe.batch_size, shuffle=True, seed=run.seed, device=place),
        DataLoader(splits.test, batch_size=256, device=place),
        loss=partial(cross_entropy, label_smoothing=LABEL_SMOOTHING),
        schedule=CosineAnnealingLR(optimizer, T_max=recipe.epochs),
        augment=RandomShift(),
        checkpoint=run.checkpoint,
        report=run.reported_to(TerminalReport()),
    )


def _headline(model: str, network: Module, splits: Splits) -> str:
    parameters = sum(parameter.data.size for parameter in network.parameters())
    return (
        f"{model}, {parameters:,} parameters, on {splits.name}: {len(splits.train):,} images to train on, "
        f"{len(splits.test):,} held out, {len(splits.classes)} classes"
    )


def _conclude(console: Console, trainer: Trainer, splits: Splits, path: Path) -> None:
    """The learning curve, the confusion matrix, and the last line."""
    from minidnn.report import confusion_table, plot_learning_curve
    from minidnn.training import evaluate

    picture = path.with_suffix(".png")
    if plot_learning_curve(trainer.history, picture):
        console.print(f"learning curve: {picture}", highlight=False, markup=False, soft_wrap=True)
    evaluation = evaluate(trainer.model, trainer.test_loader, trainer.loss)
    console.print(confusion_table(evaluation.confusion, splits.classes))
    print(f"test accuracy {evaluation.accuracy:.2%}")
