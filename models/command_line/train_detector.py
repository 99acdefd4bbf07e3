"""`minidnn train` for detectors: on scenes of the built-in digits, judged by mean average precision."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from models.command_line.training_run import Recipe, Run, fit, introduce
from models.labels import DIGITS

if TYPE_CHECKING:
    from rich.console import Console

    from minidnn.data import SceneLoader
    from minidnn.detection import ErrorBreakdown
    from minidnn.nn import Module
    from minidnn.training import DetectorTrainer

EPOCH_SCENES = 1600  # never seen before, in every epoch
TEST_SCENES = 200  # the same after every epoch
FINAL_SCENES = 500  # others, after the last one
TEST_SEED, FINAL_SEED = 1, 2
WEIGHT_DECAY = 0.01
LARGEST_GRADIENT = 10.0  # its norm

# Which digits are alike: those that share most of their strokes.
SIMILAR = ((0, 6), (1, 7), (4, 9), (3, 5, 8))


RECIPES = {
    "faster_rcnn_digits": Recipe(epochs=12, batch_size=16, lr=1e-3),
    "mask_rcnn_digits": Recipe(epochs=10, batch_size=16, lr=1e-3),
    "yolo_digits": Recipe(epochs=40, batch_size=16, lr=2e-3),
}


def train_detector(model: str, run: Run) -> None:
    """Train, and end with the errors and the mean average precision on held-out scenes."""
    from rich.console import Console

    from minidnn import manual_seed
    from models.registry import bound_arguments, create

    arguments = bound_arguments(model)
    manual_seed(run.seed)
    network = create(model, **arguments)
    trainer = _trainer(network, run)
    trainer.arguments = {"model": model, **arguments, "lr": run.recipe.lr, "seed": run.seed}
    parameters = sum(parameter.data.size for parameter in network.parameters())
    console = Console()
    headline = (
        f"{model}, {parameters:,} parameters, on scenes of handwritten digits: {EPOCH_SCENES:,} new ones in "
        f"each epoch, {TEST_SCENES:,} of held-out digits to test on, seed {run.seed}"
    )
    introduce(console, headline, run)
    fit(trainer, run)
    _conclude(console, trainer, run.recipe.batch_size)


def _scenes(split: str, seed: int, count: int, batch_size: int) -> SceneLoader:
    from minidnn.data import DigitScenes, SceneLoader, collate_scenes
    from models.digit_detectors import SIDE

    scenes = DigitScenes(split, seed, SIDE, count)
    return SceneLoader(scenes, batch_size, num_workers=1, collate=collate_scenes)


def _trainer(network: Module, run: Run) -> DetectorTrainer:
    """The recipe: AdamW, a cosine schedule, and a gradient that is cut where it is very long."""
    from minidnn.nn.utils import clip_grad_norm_
    from minidnn.optim import AdamW
    from minidnn.optim.schedule import CosineAnnealingLR
    from minidnn.report import DETECTOR_COLUMNS, TerminalReport
    from minidnn.training import DetectorTrainer

    recipe = run.recipe
    optimizer = AdamW(network.parameters(), lr=recipe.lr, weight_decay=WEIGHT_DECAY)
    return DetectorTrainer(
        network,
        optimizer,
        _scenes("train", run.seed, EPOCH_SCENES, recipe.batch_size),
        _scenes("test", TEST_SEED, TEST_SCENES, recipe.batch_size),
        schedule=CosineAnnealingLR(optimizer, T_max=recipe.epochs),
        clip_gradients=partial(clip_grad_norm_, max_norm=LARGEST_GRADIENT),
        checkpoint=run.checkpoint,
        report=run.reported_to(TerminalReport(columns=DETECTOR_COLUMNS)),
    )


def _conclude(console: Console, trainer: DetectorTrainer, batch_size: int) -> None:
    """The breakdown of errors, and the last line."""
    from minidnn.detection import error_breakdown, voc_mean_average_precision
    from minidnn.training import detect_all, mask_average_precision

    scenes = _scenes("test", FINAL_SEED, FINAL_SCENES, batch_size)
    predictions, targets = detect_all(trainer.model, scenes)
    labels = [[digit + 1 for digit in digits] for digits in SIMILAR]
    _print_errors(console, error_breakdown(predictions, targets, labels))
    precision = voc_mean_average_precision(predictions, targets)
    listed = ", ".join(f"{DIGITS[label]} {value:.3f}" for label, value in precision.by_class.items())
    console.print(f"average precision by digit: {listed}", highlight=False, soft_wrap=True)
    if "masks" in predictions[0]:
        print(f"held-out mask mAP@0.5 {mask_average_precision(predictions, targets):.4f}")
    print(f"held-out mAP@0.5 {precision.mean:.4f} on {FINAL_SCENES:,} scenes")


def _print_errors(console: Console, errors: ErrorBreakdown) -> None:
    """One line for each kind of detection."""
    console.print("the best detections of each digit, as many as it has objects:", highlight=False)
    for name, share in zip(errors._fields, errors, strict=True):
        console.print(f"  {name:12}{share:7.2%}", highlight=False)
