"""Folders of image files, one subfolder per class. Needs Pillow: `pip install "minidnn[images]"`."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kernels.array import Array
from minidnn.data.dataset import Transform
from minidnn.data.resize import FitImage

if TYPE_CHECKING:
    from PIL.Image import Image

EXTENSIONS = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
MODES = {1: "L", 3: "RGB"}


class ImageFolder:
    """Images in one subfolder per class; item i is (image, label).

    Images are float32 (channels, H, W) in [0, 1]; a label is the place of the class among the sorted names.
    Files are read when they are asked for, subfolders of a class included, in the order of their paths.

    Args:
        folder: holds the classes' subfolders; names that begin with a dot are passed over.
        size: the height and width to which images are resized; None leaves them as they are.
        channels: 3 (colour) or 1 (grey).
        transform: applied to every image after that.

    Attributes:
        classes: the sorted names of the subfolders.
        files: the images' paths.
        targets: their labels, int64 (N,).

    Raises:
        FileNotFoundError: no subfolders with images are there.
        ValueError: another number of channels, a class without images; when an item is fetched: a broken
        file. ImportError: when an item is fetched without Pillow.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        size: int | None = None,
        channels: int = 3,
        transform: Transform | None = None,
    ) -> None:
        if channels not in MODES:
            raise ValueError(f"channels must be 1 or 3, got {channels!r}")
        by_class = find_images(folder)
        if not by_class:
            raise FileNotFoundError(
                f"{folder} must hold a subfolder of images per class ({', '.join(EXTENSIONS)})"
            )
        empty = [name for name, files in by_class.items() if not files]
        if empty:
            raise ValueError(f"{folder} has no images in the subfolder of class {empty[0]!r}")
        self.classes = tuple(by_class)
        self.files = [file for files in by_class.values() for file in files]
        counts = [len(files) for files in by_class.values()]
        self.targets = np.repeat(np.arange(len(counts)), counts).astype(np.int64)
        self.fit = FitImage(size, channels)
        self.transform = transform

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[Array, Any]:
        image = self.fit(read_image(self.files[index], self.fit.channels or 3))
        return (image if self.transform is None else self.transform(image)), self.targets[index]


def find_images(folder: str | os.PathLike[str]) -> dict[str, list[Path]]:
    """Return the image files by class; empty when no subfolder of `folder` holds any."""
    if not Path(folder).is_dir():
        return {}
    subfolders = sorted(
        entry for entry in Path(folder).iterdir() if entry.is_dir() and not entry.name.startswith(".")
    )
    found = {
        entry.name: sorted(path for path in entry.rglob("*") if path.suffix.lower() in EXTENSIONS)
        for entry in subfolders
    }
    return found if any(found.values()) else {}


def read_image(path: str | os.PathLike[str], channels: int = 3) -> Array:
    """Return an image file as float32 (channels, H, W) in [0, 1].

    Raises:
        OSError, ValueError, ImportError: as `open_image`.
    """
    pixels = np.asarray(open_image(path, channels))
    planes = pixels[None] if channels == 1 else pixels.transpose(2, 0, 1)  # (C, H, W)
    return np.ascontiguousarray(planes, dtype=np.float32) / np.float32(255)


def open_image(path: str | os.PathLike[str], channels: int = 3) -> Image:
    """Return an image file as a decoded Pillow image, of 8-bit colours (3 channels) or grey values (1).

    Raises:
        OSError: the file cannot be opened.
        ValueError: it is broken or no image.
        ImportError: Pillow is not installed.
    """
    return _decoded(path, lambda image: image.convert(MODES[channels]))


def open_indices(path: str | os.PathLike[str]) -> Array:
    """Return the places in the palette (or the grey values) that an image file holds, uint8 (H, W).

    Raises:
        OSError, ImportError: as `open_image`.
        ValueError: the file is broken, no image, or one of another kind.
    """
    image = _decoded(path, lambda image: image.copy())
    if image.mode not in ("L", "P"):
        raise ValueError(f"{path} must be an image with a palette or of grey values, got mode {image.mode}")
    return np.asarray(image)


def _decoded(path: str | os.PathLike[str], decode: Callable[[Image], Image]) -> Image:
    """What `decode` makes of an opened file."""
    try:
        from PIL import Image
    except ImportError:
        raise ImportError('image files need Pillow; install it by: pip install "minidnn[images]"') from None
    try:
        with Image.open(path) as image:
            return decode(image)
    except (FileNotFoundError, IsADirectoryError, PermissionError):
        raise
    except Exception as error:
        # Pillow's decoders raise many kinds of errors on broken files.
        raise ValueError(f"{path} is no readable image: {error}") from None
