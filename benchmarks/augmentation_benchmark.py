"""What augmentation costs beside training: ResNet-18 on 224 x 224, fed by a loader's threads.

Photographs of 500 x 375 pixels (ImageNet's usual size; smoothed noise, as JPEG files) are decoded, cut,
mirrored, changed in colour and normalised by the loader's threads, which share the processor with the step.
Three figures are taken in images per second: what the loader delivers when nothing else runs, what the step
consumes from one batch in memory, and what it reaches on the loader's batches; and the milliseconds that each
transform takes for one image.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import minidnn
import models
from benchmarks.measuring import Contender, Effort, interleave
from benchmarks.results import Row
from kernels.array import Array
from minidnn import functional
from minidnn.data import DataLoader, transforms
from minidnn.data.images import open_image
from minidnn.data.preprocessing import IMAGENET_MEAN, IMAGENET_STD
from minidnn.optim import SGD

NETWORK = "resnet18"
BATCH, SIZE = 8, 224
HEIGHT, WIDTH = 375, 500
PHOTOGRAPHS = 32
WORKERS = 2
DELIVERED = 24  # batches, where the loader runs alone
CALLS = 15  # of a transform on its own
ALONE, FED = "step on a batch in memory", "step on the loader's batches"

# Of ImageNet's training images, in the order of magnitude: what the colours are does not change the work.
COLORS = transforms.PrincipalColors(np.array([0.22, 0.019, 0.0045]), np.eye(3))
AUGMENT = transforms.Compose(
    [
        transforms.RandomResizedCrop(SIZE),
        transforms.RandomHorizontalFlip(),
        transforms.ColorJitter(0.4, 0.4, 0.4),
        transforms.RandomPCAColor(COLORS),
        transforms.Normalize(IMAGENET_MEAN, IMAGENET_STD),
    ]
)


class Photographs:
    """JPEG files, again and again; item i is (Pillow image, label)."""

    def __init__(self, folder: Path) -> None:
        self.files = [folder / f"{number}.jpg" for number in range(PHOTOGRAPHS)]
        for number, file in enumerate(self.files):
            photograph(number).save(file, quality=90)

    def __len__(self) -> int:
        return 100_000

    def __getitem__(self, index: int) -> tuple[Any, np.int64]:
        return open_image(self.files[index % PHOTOGRAPHS]), np.int64(index % 1000)


def photograph(seed: int) -> Any:
    """A Pillow image of smoothed noise, which compresses about as photographs do."""
    from PIL import Image

    coarse = np.random.default_rng(seed).integers(0, 256, (HEIGHT // 12, WIDTH // 12, 3), np.uint8)
    return Image.fromarray(coarse).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)


def measure(effort: Effort) -> Row:
    """Measure loader, step, and step fed by the loader, and return the row."""
    with tempfile.TemporaryDirectory() as folder:
        photographs = Photographs(Path(folder))
        settings: dict[str, Any] = {"batch_size": BATCH, "shuffle": True, "seed": 0, "transform": AUGMENT}
        delivered = _delivered(DataLoader(photographs, num_workers=WORKERS, **settings))
        batches = iter(DataLoader(photographs, num_workers=WORKERS, **settings))
        in_memory = next(batches)
        step = _step()
        longer = Effort(effort.seconds * 60, effort.fewest, effort.most)
        timings = interleave(
            [Contender(ALONE, lambda: step(*in_memory)), Contender(FED, lambda: step(*next(batches)))], longer
        )
        batches.close()  # type: ignore[attr-defined]
    return {
        "network": NETWORK,
        "batch": BATCH,
        "size": SIZE,
        "workers": WORKERS,
        "loader, images/s": delivered,
        **{f"{name}, images/s": BATCH / timing.median for name, timing in timings.items()},
        "fed / in memory": timings[ALONE].ratios[FED],  # of speeds: 1 where augmentation costs nothing
        "ms per image": transform_times(),
    }


def _delivered(loader: DataLoader) -> float:
    """Images per second of the loader alone."""
    batches = iter(loader)
    next(batches)
    start = time.perf_counter()
    for _ in range(DELIVERED):
        next(batches)
    return BATCH * DELIVERED / (time.perf_counter() - start)


def _step() -> Callable[[minidnn.Tensor, minidnn.Tensor], None]:
    """A training step of the network: forward, loss, backward, SGD."""
    minidnn.manual_seed(0)
    model = models.create(NETWORK)
    optimizer = SGD(model.parameters(), lr=1e-3, momentum=0.9, weight_decay=1e-4)

    def step(images: minidnn.Tensor, labels: minidnn.Tensor) -> None:
        optimizer.zero_grad()
        functional.cross_entropy(model(images), labels).backward()
        optimizer.step()

    return step


def transform_times() -> Mapping[str, float]:
    """Milliseconds of one thread for one image: of the photograph for decoding and crop, else 224 x 224."""
    whole = np.asarray(photograph(0)).transpose(2, 0, 1)
    cut: Array = transforms.RandomResizedCrop(SIZE)(whole, np.random.default_rng(0))
    random = np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "photograph.jpg"
        photograph(0).save(file, quality=90)
        times = {"decoding": _milliseconds(lambda: np.asarray(open_image(file)))}
    crop = transforms.RandomResizedCrop(SIZE)
    times["RandomResizedCrop"] = _milliseconds(partial(crop, whole, random))
    times["RandomResizedCrop of float32"] = _milliseconds(partial(crop, transforms.ToFloat()(whole), random))
    for name, transform in EACH.items():
        times[name] = _milliseconds(partial(transform, cut, random))
    return times


EACH: Mapping[str, transforms.Transform] = {
    "RandomHorizontalFlip": transforms.RandomHorizontalFlip(1.0),
    "RandomCrop": transforms.RandomCrop(SIZE, padding=28),
    "RandomRotation": transforms.RandomRotation(30),
    "RandomAffine": transforms.RandomAffine(20, (0.1, 0.1), (0.8, 1.2), (10, 10)),
    "RandomElastic": transforms.RandomElastic(),
    "ColorJitter without hue": transforms.ColorJitter(0.4, 0.4, 0.4),
    "ColorJitter of hue": transforms.ColorJitter(hue=0.1),
    "RandomChannelShift": transforms.RandomChannelShift(20),
    "RandomPCAColor": transforms.RandomPCAColor(COLORS),
    "Cutout": transforms.Cutout(56),
    "Normalize": transforms.Normalize(IMAGENET_MEAN, IMAGENET_STD),
}


def _milliseconds(run: Callable[[], Any]) -> float:
    """The median of some calls, after one that does not count."""
    run()
    seconds = []
    for _ in range(CALLS):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return float(np.median(seconds)) * 1e3
