"""What a page's code takes for granted: files in the folder where it runs, and names that it speaks of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np


def photographs(namespace: dict[str, Any]) -> None:
    """`dataset`: ten small images of five classes."""
    from minidnn import data

    images = np.random.default_rng().standard_normal((10, 3, 64, 64)).astype(np.float32)
    namespace["dataset"] = data.ArrayDataset(images, np.arange(10) % 5, classes=tuple("abcde"))


def resnet18_weights(namespace: dict[str, Any]) -> None:
    """A file of weights as one is downloaded."""
    import minidnn
    import models

    minidnn.save(models.resnet18(), "resnet18.pth")


SURROUNDINGS: Mapping[str, Sequence[Callable[[dict[str, Any]], None]]] = {
    "transfer.md": (photographs, resnet18_weights),
}
