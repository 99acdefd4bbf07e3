"""Finding out what kind of data set lies at a path."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from minidnn.data.cifar import cifar, find_cifar
from minidnn.data.dataset import Dataset, Subset, Transform, stratified_indices
from minidnn.data.idx import find_mnist, mnist
from minidnn.data.images import ImageFolder, find_images
from minidnn.data.resize import FitImage

HELD_OUT = ("test", "val", "valid", "validation")


@dataclass(frozen=True)
class Splits:
    """A data set's two parts.

    Attributes:
        name: what kind of data set it is.
        train: the training items, each (image, label).
        test: the held-out items.
        classes: the labels' names.
    """

    name: str
    train: Dataset
    test: Dataset
    classes: tuple[str, ...]


def open_dataset(
    path: str | os.PathLike[str], size: int | None = None, channels: int | None = None
) -> Splits:
    """Recognise and open the data set at `path`: MNIST's files, CIFAR's files or archives, or image folders.

    Image folders hold either a subfolder per class, of which a fixed fifth of every class is held out, or
    "train" and one of "test", "val", "valid" and "validation", each with a subfolder per class.

    Args:
        path: a folder, or a CIFAR archive.
        size: the height and width to which images are resized; None leaves them.
        channels: 1 or 3 to convert the images to grey or colour; None leaves them (image files: colour).

    Raises:
        FileNotFoundError: nothing is at `path`, or nothing that is recognised; the message says what was
            looked for.
        ValueError: a file is damaged, the parts have different classes, or a bad size or channels.
    """
    home = Path(path)
    if not home.exists():
        raise FileNotFoundError(f"{path} does not exist")
    fit = FitImage(size, channels)
    splits = _open_mnist(home, fit) or _open_cifar(home, fit) or _open_images(home, fit)
    if splits is None:
        raise FileNotFoundError(
            f"{path} holds no data set that is recognised; looked for MNIST's files "
            "(train-images-idx3-ubyte, t10k-images-idx3-ubyte, ..., also .gz), CIFAR-10's or CIFAR-100's "
            "files, folders or archives (binary or Python, .tar.gz), and images in a subfolder per class "
            "or in such subfolders of train/ and test/"
        )
    if len(splits.train) == 0 or len(splits.test) == 0:
        raise ValueError(
            f"{path} must hold training and test items, got {len(splits.train)} and {len(splits.test)}"
        )
    return splits


def _open_mnist(home: Path, fit: Transform) -> Splits | None:
    try:
        find_mnist(home, "train")
    except FileNotFoundError:
        return None
    train, test = mnist(home, "train", fit), mnist(home, "test", fit)
    highest = max((int(part.targets.max()) for part in (train, test) if len(part)), default=-1)
    return Splits("MNIST files", train, test, tuple(str(label) for label in range(highest + 1)))


def _open_cifar(home: Path, fit: Transform) -> Splits | None:
    if find_cifar(home) is None:
        return None
    train, test = cifar(home, "train", fit), cifar(home, "test", fit)
    return Splits(f"CIFAR-{len(train.classes)}", train, test, train.classes)


def _open_images(home: Path, fit: FitImage) -> Splits | None:
    channels = fit.channels or 3
    held_out = [home / name for name in HELD_OUT if find_images(home / name)]
    if held_out and find_images(home / "train"):
        train = ImageFolder(home / "train", fit.size, channels)
        test = ImageFolder(held_out[0], fit.size, channels)
        if train.classes != test.classes:
            different = sorted(set(train.classes) ^ set(test.classes))
            raise ValueError(
                f"{home} must have the same classes in both parts, {different[0]!r} is in one only"
            )
        return Splits("image folders", train, test, train.classes)
    if not find_images(home):
        return None
    whole = ImageFolder(home, fit.size, channels)
    train_part, test_part = (
        Subset(whole, stratified_indices(whole.targets, split)) for split in ("train", "test")
    )
    return Splits("image folders", train_part, test_part, whole.classes)
